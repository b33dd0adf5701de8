// Package lint says what is wrong with workloads before a kill finds it out.
package lint

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/kubernetes"
	"caprice/kubernetes/hypotheses"
	"caprice/victims"
)

// Severity is whether something has to be mended.
type Severity string

// An error keeps Caprice from doing what was asked for, or means something else than was written. Of a warning people should
// know.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one thing that is wrong with one object.
type Finding struct {
	Severity Severity
	Check    string // one word
	Object   string // namespace/Kind/name
	Where    string // it was read; empty: in the cluster
	Message  string // what is wrong, and what would be right
}

// Linter looks for what is wrong.
type Linter struct {
	Scope      kubernetes.Scope
	Defaults   victims.Terms
	RespectPDB bool
	MayEvict   bool                // Caprice's account has the right to
	Beliefs    *hypotheses.Beliefs // as who kills would ask them
	Now        time.Time

	RequirePodLabel bool // a pod wants the label victims.OptIn "true" itself, and none is evicted
}

// Check returns what is wrong with the objects, in the order of their names.
func (l Linter) Check(o kubernetes.Objects) []Finding {
	f := &findings{seen: map[string]string{}}
	namespaces := map[string]victims.Metadata{}
	for _, n := range o.Namespaces {
		m := metadata(n.Meta)
		namespaces[n.Name] = m
		f.at("Namespace "+n.Name, n.Where)
		f.once()
		f.keys(m)
	}
	in := map[int]victims.Terms{}
	for i, w := range o.Workloads {
		m := metadata(w.Meta)
		f.at(w.Workload.String(), w.Where)
		f.once()
		unknown := f.keys(m)
		if !l.Scope.Contains(w.Namespace) {
			if m.Labels[victims.OptIn] == "true" && kubernetes.Matched(l.Scope.Excluded, w.Namespace) {
				f.add(Warning, "terms", "it has the label "+victims.OptIn+", and Caprice never acts in its namespace, by EXCLUDED_NAMESPACES "+strings.Join(l.Scope.Excluded, ","))
			}
			continue // another installation's, maybe
		}
		terms, err := kubernetes.ReadTerms(m, namespaces[w.Namespace], l.Defaults, l.Now)
		switch {
		case err == nil:
			in[i] = terms
			f.workload(w, terms)
			f.recovery(w, terms)
			l.refused(f, w, terms)
		case !errors.Is(err, victims.ErrOptedOut) && !unknown:
			f.add(Error, "terms", err.Error())
		case errors.Is(err, victims.ErrOptedOut) && m.Labels[victims.OptIn] == "" && w.Template.Labels[victims.OptIn] == "true":
			f.add(Warning, "terms", "its pod template has the label "+victims.OptIn+", and the "+string(w.Kind)+" has not: want it in metadata.labels, where it counts")
		case errors.Is(err, victims.ErrOptedOut) && hasTerms(m) && m.Labels[victims.OptIn] == "" && namespaces[w.Namespace].Labels[victims.OptIn] != "false":
			f.add(Warning, "terms", "it has terms, and nobody opts it in: want the label "+victims.OptIn+`: "true"`)
		}
	}
	f.budgets(o, in, l.RespectPDB)
	f.selectors(o, in)
	for _, s := range o.Strangers {
		if !l.Scope.Contains(s.Namespace) {
			continue
		}
		f.at(s.Namespace+"/"+s.Kind+"/"+s.Name, s.Where)
		f.add(Warning, "kind", "it has the label "+victims.OptIn+", and no "+s.Kind+" can opt in: want it on a Deployment, StatefulSet or DaemonSet")
	}
	for _, h := range o.Hypotheses {
		f.at(h.Namespace+"/Hypothesis/"+h.Name, h.Where)
		f.once()
		if problem := l.Beliefs.Problem(h.Hypothesis); problem != "" {
			f.add(Error, "hypothesis", problem)
		}
	}
	slices.SortStableFunc(f.list, func(a, b Finding) int { return cmp.Compare(a.Object, b.Object) })
	return f.list
}

func metadata(m meta.ObjectMeta) victims.Metadata {
	return victims.Metadata{Labels: m.Labels, Annotations: m.Annotations}
}

// hasTerms tells whether the owner of a workload wrote terms on it.
func hasTerms(m victims.Metadata) bool {
	return slices.ContainsFunc(victims.Keys, func(k victims.Key) bool {
		return k.Name != victims.Enabled && k.Name != victims.Notify && victims.Origin(k.Name, m, victims.Metadata{}) != ""
	})
}

// findings are what is found, of one object after another.
type findings struct {
	object, where string
	list          []Finding
	seen          map[string]string // where each object was first
}

func (f *findings) at(object, where string) { f.object, f.where = object, where }

func (f *findings) add(s Severity, check, message string) {
	f.list = append(f.list, Finding{s, check, f.object, f.where, message})
}

// once looks whether the object is in the files a second time.
func (f *findings) once() {
	if first, there := f.seen[f.object]; there {
		f.add(Error, "file", fmt.Sprintf("it is in %s too: want it once", first))
		return
	}
	f.seen[f.object] = f.where
}

// keys tells of what an object has under Caprice's prefix that is none of its keys, whether the object is opted in or not. It tells
// whether there is any.
func (f *findings) keys(m victims.Metadata) (wrong bool) {
	for _, err := range m.WrongKeys() {
		f.add(Error, "key", err.Error())
		wrong = true
	}
	return wrong
}

// workload looks at one that is opted in.
func (f *findings) workload(w kubernetes.WorkloadObject, terms victims.Terms) {
	switch {
	case w.Replicas == nil:
	case w.Assumed && terms.MinReplicas > 1:
		f.add(Warning, "replicas", fmt.Sprintf("it does not say how many replicas it wants, and its terms ask for at least %d: unless an autoscaler makes it as many, each kill will be vetoed", terms.MinReplicas))
	case int(*w.Replicas) < terms.MinReplicas:
		f.add(Warning, "replicas", fmt.Sprintf("it wants %d replicas, and its terms ask for at least %d: each kill will be vetoed", *w.Replicas, terms.MinReplicas))
	case *w.Replicas == 1:
		f.add(Warning, "replicas", "it has a single replica: each kill is an outage; want 2 or more")
	}
	for _, c := range w.Template.Spec.Containers {
		if c.ReadinessProbe == nil {
			f.add(Warning, "readiness", fmt.Sprintf("container %s has no readinessProbe: it counts as recovered as soon as it runs", c.Name))
		}
	}
}

// recovery looks whether a workload can be whole again by its own spec in the time that its owner gives it: a pod that dies may take
// its grace period to go, and the one in its place counts as available only after minReadySeconds. That of a Deployment comes at once,
// and that of others when the dead one is gone.
func (f *findings) recovery(w kubernetes.WorkloadObject, terms victims.Terms) {
	grace := cmp.Or(time.Duration(terms.Grace), kubernetes.Stops(w.Template))
	minReady := time.Duration(w.MinReady) * time.Second
	least := grace + minReady
	if w.Kind == victims.Deployment {
		least = max(grace, minReady)
	}
	if deadline := time.Duration(terms.Deadline); deadline > 0 && least >= deadline {
		f.add(Warning, "recovery", fmt.Sprintf("its pods may take %s to stop, and %s of being Ready to count as available, and it has %s to be whole again: want more by %s%s, or its kills end as NotRecovered",
			grace, minReady, deadline, victims.Prefix, victims.Heal))
	}
}
