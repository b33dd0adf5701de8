package chaos

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

// headStart is how long before its instant a kill is prepared: workload and pods are read, gates are asked, pods are chosen.
const headStart = 2 * time.Second

// Cluster is what a kill needs of the world. A workload and its pods are read afresh by each call; what its namespace says, and
// that it has no budgets, may be 2 s old. An error is a *Refusal if the API server has answered and said no, and an
// *Unknown if a right to read is missing; any other means that it may answer yet.
type Cluster interface {
	// Workload reads the workload of that kind, namespace and name, and may watch it from there on; its error is a *Veto if
	// there is no such workload that opted in, or its terms are wrong.
	Workload(context.Context, victims.Workload) (WorkloadState, error)
	// Pods reads the pods that the workload controls.
	Pods(context.Context, WorkloadState) (Snapshot, error)
	// Budgets reads the PodDisruptionBudgets that cover some of the pods, which share a namespace, in the order of their names.
	Budgets(context.Context, []victims.Pod) ([]Budget, error)
	// Remove deletes or evicts a pod, if its UID is still that of the name. Its error is a *Veto if a budget forbids it.
	Remove(context.Context, victims.Pod, Removal) error
	// Alive tells which of the pods are there under their UIDs and not terminating.
	Alive(context.Context, []victims.Pod) ([]victims.Pod, error)
	// Follow tells see of each change of a workload and its pods since a snapshot of them, and without a watch of how they are
	// first. Within ReadAnew it reads them anew, and does not only watch. It returns nil when see returns true, and otherwise ErrGone if
	// the workload is gone, the last *Refusal, or an error when ctx ends. It closes the watch.
	Follow(ctx context.Context, since Snapshot, see func(Snapshot) bool) error
}

// ReadAnew is the longest time after which Follow reads a workload again instead of only watching it. A count that is seen later than
// this after a kill was made after the kill.
const ReadAnew = 31 * time.Second

// Recovery is how a workload healed.
type Recovery struct {
	FirstReady time.Time // when the first new pod was Ready
	Whole      time.Time // when all were
	Ready      int       // pods, then
	Unwatched  bool      // before Whole nobody could look for a while: it may have been whole before
}

// WorkloadState is a workload as it was just read.
type WorkloadState struct {
	Subject
	Replicas  int    // that it wants
	Available int    // of its replicas, as its controller counts them
	Counted   int    // pods of a Deployment, available or not, as its controller counts them
	Rollout   string // what a rollout waits for; empty if none is under way
	Waits     bool   // for somebody to go on with it, maybe for ever: it is paused, or pods have to be deleted for it
	Misplaced int    // pods of a DaemonSet on nodes that it is not for any more: its controller counts them nowhere else
	First     int    // the number of a StatefulSet's first replica
	Selector  string // of its pods, in the words of the API server
	Labels    map[string]string

	Stops    time.Duration // how long its pods may take to stop, by its spec
	MinReady time.Duration // for which a pod is Ready before it counts as available

	Generation int64 // goes up with each change of what its owner wants
	Watch      Watch // from when it was read on, and of its pods once they were; nil: there is none
}

// Watch is what tells Follow of changes. Whoever was given one closes it, once or more often.
type Watch interface{ Close() }

// unwatch closes its watch.
func (c WorkloadState) unwatch() {
	if c.Watch != nil {
		c.Watch.Close()
	}
}

// Snapshot is a workload with its pods at one time.
type Snapshot struct {
	WorkloadState
	Pods []victims.Pod
	At   time.Time // when it was seen; zero: it was not
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
	Held() bool
}

// Halts are orders to stop.
type Halts interface {
	// Check returns a *Veto if one holds for the workload, and any other error if that cannot be known: an *Unknown has its own reason.
	Check(context.Context, victims.Workload) error
}

// Runner carries out the plan for the subjects it is told of. Its exported fields are set before WriteStatuses and Lead and not changed.
type Runner struct {
	Cluster          Cluster
	Records          Records
	Lease            Lease
	Halts            Halts
	Report           Reporter
	Calendar         calendar.Calendar // when a day opens, and its plan is told of
	Limits           Limits
	LateGrace        time.Duration // a kill later than this is missed, never caught up
	MinAge           time.Duration // younger pods do not die
	RecoveryDeadline time.Duration // how long a workload has to heal whose owner does not say; see TimeToHeal
	DryRun           bool
	// RespectPDB spares where a PodDisruptionBudget does not allow a deletion. An eviction the API server itself refuses.
	RespectPDB bool
	// Hypotheses are what owners believe of their workloads; nil: nothing.
	Hypotheses Hypotheses
	// AcknowledgeAfter is how long after it did not recover a workload is spared if nobody acknowledges that.
	AcknowledgeAfter time.Duration

	clockStep func(since time.Time) time.Duration // ClockStep
	statuses  *statusWriter
	troubles  troubles
	recorded  map[killKey]bool // kills of which there was a record when this lead began
	changed   chan struct{}
	reserved  reservations
	turns     turns        // for kills that are being prepared
	acting    atomic.Int32 // how many kills are being prepared or carried out
	mu        sync.Mutex   // guards what follows
	agenda    agenda
	ledger    ledger
	adopted   map[killKey]string    // namespaces of kills that an earlier leader left open
	owed      map[killKey]time.Time // planned instants of kills that were due and have no record yet
	term      Term                  // that is being led, or was last
	today     DayPlan               // of the day that was open last in this lead; zero: none was
	suffered  map[string]Outcome    // the last kill that a workload did not recover from, by UID
	relieved  time.Time             // when it was known last whether somebody has looked after these, for a kill that they forbid
	relieving chan struct{}         // closed when that is known that is being asked; nil: it is not
}

