package stories

import (
	"strings"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/test/lab"
)

// sparable is a Deployment that a gate will spare.
const sparable = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: shop, labels: {caprice.chaos/enabled: "true", caprice.chaos/mean-time-between-kills: 10s}}
spec:
  replicas: 2
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}, annotations: {cluster.test/stops-after: 200ms}}
    spec: {priorityClassName: "PRIORITY", containers: [{name: web, image: web}]}
`

// vetoed tells whether an Event on a Deployment of namespace shop says that it was spared, in these words.
func vetoed(t *testing.T, l *lab.Lab, name, words string) bool {
	t.Helper()
	list, err := l.Client.EventsV1().Events("shop").List(t.Context(), meta.ListOptions{FieldSelector: "reason=KillVetoed"})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list.Items {
		if e.Regarding.Name == name && strings.HasPrefix(e.Note, words) {
			return true
		}
	}
	return false
}

func TestEachGateSparesAndSaysWhyUntilItIsMended(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	l.Kubectl(t, "", "create", "namespace", "shop")
	for _, name := range []string{"fine", "rolling", "degraded", "budgeted", "critical"} {
		priority := map[string]string{"critical": "system-cluster-critical"}[name]
		l.Kubectl(t, strings.NewReplacer("NAME", name, "PRIORITY", priority).Replace(sparable), "apply", "-f", "-")
		l.Kubectl(t, "", "rollout", "status", "-n", "shop", "deploy/"+name, "--timeout=60s")
	}
	c := start(t, account, "CAPRICE_DRY_RUN=false", "CAPRICE_MIN_AGE=1h")
	lab.Eventually(t, "a veto for the age of its pods", func() bool { return vetoed(t, l, "fine", "MinAge: none of its 2 pods may die: 2 too young") })
	c.stop(t)
	if removals := l.Removals(t); len(removals) > 0 {
		t.Errorf("pods were removed that are too young: %+v", removals)
	}

	pod := strings.Fields(l.Kubectl(t, "", "get", "pods", "-n", "shop", "-l", "app=degraded", "-o", "name"))[0]
	serves := func(status string) {
		l.Kubectl(t, "", "patch", pod, "-n", "shop", "--subresource=status", "-p", `{"status": {"conditions": [{"type": "Ready", "status": "`+status+`"}]}}`)
	}
	serves("False")
	l.Kubectl(t, "", "patch", "deploy/rolling", "-n", "shop", "-p", `{"spec": {"template": {"metadata": {"annotations": {"cluster.test/ready-after": "never"}}}}}`)
	l.Kubectl(t, "", "create", "pdb", "budgeted", "-n", "shop", "--selector=app=budgeted", "--max-unavailable=0")
	c = start(t, account, "CAPRICE_DRY_RUN=false")
	for name, words := range map[string]string{
		"rolling":  "Rollout: a rollout has to finish first: 2 of 3 replicas are of an older revision",
		"degraded": "Degraded: 1 replicas are available, it wants 2",
		"budgeted": "Disruption: PodDisruptionBudget budgeted allows 0 disruptions now, this kill needs 1",
		"critical": "NoPods: none of its 2 pods may die: 2 system-critical",
	} {
		lab.Eventually(t, "a veto for "+name+" that says "+words, func() bool { return vetoed(t, l, name, words) })
	}
	lab.Eventually(t, "a kill of what nothing is wrong with", func() bool { return c.logged("pod killed workload=shop/Deployment/fine") > 0 })
	for _, r := range l.Removals(t) {
		if !strings.HasPrefix(r.Pod, "fine-") {
			t.Errorf("pod %s was removed", r.Pod)
		}
	}

	serves("True")
	l.Kubectl(t, "", "rollout", "undo", "deploy/rolling", "-n", "shop")
	l.Kubectl(t, "", "patch", "pdb/budgeted", "-n", "shop", "-p", `{"spec": {"maxUnavailable": 1}}`)
	for _, name := range []string{"rolling", "degraded", "budgeted"} {
		lab.Eventually(t, "a kill of "+name, func() bool { return c.logged("pod killed workload=shop/Deployment/"+name) > 0 })
	}
	c.stop(t)
	if c.logged("pod killed workload=shop/Deployment/critical") > 0 {
		t.Error("a pod was killed that the cluster needs")
	}
}
