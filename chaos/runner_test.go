package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"caprice/victims"
)

// toy is a cluster of one workload that heals at once.
type toy struct {
	mu       sync.Mutex
	terms    victims.Terms
	replicas int
	fewer    int    // that its controller says are available than it wants
	rollout  string // what one waits for
	pods     []victims.Pod
	budgets  []Budget // without Covers: of all pods
	born     int
	down     bool          // no answer until a request's deadline
	failures int           // so many requests are not answered, at once
	refuses  bool          // the answer is no
	slow     time.Duration // how long a removal takes
	slowRead time.Duration // how long it takes to read pods
	mute     bool          // removals are carried out, and not answered
	deaf     bool          // removals are neither
	sick     bool          // it does not heal
	mum      bool          // what is watched is not told
	unseen   int           // so many looks at who is alive are not answered
	renewed  int64         // how often its owner has changed what is wanted
	removed  []string
	dry      []string
	watches  int // that are open
}

func (c *toy) Workload(ctx context.Context, w victims.Workload) (Condition, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		c.mu.Unlock()
		<-ctx.Done()
		c.mu.Lock()
		return Condition{}, ctx.Err()
	}
	if c.refuses {
		return Condition{}, &Refusal{errors.New("403: may not get deployments")}
	}
	if c.failures > 0 {
		c.failures--
		return Condition{}, errors.New("connection refused")
	}
	c.watches++
	return Condition{
		Subject: Subject{w, c.terms}, Replicas: c.replicas, Available: c.replicas - c.fewer, Rollout: c.rollout, Generation: 1 + c.renewed, Watch: &toyWatch{toy: c},
	}, nil
}

func (c *toy) Pods(_ context.Context, now Condition) (Sight, error) {
	time.Sleep(c.slowRead)
	c.mu.Lock()
	defer c.mu.Unlock()
	return Sight{Condition: now, Pods: slices.Clone(c.pods), At: wallNow()}, nil
}

type toyWatch struct {
	once sync.Once
	toy  *toy
}

func (w *toyWatch) Close() {
	w.once.Do(func() {
		w.toy.mu.Lock()
		defer w.toy.mu.Unlock()
		w.toy.watches--
	})
}

func (c *toy) Budgets(_ context.Context, pods []victims.Pod) ([]Budget, error) {
	budgets := slices.Clone(c.budgets)
	for i := range budgets {
		if budgets[i].Covers != nil {
			continue
		}
		for _, p := range pods {
			budgets[i].Covers = append(budgets[i].Covers, p.UID)
		}
	}
	return budgets, nil
}

func (c *toy) Remove(_ context.Context, p victims.Pod, how Removal) error {
	time.Sleep(c.slow)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.deaf {
		return errors.New("connection refused")
	}
	if how.DryRun {
		c.dry = append(c.dry, p.UID)
		return nil
	}
	for i := range c.pods {
		if c.pods[i].UID == p.UID {
			c.removed = append(c.removed, p.UID)
			c.born++
			c.pods[i] = victims.Pod{Name: fmt.Sprint("new-", c.born), UID: fmt.Sprint("new-", c.born), Created: wallNow(), Running: true, Ready: true}
			if c.mute {
				return errors.New("connection reset")
			}
			return nil
		}
	}
	return &Refusal{errors.New("409: it is another pod by now")}
}

func (c *toy) Alive(_ context.Context, pods []victims.Pod) (alive []victims.Pod, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unseen > 0 {
		c.unseen--
		return nil, errors.New("connection refused")
	}
	for _, p := range pods {
		if slices.ContainsFunc(c.pods, func(other victims.Pod) bool { return other.UID == p.UID }) {
			alive = append(alive, p)
		}
	}
	return alive, nil
}

// Follow looks once a second.
func (c *toy) Follow(ctx context.Context, since Sight, see func(Sight) bool) error {
	defer since.unwatch()
	if c.mum && since.Watch != nil {
		<-ctx.Done()
		return ctx.Err()
	}
	var last error
	for ; ; _ = sleepUntil(ctx, wallNow().Add(time.Second), nil) {
		now, err := c.Workload(ctx, since.Workload)
		now.unwatch()
		switch {
		case ctx.Err() != nil:
			return cmp.Or(last, ctx.Err())
		case err != nil:
			last = err
			continue
		}
		c.mu.Lock()
		if c.sick {
			now.Available--
		}
		c.mu.Unlock()
		if s, err := c.Pods(ctx, now); err == nil && see(s) {
			return nil
		}
	}
}

// archive keeps records as the API server does.
type archive struct {
	mu      sync.Mutex
	records map[string]Outcome
	down    bool // no answer until a request's deadline
	deaf    int  // so many requests are carried out, and their answers lost
	tried   []Verdict

	acknowledged map[string]bool
	asked        []Request
	unheard      int // so often the kills that are asked for cannot be followed
}

func name(r Record) string { return r.Workload.UID + r.Planned.UTC().Format(time.RFC3339Nano) }

func (a *archive) Claim(ctx context.Context, r Record) error {
	return a.write(ctx, Outcome{Record: r, Claimed: true}, false)
}

func (a *archive) Settle(ctx context.Context, o Outcome) error { return a.write(ctx, o, true) }

func (a *archive) write(ctx context.Context, o Outcome, over bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tried = append(a.tried, o.Verdict)
	if a.down {
		a.mu.Unlock()
		<-ctx.Done()
		a.mu.Lock()
		return ctx.Err()
	}
	old, ok := a.records[name(o.Record)]
	if ok && (old.Nonce != o.Nonce || old.Ended) {
		return ErrTaken
	}
	if a.records == nil {
		a.records = make(map[string]Outcome)
	}
	if !ok || over {
		a.records[name(o.Record)] = o
	}
	if a.deaf > 0 {
		a.deaf--
		return errors.New("connection reset")
	}
	return nil
}

func (a *archive) all() (all []Outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(a.records)) {
		all = append(all, a.records[key])
	}
	return all
}

