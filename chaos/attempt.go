package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

const (
	// patience is how long after its instant, or after it came late, a kill waits for answers. It is short, so that an API
	// server that comes back is not met by all the kills that waited for it.
	patience = 5 * time.Second
	// repeat is how long a kill waits before it asks an API server again that did not answer.
	repeat = 250 * time.Millisecond
	// requestTimeout is how long one request of a kill may take, a removal above all.
	requestTimeout = time.Second
	// passedOn is how long a removal that was not answered may yet be carried out.
	passedOn = 10 * time.Second
	// lookTimeout is how long one look at pods may take, and mostLookTimeout the next ones if it got no answer.
	lookTimeout, mostLookTimeout = 5 * time.Second, 45 * time.Second
	// mostAge is the greatest age of what was read of a workload when its first pod is removed: a kill that waited longer is missed.
	mostAge = 10 * time.Second
	// haltsAhead is how long before its instant a kill asks for halts, so that it need not wait for them when it has come.
	haltsAhead = 150 * time.Millisecond
)

// attempt carries out one kill, from its gates to its verdict. It tells whether one that somebody asked for is to be attempted
// again; one of the plan is put back on the agenda.
func (r *Runner) attempt(ctx context.Context, k due, term Term) (again bool) {
	o := Outcome{Record: r.record(k)}
	if k.request == nil && !k.At.After(term.Alive) {
		o.Ended, o.Verdict, o.Message = true, Missed, "there was no leader to carry it out"
		r.statuses.add(o)
		return false
	}
	r.acting.Add(1)
	held, err := r.carryOut(ctx, k, &o)
	r.acting.Add(-1)
	defer held.release()
	defer func() { o.seen.unwatch() }()
	defer o.sampling.end()
	switch {
	case errors.Is(err, ErrTaken):
		held.cancel()
		r.written(k.key()) // what comes of it the other attempt says
		return false
	case !o.Claimed && (ctx.Err() != nil || errors.Is(err, errLeaseLost)):
		held.cancel()
		_ = Pause(ctx, time.Second) // the lead ends soon, or the lease is renewed
		if k.request != nil {
			return ctx.Err() == nil // otherwise the next leader finds what asks for it
		}
		r.putBack(k)
		return false
	}
	if !r.find(ctx, &o) {
		return false // the record stays open, and the next leader finds out
	}
	if !o.executed() {
		held.cancel()
	}
	o.judge(err)
	r.statuses.add(o)
	if !o.Ended {
		r.verify(ctx, o)
	}
	return false
}

// putBack leaves a kill to the next leader, who may be this process, or finds its record.
func (r *Runner) putBack(k due) {
	r.mu.Lock()
	r.agenda.putBack(k)
	delete(r.owed, k.key())
	r.mu.Unlock()
	r.wake()
}

// holding is what a kill holds, each by what gives it back.
type holding struct {
	release func() // its PodDisruptionBudgets
	cancel  func() // its place in the ledger
}

// carryOut prepares a kill, claims it and removes its pods. Until it is released, no other kill strikes under the same
// PodDisruptionBudgets.
func (r *Runner) carryOut(ctx context.Context, k due, o *Outcome) (holding, error) {
	held := holding{func() {}, func() {}}
	k.told = r.heardOf(k)
	chosen, err := r.prepare(ctx, k)
	if err != nil {
		return held, err
	}
	held.release, o.read, o.seen, o.guarded, o.probes = chosen.release, chosen.read, chosen.seen, chosen.guarded, chosen.probes
	if k.request != nil {
		k = k.on(chosen.seen.Subject)
		o.Record = r.record(k)
	}
	cancel, err := r.enter(ctx, k)
	if err != nil {
		return held, err
	}
	held.cancel = cancel
	if !r.Lease.Held() {
		return held, errLeaseLost
	}
	o.Targets, o.ReadyBefore, o.Generation = chosen.pods, readyOf(chosen.seen.Pods), chosen.seen.Generation
	o.Deadline = r.TimeToHeal(chosen.seen.WorkloadState)
	err = r.claim(ctx, o.Record)
	if o.Claimed = err == nil || errors.Is(err, ErrAltered); err == nil {
		o.ClaimedAt = wallNow()
		r.written(k.key())
		err = r.await(ctx, k)
	}
	if err == nil {
		err = r.remove(ctx, k, o)
	}
	return held, err
}

// await waits for the instant of a kill.
func (r *Runner) await(ctx context.Context, k due) error {
	if early := k.At.Add(-haltsAhead); wallNow().Before(early) {
		if err := sleepUntil(ctx, early, nil); err != nil {
			return err
		}
		_ = r.Halts.Check(ctx, k.Workload) // what it says counts when the instant has come
	}
	return sleepUntil(ctx, k.At, nil)
}

// lost tells that what became of a kill's pods cannot be read now, unless ctx has ended.
func (r *Runner) lost(ctx context.Context, o Outcome, err error) {
	if ctx.Err() == nil {
		r.troubles.tell(r.Report, "looking for pods whose removal was asked for", fmt.Errorf("%s: %w", o.Workload, err))
	}
}