// NewRunner returns a Runner that plans with the given seed.
func NewRunner(seed Seed) *Runner {
	r := &Runner{clockStep: ClockStep, agenda: agenda{seed: seed, headStart: headStart}, changed: make(chan struct{}, 1), owed: make(map[killKey]time.Time)}
	r.statuses = newStatusWriter(r.settle)
	return r
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

// Busy tells whether a kill is being prepared or carried out, or the next thing on the agenda, a kill or the planning of another day a
// minute before midnight, is within a time. Of a Runner that does not lead it says nothing.
func (r *Runner) Busy(within time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.acting.Load() > 0 || len(r.agenda.items) > 0 && r.agenda.items[0].at.Add(-headStart-within).Before(wallNow())
}

func (r *Runner) wake() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// WriteStatuses writes down what comes of kills until ctx ends, and then for a moment what is left.
func (r *Runner) WriteStatuses(ctx context.Context) {
	r.statuses.records, r.statuses.report = r.Records, r.Report
	r.statuses.run(ctx)
}

// heed ends a lead in which the clock was set: what was read of the last days when it began is of the days that the clock had then.
func (r *Runner) heed(ctx context.Context, end context.CancelFunc) {
	for began := time.Now(); Pause(ctx, time.Second) == nil; {
		if set := r.clockStep(began); set.Abs() > ClocksApart {
			r.troubles.tell(r.Report, "leading", fmt.Errorf("the clock was set by %s: beginning anew", set.Round(time.Second)))
			end()
		}
	}
}

// Lead carries out the plan until ctx ends or the clock is set by more than a minute, then waits for kills that are under way; each of
// them stops before its next pod.
func (r *Runner) Lead(ctx context.Context, term Term) {
	ctx, end := context.WithCancel(ctx)
	var attempts sync.WaitGroup
	defer r.forgetToday()
	defer attempts.Wait()
	defer end()
	attempts.Go(func() { r.heed(ctx, end) })
	if !r.takeOver(ctx, &attempts) {
		return
	}
	attempts.Go(func() { r.sweep(ctx) })
	attempts.Go(func() { r.followRequests(ctx, term) })
	r.mu.Lock()
	r.agenda.takeOver(term.From)
	r.term = term
	r.mu.Unlock()
	told := r.toldBefore(term, &attempts)
	for ctx.Err() == nil {
		told = r.tell(told, &attempts)
		r.mu.Lock()
		kills, wake := r.agenda.next(wallNow())
		kills = slices.DeleteFunc(kills, func(k due) bool {
			return r.recorded[k.key()] // it is being carried on, and what an attempt says of it must not take the place of that
		})
		for _, k := range kills {
			r.owed[k.key()] = k.At
		}
		r.mu.Unlock()
		late := make(map[string][]due) // by namespace; there may be thousands after an outage
		for _, k := range kills {
			if r.over(k, term) {
				late[k.Namespace] = append(late[k.Namespace], k)
				continue
			}
			attempts.Go(func() { r.attempt(ctx, k, term) })
		}
		for namespace, kills := range late {
			attempts.Go(func() {
				for _, k := range kills {
					if r.statuses.room(ctx, namespace) != nil {
						r.putBack(k)
						continue
					}
					r.attempt(ctx, k, term)
				}
			})
		}
		if wake.IsZero() {
			wake = wallNow().Add(time.Hour)
		}
		_ = sleepUntil(ctx, r.beforeEdge(wake), r.changed)
	}
}

// over tells whether it is too late for a kill of the plan: nobody was there, or it is later than it may be.
func (r *Runner) over(k due, term Term) bool {
	return !k.At.After(term.Alive) || wallNow().Sub(k.At) > r.LateGrace
}

// tell tells of a day's plan once its first window is open, unless that is the day that was told of before. No kill waits for
// that.
func (r *Runner) tell(before calendar.Date, beside *sync.WaitGroup) calendar.Date {
	day, ok := r.Calendar.OpenDay(wallNow())
	if !ok || day.Date == before {
		return before
	}
	beside.Go(func() { r.Report.Planned(r.countPlanned(day.Date)) })
	return day.Date
}

// beforeEdge returns wake, or when a window opens or closes before that, be it masked or not: then a day's plan is told of.
func (r *Runner) beforeEdge(wake time.Time) time.Time {
	now := wallNow()
	for _, offset := range []int{-1, 0, 1} {
		for _, w := range r.Calendar.Day(r.Calendar.Date(now).Add(offset)).Windows {
			for _, edge := range []time.Time{w.Open, w.Close} {
				if edge.After(now) {
					wake = calendar.Earlier(wake, edge)
				}
			}
		}
	}
	return wake
}
