package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"caprice/victims"
)

// toy is a cluster of one workload that heals at once.
type toy struct {
	mu       sync.Mutex
	terms    victims.Terms
	replicas int
	stray    int    // pods on nodes that it is not for
	fewer    int    // that its controller says are available than it wants
	rollout  string // what one waits for
	pods     []victims.Pod
	budgets  []Budget // without Covers: of all pods
	born     int
	down     bool          // no answer until a request's deadline
	failures int           // so many requests are not answered, at once
	refuses  bool          // the answer is no
	denied   int           // so many reads are denied, for want of a right
	slow     time.Duration // how long a removal takes
	passed   time.Duration // after which one is carried out whose answer nobody waits for any more; 0: at once
	slowLook time.Duration // how long it takes to read the workload
	slowRead time.Duration // and its pods
	mute     bool          // removals are carried out, and not answered
	deaf     bool          // removals are neither
	sick     bool          // it does not heal
	mum      bool          // what is watched is not told
	unseen   int           // so many looks at who is alive are not answered
	renewed  int64         // how often its owner has changed what is wanted
	stops    time.Duration // how long its pods may take to stop
	lasts    time.Duration // how long they do
	removed  []string
	dry      []string
	watches  int // that are open
}

func (c *toy) Workload(ctx context.Context, w victims.Workload) (WorkloadState, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		c.mu.Unlock()
		<-ctx.Done()
		c.mu.Lock()
		return WorkloadState{}, ctx.Err()
	}
	if c.refuses {
		return WorkloadState{}, &Refusal{errors.New("403: may not get deployments")}
	}
	if c.denied > 0 {
		c.denied--
		return WorkloadState{}, &Unknown{Veto{Halted, "403: cannot get deployments"}}
	}
	if c.failures > 0 {
		c.failures--
		return WorkloadState{}, errors.New("connection refused")
	}
	c.mu.Unlock()
	time.Sleep(c.slowLook)
	c.mu.Lock()
	c.watches++
	return WorkloadState{
		Subject: Subject{Workload: w, Terms: c.terms}, Replicas: c.replicas, Available: c.replicas - c.fewer, Misplaced: c.stray, Rollout: c.rollout, Generation: 1 + c.renewed, Stops: c.stops, Watch: &toyWatch{toy: c},
	}, nil
}

func (c *toy) Pods(_ context.Context, now WorkloadState) (Snapshot, error) {
	time.Sleep(c.slowRead)
	c.mu.Lock()
	defer c.mu.Unlock()
	return Snapshot{WorkloadState: now, Pods: slices.Clone(c.pods), At: time.Now()}, nil
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
	c.mu.Lock()
	budgets := slices.Clone(c.budgets)
	c.mu.Unlock()
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

func (c *toy) Remove(ctx context.Context, p victims.Pod, how Removal) error {
	if after := c.passed; after > 0 {
		c.passed = 0
		time.AfterFunc(after, func() { _ = c.Remove(context.Background(), p, how) })
		<-ctx.Done()
		return ctx.Err()
	}
	time.Sleep(c.slow)
	if errors.Is(ctx.Err(), context.Canceled) { // a request that is slow is answered all the same, and one that is given up is not sent
		return ctx.Err()
	}
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
			if dead := c.pods[i]; c.lasts > 0 {
				dead.Terminating = true
				c.pods = append(c.pods, dead)
				time.AfterFunc(c.lasts, func() {
					c.mu.Lock()
					defer c.mu.Unlock()
					c.pods = slices.DeleteFunc(c.pods, func(p victims.Pod) bool { return p.UID == dead.UID })
				})
			}
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

// goes has it not heal until a time, and not answer from then on until another.
func (c *toy) goes(after, until time.Duration) {
	c.sick = true
	at := func(d time.Duration, change func()) {
		time.AfterFunc(d, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			change()
		})
	}
	at(after, func() { c.sick, c.failures = false, math.MaxInt })
	at(until, func() { c.failures = 0 })
}

// Follow looks once a second.
func (c *toy) Follow(ctx context.Context, since Snapshot, see func(Snapshot) bool) error {
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
	down    bool          // no answer until a request's deadline
	unread  bool          // what there is cannot be read
	alters  bool          // a record that is created says another attempt's nonce
	deaf    int           // so many requests are carried out, and their answers lost
	slow    time.Duration // it takes to write a record, unless whoever asks gives up before
	tried   []Verdict

	acknowledged map[string]bool
	asked        []Request
}

func name(r Record) string { return r.Workload.UID + r.Planned.UTC().Format(time.RFC3339Nano) }

func (a *archive) Claim(ctx context.Context, r Record) error {
	if a.slow > 0 && Pause(ctx, a.slow) != nil {
		return ctx.Err()
	}
	if a.alters {
		r.Nonce = "another"
		return cmp.Or(a.write(ctx, Outcome{Record: r, Claimed: true}, false), error(&Refusal{ErrAltered}))
	}
	return a.write(ctx, Outcome{Record: r, Claimed: true}, false)
}

func (a *archive) WriteStatus(ctx context.Context, o Outcome) error { return a.write(ctx, o, true) }

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
	if ok && (old.Nonce != o.Nonce && !(over && o.Claimed) || old.Ended) {
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
func (a *archive) Requests(ctx context.Context, do func(Request), _ func(error)) {
	for ctx.Err() == nil {
		a.mu.Lock()
		waiting := slices.DeleteFunc(slices.Clone(a.asked), func(q Request) bool {
			_, taken := a.records[name(Record{Workload: q.Workload, Planned: q.At})]
			return taken
		})
		a.mu.Unlock()
		for _, q := range waiting {
			do(q)
		}
		_ = sleepUntil(ctx, wallNow().Add(time.Second), nil)
	}
}

func (a *archive) ask(q Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, q)
}

func (a *archive) Known(context.Context) ([]Outcome, error) {
	a.mu.Lock()
	unread := a.unread
	a.mu.Unlock()
	if unread {
		return nil, errors.New("403: may not list kills")
	}
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
	doubt  error         // what it says while there is none; nil: just that
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
		return cmp.Or(o.doubt, errors.New("no answer"))
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
	r.Cluster, r.Report, r.LateGrace, r.RecoveryDeadline = cluster, told, time.Minute, 2*time.Minute
	r.Records, r.Lease, r.Halts = &archive{}, &orders{}, &orders{}
	return r, cluster, told, s
}

func during(r *Runner, d time.Duration, then ...func()) {
	running, stop := context.WithCancel(context.Background())
	leading, lose := context.WithCancel(running)
	var settling, acting sync.WaitGroup
	settling.Go(func() { r.WriteStatuses(running) })
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
