package kubernetes

import (
	"os"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"

	"caprice/victims"
)

// enum returns the words that a field of a CRD may have.
func enum(t *testing.T, file string, path ...string) []string {
	t.Helper()
	b, err := os.ReadFile("../helm/caprice/files/crds/" + file)
	if err != nil {
		t.Fatal(err)
	}
	type schema struct {
		Properties map[string]schema
		Enum       []string
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema schema `yaml:"openAPIV3Schema"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(b, &crd); err != nil {
		t.Fatal(err)
	}
	s := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	for _, field := range path {
		s = s.Properties[field]
	}
	return s.Enum
}

// A word that a record cannot have would be a kill that never happens.
func TestARecordCanHaveEachWord(t *testing.T) {
	kinds := make([]string, len(victims.Kinds))
	for i, k := range victims.Kinds {
		kinds[i] = string(k)
	}
	for _, test := range []struct {
		why        string
		have, want []string
	}{
		{"kinds of a kill", enum(t, "caprice.chaos_kills.yaml", "spec", "workload", "kind"), kinds},
		{"kinds of a halt", enum(t, "caprice.chaos_halts.yaml", "spec", "workload", "kind"), kinds},
		{"modes", enum(t, "caprice.chaos_kills.yaml", "spec", "mode"), []string{string(victims.Fixed), string(victims.FixedPercent), string(victims.RandomMaxPercent), string(victims.KillAll), string(victims.PDB)}},
		{"methods", enum(t, "caprice.chaos_kills.yaml", "spec", "method"), []string{string(victims.Delete), string(victims.Evict)}},
	} {
		if !slices.Equal(test.have, test.want) {
			t.Errorf("%s are %v, want %v", test.why, test.have, test.want)
		}
	}
}
