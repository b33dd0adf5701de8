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
	Failed       Verdict = "Failed"       // the API server refused it
	Abandoned    Verdict = "Abandoned"    // it was claimed, and its killer ended or lost the lease before it acted
)

// Verdicts are all of them, in the order in which people want to read them.
var Verdicts = []Verdict{Recovered, NotRecovered, Disproved, Vetoed, Missed, Rehearsed, Failed, Abandoned}

// Reason is why a workload was spared, or why a kill is not whole.
type Reason string

// The reasons of a veto; Partial, of a kill that was cut short after at least one pod; and Gone, of one whose workload did not
// recover since it was deleted meanwhile.
const (
	Halted         Reason = "Halted"
	Contested      Reason = "Contested"
	OptedOut       Reason = "OptedOut"
	TermsChanged   Reason = "TermsChanged"
	TooSoon        Reason = "TooSoon"
	OutsideWindow  Reason = "OutsideWindow"
	Rollout        Reason = "Rollout"
	Degraded       Reason = "Degraded"
	MinReplicas    Reason = "MinReplicas"
	MinAge         Reason = "MinAge"
	Disruption     Reason = "Disruption"
	NoPods         Reason = "NoPods"
	OverBudget     Reason = "Budget"
	Unrecovered    Reason = "Unrecovered"
	Unacknowledged Reason = "Unacknowledged"
	Hypothesis     Reason = "Hypothesis"
	Partial        Reason = "Partial"
	Gone           Reason = "Gone"
)

// Vetoes are the reasons of a veto.
var Vetoes = []Reason{
	Halted, Contested, OptedOut, TermsChanged, TooSoon, OutsideWindow, Rollout, Degraded, MinReplicas, MinAge, Disruption, NoPods, OverBudget, Unrecovered,
	Unacknowledged, Hypothesis,
}

// Veto is the error of a gate that spares a workload.
type Veto struct {
	Reason  Reason
	Message string
}

func (v *Veto) Error() string { return v.Message }

// Refusal is the error of an API server that has answered, and said no.
type Refusal struct{ Err error }

func (r *Refusal) Error() string { return r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }

// ErrDenied is the error of a removal to which Caprice has no right, of whatever pod.
var ErrDenied = errors.New("no right to remove pods")

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
	ExecutedAt  time.Time // when the last pod was removed; zero: none was
	EndedAt     time.Time
	LookedAfter bool // it has ended, and nobody has to look after it any more, if anybody had
	Recovery    Recovery
	Findings    []Finding // of the probes of its hypotheses

	read  time.Time // when its workload was about to be read, to choose; zero if another process did
	seen  Sight     // of the workload when the pods were chosen; none if another process did
	watch *watch    // over it, while it is under way

	guarded bool // its targets have PodDisruptionBudgets that the API server does not ask
}

// executed tells whether at least one pod was removed, or in a dry run would have been.
func (o Outcome) executed() bool { return !o.ExecutedAt.IsZero() }

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

// Reporter tells people. It must not block.
type Reporter interface {
	// Killed is called for each pod when it is known to have been killed, and once more by whoever carries on what an earlier
	// leader left open; not in a dry run.
	Killed(Record, Death)
	// Ended is called once for each kill, when its record says how it ended.
	Ended(Outcome)
	// Unrecorded is called for a kill that has ended, or is under way, and whose record cannot be written.
	Unrecorded(Outcome, error)
	// Trouble is called for what cannot be done now and is tried again.
	Trouble(what string, err error)
	// Planned is called when a working day opens.
	Planned(DayPlan)
}

// DayPlan is how much is planned for one date.
type DayPlan struct {
	Made      time.Time
	Date      calendar.Date
	Kills     int
	Workloads int // that opted in, with kills on that date or without
}

// errCutShort is the error of a kill whose killer ends before it has removed all that it was to.
var errCutShort = errors.New("its killer ended before it was through")

// judge says what came of a kill that ended with err.
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
	case errors.Is(problem, errLeaseLost), errors.Is(problem, errCutShort):
		o.Verdict = Abandoned
	default:
		o.Verdict = Failed
	}
}
