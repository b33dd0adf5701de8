package chaos

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"caprice/victims"
)

func TestEachLimitSparesAndItsTwinDoesNot(t *testing.T) {
	cal := workingHours(t, "00:00-24:00")
	noon := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	type kill struct {
		namespace, uid string
		at             time.Duration // after noon
		healed         bool
	}
	for _, test := range []struct {
		why    string
		limits Limits
		before []kill
		next   kill
		want   Reason
	}{
		{"no limit", Limits{}, []kill{{"shop", "a", 0, false}, {"shop", "b", 0, false}}, kill{"shop", "c", 0, false}, ""},
		{"the same workload has not healed", Limits{}, []kill{{"shop", "a", 0, false}}, kill{"shop", "a", time.Hour, false}, Unrecovered},
		{"the same workload has healed", Limits{}, []kill{{"shop", "a", 0, true}}, kill{"shop", "a", time.Hour, false}, ""},
		{"two have not healed", Limits{Unrecovered: 2}, []kill{{"shop", "a", 0, false}, {"team", "b", 0, false}}, kill{"shop", "c", 0, false}, OverBudget},
		{"one of two has healed", Limits{Unrecovered: 2}, []kill{{"shop", "a", 0, false}, {"team", "b", 0, true}}, kill{"shop", "c", 0, false}, ""},
		{"one in the namespace has not healed", Limits{UnrecoveredPerNamespace: 1}, []kill{{"shop", "a", 0, false}}, kill{"shop", "c", 0, false}, OverBudget},
		{"one in another has not", Limits{UnrecoveredPerNamespace: 1}, []kill{{"team", "a", 0, false}}, kill{"shop", "c", 0, false}, ""},
		{"two today", Limits{KillsPerDay: 2}, []kill{{"shop", "a", 0, true}, {"team", "b", 0, true}}, kill{"shop", "c", 0, false}, OverBudget},
		{"two yesterday", Limits{KillsPerDay: 2}, []kill{{"shop", "a", -24 * time.Hour, true}, {"team", "b", -13 * time.Hour, true}}, kill{"shop", "c", 0, false}, ""},
		{"one in the namespace today", Limits{KillsPerDayPerNamespace: 1}, []kill{{"shop", "a", 0, true}}, kill{"shop", "c", 0, false}, OverBudget},
		{"one in another today", Limits{KillsPerDayPerNamespace: 1}, []kill{{"team", "a", 0, true}}, kill{"shop", "c", 0, false}, ""},
		{"a second before another, without a limit", Limits{}, []kill{{"team", "a", time.Second, true}}, kill{"shop", "c", 0, false}, ""},
		{"a second before another", Limits{BetweenAny: time.Minute}, []kill{{"team", "a", time.Second, true}}, kill{"shop", "c", 0, false}, OverBudget},
		{"a minute before another", Limits{BetweenAny: time.Minute}, []kill{{"team", "a", time.Minute, true}}, kill{"shop", "c", 0, false}, ""},
		{"a second after another", Limits{BetweenAny: time.Minute}, []kill{{"team", "a", 0, true}}, kill{"shop", "c", time.Second, false}, OverBudget},
		{"before one that was reserved first", Limits{}, []kill{{"team", "a", time.Second, true}}, kill{"shop", "c", 0, false}, ""},
		{"just after one, and before a later one", Limits{BetweenAny: 1500 * time.Millisecond}, []kill{{"team", "a", 100 * time.Millisecond, true}, {"team", "b", 2 * time.Second, true}}, kill{"shop", "c", 150 * time.Millisecond, false}, OverBudget},
		{"long after one, and before a later one", Limits{BetweenAny: 1500 * time.Millisecond}, []kill{{"team", "b", 4 * time.Second, true}, {"team", "a", 0, true}}, kill{"shop", "c", 2 * time.Second, false}, ""},
		{"a minute after another", Limits{BetweenAny: time.Minute}, []kill{{"team", "a", 0, true}}, kill{"shop", "c", time.Minute, false}, ""},
	} {
		workload := func(k kill) victims.Workload { return victims.Workload{Namespace: k.namespace, UID: k.uid} }
		var known []Outcome
		alive := newLedger(test.limits, cal, nil)
		for _, k := range test.before {
			at := noon.Add(k.at)
			known = append(known, Outcome{Record: Record{Workload: workload(k), Planned: at}, Ended: k.healed, Verdict: Recovered, ExecutedAt: at})
			alive.enter(workload(k), at, at)
			if k.healed {
				alive.close(workload(k), at)
			}
		}
		// Records that count against nothing: of a rehearsal, and of a kill that was spared.
		known = append(known, Outcome{Record: Record{Workload: workload(test.next), Planned: noon, DryRun: true}, ExecutedAt: noon},
			Outcome{Record: Record{Workload: workload(test.next), Planned: noon}, Ended: true, Verdict: Vetoed})
		for who, l := range map[string]ledger{"that was there": alive, "from the records": newLedger(test.limits, cal, known)} {
			t.Run(fmt.Sprintf("%s, ledger %s", test.why, who), func(t *testing.T) {
				at := noon.Add(test.next.at)
				err := l.reserve(workload(test.next), at, at)
				var veto *Veto
				if spared := errors.As(err, &veto); spared != (test.want != "") || spared && veto.Reason != test.want {
					t.Errorf("%v, want reason %q", err, test.want)
				}
				if err == nil { // and takes it back
					l.cancel(workload(test.next), at)
					l.cancel(workload(test.next), at) // a second time changes nothing
					if again := l.reserve(workload(test.next), at, at); again != nil {
						t.Errorf("after it was taken back: %v", again)
					}
				}
			})
		}
	}
}

