package stories

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
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

// notification is what the receivers below are told.
type notification struct {
	Verdict, Namespace, Record, Message string
	Date                                string
	Kills, Workloads                    int
}

// receivers take what is posted to /good and /team, and treat everybody else badly.
type receivers struct {
	release chan struct{}
	mu      sync.Mutex
	told    map[string][]notification // by path
	asked   map[string]int
}

func (r *receivers) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	body, err := io.ReadAll(in.Body)
	var n notification
	r.mu.Lock()
	r.asked[in.URL.Path]++
	if err == nil && json.Unmarshal(body, &n) == nil {
		r.told[in.URL.Path] = append(r.told[in.URL.Path], n)
	}
	r.mu.Unlock()
	switch in.URL.Path {
	case "/hangs":
		<-r.release
	case "/ill":
		http.Error(out, in.URL.String(), http.StatusInternalServerError)
	case "/cuts":
		panic(http.ErrAbortHandler)
	}
}

// busy is what the record of a kill says that a busy machine has kept from being on time: its API server did not answer, or the
// lease could not be renewed.
var busy = regexp.MustCompile(`^(there was no leader to carry it out|the API server did not answer in time|its record could not be written in time|its turn did not come in time)`)

// verdicts returns what a path was told of kills, by namespace and record, and what it was told in the morning.
func (r *receivers) verdicts(t *testing.T, path string) (verdicts map[string]string, mornings []notification) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	verdicts = map[string]string{}
	for _, n := range r.told[path] {
		key := n.Namespace + "/" + n.Record
		switch {
		case n.Date != "":
			mornings = append(mornings, n)
		case verdicts[key] != "":
			t.Errorf("%s was told twice of %s: %s and %s", path, key, verdicts[key], n.Verdict)
		default:
			verdicts[key] = n.Verdict
		}
	}
	return verdicts, mornings
}

