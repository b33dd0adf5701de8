package report

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"caprice/chaos"
	"caprice/victims"
)

var web = victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "uid-of-web"}

var noon = time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)

func anOutcome(v chaos.Verdict, r chaos.Reason) chaos.Outcome {
	return chaos.Outcome{Record: chaos.Record{Workload: web, Planned: noon}, Ended: true, Verdict: v, Reason: r}
}

func executed(v chaos.Verdict, lateness, recovery time.Duration) chaos.Outcome {
	o := anOutcome(v, "")
	o.Pods = []chaos.Death{{Pod: victims.Pod{Name: "refused"}, At: noon, Err: errors.New("409")}, {Pod: victims.Pod{Name: "web-1"}, At: noon.Add(lateness)}}
	o.ExecutedAt = noon.Add(lateness)
	if recovery > 0 {
		o.Recovery.Whole = o.ExecutedAt.Add(recovery)
	}
	return o
}

// holds fails unless these lines are what a scrape shows of the named metrics.
func holds(t *testing.T, registry prometheus.Gatherer, want ...string) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue()
			if h := m.GetHistogram(); h != nil {
				got = append(got, fmt.Sprintf("%s{%s} %d in %g", f.GetName(), strings.Join(labels, ","), h.GetSampleCount(), h.GetSampleSum()))
				continue
			}
			got = append(got, fmt.Sprintf("%s{%s} %g", f.GetName(), strings.Join(labels, ","), value))
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("no %s in\n%s", line, strings.Join(got, "\n"))
		}
	}
}

// series returns how many series a metric has.
func series(c prometheus.Collector) int {
	found := make(chan prometheus.Metric)
	go func() {
		defer close(found)
		c.Collect(found)
	}()
	n := 0
	for range found {
		n++
	}
	return n
}

func TestEachKillCountsOnceUnderItsVerdict(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m := NewMetrics(registry, "1.2.3")
	m.Killed(chaos.Record{}, chaos.Death{})
	m.Ended(executed(chaos.Recovered, 20*time.Millisecond, 4*time.Second))
	m.Ended(executed(chaos.NotRecovered, 30*time.Millisecond, 0))
	asked := executed(chaos.NotRecovered, 900*time.Millisecond, 0) // its instant is in whole seconds, and says nothing of how late it was
	asked.Request = &chaos.Request{By: "jane"}
	m.Ended(asked)
	late := executed(chaos.Recovered, 0, time.Second) // nobody knows when its pods died
	late.Inferred = true
	m.Ended(late)
	unwatched := executed(chaos.Recovered, 20*time.Millisecond, time.Hour) // nobody knows for how long
	unwatched.Recovery.Unwatched = true
	m.Ended(unwatched)
	m.Ended(anOutcome(chaos.Vetoed, chaos.Rollout))
	m.Ended(anOutcome(chaos.Vetoed, chaos.Rollout))
	open := anOutcome("", "")
	open.Ended = false
	m.Unrecorded(open, errors.New("no room"))
	m.Unrecorded(anOutcome(chaos.Missed, ""), errors.New("no room"))
	m.Unrecorded(anOutcome(chaos.Missed, ""), errors.New("no room"))
	m.Expected(map[string]float64{"shop": 1.5})
	m.Expected(map[string]float64{"shop": 0.25})
	m.Requested("GET", 200)
	m.Requested("DELETE", 0)
	m.Dropped()
	holds(t, registry,
		"caprice_kills_total{kind=Deployment,namespace=shop,reason=,verdict=Recovered} 3",
		"caprice_kills_total{kind=Deployment,namespace=shop,reason=,verdict=NotRecovered} 2",
		"caprice_kills_total{kind=Deployment,namespace=shop,reason=Rollout,verdict=Vetoed} 2",
		"caprice_recovery_seconds{namespace=shop} 1 in 4",
		"caprice_kill_lateness_seconds{} 3 in 0.07",
		"caprice_kills_unrecorded_total{} 2",
		"caprice_kills_expected_total{namespace=shop} 1.75",
		"caprice_api_requests_total{code=200,method=GET} 1",
		"caprice_api_requests_total{code=error,method=DELETE} 1",
		"caprice_events_dropped_total{} 1",
		"caprice_build_info{version=1.2.3} 1")
	if n := series(m.kills); n != 3 {
		t.Errorf("%d series of kills, want 3", n)
	}
}

func TestWhatTheLeaderAloneKnowsIsZeroForTheOthers(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m := NewMetrics(registry, "")
	m.Leads()
	m.Halted(+1)
	m.Halted(+1)
	m.Halted(-1)
	m.Open(noon.Add(-2 * time.Hour))
	m.Planned(chaos.DayPlan{Made: noon.Add(250 * time.Millisecond), Kills: 7, Workloads: 3})
	m.Workloads(3)
	m.Lacks(2)
	m.Contested(4)
	shared := []string{"caprice_workloads{} 3", "caprice_missing_permissions{} 2", "caprice_contested_namespaces{} 4", fmt.Sprintf("caprice_last_plan_timestamp_seconds{} %g", float64(noon.Unix())+0.25)}
	holds(t, registry, append(shared, "caprice_leader{} 1", "caprice_halts{} 1", "caprice_kills_planned{} 7",
		fmt.Sprintf("caprice_open_day_timestamp_seconds{} %g", float64(noon.Add(-2*time.Hour).Unix())))...)
	m.StandsBy()
	holds(t, registry, append(shared, "caprice_leader{} 0", "caprice_halts{} 0", "caprice_kills_planned{} 0", "caprice_open_day_timestamp_seconds{} 0")...)
	m.Open(noon)
	m.Open(time.Time{})
	holds(t, registry, "caprice_open_day_timestamp_seconds{} 0")
}