// find finds out about pods whose removal was asked for and not answered. One that is there may still go: what stands between may pass
// on a request that nobody waits for any more. Of one that is gone nothing says who removed it: an eviction leaves the same condition
// whoever asked for it, and then no pod. It returns false if ctx ends before.
func (r *Runner) find(ctx context.Context, o *Outcome) bool {
	var unknown []victims.Pod
	for _, d := range o.Pods {
		if d.unanswered() && !o.DryRun {
			unknown = append(unknown, d.Pod)
		}
	}
	within := lookTimeout
	for begin := time.Now(); len(unknown) > 0; {
		if Pause(ctx, requestTimeout) != nil {
			return false
		}
		enough := time.Since(begin) >= passedOn
		request, cancel := context.WithTimeout(ctx, within)
		alive, err := r.Cluster.Alive(request, unknown)
		cancel()
		if err != nil {
			r.lost(ctx, *o, err)
			within = min(2*within, mostLookTimeout)
			continue
		}
		for i := range o.Pods {
			d := &o.Pods[i]
			if !slices.ContainsFunc(unknown, func(p victims.Pod) bool { return p.UID == d.Pod.UID }) {
				continue
			}
			there := slices.ContainsFunc(alive, func(p victims.Pod) bool { return p.UID == d.Pod.UID })
			switch {
			case there && enough:
				d.Err = fmt.Errorf("the removal was not answered, and the pod is still there: %w", d.Err)
			case !there:
				d.Err = nil
				o.Message = sentences(o.Message, fmt.Sprintf("pod %s: its removal was not answered, and then it was gone: it may have been removed by somebody else", d.Pod.Name))
				o.ExecutedAt, o.acted = calendar.Later(o.ExecutedAt, d.At), time.Time{}
				r.Report.Killed(o.Record, *d)
			}
		}
		if unknown = alive; enough {
			return true
		}
	}
	return true
}

// enter reserves a kill. Where a limit forbids it, it asks first whether somebody has looked after kills that count against it.
func (r *Runner) enter(ctx context.Context, k due) (cancel func(), err error) {
	cancel, err = r.reserve(k)
	var veto *Veto
	if errors.As(err, &veto) && veto.Reason == OverBudget && r.relieve(ctx) {
		return r.reserve(k)
	}
	return cancel, err
}

// reserve enters a kill into the ledger; cancel takes it back.
func (r *Runner) reserve(k due) (cancel func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, rehearses := wallNow(), r.rehearses(k)
	at := struckAt(k.At, now)
	if k.request == nil && r.agenda.tooSoon(k, at) {
		return nil, &Veto{TooSoon, "its last kill of the day, planned on other terms, asked for or late, is less than its min-time-between-kills ago"}
	}
	if !rehearses {
		if err := r.ledger.reserve(k.Workload, k.At, calendar.Later(k.At, now)); err != nil {
			return nil, err
		}
	}
	before, struck := r.agenda.lastKills[k.UID]
	if !rehearses || r.DryRun {
		r.agenda.noteKill(k.UID, at, k.Date)
	}
	noted := r.agenda.lastKills[k.UID]
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !rehearses {
			r.ledger.cancel(k.Workload, k.At)
		}
		switch {
		case noted == before || r.agenda.lastKills[k.UID] != noted: // it was not noted, or another has been since
		case struck:
			r.agenda.lastKills[k.UID] = before
		default:
			delete(r.agenda.lastKills, k.UID)
		}
	}, nil
}

// patient returns until when a kill waits for answers: for patience after its instant, or after now if it is late, and never beyond latest.
func patient(planned, latest time.Time) time.Time {
	return calendar.Earlier(calendar.Later(planned, wallNow()).Add(patience), latest)
}

// claim writes the record. While it is not known whether that was done, it tries again, each time for twice as long: what an API server
// takes its time for, as where a webhook is slow, it does no sooner if it is asked again.
func (r *Runner) claim(ctx context.Context, record Record) error {
	ctx, cancel := context.WithDeadlineCause(ctx, patient(record.Planned, record.ActBefore), &missed{"its record could not be written in time"})
	defer cancel()
	var before error // the last answer
	for within := requestTimeout; ; within *= 2 {
		asked := time.Now()
		request, cancel := context.WithTimeout(ctx, within)
		err := r.Records.Claim(request, record)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %s", age(asked).Round(100*time.Millisecond))
			if before != nil {
				err = fmt.Errorf("%w; before that: %w", err, before)
			}
		} else {
			before = err
		}
		if err == nil || errors.Is(err, ErrTaken) || final(err) {
			return err
		}
		if Pause(ctx, repeat) != nil {
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
		var denied *Unknown
		if errors.As(before, &denied) && err != nil && (errors.As(err, &m) || ctx.Err() != nil) {
			return choice{}, late(ctx, before)
		}
		if errors.As(err, &m) && before != nil {
			return choice{}, &missed{m.why + "; before that: " + before.Error()}
		}
		if err == nil || final(err) {
			return chosen, err
		}
		if before = err; Pause(ctx, repeat) != nil {
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
func (r *Runner) decide(ctx context.Context, k due, now WorkloadState, leave func()) (choice, error) {
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
	chosen, err := r.choosePods(ctx, k, candidates)
	chosen.seen, chosen.probes = seen, probes
	return chosen, err
}
