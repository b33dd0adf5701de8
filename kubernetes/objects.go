package kubernetes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/yaml"

	"caprice/api/v1alpha1"
	"caprice/victims"
)

// Objects are workloads and what matters to them, whole, as files or a cluster have them.
type Objects struct {
	Workloads  []Whole
	Namespaces []core.Namespace
	Budgets    []policy.PodDisruptionBudget
	Hypotheses []Believed // of files alone: in a cluster each says itself whether it can work
}

// Believed is a hypothesis that a file has.
type Believed struct {
	*v1alpha1.Hypothesis
	Where string // it was read
}

// Whole is a workload with all that its owner wrote.
type Whole struct {
	victims.Workload
	Meta     meta.ObjectMeta
	Replicas *int32 // nil: as many as there are nodes
	Selector *meta.LabelSelector
	Template core.PodTemplateSpec
	Where    string // it was read; empty: in the cluster
}

// ReadObjects reads YAML and JSON from files, folders and standard input where a path is "-". What names no namespace gets
// the given one. Kinds that do not matter are skipped; documents that cannot be read are errors, each with file and number.
func ReadObjects(paths []string, stdin io.Reader, namespace string) (o Objects, broken []error, err error) {
	documents, err := readDocuments(paths, stdin)
	if err != nil {
		return o, nil, err
	}
	for _, d := range documents {
		if err := o.read(d, namespace); err != nil {
			broken = append(broken, fmt.Errorf("%s: %w", d.where, err))
		}
	}
	return o, broken, nil
}

func (o *Objects) read(d document, namespace string) error {
	text, err := yaml.YAMLToJSON(d.text)
	if err != nil || string(text) == "null" {
		return err
	}
	return o.decode(text, d.where, namespace)
}

// strict refuses fields that there are not.
var strict = serializer.NewCodecFactory(scheme, serializer.EnableStrict)

func (o *Objects) decode(text []byte, where, namespace string) error {
	object, _, err := codecs.UniversalDeserializer().Decode(text, nil, nil)
	switch {
	case !bytes.HasPrefix(text, []byte("{")):
		return errors.New("want an object with the texts apiVersion and kind")
	case runtime.IsNotRegisteredError(err):
		return nil
	case runtime.IsMissingKind(err), runtime.IsMissingVersion(err):
		return errors.New("want an object with the texts apiVersion and kind")
	case err != nil && strings.Contains(err.Error(), "of type string"):
		return fmt.Errorf("%w: %w", oneLine(err), errUnquoted)
	case err != nil:
		return oneLine(err)
	}
	switch object.(type) {
	case *v1alpha1.Hypothesis, *v1alpha1.HypothesisList:
		_, _, err := strict.UniversalDeserializer().Decode(text, nil, nil)
		if unknown, is := runtime.AsStrictDecodingError(err); is {
			return fmt.Errorf("%w: want the fields that docs/crds.md has", errors.Join(unknown.Errors()...))
		}
	}
	if !apimeta.IsListType(object) {
		o.add(object, where, namespace)
		return nil
	}
	items, err := apimeta.ExtractList(object)
	if err != nil {
		return err
	}
	for _, item := range items {
		if unknown, ok := item.(*runtime.Unknown); ok {
			if err := o.decode(unknown.Raw, where, namespace); err != nil {
				return err
			}
			continue
		}
		o.add(item, where, namespace)
	}
	return nil
}

// add keeps what matters.
func (o *Objects) add(object runtime.Object, where, namespace string) {
	w := Whole{Where: where}
	switch x := object.(type) {
	case *core.Namespace:
		o.Namespaces = append(o.Namespaces, *x)
		return
	case *policy.PodDisruptionBudget:
		if x.Namespace == "" {
			x.Namespace = namespace
		}
		o.Budgets = append(o.Budgets, *x)
		return
	case *v1alpha1.Hypothesis:
		if x.Namespace == "" {
			x.Namespace = namespace
		}
		o.Hypotheses = append(o.Hypotheses, Believed{x, where})
		return
	case *apps.Deployment:
		w.Kind, w.Meta, w.Replicas, w.Selector, w.Template = victims.Deployment, x.ObjectMeta, one(x.Spec.Replicas), x.Spec.Selector, x.Spec.Template
	case *apps.StatefulSet:
		w.Kind, w.Meta, w.Replicas, w.Selector, w.Template = victims.StatefulSet, x.ObjectMeta, one(x.Spec.Replicas), x.Spec.Selector, x.Spec.Template
	case *apps.DaemonSet:
		w.Kind, w.Meta, w.Selector, w.Template = victims.DaemonSet, x.ObjectMeta, x.Spec.Selector, x.Spec.Template
	default:
		return
	}
	if w.Meta.Namespace == "" {
		w.Meta.Namespace = namespace
	}
	w.Namespace, w.Name = w.Meta.Namespace, w.Meta.Name
	o.Workloads = append(o.Workloads, w)
}

// one is what the API server makes of replicas that are not there.
func one(replicas *int32) *int32 {
	if replicas == nil {
		return new(int32(1))
	}
	return replicas
}

// Objects reads those of a namespace; of none, those of all.
func (c *Client) Objects(ctx context.Context, namespace string) (o Objects, err error) {
	if namespace == meta.NamespaceAll {
		list, err := c.groups.namespaces().List(ctx, meta.ListOptions{})
		if err != nil {
			return o, Plain(err)
		}
		o.Namespaces = list.Items
	} else {
		one, err := c.groups.namespaces().Get(ctx, namespace, meta.GetOptions{})
		if err != nil {
			return o, Plain(err)
		}
		o.Namespaces = []core.Namespace{*one}
	}
	for _, list := range []func() (runtime.Object, error){
		func() (runtime.Object, error) {
			return c.groups.deployments(namespace).List(ctx, meta.ListOptions{})
		},
		func() (runtime.Object, error) {
			return c.groups.statefulSets(namespace).List(ctx, meta.ListOptions{})
		},
		func() (runtime.Object, error) {
			return c.groups.daemonSets(namespace).List(ctx, meta.ListOptions{})
		},
		func() (runtime.Object, error) {
			return c.groups.budgets(namespace).List(ctx, meta.ListOptions{})
		},
	} {
		objects, err := list()
		if err != nil {
			return o, Plain(err)
		}
		if err := apimeta.EachListItem(objects, func(item runtime.Object) error { o.add(item, "", ""); return nil }); err != nil {
			return o, err
		}
	}
	return o, nil
}
