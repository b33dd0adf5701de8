package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"caprice/victims"
)

const (
	// patience is how long after its instant, or after it came late, a kill waits for answers. It is short, so that an API
	// server that comes back is not met by all the kills that waited for it.
	patience = 5 * time.Second
	// repeat is how long a kill waits before it asks an API server again that did not answer.
	repeat = 250 * time.Millisecond
	// requestTimeout is how long one removal may take.
	requestTimeout = time.Second
	// lookTimeout is how long one look at pods may take.
	lookTimeout = 5 * time.Second
	// mostAge is the greatest age of what was read of a workload when its first pod is removed: a kill that waited longer is missed.
	mostAge = 10 * time.Second
	// readiness is how long before its instant a kill asks for halts, so that it need not wait for them when it has come.
	readiness = 150 * time.Millisecond
)

// attempt carries out one kill, from its gates to its verdict.
func (r *Runner) attempt(ctx context.Context, k due, term Term) {
	o := Outcome{Record: r.record(k)}
	if k.request == nil && !k.At.After(term.Alive) {
		o.Ended, o.Verdict, o.Message = true, Missed, "there was no leader to carry it out"
		r.settler.add(o)
		return
	}
	r.acting.Add(1)
	undo, err := r.carryOut(ctx, k, &o)
	r.acting.Add(-1)
	defer undo.release()
	defer func() { o.seen.unwatch() }()
	defer o.watch.end()
	switch {
	case errors.Is(err, ErrTaken):
		undo.cancel()
		r.written(k.key()) // what comes of it the other attempt says
		return
	case !o.Claimed && (ctx.Err() != nil || errors.Is(err, errLeaseLost)):
		undo.cancel()
		_ = sleepUntil(ctx, wallNow().Add(time.Second), nil) // the lead ends soon, or the lease is renewed
		if k.request != nil {
			undo.release()
			if o.seen.unwatch(); ctx.Err() == nil {
				r.attempt(ctx, k, term)
			}
			return // the next leader finds what asks for it
		}
		r.mu.Lock()
		r.agenda.putBack(k) // for the next leader, who may be this process, or finds its record
		delete(r.owed, k.key())
		r.mu.Unlock()
		r.wake()
		return
	case !r.find(ctx, &o):
		return // the record stays open, and the next leader finds out
	}
	if !o.executed() || o.DryRun {
		undo.cancel()
	}
	o.judge(err)
	r.settler.add(o)
	if !o.Ended {
		r.verify(ctx, o)
	}
}

// undo takes back what a kill holds.
type undo struct {
	release func() // its PodDisruptionBudgets
	cancel  func() // its place in the ledger
}

// carryOut prepares a kill, claims it and removes its pods. Until it is released, no other kill strikes under the same
// PodDisruptionBudgets.
func (r *Runner) carryOut(ctx context.Context, k due, o *Outcome) (undo, error) {
	held := undo{func() {}, func() {}}
	k.told = r.heardOf(k)
	chosen, err := r.prepare(ctx, k)
	if err != nil {
		return held, err
	}
	held.release, o.read, o.seen = chosen.release, chosen.read, chosen.seen
	if k.request != nil {
		k = k.on(chosen.seen.Subject)
		o.Record = r.record(k)
	}
	cancel, err := r.reserve(k)
	if err != nil {
		return held, err
	}
	held.cancel = cancel
	if !r.Lease.Held() {
		return held, errLeaseLost
	}
	o.Targets, o.ReadyBefore, o.Generation = chosen.pods, readyOf(chosen.seen.Pods), chosen.seen.Generation
	if err = r.claim(ctx, o.Record); err == nil {
		o.Claimed, o.ClaimedAt = true, wallNow()
		r.written(k.key())
		err = r.await(ctx, k)
	}
	if err == nil {
		if !o.DryRun {
			o.watch = watchOver(ctx, chosen.probes)
		}
		err = r.remove(ctx, k, o)
	}
	return held, err
}

// await waits for the instant of a kill.
func (r *Runner) await(ctx context.Context, k due) error {
	if early := k.At.Add(-readiness); wallNow().Before(early) {
		if err := sleepUntil(ctx, early, nil); err != nil {
			return err
		}
		_ = r.Halts.Check(ctx, k.Workload) // what it says counts when the instant has come
	}
	return sleepUntil(ctx, k.At, nil)
}

