// Package manifests reads from files what the kubernetes package reads from a cluster.
package manifests

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"

	yamlv3 "go.yaml.in/yaml/v3"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	strictjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"caprice/api/v1alpha1"
	"caprice/kubernetes"
	"caprice/victims"
)

// ErrNoKind says that a document may be anything, values of a chart for instance.
var ErrNoKind = errors.New("want an object with the texts apiVersion and kind")

// Read reads YAML and JSON from files, folders with all that is in them, and standard input where a path is "-". What names no
// namespace gets the given one. Kinds that do not matter are skipped. Each document that the API server would refuse is in
// broken, with file and number. An error is of a path that cannot be read, or that has nothing in it.
func Read(paths []string, stdin io.Reader, namespace string) (o kubernetes.Objects, broken []error, err error) {
	documents, err := readDocuments(paths, stdin)
	if err != nil {
		return o, nil, err
	}
	for _, d := range documents {
		r := reader{&o, d.where, namespace}
		if err := r.read(d); err != nil {
			broken = append(broken, fmt.Errorf("%s: %w", d.where, err))
		}
	}
	return o, broken, nil
}

// reader reads one document.
type reader struct {
	objects          *kubernetes.Objects
	where, namespace string
}

func (r reader) read(d document) error {
	text, err := once(d)
	if err != nil {
		return err
	}
	switch {
	case string(text) == "null":
		return nil
	case !bytes.HasPrefix(text, []byte("{")):
		return fmt.Errorf("%.40s is no object: want one with the texts apiVersion and kind", text)
	}
	return r.decode(text)
}

// once returns a document in JSON. An error says of keys that are there twice as well: decoders take the last.
func once(d document) ([]byte, error) {
	var whole any
	if d.json {
		doubled, err := strictjson.UnmarshalStrict(d.text, &whole, strictjson.DisallowDuplicateFields)
		if object, is := whole.(map[string]any); err == nil && is && object["kind"] != nil && object["apiVersion"] != nil {
			err = inLine(doubled)
		}
		return d.text, err
	}
	var several *yamlv3.TypeError
	switch err := yamlv3.Unmarshal(d.text, &whole); {
	case errors.As(err, &several):
		return nil, errors.New(strings.Join(several.Errors, separator))
	case err != nil:
		return nil, err
	}
	return yaml.YAMLToJSON(d.text)
}

// decoders are of the kinds that matter. The second refuses fields that there are not.
var decoders = sync.OnceValues(func() (runtime.Decoder, runtime.Decoder) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{core.AddToScheme, apps.AddToScheme, policy.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // two types of one name
		}
	}
	return serializer.NewCodecFactory(scheme).UniversalDeserializer(), serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
})

func (r reader) decode(text []byte) error {
	decoder, strict := decoders()
	object, _, err := decoder.Decode(text, nil, nil)
	var wrong *json.UnmarshalTypeError
	switch {
	case runtime.IsNotRegisteredError(err):
		r.meet(text)
		return nil
	case runtime.IsMissingKind(err), runtime.IsMissingVersion(err):
		return ErrNoKind
	case errors.As(err, &wrong):
		return fmt.Errorf("%s%s: want %s, there is a %s", nameIn(text), wrong.Field, wordsFor(wrong.Type), wrong.Value)
	case err != nil && strings.HasPrefix(err.Error(), "parsing time "):
		return fmt.Errorf("%swant times as in 2026-03-02T15:04:05Z: %w", nameIn(text), err)
	case err != nil:
		return fmt.Errorf("%s%w", nameIn(text), err)
	}
	switch object.(type) {
	case *v1alpha1.Hypothesis, *v1alpha1.HypothesisList:
		_, _, err := strict.Decode(text, nil, nil)
		if unknown, is := runtime.AsStrictDecodingError(err); is {
			return fmt.Errorf("%w: want the fields that docs/crds.md has", inLine(unknown.Errors()))
		}
	}
	if !apimeta.IsListType(object) {
		r.meet(text)
		return r.objects.Add(object, r.where, r.namespace)
	}
	items, err := apimeta.ExtractList(object)
	if err != nil {
		return err
	}
	var wrongs []error
	for i, item := range items {
		if unknown, is := item.(*runtime.Unknown); !is {
			err = r.objects.Add(item, r.where, r.namespace)
		} else if err = nil; string(unknown.Raw) != "null" {
			err = r.decode(unknown.Raw)
		}
		if err != nil {
			wrongs = append(wrongs, fmt.Errorf("item %d: %w", i+1, err)) // of which none is ErrNoKind: a list has nothing else
		}
	}
	return inLine(wrongs)
}

// separator is between several errors of one document.
const separator = "; "

// inLine returns several errors as one, in a line; of none, nil.
func inLine(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return errors.New(strings.Join(texts, separator))
}

type podSpec struct{ Containers []struct{} }

type podTemplate struct{ Spec podSpec }

// meet keeps an object that somebody wrote, that has pods and asks for kills, if it is of a kind that cannot opt in. Items of lists of
// one kind alone, which kubectl does not write, it does not see.
func (r reader) meet(text []byte) {
	var o struct {
		Kind     string
		Metadata struct {
			Namespace, Name string
			Labels          map[string]string
			OwnerReferences []struct{ Controller bool }
		}
		Spec struct {
			podSpec
			Template    podTemplate
			JobTemplate struct {
				Spec struct{ Template podTemplate }
			}
		}
	}
	if err := json.Unmarshal(text, &o); err != nil || slices.Contains(victims.Kinds, victims.Kind(o.Kind)) {
		return // what cannot be read so is none of Kubernetes'
	}
	pods := o.Spec.Containers != nil || o.Spec.Template.Spec.Containers != nil || o.Spec.JobTemplate.Spec.Template.Spec.Containers != nil
	owned := slices.ContainsFunc(o.Metadata.OwnerReferences, func(owner struct{ Controller bool }) bool { return owner.Controller })
	if pods && !owned && o.Metadata.Labels[victims.OptIn] == "true" {
		r.objects.Strangers = append(r.objects.Strangers, kubernetes.Stranger{
			Namespace: cmp.Or(o.Metadata.Namespace, r.namespace), Kind: o.Kind, Name: o.Metadata.Name, Where: r.where,
		})
	}
}

// nameIn returns the kind and name of an object that cannot be read, as far as they can.
func nameIn(text []byte) string {
	var o struct {
		Kind     string
		Metadata struct{ Name string }
	}
	if err := json.Unmarshal(text, &o); err != nil || o.Metadata.Name == "" {
		return ""
	}
	return fmt.Sprintf("%s %s: ", o.Kind, o.Metadata.Name)
}

// wordsFor is what people write for a value of a type.
func wordsFor(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text in quotes"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "fields with values"
	default:
		return "a number"
	}
}
