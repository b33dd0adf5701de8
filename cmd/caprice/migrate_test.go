package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"caprice/test/lab"
)

// Whatever configuration of the story is translated, the chart takes what comes of it.
func TestTheChartTakesWhateverIsTranslated(t *testing.T) {
	story, err := txtar.ParseFile("testdata/migrate.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir, translated := t.TempDir(), 0
	for _, f := range story.Files {
		if !strings.HasSuffix(f.Name, ".toml") {
			continue
		}
		config, values := filepath.Join(dir, f.Name), filepath.Join(dir, f.Name+".yaml")
		if err := os.WriteFile(config, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
		var stdout bytes.Buffer
		if (migrateOptions{config: config, part: theValues}).run(t.Context(), nil, &stdout, nil) != nil {
			continue // the story says why
		}
		translated++
		if err := os.WriteFile(values, stdout.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := lab.HelmCommand(t.Context(), "", dir, "template", "helm/caprice", "-n", "caprice", "-f", values).CombinedOutput(); err != nil {
			t.Errorf("%s: the chart takes no\n%s%v: %s", f.Name, stdout.Bytes(), err, out)
		}
	}
	if translated < 5 {
		t.Errorf("%d configurations are translated, want 5 at least", translated)
	}
}
