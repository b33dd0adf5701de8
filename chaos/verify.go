package chaos

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"caprice/victims"
)

// sweepAgain is how long it is until kills that should have ended long ago are looked for again.
const sweepAgain = 10 * time.Minute

// ErrGone is the error of a workload that is not there any more.
var ErrGone = errors.New("the workload is gone")

// verify waits until the workload of a kill that was carried out is whole again, or its time is up.
func (r *Runner) verify(ctx context.Context, o Outcome) {
	h := r.newHealing(o)
	resumed := func() {}
	if o.seen.At.IsZero() {
		resumed = r.resume(ctx, h)
		defer func() { h.sampling.end() }()
	}
	err := r.follow(ctx, h)
	waits := time.Now()
	resumed()
	waited := age(waits)
	if ctx.Err() != nil {
		return // the next leader carries it on
	}
	o = h.verdict(err)
	deadline, cancel := context.WithTimeout(ctx, h.left()+waited) // its time to heal is not spent on that
	defer cancel()
	if o.weigh(deadline); ctx.Err() != nil {
		return
	}
	o.EndedAt = wallNow() // from when on it counts that nobody acknowledges it
	r.suffer(o)
	r.statuses.add(o)
}

// settle notes that the record of a kill says how it stands, or has been declined for long. Only when it says how the kill ended, or
// does not come to, is its place in the ledger freed: a next leader would count it until then too.
func (r *Runner) settle(o Outcome) {
	r.written(o.key())
	if !o.Ended || !o.executed() { // what was not carried out has given its place back, and another attempt may hold it
		return
	}
	if o.suffers() { // it stays until somebody has looked after it
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ledger.close(o.Workload, o.Planned)
}

// adopt notes that a kill is to be brought to its end that an earlier leader left open; it returns false if it was before.
func (r *Runner) adopt(o Outcome) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.adopted[o.key()]; ok {
		return false
	}
	if r.adopted == nil {
		r.adopted = make(map[killKey]string)
	}
	r.adopted[o.key()] = o.Workload.Namespace
	return true
}

// adoptedIn tells whether an earlier leader left a kill open in a namespace, whose PodDisruptionBudgets nobody holds.
func (r *Runner) adoptedIn(namespace string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(slices.Collect(maps.Values(r.adopted)), namespace)
}

// sweep looks every ten minutes for kills that should have ended long ago, and brings them to their end.
func (r *Runner) sweep(ctx context.Context) {
	var found sync.WaitGroup
	defer found.Wait()
	for Pause(ctx, sweepAgain) == nil {
		suffering, ended := r.suffering(), r.statuses.ended() // before the records are read, which may not say so yet
		open, err := r.Records.Open(ctx)
		if err == nil {
			r.suffer(open...)
			r.soothe(suffering, open)
		} else if ctx.Err() == nil {
			r.troubles.tell(r.Report, "looking for kills that have not ended", err)
		}
		for _, o := range open {
			_, unwritten := ended[o.key()]
			long := o.ActBefore.Add(mostDeadlines*max(o.Deadline, r.RecoveryDeadline) + sweepAgain)
			switch {
			case o.Ended || unwritten || r.underWay(o):
			case o.Restored:
				r.statuses.add(o.lapsed())
			case wallNow().After(long) && r.adopt(o):
				found.Go(func() { r.carryOn(ctx, o) })
			}
		}
	}
}

// underWay tells whether a kill was reserved in this lead and is still open, or has no record that says so: then somebody
// is at it.
func (r *Runner) underWay(o Outcome) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, open := r.ledger.open[o.key()]
	_, owed := r.owed[o.key()]
	return open || owed
}

