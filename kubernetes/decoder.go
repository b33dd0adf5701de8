package kubernetes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"caprice/victims"
)

// manifest is one workload or Namespace as a file describes it.
type manifest struct {
	victims.Workload
	victims.Metadata
	replicas *int   // nil where the file does not say, as for a DaemonSet
	where    string // it was read
}

const namespaceKind = victims.Kind("Namespace")

// String returns what people call it.
func (m manifest) String() string {
	if m.Kind == namespaceKind {
		return "Namespace " + m.Name
	}
	return m.Workload.String()
}

// readObjects decodes documents on all processors, and returns what Caprice knows among them, in order. The error is that
// of the first document that is wrong.
func readObjects(documents []document) ([]manifest, error) {
	found, errs := make([][]manifest, len(documents)), make([]error, len(documents))
	workers := runtime.GOMAXPROCS(0)
	var reading sync.WaitGroup
	for worker := range workers {
		reading.Go(func() {
			for i := worker; i < len(documents); i += workers {
				found[i], errs[i] = documents[i].read()
			}
		})
	}
	reading.Wait()
	var all []manifest
	for i, list := range found {
		if errs[i] != nil {
			return nil, fmt.Errorf("%s: %w", documents[i].where, errs[i])
		}
		for _, m := range list {
			m.where = documents[i].where
			all = append(all, m)
		}
	}
	return all, nil
}

func (d document) read() ([]manifest, error) {
	var decode decoder
	unmarshal := yaml.Unmarshal
	if d.json {
		unmarshal = json.Unmarshal
	}
	if err := unmarshal(d.text, &decode); err != nil {
		return nil, oneLine(err)
	}
	if decode == nil {
		return nil, nil // empty
	}
	return decode.read()
}

// oneLine has the errors of YAML, which may be several lines, in one.
func oneLine(err error) error {
	var several *yaml.TypeError
	if errors.As(err, &several) {
		return errors.New(strings.Join(several.Errors, "; "))
	}
	return err
}

// decoder reads one value of a YAML or JSON document into a Go value, as often as one likes.
type decoder func(into any) error

// UnmarshalJSON puts off reading.
func (d *decoder) UnmarshalJSON(b []byte) error {
	b = bytes.Clone(b)
	*d = func(into any) error { return json.Unmarshal(b, into) }
	return nil
}

// UnmarshalYAML puts off reading.
func (d *decoder) UnmarshalYAML(n *yaml.Node) error {
	*d = func(into any) error { return oneLine(n.Decode(into)) }
	return nil
}

// head is what tells the kind of an object.
type head struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
}

func (h head) known() bool {
	resource, isWorkload := resources[victims.Kind(h.Kind)]
	return isWorkload && h.APIVersion == resource.GroupVersion().String() ||
		h.Kind == string(namespaceKind) && h.APIVersion == namespaces.GroupVersion().String()
}

// items returns what the items of a list are that do not say it themselves; of a list of anything they have to.
func (h head) items() (item head, isList bool) {
	kind, isList := strings.CutSuffix(h.Kind, "List")
	item = head{h.APIVersion, kind}
	return item, isList && (kind == "" || item.known())
}

// head reads the kind of an object, which may be silent about it in a list of one kind.
func (d decoder) head(otherwise head) (head, error) {
	h := otherwise
	if err := d(&h); err != nil {
		return h, errors.New("want an object with the texts apiVersion and kind")
	}
	return h, nil
}

// read returns the objects that Caprice knows: one, those of a list, or none.
func (d decoder) read() (found []manifest, err error) {
	h, err := d.head(head{})
	if err != nil {
		return nil, err
	}
	item, isList := h.items()
	if !isList {
		return d.readObject(h)
	}
	var list struct{ Items []decoder }
	if err := d(&list); err != nil {
		return nil, err
	}
	for i, decode := range list.Items {
		objects, err := decode.readItem(item)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i+1, err)
		}
		found = append(found, objects...)
	}
	return found, nil
}

func (d decoder) readItem(otherwise head) ([]manifest, error) {
	if d == nil {
		return nil, nil // empty
	}
	h, err := d.head(otherwise)
	if err != nil {
		return nil, err
	}
	if _, isList := h.items(); isList {
		return nil, fmt.Errorf("%s in a list: want its items instead", h.Kind) // in YAML a list may have itself as an item
	}
	return d.readObject(h)
}

// readObject returns the object, or none if Caprice does not know its kind.
func (d decoder) readObject(h head) ([]manifest, error) {
	if !h.known() {
		return nil, nil
	}
	kind := victims.Kind(h.Kind)
	var o struct {
		Metadata struct {
			Name, Namespace     string
			Labels, Annotations map[string]text
		}
		Spec struct{ Replicas *int }
	}
	if err := d(&o); err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	if o.Metadata.Name == "" {
		return nil, fmt.Errorf("%s without a name: want metadata.name", kind)
	}
	return []manifest{{
		Workload: victims.Workload{Kind: kind, Namespace: o.Metadata.Namespace, Name: o.Metadata.Name},
		Metadata: victims.Metadata{Labels: plain(o.Metadata.Labels), Annotations: plain(o.Metadata.Annotations)},
		replicas: o.Spec.Replicas,
	}}, nil
}

// text is a string that is written as one: true without quotes is none, and the API server refuses it.
type text string

var errUnquoted = errors.New("want it in quotes")

// UnmarshalYAML reads a string.
func (t *text) UnmarshalYAML(n *yaml.Node) error {
	if n.ShortTag() != "!!str" {
		return fmt.Errorf("line %d: %s in labels or annotations is no text: %w", n.Line, n.Value, errUnquoted)
	}
	*t = text(n.Value)
	return nil
}

// UnmarshalJSON reads a string.
func (t *text) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, (*string)(t)); err != nil {
		return fmt.Errorf("%s in labels or annotations is no text: %w", b, errUnquoted)
	}
	return nil
}

// plain keeps what Caprice reads.
func plain(m map[string]text) map[string]string {
	kept := map[string]string{}
	for key, value := range m {
		if strings.HasPrefix(key, victims.Prefix) {
			kept[key] = string(value)
		}
	}
	return kept
}
