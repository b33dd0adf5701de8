package stories

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

// gatesOf returns what explain says of each gate: its answer and why.
func gatesOf(t *testing.T, l *lab.Lab, namespace, workload string) map[string]string {
	t.Helper()
	var x struct {
		Gates []struct{ Gate, Answer, Why string }
	}
	if err := json.Unmarshal([]byte(command(t, l.Kubeconfig, "explain", workload, "-n", namespace, "-o", "json")), &x); err != nil {
		t.Fatal(err)
	}
	gates := map[string]string{}
	for _, g := range x.Gates {
		gates[g.Gate] = g.Answer + " " + g.Why
	}
	return gates
}

// noon is a time zone in which no day ends soon.
var noon = time.FixedZone(fmt.Sprintf("Etc/GMT%+d", time.Now().UTC().Hour()-12), (12-time.Now().UTC().Hour())*3600)

// struck writes a record of a kill of a workload that was planned a second ago and executed then, with a status.
func struck(t *testing.T, l *lab.Lab, name string, status string) {
	t.Helper()
	at := time.Now().Add(-time.Second).Truncate(time.Millisecond)
	uid := l.Kubectl(t, "", "get", "deploy/"+name, "-n", "shop", "-o", "jsonpath={.metadata.uid}")
	micro := at.UTC().Format("2006-01-02T15:04:05.000000Z07:00")
	l.Kubectl(t, fmt.Sprintf(`
apiVersion: caprice.chaos/v1alpha1
kind: Kill
metadata: {name: %[5]s, namespace: shop, labels: {caprice.chaos/date: "%[3]s", caprice.chaos/workload-uid: %[2]s}}
spec: {workload: {kind: Deployment, name: %[1]s, uid: %[2]s}, planned: "%[4]s", date: "%[3]s", mode: fixed, count: 1, method: delete, holder: h, nonce: once, actBefore: "%[4]s"}
`, name, uid, at.In(noon).Format(time.DateOnly), micro, v1alpha1.Name(uid, at)), "create", "-f", "-", "--as=system:serviceaccount:tools:writer", "--as-group=system:masters")
	l.Kubectl(t, "", "patch", "kill", v1alpha1.Name(uid, at), "-n", "shop", "--subresource=status", "--type=merge", "-p",
		fmt.Sprintf(`{"status": {%s, "executedAt": "%s"}}`, status, micro), "--as=system:serviceaccount:tools:writer", "--as-group=system:masters")
}

// crowd creates so many Deployments that opted in, in a namespace of their own, without pods.
func crowd(t *testing.T, l *lab.Lab, size int) {
	t.Helper()
	l.Kubectl(t, "", "create", "namespace", "crowd")
	create := func(n int) error {
		name, none := fmt.Sprint("one-", n), int32(0)
		app := map[string]string{"app": name}
		_, err := l.Client.AppsV1().Deployments("crowd").Create(t.Context(), &apps.Deployment{
			ObjectMeta: meta.ObjectMeta{Name: name, Labels: map[string]string{"caprice.chaos/enabled": "true"}},
			Spec: apps.DeploymentSpec{
				Paused: true, Replicas: &none, Selector: &meta.LabelSelector{MatchLabels: app},
				Template: core.PodTemplateSpec{ObjectMeta: meta.ObjectMeta{Labels: app}, Spec: core.PodSpec{Containers: []core.Container{{Name: "one", Image: "one"}}}},
			},
		}, meta.CreateOptions{})
		return err
	}
	const creators = 16
	var creating sync.WaitGroup
	errs := make([]error, creators)
	for i := range creators {
		creating.Go(func() {
			for n := i; n < size && errs[i] == nil; n += creators {
				errs[i] = create(n)
			}
		})
	}
	if creating.Wait(); errors.Join(errs...) != nil {
		t.Fatal(errors.Join(errs...))
	}
}

