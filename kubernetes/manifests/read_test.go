package manifests

import (
	"slices"
	"strings"
	"testing"

	"caprice/victims"
)

// Of a key that is there twice a decoder takes the last, and a reader the one that is seen.
func TestAKeyThatIsThereTwiceIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"caprice.chaos/enabled": "false", "caprice.chaos/enabled": "true"}}}`:    `standard input, document 1: duplicate field "metadata.labels.caprice.chaos/enabled"`,
		`{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "kind": "Pod", "kind": "Secret"}]}`: `standard input, document 1: duplicate field "items[0].kind"`,
		"kind: Deployment\napiVersion: apps/v1\nmetadata:\n  name: web\nkind: Pod\nmetadata: {}":                                                                         `standard input, document 1: line 5: mapping key "kind" already defined at line 1; line 6: mapping key "metadata" already defined at line 3`,
	} {
		o, broken, err := Read([]string{"-"}, strings.NewReader(text), "shop")
		if err != nil || len(broken) != 1 || broken[0].Error() != want || len(o.Workloads) > 0 {
			t.Errorf("%s:\n%v, %v, want %s", text, broken, err, want)
		}
	}
}

// Whatever is in a file, reading it ends well, or with an error of one line that says where; and each workload has a name.
func FuzzManifests(f *testing.F) {
	for _, text := range []string{
		"", "---\n---\n", "a: [", "text", "{}{", "- 1", "kind: [List]", "&a\napiVersion: v1\nkind: List\nitems: [*a]", "%YAML 1.2\n---\nkind: List",
		"apiVersion: v1\nkind: List\nitems:\n- &a {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}\n- *a",
		"apiVersion: apps/v1\nkind: DeploymentList\nitems: [{metadata: {name: a}}, null, 3]",
		`{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "labels": {"caprice.chaos/enabled": true}}}`,
		`{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "a"}, "spec": {"replicas": 3}}{"kind": null}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, broken, err := Read([]string{"-"}, strings.NewReader(text), "shop")
		if err != nil {
			if !strings.Contains(err.Error(), "standard input, document ") && err.Error() != "standard input: want a YAML or JSON document in it, there is none" {
				t.Errorf("error = %q, want the document in it", err)
			}
			return
		}
		for _, err := range broken {
			if !strings.HasPrefix(err.Error(), "standard input, document ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error = %q, want one line that begins with the document", err)
			}
		}
		for _, w := range o.Workloads {
			if !slices.Contains(victims.Kinds, w.Kind) || w.Name == "" || w.Namespace == "" {
				t.Errorf("%q is no workload", w.Workload)
			}
		}
	})
}