// shops are so many Deployments in two namespaces, each killed every ten seconds.
func shops(t *testing.T, l *lab.Lab, each int) {
	t.Helper()
	var all strings.Builder
	for _, namespace := range []string{"shop", "team"} {
		fmt.Fprintf(&all, "{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {caprice.chaos/enabled: 'true', caprice.chaos/mean-time-between-kills: 10s}}}\n---\n", namespace)
		for i := range each {
			fmt.Fprintf(&all, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: d%d, namespace: %s}, spec: {replicas: 2, selector: {matchLabels: {app: d%d}},
  template: {metadata: {labels: {app: d%d}, annotations: {cluster.test/stops-after: 200ms}}, spec: {containers: [{name: web, image: web}]}}}}
---
`, i, namespace, i, i)
		}
	}
	l.Kubectl(t, all.String(), "apply", "-f", "-")
	l.Kubectl(t, "", "label", "namespace", "team", "caprice.chaos/notify=team")
	lab.Eventually(t, "all replicas", func() bool {
		list, err := l.Client.AppsV1().Deployments("").List(t.Context(), meta.ListOptions{})
		available := 0
		for _, d := range list.Items {
			available += int(d.Status.AvailableReplicas)
		}
		return err == nil && available == 2*2*each
	})
}

// Twenty kills a second, one receiver that works, and three that do not. It has the machine for itself, since what keeps kills
// from being on time must be theirs alone.
func TestAKillStormIsOnTimeWhoeverIsDeafToIt(t *testing.T) {
	const secret = "S3CR3Tk1l2m3"
	r := &receivers{release: make(chan struct{}), told: map[string][]notification{}, asked: map[string]int{}}
	server := httptest.NewServer(r)
	defer server.Close()
	defer close(r.release)
	file := filepath.Join(t.TempDir(), "notifications.yaml")
	targets := "cluster: lab\ntargets:\n"
	for _, name := range []string{"good", "team", "hangs", "ill", "cuts"} {
		targets += fmt.Sprintf("- {name: %s, url: \"generic+%s/%s?template=json&@Authorization=%s\", morning: %t, byLabel: %t, verdicts: [%s]}\n",
			name, server.URL, name, secret, name != "team", name == "team", strings.Trim(strings.Join(strings.Fields(fmt.Sprint(chaos.Verdicts)), ", "), "[]"))
	}
	if err := os.WriteFile(file, []byte(targets), 0o600); err != nil {
		t.Fatal(err)
	}

	l := lab.Start(t)
	account := install(t, l)
	const each = 100
	shops(t, l, each)
	c := start(t, account, "CAPRICE_DRY_RUN=false", "CAPRICE_MAX_UNRECOVERED=0", "CAPRICE_NOTIFICATIONS_FILE="+file)
	killed := func() int { return c.logged("pod killed") }
	lab.Eventually(t, "a kill", func() bool { return killed() >= 1 })
	begin := time.Now()
	lab.Eventually(t, "a storm", func() bool { return killed() >= 200 })
	end := time.Now()
	lab.Eventually(t, "verdicts on all of it", func() bool { return len(open(t, l, end)) == 0 })
	records := kills(t, l)
	lab.Eventually(t, "that who listens is told", func() bool {
		good, _ := r.verdicts(t, "/good")
		team, _ := r.verdicts(t, "/team")
		return !slices.ContainsFunc(records, func(k v1alpha1.Kill) bool {
			key := k.Namespace + "/" + k.Name
			return k.Status.Phase == v1alpha1.Ended && (good[key] == "" || k.Namespace == "team" && team[key] == "")
		})
	})
	told := time.Now()
	c.stop(t)
	took := time.Since(told)

	removed := map[string]lab.Removal{}
	for _, removal := range l.Removals(t) {
		removed[removal.UID] = removal
	}
	var latest time.Duration
	deaths := 0
	for _, k := range records {
		if k.Status.Verdict == v1alpha1.Verdict(chaos.Missed) && !busy.MatchString(k.Status.Message) {
			t.Errorf("kill %s/%s: Missed: %s", k.Namespace, k.Name, k.Status.Message)
		}
		for _, death := range k.Status.Pods {
			at, ok := removed[death.UID]
			late := at.At.Sub(k.Spec.Planned.Time)
			if death.KilledAt != nil && (!ok || late < 0 || late > time.Minute) {
				t.Errorf("kill %s/%s of %s: the audit log has it %s later", k.Namespace, k.Name, k.Spec.Planned, late)
			}
			if death.KilledAt != nil { // another kill may have removed it later
				latest = max(latest, late)
				deaths++
			}
		}
	}
	good, mornings := r.verdicts(t, "/good")
	team, _ := r.verdicts(t, "/team")
	for _, k := range records {
		key := k.Namespace + "/" + k.Name
		if k.Status.Phase != v1alpha1.Ended {
			continue
		}
		if good[key] != string(k.Status.Verdict) {
			t.Errorf("kill %s ended as %s, and the good receiver was told %q", key, k.Status.Verdict, good[key])
		}
		if _, ok := team[key]; ok != (k.Namespace == "team") {
			t.Errorf("kill %s was told to its namespace's target: %t", key, ok)
		}
	}
	if len(mornings) != 1 || mornings[0].Workloads != 2*each || mornings[0].Kills < 1000 || !strings.HasPrefix(mornings[0].Message, "[lab] kills planned for ") {
		t.Errorf("in the morning it was told %+v", mornings)
	}
	if c.logged("notifications ended target=hangs sent=0") != 1 || c.logged("notifications ended target=good") != 1 {
		t.Error("it does not say what became of the notifications")
	}
	if published := l.Kubectl(t, "", "get", "configmaps,events.events.k8s.io,kills", "-A", "-o", "json"); strings.Contains(published, secret) || c.logged(secret)+c.logged(server.Listener.Addr().String()) > 0 {
		t.Error("a token or a URL is published or logged")
	}
	t.Logf("%d kills of %d pods in %s, the latest %s after its instant; ended in %s; asked %v", len(records), deaths, end.Sub(begin), latest, took, r.asked)
}
