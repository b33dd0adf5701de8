package faults

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

// step is the n-th request of its sort that one kill makes.
type step struct {
	what string
	n    int
}

func (s step) String() string { return fmt.Sprintf("%s %d", s.what, s.n) }

// trial is one fault at one step of a kill, in an installation of its own.
type trial struct {
	step  step
	fault fault
	name  string // of the namespace of its installation, and in which it kills with -pods after it

	mu     sync.Mutex
	armed  bool
	ended  bool // the last kill has, and another may begin
	met    bool // the kill has gone on after the fault
	counts map[string]int
	steps  []step // of the kills, one after another
	hit    time.Time

	begin, end time.Time
	planned    []lab.Planned
	records    []v1alpha1.Kill
	wrong      []string
}

func (x *trial) victims() string { return x.name + "-pods" }

// meet notes a request and says what befalls it.
func (x *trial) meet(asked request) fault {
	ours := asked.namespace == x.victims() || asked.what == "list halts"
	if !ours || asked.what == "" {
		return none
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.armed {
		return none
	}
	if x.ended && asked.what == "list halts" {
		x.ended, x.counts = false, nil
	}
	if x.counts == nil {
		x.counts = map[string]int{}
	}
	x.counts[asked.what]++
	now := step{asked.what, x.counts[asked.what]}
	x.steps = append(x.steps, now)
	x.ended = x.ended || asked.last
	// A read of the halts may be that of who tells people of them. It goes on to fail until a kill has met it: a kill asks for more.
	x.met = x.met || !x.hit.IsZero() && asked.what != "list halts"
	again := !x.hit.IsZero() && !x.met && x.fault.fails() && x.step.what == asked.what
	if !again && (now != x.step || !x.hit.IsZero()) {
		return none
	}
	x.hit = time.Now()
	return x.fault
}

func (x *trial) wasHit() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.hit
}

func (x *trial) arm() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.armed = true
}

// behind starts a Caprice of the trial behind a proxy of its own.
func (w *world) behind(t *testing.T, x *trial, name string) *proxy {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	p := newProxy(t, w.account, path, x.name)
	p.set(func() { p.meet = x.meet })
	started := w.start(t, path, "["+x.name[:1]+"]"+x.name[1:]+"-")
	p.set(func() { p.process = started })
	return p
}

// run carries out a trial: a kill meets its fault, whoever is left brings it to its end, and a later kill heals.
func (w *world) run(t *testing.T, x *trial) {
	w.namespace(t, x.name)
	w.namespace(t, x.victims())
	w.deploy(t, x.victims(), "web", 3, `"caprice.chaos/kill-value": "2"`)
	w.whole(t, x.victims())
	first := w.behind(t, x, "first")
	lab.Eventually(t, "a leader", func() bool { return first.process.logged("configuration published") })
	running := []*process{first.process}
	if x.fault == partitioned {
		running = append(running, w.behind(t, x, "standby").process)
		lab.Eventually(t, "a standby", func() bool { return running[1].logged("armed") })
	}
	x.begin = time.Now()
	x.arm()
	if x.fault != none {
		lab.Eventually(t, "the fault", func() bool { return !x.wasHit().IsZero() })
	}
	switch x.fault {
	case killedBefore, killedAfter:
		lab.Eventually(t, "the end of the first", func() bool {
			select {
			case <-first.process.ended:
				return true
			default:
				return false
			}
		})
		running = []*process{w.behind(t, x, "next").process}
	case partitioned:
		lab.Eventually(t, "the standby's lead", func() bool { return running[1].logged("configuration published") })
		time.Sleep(3 * time.Second)
		first.cut.Store(false)
	}
	later := time.Now().Add(2 * time.Second)
	lab.Eventually(t, "a kill after the fault that heals", func() bool {
		time.Sleep(400 * time.Millisecond)
		return slices.ContainsFunc(w.kills(t, x.victims()), func(k v1alpha1.Kill) bool {
			return k.Spec.Planned.After(later) && k.Status.Verdict == "Recovered"
		})
	})
	x.end = time.Now()
	x.planned = w.plan(t, x.name, x.begin, x.end)
	w.finished(t, x.victims(), x.planned, x.end)
	for _, p := range running {
		p.stop(t)
	}
	x.records = w.kills(t, x.victims())
}

// finished waits for a while until what was planned until end has records, and these have ended.
func (w *world) finished(t *testing.T, namespace string, planned []lab.Planned, end time.Time) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		due, ended := 0, 0
		for _, e := range planned {
			if e.Namespace == namespace {
				due++
			}
		}
		open := slices.ContainsFunc(w.kills(t, namespace), func(k v1alpha1.Kill) bool {
			if !k.Spec.Planned.After(end) && slices.ContainsFunc(planned, func(e lab.Planned) bool {
				return e.Namespace == namespace && e.Name == k.Spec.Workload.Name && e.Time.UnixMilli() == k.Spec.Planned.UnixMilli()
			}) {
				ended++
			}
			return !k.Spec.Planned.After(end) && k.Status.Phase != v1alpha1.Ended
		})
		if !open && ended >= due {
			return
		}
	}
}