func TestExplainNamesTheGateThatSpares(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	l.Kubectl(t, "", "create", "namespace", "shop")
	names := []string{"fine", "rolling", "degraded", "budgeted", "critical", "few", "halted", "healing", "soon", "renamed", "fallen", "believed"}
	for _, name := range names {
		priority := map[string]string{"critical": "system-cluster-critical"}[name]
		manifest := strings.NewReplacer("NAME", name, "PRIORITY", priority, "kills: 10s", "kills: 1000d").Replace(sparable)
		l.Kubectl(t, manifest, "apply", "-f", "-")
	}
	for _, name := range names {
		l.Kubectl(t, "", "rollout", "status", "-n", "shop", "deploy/"+name, "--timeout=60s")
	}
	c := start(t, account, "CAPRICE_DRY_RUN=false", "CAPRICE_TIME_ZONE="+noon.String(), "CAPRICE_MAX_KILLS_PER_DAY_PER_NAMESPACE=4")
	lab.Eventually(t, "its configuration", func() bool { return c.logged("configuration published") == 1 })
	c.stop(t)

	pod := strings.Fields(l.Kubectl(t, "", "get", "pods", "-n", "shop", "-l", "app=degraded", "-o", "name"))[0]
	l.Kubectl(t, "", "patch", pod, "-n", "shop", "--subresource=status", "-p", `{"status": {"conditions": [{"type": "Ready", "status": "False"}]}}`)
	l.Kubectl(t, "", "patch", "deploy/rolling", "-n", "shop", "-p", `{"spec": {"template": {"metadata": {"annotations": {"cluster.test/ready-after": "never"}}}}}`)
	l.Kubectl(t, "", "create", "pdb", "budgeted", "-n", "shop", "--selector=app=budgeted", "--max-unavailable=0")
	l.Kubectl(t, "", "scale", "deploy/few", "-n", "shop", "--replicas=1")
	l.Kubectl(t, "", "label", "deploy/renamed", "-n", "shop", "caprice.chaos/kill-mode=some")
	command(t, l.Kubeconfig, "halt", "--reason", "release day", "-n", "shop", "deploy/halted")
	struck(t, l, "healing", `"phase": "Executed"`)
	struck(t, l, "soon", `"phase": "Ended", "verdict": "Recovered"`)
	struck(t, l, "fallen", fmt.Sprintf(`"phase": "Ended", "verdict": "NotRecovered", "endedAt": %q`, time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")))
	l.Kubectl(t, `{apiVersion: caprice.chaos/v1alpha1, kind: Hypothesis, metadata: {name: far, namespace: shop}, spec: {workloads: {matchLabels: {believes: "yes"}}, probes: [{name: far, http: {url: "http://elsewhere.example/"}}]}}`, "create", "-f", "-")
	l.Kubectl(t, "", "label", "deploy/believed", "-n", "shop", "believes=yes")

	for _, test := range []struct{ name, gate, want string }{
		{"halted", "Halted", "release day"},
		{"few", "MinReplicas", "it wants 1 replicas, its terms ask for at least 2"},
		{"rolling", "Rollout", "a rollout has to finish first"},
		{"degraded", "Degraded", "1 replicas are available, it wants 2"},
		{"critical", "NoPods", "none of its 2 pods may die: 2 system-critical"},
		{"budgeted", "Disruption", "PodDisruptionBudget budgeted allows 0 disruptions now, this kill needs 1"},
		{"healing", "Unrecovered", "it has not recovered from its last kill yet"},
		{"soon", "TooSoon", "its min-time-between-kills has not passed since its last kill today"},
		{"renamed", "TermsChanged", `kill mode "some": want`},
		{"fallen", "Unacknowledged", "it did not recover from kill "},
		{"believed", "Hypothesis", "probe far: http://elsewhere.example/ is not among the addresses that PROBE_URLS allows"},
	} {
		var gates map[string]string
		lab.Eventually(t, test.name+" spared by "+test.gate, func() bool {
			gates = gatesOf(t, l, "shop", "deploy/"+test.name)
			return strings.HasPrefix(gates[test.gate], "spares ") && strings.Contains(gates[test.gate], test.want)
		})
		for gate, answer := range gates {
			if gate != test.gate && strings.HasPrefix(answer, "spares") && gate != "TooSoon" && test.name != "rolling" && test.name != "fallen" {
				t.Errorf("%s is spared by %s as well: %s", test.name, gate, answer)
			}
		}
	}
	for gate, answer := range gatesOf(t, l, "shop", "deploy/fine") {
		if answer != "passes " {
			t.Errorf("nothing is wrong with fine, and gate %s says %s", gate, answer)
		}
	}

	crowd(t, l, 5000) // after all that waits for the controller of Deployments, which takes minutes for them
	c = start(t, account, "CAPRICE_DRY_RUN=false", "CAPRICE_MIN_AGE=1h", "CAPRICE_TIME_ZONE="+noon.String(), "CAPRICE_MAX_KILLS_PER_DAY_PER_NAMESPACE=3")
	lab.Eventually(t, "another configuration", func() bool { return c.logged("configuration published") == 1 })
	c.stop(t)
	for gate, want := range map[string]string{
		"MinAge":     "spares none of its 2 pods may die: 2 too young; want one that is 1h0m0s old",
		"Budget":     "spares MAX_KILLS_PER_DAY_PER_NAMESPACE is 3, and there are 3 kills in its namespace today",
		"Disruption": "not asked not asked, since none of its pods may die",
	} {
		if got := gatesOf(t, l, "shop", "deploy/fine")[gate]; got != want {
			t.Errorf("gate %s says %s, want %s", gate, got, want)
		}
	}
	c = start(t, account, "CAPRICE_DRY_RUN=false", "CAPRICE_TIME_ZONE="+noon.String(), "CAPRICE_MAX_UNRECOVERED=2")
	lab.Eventually(t, "a third configuration", func() bool { return c.logged("configuration published") == 1 })
	c.stop(t)
	if got, want := gatesOf(t, l, "crowd", "deploy/one-0")["Budget"], "spares MAX_UNRECOVERED is 2, and there are 2 kills in the cluster that have not recovered yet"; got != want {
		t.Errorf("where kills of another namespace have not recovered, gate Budget says %s, want %s", got, want)
	}
	l.Kubectl(t, "", "patch", "lease/caprice-claim", "-n", "shop", "--type=merge", "-p", `{"spec": {"holderIdentity": "elsewhere"}}`)
	if got := gatesOf(t, l, "shop", "deploy/fine")["Contested"]; got != "spares another Caprice, in namespace elsewhere, acts on its namespace" {
		t.Errorf("where another Caprice acts, gate Contested says %s", got)
	}
	if gets := l.Requests(t, "create", "selfsubjectreviews") + l.Requests(t, "list", "pods"); gets == 0 {
		t.Error("the audit log knows of no request of the command line")
	}
	for _, resource := range []string{"deployments", "statefulsets", "daemonsets", "replicasets", "namespaces"} {
		if lists := l.Requests(t, "list", resource); lists != 0 {
			t.Errorf("%s were listed %d times by a command that speaks of one workload", resource, lists)
		}
	}
}
