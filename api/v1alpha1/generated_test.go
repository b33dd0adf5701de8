package v1alpha1

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The deep copies and the chart's CRDs are made from the types: make generate writes them. The test reads the sources itself,
// or go test would not see that they have changed.
func TestWhatIsGeneratedIsCurrent(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		if _, err := os.ReadFile(source); err != nil {
			t.Fatal(err)
		}
	}
	fresh := t.TempDir()
	generate := exec.Command("go", "tool", "-modfile=tools/go.mod", "controller-gen", "object", "crd", "paths=./api/...",
		"output:object:dir="+fresh, "output:crd:dir="+filepath.Join(fresh, "crds"))
	generate.Dir = "../.."
	generate.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("controller-gen: %v\n%s", err, out)
	}
	for want, have := range map[string]string{
		filepath.Join(fresh, "zz_generated.*"): "zz_generated.*",
		filepath.Join(fresh, "crds", "*"):      "../../helm/caprice/files/crds/*",
	} {
		if got, made := read(t, have), read(t, want); !bytes.Equal(got, made) || len(made) == 0 {
			t.Errorf("%s is not what controller-gen makes of the types: make generate writes it", have)
		}
	}
}

// read returns the names and texts of the files that match.
func read(t *testing.T, pattern string) []byte {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(append(all, filepath.Base(path)...), text...)
	}
	return all
}
