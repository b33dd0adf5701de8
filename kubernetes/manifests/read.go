// Package manifests reads from files what the kubernetes package reads from a cluster.
package manifests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"

	yamlv3 "go.yaml.in/yaml/v3"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/yaml"

	"caprice/api/v1alpha1"
	"caprice/kubernetes"
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
	text := d.text
	if !d.json {
		var whole any
		err := yamlv3.Unmarshal(text, &whole) // it refuses a key that is there twice, and the other takes the last
		if err == nil {
			text, err = yaml.YAMLToJSON(text)
		}
		var several *yamlv3.TypeError
		if errors.As(err, &several) {
			return errors.New(strings.Join(several.Errors, "; "))
		}
		if err != nil {
			return err
		}
	}
	switch {
	case string(text) == "null":
		return nil
	case !bytes.HasPrefix(text, []byte("{")):
		return fmt.Errorf("%.40s is no object: want one with the texts apiVersion and kind", text)
	}
	return r.decode(text)
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
			return fmt.Errorf("%w: want the fields that docs/crds.md has", errors.Join(unknown.Errors()...))
		}
	}
	if !apimeta.IsListType(object) {
		return r.objects.Add(object, r.where, r.namespace)
	}
	items, err := apimeta.ExtractList(object)
	if err != nil {
		return err
	}
	var wrongs []string
	for i, item := range items {
		if unknown, is := item.(*runtime.Unknown); !is {
			err = r.objects.Add(item, r.where, r.namespace)
		} else if err = nil; string(unknown.Raw) != "null" {
			err = r.decode(unknown.Raw)
		}
		if err != nil {
			wrongs = append(wrongs, fmt.Sprintf("item %d: %v", i+1, err)) // of which none is ErrNoKind: a list has nothing else
		}
	}
	if len(wrongs) > 0 {
		return errors.New(strings.Join(wrongs, "; "))
	}
	return nil
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