// find finds out about pods whose removal was asked for and not answered. It returns false if ctx ends before.
func (r *Runner) find(ctx context.Context, o *Outcome) bool {
	var unknown []victims.Pod
	for _, d := range o.Pods {
		if d.unanswered() && !o.DryRun {
			unknown = append(unknown, d.Pod)
		}
	}
	for len(unknown) > 0 {
		// By then the API server has done what it was asked, or never will.
		if sleepUntil(ctx, wallNow().Add(requestTimeout), nil) != nil {
			return false
		}
		request, cancel := context.WithTimeout(ctx, lookTimeout)
		alive, err := r.Cluster.Alive(request, unknown)
		cancel()
		if err != nil {
			continue
		}
		for i := range o.Pods {
			d := &o.Pods[i]
			if !d.unanswered() || slices.ContainsFunc(alive, func(p victims.Pod) bool { return p.UID == d.Pod.UID }) {
				continue
			}
			d.Err = nil
			o.ExecutedAt = later(o.ExecutedAt, d.At)
			r.Report.Killed(o.Record, *d)
		}
		return true
	}
	return true
}

// reserve enters a kill into the ledger; cancel takes it back.
func (r *Runner) reserve(k due) (cancel func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k.request == nil && r.agenda.tooSoon(k) {
		return nil, &Veto{TooSoon, "its terms have changed, and its last kill of the day is less than their minimum ago"}
	}
	if r.rehearses(k) {
		if r.DryRun {
			r.agenda.strike(k.UID, k.At)
		}
		return func() {}, nil
	}
	if err := r.ledger.reserve(k.Workload, k.At, later(k.At, wallNow())); err != nil {
		return nil, err
	}
	before, struck := r.agenda.struck[k.UID]
	r.agenda.strike(k.UID, k.At)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ledger.cancel(k.Workload, k.At)
		delete(r.agenda.struck, k.UID)
		if struck {
			r.agenda.struck[k.UID] = before
		}
	}, nil
}

// patient returns until when a kill waits that is planned for an instant and of no use after another.
func patient(planned, latest time.Time) time.Time {
	until := planned
	if now := wallNow(); now.After(until) {
		until = now // it comes late already
	}
	if until = until.Add(patience); until.After(latest) {
		return latest
	}
	return until
}

// claim writes the record. While it is not known whether that was done, it tries again.
func (r *Runner) claim(ctx context.Context, record Record) error {
	ctx, cancel := context.WithDeadlineCause(ctx, patient(record.Planned, record.ActBefore), &missed{"its record could not be written in time"})
	defer cancel()
	for {
		request, cancel := context.WithTimeout(ctx, requestTimeout)
		err := r.Records.Claim(request, record)
		cancel()
		var refusal *Refusal
		if err == nil || errors.Is(err, ErrTaken) || errors.As(err, &refusal) {
			return err
		}
		if sleepUntil(ctx, wallNow().Add(repeat), nil) != nil {
			return late(ctx, fmt.Errorf("writing its record: %w", err))
		}
	}
}

// prepare gets a kill ready: its gates are asked and its pods chosen. While the API server does not answer, it asks again.
func (r *Runner) prepare(ctx context.Context, k due) (choice, error) {
	if err := r.onTime(wallNow(), k); err != nil {
		return choice{}, err
	}
	ctx, cancel := context.WithDeadlineCause(ctx, patient(k.At, k.At.Add(r.LateGrace)), &missed{"the API server did not answer in time"})
	defer cancel()
	var before error
	for {
		chosen, err := r.choose(ctx, k)
		var m *missed
		if errors.As(err, &m) && before != nil {
			return choice{}, &missed{m.why + "; before that: " + before.Error()}
		}
		if err == nil || final(err) {
			return chosen, err
		}
		if before = err; sleepUntil(ctx, wallNow().Add(repeat), nil) != nil {
			return choice{}, late(ctx, err)
		}
	}
}

