package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// docs/commands.md is made from the commands: UPDATE_README=1 go test ./cmd/caprice writes it.
func TestTheReferenceOfCommandsIsCurrent(t *testing.T) {
	const path = "../../docs/commands.md"
	want := commandsPage(t)
	got, err := os.ReadFile(path)
	if err == nil && string(got) == want {
		return
	}
	if os.Getenv("UPDATE_README") == "" {
		t.Fatalf("%s does not say what the commands do (%v): UPDATE_README=1 go test ./cmd/caprice writes it", path, err)
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestThePageOfCommandsHasEachFlagAsTheHelpSaysIt(t *testing.T) {
	page := commandsPage(t)
	_, common, _ := strings.Cut(page, "\n## Flags that choose the cluster\n")
	for _, c := range descendants(command("caprice")) {
		_, section, _ := strings.Cut(page, "\n## "+c.CommandPath()+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			line := regexp.MustCompile(`(?m)^  (-.,|   ) --` + f.Name + ` .*$`)
			said := line.FindString(section)
			if said == "" {
				said = line.FindString(common)
			}
			if _, usage := pflag.UnquoteUsage(f); f.Name != "help" && !strings.Contains(said, " "+usage) {
				t.Errorf("of the flag --%s of %s the page says %q, and its help %q", f.Name, c.CommandPath(), said, usage)
			}
		})
	}
}

func TestEachCommandHasAnExample(t *testing.T) {
	for _, c := range descendants(command("caprice")) {
		if c.Runnable() && c.Name() != "help" && !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("the help of %s has no example of it", c.CommandPath())
		}
	}
}

func TestEachExampleOfThePluginIsKubectls(t *testing.T) {
	called := regexp.MustCompile(`(\S*) caprice `)
	for _, c := range descendants(command(pluginName)) {
		for _, before := range called.FindAllStringSubmatch(c.Example, -1) {
			if before[1] != "kubectl" {
				t.Errorf("an example of %s calls %q: want 'kubectl caprice'", c.CommandPath(), before[0])
			}
		}
		if c.Runnable() && c.Name() != "help" && !strings.Contains(c.Example, " "+c.CommandPath()) {
			t.Errorf("the help of %s has no example of it:\n%s", c.CommandPath(), c.Example)
		}
	}
}

func TestEachWayToAnswerIsCompleted(t *testing.T) {
	asked := 0
	for _, c := range descendants(command("caprice")) {
		output := c.Flags().Lookup("output")
		if output == nil {
			continue
		}
		asked++
		root, out := command("caprice"), strings.Builder{}
		root.SetOut(&out)
		root.SetErr(io.Discard)
		root.SetArgs(append(append([]string{"__complete"}, strings.Fields(c.CommandPath())[1:]...), "--output", ""))
		if err := root.Execute(); err != nil {
			t.Errorf("%s: %v", c.CommandPath(), err)
		}
		if want := strings.ReplaceAll(output.Value.Type(), "|", "\n") + "\n:4\n"; !strings.HasPrefix(out.String(), want) {
			t.Errorf("%s --output completes to %q, want %q", c.CommandPath(), out.String(), want)
		}
	}
	if asked < 10 {
		t.Errorf("%d commands have --output, want 10 or more", asked)
	}
}

func TestTheExamplesPassTheCheck(t *testing.T) {
	t.Setenv("CAPRICE_PROMETHEUS_URL", "http://prometheus.monitoring.svc:9090") // which one of them wants
	var out strings.Builder
	k := checkOptions{files: []string{"../../examples"}, output: inTable}
	k.release.flags(&cobra.Command{})
	if err := k.run(t.Context(), now, nil, &out, style{}); err != nil || out.String() != "Nothing is wrong.\n" {
		t.Errorf("caprice check -f examples says %v:\n%s", err, &out)
	}
}

func commandsPage(t *testing.T) string {
	root := command("caprice")
	var page strings.Builder
	fmt.Fprintf(&page, "# Commands\n\n%s\n\nA link to the program that is called `%s` and lies on the `PATH` makes each command one of kubectl's: `kubectl caprice status`.\n"+
		"With another called `%s` kubectl completes what follows. `caprice completion bash --help` (or zsh, fish, powershell)\nsays how your shell completes `caprice` itself.\n", root.Long, pluginName, completerName)
	var plain cobra.Command
	new(release).flags(&plain)
	common := flagsOf(&plain, true)
	for _, c := range descendants(root) {
		fmt.Fprintf(&page, "\n## %s\n\n    %s\n\n%s.\n", c.CommandPath(), c.UseLine(), c.Short)
		if c.Long != "" {
			fmt.Fprintf(&page, "\n%s\n", c.Long)
		}
		if c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		fmt.Fprintf(&page, "\n```\n%s\n```\n", unindented(c.Example))
		own := flagsOf(c, false)
		flagsOf(c, true).VisitAll(func(f *pflag.Flag) {
			if f.Usage != common.Lookup(f.Name).Usage { // as that of plan says otherwise what -n is
				own.AddFlag(f)
			}
		})
		if own.HasFlags() {
			fmt.Fprintf(&page, "\n```\n%s```\n", own.FlagUsages())
		}
	}
	fmt.Fprintf(&page, "\n## Flags that choose the cluster\n\nAll commands but run, simulate, version and those that read files alone have these, as kubectl has them. Without `-n` it is the\n"+
		"kubeconfig's namespace, and with files `default`, where a command does not say otherwise:\n\n```\n%s```\n", common.FlagUsages())
	return page.String()
}

func unindented(example string) string {
	var lines []string
	for line := range strings.SplitSeq(example, "\n") {
		lines = append(lines, strings.TrimPrefix(line, "  "))
	}
	return strings.Join(lines, "\n")
}

var quoted = regexp.MustCompile(`"[^"]*"|'[^']*'`)

// Each command of Caprice that a page has people type has to be one, with flags and arguments that it takes.
func TestEachCommandOfThePagesIsOne(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	typed := 0
	for _, page := range append(pages, "../../README.md") {
		if filepath.Base(page) == "commands.md" {
			continue // it is made from the commands
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			words, is := strings.CutPrefix(strings.Replace(line, "    $ ", "    ", 1), "    caprice ")
			if !is {
				continue
			}
			words, _, _ = strings.Cut(words, " #")
			root := command("caprice")
			c, rest, err := root.Find(strings.Fields(quoted.ReplaceAllString(words, "QUOTED")))
			if err == nil && c != root {
				typed++
				if err = c.ParseFlags(rest); err == nil {
					err = c.ValidateArgs(c.Flags().Args())
				}
			}
			if err != nil || c == root {
				t.Errorf("%s: caprice %s: %v", page, strings.TrimSpace(words), err)
			}
		}
	}
	if typed < 30 {
		t.Errorf("the pages have %d commands of Caprice, want at least 30", typed)
	}
}
