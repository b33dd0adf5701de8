package chaos

import (
	"fmt"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

// Limits bound the blast radius. Zero means no limit.
type Limits struct {
	Unrecovered             int           // kills that have not healed yet, in the cluster
	UnrecoveredPerNamespace int           // and in one namespace
	KillsPerDay             int           // of the cluster's calendar, in the cluster
	KillsPerDayPerNamespace int           // and in one namespace
	BetweenAny              time.Duration // between two kills of any workloads
}

// ledger counts kills against the limits. A kill is reserved before it is written down, and stays unsettled until its workload
// has healed, or somebody has acknowledged that it did not. Rehearsed kills count against none.
type ledger struct {
	limits    Limits
	calendar  calendar.Calendar
	unsettled map[settlement]victims.Workload
	days      map[account]int
	last      time.Time // when the last kill was to act
}

// account is a day of the cluster or of one of its namespaces.
type account struct {
	date      calendar.Date
	namespace string // empty: all
}

// newLedger returns a ledger with the kills that records tell of.
func newLedger(limits Limits, cal calendar.Calendar, known []Outcome) ledger {
	l := ledger{limits: limits, calendar: cal, unsettled: make(map[settlement]victims.Workload), days: make(map[account]int)}
	for _, o := range known {
		if o.DryRun || o.Ended && !o.executed() {
			continue
		}
		l.enter(o.Workload, o.Planned, later(o.Planned, o.ExecutedAt))
		if o.Ended && !o.suffers() {
			l.settle(o.Workload, o.Planned)
		}
	}
	return l
}

// reserve enters a kill that is to act at an instant, or returns a *Veto that says which limit forbids it.
func (l *ledger) reserve(w victims.Workload, planned, act time.Time) error {
	inNamespace := 0
	for _, other := range l.unsettled {
		switch {
		case other.UID == w.UID:
			return &Veto{Unrecovered, "it has not recovered from its last kill yet"}
		case other.Namespace == w.Namespace:
			inNamespace++
		}
	}
	date := l.calendar.Date(planned)
	for _, limit := range []struct {
		most, count int
		what        string
	}{
		{l.limits.Unrecovered, len(l.unsettled), "kills in the cluster that have not recovered yet"},
		{l.limits.UnrecoveredPerNamespace, inNamespace, "kills in its namespace that have not recovered yet"},
		{l.limits.KillsPerDay, l.days[account{date: date}], "kills in the cluster today"},
		{l.limits.KillsPerDayPerNamespace, l.days[account{date, w.Namespace}], "kills in its namespace today"},
	} {
		if limit.most > 0 && limit.count >= limit.most {
			return &Veto{OverBudget, fmt.Sprintf("there are %d %s, and %d are the most", limit.count, limit.what, limit.most)}
		}
	}
	// Kills are prepared beside each other, so the last may be planned for after this one.
	if gap := act.Sub(l.last).Abs(); gap < l.limits.BetweenAny {
		return &Veto{OverBudget, fmt.Sprintf("another kill is %s from it, and %s is the least between any two", gap.Round(time.Millisecond), l.limits.BetweenAny)}
	}
	l.enter(w, planned, act)
	return nil
}

func (l *ledger) enter(w victims.Workload, planned, act time.Time) {
	l.unsettled[settlement{w.UID, planned.UnixNano()}] = w
	date := l.calendar.Date(planned)
	l.days[account{date: date}]++
	l.days[account{date, w.Namespace}]++
	if act.After(l.last) {
		l.last = act
	}
}

// settle notes that a kill has ended. The day keeps it.
func (l *ledger) settle(w victims.Workload, planned time.Time) {
	delete(l.unsettled, settlement{w.UID, planned.UnixNano()})
}

// cancel takes back a kill that did not come to pass, if it was entered.
func (l *ledger) cancel(w victims.Workload, planned time.Time) {
	if _, ok := l.unsettled[settlement{w.UID, planned.UnixNano()}]; !ok {
		return
	}
	l.settle(w, planned)
	date := l.calendar.Date(planned)
	l.days[account{date: date}]--
	l.days[account{date, w.Namespace}]--
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