// Requests looks once a second, and tells of what it told before until there is a record.
func (a *archive) Requests(ctx context.Context, do func(Request)) error {
	for {
		a.mu.Lock()
		if a.unheard > 0 {
			a.unheard--
			a.mu.Unlock()
			return errors.New("the watch was cut")
		}
		waiting := slices.DeleteFunc(slices.Clone(a.asked), func(q Request) bool {
			_, taken := a.records[name(Record{Workload: q.Workload, Planned: q.At})]
			return taken
		})
		a.mu.Unlock()
		for _, q := range waiting {
			do(q)
		}
		if err := sleepUntil(ctx, wallNow().Add(time.Second), nil); err != nil {
			return err
		}
	}
}

func (a *archive) ask(q Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, q)
}

func (a *archive) Known(context.Context) ([]Outcome, error) {
	return slices.DeleteFunc(a.all(), func(o Outcome) bool { return wallNow().Sub(o.Planned) > 48*time.Hour }), nil
}

func (a *archive) Of(_ context.Context, w victims.Workload) ([]Outcome, error) {
	return slices.DeleteFunc(a.all(), func(o Outcome) bool { return o.Workload.UID != w.UID }), nil
}

func (a *archive) Open(context.Context) ([]Outcome, error) {
	all := a.all()
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(all, func(o Outcome) bool { return o.Ended && (o.Verdict != NotRecovered || a.acknowledged[name(o.Record)]) }), nil
}

func (a *archive) Acknowledged(_ context.Context, r Record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.acknowledged[name(r)] {
		return nil
	}
	return &Veto{Unacknowledged, "acknowledge " + name(r)}
}

func (a *archive) acknowledge(r Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.acknowledged == nil {
		a.acknowledged = make(map[string]bool)
	}
	a.acknowledged[name(r)] = true
}

// orders are a lease and halts that a test can change.
type orders struct {
	mu     sync.Mutex
	lost   bool
	asked  int           // for the lease
	loseAt int           // from then on it is lost; 0: never
	stalls time.Duration // how long the process is held up when it has looked at the lease for the second time
	checks int           // for halts
	haltAt int           // from this check on there is a halt; 0: never
	veto   *Veto         // in the words of that; nil: as of a release day
	deafAt int           // from this check on there is no answer
	awake  int           // from this check on there is one again; 0: never
}

func (o *orders) Held() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	if o.asked == 2 {
		defer time.Sleep(o.stalls)
	}
	return !o.lost && (o.loseAt == 0 || o.asked < o.loseAt)
}

func (o *orders) Check(context.Context, victims.Workload) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.checks++
	switch {
	case o.deafAt > 0 && o.checks >= o.deafAt && (o.awake == 0 || o.checks < o.awake):
		return errors.New("no answer")
	case o.haltAt > 0 && o.checks >= o.haltAt && o.veto != nil:
		return o.veto
	case o.haltAt > 0 && o.checks >= o.haltAt:
		return &Veto{Halted, "release day"}
	}
	return nil
}

type notes struct {
	mu       sync.Mutex
	killed   int
	outcomes []Outcome
	days     []DayPlan

	unrecorded []Outcome
	late       time.Duration // the longest between the end of a kill in namespace good and when it was told of
	troubles   int
}

func (n *notes) Planned(p DayPlan) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.days = append(n.days, p)
}

func (n *notes) Killed(Record, Death) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.killed++
}

func (n *notes) Unrecorded(o Outcome, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.unrecorded = append(n.unrecorded, o)
}

func (n *notes) Trouble(string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.troubles++
}

func (n *notes) Ended(o Outcome) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.outcomes = append(n.outcomes, o)
	if late := wallNow().Sub(o.EndedAt); o.Workload.Namespace == "good" {
		n.late = max(n.late, late)
	}
}

// world is a runner with a workload of three pods, and whoever listens.
func world(t *testing.T, mean time.Duration) (*Runner, *toy, *notes, Subject) {
	t.Helper()
	s := aSubject("uid", workingHours(t, "00:00-24:00"), victims.Span{Time: mean}, nil)
	s.Terms.MinReplicas = 2
	cluster := &toy{terms: s.Terms, replicas: 3}
	for i := range 3 {
		cluster.pods = append(cluster.pods, victims.Pod{Name: fmt.Sprint("pod-", i), UID: fmt.Sprint("pod-", i), Running: true, Ready: true})
	}
	t.Cleanup(func() {
		if cluster.watches != 0 {
			t.Errorf("%d watches of a workload were left open", cluster.watches)
		}
	})
	told := &notes{}
	r := NewRunner(Seed{1})
	r.Arm()
	r.Cluster, r.Report, r.LateGrace, r.Recovery = cluster, told, time.Minute, 2*time.Minute
	r.Records, r.Lease, r.Halts = &archive{}, &orders{}, &orders{}
	return r, cluster, told, s
}

func during(r *Runner, d time.Duration, then ...func()) {
	running, stop := context.WithCancel(context.Background())
	leading, lose := context.WithCancel(running)
	var settling, acting sync.WaitGroup
	settling.Go(func() { r.Run(running) })
	acting.Go(func() { r.Lead(leading, Term{First: true, From: wallNow(), Alive: wallNow()}) })
	time.Sleep(d)
	for _, f := range then {
		f()
	}
	lose()
	acting.Wait()
	stop()
	settling.Wait()
}

func TestWhatIsPlannedIsWhatHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10*time.Minute)
		begin := wallNow()
		r.Set(s)
		during(r, 72*time.Hour)
		var want []time.Time
		for date := s.Terms.Calendar.Date(begin).Add(-1); date.Before(s.Terms.Calendar.Date(wallNow()).Add(1)); date = date.Add(1) {
			for _, k := range Plan(Seed{1}, s.Terms.Calendar.Day(date), s) {
				if k.At.After(begin) && k.At.Before(wallNow()) {
					want = append(want, k.At)
				}
			}
		}
		for _, o := range told.outcomes {
			if o.Verdict != Recovered {
				t.Errorf("%s: %s %s %s", o.Planned, o.Verdict, o.Reason, o.Message)
			}
		}
		if len(want) < 300 || len(told.outcomes) != len(want) || len(cluster.removed) != len(want) {
			t.Fatalf("%d kills ended, %d pods removed, %d kills planned", len(told.outcomes), len(cluster.removed), len(want))
		}
		for i, o := range told.outcomes {
			if !o.Planned.Equal(want[i]) || o.Verdict != Recovered || !o.Pods[0].At.Equal(want[i]) {
				t.Errorf("kill %d: %+v, want it at %s", i, o, want[i])
			}
		}
	})
}

