package stories

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"caprice/test/lab"
)

// page returns what an address answers.
func page(t *testing.T, address string) string {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s (%v)", address, answer.Status, body, err)
	}
	return string(body)
}

var listening = regexp.MustCompile(`listening address=(\S+)`)

// address returns where Caprice listens.
func (c *caprice) address(t *testing.T) (address string) {
	t.Helper()
	lab.Eventually(t, "an address", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		m := listening.FindStringSubmatch(c.log.String())
		if m != nil {
			address = m[1]
		}
		return m != nil
	})
	return address
}

// prometheus is one that scrapes Caprice each second, as the chart's ServiceMonitor has it scraped.
func prometheus(t *testing.T, target string, rules ...string) string {
	t.Helper()
	address := lab.Prometheus(t, fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%s]
scrape_configs: [{job_name: caprice, honor_labels: true, static_configs: [{targets: ["%s"]}]}]
`, strings.Join(rules, ","), target))
	lab.Eventually(t, "a Prometheus that is ready", func() bool {
		answer, err := http.Get(address + "/-/ready")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return address
}

// series are what a query returns, each as its labels and its value; those that are no number are left out.
func series(t *testing.T, prometheus, query string) []string {
	t.Helper()
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal([]byte(page(t, prometheus+"/api/v1/query?query="+url.QueryEscape(query))), &answer); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, r := range answer.Data.Result {
		value, err := strconv.ParseFloat(r.Value[1].(string), 64)
		if err != nil {
			t.Fatal(err)
		}
		if !math.IsNaN(value) {
			found = append(found, fmt.Sprintf("%v %.3g", r.Metric, value))
		}
	}
	slices.Sort(found)
	return found
}

type dashboard struct {
	UID           string
	SchemaVersion int
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	}
	Panels []struct {
		ID          int
		Type, Title string
		GridPos     struct{ X, Y, W, H int }
		Targets     []struct{ RefID, Expr string }
	}
}

func TestEachPanelOfTheDashboardShowsARun(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join(lab.Root(), "helm/caprice/files/dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.SchemaVersion < 36 || len(d.Templating.List) != 2 || d.Templating.List[0].Type != "datasource" || len(d.Panels) < 10 {
		t.Fatalf("the dashboard is %+v", d)
	}
	l := lab.Start(t)
	account := install(t, l)
	build(t, l)
	targets := filepath.Join(t.TempDir(), "notifications.yaml")
	if err := os.WriteFile(targets, []byte("targets: [{name: nobody, url: 'generic+http://127.0.0.1:1/'}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := start(t, account, "CAPRICE_DRY_RUN=false", "CAPRICE_DEPLOYMENT=caprice", "CAPRICE_NOTIFICATIONS_FILE="+targets)
	target := c.address(t)
	scraped := prometheus(t, target)
	lab.Eventually(t, "kills of both", func() bool {
		return c.logged("verdict=Recovered") > 3 && c.logged("pod killed workload=team/StatefulSet/db") > 0
	})
	l.Kubectl(t, halt, "create", "-f", "-")

	words := strings.NewReplacer("$namespace", ".*", "$__rate_interval", "1m", "$__range", "5m")
	taken := map[[2]int]string{}
	for _, p := range d.Panels {
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if taken[at] != "" || at[0] >= 24 {
					t.Errorf("panel %q lies on %q or beside the grid at %v", p.Title, taken[at], at)
				}
				taken[at] = p.Title
			}
		}
		for _, target := range p.Targets {
			query := words.Replace(target.Expr)
			if strings.Contains(query, "$") {
				t.Errorf("panel %q has a variable that nobody sets: %s", p.Title, query)
			}
			var found []string
			lab.Eventually(t, "a series of panel "+p.Title, func() bool {
				found = series(t, scraped, query)
				return len(found) > 0
			})
			t.Logf("%s %s\n  %s\n  %s", p.Title, target.RefID, query, strings.Join(found, "\n  "))
		}
	}
	if names := page(t, scraped+"/api/v1/label/namespace/values?match[]=caprice_kills_expected_total"); !strings.Contains(names, `["shop","team"]`) {
		t.Errorf("the variable namespace may be %s, want shop and team", names)
	}
	metrics := page(t, "http://"+target+"/metrics")
	if said := lab.Promtool(t, metrics, "check", "metrics"); strings.TrimSpace(said) != "" {
		t.Errorf("promtool check metrics says: %s", said)
	}
	if strings.Contains(metrics, "web-") || strings.Contains(metrics, `"web"`) || strings.Contains(metrics, "db-0") {
		t.Error("the metrics have names of pods or workloads in them")
	}
	recorded := strings.Count(l.Kubectl(t, "", "get", "kills", "-n", "team", "-o", "name"), "\n")
	if recorded == 0 || len(series(t, scraped, `sum(caprice_kills_total{namespace="team"}) >= 1`)) == 0 {
		t.Errorf("%d kills are recorded in namespace team, and none is counted", recorded)
	}
	c.stop(t)
}
