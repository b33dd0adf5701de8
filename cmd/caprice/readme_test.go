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
	known := chartsSchema(t)
	for field := range reflect.TypeFor[Config]().Fields() {
		name := strings.TrimPrefix(variable(field.Name), prefix+"_")
		if _, ok := known[name]; !ok && !slices.Contains([]string{"LISTEN", "DEPLOYMENT", "MAY_EVICT", "REQUIRE_POD_LABEL"}, name) { // these the chart knows itself
			t.Errorf("the schema does not know config.%s", name)
		}
		delete(known, name)
	}
	for name := range known {
		t.Errorf("the schema knows config.%s, which there is not", name)
	}
}

// textSchema is what the chart's schema says of a text.
type textSchema struct {
	Pattern string
	Not     struct{ Pattern *string }
}

// takes tells whether a text is one of those.
func (s textSchema) takes(text string) bool {
	return regexp.MustCompile(s.Pattern).MatchString(text) && (s.Not.Pattern == nil || !regexp.MustCompile(*s.Not.Pattern).MatchString(text))
}

// chartsSchema returns what the chart's schema says of each variable.
func chartsSchema(t *testing.T) map[string]textSchema {
	t.Helper()
	b, err := os.ReadFile("../../helm/caprice/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct {
			Config struct {
				Properties map[string]textSchema
			}
		}
	}
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	return schema.Properties.Config.Properties
}

// What the chart lets by and Caprice does not leaves the old configuration in force, and a new pod that does not start.
func TestTheChartsSchemaTakesWhatCapriceTakes(t *testing.T) {
	page, err := os.ReadFile("../../docs/holidays.md")
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z0-9-]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		codes = append(codes, row[1])
	}
	if len(codes) < 50 {
		t.Fatalf("docs/holidays.md has %d codes", len(codes))
	}
	for name, values := range map[string]struct{ right, wrong []string }{
		"HOLIDAYS": {append(codes, "", "DE-BY,US", " DE-BY , US ", "DE-BY,\nUS\n", strings.Join(codes, ",")), []string{"DE-XX", "XX", "de-by", "DE-BY,", ",US", "DE-BY US", "DE-"}},
		"FREEZES": {
			[]string{"", "2026-12-24", "2026-12-18/2027-01-04", "2026-12-18/2027-01-04, 2027-05-01", "2026-12-18/2027-01-04,\n2027-05-01\n", "2026-12-18T17:00:00+01:00/2027-01-04T09:00:00Z", "2026-12-18T17:00:00.5Z/2027-01-04T09:00:00-11:00"},
			[]string{"2026-12-18/2026-13-04", "2026-12-32", "2026-12-18-2027-01-04", "18.12.2026", "2026-12-18/", "2026-12-24,", "2026-12-18T17:00:00/2027-01-04T09:00:00", "2026-12-18T17:00:00Z", "2026-12-18T17:00:00Z/2027-01-04"},
		},
		"TIME_ZONE":               {[]string{"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "America/Port-au-Prince", "Etc/GMT+5", "EST5EDT"}, []string{"Europe Berlin", "Europe/", "+01:00", "Europe/Berlin,UTC", "Local", "localtime", "Factory", "right/UTC"}},
		"GRACE_PERIOD":            {[]string{"", "30s", "1m", "1m30s", "1.5m", "0m30s", "30000ms", "30.0s", "1m30.0s", "60000000us", "30s0ms"}, []string{"30", "30 s", "half a minute", "0s", "0m0s", "1500ms", "1.5s", "1m1ms", "1500000us"}},
		"NAMESPACES":              {[]string{"", "shop-*", "shop-*,team", " shop-* , team ", "shop-*,\nteam\n"}, []string{"shop-*\nteam", "shop-*,", ",shop-*", "shop-*,,team", "shop team", "shop/team"}},
		"EXCLUDED_NAMESPACES":     {[]string{"", "kube-*", "kube-*,shop", "team-[0-9], kube-*", "team-[0-9],\nkube-*\n"}, []string{"kube-*,,x", "kube-*,", ",kube-*", "kube-* x"}},
		"PROBE_NAMESPACES":        {[]string{"*", "shop,team-*", "shop,\nteam-*\n"}, []string{"shop,,team"}},
		"DAYS":                    {[]string{"Mon-Fri", "tue,Thu", "Monday-Wednesday", "tue,\nThu\n"}, []string{"Mon-", "Mo-Fr", "Mon Fri", "Mon,"}},
		"HOURS":                   {[]string{"10:00-16:00", "09:00-12:00, 13:00-17:00", "22:00-02:00", "00:00-24:00", "09:00-12:00,\n13:00-17:00\n"}, []string{"10-16", "10:00-25:00", "00:00-24:30", "09:00-12:00,13:00-24:01", "10:00-16:00,", "10:00"}},
		"MEAN_TIME_BETWEEN_KILLS": {[]string{"2d", "1.5d", "4h", "90m", "20s", "1h30m"}, []string{"2", "2w", "2 d", "-2d", ""}},
	} {
		schema := chartsSchema(t)[name]
		for right, list := range map[bool][]string{true: values.right, false: values.wrong} {
			for _, value := range list {
				t.Setenv(prefix+"_"+name, value)
				if _, err := readConfig(); (err == nil) != right || schema.takes(value) != right {
					t.Errorf("%s=%q: Caprice says %v, the chart takes it: %v; want both to take it: %v", name, value, err, schema.takes(value), right)
				}
			}
		}
		if err := os.Unsetenv(prefix + "_" + name); err != nil {
			t.Fatal(err)
		}
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
