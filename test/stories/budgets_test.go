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

// The audit log says which pods were removed, and a watch which of them terminate at once. Neither asks Caprice.
func TestAtNoInstantDoPodsThatTerminateExceedABudget(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	const all, perNamespace, today, todayPerNamespace, disruptions = 3, 2, 24, 18, 2
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
	c := start(t, account, "CAPRICE_DRY_RUN=false", fmt.Sprint("CAPRICE_MAX_UNRECOVERED=", all), fmt.Sprint("CAPRICE_MAX_UNRECOVERED_PER_NAMESPACE=", perNamespace),
		fmt.Sprint("CAPRICE_MAX_KILLS_PER_DAY=", today), fmt.Sprint("CAPRICE_MAX_KILLS_PER_DAY_PER_NAMESPACE=", todayPerNamespace))
	for _, limit := range []string{
		"kills in the cluster that have not recovered yet", "kills in its namespace that have not recovered yet",
		"kills in the cluster today", "Disruption",
	} {
		lab.Eventually(t, "a kill that is spared for "+limit, func() bool { return c.logged(limit) > 0 })
	}
	lab.Eventually(t, "records that have ended", func() bool {
		for _, k := range kills(t, l) {
			if k.Status.ExecutedAt != nil && k.Status.Verdict == "" {
				return false
			}
		}
		return true
	})
	c.stop(t)

	ours := map[string]bool{}
	for _, r := range l.Removals(t) {
		ours[r.UID] = ours[r.UID] || r.Accepted
	}
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
		struck, now := map[string]bool{}, map[string]int{}
		for _, p := range dying {
			now["pods in "+p.Namespace]++
			if app := p.Labels["app"]; !struck[app] { // no second kill strikes an application that has not recovered
				struck[app] = true
				now["kills"]++
				now["kills in "+p.Namespace]++
			}
		}
		for what, n := range now {
			most[what] = max(most[what], n)
		}
	}
	died := map[string]int{}
	for _, k := range kills(t, l) {
		for _, target := range k.Spec.Targets {
			if ours[target.UID] {
				died["on "+k.Spec.Date]++
				died["in "+k.Namespace+" on "+k.Spec.Date]++
				break
			}
		}
	}
	for what, limit := range map[string]int{"kills": all, "kills in shop": perNamespace, "kills in team": perNamespace, "pods in shop": disruptions} {
		if most[what] > limit {
			t.Errorf("%d %s at once, and %d are the most", most[what], what, limit)
		}
	}
	for when, n := range died {
		limit := today
		if strings.HasPrefix(when, "in ") {
			limit = todayPerNamespace
		}
		if n > limit {
			t.Errorf("%d kills %s, and %d are the most", n, when, limit)
		}
	}
	if most["kills"] < 2 || most["pods in team"] <= disruptions {
		t.Errorf("at once there were at most %v: want more where nothing forbids it, or this proves nothing", most)
	}
	t.Logf("at most at once: %v; in all: %v", most, died)
}
