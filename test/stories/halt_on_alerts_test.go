package stories

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/alerts"
	"caprice/chaos"
	"caprice/test/lab"
	"caprice/victims"
)

// rules are of an alert that the test can make fire, of one that always fires and is not meant, and of one that is pending.
const rules = `
groups:
  - name: shop
    interval: 200ms
    rules:
      - {alert: TooManyErrors, expr: errors > 0, labels: {severity: page}}
      - {alert: DiskFills, expr: vector(1), labels: {severity: ticket}}
      - {alert: Slow, expr: vector(1), for: 1h, labels: {severity: page}}
`

// said returns what is at a URL.
func said(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestNothingDiesWhileAnAlertFiresOrNobodyCanTell(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	build(t, l)
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	var failing atomic.Int32
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, "errors %d\n", failing.Load())
	}))
	defer shop.Close()

	var c *caprice
	kill := "pod killed workload=shop/Deployment/web"
	vetoed := `workload=shop/Deployment/web planned=\S+ verdict=Vetoed reason=Halted`
	var resolved time.Time
	whole := t
	t.Run("while there is a Prometheus", func(t *testing.T) {
		url := lab.Prometheus(t, fmt.Sprintf(`
global: {scrape_interval: 200ms}
rule_files: [%q]
scrape_configs: [{job_name: shop, static_configs: [{targets: [%q]}]}]
`, file, strings.TrimPrefix(shop.URL, "http://"))) + "/api/v1/alerts"
		lab.Eventually(t, "an alert that fires and one that is pending", func() bool {
			list := said(t, url)
			return strings.Contains(list, `"state":"firing"`) && strings.Contains(list, `"state":"pending"`)
		})
		c = start(whole, account, "CAPRICE_DRY_RUN=false", "CAPRICE_DEPLOYMENT=caprice", `CAPRICE_HALT_ON_ALERTS=severity="page"`, "CAPRICE_HALT_ON_ALERTS_URL="+url)
		lab.Eventually(t, "a kill", func() bool { return c.logged(kill) > 0 })

		failing.Store(1)
		lab.Eventually(t, "the alert", func() bool { return strings.Contains(said(t, url), "TooManyErrors") })
		lab.Eventually(t, "kills that are spared for it", func() bool { return c.matched(vetoed+` pods=0 message="alert TooManyErrors fires since`) >= 2 })
		lab.Eventually(t, "a line that says so", func() bool { return c.logged(`chaos halted cause="alert TooManyErrors fires`) > 0 })
		resolved = time.Now()
		before := c.logged(kill)
		failing.Store(0)
		lab.Eventually(t, "kills once it is resolved", func() bool { return c.logged(kill) > before })
		lab.Eventually(t, "a line that says so", func() bool { return c.logged(`chaos resumed cause="alert TooManyErrors fires`) > 0 })
	})
	lab.Eventually(t, "kills that are spared since nobody can tell", func() bool {
		return c.matched(vetoed+` pods=0 message="whether there is a halt cannot be known: asking for alerts at http`) >= 2
	})
	lab.Eventually(t, "a line that says so", func() bool { return c.logged(`chaos halted cause="asking for alerts`) > 0 })
	c.stop(t)
	records := kills(t, l)
	nothingDied(t, l, records, spared(t, records, "alert TooManyErrors fires"), resolved, "shop", "team")
	nothingDied(t, l, records, spared(t, records, "asking for alerts"), time.Now(), "shop", "team")
	list, err := l.Client.EventsV1().Events("caprice").List(t.Context(), meta.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	for _, e := range list.Items {
		if strings.Contains(e.Note, "TooManyErrors") {
			told[e.Reason]++
		}
	}
	if told["ChaosHalted"] != 1 || told["ChaosResumed"] != 1 {
		t.Errorf("Events say %v, want that chaos was halted and resumed, once each", told)
	}
}

// alertmanager has an Outage inhibit all other alerts that page.
const alertmanager = `
route: {receiver: nobody}
receivers: [{name: nobody}]
inhibit_rules: [{source_matchers: ['alertname="Outage"'], target_matchers: ['severity="page"', 'alertname!="Outage"']}]
`

func TestAlertmanagerIsUnderstood(t *testing.T) {
	t.Parallel()
	url := lab.Alertmanager(t, alertmanager)
	halting := alerts.Alerts{Lingers: time.Second}
	if err := errors.Join(halting.Address.UnmarshalText([]byte(url+"/api/v2/alerts")), halting.Matchers.UnmarshalText([]byte(`severity="page",team=~"shop|pay",text!="a\"b"`))); err != nil {
		t.Fatal(err)
	}
	post := func(path, body string) string {
		t.Helper()
		answer, err := http.Post(url+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		text, _ := io.ReadAll(answer.Body)
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("Alertmanager says to %s: %s %s", body, answer.Status, text)
		}
		return string(text)
	}
	alert := func(name, labels, more string) {
		t.Helper()
		post("/api/v2/alerts", `[{"labels": {"alertname": "`+name+`", `+labels+`}`+more+`}]`)
	}
	comes := func(why, want string) {
		t.Helper()
		got := ""
		lab.Eventually(t, fmt.Sprintf("%s: %q", why, want), func() bool {
			err := halting.Check(t.Context(), victims.Workload{})
			var veto *chaos.Veto
			if got = ""; errors.As(err, &veto) {
				got = veto.Message
			} else if err != nil {
				t.Fatalf("%s: %v", why, err)
			}
			return strings.HasPrefix(got, want) && (got == "") == (want == "")
		})
	}
	comes("there is no alert", "")
	alert("Disk", `"severity": "ticket", "team": "shop"`, "")
	alert("Other", `"severity": "page", "team": "shopping"`, "")
	alert("Quoted", `"severity": "page", "team": "shop", "text": "a\"b"`, "")
	lab.Eventually(t, "alerts of which none is meant", func() bool { return strings.Contains(said(t, url+"/api/v2/alerts"), "Quoted") })
	comes("none is meant", "")
	alert("Errors", `"severity": "page", "team": "pay"`, "")
	comes("one is", "alert Errors fires since ")
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	silence := post("/api/v2/silences", `{"matchers": [{"name": "alertname", "value": "Errors", "isRegex": false, "isEqual": true}], "startsAt": "`+time.Now().UTC().Format(time.RFC3339)+`", "endsAt": "`+until+`", "createdBy": "kim", "comment": "known"}`)
	comes("it is silenced", "")
	_, id, _ := strings.Cut(silence, `"silenceID":"`)
	id, _, _ = strings.Cut(id, `"`)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, url+"/api/v2/silence/"+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := http.DefaultClient.Do(request); err != nil || answer.Body.Close() != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("the silence %q stays: %v, %v", silence, answer, err)
	}
	comes("it is silenced no more", "alert Errors fires since ")
	alert("Outage", `"severity": "page", "team": "all"`, "")
	comes("it is inhibited", "")
	alert("Outage", `"severity": "page", "team": "all"`, `, "endsAt": "`+time.Now().Add(-time.Second).UTC().Format(time.RFC3339)+`"`)
	comes("it is inhibited no more", "alert Errors fires since ")
	alert("Errors", `"severity": "page", "team": "pay"`, `, "endsAt": "`+time.Now().Add(-time.Second).UTC().Format(time.RFC3339)+`"`)
	comes("it is resolved", "")
}
