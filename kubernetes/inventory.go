package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/pager"

	"caprice/chaos"
	"caprice/victims"
)

// Inventory is what files or a cluster say of workloads and namespaces.
type Inventory struct {
	workloads  []listed // in the order in which they were read
	namespaces map[string]victims.Metadata
}

// listed is a workload, and what Caprice reads of it.
type listed struct {
	victims.Workload
	victims.Metadata
	replicas *int32 // nil: nobody has said
}

// Inventory returns what the objects of files say. Their workloads have no UID; what stands in for it is namespace/Kind/name.
// An error names an object that is there twice, which may mean two things, and where.
func (o Objects) Inventory() (Inventory, error) {
	m := Inventory{namespaces: map[string]victims.Metadata{}}
	seen := map[string]string{}
	once := func(object, where string) error {
		if first, ok := seen[object]; ok {
			return fmt.Errorf("%s is in %s and again in %s: want it once", object, first, where)
		}
		seen[object] = where
		return nil
	}
	for _, n := range o.Namespaces {
		if err := once("Namespace "+n.Name, n.Where); err != nil {
			return m, err
		}
		m.namespaces[n.Name] = metadataOf(&n.Meta)
	}
	for _, w := range o.Workloads {
		if err := once(w.Workload.String(), w.Where); err != nil {
			return m, err
		}
		w.UID = w.Workload.String()
		m.workloads = append(m.workloads, listed{w.Workload, metadataOf(&w.Meta), w.Replicas})
	}
	return m, nil
}

// Inventory reads the namespaces of the scope and the workloads in them that are opted in or out, once and by metadata
// alone. Discovery keeps up with the same.
func (c *Client) Inventory(ctx context.Context, scope Scope) (Inventory, error) {
	m := Inventory{namespaces: map[string]victims.Metadata{}}
	within := scope.Within()
	if scope.Confined() {
		for _, name := range within {
			o, err := c.getMetadata(ctx, namespaces, "", name)
			if err != nil {
				return m, fmt.Errorf("reading namespace %s: %w", name, err)
			}
			m.namespaces[name] = metadataOf(o)
		}
	} else if err := c.ListMetadata(ctx, namespaces, meta.NamespaceAll, "", func(o *meta.PartialObjectMetadata) {
		m.namespaces[o.Name] = metadataOf(o)
	}); err != nil {
		return m, err
	}
	for _, kind := range victims.Kinds {
		add := func(o *meta.PartialObjectMetadata) {
			w := victims.Workload{Kind: kind, Namespace: o.Namespace, Name: o.Name, UID: string(o.UID)}
			m.workloads = append(m.workloads, listed{Workload: w, Metadata: metadataOf(o)})
		}
		for _, namespace := range within {
			if err := c.ListMetadata(ctx, resources[kind], namespace, labelled, add); err != nil {
				return m, err
			}
		}
		for _, namespace := range slices.Sorted(maps.Keys(m.namespaces)) {
			if !scope.Contains(namespace) || m.namespaces[namespace].Labels[victims.OptIn] != "true" {
				continue
			}
			if err := c.ListMetadata(ctx, resources[kind], namespace, unlabelled, add); err != nil {
				return m, err
			}
		}
	}
	return m, nil
}

// getMetadata reads the metadata of one object; namespace is empty for one that is in none.
func (c *Client) getMetadata(ctx context.Context, resource schema.GroupVersionResource, namespace, name string) (*meta.PartialObjectMetadata, error) {
	o, err := c.metadata.Resource(resource).Namespace(namespace).Get(ctx, name, meta.GetOptions{})
	if err == nil {
		err = doubt(o, nil)
	}
	return o, err
}

// metadataList reads the metadata of objects, in one page.
func (c *Client) metadataList(ctx context.Context, resource schema.GroupVersionResource, namespace string, o meta.ListOptions) (*meta.PartialObjectMetadataList, error) {
	list, err := c.metadata.Resource(resource).Namespace(namespace).List(ctx, o)
	if err == nil {
		err = doubt(list, nil)
	}
	return list, err
}

// ListMetadata calls each for the metadata of all objects of a namespace, or of all, that a selector takes, page by page.
func (c *Client) ListMetadata(ctx context.Context, resource schema.GroupVersionResource, namespace, selector string, each func(*meta.PartialObjectMetadata)) error {
	page := func(ctx context.Context, options meta.ListOptions) (runtime.Object, error) {
		return c.metadataList(ctx, resource, namespace, options)
	}
	pages := pager.ListPager{PageFn: page, PageSize: 500}
	err := pages.EachListItem(ctx, meta.ListOptions{LabelSelector: selector}, func(o runtime.Object) error {
		each(o.(*meta.PartialObjectMetadata))
		return nil
	})
	if err != nil {
		return fmt.Errorf("listing %s: %w", resource.Resource, err)
	}
	return nil
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
		terms, err := ReadTerms(w.Metadata, m.namespaces[w.Namespace], defaults, from)
		switch {
		case errors.Is(err, victims.ErrOptedOut):
			continue
		case err != nil:
			remarks = append(remarks, fmt.Errorf("%s is left out: %w", w.Workload, err))
			continue
		}
		if w.replicas != nil && int(*w.replicas) < terms.MinReplicas {
			few = append(few, w.Workload.String())
		}
		subjects = append(subjects, chaos.Subject{Workload: w.Workload, Terms: terms})
	}
	if n := len(few); n > 0 {
		remarks = append(remarks, fmt.Errorf("%s: too few replicas for the minimum in the terms, so that each kill would be vetoed", Several(few)))
	}
	return subjects, remarks
}