func TestAGateSparesAndItsTwinDoesNot(t *testing.T) {
	for _, test := range []struct {
		why     string
		change  func(*toy)
		verdict Verdict
		reason  Reason
	}{
		{"nothing is wrong", func(*toy) {}, Recovered, ""},
		{"too few replicas", func(c *toy) { c.replicas = 1 }, Vetoed, MinReplicas},
		{"terms that changed", func(c *toy) { c.terms.Scale.Value = 2 }, Vetoed, TermsChanged},
		{"no answer from the API server", func(c *toy) { c.down = true }, Missed, ""},
		{"no connection to the API server", func(c *toy) { c.failures = 1_000_000 }, Missed, ""},
		{"no connection to the API server for a moment", func(c *toy) { c.failures = 8 }, Recovered, ""},
		{"a refusal", func(c *toy) { c.refuses = true }, Failed, ""},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, 10*time.Minute)
				test.change(cluster)
				r.Set(s)
				during(r, 3*time.Hour)
				if len(told.outcomes) == 0 {
					t.Fatal("no kill ended")
				}
				if o := told.outcomes[0]; o.Verdict != test.verdict || o.Reason != test.reason {
					t.Errorf("verdict %q, reason %q, message %q; want %q, %q", o.Verdict, o.Reason, o.Message, test.verdict, test.reason)
				}
				if spared := len(cluster.removed) == 0; spared != (test.verdict != Recovered) {
					t.Errorf("%d pods were removed", len(cluster.removed))
				}
			})
		})
	}
}

func TestEachDayIsToldOfWhenItOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, 30*time.Minute)
		for _, err := range []error{r.Calendar.Days.UnmarshalText([]byte("Mon-Fri")), r.Calendar.Hours.UnmarshalText([]byte("10:00-12:00,13:00-16:00"))} {
			if err != nil {
				t.Fatal(err)
			}
		}
		s.Terms.Calendar = r.Calendar
		r.Set(s)
		during(r, 10*24*time.Hour) // from Saturday, 2000-01-01
		var dates []string
		kills := 0
		for _, d := range told.days {
			dates = append(dates, d.Date.String())
			kills += d.Kills
			if d.Workloads != 1 {
				t.Errorf("%s: %d workloads, want 1", d.Date, d.Workloads)
			}
		}
		if want := "[2000-01-03 2000-01-04 2000-01-05 2000-01-06 2000-01-07 2000-01-10]"; fmt.Sprint(dates) != want {
			t.Errorf("told of %v, want %s", dates, want)
		}
		if kills != len(told.outcomes) {
			t.Errorf("%d kills were told of, %d ended", kills, len(told.outcomes))
		}
	})
}

func TestAfterAChangeOfTermsTheMinimumHolds(t *testing.T) {
	for _, test := range []struct {
		why    string
		change func(*Subject)
		spares bool
	}{
		{"a kill each 50 minutes instead of each hour", func(s *Subject) {
			s.Terms.Pace = victims.Pace{Mean: victims.Span{Time: 50 * time.Minute}, Minimum: &victims.Span{Time: 50 * time.Minute}}
		}, true},
		{"terms as they were", func(*Subject) {}, false},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, time.Hour)
				minimum := victims.Span{Time: time.Hour} // each gap is an hour
				s.Terms.Pace.Minimum = &minimum
				cluster.terms = s.Terms
				r.Set(s)
				during(r, time.Until(r.agenda.items[0].at)+time.Second)
				if len(cluster.removed) != 1 {
					t.Fatalf("%d pods were removed before the change, want 1", len(cluster.removed))
				}
				test.change(&s)
				cluster.terms = s.Terms
				r.Set(s)
				during(r, 20*time.Hour)
				spared := false
				var last time.Time
				for _, o := range told.outcomes {
					spared = spared || o.Reason == TooSoon
					if o.Verdict == Recovered && o.Planned.Sub(last) < s.Terms.Pace.Minimum.Time && s.Terms.Calendar.Date(last) == s.Terms.Calendar.Date(o.Planned) {
						t.Errorf("kills at %s and %s are closer than the minimum", last, o.Planned)
					}
					if o.Verdict == Recovered {
						last = o.Planned
					}
				}
				if spared != test.spares {
					t.Errorf("a kill was spared as too soon: %v, want %v", spared, test.spares)
				}
			})
		})
	}
}

func TestADryRunIsAFieldOfTheRemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10*time.Minute)
		r.DryRun = true
		r.Set(s)
		during(r, 3*time.Hour)
		if len(cluster.removed) > 0 || len(cluster.dry) == 0 || told.killed > 0 || told.outcomes[0].Verdict != Rehearsed {
			t.Errorf("removed %v, rehearsed %v, told of %d kills", cluster.removed, cluster.dry, told.killed)
		}
	})
}

