package stories

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

// patient is a workload that is called web, in a namespace of its own, and killed about every 12 seconds.
type patient struct {
	kind      string
	namespace string
	labels    string // as in ", caprice.chaos/kill-mode: kill-all"
	terms     string // annotations
	replicas  string // and whatever else belongs into its spec
	ready     string // how long its pods take to be
	pods      string // what else belongs into their spec, as in ", nodeSelector: {}"
}

func (p patient) String() string {
	return fmt.Sprintf(`
{apiVersion: v1, kind: Namespace, metadata: {name: %[1]s}}
---
apiVersion: apps/v1
kind: %[2]s
metadata:
  name: web
  namespace: %[1]s
  labels: {caprice.chaos/enabled: "true", caprice.chaos/mean-time-between-kills: 12s%[3]s}
  annotations: {%[4]s}
spec:
  %[5]s
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {cluster.test/ready-after: %[6]s, cluster.test/stops-after: 500ms}}
    spec: {containers: [{name: web, image: web}]%[7]s}
`, p.namespace, p.kind, p.labels, p.terms, p.replicas, p.ready, p.pods)
}

// killsIn returns the records of a namespace.
func killsIn(t *testing.T, l *lab.Lab, namespace string) []v1alpha1.Kill {
	t.Helper()
	raw, err := l.Client.Discovery().RESTClient().Get().AbsPath("/apis/caprice.chaos/v1alpha1/namespaces/" + namespace + "/kills").Do(t.Context()).Raw()
	if err != nil {
		t.Fatal(err)
	}
	var list v1alpha1.KillList
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// awaitKill waits for a record in a namespace that is as wanted, and returns it.
func awaitKill(t *testing.T, l *lab.Lab, namespace, what string, is func(v1alpha1.Kill) bool) (found v1alpha1.Kill) {
	t.Helper()
	lab.Eventually(t, what+" in "+namespace, func() bool {
		all := killsIn(t, l, namespace)
		i := slices.IndexFunc(all, is)
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	return found
}

// awaitEnd waits until a kill has its verdict.
func awaitEnd(t *testing.T, l *lab.Lab, k v1alpha1.Kill) v1alpha1.Kill {
	t.Helper()
	return awaitKill(t, l, k.Namespace, "the verdict of "+k.Name, func(other v1alpha1.Kill) bool {
		return other.Name == k.Name && other.Status.Phase == v1alpha1.Ended
	})
}

// judged fails unless a kill has the verdict, and its message has the words.
func judged(t *testing.T, k v1alpha1.Kill, verdict, words string) {
	t.Helper()
	if string(k.Status.Verdict) != verdict || !strings.Contains(k.Status.Message, words) {
		t.Errorf("%s/%s is %s with %q; want %s, and %q in it", k.Namespace, k.Name, k.Status.Verdict, k.Status.Message, verdict, words)
	}
}

// healed fails unless the times of a kill that was recovered from are all there, and follow each other.
func healed(t *testing.T, l *lab.Lab, k v1alpha1.Kill) {
	t.Helper()
	s := k.Status
	if s.Verdict != "Recovered" {
		t.Fatalf("%s/%s is %s: %s", k.Namespace, k.Name, s.Verdict, s.Message)
	}
	var last time.Time
	for i, at := range []*meta.MicroTime{s.ClaimedAt, s.ExecutedAt, s.FirstReadyAt, s.RecoveredAt, s.EndedAt} {
		switch {
		case at == nil:
			t.Fatalf("%s/%s lacks time %d of claimed, executed, first ready, recovered and ended: %+v", k.Namespace, k.Name, i+1, s)
		case at.Time.Before(last):
			t.Errorf("%s/%s: time %d of claimed, executed, first ready, recovered and ended comes before the one before: %+v", k.Namespace, k.Name, i+1, s)
		}
		last = at.Time
	}
	removed := 0
	for _, r := range l.Removals(t) {
		if slices.ContainsFunc(k.Spec.Targets, func(p v1alpha1.Target) bool { return p.UID == r.UID }) && r.Accepted {
			removed++
			if !r.At.Before(s.FirstReadyAt.Time) && k.Spec.Count == 1 {
				t.Errorf("%s/%s: a new pod was Ready at %s, before the API server removed the old one at %s", k.Namespace, k.Name, s.FirstReadyAt, r.At)
			}
		}
	}
	if removed == 0 {
		t.Errorf("the audit log knows nothing of %s/%s", k.Namespace, k.Name)
	}
}

// patch changes the Deployment web of a namespace.
func patch(t *testing.T, l *lab.Lab, namespace, change string) {
	t.Helper()
	if _, err := l.Client.AppsV1().Deployments(namespace).Patch(t.Context(), "web", types.StrategicMergePatchType, []byte(change), meta.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// label sets a label of all nodes, or takes it away if it is null.
func label(t *testing.T, l *lab.Lab, key, value string) {
	t.Helper()
	nodes, err := l.Client.CoreV1().Nodes().List(t.Context(), meta.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes.Items {
		change := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%s}}}`, key, value)
		if _, err := l.Client.CoreV1().Nodes().Patch(t.Context(), n.Name, types.StrategicMergePatchType, change, meta.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// serves waits until the workload web of a namespace is rolled out.
func serves(t *testing.T, l *lab.Lab, kind, namespace string) {
	t.Helper()
	l.Kubectl(t, "", "rollout", "status", "-n", namespace, strings.ToLower(kind)+"/web", "--timeout=5m")
}

// strand has a workload whose nodes are gone once it serves: what is killed of it cannot come back before settle.
func strand(t *testing.T, l *lab.Lab, p patient) {
	t.Helper()
	settle(t, l, p.namespace)
	p.pods = ", nodeSelector: {" + p.namespace + ": home}"
	l.Kubectl(t, p.String(), "apply", "-f", "-")
	serves(t, l, p.kind, p.namespace)
	label(t, l, p.namespace, "null")
}

// settle gives the workloads of a namespace nodes to be on.
func settle(t *testing.T, l *lab.Lab, namespace string) {
	t.Helper()
	label(t, l, namespace, `"home"`)
}

// stranded returns a kill whose verdict waits for settle: the scheduler has found no node for what comes in place of its pods.
func stranded(t *testing.T, l *lab.Lab, namespace string) v1alpha1.Kill {
	t.Helper()
	lab.Eventually(t, "a pod without a node in "+namespace, func() bool {
		pods, err := l.Client.CoreV1().Pods(namespace).List(t.Context(), meta.ListOptions{})
		return err == nil && slices.ContainsFunc(pods.Items, func(p core.Pod) bool {
			return slices.ContainsFunc(p.Status.Conditions, func(c core.PodCondition) bool {
				return c.Type == core.PodScheduled && c.Reason == core.PodReasonUnschedulable
			})
		})
	})
	return awaitKill(t, l, namespace, "a kill", func(k v1alpha1.Kill) bool { return k.Status.Phase == v1alpha1.Executed })
}

// falls has a Deployment that does not recover.
func falls(t *testing.T, l *lab.Lab, namespace string) v1alpha1.Kill {
	t.Helper()
	strand(t, l, patient{kind: "Deployment", namespace: namespace, replicas: "replicas: 3", ready: "0s", terms: "caprice.chaos/recovery-deadline: 3s"})
	return awaitKill(t, l, namespace, "a kill that it does not recover from", func(k v1alpha1.Kill) bool { return k.Status.Verdict == "NotRecovered" })
}

// Those whose recovery needs nothing but patience are looked at last.
func TestHowAWorkloadHealsIsJudged(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	c := start(t, install(t, l, "--set", "rbac.evict=true"), "CAPRICE_DRY_RUN=false", "CAPRICE_MAX_UNRECOVERED=0", "CAPRICE_RECOVERY_DEADLINE=90s")
	patients := []patient{
		{kind: "Deployment", namespace: "deployment", replicas: "replicas: 3", ready: "2s"},
		{kind: "StatefulSet", namespace: "statefulset", replicas: "replicas: 3", ready: "2s"},
		{kind: "DaemonSet", namespace: "daemonset", replicas: "minReadySeconds: 0", ready: "2s"},
		{kind: "Deployment", namespace: "kill-all", replicas: "replicas: 3", ready: "2s", labels: ", caprice.chaos/kill-mode: kill-all"},
	}
	for _, p := range patients {
		l.Kubectl(t, p.String(), "apply", "-f", "-")
	}
	t.Run("stories", func(t *testing.T) {
		t.Run("not recovered, vetoed, acknowledged", func(t *testing.T) {
			t.Parallel()
			leftInPeace(t, l)
		})
		for _, test := range []struct {
			why, change, verdict string
			deadline             string
			ready                int32
		}{
			{"rollout", `{"spec":{"template":{"metadata":{"annotations":{"cluster.test/ready-after":"1s"}}}}}`, "Recovered", "4m", 3},
			{"broken-rollout", `{"spec":{"template":{"metadata":{"annotations":{"cluster.test/ready-after":"never"}}}}}`, "NotRecovered", "2m", 0},
			{"scaling", `{"spec":{"replicas":5}}`, "Recovered", "4m", 5},
			{"scaling-to-none", `{"spec":{"replicas":0}}`, "Recovered", "4m", 0},
		} {
			t.Run(test.why+" meanwhile", func(t *testing.T) {
				t.Parallel()
				strand(t, l, patient{kind: "Deployment", namespace: test.why, replicas: "replicas: 3", ready: "2s", terms: "caprice.chaos/recovery-deadline: " + test.deadline})
				k := stranded(t, l, test.why)
				patch(t, l, test.why, test.change)
				settle(t, l, test.why)
				k = awaitEnd(t, l, k)
				judged(t, k, test.verdict, "a rollout or scaling began meanwhile")
				if test.verdict == "Recovered" && *k.Status.ReadyAfter != test.ready {
					t.Errorf("%d pods were ready when it was whole, want %d", *k.Status.ReadyAfter, test.ready)
				}
			})
		}
		t.Run("a StatefulSet is made smaller meanwhile, by pods that drain for long", func(t *testing.T) {
			t.Parallel()
			strand(t, l, patient{kind: "StatefulSet", namespace: "smaller", replicas: "replicas: 5", ready: "1s", terms: "caprice.chaos/recovery-deadline: 3m"})
			k := stranded(t, l, "smaller")
			for _, pod := range []string{"web-3", "web-4"} {
				if pod != k.Spec.Targets[0].Name {
					l.Kubectl(t, "", "annotate", "pod", pod, "-n", "smaller", "--overwrite", "cluster.test/stops-after=10m")
				}
			}
			l.Kubectl(t, "", "scale", "statefulset/web", "-n", "smaller", "--replicas=3")
			settle(t, l, "smaller")
			judged(t, awaitEnd(t, l, k), "Recovered", "a rollout or scaling began meanwhile")
			if pods := l.Kubectl(t, "", "get", "pods", "-n", "smaller", "-o", "name"); !strings.Contains(pods, "web-3") && !strings.Contains(pods, "web-4") {
				t.Errorf("there are\n%swant that one of those that go was still there", pods)
			}
		})
		t.Run("a StatefulSet's canary is stopped meanwhile", func(t *testing.T) {
			t.Parallel()
			strand(t, l, patient{kind: "StatefulSet", namespace: "canary", replicas: "replicas: 3\n  podManagementPolicy: Parallel", ready: "1s", terms: "caprice.chaos/recovery-deadline: 4m"})
			k := stranded(t, l, "canary")
			l.Kubectl(t, "", "patch", "statefulset/web", "-n", "canary", "-p", `{"spec": {"template": {"metadata": {"annotations": {"revision": "2"}}}}}`)
			lab.Eventually(t, "a canary", func() bool {
				return l.Kubectl(t, "", "get", "statefulset/web", "-n", "canary", "-o", "jsonpath={.status.updatedReplicas}") == "1"
			})
			l.Kubectl(t, "", "patch", "statefulset/web", "-n", "canary", "-p", `{"spec": {"updateStrategy": {"rollingUpdate": {"partition": 3}}}}`)
			settle(t, l, "canary")
			judged(t, awaitEnd(t, l, k), "Recovered", "a rollout or scaling began meanwhile")
			awaitKill(t, l, "canary", "one that is spared for the canary", func(k v1alpha1.Kill) bool {
				return k.Status.Reason == "Rollout" && strings.Contains(k.Status.Message, "1 replicas below its partition are updated, and would go back")
			})
		})
		t.Run("a budget cuts it short", func(t *testing.T) {
			t.Parallel()
			l.Kubectl(t, `
{apiVersion: v1, kind: Namespace, metadata: {name: partial}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: partial}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
`, "apply", "-f", "-")
			strand(t, l, patient{kind: "Deployment", namespace: "partial", replicas: "replicas: 3", ready: "2s", labels: `, caprice.chaos/kill-value: "2"`, terms: "caprice.chaos/method: evict"})
			k := stranded(t, l, "partial")
			settle(t, l, "partial")
			k = awaitEnd(t, l, k)
			healed(t, l, k)
			if k.Status.Reason != "Partial" || !strings.Contains(k.Status.Message, "disruption budget") || k.Spec.Count != 2 {
				t.Errorf("of %d pods: reason %q, message %q; want it to be Partial, for the budget", k.Spec.Count, k.Status.Reason, k.Status.Message)
			}
		})
	})
	for _, p := range patients {
		t.Run("recovered "+p.namespace, func(t *testing.T) {
			k := awaitKill(t, l, p.namespace, "a kill that it recovers from", func(k v1alpha1.Kill) bool { return k.Status.Verdict == "Recovered" })
			healed(t, l, k)
			if took := k.Status.RecoveredAt.Sub(k.Status.ExecutedAt.Time); took < 1900*time.Millisecond || k.Spec.RecoveryDeadline.Duration != 90*time.Second {
				t.Errorf("it took %s with a deadline of %s; its pods are Ready after 2s, and the deadline is 90s", took, k.Spec.RecoveryDeadline.Duration)
			}
			if p.namespace == "kill-all" && k.Spec.Count != 3 {
				t.Errorf("%d pods were killed, want 3", k.Spec.Count)
			}
		})
	}
	c.stop(t)
}

// leftInPeace tells of a workload that does not recover, and is left in peace until somebody acknowledges that.
func leftInPeace(t *testing.T, l *lab.Lab) {
	k := falls(t, l, "falls")
	judged(t, k, "NotRecovered", "it was not whole within 3s: 2 of 3 replicas are available")
	lab.Eventually(t, "a Warning", func() bool {
		return strings.Contains(l.Kubectl(t, "", "get", "events", "-n", "falls", "--field-selector", "reason=NotRecovered,type=Warning"), "deployment/web")
	})
	if selected := l.Kubectl(t, "", "get", "kills", "-n", "falls", "--field-selector", "status.verdict=NotRecovered", "-o", "name"); strings.TrimSpace(selected) != "kill.caprice.chaos/"+k.Name {
		t.Errorf("by its verdict the API server finds %q, want %s", selected, k.Name)
	}
	spared := func(after time.Time) v1alpha1.Kill {
		return awaitKill(t, l, "falls", "a veto", func(k v1alpha1.Kill) bool {
			return k.Status.Reason == "Unacknowledged" && k.Spec.Planned.After(after)
		})
	}
	judged(t, spared(time.Time{}), "Vetoed", "caprice ack "+k.Name+" -n falls --comment WHAT")
	settle(t, l, "falls")
	serves(t, l, "Deployment", "falls")
	l.Kubectl(t, "", "annotate", "kill", k.Name, "-n", "falls", "caprice.chaos/acknowledged-by=kim", "--as=kim", "--as-group=system:masters")
	spared(time.Now().Add(3 * time.Second)) // though it is whole again, since nobody says what was found
	acknowledged := time.Now()
	l.Kubectl(t, "", "annotate", "kill", k.Name, "-n", "falls", "caprice.chaos/acknowledged-comment=its nodes were gone", "--as=kim", "--as-group=system:masters")
	healed(t, l, awaitKill(t, l, "falls", "a kill that it recovers from", func(k v1alpha1.Kill) bool {
		return k.Status.Verdict == "Recovered" && k.Spec.Planned.After(acknowledged)
	}))
	for _, other := range killsIn(t, l, "falls") {
		if at := other.Status.ExecutedAt; at != nil && at.After(k.Status.EndedAt.Time) && at.Time.Before(acknowledged) {
			t.Errorf("it was struck at %s, before anybody had acknowledged", at)
		}
	}
}

func TestANewLeaderTakesVerificationOver(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	env := []string{"CAPRICE_DRY_RUN=false", "CAPRICE_MAX_UNRECOVERED=0"}
	leader := start(t, account, env...)
	fallen := falls(t, l, "falls")
	settle(t, l, "falls")
	strand(t, l, patient{kind: "Deployment", namespace: "heals", replicas: "replicas: 3", ready: "2s", terms: "caprice.chaos/recovery-deadline: 4m"})
	next := start(t, account, env...)
	lab.Eventually(t, "a standby", func() bool { return next.logged("armed workloads=") > 0 })
	k := stranded(t, l, "heals")
	if err := leader.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	settle(t, l, "heals")
	healed(t, l, awaitEnd(t, l, k))
	if next.logged("verdict=Recovered") == 0 {
		t.Error("the next leader did not tell of it")
	}
	spared := awaitKill(t, l, "falls", "a veto by the next leader", func(k v1alpha1.Kill) bool {
		return k.Status.Phase == v1alpha1.Ended && k.Spec.Planned.After(killed.Add(15*time.Second))
	})
	judged(t, spared, "Vetoed", fallen.Name)
	next.stop(t)
}