func TestAKillThatActsLaterKeepsOthersFromItByWhenItDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, _, s := world(t, time.Hour)
		begin := wallNow()
		other := victims.Workload{Namespace: "team", UID: "other"}
		r.ledger = newLedger(Limits{BetweenAny: time.Minute}, s.Terms.Calendar, nil)
		if err := errors.Join(r.ledger.reserve(other, begin, begin), r.ledger.reserve(s.Workload, begin.Add(time.Minute), begin.Add(time.Minute))); err != nil {
			t.Fatal(err)
		}
		r.ledger.act(keyOf(other, begin), begin.Add(5*time.Second))
		strike := func() (o Outcome, err error) {
			o = Outcome{Record: Record{Workload: s.Workload, Planned: begin.Add(time.Minute), Targets: cluster.pods[:1], ActBefore: begin.Add(time.Hour)}, read: time.Now()}
			k := due{subject: &subject{Subject: s}, Kill: Kill{At: o.Planned}}
			return o, r.remove(t.Context(), k, &o)
		}
		time.Sleep(time.Minute)
		var veto *Veto
		if _, err := strike(); !errors.As(err, &veto) || veto.Reason != OverBudget || len(cluster.removed) > 0 {
			t.Errorf("55 s after the other: %v, %v removed, want it spared", err, cluster.removed)
		}
		time.Sleep(5 * time.Second)
		o, err := strike()
		if err != nil || len(cluster.removed) != 1 {
			t.Errorf("a minute after the other: %v, %v removed, want one", err, cluster.removed)
		}
		if at := r.ledger.acts[o.key()]; !at.Equal(o.ExecutedAt) {
			t.Errorf("it acts at %s by what is known, and did at %s", at, o.ExecutedAt)
		}
	})
}

func TestAKillThatActsOnceItsPlaceWasLongPastKeepsOthersFromItToo(t *testing.T) {
	begin := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	at := func(after time.Duration) time.Time { return begin.Add(after) }
	l := newLedger(Limits{BetweenAny: time.Second}, workingHours(t, "00:00-24:00"), nil)
	late, next, other := victims.Workload{UID: "late"}, victims.Workload{UID: "next"}, victims.Workload{UID: "other"}
	if err := errors.Join(l.reserve(late, at(0), at(0)), l.reserve(next, at(3500*time.Millisecond), at(3500*time.Millisecond))); err != nil {
		t.Fatal(err)
	}
	l.act(keyOf(late, begin), at(2*time.Second))
	var veto *Veto
	if err := l.reserve(other, at(2300*time.Millisecond), at(2300*time.Millisecond)); !errors.As(err, &veto) {
		t.Errorf("0.3 s after a kill that came late: %v, want a veto", err)
	}
}

