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
	for {
		request, cancel := context.WithTimeout(ctx, 5*time.Second)
		alive, err := r.Cluster.Alive(request, o.Targets)
		cancel()
		if err == nil {
			r.conclude(ctx, o, alive)
			return
		}
		if sleepUntil(ctx, wallNow().Add(time.Second), nil) != nil {
			return
		}
	}
}

// conclude judges a kill that its killer left open by which of its targets are alive.
func (r *Runner) conclude(ctx context.Context, o Outcome, alive []victims.Pod) {
	living := make(map[string]bool, len(alive))
	for _, p := range alive {
		living[p.UID] = true
	}
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
	if len(alive) > 0 {
		o.Reason, o.Message = Partial, "its killer ended before it was through"
	}
	r.settler.add(o)
	r.verify(ctx, o)
}
