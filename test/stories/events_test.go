package stories

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	events "k8s.io/api/events/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
	"caprice/kubernetes"
	"caprice/test/lab"
)

// halt is one of the namespace shop.
const halt = `{"apiVersion": "caprice.chaos/v1alpha1", "kind": "Halt", "metadata": {"name": "release", "namespace": "shop"}, "spec": {"reason": "release day"}}`

// eventsOf returns the Events of Caprice by their reason.
func eventsOf(t *testing.T, l *lab.Lab) map[string][]events.Event {
	t.Helper()
	list, err := l.Client.EventsV1().Events("").List(t.Context(), meta.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]events.Event{}
	for _, e := range list.Items {
		if e.ReportingController == "caprice" {
			found[e.Reason] = append(found[e.Reason], e)
		}
	}
	return found
}

// commands are those of a page's section that ask the API server; without a section, of the whole page.
func commands(t *testing.T, page, section string) (lines []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(lab.Root(), page))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	if section != "" {
		_, text, _ = strings.Cut(text, "\n## "+section+"\n")
		text, _, _ = strings.Cut(text, "\n## ")
	}
	for line := range strings.Lines(text) {
		if asks := strings.HasPrefix(line, "    kubectl get ") || strings.HasPrefix(line, "    kubectl describe "); asks && !strings.Contains(line, "--raw") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if len(lines) == 0 {
		t.Fatalf("%s has no commands in section %q", page, section)
	}
	return lines
}

// crashed runs Caprice and kills it, as a node does that loses power, when it has claimed a kill that is not due yet.
func crashed(t *testing.T, l *lab.Lab, account string, env ...string) {
	t.Helper()
	c := start(t, account, env...)
	lab.Eventually(t, "a kill that is claimed and not due yet", func() bool {
		for _, k := range kills(t, l) {
			if k.Status.Phase == "" && time.Until(k.Spec.Planned.Time) > 300*time.Millisecond {
				return true
			}
		}
		return false
	})
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// doubts are a belief that each kill disproves, since a new pod takes its time to be Ready, and one that cannot be asked for.
const doubts = `---
apiVersion: caprice.chaos/v1alpha1
kind: Hypothesis
metadata: {name: doubted, namespace: shop}
spec:
  workloads: {matchLabels: {app: doubted}}
  probes: [{name: ready, kubernetes: {apiVersion: apps/v1, kind: Deployment, name: doubted, jsonPath: "{.status.readyReplicas}", equals: "2"}}]
---
apiVersion: caprice.chaos/v1alpha1
kind: Hypothesis
metadata: {name: unasked, namespace: shop}
spec:
  workloads: {matchLabels: {app: nobody}}
  probes: [{name: far, http: {url: "http://elsewhere.example/"}}]
`

func TestEachEventIsWhatTheReadmesCommandsPrint(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l, "--set", "rbac.evict=false")
	build(t, l)
	slow := strings.NewReplacer("NAME", "slow", "PRIORITY", "", "200ms", "20s").Replace(sparable)
	refused := strings.NewReplacer("NAME", "refused", "PRIORITY", "").Replace(sparable)
	doubted := strings.NewReplacer("NAME", "doubted", "PRIORITY", "", "200ms", "200ms, cluster.test/ready-after: 3s", "labels: {caprice", "labels: {app: doubted, caprice").Replace(sparable)
	l.Kubectl(t, slow+"---"+refused+"---"+doubted+doubts, "apply", "-f", "-")
	l.Kubectl(t, "", "annotate", "deploy/refused", "-n", "shop", "caprice.chaos/method=evict")
	for _, name := range []string{"slow", "refused", "doubted"} {
		l.Kubectl(t, "", "rollout", "status", "-n", "shop", "deploy/"+name, "--timeout=60s")
	}
	env := []string{"CAPRICE_DEPLOYMENT=caprice", "CAPRICE_RECOVERY_DEADLINE=5s", "CAPRICE_LATE_GRACE=5s"}
	told := func(reason string) bool { // where the commands ask
		return slices.ContainsFunc(eventsOf(t, l)[reason], func(e events.Event) bool { return e.Namespace == "shop" || e.Namespace == "caprice" })
	}

	c := start(t, account, env...)
	lab.Eventually(t, "a rehearsal", func() bool { return told("KillRehearsed") })
	c.stop(t)
	env = append(env, "CAPRICE_DRY_RUN=false")
	for !told("KillAbandoned") || !told("KillMissed") {
		crashed(t, l, account, env...)
		c = start(t, account, env...)
		begin := time.Now()
		lab.Eventually(t, "an end of all that was due before", func() bool { return c.logged("kill ended") > 0 && len(open(t, l, begin)) == 0 })
		c.stop(t)
	}
	c = start(t, account, env...)
	l.Kubectl(t, halt, "create", "-f", "-")
	lab.Eventually(t, "a veto", func() bool { return told("KillVetoed") && told("ChaosHalted") })
	l.Kubectl(t, "", "delete", "halt", "release", "-n", "shop")
	for _, w := range kubernetes.EventWords() {
		lab.Eventually(t, w.Reason, func() bool { return told(w.Reason) })
	}
	l.Kubectl(t, strings.ReplaceAll(halt, `"release"`, `"stop"`), "create", "-f", "-")

	var printed string
	for _, line := range append(commands(t, "README.md", "Events"), commands(t, "docs/troubleshooting.md", "")...) {
		out := l.Kubectl(t, "", strings.Fields(line)[1:]...)
		t.Logf("%s\n%s", line, out)
		if strings.Contains(out, "No resources found") && !strings.Contains(line, "get pods") { // the story has no pods of its own
			t.Errorf("%s prints nothing", line)
		}
		if printed == "" {
			printed = out
		}
	}
	c.stop(t)
	found, records := eventsOf(t, l), map[string]v1alpha1.Kill{}
	for _, k := range kills(t, l) {
		records[k.Name] = k
	}
	ends := map[string]string{} // what is told of each kill and pod, and of anything else in other words
	for _, w := range kubernetes.EventWords() {
		if !strings.Contains(printed, w.Reason) {
			t.Errorf("kubectl get events does not print %s", w.Reason)
		}
		for _, e := range found[w.Reason] {
			about := e.Note
			if e.Related != nil {
				about = e.Related.Name + string(e.Related.UID)
			}
			if before := ends[about]; before != "" {
				t.Errorf("of %s of %s %s tells, and %s did before: %s", about, e.Regarding.Name, e.Reason, before, e.Note)
			}
			ends[about] = e.Reason
			if e.Type != w.Type || (e.Regarding.Namespace == "caprice") != strings.HasPrefix(w.Regarding, "Caprice") {
				t.Errorf("%s %s regards %+v, want what the README says: %+v", e.Type, e.Reason, e.Regarding, w)
			}
			switch {
			case w.Related == "record":
				if k, ok := records[e.Related.Name]; !ok || k.Spec.Workload.UID != string(e.Regarding.UID) || k.Status.Verdict == "" {
					t.Errorf("%s is related to %+v, which is no record of %s that has ended", e.Reason, e.Related, e.Regarding.Name)
				}
			case w.Related == "pod":
				name := e.Note[strings.LastIndex(e.Note, " ")+1:]
				if _, ok := records[name]; !ok || e.Related.Kind != "Pod" {
					t.Errorf("%q names no record, or is related to %+v and not to a pod", e.Note, e.Related)
				}
			}
		}
	}
}
