package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"caprice/victims"
)

const (
	// patience is how long after its instant a kill may still be waiting for what it has to read. It is short, so that an
	// API server that comes back is not met by all the kills that waited for it.
	patience = 5 * time.Second
	// repeat is how long a kill waits before it asks an API server again that did not answer.
	repeat = 250 * time.Millisecond
	// requestTimeout is how long one removal may take.
	requestTimeout = time.Second
)

// attempt carries out one kill, from its gates to its verdict.
func (r *Runner) attempt(ctx context.Context, k due) {
	outcome := Outcome{Workload: k.Workload, Planned: k.At, DryRun: r.DryRun}
	chosen, err := r.prepare(ctx, k)
	if err == nil {
		defer chosen.release()
		err = sleepUntil(ctx, k.At, nil)
	}
	if err == nil {
		err = r.claim(k)
	}
	if err == nil {
		outcome.Pods, err = r.remove(ctx, k, chosen.pods)
	}
	if ctx.Err() != nil && !anyKilled(outcome.Pods) {
		return // the process ends; what was not begun is not judged
	}
	outcome.Verdict, outcome.Reason, outcome.Message = r.judge(outcome.Pods, err)
	r.Report.Ended(outcome)
}

// prepare gets a kill ready: its gates are asked and its pods chosen. While the API server does not answer, it asks again.
func (r *Runner) prepare(ctx context.Context, k due) (choice, error) {
	if err := r.onTime(wallNow(), k); err != nil {
		return choice{}, err
	}
	ctx, cancel := context.WithDeadlineCause(ctx, k.At.Add(min(patience, r.LateGrace)),
		&missed{"the API server did not answer in time"})
	defer cancel()
	for {
		chosen, err := r.choose(ctx, k)
		if err == nil || settled(err) {
			return chosen, err
		}
		if sleepUntil(ctx, wallNow().Add(repeat), nil) != nil {
			return choice{}, late(ctx, err)
		}
	}
}

// choose reads workload and pods afresh, asks the gates, and chooses.
func (r *Runner) choose(ctx context.Context, k due) (choice, error) {
	now, err := r.Cluster.Workload(ctx, k.Workload)
	if err != nil {
		return choice{}, fmt.Errorf("reading the workload: %w", err)
	}
	if err := gates(k, now); err != nil {
		return choice{}, err
	}
	all, err := r.Cluster.Pods(ctx, now)
	if err != nil {
		return choice{}, fmt.Errorf("reading its pods: %w", err)
	}
	if err := whole(now, all); err != nil {
		return choice{}, err
	}
	candidates, err := r.eligible(k, all)
	if err != nil {
		return choice{}, err
	}
	return r.draw(ctx, k, candidates)
}

// settled tells whether asking again would not change the answer: a gate spares, or the API server has refused.
func settled(err error) bool {
	var veto *Veto
	var refusal *Refusal
	return errors.As(err, &veto) || errors.As(err, &refusal)
}

// claim notes that the workload is struck now, unless that is too soon after the last time.
func (r *Runner) claim(k due) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.agenda.tooSoon(k) {
		return &Veto{TooSoon, "its terms have changed, and its last kill of the day is less than their minimum ago"}
	}
	r.agenda.strike(k.UID, k.At)
	return nil
}

// remove removes the pods one by one, and looks at the clock again before each.
func (r *Runner) remove(ctx context.Context, k due, pods []victims.Pod) ([]Death, error) {
	how := Removal{Method: k.method(), Grace: k.Terms.Grace, DryRun: r.DryRun}
	var deaths []Death
	for _, pod := range pods {
		if err := errors.Join(ctx.Err(), r.onTime(wallNow(), k)); err != nil {
			return deaths, err
		}
		death := Death{Pod: pod, At: wallNow()}
		// A removal that has begun is not cut short by the end of the process: its answer is awaited, for a second.
		request, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
		death.Err = r.Cluster.Remove(request, pod, how)
		cancel()
		deaths = append(deaths, death)
		if death.Err == nil && !r.DryRun {
			r.Report.Killed(k.Workload, k.Kill, death)
		}
	}
	return deaths, nil
}

// onTime returns an error if by now it is too late for the kill, or its window has closed.
func (r *Runner) onTime(now time.Time, k due) error {
	if lateness := now.Sub(k.At); lateness > r.LateGrace {
		return &missed{fmt.Sprintf("%s late, more than %s", lateness.Round(time.Millisecond), r.LateGrace)}
	}
	if why := k.Terms.Calendar.Why(now); now.After(k.At) && why != "" {
		return &Veto{OutsideWindow, "its window has closed meanwhile: " + why}
	}
	return nil
}

// missed is the error of a kill that is too late.
type missed struct{ why string }

func (m *missed) Error() string { return m.why }

// late returns err, as missed if the reason for it is that time ran out.
func late(ctx context.Context, err error) error {
	var m *missed
	if errors.As(context.Cause(ctx), &m) {
		return &missed{m.why + ": " + err.Error()}
	}
	return err
}

// judge says what came of a kill whose pods met these deaths and which ended with err.
func (r *Runner) judge(deaths []Death, err error) (Verdict, Reason, string) {
	killed := 0
	errs := []error{err}
	for _, d := range deaths {
		if d.Err == nil {
			killed++
			continue
		}
		errs = append(errs, fmt.Errorf("pod %s: %w", d.Pod.Name, d.Err))
	}
	problem := errors.Join(errs...)
	var veto *Veto
	var m *missed
	switch {
	case killed > 0 && r.DryRun:
		return Rehearsed, partial(problem), message(problem)
	case killed > 0:
		return "", partial(problem), message(problem)
	case errors.As(problem, &veto):
		return Vetoed, veto.Reason, veto.Message
	case errors.As(problem, &m):
		return Missed, "", m.why
	default:
		return Failed, "", message(problem)
	}
}

func partial(problem error) Reason {
	if problem != nil {
		return Partial
	}
	return ""
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func anyKilled(deaths []Death) bool {
	for _, d := range deaths {
		if d.Err == nil {
			return true
		}
	}
	return false
}
