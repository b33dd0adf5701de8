package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"caprice/victims"
)

// ErrGone is the error of a workload that is not there any more.
var ErrGone = errors.New("the workload is gone")

// leastLook is how long a new leader looks at a workload whose time was up before.
const leastLook = 5 * time.Second

// verify waits until the workload of a kill that was carried out is whole again, or its time is up.
func (r *Runner) verify(ctx context.Context, o Outcome) {
	until := o.ExecutedAt.Add(r.Recovery)
	if soonest := wallNow().Add(leastLook); until.Before(soonest) {
		until = soonest
	}
	deadline, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	recovery, err := r.Cluster.Recovered(deadline, o)
	if ctx.Err() != nil {
		return // the next leader carries it on
	}
	o.Ended, o.Recovery, o.Verdict = true, recovery, Recovered
	if err != nil {
		o.Verdict, o.Message = NotRecovered, fmt.Sprintf("it was not whole within %s", r.Recovery)
	}
	if errors.Is(err, ErrGone) {
		o.Message = err.Error()
	}
	r.mu.Lock()
	r.ledger.settle(o.Workload, o.Planned)
	r.mu.Unlock()
	r.settler.add(o)
}

// errDoubt is the error of a kill of which it is not known whether a pod died.
var errDoubt = errors.New("whether a pod was removed is not known")

// ascertain looks which pods are gone whose removal had no clear answer: it may have been carried out, and the answer lost.
// Until that is known the kill stays open; its error is errDoubt if ctx ends before.
func (r *Runner) ascertain(ctx context.Context, k due, o *Outcome) error {
	var doubtful []victims.Pod
	for _, d := range o.Pods {
		if d.Err != nil && !settled(d.Err) && !o.DryRun {
			doubtful = append(doubtful, d.Pod)
		}
	}
	if len(doubtful) == 0 {
		return nil
	}
	living, err := r.living(ctx, doubtful)
	if err != nil {
		return errDoubt
	}
	for i, d := range o.Pods {
		if d.Err != nil && !settled(d.Err) && !living[d.Pod.UID] {
			o.Pods[i].Err = nil
			r.died(k, o, o.Pods[i])
		}
	}
	return nil
}

// carryOn brings a kill to its end that an earlier leader left open: one that was carried out is verified, and so is one
// whose pods are gone; of any other nobody removes a pod any more, and it is abandoned.
func (r *Runner) carryOn(ctx context.Context, o Outcome) {
	if o.executed() {
		r.verify(ctx, o)
		return
	}
	if sleepUntil(ctx, o.ActBefore.Add(requestTimeout), nil) != nil {
		return
	}
	living, err := r.living(ctx, o.Targets)
	if err == nil {
		r.conclude(ctx, o, living)
	}
}

// living returns the UIDs of those of the pods that are alive. It asks until it is answered, or ctx ends: its error then.
func (r *Runner) living(ctx context.Context, pods []victims.Pod) (map[string]bool, error) {
	for {
		request, cancel := context.WithTimeout(ctx, 5*time.Second)
		alive, err := r.Cluster.Alive(request, pods)
		cancel()
		if err == nil {
			living := make(map[string]bool, len(alive))
			for _, p := range alive {
				living[p.UID] = true
			}
			return living, nil
		}
		if err := sleepUntil(ctx, wallNow().Add(time.Second), nil); err != nil {
			return nil, err
		}
	}
}

// conclude judges a kill that its killer left open by which of its targets are alive.
func (r *Runner) conclude(ctx context.Context, o Outcome, living map[string]bool) {
	o.Pods = nil
	for _, p := range o.Targets {
		if !living[p.UID] {
			o.Pods = append(o.Pods, Death{Pod: p, At: o.Planned})
			o.ExecutedAt = o.Planned
		}
	}
	if !o.executed() || o.DryRun {
		o.Ended, o.Verdict, o.Message = true, Abandoned, "its killer ended before it acted"
		o.Pods, o.ExecutedAt = nil, time.Time{}
		r.mu.Lock()
		r.ledger.cancel(o.Workload, o.Planned)
		r.mu.Unlock()
		r.settler.add(o)
		return
	}
	if len(living) > 0 {
		o.Reason, o.Message = Partial, "its killer ended before it was through"
	}
	r.settler.add(o)
	r.verify(ctx, o)
}
