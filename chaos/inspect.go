package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"caprice/victims"
)

// Inspection is what would come of a kill of a workload now.
type Inspection struct {
	WorkloadState              // what the workload is like; none if it is not opted in
	Answers       []GateAnswer // of each gate, about in the order in which a kill asks them
	Pods          []Fate       // of all that the workload controls, in the order of their names
}

// Fate is a pod, and why it may not die: nothing if it may.
type Fate struct {
	victims.Pod
	Why victims.Exclusion
}

// GateAnswer is what one gate says. Without an error a kill passes; a *Veto spares the workload, and so does not to know.
type GateAnswer struct {
	Gate Reason
	Err  error
}

// ErrUnasked is the answer of a gate that is not asked, since another has left nothing to ask of.
var ErrUnasked = errors.New("not asked, since none of its pods may die")

// answered notes what some gates that are asked together say: a veto is the answer of the one whose reason it has, and another
// error that of all.
func (i *Inspection) answered(err error, gates ...Reason) {
	var veto *Veto
	vetoed := errors.As(err, &veto)
	for _, gate := range gates {
		a := GateAnswer{Gate: gate}
		if !vetoed || veto.Reason == gate {
			a.Err = err
		}
		i.answer(a)
	}
	if vetoed && !slices.Contains(gates, veto.Reason) {
		i.answer(GateAnswer{veto.Reason, err})
	}
}

// answer notes what a gate says; of one that is asked twice, what spares.
func (i *Inspection) answer(a GateAnswer) {
	asked := slices.IndexFunc(i.Answers, func(b GateAnswer) bool { return b.Gate == a.Gate })
	if asked < 0 {
		i.Answers = append(i.Answers, a)
	} else if i.Answers[asked].Err == nil {
		i.Answers[asked] = a
	}
}

// Inspect asks each gate whether it would spare a workload from a kill now, through the code that kills ask it by. It changes
// nothing in the cluster. Of what is only in the memory of the process that leads, it knows what the records have; these it notes as one
// that begins to lead would, so that it is for a Runner that does not.
func (r *Runner) Inspect(ctx context.Context, w victims.Workload) Inspection {
	var i Inspection
	err := r.Halts.Check(ctx, w)
	i.answered(err, Halted, Contested)
	i.WorkloadState, err = r.Cluster.Workload(ctx, w)
	defer i.unwatch()
	i.answered(err, OptedOut, TermsChanged)
	if err != nil {
		return i
	}
	now := wallNow()
	k := due{subject: &subject{Subject: i.Subject}, Kill: Kill{At: now, Date: i.Terms.Calendar.WorkingDate(now)}}
	var closed error
	if why := i.Terms.Calendar.Why(now); why != "" {
		closed = &Veto{OutsideWindow, "it is closed: " + why}
	}
	i.answered(closed, OutsideWindow)
	i.answered(replicated(i.WorkloadState), MinReplicas)
	i.answered(rolledOut(i.WorkloadState), Rollout)
	r.inspectPods(ctx, k, &i)
	r.inspectRecords(ctx, k, &i)
	return i
}

// believed returns an error unless there is nothing that owners believe of a workload. Their probes are the leader's to ask: it
// stands where what they ask can be reached.
func (r *Runner) believed(ctx context.Context, now WorkloadState) error {
	probes, err := r.probesOf(ctx, now)
	if err != nil {
		return &Veto{Hypothesis, err.Error()}
	}
	if len(probes) > 0 {
		return fmt.Errorf("%d probes, which the leader asks before a kill, the first %s of hypothesis %s", len(probes), probes[0].Name, probes[0].Hypothesis)
	}
	return nil
}

func (r *Runner) inspectPods(ctx context.Context, k due, i *Inspection) {
	i.answered(r.believed(ctx, i.WorkloadState), Hypothesis)
	seen, err := r.Cluster.Pods(ctx, i.WorkloadState)
	if err != nil {
		i.answered(err, Degraded, NoPods, MinAge, Disruption)
		return
	}
	pods := seen.Pods
	for _, p := range pods {
		i.Pods = append(i.Pods, Fate{Pod: p, Why: p.Excluded(k.Terms.Scale.Mode, k.At.Add(-r.MinAge))})
	}
	slices.SortFunc(i.Pods, func(a, b Fate) int { return cmp.Compare(a.Name, b.Name) })
	i.answered(whole(i.WorkloadState, pods), Degraded)
	candidates, err := r.eligible(k, pods)
	i.answered(err, NoPods, MinAge)
	if err != nil {
		i.answered(ErrUnasked, Disruption)
		return
	}
	chosen, err := r.choosePods(ctx, k, candidates)
	if err == nil {
		chosen.release()
	}
	i.answered(err, Disruption)
}

// inspectRecords asks those gates that judge by earlier kills. In a dry run there are no limits.
func (r *Runner) inspectRecords(ctx context.Context, k due, i *Inspection) {
	known, err := r.recall(ctx)
	if err != nil {
		i.answered(err, Unacknowledged, Unrecovered, OverBudget, TooSoon)
		return
	}
	r.suffer(known...)
	i.answered(r.acknowledged(ctx, k.Workload), Unacknowledged)
	var struck agenda
	struck.noteKills(known)
	if l := newLedger(r.Limits, r.Calendar, known); !r.DryRun {
		err = l.reserve(k.Workload, k.At, k.At)
	}
	i.answered(err, Unrecovered, OverBudget)
	err = nil
	if struck.tooSoon(k, k.At) {
		err = &Veto{TooSoon, "its min-time-between-kills has not passed since its last kill today"}
	}
	i.answered(err, TooSoon)
}
