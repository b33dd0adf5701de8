package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
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

// adopt notes that a kill is to be brought to its end that an earlier leader left open; it returns false if it was before.
func (r *Runner) adopt(o Outcome) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := settlement{o.Workload.UID, o.Planned.UnixNano()}
	if _, ok := r.adopted[key]; ok {
		return false
	}
	if r.adopted == nil {
		r.adopted = make(map[settlement]string)
	}
	r.adopted[key] = o.Workload.Namespace
	return true
}

// unsettledIn tells whether an earlier leader left a kill open in a namespace, whose PodDisruptionBudgets nobody holds.
func (r *Runner) unsettledIn(namespace string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(slices.Collect(maps.Values(r.adopted)), namespace)
}

// sweep looks now and every ten minutes for kills that should have ended long ago, and brings them to their end.
func (r *Runner) sweep(ctx context.Context) {
	var found sync.WaitGroup
	defer found.Wait()
	for ctx.Err() == nil {
		open, err := r.Records.Open(ctx)
		if err != nil && ctx.Err() == nil {
			r.Report.Trouble("looking for kills that have not ended", err)
		}
		for _, o := range open {
			long := o.ActBefore.Add(2*r.Recovery + sweepAgain)
			if wallNow().After(long) && r.adopt(o) {
				found.Go(func() { r.carryOn(ctx, o) })
			}
		}
		_ = sleepUntil(ctx, wallNow().Add(sweepAgain), nil)
	}
}

const sweepAgain = 10 * time.Minute

// carryOn brings a kill to its end that an earlier leader left open: one that was carried out is verified, and so is one
// whose pods are gone; of any other nobody removes a pod any more, and it is abandoned.
func (r *Runner) carryOn(ctx context.Context, o Outcome) {
	defer func() {
		r.mu.Lock()
		delete(r.adopted, settlement{o.Workload.UID, o.Planned.UnixNano()})
		r.mu.Unlock()
	}()
	if o.executed() {
		r.verify(ctx, o)
		return
	}
	if sleepUntil(ctx, o.ActBefore.Add(requestTimeout), nil) != nil {
		return
	}
	for {
		request, cancel := context.WithTimeout(ctx, lookTimeout)
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