// Of a series that begins with its first kill, Prometheus does not see that it rose.
func TestEachSeriesOfANamespaceIsThereBeforeItsFirstKill(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m := NewMetrics(registry, "")
	m.OptedIn(web)
	begin := series(m.kills)
	other := web
	other.Name, other.UID = "api", "uid-of-api"
	m.OptedIn(other)
	for _, v := range chaos.Verdicts {
		switch v {
		case chaos.Vetoed:
			for _, r := range chaos.Vetoes {
				m.Ended(anOutcome(v, r))
			}
		case chaos.NotRecovered:
			m.Ended(anOutcome(v, chaos.Gone))
			m.Ended(anOutcome(v, chaos.Partial))
			m.Ended(anOutcome(v, ""))
		case chaos.Recovered, chaos.Disproved, chaos.Rehearsed:
			m.Ended(anOutcome(v, chaos.Partial))
			m.Ended(anOutcome(v, ""))
		default:
			m.Ended(anOutcome(v, ""))
		}
	}
	if end := series(m.kills); end != begin || begin == 0 {
		t.Errorf("%d series of kills before the first, %d after one of each", begin, end)
	}
	holds(t, registry, "caprice_kills_expected_total{namespace=shop} 0", "caprice_recovery_seconds{namespace=shop} 0 in 0")
}

func TestNotificationsAreCountedByTarget(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m := NewMetrics(registry, "0.1.0")
	sent := int64(1)
	m.Notifies("sre", func() (int64, int64, int64) { return sent, 2, 3 })
	m.Notifies("shop", func() (int64, int64, int64) { return 0, 0, 0 })
	sent = 7
	for _, line := range []string{"{result=sent,target=sre} 7", "{result=failed,target=sre} 2", "{result=dropped,target=sre} 3", "{result=sent,target=shop} 0"} {
		holds(t, registry, "caprice_notifications_total"+line)
	}
}

// The page of metrics is made from the code: UPDATE_README=1 go test ./report writes it.
func TestThePageOfMetricsIsCurrent(t *testing.T) {
	const path, mark = "../docs/metrics.md", "<!-- metrics: generated -->\n"
	registry := prometheus.NewPedanticRegistry()
	m := NewMetrics(registry, "0.1.0")
	m.OptedIn(web)
	m.Requested("GET", 200)
	m.Notifies("sre", func() (int64, int64, int64) { return 0, 0, 0 })
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels, " "), f.GetHelp())
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	prose, rest, ok := strings.Cut(string(old), mark)
	_, after, ended := strings.Cut(rest, "<!-- end -->\n")
	text := prose + mark + table.String() + "<!-- end -->\n" + after
	switch {
	case !ok || !ended:
		t.Fatalf("%s has no lines %q and <!-- end -->", path, mark)
	case text == string(old):
	case os.Getenv("UPDATE_README") == "":
		t.Fatal("docs/metrics.md does not say what the code does: UPDATE_README=1 go test ./report writes it")
	default:
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSeriesEndSomeTimeAfterTheirNamespace(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m := NewMetrics(registry, "")
	series := func() map[string]int {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		n := map[string]int{}
		for _, f := range families {
			for _, metric := range f.Metric {
				for _, l := range metric.Label {
					if l.GetName() == "namespace" {
						n[l.GetValue()]++
					}
				}
			}
		}
		return n
	}
	for _, namespace := range []string{"shop", "preview"} {
		m.OptedIn(victims.Workload{Kind: victims.Deployment, Namespace: namespace})
		m.Expected(map[string]float64{namespace: 1})
	}
	all := series()
	for _, step := range []struct {
		why  string
		have []string
		want map[string]int
	}{
		{"both are there", []string{"shop", "preview"}, all},
		{"one has gone", []string{"shop"}, all},
		{"it is back", []string{"shop", "preview"}, all},
		{"it has gone again", []string{"shop"}, all},
		{"and is still gone", []string{"shop"}, map[string]int{"shop": all["shop"]}},
	} {
		have := map[string]bool{}
		for _, namespace := range step.have {
			have[namespace] = true
		}
		if m.Keep(have); !maps.Equal(series(), step.want) {
			t.Errorf("%s: series by namespace %v, want %v", step.why, series(), step.want)
		}
	}
	m.Keep(nil)
	if m.OptedIn(victims.Workload{Kind: victims.Deployment, Namespace: "shop"}); series()["shop"] != all["shop"] {
		t.Error("one that opts in again is not counted")
	}
	if m.Keep(nil); series()["shop"] != all["shop"] {
		t.Error("it goes at once")
	}
	for _, late := range []struct {
		why string
		do  func()
	}{
		{"one that opted in", func() {}},
		{"one whose last kill has ended since", func() { m.Ended(anOutcome(chaos.Recovered, "")) }},
		{"one of which kills were expected once more", func() { m.Expected(map[string]float64{"shop": 1}) }},
	} {
		late.do()
		m.Keep(nil)
		if m.Keep(nil); len(series())+len(m.idle) > 0 {
			t.Errorf("%s: when it has been gone for a while there are series by namespace %v, and %d are kept in mind", late.why, series(), len(m.idle))
		}
	}
}
