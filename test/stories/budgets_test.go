package stories

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

// bounded is a Deployment two of whose pods die at once, and take two seconds for it.
const bounded = `
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: NAMESPACE, labels: {caprice.chaos/enabled: "true", caprice.chaos/mean-time-between-kills: 10s, caprice.chaos/kill-value: "2"}}
spec:
  replicas: 3
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME, tier: web}, annotations: {cluster.test/stops-after: 2s}}
    spec: {containers: [{name: web, image: web}]}
`

// changes returns all changes of pods of the applications, in the order in which they came about, once stop is called.
func changes(t *testing.T, l *lab.Lab) (stop func() []watch.Event) {
	t.Helper()
	pods := l.Client.CoreV1().Pods(meta.NamespaceAll)
	list, err := pods.List(t.Context(), meta.ListOptions{LabelSelector: "tier"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	w, err := pods.Watch(ctx, meta.ListOptions{LabelSelector: "tier", ResourceVersion: list.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	var seen []watch.Event
	var watching sync.WaitGroup
	var stopped atomic.Bool
	watching.Go(func() {
		for e := range w.ResultChan() {
			if e.Type == watch.Error && stopped.Load() {
				return // it says that it was stopped
			}
			seen = append(seen, e)
		}
	})
	return func() []watch.Event {
		stopped.Store(true)
		w.Stop()
		watching.Wait()
		return seen
	}
}

// removed returns the UIDs of the pods whose removal was accepted, as the audit log says.
func removed(t *testing.T, l *lab.Lab) map[string]bool {
	t.Helper()
	uids := map[string]bool{}
	for _, r := range l.Removals(t) {
		uids[r.UID] = uids[r.UID] || r.Accepted
	}
	return uids
}

// day is a date in one namespace, or in the cluster if the namespace is empty.
type day struct{ date, namespace string }

// strikes returns how many kills removed a pod on each day. What one kill was to strike, and did not, a later one may have.
func strikes(t *testing.T, l *lab.Lab) map[day]int {
	t.Helper()
	records, struck := kills(t, l), map[string]v1alpha1.Kill{}
	for _, r := range l.Removals(t) {
		if k, ok := lab.ReasonFor(r, records); ok && r.Accepted {
			struck[k.Namespace+"/"+k.Name] = k
		}
	}
	n := map[day]int{}
	for _, k := range struck {
		n[day{k.Spec.Date, ""}]++
		n[day{k.Spec.Date, k.Namespace}]++
	}
	return n
}

// mostOfADay returns the most kills of one day in the cluster, and in one namespace.
func mostOfADay(strikes map[day]int) (all, perNamespace int) {
	for d, n := range strikes {
		if d.namespace == "" {
			all = max(all, n)
		} else {
			perNamespace = max(perNamespace, n)
		}
	}
	return all, perNamespace
}

// The audit log says which pods were removed, and a watch which of them terminate at once. Neither asks Caprice.
func TestAtNoInstantDoPodsThatTerminateExceedABudget(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	const all, perNamespace, disruptions = 3, 2, 2
	for _, namespace := range []string{"shop", "team"} {
		l.Kubectl(t, "", "create", "namespace", namespace)
		for i := range 5 {
			l.Kubectl(t, strings.NewReplacer("NAMESPACE", namespace, "NAME", fmt.Sprintf("%s-%d", namespace, i)).Replace(bounded), "apply", "-f", "-")
		}
	}
	l.Kubectl(t, "", "create", "pdb", "web", "-n", "shop", "--selector=tier=web", fmt.Sprint("--max-unavailable=", disruptions))
	for _, namespace := range []string{"shop", "team"} {
		l.Kubectl(t, "", "wait", "deploy", "--all", "-n", namespace, "--for=condition=Available", "--timeout=60s")
	}
	l.Kubectl(t, "", "wait", "pdb/web", "-n", "shop", fmt.Sprintf("--for=jsonpath={.status.disruptionsAllowed}=%d", disruptions), "--timeout=60s")
	stop := changes(t, l)
	limits := []string{"CAPRICE_DRY_RUN=false", fmt.Sprint("CAPRICE_MAX_UNRECOVERED=", all), fmt.Sprint("CAPRICE_MAX_UNRECOVERED_PER_NAMESPACE=", perNamespace)}
	c := start(t, account, limits...)
	for _, limit := range []string{"kills in the cluster that have not recovered yet", "kills in its namespace that have not recovered yet", "Disruption"} {
		lab.Eventually(t, "a kill that is spared for "+limit, func() bool { return c.logged(limit) > 0 })
	}
	lab.Eventually(t, "pods of two kills of one namespace that terminate at once", func() bool {
		pods, err := l.Client.CoreV1().Pods("team").List(t.Context(), meta.ListOptions{LabelSelector: "tier"})
		if err != nil {
			t.Fatal(err)
		}
		apps := map[string]bool{}
		for _, p := range pods.Items {
			if p.DeletionTimestamp != nil {
				apps[p.Labels["app"]] = true
			}
		}
		return len(apps) > 1
	})
	c.stop(t)

	// How many kills that took is chance. Both namespaces may have some more than the cluster, so that its limit is reached.
	before, beforePerNamespace := mostOfADay(strikes(t, l))
	today, todayPerNamespace := before+12, beforePerNamespace+8
	c = start(t, account, append(limits, fmt.Sprint("CAPRICE_MAX_KILLS_PER_DAY=", today), fmt.Sprint("CAPRICE_MAX_KILLS_PER_DAY_PER_NAMESPACE=", todayPerNamespace))...)
	lab.Eventually(t, "a kill that is spared for kills in the cluster today", func() bool { return c.logged("kills in the cluster today") > 0 })
	lab.Eventually(t, "records that have ended", func() bool {
		for _, k := range kills(t, l) {
			if k.Status.ExecutedAt != nil && k.Status.Verdict == "" {
				return false
			}
		}
		return true
	})
	c.stop(t)

	ours := removed(t, l)
	dying := map[string]*core.Pod{} // by UID
	most := map[string]int{}
	for _, e := range stop() {
		pod, ok := e.Object.(*core.Pod)
		if !ok {
			t.Fatalf("the watch of pods says %+v", e)
		}
		if delete(dying, string(pod.UID)); ours[string(pod.UID)] && pod.DeletionTimestamp != nil && e.Type != watch.Deleted {
			dying[string(pod.UID)] = pod
		}
		seen, now := map[string]bool{}, map[string]int{}
		for _, p := range dying {
			now["pods in "+p.Namespace]++
			if app := p.Labels["app"]; !seen[app] { // no second kill strikes an application that has not recovered
				seen[app] = true
				now["kills"]++
				now["kills in "+p.Namespace]++
			}
		}
		for what, n := range now {
			most[what] = max(most[what], n)
		}
	}
	for what, limit := range map[string]int{"kills": all, "kills in shop": perNamespace, "kills in team": perNamespace, "pods in shop": disruptions} {
		if most[what] > limit {
			t.Errorf("%d %s at once, and %d are the most", most[what], what, limit)
		}
	}
	after, afterPerNamespace := mostOfADay(strikes(t, l))
	if after > today || afterPerNamespace > todayPerNamespace {
		t.Errorf("%d kills in the cluster and %d in one namespace on one day: want at most %d and %d", after, afterPerNamespace, today, todayPerNamespace)
	}
	if most["kills"] < 2 || most["pods in team"] <= disruptions {
		t.Errorf("at once there were at most %v: want more where nothing forbids it, or this proves nothing", most)
	}
	t.Logf("at most at once: %v; on one day: %d of %d, in one namespace %d of %d", most, after, today, afterPerNamespace, todayPerNamespace)
}
