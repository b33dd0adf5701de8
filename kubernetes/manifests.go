package kubernetes

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"caprice/chaos"
	"caprice/victims"
)

// Inventory is what files or a cluster say of workloads and namespaces.
type Inventory struct {
	workloads  []manifest // in the order in which they were read
	namespaces map[string]victims.Metadata
}

// ReadManifests reads YAML and JSON from files, folders with all that is in them, and standard input where a path is "-".
// It skips kinds that cannot opt in. A workload that names no namespace gets the given one. The workloads have no UID; what
// stands in for it is namespace/Kind/name. An error names the file and the document in it: one that cannot be read, or an
// object that is there twice.
func ReadManifests(paths []string, stdin io.Reader, namespace string) (Inventory, error) {
	documents, err := readDocuments(paths, stdin)
	if err != nil {
		return Inventory{}, err
	}
	found, err := readObjects(documents)
	if err != nil {
		return Inventory{}, err
	}
	m := Inventory{namespaces: map[string]victims.Metadata{}}
	seen := map[victims.Workload]string{}
	for _, o := range found {
		if o.Kind == namespaceKind {
			o.Namespace = ""
		} else if o.Namespace == "" {
			o.Namespace = namespace
		}
		if first, ok := seen[o.Workload]; ok {
			return Inventory{}, fmt.Errorf("%s is in %s and again in %s: want it once", o, first, o.where)
		}
		seen[o.Workload] = o.where
		if o.Kind == namespaceKind {
			m.namespaces[o.Name] = o.Metadata
			continue
		}
		o.UID = o.Workload.String()
		m.workloads = append(m.workloads, o)
	}
	return m, nil
}

// Subjects returns the workloads in the scope that opted in, on terms read just as in a cluster, with a calendar that
// opens within a year of from. The remarks are lines for people: each workload whose terms are wrong, which is left out, and
// those that a gate would spare again and again.
func (m Inventory) Subjects(scope Scope, defaults victims.Terms, from time.Time) (subjects []chaos.Subject, remarks []error) {
	var few []string
	for _, w := range m.workloads {
		if !scope.Contains(w.Namespace) {
			continue
		}
		terms, err := readTerms(w.Metadata, m.namespaces[w.Namespace], defaults, from)
		switch {
		case errors.Is(err, victims.ErrOptedOut):
			continue
		case err != nil:
			remarks = append(remarks, fmt.Errorf("%s is left out: %w", w.Workload, err))
			continue
		}
		if w.replicas != nil && *w.replicas < terms.MinReplicas {
			few = append(few, w.Workload.String())
		}
		subjects = append(subjects, chaos.Subject{Workload: w.Workload, Terms: terms})
	}
	if n := len(few); n > 0 {
		remarks = append(remarks, fmt.Errorf("%s: too few replicas for the minimum in the terms, so that each kill would be vetoed", summary(few)))
	}
	return subjects, remarks
}

// summary lists names, and says how many more there are after the first three.
func summary(names []string) string {
	const shown = 3
	if len(names) <= shown+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}