// carryOn brings a kill to its end that an earlier leader left open: one that was carried out is verified, and so is one
// whose pods are gone; of any other nobody removes a pod any more, and it is abandoned.
func (r *Runner) carryOn(ctx context.Context, o Outcome) {
	defer func() {
		r.mu.Lock()
		delete(r.adopted, o.key())
		r.mu.Unlock()
	}()
	if o.executed() {
		r.hear(ctx, o)
		return
	}
	if sleepUntil(ctx, o.ActBefore.Add(requestTimeout+passedOn), nil) != nil {
		return
	}
	for within := lookTimeout; ; within = min(2*within, mostLookTimeout) {
		request, cancel := context.WithTimeout(ctx, within)
		records, err := r.Records.Of(request, o.Workload)
		said, there := recordOf(records, o)
		if err == nil && there && (said.Ended || said.executed()) { // whoever left it open has said so meanwhile
			cancel()
			r.hear(ctx, said)
			return
		}
		var alive []victims.Pod
		if err == nil {
			alive, err = r.Cluster.Alive(request, o.Targets)
		}
		cancel()
		if err == nil {
			r.conclude(ctx, o, alive, removedByOthers(records, o))
			return
		}
		r.lost(ctx, o, err)
		if Pause(ctx, time.Second) != nil {
			return
		}
	}
}

// tellDeaths tells of the pods of a kill that an earlier leader left open, who may have ended before that.
func (r *Runner) tellDeaths(o Outcome) {
	for _, d := range o.Pods {
		if d.Err == nil {
			r.Report.Killed(o.Record, d)
		}
	}
}

// hear goes by what a record says that an earlier leader wrote: a kill that was carried out is verified, and one that has ended has
// no part any more in what is open.
func (r *Runner) hear(ctx context.Context, o Outcome) {
	r.mu.Lock()
	r.agenda.noteKills([]Outcome{o})
	r.mu.Unlock()
	switch {
	case !o.Ended:
		r.tellDeaths(o)
		r.verify(ctx, o)
	case o.executed():
		r.suffer(o)
		r.settle(o)
	default:
		r.mu.Lock()
		r.ledger.cancel(o.Workload, o.Planned)
		r.mu.Unlock()
	}
}

// recordOf returns what the records say of a kill.
func recordOf(records []Outcome, o Outcome) (Outcome, bool) {
	i := slices.IndexFunc(records, func(other Outcome) bool { return other.key() == o.key() && other.Nonce == o.Nonce })
	if i < 0 {
		return Outcome{}, false
	}
	return records[i], true
}

// removedByOthers returns which pods other kills of the workload removed, by UID: a kill that was left open and nobody knew of
// does not keep later ones from its pods.
func removedByOthers(records []Outcome, o Outcome) map[string]bool {
	removed := make(map[string]bool)
	for _, other := range records {
		if other.key() == o.key() || other.DryRun {
			continue
		}
		for _, d := range other.Pods {
			removed[d.Pod.UID] = removed[d.Pod.UID] || d.Err == nil
		}
	}
	return removed
}

// conclude judges a kill that its killer left open by which of its targets are alive and which others removed.
func (r *Runner) conclude(ctx context.Context, o Outcome, alive []victims.Pod, others map[string]bool) {
	spared := make(map[string]bool, len(alive))
	maps.Copy(spared, others)
	for _, p := range alive {
		spared[p.UID] = true
	}
	o.Pods = nil
	for _, p := range o.Targets {
		if !spared[p.UID] {
			o.ExecutedAt = o.struckBy()
			o.Pods = append(o.Pods, Death{Pod: p, At: o.ExecutedAt})
		}
	}
	if !o.executed() || o.DryRun {
		o.Ended, o.Verdict, o.Message = true, Abandoned, "its killer ended, or led no more, before it acted"
		o.Pods, o.ExecutedAt = nil, time.Time{}
		r.mu.Lock()
		r.ledger.cancel(o.Workload, o.Planned)
		r.mu.Unlock()
		r.statuses.add(o)
		return
	}
	o.Inferred = true
	r.mu.Lock()
	r.agenda.noteKill(o.Workload.UID, struckAt(o.Planned, o.ExecutedAt), o.Date)
	r.mu.Unlock()
	if len(o.Pods) < len(o.Targets) {
		o.Reason, o.Message = Partial, errCutShort.Error()
	}
	r.statuses.add(o)
	r.tellDeaths(o)
	r.verify(ctx, o)
}
