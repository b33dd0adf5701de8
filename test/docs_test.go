package test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"caprice/test/lab"
)

// pages are what people read, by their paths in the source tree.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	root := os.DirFS(lab.Root())
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == "build" || path == ".git"):
			return fs.SkipDir
		}
		if filepath.Ext(path) == ".md" {
			text, err := fs.ReadFile(root, path)
			all[path] = string(text)
			return err
		}
		return nil
	})
	if err != nil || len(all) < 15 {
		t.Fatalf("%d pages, %v", len(all), err)
	}
	return all
}

var (
	links    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headings = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noAnchor = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchors are those that a page's headings have.
func anchors(page string) map[string]bool {
	all := map[string]bool{}
	for _, heading := range headings.FindAllStringSubmatch(page, -1) {
		all[strings.ReplaceAll(noAnchor.ReplaceAllString(strings.ToLower(heading[1]), ""), " ", "-")] = true
	}
	return all
}

func TestEachLinkLeadsSomewhere(t *testing.T) {
	all, followed, linked := pages(t), 0, map[string]bool{}
	for path, text := range all {
		for _, link := range links.FindAllStringSubmatch(text, -1) {
			to, anchor, _ := strings.Cut(link[1], "#")
			if strings.Contains(to, "://") {
				continue
			}
			followed++
			target := path
			if to != "" {
				target = filepath.Join(filepath.Dir(path), to)
				linked[target] = true
			}
			if _, err := os.Stat(filepath.Join(lab.Root(), target)); err != nil {
				t.Errorf("%s: the link %s leads nowhere", path, link[1])
			} else if anchor != "" && !anchors(all[target])[anchor] {
				t.Errorf("%s: the link %s leads to no heading of %s", path, link[1], target)
			}
		}
	}
	for path := range all {
		if strings.HasPrefix(path, "docs/") && !linked[path] {
			t.Errorf("no page has a link to %s", path)
		}
	}
	if followed < 20 {
		t.Errorf("%d links, want at least 20", followed)
	}
}

func TestEachTestThatAPageNamesIsThere(t *testing.T) {
	tests := map[string]bool{}
	err := filepath.WalkDir(lab.Root(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, found := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
			tests[string(found[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for path, text := range pages(t) {
		for _, name := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(text, -1) {
			if named++; !tests[name[1]] {
				t.Errorf("%s names %s, which is no test", path, name[1])
			}
		}
	}
	if named < 20 {
		t.Errorf("pages name %d tests, want at least 20", named)
	}
}
