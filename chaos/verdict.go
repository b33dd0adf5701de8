package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

// Verdict is what came of one kill.
type Verdict string

// The verdicts. A kill that was carried out has none until its recovery is judged.
const (
	Recovered    Verdict = "Recovered"    // the workload was whole again in time
	NotRecovered Verdict = "NotRecovered" // it was not
	Disproved    Verdict = "Disproved"    // it was, and a hypothesis about it broke
	Vetoed       Verdict = "Vetoed"       // a gate spared the workload, see Reason
	Missed       Verdict = "Missed"       // it could not be carried out in time
	Rehearsed    Verdict = "Rehearsed"    // a dry run: the API server accepted it and did nothing
	Failed       Verdict = "Failed"       // the API server refused it, or did not answer and the pod is still there; no pod died
	Abandoned    Verdict = "Abandoned"    // its killer ended or lost the lease before it acted; or its record was restored, and a pod may have died
)

// Verdicts are all of them, in the order in which people want to read them.
var Verdicts = []Verdict{Recovered, NotRecovered, Disproved, Vetoed, Missed, Rehearsed, Failed, Abandoned}

// Reason is why a workload was spared, or why a kill is not whole.
type Reason string

// The reasons of a veto; Partial, of a kill that was cut short after at least one pod; and Gone, of one whose workload did not
// recover since it was deleted meanwhile.
const (
	Contested      Reason = "Contested"
	Halted         Reason = "Halted"
	Unacknowledged Reason = "Unacknowledged"
	Unrecovered    Reason = "Unrecovered"
	OverBudget     Reason = "Budget"
	OptedOut       Reason = "OptedOut"
	TermsChanged   Reason = "TermsChanged"
	TooSoon        Reason = "TooSoon"
	OutsideWindow  Reason = "OutsideWindow"
	MinReplicas    Reason = "MinReplicas"
	Rollout        Reason = "Rollout"
	Degraded       Reason = "Degraded"
	Hypothesis     Reason = "Hypothesis"
	NoPods         Reason = "NoPods"
	MinAge         Reason = "MinAge"
	Disruption     Reason = "Disruption"
	Partial        Reason = "Partial"
	Gone           Reason = "Gone"
)

// Vetoes are the reasons of a veto, as the README has them.
var Vetoes = []Reason{
	Contested, Halted, Unacknowledged, Unrecovered, OverBudget, OptedOut, TermsChanged, TooSoon, OutsideWindow, MinReplicas, Rollout, Degraded, Hypothesis,
	NoPods, MinAge, Disruption,
}

// Outcome is how one kill stands: all there is to say of it when it has ended.
type Outcome struct {
	Record
	Claimed     bool // its record has been written
	Ended       bool
	Verdict     Verdict // none before it has ended
	Reason      Reason
	Message     string
	Pods        []Death
	ClaimedAt   time.Time // when its record was known to be written before it was carried out; zero: it was not
	ExecutedAt  time.Time // when the last pod was removed, or in a dry run would have been; zero: none was
	EndedAt     time.Time
	LookedAfter bool // it has ended, and nobody has to look after it any more, if anybody had
	Inferred    bool // that it was carried out was judged by what was gone, by another process than its killer's; when, is not known
	Restored    bool // it had not ended by its record, which was created long after it could act, as from a backup
	Recovery    Recovery
	Findings    []Finding // of the probes of its hypotheses

	read     time.Time // when its workload was about to be read, to choose; zero if another process did
	seen     Snapshot  // of the workload when the pods were chosen; none if another process did
	probes   []Probe   // that are asked from the first death on
	sampling *sampling // of these, while it is under way

	acted time.Time // when ExecutedAt was, by the monotonic clock; zero if another process did, or it was not answered

	guarded bool // its targets may have PodDisruptionBudgets, which the API server does not ask
}

// executed tells whether at least one pod was removed, or in a dry run would have been.
func (o Outcome) executed() bool { return !o.ExecutedAt.IsZero() }

// struckBy returns when a kill has struck, or may have if its record does not say that yet: one that is late does so right after it was
// claimed.
func (o Outcome) struckBy() time.Time {
	if o.executed() {
		return calendar.Later(o.Planned, o.ExecutedAt)
	}
	return calendar.Later(o.Planned, o.ClaimedAt)
}

// lapsed returns a kill whose record was restored as it ends: what came of it, or comes of it now, is not known. A record that was
// written after a long outage looks the same, if whoever wrote it ended before it said more.
func (o Outcome) lapsed() Outcome {
	o.Ended, o.Verdict, o.Message = true, Abandoned, "its record was created long after it could act, as from a backup or after an outage, and says no more: what came of it is not known"
	return o
}

// FirstDeath returns when the first pod was removed, zero if none was.
func (o Outcome) FirstDeath() time.Time {
	var first time.Time
	for _, d := range o.Pods {
		if d.Err == nil && (first.IsZero() || d.At.Before(first)) {
			first = d.At
		}
	}
	return first
}

// Death is what happened to one chosen pod: it was killed (in a dry run: would have been), or there is an error.
type Death struct {
	Pod victims.Pod
	At  time.Time // when the API server was asked
	Err error
}

// unanswered tells whether it is unknown what became of the request.
func (d Death) unanswered() bool { return d.Err != nil && !final(d.Err) }

// judge fills in what came of an attempt that ended with err. A kill that removed pods stays open and without a verdict: verify
// judges how its workload recovers.
func (o *Outcome) judge(err error) {
	if errors.Is(err, context.Canceled) {
		err = errCutShort
	}
	errs := []error{err}
	for _, d := range o.Pods {
		if d.Err != nil {
			errs = append(errs, fmt.Errorf("pod %s: %w", d.Pod.Name, d.Err))
		}
	}
	problem := errors.Join(errs...)
	o.Ended = true
	if problem != nil {
		o.Message = sentences(strings.ReplaceAll(problem.Error(), "\n", "; "), o.Message)
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
	case errors.Is(problem, errLeaseLost), errors.Is(problem, errCutShort):
		o.Verdict = Abandoned
	default:
		o.Verdict = Failed
	}
}
