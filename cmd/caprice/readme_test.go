package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"caprice/calendar"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/victims"
)

// The README's tables are made from the code: UPDATE_README=1 go test ./cmd/caprice writes them.
func TestTheReadmesTablesAreCurrent(t *testing.T) {
	const path = "../../README.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for name, table := range map[string]string{
		"labels":        keysTable("label", false),
		"annotations":   keysTable("annotation", true),
		"configuration": configTable(t),
		"events":        eventsTable(),
		"simulate":      simulated(t),
	} {
		section := regexp.MustCompile(`(?s)(<!-- ` + name + `: generated -->\n).*?(<!-- end -->)`)
		if !section.MatchString(text) {
			t.Fatalf("the README has no section %q", name)
		}
		text = section.ReplaceAllStringFunc(text, func(old string) string {
			return section.FindStringSubmatch(old)[1] + table + "<!-- end -->"
		})
	}
	if text == string(b) {
		return
	}
	if os.Getenv("UPDATE_README") == "" {
		t.Fatal("the README's tables do not say what the code does: UPDATE_README=1 go test ./cmd/caprice writes them")
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTheReadmeHasEachVerdictAndReason(t *testing.T) {
	if rows := rowsOf[chaos.Verdict](t, "verdict"); !slices.Equal(rows, chaos.Verdicts) {
		t.Errorf("the README has verdicts %v, the code %v", rows, chaos.Verdicts)
	}
	if rows := rowsOf[chaos.Reason](t, "reason"); !slices.Equal(rows, chaos.Vetoes) {
		t.Errorf("the README has reasons %v, the code %v", rows, chaos.Vetoes)
	}
	runbook, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	_, spares, _ := strings.Cut(string(runbook), "## CapriceSpares")
	spares, _, _ = strings.Cut(spares, "\n## ")
	for _, reason := range chaos.Vetoes {
		if !strings.Contains(spares, "`"+string(reason)+"`") {
			t.Errorf("what the runbook says of CapriceSpares does not say what to do about %s", reason)
		}
	}
}

// rowsOf returns what the README's table of a word and when it holds has.
func rowsOf[T ~string](t *testing.T, word string) (rows []T) {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(b), "| "+word+" | when |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for row := range strings.Lines(table) {
		rows = append(rows, T(strings.Split(row, "`")[1]))
	}
	return rows
}

// A variable that the schema does not know cannot be set by the chart; one that only the schema knows stops the start.
func TestTheChartsSchemaKnowsEachVariable(t *testing.T) {
	b, err := os.ReadFile("../../helm/caprice/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct {
			Config struct{ Properties map[string]any }
		}
	}
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	known := schema.Properties.Config.Properties
	for field := range reflect.TypeFor[Config]().Fields() {
		name := strings.TrimPrefix(variable(field.Name), prefix+"_")
		if _, ok := known[name]; !ok && name != "LISTEN" && name != "DEPLOYMENT" { // these the chart knows itself
			t.Errorf("the schema does not know config.%s", name)
		}
		delete(known, name)
	}
	for name := range known {
		t.Errorf("the schema knows config.%s, which there is not", name)
	}
}

func keysTable(title string, annotations bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | values | default |\n|---|---|---|\n", title)
	for _, k := range victims.Keys {
		if k.Annotation == annotations {
			fmt.Fprintf(&b, "| `%s%s` | %s | %s |\n", victims.Prefix, k.Name, k.Values, k.Default)
		}
	}
	return b.String()
}

func configTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for field := range reflect.TypeFor[Config]().Fields() {
		value := ""
		if d := field.Tag.Get("default"); d != "" {
			value = "`" + d + "`"
		}
		if field.Tag.Get("desc") == "" {
			t.Errorf("field %s of Config has no desc", field.Name)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", variable(field.Name), value, field.Tag.Get("desc"))
	}
	return b.String()
}

func eventsTable() string {
	var b strings.Builder
	b.WriteString("| reason | type | regarding | related | when |\n|---|---|---|---|---|\n")
	for _, w := range kubernetes.EventWords() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", w.Reason, w.Type, w.Regarding, w.Related, w.When)
	}
	return b.String()
}

// simulated is what the README's example prints, as a block of code.
func simulated(t *testing.T) string {
	s := simulation{files: []string{"../../examples"}, from: calendar.Date{Year: 2026, Month: time.March, Day: 2}, days: 90, seed: defaultSeed, namespace: "default", output: inTable}
	var out, remarks strings.Builder
	if err := s.run(nil, &out, &remarks); err != nil || remarks.Len() > 0 {
		t.Errorf("simulating the examples: %v, %s", err, &remarks)
	}
	return "```\n" + out.String() + "```\n"
}
