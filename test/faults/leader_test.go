package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"caprice/test/lab"
)

// handovers are the times from the end of one leader to the lead of the next.
type handovers struct {
	mu    sync.Mutex
	times []time.Duration
}

func (h *handovers) add(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.times = append(h.times, d)
}

// quantile returns the time that a share q of all does not exceed.
func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	times = slices.Sorted(slices.Values(times))
	return times[min(len(times)-1, int(q*float64(len(times))))].Round(time.Millisecond)
}

// spread says how long things took.
func spread(times []time.Duration) string {
	return fmt.Sprintf("median %s, p99 %s, longest %s", quantile(times, 0.5), quantile(times, 0.99), quantile(times, 1))
}

// pair are two replicas of an installation, of which one leads.
type pair struct {
	*world
	name             string
	kubeconfig       string
	leading, standby *process
	all              []*process
}

// end ends the leader, starts another replica in its place, and returns how long it took until the other leads.
func (p *pair) end(t *testing.T, signal syscall.Signal) time.Duration {
	t.Helper()
	old := p.leading
	if err := old.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	ended := time.Now()
	lab.Eventually(t, "the next leader of "+p.name, func() bool { return p.standby.logged(" leading lastAlive=") })
	took := time.Since(ended)
	<-old.ended
	if signal == syscall.SIGTERM {
		old.endedWell(t)
	}
	p.leading, p.standby = p.standby, p.start(t, p.kubeconfig, p.name+"-")
	p.all = append(p.all, p.standby)
	lab.Eventually(t, "another standby", func() bool { return p.standby.logged(" armed workloads=") })
	lab.Eventually(t, "the plan", func() bool { return p.leading.logged("configuration published") })
	return took
}

// freeze suspends the leader until the other leads, and for a while then: it wakes up believing that it leads, maybe with its hand
// on a pod. It returns how long it took until the other led.
func (p *pair) freeze(t *testing.T, longer time.Duration) time.Duration {
	t.Helper()
	old, leads, lost := p.leading, p.standby.count(" leading lastAlive="), p.leading.count(" leading no more")
	if err := old.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	frozen := time.Now()
	lab.Eventually(t, "a leader of "+p.name+" beside the frozen one", func() bool { return p.standby.count(" leading lastAlive=") > leads })
	took := time.Since(frozen)
	time.Sleep(longer)
	if err := old.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, "the frozen leader of "+p.name+" knows that it leads no more", func() bool { return old.count(" leading no more") > lost })
	p.leading, p.standby = p.standby, old
	return took
}

func TestLeadersEndAtAnyMoment(t *testing.T) {
	beside(t)
	pairs, rounds := 2, 5
	if full {
		pairs, rounds = 8, 25
	}
	w := newWorld(t)
	var killed, told, frozen handovers
	type result struct {
		begin, end time.Time
		planned    []lab.Planned
		all        []*process
	}
	results := make([]result, pairs)
	t.Run("pairs", func(t *testing.T) {
		for i := range pairs {
			name := string(rune('a' + i))
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w.namespace(t, name)
				w.namespace(t, name+"-pods")
				for n := range 10 {
					w.deploy(t, name+"-pods", fmt.Sprintf("web-%d", n), 3, `"caprice.chaos/kill-mode": "fixed"`)
				}
				w.whole(t, name+"-pods")
				kubeconfig := w.in(t, name)
				p := &pair{world: w, name: name, kubeconfig: kubeconfig, leading: w.start(t, kubeconfig, name+"-")}
				lab.Eventually(t, "a leader", func() bool { return p.leading.logged("configuration published") })
				p.standby = w.start(t, kubeconfig, name+"-")
				p.all = []*process{p.leading, p.standby}
				lab.Eventually(t, "a standby", func() bool { return p.standby.logged(" armed workloads=") })
				results[i].begin = time.Now()
				for range rounds {
					time.Sleep(rand.N(2500 * time.Millisecond))
					killed.add(p.end(t, syscall.SIGKILL))
					if full {
						time.Sleep(rand.N(2500 * time.Millisecond))
					}
					told.add(p.end(t, syscall.SIGTERM))
				}
				for range (rounds + 1) / 2 {
					time.Sleep(rand.N(2500 * time.Millisecond))
					frozen.add(p.freeze(t, rand.N(4*time.Second)))
				}
				time.Sleep(3 * time.Second)
				results[i].end, results[i].all = time.Now(), p.all
				results[i].planned = w.plan(t, name, results[i].begin, results[i].end)
				w.finished(t, name+"-pods", results[i].planned, results[i].end)
				p.standby.stop(t)
				p.leading.stop(t)
			})
		}
	})
	log, planned, wrong := w.audit(t), 0, 0
	for i, r := range results {
		namespace := string(rune('a'+i)) + "-pods"
		planned += len(r.planned)
		records := w.kills(t, namespace)
		for _, violation := range append(log.Violations(namespace, r.planned, records, r.end), lab.Unplanned(namespace, r.planned, records, r.begin, r.end)...) {
			wrong++
			t.Errorf("%s: %s", namespace, violation)
		}
		for _, p := range r.all {
			if t.Failed() {
				t.Logf("caprice for %s said:\n%s", namespace, p.said())
			}
		}
	}
	removals := 0
	for _, r := range log {
		removals += len(r)
	}
	if planned == 0 || removals == 0 {
		t.Errorf("%d kills were planned and %d pods removed, by which nothing is tried", planned, removals)
	}
	summary.add("\n%d leaders killed -9: the next led after %s", len(killed.times), spread(killed.times))
	summary.add("%d leaders ended by SIGTERM: the next led after %s (limit: p99 2s)", len(told.times), spread(told.times))
	summary.add("%d leaders frozen until the other led, and a while longer: it led after %s", len(frozen.times), spread(frozen.times))
	summary.add("%d kills were planned meanwhile, %d pods removed; %d wrong", planned, removals, wrong)
	if p99 := quantile(told.times, 0.99); full && p99 > 2*time.Second {
		t.Errorf("after SIGTERM p99 is %s, want 2s at most", p99)
	}
}
