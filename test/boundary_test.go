// Package test holds rules over the whole tree.
package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowed is who may import whom. It is read in-process, since go test would cache what a child process says.
var allowed = map[string][]string{
	"api/v1alpha1":           {},
	"calendar":               {},
	"calendar/holidays":      {"calendar"},
	"calendar/ics":           {"calendar"},
	"victims":                {"calendar"},
	"chaos":                  {"calendar", "victims"},
	"kubernetes":             {"api/v1alpha1", "calendar", "victims", "chaos"},
	"kubernetes/election":    {"calendar", "victims", "chaos", "kubernetes"},
	"kubernetes/halts":       {"api/v1alpha1", "victims", "chaos", "kubernetes"},
	"kubernetes/hypotheses":  {"api/v1alpha1", "victims", "chaos", "kubernetes"},
	"kubernetes/lint":        {"victims", "kubernetes", "kubernetes/hypotheses"},
	"kubernetes/manifests":   {"api/v1alpha1", "victims", "kubernetes"},
	"kubernetes/records":     {"api/v1alpha1", "calendar", "victims", "chaos", "kubernetes"},
	"alerts":                 {"victims", "chaos"},
	"probe":                  {"chaos"},
	"report/notify":          {"api/v1alpha1", "calendar", "victims", "chaos"},
	"report":                 {"calendar", "victims", "chaos"},
	"cmd/caprice/kubemonkey": {"calendar", "victims", "kubernetes"},
	"cmd/caprice":            {"api/v1alpha1", "calendar", "calendar/holidays", "calendar/ics", "victims", "chaos", "alerts", "kubernetes", "kubernetes/election", "kubernetes/halts", "kubernetes/hypotheses", "kubernetes/lint", "kubernetes/manifests", "kubernetes/records", "probe", "report", "report/notify", "cmd/caprice/kubemonkey"},
}

func TestEachPackageKnowsOnlyWhomItMay(t *testing.T) {
	for dir, may := range allowed {
		files := 0
		err := filepath.WalkDir(filepath.Join("..", dir), func(path string, entry fs.DirEntry, err error) error {
			if inner := strings.TrimPrefix(path, "../"); inner != dir && allowed[inner] != nil {
				return filepath.SkipDir // a package with a rule of its own
			}
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			files++
			source, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			for _, i := range source.Imports {
				name, err := strconv.Unquote(i.Path.Value)
				if err != nil {
					return err
				}
				ours, ok := strings.CutPrefix(name, "caprice/")
				if ours == "test/lab" && strings.HasSuffix(path, "_test.go") {
					continue // what a test stands its package beside
				}
				if ok && !slices.Contains(may, ours) {
					t.Errorf("%s imports %s; package %s may know %v", path, name, dir, may)
				}
				pure := dir == "calendar" || dir == "victims" || dir == "chaos"
				if pure && !strings.HasSuffix(path, "_test.go") && strings.Contains(strings.Split(name, "/")[0], ".") {
					t.Errorf("%s imports %s; package %s stands on the standard library alone", path, name, dir)
				}
			}
			return nil
		})
		if err != nil || files == 0 {
			t.Errorf("package %s: %d files read, %v", dir, files, err)
		}
	}
}

// What is configured is said by flags and fields: a package that reads the environment itself has a door that nobody sees.
func TestTheCommandAloneReadsTheEnvironment(t *testing.T) {
	packages := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		inner := strings.TrimPrefix(path, "../")
		if entry.IsDir() && (inner == "test" || inner == "tools" || inner == "build" || strings.HasPrefix(entry.Name(), ".") && inner != "..") {
			return filepath.SkipDir
		}
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		packages[filepath.Dir(inner)] = true
		source, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(source, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			of, ok := s.X.(*ast.Ident)
			reads := ok && of.Name == "os" && slices.Contains([]string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}, s.Sel.Name)
			if reads && filepath.Dir(inner) != "cmd/caprice" {
				t.Errorf("%s reads the environment by os.%s: want it of who calls", inner, s.Sel.Name)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for p := range packages {
		if allowed[p] == nil {
			t.Errorf("package %s is not among those of whom it is said whom they may know", p)
		}
	}
	if len(packages) < len(allowed) {
		t.Errorf("%d packages were read, and of %d it is said whom they may know", len(packages), len(allowed))
	}
}

// TestTheProgramKnowsNoTypeThatItDoesNotSpeakOf keeps all of Kubernetes' types out of the program, where they would be a third of
// it and of the memory that it takes: whatever imports client-go's typed clients brings them along, and gentype what fakes are made of. It asks
// a child process, of whose files go test knows nothing: only -count=1 says what holds now.
func TestTheProgramKnowsNoTypeThatItDoesNotSpeakOf(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "caprice/cmd/caprice").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if !slices.Contains(packages, "k8s.io/api/core/v1") {
		t.Errorf("of its %d packages none is k8s.io/api/core/v1", len(packages))
	}
	for _, p := range packages {
		if p == "k8s.io/client-go/kubernetes/scheme" || p == "k8s.io/client-go/testing" || strings.HasPrefix(p, "github.com/google/gnostic-models/") {
			t.Errorf("it knows %s: go list -deps -f '{{.ImportPath}} {{.Imports}}' says who imports it", p)
		}
	}
}
