package manifests

import (
	"slices"
	"strings"
	"testing"

	"caprice/victims"
)

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