func TestWhatIsToldWhileAKillWaitsForItsInstantSpares(t *testing.T) {
	for _, test := range []struct {
		why    string
		tell   func(*Runner, Subject)
		reason Reason
	}{
		{"nothing", func(*Runner, Subject) {}, ""},
		{"it opted out, as its namespace says", func(r *Runner, s Subject) { r.Drop(s.UID) }, OptedOut},
		{"its terms are others", func(r *Runner, s Subject) {
			s.Terms.Scale = victims.Scale{Mode: victims.KillAll}
			r.Set(s)
		}, TermsChanged},
		{"its terms are the same", func(r *Runner, s Subject) { r.Set(s) }, ""},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, time.Hour)
				r.Set(s)
				if at := time.Until(r.agenda.items[0].at); at > 2*lead {
					time.Sleep(at - 2*lead)
				}
				at := time.Until(r.agenda.items[0].at)
				if r.Busy(0) {
					t.Errorf("busy %s before its instant", at)
				}
				time.AfterFunc(at-lead/2, func() { // it was read before
					if !r.Busy(0) {
						t.Error("not busy while a kill waits")
					}
					test.tell(r, s)
				})
				during(r, at+time.Minute)
				if len(told.outcomes) == 0 {
					t.Fatal("nothing was told")
				}
				o, want := told.outcomes[0], Vetoed
				if test.reason == "" {
					want = Recovered
				}
				if o.Verdict != want || o.Reason != test.reason || (len(cluster.removed) > 0) != (want == Recovered) {
					t.Errorf("%s %s %q, %d removed; want %s %s", o.Verdict, o.Reason, o.Message, len(cluster.removed), want, test.reason)
				}
			})
		})
	}
}

func TestEachGateOfTheLastMomentSpares(t *testing.T) {
	for _, test := range []struct {
		why     string
		change  func(*Runner, *archive, *orders)
		verdict Verdict
		reason  Reason
		removed int           // of the five pods of the first kill
		ends    time.Duration // the lead does, so long after the kill is prepared
	}{
		{"nothing is wrong", func(*Runner, *archive, *orders) {}, Recovered, "", 5, 10 * time.Second},
		{"a halt", func(_ *Runner, _ *archive, o *orders) { o.haltAt = 1 }, Vetoed, Halted, 0, 10 * time.Second},
		{"a halt after the record was written", func(_ *Runner, _ *archive, o *orders) { o.haltAt = 3 }, Vetoed, Halted, 0, 10 * time.Second},
		{"a halt between two pods", func(_ *Runner, _ *archive, o *orders) { o.haltAt = 6 }, Recovered, Partial, 2, 10 * time.Second},
		{"halts that cannot be read any more", func(_ *Runner, _ *archive, o *orders) { o.deafAt = 3 }, Vetoed, Halted, 0, 10 * time.Second},
		{"halts that cannot be read any more after two pods", func(_ *Runner, _ *archive, o *orders) { o.deafAt = 6 }, Recovered, Partial, 2, 10 * time.Second},
		{"halts that cannot be read for a while", func(_ *Runner, _ *archive, o *orders) { o.deafAt, o.awake = 3, 12 }, Recovered, "", 5, 10 * time.Second},
		{"halts that can be read when what was read is old", func(_ *Runner, a *archive, o *orders) { a.deaf, o.deafAt, o.awake = 26, 3, 21 }, Vetoed, Halted, 0, 12 * time.Second},
		{"halts that cannot be read, and the end of the lead", func(_ *Runner, _ *archive, o *orders) { o.deafAt = 3 }, Abandoned, "", 0, 2 * time.Second},
		{"a lease that is not renewed any more", func(_ *Runner, _ *archive, o *orders) { o.loseAt = 2 }, Abandoned, "", 0, 10 * time.Second},
		{"a process that is held up between its last look and a removal", func(_ *Runner, _ *archive, o *orders) { o.stalls = 1100 * time.Millisecond }, Missed, "", 0, 10 * time.Second},
		{"a process that is held up for a moment", func(_ *Runner, _ *archive, o *orders) { o.stalls = 900 * time.Millisecond }, Recovered, "", 5, 10 * time.Second},
		{"answers that are lost when the record is written", func(_ *Runner, a *archive, _ *orders) { a.deaf = 3 }, Recovered, "", 5, 10 * time.Second},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, 10*time.Minute)
				s.Terms.Scale = victims.Scale{Mode: victims.Fixed, Value: 5}
				for i := range 2 {
					cluster.pods = append(cluster.pods, victims.Pod{Name: fmt.Sprint("more-", i), UID: fmt.Sprint("more-", i), Running: true, Ready: true})
				}
				cluster.terms = s.Terms
				records, o := &archive{}, &orders{}
				r.Records, r.Lease, r.Halts = records, o, o
				test.change(r, records, o)
				r.Set(s)
				during(r, time.Until(r.agenda.items[0].at)+test.ends)
				if len(told.outcomes) != 1 {
					t.Fatalf("told of %+v, want one kill", told.outcomes)
				}
				got := told.outcomes[0]
				if got.Verdict != test.verdict || got.Reason != test.reason || len(cluster.removed) != test.removed {
					t.Errorf("verdict %s, reason %q, message %q, %d pods removed; want %s, %q, %d", got.Verdict, got.Reason, got.Message, len(cluster.removed), test.verdict, test.reason, test.removed)
				}
				if record := records.records[name(got.Record)]; !record.Ended || record.Verdict != test.verdict {
					t.Errorf("the record says %+v", record)
				}
				if strings.Contains(got.Message, "context") {
					t.Errorf("it says %q, want words for people", got.Message)
				}
			})
		})
	}
}

func TestWhatWasReadLongAgoIsNotStruckBy(t *testing.T) {
	for _, test := range []struct {
		why     string
		change  func(*toy)
		verdict Verdict
		removed int
	}{
		{"its pods are read for 9.9 s", func(c *toy) { c.slowRead = 9900 * time.Millisecond }, Recovered, 1},
		{"its pods are read for 10.1 s", func(c *toy) { c.slowRead = 10100 * time.Millisecond }, Missed, 0},
		{"its pods die one by one, each in 4 s", func(c *toy) {
			c.slow, c.terms.Scale = 4*time.Second, victims.Scale{Mode: victims.KillAll}
		}, Recovered, 3},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, time.Hour)
				test.change(cluster)
				s.Terms.Scale = cluster.terms.Scale
				r.Set(s)
				during(r, time.Until(r.agenda.items[0].at)+time.Minute)
				if len(told.outcomes) != 1 {
					t.Fatalf("told of %+v, want one kill", told.outcomes)
				}
				if o := told.outcomes[0]; o.Verdict != test.verdict || len(cluster.removed) != test.removed {
					t.Errorf("%s %s %q, %d pods removed; want %s, %d", o.Verdict, o.Reason, o.Message, len(cluster.removed), test.verdict, test.removed)
				}
			})
		})
	}
}