func TestALedgerForgetsDays(t *testing.T) {
	l := newLedger(Limits{}, workingHours(t, "00:00-24:00"), nil)
	noon := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	for day := range 30 {
		at := noon.Add(time.Duration(day) * 24 * time.Hour)
		l.enter(victims.Workload{Namespace: fmt.Sprint("team-", day), UID: "a"}, at, at)
	}
	const kept = 4 // today and three days before
	if len(l.days) != 2*kept {
		t.Errorf("%d days and namespaces are kept of 30 days, want %d", len(l.days), 2*kept)
	}
}

// What a new leader knows of an earlier one's kills are records.
func TestALateKillKeepsOthersAwayFromWhenItActed(t *testing.T) {
	noon := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	late, next := victims.Workload{Namespace: "team", UID: "late"}, victims.Workload{Namespace: "shop", UID: "next"}
	known := []Outcome{{Record: Record{Workload: late, Planned: noon}, Ended: true, Verdict: Recovered, ExecutedAt: noon.Add(50 * time.Second)}}
	for after, spared := range map[time.Duration]bool{79 * time.Second: true, 80 * time.Second: false} {
		l := newLedger(Limits{BetweenAny: 30 * time.Second}, workingHours(t, "00:00-24:00"), known)
		if err := l.reserve(next, noon.Add(after), noon.Add(after)); (err != nil) != spared {
			t.Errorf("%s after it was due, which acted after 50s: %v, want it to be spared: %v", after, err, spared)
		}
	}
}

func TestAKillThatIsCancelledKeepsNobodyAway(t *testing.T) {
	noon := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	for _, limits := range []Limits{{BetweenAny: time.Minute}, {KillsPerDay: 1}, {KillsPerDayPerNamespace: 1}, {Unrecovered: 1}, {UnrecoveredPerNamespace: 1}} {
		l := newLedger(limits, workingHours(t, "00:00-24:00"), nil)
		first, next := victims.Workload{Namespace: "shop", UID: "first"}, victims.Workload{Namespace: "shop", UID: "next"}
		if err := l.reserve(first, noon, noon); err != nil {
			t.Fatal(err)
		}
		if err := l.reserve(next, noon.Add(time.Second), noon.Add(time.Second)); err == nil {
			t.Errorf("%+v: another is not kept away from a kill that is reserved", limits)
		}
		l.cancel(first, noon)
		if err := l.reserve(next, noon.Add(time.Second), noon.Add(time.Second)); err != nil {
			t.Errorf("%+v: another is kept away from a kill that was cancelled: %v", limits, err)
		}
	}
}

func TestARehearsalNeedsNoDistance(t *testing.T) {
	r, _, _, s := world(t, 10*time.Minute)
	r.Limits.BetweenAny = time.Minute
	r.ledger = newLedger(r.Limits, s.Terms.Calendar, nil)
	now := wallNow()
	real, other := Record{Workload: victims.Workload{UID: "real"}, Planned: now}, Record{Workload: victims.Workload{UID: "other"}, Planned: now}
	if err := r.ledger.reserve(real.Workload, now, now); err != nil {
		t.Fatal(err)
	}
	if err := r.act(&Outcome{Record: real}, true); err != nil {
		t.Fatal(err)
	}
	if err := r.act(&Outcome{Record: other}, true); err == nil {
		t.Error("another kill acts beside one that has")
	}
	if other.DryRun = true; r.act(&Outcome{Record: other}, true) != nil {
		t.Error("a rehearsal, of which nobody dies, is kept away")
	}
}

func TestAKillThatMayHaveStruckLateKeepsOthersFromIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(12 * time.Hour)
		cal := workingHours(t, "00:00-24:00")
		s := aSubject("a", cal, victims.Span{Time: time.Hour}, nil)
		planned := wallNow().Add(-50 * time.Second)
		open := Outcome{Record: Record{Workload: s.Workload, Planned: planned, Targets: []victims.Pod{{UID: "x"}}, ActBefore: planned.Add(time.Minute)}, Claimed: true, ClaimedAt: wallNow()}
		l := newLedger(Limits{BetweenAny: time.Minute}, cal, []Outcome{open})
		other := s.Workload
		other.UID = "b"
		for after, far := range map[time.Duration]bool{15 * time.Second: false, 61 * time.Second: true} {
			at := wallNow().Add(after)
			if err := l.reserve(other, at, at); (err == nil) != far {
				t.Errorf("another kill %s after one that may just have struck, where a minute is wanted: %v", after, err)
			}
		}
	})
}
