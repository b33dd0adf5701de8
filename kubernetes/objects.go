package kubernetes

import (
	"context"
	"fmt"
	"reflect"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"

	"caprice/api/v1alpha1"
	"caprice/victims"
)

// Objects are workloads and what matters to them, whole, as files or a cluster have them.
type Objects struct {
	Workloads  []WorkloadObject
	Namespaces []NamespaceObject
	Budgets    []policy.PodDisruptionBudget
	Hypotheses []HypothesisObject // of files alone: in a cluster each says itself whether it can work
	Strangers  []Stranger         // of files alone
}

// Stranger is an object that has pods and the label that opts in, and is of a kind that cannot.
type Stranger struct {
	Namespace, Kind, Name string
	Where                 string // it was read
}

// NamespaceObject is a namespace with all that its owner wrote.
type NamespaceObject struct {
	Name  string
	Meta  meta.ObjectMeta
	Where string // it was read; empty: in the cluster
}

// HypothesisObject is a hypothesis that a file has.
type HypothesisObject struct {
	*v1alpha1.Hypothesis
	Where string // it was read
}

// WorkloadObject is a workload with all that its owner wrote.
type WorkloadObject struct {
	victims.Workload
	Meta     meta.ObjectMeta
	Replicas *int32 // nil: as many as there are nodes
	Assumed  bool   // that is what the API server makes of none, where no autoscaler makes it more
	Selector *meta.LabelSelector
	Template core.PodTemplateSpec
	MinReady int32  // seconds for which a pod is Ready before it counts as available
	Where    string // it was read; empty: in the cluster
}

// Add keeps an object if its kind matters. What names no namespace gets the given one. An error says that it has no name.
func (o *Objects) Add(object runtime.Object, where, namespace string) error {
	var m *meta.ObjectMeta
	var keep func()
	workload := func(kind victims.Kind, replicas *int32, selector *meta.LabelSelector, template core.PodTemplateSpec, minReady int32) func() {
		return func() {
			w := victims.Workload{Kind: kind, Namespace: m.Namespace, Name: m.Name}
			assumed := kind != victims.DaemonSet && replicas == nil
			if assumed {
				replicas = new(int32(1))
			}
			o.Workloads = append(o.Workloads, WorkloadObject{w, *m, replicas, assumed, selector, template, minReady, where})
		}
	}
	switch x := object.(type) {
	case *core.Namespace:
		m, keep = &x.ObjectMeta, func() { o.Namespaces = append(o.Namespaces, NamespaceObject{x.Name, *m, where}) }
	case *policy.PodDisruptionBudget:
		m, keep = &x.ObjectMeta, func() { o.Budgets = append(o.Budgets, *x) }
	case *v1alpha1.Hypothesis:
		m, keep = &x.ObjectMeta, func() { o.Hypotheses = append(o.Hypotheses, HypothesisObject{x, where}) }
	case *apps.Deployment:
		m, keep = &x.ObjectMeta, workload(victims.Deployment, x.Spec.Replicas, x.Spec.Selector, x.Spec.Template, x.Spec.MinReadySeconds)
	case *apps.StatefulSet:
		m, keep = &x.ObjectMeta, workload(victims.StatefulSet, x.Spec.Replicas, x.Spec.Selector, x.Spec.Template, x.Spec.MinReadySeconds)
	case *apps.DaemonSet:
		m, keep = &x.ObjectMeta, workload(victims.DaemonSet, nil, x.Spec.Selector, x.Spec.Template, x.Spec.MinReadySeconds)
	default:
		return nil
	}
	if m.Name == "" {
		return fmt.Errorf("%s without a name: want metadata.name", reflect.TypeOf(object).Elem().Name())
	}
	if m.Namespace == "" {
		m.Namespace = namespace
	}
	for _, is := range []struct{ field, name string }{{"metadata.name", m.Name}, {"metadata.namespace", m.Namespace}} {
		if is.name != "" && len(validation.IsDNS1123Subdomain(is.name)) > 0 {
			return fmt.Errorf("%s %q: want small letters, digits, dashes and dots, as in web-1", is.field, is.name)
		}
	}
	keep()
	return nil
}

// Objects reads those of a namespace; of none, those of all.
func (c *Client) Objects(ctx context.Context, namespace string) (o Objects, err error) {
	all := meta.ListOptions{}
	spaces := func() (runtime.Object, error) { return c.groups.namespaces().List(ctx, all) }
	if namespace != meta.NamespaceAll {
		spaces = func() (runtime.Object, error) {
			one, err := c.groups.namespaces().Get(ctx, namespace, meta.GetOptions{})
			if err != nil {
				return nil, err
			}
			return &core.NamespaceList{Items: []core.Namespace{*one}}, nil
		}
	}
	for _, list := range []func() (runtime.Object, error){
		spaces,
		func() (runtime.Object, error) { return c.groups.deployments(namespace).List(ctx, all) },
		func() (runtime.Object, error) { return c.groups.statefulSets(namespace).List(ctx, all) },
		func() (runtime.Object, error) { return c.groups.daemonSets(namespace).List(ctx, all) },
		func() (runtime.Object, error) { return c.groups.budgets(namespace).List(ctx, all) },
	} {
		objects, err := list()
		if err != nil {
			return o, Plain(err)
		}
		if err := apimeta.EachListItem(objects, func(item runtime.Object) error { return o.Add(item, "", "") }); err != nil {
			return o, err
		}
	}
	return o, nil
}
