package faults

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

// TestRecoveryTimesAgreeWithTheAuditLog compares when a record says that the first new pod was Ready and the workload whole
// with what the API server was told by the node and the controller of the Deployment.
func TestRecoveryTimesAgreeWithTheAuditLog(t *testing.T) {
	beside(t)
	recoveries := 20
	if full {
		recoveries = 200
	}
	const limit = 250 * time.Millisecond
	w := newWorld(t)
	w.namespace(t, "r")
	w.namespace(t, "r-pods")
	for n := range 10 {
		body := fmt.Sprintf(deployment, fmt.Sprintf("web-%d", n), 3, fmt.Sprintf(`"caprice.chaos/kill-value": "%d"`, 1+n%2))
		if n < 5 {
			body = slowly(body, "1500ms")
		}
		w.create(t, "r-pods", body)
	}
	w.whole(t, "r-pods")
	c := w.start(t, w.in(t, "r"), "r-")
	recovered := func() []v1alpha1.Kill {
		return slices.DeleteFunc(w.kills(t, "r-pods"), func(k v1alpha1.Kill) bool { return k.Status.Verdict != "Recovered" })
	}
	lab.Eventually(t, "recoveries", func() bool {
		time.Sleep(time.Second)
		return len(recovered()) >= recoveries
	})
	c.stop(t)
	var first, whole []time.Duration
	unknown := 0
	changes := w.Changes(t)
	for _, k := range recovered() {
		ready, serving, healed := lab.Recovery(changes, k, 3)
		if healed.At.IsZero() { // an API server that has too much to do may not say what became of a request
			unknown++
			continue
		}
		if k.Status.FirstReadyAt == nil || k.Status.FirstReadyAt.Time.Before(ready.Asked) || k.Status.RecoveredAt.Time.Before(serving.Asked) {
			t.Errorf("the kill of %s %s: a new pod was Ready at %s, and all was whole at %s; the API server heard of the first at %s, and of as many as it wants at %s", k.Spec.Workload.Name, k.Spec.Planned, k.Status.FirstReadyAt, k.Status.RecoveredAt, ready.Asked, serving.Asked)
		}
		first = append(first, k.Status.FirstReadyAt.Sub(ready.At).Abs())
		whole = append(whole, k.Status.RecoveredAt.Sub(healed.At).Abs())
	}
	if unknown > len(first)/4 {
		t.Errorf("the audit log knows of %d recoveries, and not of %d", len(first), unknown)
	}
	for _, m := range []struct {
		what  string
		times []time.Duration
	}{{"the first new pod was Ready", first}, {"the workload was whole", whole}} {
		summary.add("\n%d recoveries: when %s, record and audit log differ by p50 %s, %s (limit: 250ms)", len(m.times), m.what, quantile(m.times, 0.5), spread(m.times))
		if longest := quantile(m.times, 1); full && longest > limit {
			t.Errorf("when %s, record and audit log differ by %s, want %s at most", m.what, longest, limit)
		}
	}
}

// A watch that is lost in the middle, or that says nothing any more, costs no verdict.
func TestTheVerdictComesWithoutAWatch(t *testing.T) {
	beside(t)
	w := newWorld(t)
	for _, test := range []struct{ name, befalls string }{
		{"w-cut", "its connections are cut in the middle"},
		{"w-pods-mute", "its watch of pods is mute"},
		{"w-workload-mute", "its watch of the workload is mute"},
	} {
		t.Run(test.befalls, func(t *testing.T) {
			t.Parallel()
			pods := test.name + "-pods"
			w.namespace(t, test.name)
			w.namespace(t, pods)
			w.create(t, pods, slowly(fmt.Sprintf(deployment, "web", 3, `"caprice.chaos/kill-value": "2"`), "5s"))
			w.whole(t, pods)
			path := filepath.Join(t.TempDir(), "kubeconfig")
			p := newProxy(t, w.account, path, test.name)
			var watches, deletions atomic.Int32
			p.set(func() {
				p.meet = func(asked request) fault {
					if asked.namespace == pods && asked.what == "delete pods" {
						deletions.Add(1)
					}
					if asked.namespace != pods || !strings.HasPrefix(asked.what, "watch ") {
						return none
					}
					watches.Add(1)
					if test.name == "w-pods-mute" && asked.what == "watch pods" || test.name == "w-workload-mute" && asked.what == "watch deployments" {
						return mute
					}
					return none
				}
			})
			c := w.start(t, path, test.name+"-")
			lab.Eventually(t, "a kill", func() bool { return deletions.Load() >= 2 })
			if test.name == "w-cut" {
				time.Sleep(time.Second)
				p.Cut()
			}
			lab.Eventually(t, "a verdict", func() bool {
				time.Sleep(200 * time.Millisecond)
				return slices.ContainsFunc(w.kills(t, pods), func(k v1alpha1.Kill) bool { return k.Status.Verdict == "Recovered" })
			})
			if test.name == "w-cut" && watches.Load() < 4 {
				t.Errorf("%d watches, want two that were cut and two more", watches.Load())
			}
			c.stop(t)
		})
	}
}
