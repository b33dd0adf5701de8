package chaos

import (
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
	Vetoed       Verdict = "Vetoed"       // a gate spared the workload, see Reason
	Missed       Verdict = "Missed"       // it could not be carried out in time
	Rehearsed    Verdict = "Rehearsed"    // a dry run: the API server accepted it and did nothing
	Failed       Verdict = "Failed"       // the API server refused it
	Abandoned    Verdict = "Abandoned"    // it was claimed, and its killer ended or lost the lease before it acted
)

// Reason is why a workload was spared, or why a kill is not whole.
type Reason string

// The reasons of a veto, and Partial, of a kill that was cut short after at least one pod.
const (
	Halted        Reason = "Halted"
	OptedOut      Reason = "OptedOut"
	TermsChanged  Reason = "TermsChanged"
	TooSoon       Reason = "TooSoon"
	OutsideWindow Reason = "OutsideWindow"
	Rollout       Reason = "Rollout"
	Degraded      Reason = "Degraded"
	MinReplicas   Reason = "MinReplicas"
	MinAge        Reason = "MinAge"
	Disruption    Reason = "Disruption"
	NoPods        Reason = "NoPods"
	OverBudget    Reason = "Budget"
	Unrecovered   Reason = "Unrecovered"
	Partial       Reason = "Partial"
)

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

// Outcome is how one kill stands: all there is to say of it when it has ended.
type Outcome struct {
	Record
	Claimed    bool // its record has been written
	Ended      bool
	Verdict    Verdict // none before it has ended
	Reason     Reason
	Message    string
	Pods       []Death
	ExecutedAt time.Time // when the last pod was removed; zero: none was
	Recovery   Recovery
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
func (d Death) unanswered() bool { return d.Err != nil && !settled(d.Err) }

// Reporter tells people. It must not block.
type Reporter interface {
	// Killed is called for each pod when it is known to have been killed; not in a dry run.
	Killed(Record, Death)
	// Ended is called once for each kill, when its record says how it ended.
	Ended(Outcome)
	// Unrecorded is called for a kill that has ended, and whose record cannot be written.
	Unrecorded(Outcome, error)
	// Trouble is called for what cannot be done now and is tried again.
	Trouble(what string, err error)
	// Planned is called when a working day opens.
	Planned(DayPlan)
}

// DayPlan is how much is planned for one date.
type DayPlan struct {
	Date      calendar.Date
	Kills     int
	Workloads int // that opted in, with kills on that date or without
}