// choose asks for halts, reads the workload and its pods afresh, asks the gates, and chooses.
func (r *Runner) choose(ctx context.Context, k due) (choice, error) {
	if k.request != nil && k.request.Problem != nil {
		return choice{}, &Refusal{k.request.Problem}
	}
	if err := r.Halts.Check(ctx, k.Workload); err != nil {
		return choice{}, haltsUnknown(err)
	}
	if err := r.acknowledged(ctx, k.Workload); err != nil {
		return choice{}, err
	}
	leave, err := r.turns.take(ctx)
	if err != nil {
		return choice{}, err
	}
	defer leave()
	read := time.Now()
	now, err := r.Cluster.Workload(ctx, k.Workload)
	if err != nil {
		return choice{}, fmt.Errorf("reading the workload: %w", err)
	}
	chosen, err := r.decide(ctx, k.on(now.Subject), now, leave)
	chosen.read = read
	if err != nil {
		now.unwatch()
	}
	return chosen, err
}

// decide asks the gates of a workload that was just read, and chooses. It calls leave when it has read the pods: probes take
// their own time.
func (r *Runner) decide(ctx context.Context, k due, now Condition, leave func()) (choice, error) {
	if err := gates(k, now); err != nil {
		return choice{}, err
	}
	seen, err := r.Cluster.Pods(ctx, now)
	if err != nil {
		return choice{}, fmt.Errorf("reading its pods: %w", err)
	}
	leave()
	if err := whole(now, seen.Pods); err != nil {
		return choice{}, err
	}
	candidates, err := r.eligible(k, seen.Pods)
	if err != nil {
		return choice{}, err
	}
	probes, err := r.steady(ctx, now)
	if err != nil {
		return choice{}, err
	}
	chosen, err := r.draw(ctx, k, candidates)
	chosen.seen, chosen.probes = seen, probes
	if err == nil && len(chosen.pods) > mostTargets {
		chosen.release()
		return choice{}, &Veto{OverBudget, fmt.Sprintf("it would kill %d pods, and %d are the most that a record holds", len(chosen.pods), mostTargets)}
	}
	return chosen, err
}

// final tells whether asking again would not change the answer: a gate spares, the API server has refused, or it is too late.
func final(err error) bool {
	var veto *Veto
	var refusal *Refusal
	var m *missed
	return errors.As(err, &veto) || errors.As(err, &refusal) || errors.As(err, &m)
}

// remove removes the targets one by one, and looks again before each whether that is still right.
func (r *Runner) remove(ctx context.Context, k due, o *Outcome) error {
	how := Removal{Method: o.Method, Grace: k.Terms.Grace, DryRun: o.DryRun}
	until := patient(k.At, o.ActBefore)
	if left := mostAge - Age(o.read); wallNow().Add(left).Before(until) {
		until = wallNow().Add(left)
	}
	for i, pod := range o.Targets {
		if err := r.mayRemove(ctx, k, until); err != nil {
			return err
		}
		if old := Age(o.read); i == 0 && old > mostAge {
			return &missed{fmt.Sprintf("it waited, and what was read of its workload is %s old: want at most %s", old.Round(time.Millisecond), mostAge)}
		}
		if err := r.act(o, i == 0); err != nil {
			return err
		}
		death := Death{Pod: pod, At: wallNow()}
		// A removal that has begun is not cut short by the end of the process: its answer is awaited, for a second.
		request, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
		death.Err = r.Cluster.Remove(request, pod, how)
		cancel()
		o.Pods = append(o.Pods, death)
		if errors.Is(death.Err, ErrDenied) {
			return nil // the others would not fare better
		}
		if death.Err != nil {
			continue
		}
		o.ExecutedAt = death.At
		if !o.DryRun {
			r.Report.Killed(o.Record, death)
		}
	}
	return nil
}