// verdict says what came of the kill that met the fault.
func (x *trial) verdict() string {
	said := "none"
	var latest time.Time
	for _, k := range x.records {
		if at := k.Spec.Planned.Time; at.After(latest) && at.Before(x.hit.Add(2100*time.Millisecond)) {
			latest, said = at, string(k.Status.Verdict)
			if k.Status.Reason != "" {
				said += "/" + k.Status.Reason
			}
		}
	}
	return said
}

// steps finds out which requests one kill of two pods makes, in order; of those that look for its recovery, the first.
func (w *world) steps(t *testing.T) []step {
	x := &trial{name: "learn"}
	w.run(t, x)
	x.mu.Lock()
	defer x.mu.Unlock()
	var steps []step
	deleted := 0
	for _, s := range x.steps {
		if s == (step{"list halts", 1}) && len(steps) > 0 {
			if deleted == 2 {
				break
			}
			steps, deleted = nil, 0
		}
		if s.what == "delete pods" {
			deleted++
		}
		reads := strings.HasPrefix(s.what, "get ") || strings.HasPrefix(s.what, "watch ")
		if !reads || s.n <= 2 {
			steps = append(steps, s)
		}
	}
	if deleted != 2 {
		t.Fatalf("no kill of two pods was seen: %v", x.steps)
	}
	return steps
}

// selection is the smaller draw.
var selection = map[step][]fault{
	{"list halts", 1}:         {refused},
	{"create kills", 1}:       {lost, killedBefore, killedAfter, partitioned},
	{"delete pods", 1}:        {refused, lost, conflict, throttled, hangs, killedAfter, partitioned},
	{"delete pods", 2}:        {lost, killedBefore},
	{"watch deployments", 1}:  {throttled, refused},
	{"list pods", 1}:          {broken, hangs},
	{"watch pods", 1}:         {broken, hangs, killedAfter},
	{"patch kills/status", 1}: {broken, killedAfter},
	{"patch kills/status", 2}: {conflict, lost, killedBefore},
}

func TestEachRequestOfAKillMayFail(t *testing.T) {
	beside(t)
	w := newWorld(t)
	var trials []*trial
	var rows []step
	if full {
		for _, s := range w.steps(t) {
			rows = append(rows, s)
			for _, f := range all {
				trials = append(trials, &trial{step: s, fault: f})
			}
		}
	} else {
		for s, faults := range selection {
			rows = append(rows, s)
			for _, f := range faults {
				trials = append(trials, &trial{step: s, fault: f})
			}
		}
		slices.SortFunc(rows, func(a, b step) int { return strings.Compare(a.String(), b.String()) })
	}
	t.Run("trials", func(t *testing.T) {
		for i, x := range trials {
			x.name = fmt.Sprintf("case-%d", i)
			t.Run(x.step.String()+" "+string(x.fault), func(t *testing.T) {
				t.Parallel()
				w.run(t, x)
			})
		}
	})
	log := w.audit(t)
	for _, x := range trials {
		x.wrong = append(log.Violations(x.victims(), x.planned, x.records, x.end), lab.Unplanned(x.victims(), x.planned, x.records, x.begin, x.end)...)
		for _, wrong := range x.wrong {
			t.Errorf("%s, %s (%s, hit at %s): %s", x.step, x.fault, x.name, x.hit.UTC().Format("15:04:05.000"), wrong)
		}
	}
	summary.add("%s", table(rows, trials))
}

// table has a row for each request and a column for each fault: the verdict of the kill, and whether all that must hold does.
func table(rows []step, trials []*trial) string {
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprint(out, "REQUEST")
	for _, f := range all {
		_, _ = fmt.Fprintf(out, "\t%s", f)
	}
	wrong := 0
	for _, row := range rows {
		_, _ = fmt.Fprintf(out, "\n%s", row)
		for _, f := range all {
			cell := "-"
			for _, x := range trials {
				if x.step != row || x.fault != f {
					continue
				}
				if cell = x.verdict() + " ok"; len(x.wrong) > 0 || x.end.IsZero() {
					cell = x.verdict() + " WRONG"
					wrong++
				}
			}
			_, _ = fmt.Fprintf(out, "\t%s", cell)
		}
	}
	_ = out.Flush()
	return fmt.Sprintf("%s\n%d trials, %d wrong", text.String(), len(trials), wrong)
}
