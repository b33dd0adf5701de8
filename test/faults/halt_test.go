package faults

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"caprice/test/lab"
)

// halted is one halt of a namespace.
type halted struct {
	namespace      string
	created, ended time.Time // when the API server had answered to its creation, and before it was deleted
}

// TestAHaltTakesEffectWithinASecond creates each halt right after a pod has died, in the middle of a kill if that has many
// pods: each of their removals is held up.
func TestAHaltTakesEffectWithinASecond(t *testing.T) {
	beside(t)
	trials := 10
	if full {
		trials = 200
	}
	const namespaces = 10 // in which halts come and go beside each other; in the last two of them all pods die at once
	w := newWorld(t)
	w.namespace(t, "h")
	names := make([]string, namespaces)
	for i := range names {
		names[i] = fmt.Sprintf("h-%d", i)
		w.namespace(t, names[i])
		if i >= namespaces-2 {
			w.deploy(t, names[i], "web", 20, `"caprice.chaos/kill-mode": "kill-all"`)
			continue
		}
		for n := range 4 {
			w.deploy(t, names[i], fmt.Sprintf("web-%d", n), 3, `"caprice.chaos/kill-mode": "fixed"`)
		}
	}
	for _, name := range names {
		w.whole(t, name)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	p := newProxy(t, w.account, path, "h")
	p.set(func() { p.delay = 60 * time.Millisecond })
	c := w.start(t, path, "h-")
	lab.Eventually(t, "a leader", func() bool { return c.logged("configuration published") })

	var mu sync.Mutex
	var halts []halted
	t.Run("namespaces", func(t *testing.T) {
		for i, name := range names {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for n := i; n < trials; n += namespaces {
					h := w.halt(t, c, name)
					mu.Lock()
					halts = append(halts, h)
					mu.Unlock()
				}
			})
		}
	})
	c.stop(t)
	log := w.audit(t)
	var single, many []time.Duration
	for _, h := range halts {
		var last time.Duration
		for _, r := range log[h.namespace] {
			if after := r.At.Sub(h.created); after > last && r.At.Before(h.ended) {
				last = after
			}
		}
		if h.namespace < names[namespaces-2] {
			single = append(single, last)
		} else {
			many = append(many, last)
		}
		if last > time.Second && full {
			t.Errorf("%s: a pod was removed %s after the halt", h.namespace, last)
		} else if last > 2*time.Second {
			t.Errorf("%s: a pod was removed %s after the halt, which does not hold", h.namespace, last)
		}
	}
	partial := 0
	for _, name := range names[namespaces-2:] {
		for _, k := range w.kills(t, name) {
			if k.Status.Reason == "Partial" {
				partial++
			}
		}
	}
	summary.add("\n%d halts: the last removal came after %s (limit: 1s)", len(single), spread(single))
	summary.add("%d halts in the middle of a kill of 20 pods, %d of which were cut short: %s (limit: 1s)", len(many), partial, spread(many))
	if partial == 0 {
		t.Error("no kill of 20 pods was cut short by a halt")
	}
}

// halt halts a namespace as soon as a pod dies in it, for a while.
func (w *world) halt(t *testing.T, c *process, namespace string) halted {
	t.Helper()
	dies := func() int { return c.count("pod killed workload=" + namespace + "/") }
	before := dies()
	lab.Eventually(t, "a death in "+namespace, func() bool { return dies() > before })
	const path = "/apis/caprice.chaos/v1alpha1/namespaces/"
	client := w.Client.Discovery().RESTClient()
	halt := `{"apiVersion": "caprice.chaos/v1alpha1", "kind": "Halt", "metadata": {"name": "stop"}, "spec": {"reason": "a trial"}}`
	if err := client.Post().AbsPath(path+namespace+"/halts").SetHeader("Content-Type", "application/json").Body([]byte(halt)).Do(t.Context()).Error(); err != nil {
		t.Fatal(err)
	}
	h := halted{namespace: namespace, created: time.Now()}
	time.Sleep(4 * time.Second)
	h.ended = time.Now()
	if err := client.Delete().AbsPath(path + namespace + "/halts/stop").Do(t.Context()).Error(); err != nil {
		t.Fatal(err)
	}
	return h
}
