package faults

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

// stormy is an installation behind a proxy, which kills in a namespace of its own.
type stormy struct {
	*world
	name  string
	proxy *proxy
	*process
	begin time.Time
}

func (w *world) stormy(t *testing.T, name string, workloads ...string) *stormy {
	t.Helper()
	s := &stormy{world: w, name: name}
	w.namespace(t, name)
	w.namespace(t, s.pods())
	for _, workload := range workloads {
		w.deploy(t, s.pods(), workload, 3, `"caprice.chaos/kill-mode": "fixed"`)
	}
	w.whole(t, s.pods())
	path := filepath.Join(t.TempDir(), "kubeconfig")
	s.proxy = newProxy(t, w.account, path, name)
	s.process = w.start(t, path, name+"-")
	lab.Eventually(t, "a leader", func() bool { return s.logged("configuration published") })
	s.begin = time.Now()
	lab.Eventually(t, "a kill", func() bool { return s.killed("") > 0 })
	return s
}

func (s *stormy) pods() string { return s.name + "-pods" }

// killed returns how many pods of a workload have died by its word; of none, of all.
func (s *stormy) killed(workload string) int {
	return s.count("pod killed workload=" + s.pods() + "/Deployment/" + workload)
}

// end waits for two more kills, ends it, and holds what it did to its plan and the audit log; some workloads are left out of
// the plan.
func (s *stormy) end(t *testing.T, unplanned ...string) {
	t.Helper()
	calm, before := time.Now(), s.killed("")
	lab.Eventually(t, "kills when it is over", func() bool { return s.killed("") >= before+2 })
	end := time.Now()
	planned := slices.DeleteFunc(s.plan(t, s.name, s.begin, end), func(e lab.Planned) bool { return slices.Contains(unplanned, e.Name) })
	s.finished(t, s.pods(), planned, end)
	s.stop(t)
	log, records := s.audit(t), s.kills(t, s.pods())
	for _, wrong := range log.Violations(s.pods(), planned, records, end) {
		t.Error(wrong)
	}
	// What comes after it was planned for then, and is not what was left undone.
	late, verdicts := 0, map[string]int{}
	for _, r := range log[s.pods()] {
		if k, ok := lab.ReasonFor(r, records); ok && r.At.After(calm) && k.Spec.Planned.Time.Before(calm.Add(-lateGrace-time.Second)) {
			late++
			t.Errorf("pod %s was removed %s after it was over, and the kill was planned for %s before", r.Pod, r.At.Sub(calm), calm.Sub(k.Spec.Planned.Time))
		}
	}
	for _, k := range lab.Until(records, end) {
		verdicts[fmt.Sprint(k.Status.Verdict, k.Status.Reason)]++
	}
	summary.add("\n%s: %d kills were planned, their records say %v, %d pods were removed, %d of them late", s.name, len(planned), verdicts, len(log[s.pods()]), late)
}

func TestAStormOfRefusalsIsOutlivedWithoutABurst(t *testing.T) {
	beside(t)
	w := newWorld(t)
	for _, test := range []struct {
		why, name string
		one       int // of so many requests is served
	}{
		{"every request is refused", "storm", 0},
		{"two of three are", "squall", 3},
	} {
		t.Run(test.why, func(t *testing.T) {
			t.Parallel()
			s := w.stormy(t, test.name, "web-1", "web-2", "web-3", "web-4")
			storm := time.Now()
			s.proxy.set(func() {
				s.proxy.meet = func(request) fault {
					if test.one > 0 && rand.IntN(test.one) == 0 {
						return none
					}
					return throttled
				}
			})
			for _, e := range s.plan(t, s.name, storm, storm.Add(12*time.Second)) {
				lab.Eventually(t, "an instant of the plan", func() bool { return time.Now().After(e.Time) })
			}
			if test.one == 0 {
				lab.Eventually(t, "the end of its lead", func() bool { return s.logged("leading no more") })
			}
			s.proxy.set(func() { s.proxy.meet = func(request) fault { return none } })
			s.end(t)
		})
	}
}

func TestWhatNobodyWatchesIsLookedAtBeforeItDies(t *testing.T) {
	beside(t)
	w := newWorld(t)
	s := w.stormy(t, "blind", "web", "leaves")
	s.proxy.watches.cut()
	cut := time.Now()
	w.Kubectl(t, "", "label", "deploy/leaves", "-n", s.pods(), "--overwrite", "caprice.chaos/enabled=false")
	left := time.Now().Add(3 * time.Second) // what is due before may have been looked at already
	w.deploy(t, s.pods(), "comes", 3, `"caprice.chaos/kill-mode": "fixed"`)
	before := s.killed("web")
	lab.Eventually(t, "kills of what was there before", func() bool { return s.killed("web") >= before+2 })
	lab.Eventually(t, "a kill that is spared, since the workload has opted out", func() bool {
		return slices.ContainsFunc(w.kills(t, s.pods()), func(k v1alpha1.Kill) bool {
			return k.Spec.Workload.Name == "leaves" && k.Spec.Planned.After(left) && k.Status.Reason == "OptedOut"
		})
	})
	mended := time.Now()
	s.proxy.watches.mend()
	lab.Eventually(t, "a kill of what has come", func() bool { return s.killed("comes") > 0 })
	s.end(t, "comes", "leaves")
	for _, k := range w.kills(t, s.pods()) {
		switch {
		case k.Spec.Workload.Name == "comes" && k.Spec.Planned.Time.Before(mended):
			t.Errorf("a kill of what nobody had seen come has a record, planned for %s before the watch was mended", mended.Sub(k.Spec.Planned.Time))
		case k.Spec.Workload.Name == "leaves" && k.Spec.Planned.After(left) && k.Status.ExecutedAt != nil:
			t.Errorf("what had opted out was killed %s after the watch was cut", k.Status.ExecutedAt.Sub(cut))
		}
	}
}
