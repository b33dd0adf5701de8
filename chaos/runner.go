package chaos

import (
	"context"
	"errors"
	"sync"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

// lead is how long before its instant a kill is prepared: workload and pods are read, gates are asked, pods are chosen.
const lead = 2 * time.Second

// Cluster is what a kill needs of the world. Each call asks the API server afresh. An error is a *Refusal if the API server
// has answered and said no; any other means that it may answer yet.
type Cluster interface {
	// Workload reads the workload of that kind, namespace and name; its error is a *Veto if there is no such workload that
	// opted in, or its terms are wrong.
	Workload(context.Context, victims.Workload) (Condition, error)
	// Pods reads the pods that the workload controls.
	Pods(context.Context, Condition) ([]victims.Pod, error)
	// Budgets reads the PodDisruptionBudgets that cover some of the pods, which share a namespace, in the order of their names.
	Budgets(context.Context, []victims.Pod) ([]Budget, error)
	// Remove deletes or evicts a pod, if its UID is still that of the name. Its error is a *Veto if a budget forbids it.
	Remove(context.Context, victims.Pod, Removal) error
	// Alive tells which of the pods are there under their UIDs and not terminating.
	Alive(context.Context, []victims.Pod) ([]victims.Pod, error)
	// Recovered returns when none of the pods that a kill removed is there any more and the workload is whole. Its error is
	// ErrGone if the workload is gone, or that of the context.
	Recovered(context.Context, Outcome) (Recovery, error)
}

// Recovery is how a workload healed.
type Recovery struct {
	FirstReady time.Time // when the first new pod was Ready
	Whole      time.Time // when all were
	Ready      int       // pods, then
}

// Condition is a workload as it was just read.
type Condition struct {
	Subject
	Replicas  int    // that it wants
	Available int    // of its replicas, as its controller counts them
	Rollout   string // what a rollout waits for; empty if none is under way
	Selector  string // of its pods, in the words of the API server
}

// Removal is how a pod is removed.
type Removal struct {
	Method victims.Method
	Grace  victims.GracePeriod
	DryRun bool
}

// Lease is the right to kill, which one process has at a time.
type Lease interface {
	// Held tells whether by now nobody else can have it.
	Held(now time.Time) bool
}

// Halts are orders to stop.
type Halts interface {
	// Check returns a *Veto if one holds for the workload, and any other error if that cannot be known.
	Check(context.Context, victims.Workload) error
}

// Runner carries out the plan for the subjects it is told of. Its exported fields are set before Run and not changed.
type Runner struct {
	Cluster   Cluster
	Records   Records
	Lease     Lease
	Halts     Halts
	Report    Reporter
	Calendar  calendar.Calendar // when a day opens, and its plan is told of
	Limits    Limits
	LateGrace time.Duration // a kill later than this is missed, never caught up
	MinAge    time.Duration // younger pods do not die
	Recovery  time.Duration // how long a workload has to heal
	DryRun    bool
	// RespectPDB spares where a PodDisruptionBudget does not allow a deletion. An eviction the API server itself refuses.
	RespectPDB bool

	settler  *settler
	recorded map[settlement]bool // kills of which there was a record when this lead began
	changed  chan struct{}
	reserved reservations
	mu       sync.Mutex // guards what follows
	agenda   agenda
	ledger   ledger
	adopted  map[settlement]string // namespaces of kills that an earlier leader left open
}

// NewRunner returns a Runner that plans with the given seed.
func NewRunner(seed Seed) *Runner {
	return &Runner{agenda: agenda{seed: seed, lead: lead}, changed: make(chan struct{}, 1), settler: newSettler()}
}

// Set tells of a subject, or of a change of its terms. It counts at once; of its plan, only what lies ahead.
func (r *Runner) Set(s Subject) {
	r.mu.Lock()
	r.agenda.set(wallNow(), s)
	r.mu.Unlock()
	r.wake()
}

// Drop tells that a workload is gone or opted out.
func (r *Runner) Drop(uid string) {
	r.mu.Lock()
	r.agenda.drop(wallNow(), uid)
	r.mu.Unlock()
}

// Arm tells that all subjects that there were at the start have been set: those that come from now on opted in now.
func (r *Runner) Arm() {
	r.mu.Lock()
	r.agenda.armed = true
	r.mu.Unlock()
}

// Subjects returns how many subjects there are.
func (r *Runner) Subjects() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.agenda.subjects)
}

func (r *Runner) wake() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// Run writes down what comes of kills until ctx ends, and then for a moment what is left.
func (r *Runner) Run(ctx context.Context) {
	r.settler.records, r.settler.report = r.Records, r.Report
	r.settler.run(ctx)
}

