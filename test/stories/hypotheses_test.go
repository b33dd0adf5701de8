package stories

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/test/lab"
)

// believer is a workload with a hypothesis about it alone.
const believer = `
apiVersion: apps/v1
kind: KIND
metadata: {name: NAME, namespace: shop, labels: {app: NAME, caprice.chaos/enabled: "true", caprice.chaos/mean-time-between-kills: 10s, caprice.chaos/kill-mode: MODE}}
spec:
  replicas: 2
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}, annotations: {cluster.test/stops-after: 3s, cluster.test/ready-after: 3s}}
    spec: {containers: [{name: web, image: web}]}
---
apiVersion: caprice.chaos/v1alpha1
kind: Hypothesis
metadata: {name: NAME, namespace: shop}
spec: {workloads: {matchLabels: {app: NAME}}, probes: [{name: asks, interval: 200ms, PROBE}]}
`

func believe(t *testing.T, l *lab.Lab, kind, name, probe string) {
	t.Helper()
	mode := map[string]string{"StatefulSet": "kill-all"}[kind]
	if mode == "" {
		mode = "fixed"
	}
	l.Kubectl(t, strings.NewReplacer("KIND", kind, "NAME", name, "MODE", mode, "PROBE", probe).Replace(believer), "apply", "-f", "-")
	l.Kubectl(t, "", "rollout", "status", "-n", "shop", strings.ToLower(kind)+"/"+name, "--timeout=60s")
}

// shop serves what the pods of namespace shop can: it looks at them at each request.
type shop struct {
	*httptest.Server
	lab  *lab.Lab
	mu   sync.Mutex
	born map[string]bool        // UIDs of the pods that there were at first
	fine map[string][]time.Time // when /fine/APP was answered
	hung [][2]time.Time         // requests that were not answered: when each began, and was given up
	ends chan struct{}
}

// openShop lets a shop be asked: /fine/APP says yes, /first/APP whether all its first pods serve, /calm/APP whether none of its pods
// terminates; /hangs never answers, /hangs/APP no more once a first pod is gone; /metrics has the numbers of both.
func openShop(t *testing.T, l *lab.Lab) *shop {
	s := &shop{lab: l, fine: map[string][]time.Time{}, ends: make(chan struct{})}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, fine bool) {
		if !fine {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = fmt.Fprintf(w, `{"fine": %t}`, fine)
	}
	mux.HandleFunc("/first/{app}", func(w http.ResponseWriter, r *http.Request) {
		first, _ := s.pods(r, r.PathValue("app"))
		answer(w, first == 2)
	})
	mux.HandleFunc("/calm/{app}", func(w http.ResponseWriter, r *http.Request) {
		_, terminating := s.pods(r, r.PathValue("app"))
		answer(w, terminating == 0)
	})
	mux.HandleFunc("/fine/{app}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, true)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.fine[r.PathValue("app")] = append(s.fine[r.PathValue("app")], time.Now())
	})
	mux.HandleFunc("/hangs", func(_ http.ResponseWriter, r *http.Request) { s.hang(r) })
	mux.HandleFunc("/hangs/{app}", func(_ http.ResponseWriter, r *http.Request) {
		if first, _ := s.pods(r, r.PathValue("app")); first < 2 {
			s.hang(r)
		}
	})
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, r *http.Request) {
		for _, app := range []string{"metric-during", "metric-after"} {
			first, terminating := s.pods(r, app)
			_, _ = fmt.Fprintf(w, "shop_first{app=%q} %d\nshop_terminating{app=%q} %d\n", app, first, app, terminating)
		}
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() { close(s.ends); s.Close() })
	return s
}