func TestARemovalWithoutAnAnswerIsFoundOut(t *testing.T) {
	for _, test := range []struct {
		why     string
		change  func(*toy)
		verdict Verdict
		killed  int
		trouble int
	}{
		{"it was carried out", func(c *toy) { c.mute = true }, Recovered, 1, 0},
		{"it was not", func(c *toy) { c.deaf = true }, Failed, 0, 0},
		{"it was, and at first nobody can say so", func(c *toy) { c.mute, c.unseen = true, 3 }, Recovered, 1, 1},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, time.Hour)
				test.change(cluster)
				r.Set(s)
				during(r, time.Until(r.agenda.items[0].at)+10*time.Second)
				if len(told.outcomes) != 1 || told.outcomes[0].Verdict != test.verdict || told.killed != test.killed || told.troubles != test.trouble {
					t.Errorf("told of %+v, %d kills and %d troubles, want %s, %d and %d", told.outcomes, told.killed, told.troubles, test.verdict, test.killed, test.trouble)
				}
				if n := r.ledger.days[account{date: told.outcomes[0].Date}]; n != test.killed {
					t.Errorf("the day has %d kills, want %d", n, test.killed)
				}
			})
		})
	}
}

func TestALeaseThatIsLostBeforeTheRecordLeavesTheKillToTheNextLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, time.Hour)
		records, o := &archive{}, &orders{lost: true}
		r.Records, r.Lease, r.Halts = records, o, o
		r.Set(s)
		at := r.agenda.items[0].at
		during(r, time.Until(at)+500*time.Millisecond, func() {
			if len(told.outcomes) > 0 || len(records.records) > 0 {
				t.Errorf("without the lease, told of %+v, recorded %+v", told.outcomes, records.records)
			}
			o.mu.Lock()
			o.lost = false
			o.mu.Unlock()
			time.Sleep(10 * time.Second)
		})
		if len(told.outcomes) != 1 || !told.outcomes[0].Planned.Equal(at) || len(cluster.removed) != 1 {
			t.Errorf("with it, told of %+v, removed %v", told.outcomes, cluster.removed)
		}
	})
}

func TestAWorkloadThatDoesNotHealIsLeftInPeaceUntilItsTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10*time.Second)
		cluster.sick = true
		r.Set(s)
		during(r, time.Until(r.agenda.items[0].at)+r.Recovery+time.Second)
		verdicts := map[Verdict]int{}
		reasons := map[Reason]int{}
		for _, o := range told.outcomes {
			verdicts[o.Verdict]++
			reasons[o.Reason]++
		}
		if verdicts[NotRecovered] != 1 || verdicts[Vetoed] < 5 || reasons[Unrecovered] != verdicts[Vetoed] || len(cluster.removed) != 1 {
			t.Errorf("verdicts %v, reasons %v, removed %v", verdicts, reasons, cluster.removed)
		}
	})
}

func TestTheNextLeaderCarriesOn(t *testing.T) {
	gone := victims.Pod{Name: "gone", UID: "gone"}
	struck := victims.Pod{Name: "struck", UID: "struck"} // by a later kill, which has ended
	alive := victims.Pod{Name: "pod-0", UID: "pod-0"}
	for _, test := range []struct {
		why     string
		open    func(*Outcome)
		verdict Verdict
		reason  Reason
	}{
		{"nobody acted", func(o *Outcome) { o.Targets = []victims.Pod{alive} }, Abandoned, ""},
		{"the pod is gone by another kill", func(o *Outcome) { o.Targets = []victims.Pod{struck} }, Abandoned, ""},
		{"one of two is gone, and that by another kill", func(o *Outcome) { o.Targets = []victims.Pod{alive, struck} }, Abandoned, ""},
		{"both are gone, one by another kill", func(o *Outcome) { o.Targets = []victims.Pod{gone, struck} }, Recovered, Partial},
		{"the pod is gone", func(o *Outcome) { o.Targets = []victims.Pod{gone} }, Recovered, ""},
		{"one of two is gone", func(o *Outcome) { o.Targets = []victims.Pod{gone, alive} }, Recovered, Partial},
		{"the record says that it was carried out", func(o *Outcome) {
			o.Targets, o.ExecutedAt = []victims.Pod{gone}, o.Planned
			o.Pods = []Death{{Pod: gone, At: o.Planned}}
		}, Recovered, ""},
		{"a rehearsal", func(o *Outcome) { o.DryRun, o.Targets = true, []victims.Pod{gone} }, Abandoned, ""},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, 24*time.Hour)
				records := &archive{}
				r.Records = records
				o := Outcome{Record: Record{Workload: s.Workload, Planned: wallNow(), Nonce: "of another", ActBefore: wallNow().Add(time.Minute)}, Claimed: true}
				test.open(&o)
				other := Outcome{Record: Record{Workload: s.Workload, Planned: wallNow().Add(-time.Second), Nonce: "of yet another"}, Claimed: true,
					Ended: true, Verdict: Recovered, ExecutedAt: wallNow(), Pods: []Death{{Pod: struck, At: wallNow()}}}
				records.records = map[string]Outcome{name(o.Record): o, name(other.Record): other}
				during(r, 2*time.Minute)
				if len(told.outcomes) != 1 || told.outcomes[0].Verdict != test.verdict || told.outcomes[0].Reason != test.reason {
					t.Errorf("told of %+v, want one kill with verdict %s, %q", told.outcomes, test.verdict, test.reason)
				}
				if died := told.killed == 1; died != (test.verdict == Recovered) {
					t.Errorf("told of %d deaths", told.killed)
				}
				if len(cluster.removed) > 0 {
					t.Errorf("%v were removed", cluster.removed)
				}
				if len(r.ledger.unsettled) > 0 {
					t.Errorf("the ledger still has %v", r.ledger.unsettled)
				}
			})
		})
	}
}

