package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"slices"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/pager"

	"caprice/victims"
)

// Inventory reads the namespaces of the scope and the workloads in them that are opted in or out, once and by metadata
// alone. Discovery keeps up with the same.
func (c *Client) Inventory(ctx context.Context, scope Scope) (Inventory, error) {
	m := Inventory{namespaces: map[string]victims.Metadata{}}
	within := scope.within()
	if scope.Confined() {
		for _, name := range within {
			o, err := c.metadata.Resource(namespaces).Get(ctx, name, meta.GetOptions{})
			if err != nil {
				return m, fmt.Errorf("reading namespace %s: %w", name, err)
			}
			m.namespaces[name] = metadataOf(o)
		}
	} else if err := c.list(ctx, namespaces, meta.NamespaceAll, "", func(o *meta.PartialObjectMetadata) {
		m.namespaces[o.Name] = metadataOf(o)
	}); err != nil {
		return m, err
	}
	for _, kind := range victims.Kinds {
		add := func(o *meta.PartialObjectMetadata) {
			w := victims.Workload{Kind: kind, Namespace: o.Namespace, Name: o.Name, UID: string(o.UID)}
			m.workloads = append(m.workloads, manifest{Workload: w, Metadata: metadataOf(o)})
		}
		for _, namespace := range within {
			if err := c.list(ctx, resources[kind], namespace, labelled, add); err != nil {
				return m, err
			}
		}
		for _, namespace := range slices.Sorted(maps.Keys(m.namespaces)) {
			if !scope.Contains(namespace) || m.namespaces[namespace].Labels[labelled] != "true" {
				continue
			}
			if err := c.list(ctx, resources[kind], namespace, unlabelled, add); err != nil {
				return m, err
			}
		}
	}
	return m, nil
}

// list calls each for the metadata of all objects of a namespace, or of all, that a selector takes, page by page.
func (c *Client) list(ctx context.Context, resource schema.GroupVersionResource, namespace, selector string, each func(*meta.PartialObjectMetadata)) error {
	page := func(ctx context.Context, options meta.ListOptions) (runtime.Object, error) {
		return c.metadata.Resource(resource).Namespace(namespace).List(ctx, options)
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