// hang leaves a request without an answer until whoever asked gives up.
func (s *shop) hang(r *http.Request) {
	began := time.Now()
	select {
	case <-r.Context().Done():
	case <-s.ends:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hung = append(s.hung, [2]time.Time{began, time.Now()})
}

// passed returns the removals, by the names of their pods, that came while a request hung, and whose own probe had been answered
// last while one did.
func (s *shop) passed(t *testing.T) map[string]bool {
	removals := s.lab.Removals(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	hung := func(at time.Time) bool {
		return slices.ContainsFunc(s.hung, func(span [2]time.Time) bool { return at.After(span[0]) && at.Before(span[1]) })
	}
	pods := map[string]bool{}
	for _, r := range removals {
		for app, answered := range s.fine {
			last := time.Time{}
			for _, at := range answered {
				if at.Before(r.At) {
					last = at
				}
			}
			if strings.HasPrefix(r.Pod, app+"-") && hung(r.At) && hung(last) {
				pods[r.Pod] = true
			}
		}
	}
	return pods
}

// remember takes the pods that there are for the first.
func (s *shop) remember(t *testing.T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.born = podsOf(t, s.lab, "shop", "")
}

// pods counts those of an app that there were at first and serve, and those that terminate.
func (s *shop) pods(r *http.Request, app string) (first, terminating int) {
	list, err := s.lab.Client.CoreV1().Pods("shop").List(r.Context(), meta.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		return -1, -1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range list.Items {
		if p.DeletionTimestamp != nil {
			terminating++
		} else if s.born == nil || s.born[string(p.UID)] {
			first++
		}
	}
	return first, terminating
}

// ended returns how often the kills of a workload ended with a verdict, by verdict and reason.
func ended(t *testing.T, l *lab.Lab, workload string) map[string][]v1alpha1.Kill {
	t.Helper()
	by := map[string][]v1alpha1.Kill{}
	for _, k := range recordsOf(t, l, workload) {
		if k.Status.Phase == v1alpha1.Ended {
			what := strings.TrimSpace(string(k.Status.Verdict) + " " + k.Status.Reason)
			by[what] = append(by[what], k)
		}
	}
	return by
}

func TestEachKindOfProbeDisprovesAKillAndVetoesTheNext(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l, "--set", "hypotheses.kinds[0].group=,hypotheses.kinds[0].resources[0]=pods")
	l.Kubectl(t, "", "create", "namespace", "shop")
	s := openShop(t, l)
	prometheus := lab.Prometheus(t, fmt.Sprintf("global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs: [{job_name: shop, static_configs: [{targets: [%q]}]}]", strings.TrimPrefix(s.URL, "http://")))
	believe(t, l, "Deployment", "http-during", fmt.Sprintf("http: {url: %q, jsonPath: '{.fine}', equals: 'true'}", s.URL+"/calm/http-during"))
	believe(t, l, "Deployment", "http-after", fmt.Sprintf("during: false, http: {url: %q}", s.URL+"/first/http-after"))
	believe(t, l, "Deployment", "metric-during", `prometheus: {query: 'shop_terminating{app="metric-during"}', max: "0"}`)
	believe(t, l, "Deployment", "metric-after", `during: false, prometheus: {query: 'shop_first{app="metric-after"}', min: "2"}`)
	believe(t, l, "Deployment", "field-during", "kubernetes: {apiVersion: apps/v1, kind: Deployment, name: field-during, jsonPath: '{.status.readyReplicas}', equals: '2'}")
	believe(t, l, "StatefulSet", "field-after", "during: false, kubernetes: {apiVersion: v1, kind: Pod, name: field-after-0, jsonPath: '{.metadata.uid}', equals: 'none yet'}")
	uid := l.Kubectl(t, "", "get", "pod", "field-after-0", "-n", "shop", "-o", "jsonpath={.metadata.uid}")
	l.Kubectl(t, "", "patch", "hypothesis", "field-after", "-n", "shop", "--type=json", "-p", fmt.Sprintf(`[{"op": "replace", "path": "/spec/probes/0/kubernetes/equals", "value": %q}]`, uid))
	s.remember(t)

	c := start(t, account, "CAPRICE_DRY_RUN=false", "CAPRICE_MAX_UNRECOVERED=0", "CAPRICE_PROBE_URLS=http://127.0.0.1", "CAPRICE_PROMETHEUS_URL="+prometheus)
	for _, kind := range []string{"http", "metric", "field"} {
		for _, when := range []string{"during", "after"} {
			lab.Eventually(t, "a kill that disproves by "+kind+" "+when, func() bool { return len(ended(t, l, kind+"-"+when)["Disproved"]) > 0 })
		}
		lab.Eventually(t, "a veto by "+kind, func() bool { return len(ended(t, l, kind+"-after")["Vetoed Hypothesis"]) > 0 })
	}
	c.stop(t)

	for _, kind := range []string{"http", "metric", "field"} {
		for _, when := range []string{"during", "after"} {
			name := kind + "-" + when
			for _, k := range ended(t, l, name)["Disproved"] {
				st := k.Status
				if st.RecoveredAt == nil || st.Recovery == nil || len(st.Probes) != 1 || !strings.Contains(st.Message, "hypothesis "+name+", probe asks: ") {
					t.Fatalf("%s: %+v, want it recovered, and what was found", name, st)
				}
				p := st.Probes[0]
				if p.Hypothesis != name || p.Probe != "asks" || p.Met || p.Worst == "" || p.Since == nil || p.Since.Before(&meta.MicroTime{Time: k.Spec.Planned.Time}) {
					t.Errorf("%s found %+v", name, p)
				}
				if when == "during" && p.Samples < 1 || when == "after" && p.Samples != 1 {
					t.Errorf("%s was wrong for %s in %d samples", name, p.WrongFor.Duration, p.Samples)
				}
			}
		}
		records := ended(t, l, kind+"-after")
		if len(records["Disproved"]) != 1 || len(records["Recovered"]) > 0 {
			t.Errorf("%s-after was killed %d times after it was disproved", kind, len(records["Disproved"])-1)
		}
	}
	warned := map[string]bool{}
	list, err := l.Client.EventsV1().Events("shop").List(t.Context(), meta.ListOptions{FieldSelector: "reason=" + string(chaos.Disproved)})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list.Items {
		warned[e.Regarding.Name] = warned[e.Regarding.Name] || e.Type == "Warning"
	}
	if len(warned) != 6 {
		t.Errorf("Events warn of %v, want all six", warned)
	}
	for _, k := range ended(t, l, "http-after")["Vetoed Hypothesis"] {
		if !strings.HasPrefix(k.Status.Message, "hypothesis http-after, probe asks: ") {
			t.Errorf("a veto says %q", k.Status.Message)
		}
	}
}

func TestAProbeThatHangsDelaysNoOtherKill(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	l.Kubectl(t, "", "create", "namespace", "shop")
	s := openShop(t, l)
	for i := range 9 {
		name := fmt.Sprint("quick-", i)
		believe(t, l, "Deployment", name, fmt.Sprintf("during: false, timeout: 1500ms, http: {url: %q}", s.URL+"/fine/"+name))
	}
	believe(t, l, "Deployment", "hangs", fmt.Sprintf("timeout: 1500ms, http: {url: %q}", s.URL+"/hangs"))
	believe(t, l, "Deployment", "hangs-later", fmt.Sprintf("timeout: 1500ms, http: {url: %q}", s.URL+"/hangs/hangs-later"))
	s.remember(t)
	c := start(t, account, "CAPRICE_DRY_RUN=false", "CAPRICE_MAX_UNRECOVERED=0", "CAPRICE_PROBE_URLS=http://127.0.0.1")
	lab.Eventually(t, "vetoes of the one that hangs, and the verdict of the one that does later", func() bool {
		return len(ended(t, l, "hangs")["Vetoed Hypothesis"]) > 1 && len(ended(t, l, "hangs-later")["Disproved"]) > 0
	})
	lab.Eventually(t, "kills whose probes were asked and answered while another hung", func() bool { return len(s.passed(t)) > 2 })
	c.stop(t)

	for _, r := range l.Removals(t) {
		if strings.HasPrefix(r.Pod, "hangs-") && !strings.HasPrefix(r.Pod, "hangs-later-") {
			t.Errorf("pod %s was removed, whose hypothesis has no answer", r.Pod)
		}
	}
}

func TestAHypothesisThatCannotWorkSaysSoAndVetoes(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	l.Kubectl(t, "", "create", "namespace", "shop")
	prometheus := lab.Prometheus(t, "global: {scrape_interval: 10s}")
	want := map[string]string{
		"url":     "probe asks: http://elsewhere.example/ is not among the addresses that PROBE_URLS allows",
		"kind":    "probe asks: no right to get configmaps: want configmaps among hypotheses.kinds of the chart",
		"nothing": "probe asks: there is no such kind Nothing in apps/v1",
		"server":  "probe asks: there is no Prometheus: want server in the probe, or PROMETHEUS_URL",
		"path":    "probe asks: jsonPath {..name}: want one expression",
		"query":   "probe asks: Prometheus refuses the query: ",
	}
	believe(t, l, "Deployment", "url", "http: {url: 'http://elsewhere.example/'}")
	believe(t, l, "Deployment", "kind", "kubernetes: {apiVersion: v1, kind: ConfigMap, name: web, jsonPath: '{.data.a}', equals: a}")
	believe(t, l, "Deployment", "nothing", "kubernetes: {apiVersion: apps/v1, kind: Nothing, name: web, jsonPath: '{.data.a}', equals: a}")
	believe(t, l, "Deployment", "server", "prometheus: {query: up, min: '1'}")
	believe(t, l, "Deployment", "path", "kubernetes: {apiVersion: apps/v1, kind: Deployment, name: path, jsonPath: '{..name}', equals: path}")
	believe(t, l, "Deployment", "query", fmt.Sprintf("prometheus: {query: 'up{', min: '1', server: %q}", prometheus))
	c := start(t, account, "CAPRICE_DRY_RUN=false", "CAPRICE_MAX_UNRECOVERED=0", "CAPRICE_PROBE_URLS=http://127.0.0.1")
	for name, says := range want {
		lab.Eventually(t, "the condition of "+name+" that says "+says, func() bool {
			ready, message := ready(t, l, name)
			return ready == meta.ConditionFalse && strings.HasPrefix(message, says)
		})
		lab.Eventually(t, "a veto of "+name, func() bool { return len(ended(t, l, name)["Vetoed Hypothesis"]) > 0 })
	}
	if removals := l.Removals(t); len(removals) > 0 {
		t.Errorf("pods were removed: %+v", removals)
	}
	list, err := l.Client.EventsV1().Events("shop").List(t.Context(), meta.ListOptions{FieldSelector: "reason=InvalidHypothesis"})
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	for _, e := range list.Items {
		if e.Type == "Warning" && e.Regarding.Kind == "Hypothesis" && strings.Contains(e.Note, want[e.Regarding.Name]) {
			told[e.Regarding.Name]++
		}
	}
	if once := map[string]int{"url": 1, "kind": 1, "nothing": 1, "server": 1, "path": 1, "query": 1}; !maps.Equal(told, once) {
		t.Errorf("Events tell of %v, want each once", told)
	}

	l.Kubectl(t, "", "patch", "hypothesis", "path", "-n", "shop", "--type=json", "-p", `[{"op": "replace", "path": "/spec/probes/0/kubernetes/jsonPath", "value": "{.metadata.name}"}]`)
	lab.Eventually(t, "a condition that it can be asked", func() bool { ready, _ := ready(t, l, "path"); return ready == meta.ConditionTrue })
	lab.Eventually(t, "a kill once it is mended", func() bool { return len(ended(t, l, "path")["Recovered"]) > 0 })

	// One whose workloads nobody can tell is about all of its namespace.
	l.Kubectl(t, `
apiVersion: caprice.chaos/v1alpha1
kind: Hypothesis
metadata: {name: odd, namespace: shop}
spec: {workloads: {matchExpressions: [{key: app, operator: Near}]}, probes: [{name: asks, prometheus: {query: up, min: "1"}}]}
`, "create", "-f", "-")
	lab.Eventually(t, "a veto of what it may be about", func() bool {
		for _, k := range ended(t, l, "path")["Vetoed Hypothesis"] {
			if strings.Contains(k.Status.Message, "hypothesis odd cannot work: spec.workloads cannot be read") {
				return true
			}
		}
		return false
	})
	c.stop(t)

	c = start(t, account, "CAPRICE_PROBE_NAMESPACES=team-*")
	lab.Eventually(t, "a condition of one whose namespace is not allowed", func() bool {
		ready, message := ready(t, l, "path")
		return ready == meta.ConditionFalse && strings.Contains(message, "PROBE_NAMESPACES")
	})
	c.stop(t)
}

// ready returns what the status of a hypothesis says, if that is of its present generation.
func ready(t *testing.T, l *lab.Lab, name string) (meta.ConditionStatus, string) {
	t.Helper()
	var h v1alpha1.Hypothesis
	if err := json.Unmarshal([]byte(l.Kubectl(t, "", "get", "hypothesis", name, "-n", "shop", "-o", "json")), &h); err != nil {
		t.Fatal(err)
	}
	for _, c := range h.Status.Conditions {
		if c.Type == v1alpha1.Ready && c.ObservedGeneration == h.Generation && h.Status.ObservedGeneration == h.Generation {
			return c.Status, c.Message
		}
	}
	return "", ""
}

func TestANewLeaderSamplesOn(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	l.Kubectl(t, "", "create", "namespace", "shop")
	s := openShop(t, l)
	believe(t, l, "Deployment", "web", fmt.Sprintf("during: true, http: {url: %q}", s.URL+"/first/web"))
	s.remember(t)
	l.Kubectl(t, "", "patch", "deploy/web", "-n", "shop", "-p", `{"spec": {"template": {"metadata": {"annotations": {"cluster.test/stops-after": "30s"}}}}}`)
	l.Kubectl(t, "", "rollout", "status", "-n", "shop", "deploy/web", "--timeout=60s")
	lab.Eventually(t, "the end of the older pods", func() bool { return len(podsOf(t, l, "shop", "")) == 2 })
	s.remember(t)
	c := start(t, account, "CAPRICE_DRY_RUN=false", "CAPRICE_PROBE_URLS=http://127.0.0.1")
	lab.Eventually(t, "a kill that is under way", func() bool {
		for _, k := range recordsOf(t, l, "web") {
			if k.Status.Phase == v1alpha1.Executed {
				return true
			}
		}
		return false
	})
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c = start(t, account, "CAPRICE_DRY_RUN=false", "CAPRICE_PROBE_URLS=http://127.0.0.1")
	lab.Eventually(t, "its verdict", func() bool { return len(ended(t, l, "web")["Disproved"]) > 0 })
	c.stop(t)
	k := ended(t, l, "web")["Disproved"][0].Status
	if len(k.Probes) != 1 || k.Probes[0].Samples < 2 || k.Probes[0].Met || !k.Probes[0].Since.Time.After(k.ExecutedAt.Time) {
		t.Errorf("found %+v of a kill at %s, want samples since the new leader", k.Probes, k.ExecutedAt)
	}
}

func TestAHypothesisThatIsNonsenseIsRefused(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	install(t, l)
	for _, test := range []struct{ why, probes, want string }{
		{"no probe", "", "spec.probes: Invalid value: 0: spec.probes in body should have at least 1 items"},
		{"two of a name", "{name: a, http: {url: 'http://a'}}, {name: a, http: {url: 'http://a'}}", `Duplicate value: {"name":"a"}`},
		{"a name with a space", "{name: a b, http: {url: 'http://a'}}", "want small letters, digits and dashes, as in error-rate"},
		{"nothing to ask", "{name: a}", "want exactly one of http, prometheus and kubernetes"},
		{"two things to ask", "{name: a, http: {url: 'http://a'}, prometheus: {query: up, min: '1'}}", "want exactly one of http, prometheus and kubernetes"},
		{"too often", "{name: a, interval: 100ms, http: {url: 'http://a'}}", "want a duration of 200ms to 1m, as in 1s"},
		{"a duration that is none", "{name: a, interval: soon, http: {url: 'http://a'}}", "want a duration of 200ms to 1m, as in 1s"},
		{"a timeout that would delay a kill", "{name: a, timeout: 2s, http: {url: 'http://a'}}", "want a duration of 1ms to 1500ms, as in 1s"},
		{"a tolerance below zero", "{name: a, tolerance: -1s, http: {url: 'http://a'}}", "want a duration of 0s to 1h, as in 5s"},
		{"a URL that is none", "{name: a, http: {url: web}}", "want a URL, as in http://web.shop.svc:8080/healthz"},
		{"a URL of another kind", "{name: a, http: {url: 'file:///etc/passwd'}}", "want a URL, as in http://web.shop.svc:8080/healthz"},
		{"a method that changes things", "{name: a, http: {url: 'http://a', method: DELETE}}", `supported values: "GET", "HEAD", "OPTIONS", "POST"`},
		{"statuses the wrong way round", "{name: a, http: {url: 'http://a', status: {min: 300, max: 200}}}", "want min to be max or less"},
		{"a path without a value", "{name: a, http: {url: 'http://a', jsonPath: '{.a}'}}", "want jsonPath and equals, or neither"},
		{"a path in no body", "{name: a, http: {url: 'http://a', method: HEAD, jsonPath: '{.a}', equals: a}}", "an answer to HEAD has no body"},
		{"a range without bounds", "{name: a, prometheus: {query: up}}", "want min, max or both"},
		{"a bound that is no text", "{name: a, prometheus: {query: up, min: 0.5}}", "must be of type string"},
		{"a bound that is no number", "{name: a, prometheus: {query: up, min: '5m'}}", "want a number in quotes"},
		{"bounds the wrong way round", "{name: a, prometheus: {query: up, min: '2', max: '1e0'}}", "want min to be max or less"},
		{"a path that leads elsewhere", "{name: a, kubernetes: {apiVersion: ../metrics, kind: Pod, name: a, jsonPath: '{.a}', equals: a}}", "want group/version, as in apps/v1"},
		{"a Secret", "{name: a, kubernetes: {apiVersion: v1, kind: Secret, name: a, jsonPath: '{.data.a}', equals: a}}", "records would tell what is in a Secret: want another kind"},
	} {
		_, err := l.Cluster.Kubectl(t.Context(), "{apiVersion: caprice.chaos/v1alpha1, kind: Hypothesis, metadata: {name: a}, spec: {probes: ["+test.probes+"]}}", "create", "-n", "default", "-f", "-")
		answered(t, test.why, err, test.want)
	}
	l.Kubectl(t, "", "create", "namespace", "shop")
	for _, example := range []string{"http", "prometheus", "kubernetes"} {
		l.Kubectl(t, "", "create", "-n", "shop", "-f", lab.Root()+"/examples/hypothesis-"+example+".yaml")
	}
}