func TestAKillWhoseRecordWaitsIsNotTakenForOneThatWasLeftOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, 24*time.Hour)
		s.Namespace = "bad"
		r.Set(s)
		at := r.agenda.items[0].at
		records := &declining{namespace: "bad", err: errors.New("no answer")}
		r.Records = records
		time.AfterFunc(time.Until(at), func() { // it is claimed by then
			records.mu.Lock()
			records.until = at.Add(time.Hour)
			records.mu.Unlock()
		})
		during(r, time.Until(at)+2*time.Hour)
		if len(told.outcomes) != 1 || told.outcomes[0].Verdict != Recovered || told.killed != 1 {
			t.Errorf("told of %+v and %d deaths, want one kill and one", told.outcomes, told.killed)
		}
	})
}

// counting notes how many goroutines there are while records are written.
type counting struct {
	archive
	most atomic.Int64
}

func (c *counting) Settle(ctx context.Context, o Outcome) error {
	c.most.Store(max(c.most.Load(), int64(runtime.NumGoroutine())))
	time.Sleep(time.Millisecond)
	return c.archive.Settle(ctx, o)
}

// An outage may leave thousands of kills behind, and the next leader has no more memory than the one before.
func TestWhatWasDueInAnOutageIsWrittenDownByFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, 10*time.Second)
		records := &counting{}
		r.Records = records
		r.Set(s)
		time.Sleep(12 * time.Hour)
		running, stop := context.WithCancel(t.Context())
		leading, lose := context.WithCancel(running)
		var settling, acting sync.WaitGroup
		settling.Go(func() { r.Run(running) })
		before := int64(runtime.NumGoroutine())
		acting.Go(func() { r.Lead(leading, Term{From: wallNow().Add(-12 * time.Hour), Alive: wallNow()}) })
		time.Sleep(time.Minute)
		lose()
		acting.Wait()
		stop()
		settling.Wait()
		if most := records.most.Load() - before; len(told.outcomes) < 4000 || most > 50 {
			t.Errorf("%d kills are told of, by up to %d goroutines; want some 4,300 by 50 at most", len(told.outcomes), most)
		}
	})
}

// It comes again, since it lies before the last leader's end; as Missed it would take the place of how it ended, and its record
// would stay open.
func TestAKillThatIsCarriedOnIsNotMissedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, 10*time.Minute)
		r.agenda.armed = false
		begin := wallNow()
		r.Set(s)
		at := r.agenda.items[0].at
		time.Sleep(time.Until(at) + 2*time.Second)
		gone := victims.Pod{Name: "gone", UID: "gone"}
		o := Outcome{Record: Record{Workload: s.Workload, Planned: at, Nonce: "of another", Targets: []victims.Pod{gone}, ActBefore: at}, Claimed: true}
		records := &archive{records: map[string]Outcome{name(o.Record): o}}
		r.Records = records
		running, stop := context.WithCancel(context.Background())
		var all sync.WaitGroup
		all.Go(func() { r.Run(running) })
		all.Go(func() { r.Lead(running, Term{From: begin, Alive: at.Add(time.Second)}) })
		time.Sleep(3 * time.Second)
		stop()
		all.Wait()
		if len(told.outcomes) != 1 || told.outcomes[0].Verdict != Recovered || slices.Contains(records.tried, Missed) {
			t.Errorf("told of %+v, tried to write %v; want it to be Recovered, and nothing else", told.outcomes, records.tried)
		}
	})
}

func TestAKillThatALostLeadLeftBehindComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10*time.Minute)
		cluster.down = true // so that it hangs in its preparation
		r.Set(s)
		at := r.agenda.items[0].at
		during(r, time.Until(at)-time.Second) // and the lead is lost a second before its instant
		cluster.down = false
		during(r, 10*time.Second)
		if len(told.outcomes) != 1 || !told.outcomes[0].Planned.Equal(at) || told.outcomes[0].Verdict != Recovered || len(cluster.removed) != 1 {
			t.Errorf("told of %+v, removed %v; want the kill of %s to be carried out", told.outcomes, cluster.removed, at)
		}
	})
}

func TestAKillThatComesLateIsCarriedOutWithinItsGrace(t *testing.T) {
	for _, test := range []struct {
		why     string
		late    time.Duration
		verdict Verdict
	}{
		{"half a minute late", 30 * time.Second, Recovered},
		{"as late as may be", 58 * time.Second, Recovered},
		{"later than that", 61 * time.Second, Missed},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _, told, s := world(t, time.Hour)
				r.Set(s)
				at := r.agenda.items[0].at
				time.Sleep(time.Until(at) + test.late)
				running, stop := context.WithCancel(context.Background())
				var all sync.WaitGroup
				all.Go(func() { r.Run(running) })
				all.Go(func() { r.Lead(running, Term{From: at.Add(-time.Second), Alive: at.Add(-time.Second)}) })
				time.Sleep(20 * time.Second)
				stop()
				all.Wait()
				if len(told.outcomes) != 1 || told.outcomes[0].Verdict != test.verdict {
					t.Errorf("told of %+v, want one kill, %s", told.outcomes, test.verdict)
				}
			})
		})
	}
}

func TestWhatNoLeaderWasThereForIsMissedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, time.Hour)
		r.agenda.armed = false // it starts into a cluster in which s opted in long ago
		begin := wallNow()
		time.Sleep(6 * time.Hour)
		r.Set(s)
		records := &archive{}
		r.Records = records
		for range 2 { // a second leader finds nothing to add
			running, stop := context.WithCancel(context.Background())
			var all sync.WaitGroup
			all.Go(func() { r.Run(running) })
			all.Go(func() { r.Lead(running, Term{From: begin, Alive: wallNow()}) })
			time.Sleep(time.Second)
			stop()
			all.Wait()
		}
		due := 0
		for _, k := range Plan(Seed{1}, s.Terms.Calendar.Day(s.Terms.Calendar.Date(begin)), s) {
			if k.At.Before(begin.Add(6 * time.Hour)) {
				due++
			}
		}
		if due == 0 || len(told.outcomes) != due || len(records.records) != due || len(cluster.removed) > 0 {
			t.Errorf("%d kills were due; told of %d, recorded %d, removed %v", due, len(told.outcomes), len(records.records), cluster.removed)
		}
		for _, o := range told.outcomes {
			if o.Verdict != Missed {
				t.Errorf("%s: %s, want Missed", o.Planned, o.Verdict)
			}
		}
	})
}