// act notes that a kill acts now, so that others keep their distance from it; as it begins to, which may be later than it was to, it
// has to keep its own.
func (r *Runner) act(o *Outcome, begins bool) error {
	if o.DryRun {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := wallNow()
	if begins {
		if err := r.ledger.apart(o.key(), now); err != nil {
			return err
		}
	}
	r.ledger.act(o.key(), now)
	return nil
}

// mayRemove returns an error if no pod must be removed now. While halts cannot be read it asks again until the given time.
func (r *Runner) mayRemove(ctx context.Context, k due, until time.Time) error {
	if err := r.unhalted(ctx, k, until); err != nil {
		return err
	}
	if !r.Lease.Held() {
		return errLeaseLost
	}
	return errors.Join(ctx.Err(), r.onTime(wallNow(), k), r.standing(k))
}

// unhalted returns a veto if a halt holds, or if none could be read until the given time.
func (r *Runner) unhalted(ctx context.Context, k due, until time.Time) error {
	for {
		err := r.Halts.Check(ctx, k.Workload)
		var unknown *unreadable
		switch {
		case err == nil:
			return nil
		case !errors.As(haltsUnknown(err), &unknown):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !wallNow().Add(repeat).Before(until):
			return &unknown.veto
		}
		_ = sleepUntil(ctx, wallNow().Add(repeat), nil)
	}
}

// standing returns an error if something was told of the workload since its kill was prepared.
func (r *Runner) standing(k due) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, there := r.agenda.subjects[k.UID]
	switch {
	case k.told == nil || k.told.until.IsZero(), there && k.request != nil && k.on(now.Subject).Terms.Same(k.Terms): // as they were read
		return nil
	case there:
		return &Veto{TermsChanged, "its terms have changed since this kill was planned, or it has opted out and in again"}
	}
	return &Veto{OptedOut, "it has opted out, or is gone, since this kill was prepared"}
}

// heardOf returns what a kill's workload is told to ask for, nil if nothing is.
func (r *Runner) heardOf(k due) *subject {
	if k.request == nil {
		return k.subject
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.agenda.subjects[k.UID]
}

var errLeaseLost = errors.New("the lease could not be renewed in time")

// onTime returns an error if by now it is too late for the kill, or its window has closed.
func (r *Runner) onTime(now time.Time, k due) error {
	if lateness := now.Sub(k.At); lateness > r.LateGrace {
		return &missed{fmt.Sprintf("%s late, more than %s", lateness.Round(time.Millisecond), r.LateGrace)}
	}
	if k.request != nil {
		return r.inTime(now, k)
	}
	if why := k.Terms.Calendar.Why(now); now.After(k.At) && why != "" {
		return &Veto{OutsideWindow, "its window has closed meanwhile: " + why}
	}
	return nil
}

// missed is the error of a kill that is too late.
type missed struct{ why string }

func (m *missed) Error() string { return m.why }

// unreadable is the error of halts that cannot be read: in the end the workload is spared for it.
type unreadable struct {
	veto Veto
	err  error
}

func (u *unreadable) Error() string { return u.veto.Message }
func (u *unreadable) Unwrap() error { return u.err }

// haltsUnknown returns a veto as it is, and any other error as unreadable.
func haltsUnknown(err error) error {
	var veto *Veto
	if errors.As(err, &veto) {
		return err
	}
	return &unreadable{Veto{Halted, "whether there is a halt cannot be known: " + err.Error()}, err}
}

// late returns err, as missed if the reason for it is that time ran out.
func late(ctx context.Context, err error) error {
	var m *missed
	var unknown *unreadable
	if errors.As(err, &unknown) {
		return &unknown.veto
	}
	if errors.As(context.Cause(ctx), &m) {
		return &missed{m.why + ": " + err.Error()}
	}
	return err
}

// judge says what came of a kill that ended with err.
func (o *Outcome) judge(err error) {
	errs := []error{err}
	for _, d := range o.Pods {
		if d.Err != nil {
			errs = append(errs, fmt.Errorf("pod %s: %w", d.Pod.Name, d.Err))
		}
	}
	problem := errors.Join(errs...)
	o.Ended = true
	if problem != nil {
		o.Message = strings.ReplaceAll(problem.Error(), "\n", "; ")
	}
	var veto *Veto
	var m *missed
	switch {
	case o.executed():
		if problem != nil {
			o.Reason = Partial
		}
		if o.Ended = o.DryRun; o.DryRun {
			o.Verdict = Rehearsed
		}
	case errors.As(problem, &veto):
		o.Verdict, o.Reason, o.Message = Vetoed, veto.Reason, veto.Message
	case errors.As(problem, &m):
		o.Verdict, o.Message = Missed, m.why
	case errors.Is(problem, errLeaseLost), errors.Is(problem, context.Canceled):
		o.Verdict = Abandoned
	default:
		o.Verdict = Failed
	}
}
