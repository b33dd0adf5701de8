package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

// remove removes the targets one by one.
func (r *Runner) remove(ctx context.Context, k due, o *Outcome) error {
	how := Removal{Method: o.Method, Grace: k.Terms.Grace, DryRun: o.DryRun}
	until := calendar.Earlier(patient(k.At, o.ActBefore), wallNow().Add(mostAge-age(o.read)))
	for asked := (time.Time{}); o.guarded && !Fresh(asked, requestTimeout); {
		if !asked.IsZero() && !wallNow().Before(until) {
			return &Veto{Disruption, "whether it is still allowed is not known: reading halts took so long that what was read of its PodDisruptionBudgets is out of date"}
		}
		asked = time.Now()
		if err := r.permitted(ctx, o.Targets, until); err != nil {
			return err
		}
		if err := r.unhalted(ctx, k, until); err != nil { // while halts are waited for, what budgets allow gets old
			return err
		}
	}
	for _, pod := range o.Targets {
		death, err := r.strike(ctx, k, o, pod, how, until)
		if err != nil {
			return err
		}
		asked := death.At // by both clocks; people are told the wall clock's
		death.At = asked.Round(0)
		o.Pods = append(o.Pods, death)
		if errors.Is(death.Err, ErrDenied) {
			return nil // the others would not fare better
		}
		if death.Err != nil {
			continue
		}
		o.ExecutedAt, o.acted = death.At, asked
		if !o.DryRun {
			r.Report.Killed(o.Record, death)
		}
	}
	return nil
}

// strike removes a pod, after it has looked again whether that is still right. The request has its time from that look on: if the
// process, or its machine, was held up for longer in between, none is sent.
func (r *Runner) strike(ctx context.Context, k due, o *Outcome, pod victims.Pod, how Removal, until time.Time) (Death, error) {
	if err := r.unhalted(ctx, k, until); err != nil {
		return Death{}, err
	}
	looked := time.Now()
	// One that has begun is not cut short by the end of the process: its answer is awaited.
	request, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	if err := r.mayRemove(ctx, k); err != nil {
		return Death{}, err
	}
	if wallNow().After(o.ActBefore) {
		return Death{}, &missed{"it took longer than a kill may: its record says until when"}
	}
	first := len(o.Pods) == 0
	if old := age(o.read); first && old > mostAge {
		return Death{}, &missed{fmt.Sprintf("it waited, and what was read of its workload is %s old: want at most %s", old.Round(time.Millisecond), mostAge)}
	}
	if err := r.act(o, first); err != nil {
		return Death{}, err
	}
	if !Fresh(looked, requestTimeout) {
		return Death{}, &missed{"it was held up just before a removal, for more than " + requestTimeout.String()}
	}
	if first && !o.DryRun {
		o.sampling = startSampling(ctx, o.probes)
	}
	death := Death{Pod: pod, At: time.Now()}
	death.Err = r.Cluster.Remove(request, pod, how)
	return death, nil
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

// mayRemove returns an error if no pod must be removed now, whatever halts say.
func (r *Runner) mayRemove(ctx context.Context, k due) error {
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
		_ = Pause(ctx, repeat)
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

// onTime returns an error if by now it is too late for the kill, or its window has closed.
func (r *Runner) onTime(now time.Time, k due) error {
	if lateness := now.Sub(k.At); lateness > r.LateGrace {
		why := fmt.Sprintf("%s late, more than %s", lateness.Round(time.Millisecond), r.LateGrace)
		if k.back {
			why += "; when it came the lease was not held"
		}
		return &missed{why}
	}
	if k.request != nil {
		return r.inTime(now, k)
	}
	if why := k.Terms.Calendar.Why(now); now.After(k.At) && why != "" {
		return &Veto{OutsideWindow, "its window has closed meanwhile: " + why}
	}
	return nil
}