// Term is a time as the leader.
type Term struct {
	From  time.Time // planned instants after it are this leader's to settle
	Alive time.Time // up to when there was a leader before; what it has not begun by then is missed
}

// Lead carries out the plan until ctx ends, then waits for kills that are under way; each of them stops before its next pod.
func (r *Runner) Lead(ctx context.Context, term Term) {
	var attempts sync.WaitGroup
	defer attempts.Wait()
	if !r.takeOver(ctx, &attempts) {
		return
	}
	attempts.Go(func() { r.sweep(ctx) })
	r.mu.Lock()
	r.agenda.takeOver(term.From)
	r.mu.Unlock()
	told := r.toldBefore(term)
	for ctx.Err() == nil {
		told = r.tell(told)
		r.mu.Lock()
		kills, wake := r.agenda.next(wallNow())
		r.mu.Unlock()
		for _, k := range kills {
			if r.recorded[settlement{k.UID, k.At.UnixNano()}] {
				continue // it is being carried on, and what an attempt says of it must not take the place of that
			}
			attempts.Go(func() { r.attempt(ctx, k, term) })
		}
		if wake.IsZero() {
			wake = wallNow().Add(time.Hour)
		}
		if w, opens := r.Calendar.Next(wallNow()); opens {
			wake = earliest(wake, w.Open, w.Close)
		}
		_ = sleepUntil(ctx, wake, r.changed)
	}
}

// takeOver learns from the records what earlier leaders did, and carries on what they left open. It returns false if ctx
// ends before that is known: nothing is killed in ignorance.
func (r *Runner) takeOver(ctx context.Context, attempts *sync.WaitGroup) bool {
	known, ok := r.learn(ctx)
	if !ok {
		return false
	}
	r.recorded = make(map[settlement]bool, len(known))
	for _, o := range known {
		r.recorded[settlement{o.Workload.UID, o.Planned.UnixNano()}] = true
	}
	r.mu.Lock()
	r.ledger = newLedger(r.Limits, r.Calendar, known)
	for _, o := range known {
		if !o.DryRun && o.executed() {
			r.agenda.strike(o.Workload.UID, o.Planned)
		}
	}
	r.mu.Unlock()
	for _, o := range known {
		if !o.Ended {
			r.adopt(o)
			attempts.Go(func() { r.carryOn(ctx, o) })
		}
	}
	return true
}

// learn reads the records, and sees to it that halts can be read; it asks until it is answered or ctx ends.
func (r *Runner) learn(ctx context.Context) (known []Outcome, ok bool) {
	for {
		request, cancel := context.WithTimeout(ctx, 30*time.Second)
		known, err := r.Records.Known(request)
		if err == nil {
			err = r.Halts.Check(request, victims.Workload{})
		}
		cancel()
		var veto *Veto
		if err == nil || errors.As(err, &veto) {
			return known, true
		}
		r.Report.Trouble("reading records and halts", err)
		if sleepUntil(ctx, wallNow().Add(time.Second), nil) != nil {
			return nil, false
		}
	}
}

// toldBefore returns the date of whose plan an earlier leader has told.
func (r *Runner) toldBefore(term Term) calendar.Date {
	day, ok := r.Calendar.OpenDay(wallNow())
	if ok && term.From.Before(term.Alive) && !term.Alive.Before(day.Windows[0].Open) {
		return day.Date
	}
	return calendar.Date{}
}

// tell tells of a day's plan once its first window is open, unless that is the day that was told of before.
func (r *Runner) tell(before calendar.Date) calendar.Date {
	day, ok := r.Calendar.OpenDay(wallNow())
	if !ok || day.Date == before {
		return before
	}
	r.mu.Lock()
	plan := r.agenda.day(day.Date)
	r.mu.Unlock()
	r.Report.Planned(plan)
	return day.Date
}

// earliest returns wake, or an edge of a window that comes before it.
func earliest(wake time.Time, edges ...time.Time) time.Time {
	now := wallNow()
	for _, edge := range edges {
		if edge.After(now) && edge.Before(wake) {
			wake = edge
		}
	}
	return wake
}

// wallNow is the time of the wall clock alone, which a suspended machine and a set clock move, unlike the monotonic one.
func wallNow() time.Time { return time.Now().Round(0) }

// sleepUntil waits until the wall clock shows t, something comes from interrupt, or ctx ends: its error then. It looks at
// the clock once a second, since a timer does not notice that the clock was set or the machine suspended.
func sleepUntil(ctx context.Context, t time.Time, interrupt <-chan struct{}) error {
	for {
		left := t.Sub(wallNow())
		if left <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(min(left, time.Second))
		select {
		case <-timer.C:
		case <-interrupt:
			timer.Stop()
			return ctx.Err()
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}
