package chaos

import (
	"fmt"
	"maps"
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

// ledger counts kills against the limits. A kill is reserved before it is written down, and stays open until its workload
// has healed, or somebody has acknowledged that it did not. Rehearsed kills count against none.
type ledger struct {
	limits   Limits
	calendar calendar.Calendar
	open     map[killKey]victims.Workload
	days     map[account]int
	acts     map[killKey]time.Time // when kills were to act, of late; none without a limit between any two
}

// account is a day of the cluster or of one of its namespaces.
type account struct {
	date      calendar.Date
	namespace string // empty: all
}

// newLedger returns a ledger with the kills that records tell of.
func newLedger(limits Limits, cal calendar.Calendar, known []Outcome) ledger {
	l := ledger{limits: limits, calendar: cal, open: make(map[killKey]victims.Workload), days: make(map[account]int), acts: make(map[killKey]time.Time)}
	for _, o := range known {
		if o.DryRun || o.Restored || o.Ended && !o.executed() {
			continue
		}
		l.enter(o.Workload, o.Planned, o.struckBy())
		if o.Ended && !o.suffers() {
			l.close(o.Workload, o.Planned)
		}
	}
	return l
}

// reserve enters a kill that is to act at an instant, or returns a *Veto that says which limit forbids it.
func (l *ledger) reserve(w victims.Workload, planned, act time.Time) error {
	inNamespace := 0
	for _, other := range l.open {
		switch {
		case other.UID == w.UID:
			return &Veto{Unrecovered, "it has not recovered from its last kill yet"}
		case other.Namespace == w.Namespace:
			inNamespace++
		}
	}
	date := l.calendar.Date(planned)
	for _, limit := range []struct {
		most, count   int
		setting, what string
	}{
		{l.limits.Unrecovered, len(l.open), "MAX_UNRECOVERED", "kills in the cluster that have not recovered yet"},
		{l.limits.UnrecoveredPerNamespace, inNamespace, "MAX_UNRECOVERED_PER_NAMESPACE", "kills in its namespace that have not recovered yet"},
		{l.limits.KillsPerDay, l.days[account{date: date}], "MAX_KILLS_PER_DAY", "kills in the cluster today"},
		{l.limits.KillsPerDayPerNamespace, l.days[account{date, w.Namespace}], "MAX_KILLS_PER_DAY_PER_NAMESPACE", "kills in its namespace today"},
	} {
		if limit.most > 0 && limit.count >= limit.most {
			return &Veto{OverBudget, fmt.Sprintf("%s is %d, and there are %d %s", limit.setting, limit.most, limit.count, limit.what)}
		}
	}
	if err := l.apart(keyOf(w, planned), act); err != nil {
		return err
	}
	l.enter(w, planned, act)
	return nil
}

// apart returns a *Veto if another kill acts too near to an instant. Kills are prepared beside each other, so another may act after
// this one.
func (l *ledger) apart(own killKey, act time.Time) error {
	nearest := l.limits.BetweenAny
	for key, other := range l.acts {
		if key != own {
			nearest = min(nearest, act.Sub(other).Abs())
		}
	}
	if nearest < l.limits.BetweenAny {
		return &Veto{OverBudget, fmt.Sprintf("MIN_TIME_BETWEEN_ANY_KILLS is %s, and another kill is %s away", l.limits.BetweenAny, nearest.Round(time.Millisecond))}
	}
	return nil
}

// act notes that a kill which was entered acts at an instant, be it later than it was to.
func (l *ledger) act(own killKey, at time.Time) {
	if _, ok := l.open[own]; ok && l.limits.BetweenAny > 0 { // an act that is long past was forgotten, be the kill yet to begin
		l.acts[own] = at
	}
}

func (l *ledger) enter(w victims.Workload, planned, act time.Time) {
	l.open[keyOf(w, planned)] = w
	date := l.calendar.Date(planned)
	if _, ok := l.days[account{date: date}]; !ok { // days that nothing is planned for any more go with the first kill of another
		maps.DeleteFunc(l.days, func(a account, _ int) bool { return a.date.Before(date.Add(-3)) })
	}
	l.days[account{date: date}]++
	l.days[account{date, w.Namespace}]++
	if l.limits.BetweenAny > 0 {
		long := l.limits.BetweenAny + headStart // none that is yet to come acts so much earlier
		maps.DeleteFunc(l.acts, func(_ killKey, other time.Time) bool { return act.Sub(other) > long })
		l.acts[keyOf(w, planned)] = act
	}
}

// close has a kill count against MAX_UNRECOVERED no more: its workload has healed, somebody has acknowledged that it did not, or has
// had long enough to. The day keeps it.
func (l *ledger) close(w victims.Workload, planned time.Time) {
	delete(l.open, keyOf(w, planned))
}

// cancel takes back a kill that did not come to pass, if it was entered.
func (l *ledger) cancel(w victims.Workload, planned time.Time) {
	if _, ok := l.open[keyOf(w, planned)]; !ok {
		return
	}
	l.close(w, planned)
	delete(l.acts, keyOf(w, planned))
	date := l.calendar.Date(planned)
	l.days[account{date: date}]--
	l.days[account{date, w.Namespace}]--
}