func TestTheEndComesBetweenTwoPods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10*time.Minute)
		s.Terms.Scale = victims.Scale{Mode: victims.KillAll}
		cluster.terms, cluster.slow = s.Terms, 400*time.Millisecond
		r.Set(s)
		first := r.agenda.items[0].at
		during(r, time.Until(first)+500*time.Millisecond) // in the middle of the second removal
		known, err := r.Records.Known(t.Context())
		if err != nil || len(known) != 1 {
			t.Fatalf("records %+v, %v, want one", known, err)
		}
		if o := known[0]; len(cluster.removed) != 2 || len(told.outcomes) > 0 || o.Ended || !o.executed() || o.Reason != Partial {
			t.Errorf("removed %v, record %+v; want two pods, and a record that the next leader carries on", cluster.removed, o)
		}
	})
}

// The clock is a value here: it goes on, stands still in a suspended machine, is set forward and back.
func TestHoweverTheClockJumpsEachKillIsDueOnce(t *testing.T) {
	s := aSubject("uid", workingHours(t, "00:00-24:00"), victims.Span{Time: 10 * time.Minute}, nil)
	noon := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	r := NewRunner(Seed{1})
	r.LateGrace = time.Minute
	for _, test := range []struct {
		why   string
		hours []float64 // after noon, what the clock shows in turn
	}{
		{"it goes on", []float64{0.01, 0.02, 0.03, 0.5}},
		{"it is set back", []float64{1, 0.5, 1, 2}},
		{"it is set back by days", []float64{1, -71, 0, 1, 2}},
		{"the machine sleeps until tomorrow", []float64{1, 30}},
		{"the machine sleeps for days", []float64{1, 100, 101}},
	} {
		t.Run(test.why, func(t *testing.T) {
			a := agenda{seed: Seed{1}, armed: true}
			a.set(noon, s)
			latest := noon
			var got []time.Time
			for _, h := range test.hours {
				now := noon.Add(time.Duration(h * float64(time.Hour)))
				if now.After(latest) {
					latest = now
				}
				kills, wake := a.next(now)
				if !wake.After(now) {
					t.Errorf("at %s it wants to be woken at %s", now, wake)
				}
				for _, k := range kills {
					got = append(got, k.At)
					var m *missed
					if late := now.Sub(k.At) > r.LateGrace; errors.As(r.onTime(now, k), &m) != late {
						t.Errorf("at %s the kill of %s is missed: %v", now, k.At, !late)
					}
				}
			}
			var want []time.Time
			for date := s.Terms.Calendar.Date(noon); !latest.Before(s.Terms.Calendar.Midnight(date)); date = date.Add(1) {
				for _, k := range Plan(Seed{1}, s.Terms.Calendar.Day(date), s) {
					if k.At.After(noon) && !k.At.After(latest) {
						want = append(want, k.At)
					}
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("due were %v,\nplanned %v", got, want)
			}
		})
	}
}

func TestOptingInAtOneAddsKillsAfterOne(t *testing.T) {
	s := aSubject("uid", workingHours(t, "10:00-16:00"), victims.Span{Time: 10 * time.Minute}, nil)
	one := time.Date(2026, time.March, 4, 13, 0, 0, 0, time.UTC)
	a := agenda{seed: Seed{1}, armed: true}
	a.set(one, s)
	kills, _ := a.next(one.Add(3 * time.Hour))
	var want []Kill
	for _, k := range Plan(Seed{1}, s.Terms.Calendar.Day(s.Terms.Calendar.Date(one)), s) {
		if k.At.After(one) {
			want = append(want, k)
		}
	}
	if len(kills) == 0 || len(kills) != len(want) {
		t.Fatalf("%d kills after one, want the %d of the day's plan", len(kills), len(want))
	}
	for i, k := range kills {
		if k.Kill != want[i] {
			t.Errorf("kill %d is at %s, want %s", i, k.At, want[i].At)
		}
	}
}

func TestANewcomerMovesNobody(t *testing.T) {
	cal := workingHours(t, "00:00-24:00")
	noon := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	planned := func(others int) (at []time.Time) {
		a := agenda{seed: Seed{1}, armed: true}
		for i := range others {
			a.set(noon, aSubject(fmt.Sprint("other-", i), cal, victims.Span{Time: time.Minute}, nil))
		}
		a.set(noon, aSubject("uid", cal, victims.Span{Time: time.Minute}, nil))
		kills, _ := a.next(noon.Add(time.Hour))
		for _, k := range kills {
			if k.UID == "uid" {
				at = append(at, k.At)
			}
		}
		return at
	}
	alone, crowded := planned(0), planned(20)
	if len(alone) == 0 || fmt.Sprint(alone) != fmt.Sprint(crowded) {
		t.Errorf("alone: %v\nin a crowd: %v", alone, crowded)
	}
}

// crowd is a toy of many workloads, none of which loses a pod for long, and counts how many kills ask it at once.
type crowd struct {
	*toy
	asking, most int
}

func (c *crowd) Pods(ctx context.Context, now Condition) (Sight, error) {
	c.count(1)
	defer c.count(-1)
	return c.toy.Pods(ctx, now)
}

func (c *crowd) count(change int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asking += change
	c.most = max(c.most, c.asking)
}

func (c *crowd) Remove(context.Context, victims.Pod, Removal) error { return nil }

// Follow sees that all pods are others.
func (c *crowd) Follow(_ context.Context, since Sight, see func(Sight) bool) error {
	since.unwatch()
	since.At, since.Pods = wallNow(), slices.Clone(since.Pods)
	for i := range since.Pods {
		since.Pods[i].UID += " anew"
	}
	if !see(since) {
		return errors.New("it is not whole")
	}
	return nil
}

// ponder is what a probe asks that takes its time.
type ponder time.Duration

func (p ponder) Ask(context.Context) (Answer, error) {
	time.Sleep(time.Duration(p))
	return Answer{Value: "fine", Off: -1}, nil
}

func TestNoMoreKillsArePreparedAtOnceThanAnAPIServerAnswers(t *testing.T) {
	for _, test := range []struct {
		slow, probe time.Duration // an answer
		inTime      bool
		least       int // of some 1,000 kills strike
	}{
		{250 * time.Millisecond, 0, true, 900}, // 128 a second, and some 100 are due
		{250 * time.Millisecond, 900 * time.Millisecond, true, 900},
		{2 * time.Second, 0, false, 150},        // 16 a second
		{3500 * time.Millisecond, 0, false, 80}, // 9 a second
	} {
		synctest.Test(t, func(t *testing.T) {
			r, toy, told, s := world(t, 10*time.Second)
			c := &crowd{toy: toy}
			c.slowRead, r.Cluster = test.slow, c
			r.Hypotheses = believe(ponder(test.probe), func(p *Probe) { p.During = false })
			s.Terms.Calendar = workingHours(t, "00:00-00:01")
			toy.terms = s.Terms
			for i := range 1000 {
				s.UID = fmt.Sprint("uid-", i)
				r.Set(s)
			}
			during(r, 12*time.Second)
			if c.most > mostAtOnce || !test.inTime && c.most < mostAtOnce {
				t.Errorf("answers take %s: %d kills asked at once, want %d", test.slow, c.most, mostAtOnce)
			}
			struck, missed := 0, 0
			for _, o := range told.outcomes {
				switch {
				case o.executed():
					struck++
				case o.Verdict == Missed && strings.Contains(o.Message, "its turn did not come in time"):
					missed++
				case o.Verdict != Abandoned: // when the lead ended
					t.Errorf("%s: %s %s %s", o.Planned, o.Verdict, o.Reason, o.Message)
				}
			}
			if struck < test.least || missed > 0 == test.inTime {
				t.Errorf("answers take %s: %d kills struck and %d were missed, want %d and all in time: %v", test.slow, struck, missed, test.least, test.inTime)
			}
		})
	}
}

func TestWhatIsSparedGivesItsTurnBack(t *testing.T) {
	for why, change := range map[string]func(*toy, bool){
		"before its pods are read": func(c *toy, spares bool) { c.rollout = map[bool]string{true: "new pods"}[spares] },
		"after they were":          func(c *toy, spares bool) { c.pods[0].Ready = !spares },
		"and who cannot read them": func(c *toy, spares bool) { c.refuses = spares },
	} {
		synctest.Test(t, func(t *testing.T) {
			r, toy, told, s := world(t, time.Second)
			s.Terms.Calendar = workingHours(t, "00:00-00:02")
			toy.terms = s.Terms
			change(toy, true)
			r.Set(s)
			during(r, time.Minute, func() {
				toy.mu.Lock()
				change(toy, false)
				toy.mu.Unlock()
				time.Sleep(time.Minute)
			})
			spared, struck := 0, 0
			for _, o := range told.outcomes {
				if o.executed() {
					struck++
				} else if o.Verdict == Vetoed || o.Verdict == Failed {
					spared++
				}
			}
			if spared <= mostAtOnce || struck == 0 {
				t.Errorf("%s: %d were spared and then %d struck; want more than %d, and some", why, spared, struck, mostAtOnce)
			}
		})
	}
}

func TestWhoseTurnIsNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		leave := make([]func(), 0, mostAtOnce)
		for range mostAtOnce {
			l, err := turns.take(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			leave = append(leave, l)
		}
		var mu sync.Mutex // guards came
		var came []string
		wait := func(who string, patience time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			go func() {
				defer cancel()
				l, err := turns.take(ctx)
				if err != nil {
					l, who = func() {}, who+": "+err.Error()
				}
				mu.Lock()
				came = append(came, who)
				mu.Unlock()
				l()
			}()
			synctest.Wait()
		}
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(came, want) {
				t.Errorf("%q, want %q", came, want)
			}
			came = nil
		}
		const inVain = ": its turn did not come in time: 32 others that are due as well wait for answers of the API server"

		wait("first", 7*time.Second)
		wait("second", 7*time.Second)
		time.Sleep(lead)
		expect()
		leave[0]()
		expect("first", "second")

		leave[0]() // a turn ends once
		l, err := turns.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wait("patient for 2 s", 2*time.Second)
		wait("patient for 7 s", 7*time.Second)
		wait("patient for long", time.Hour)
		time.Sleep(time.Second - 1)
		expect()
		time.Sleep(time.Nanosecond) // half of its time is left for answers
		expect("patient for 2 s" + inVain)
		time.Sleep(lead)
		wait("last", 7*time.Second)
		time.Sleep(time.Second)
		expect("patient for 7 s" + inVain)
		l()
		expect("last", "patient for long")
		if turns.taken != mostAtOnce-1 || len(turns.waiting) > 0 {
			t.Errorf("%d turns are taken and %d wait, want %d and none", turns.taken, len(turns.waiting), mostAtOnce-1)
		}
	})
}

func TestWhoHadATurnSaysWhatCameOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, toy, told, s := world(t, 10*time.Minute)
		toy.failures = 1
		r.Set(s)
		go func() {
			for failed := false; !failed; time.Sleep(repeat / 2) {
				toy.mu.Lock()
				failed = toy.failures == 0
				toy.mu.Unlock()
			}
			for range mostAtOnce {
				_, _ = r.turns.take(t.Context())
			}
		}()
		during(r, time.Hour)
		const want = "; before that: reading the workload: connection refused"
		if len(told.outcomes) == 0 || told.outcomes[0].Verdict != Missed || !strings.HasSuffix(told.outcomes[0].Message, want) {
			t.Errorf("%+v; want it missed, in words that end in %q", told.outcomes, want)
		}
	})
}
