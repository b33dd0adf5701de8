package chaos

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"caprice/calendar"
	"caprice/victims"
)

// What is planned for a day may be thousands of kills of each workload.
func TestOfEachPlanTheAgendaHoldsTheNextKillAlone(t *testing.T) {
	var hours calendar.Hours
	var days calendar.Days
	for _, err := range []error{hours.UnmarshalText([]byte("00:00-24:00")), days.UnmarshalText([]byte("Mon-Sun"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cal := calendar.Calendar{Days: days, Hours: hours}
	s := Subject{Workload: victims.Workload{UID: "web"}, Terms: victims.Terms{Calendar: cal, Pace: victims.Pace{Mean: victims.Span{Time: 10 * time.Second}}}}
	a := agenda{seed: Seed{1}}
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	a.set(now, s)
	a.takeOver(now)
	date := cal.Date(now)
	var want []time.Time
	for i := range 3 {
		for _, k := range Plan(a.seed, cal.Day(date.Add(i-1)), s) {
			if k.At.After(now) {
				want = append(want, k.At)
			}
		}
	}
	for len(want) > 0 {
		if len(a.items) > 4 { // of yesterday, today and tomorrow, and the time to plan another day
			t.Fatalf("there are %d items on the agenda at %s", len(a.items), now)
		}
		kills, wake := a.next(now)
		for _, k := range kills {
			if len(want) == 0 || !k.At.Equal(want[0]) {
				t.Fatalf("a kill of %s is due, want %s", k.At, want[0])
			}
			want = want[1:]
		}
		now = wake
	}
}

func TestTermsThatChangeAgainAndAgainLeaveNothingBehind(t *testing.T) {
	cal := workingHours(t, "10:00-16:00")
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	changed, once := agenda{seed: Seed{1}, armed: true}, agenda{seed: Seed{1}, armed: true}
	subject := func(uid string, mean time.Duration) Subject {
		return aSubject(uid, cal, victims.Span{Time: mean}, nil)
	}
	const others = 10
	for i := range others {
		uid := fmt.Sprint("other-", i)
		changed.set(now, subject(uid, time.Hour))
		once.set(now, subject(uid, time.Hour))
	}
	most := 0
	for i := range 10_000 {
		changed.set(now, subject("web", time.Duration(i%100+10)*time.Minute))
		changed.set(now, subject("gone", time.Hour))
		changed.drop(now, "gone")
		most = max(most, len(changed.items))
	}
	if limit := 100 * (others + 1); most > limit {
		t.Errorf("there were up to %d items on the agenda of %d subjects, want %d at most", most, others+1, limit)
	}
	changed.set(now, subject("web", time.Hour))
	once.set(now, subject("web", time.Hour))
	for _, a := range []*agenda{&changed, &once} {
		a.takeOver(now)
	}
	for end := now.Add(72 * time.Hour); now.Before(end); now = now.Add(time.Minute) {
		got, _ := changed.next(now)
		want, _ := once.next(now)
		if got, want := instants(got), instants(want); got != want {
			t.Fatalf("at %s these are due: %s, want %s", now, got, want)
		}
	}
}

// instants are whom kills strike and when, in their order.
func instants(kills []due) string {
	var all []string
	for _, k := range kills {
		all = append(all, fmt.Sprint(k.At.UnixNano(), " ", k.UID))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// What a change of one workload's terms costs, beside many others.
func BenchmarkChangeOfOneWorkload(b *testing.B) {
	cal := workingHours(b, "10:00-16:00")
	for _, others := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("beside=%d", others), func(b *testing.B) {
			a, now := agenda{armed: true}, time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
			for i := range others {
				a.set(now, aSubject(fmt.Sprintf("%036d", i), cal, victims.Span{Days: 2}, nil))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				a.set(now, aSubject("web", cal, victims.Span{Days: float64(2 + i%2)}, nil))
			}
		})
	}
}

func TestWhoWasStruckDaysAgoIsForgotten(t *testing.T) {
	a, begin := agenda{}, time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)
	for day := range 10 {
		a.noteKill(fmt.Sprint("uid-", day), begin.AddDate(0, 0, day), calendar.Date{})
	}
	_, eve := a.lastKills["uid-8"] // whose hours may go on
	if _, last := a.lastKills["uid-9"]; !last || !eve || len(a.lastKills) > 3 {
		t.Errorf("after ten days %d are known that were struck: %v; want those of the last two and of that one", len(a.lastKills), a.lastKills)
	}
}

// What a Runner keeps of a workload that has kills to come, of which there may be tens of thousands.
func BenchmarkMemoryOfWorkloads(b *testing.B) {
	const workloads = 5_000
	cal := workingHours(b, "00:00-24:00")
	for b.Loop() {
		var before, after runtime.MemStats
		r := NewRunner(Seed{1})
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range workloads {
			r.Set(aSubject(fmt.Sprint("0b5a2f6e-6a0d-4a0e-9d2c-", i), cal, victims.Span{Time: 20 * time.Hour}, nil))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/workloads, "B/workload")
		runtime.KeepAlive(r)
	}
}

// What says more of a workload, as its namespace does, may come after it.
func TestWhatWasSaidBeforeAllWasToldNeverCounted(t *testing.T) {
	cal := workingHours(t, "00:00-24:00")
	now := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	first, then := aSubject("web", cal, victims.Span{Time: time.Hour}, nil), aSubject("web", cal, victims.Span{Time: 90 * time.Minute}, nil)
	since := func(tell func(*agenda)) (at []string) {
		var a agenda
		tell(&a)
		a.armed = true
		a.takeOver(now.Add(-6 * time.Hour))
		kills, _ := a.next(now.Add(time.Second))
		for _, k := range kills {
			at = append(at, k.At.Format(time.TimeOnly))
		}
		return at
	}
	want := since(func(a *agenda) { a.set(now, then) })
	if got := since(func(a *agenda) { a.set(now, first); a.set(now.Add(time.Millisecond), then) }); len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("kills that were due are of %v, want those of %v", got, want)
	}
	if got := since(func(a *agenda) { a.set(now, first); a.drop(now.Add(time.Millisecond), "web") }); len(got) > 0 {
		t.Errorf("of one that was never in kills of %v were due, want none", got)
	}
}

// Who stands by looks at its agenda for the first time when it takes over, maybe after weeks.
func TestWhoeverStoodByHasAllThatIsDueAndNothingElse(t *testing.T) {
	var calendars []calendar.Calendar
	for _, zone := range []string{"UTC", "America/New_York", "America/Sao_Paulo", "Pacific/Apia", "Pacific/Kiritimati", "Africa/Casablanca"} {
		for _, hours := range []string{"00:00-24:00", "10:00-16:00", "22:00-21:59", "18:00-02:00,03:00-04:00", "00:00-01:00,23:30-24:00"} {
			c := workingHours(t, hours)
			if err := c.Zone.UnmarshalText([]byte(zone)); err != nil {
				t.Fatal(err)
			}
			calendars = append(calendars, c)
		}
	}
	begins := []time.Time{ // in the weeks after each a clock changes, or loses a day
		time.Date(2011, time.December, 20, 0, 0, 0, 0, time.UTC), time.Date(2018, time.February, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2018, time.October, 20, 0, 0, 0, 0, time.UTC), time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC),
	}
	rapid.Check(t, func(t *rapid.T) {
		minutes := func(most int, label string) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(t, label)) * time.Minute
		}
		const day = 24 * 60
		cal := rapid.SampledFrom(calendars).Draw(t, "calendar")
		s := aSubject("web", cal, victims.Span{Time: 10*time.Minute + minutes(3*day, "mean")}, nil)
		begin := rapid.SampledFrom(begins).Draw(t, "begin").Add(minutes(day, "time of day"))
		from := begin.Add(minutes(20*day, "stood by"))
		a := agenda{seed: Seed{1}, armed: true}
		a.set(begin, s)
		a.takeOver(from)
		latest, now := from, from
		var got, want []time.Time
		for range rapid.IntRange(1, 4).Draw(t, "looks") {
			now = now.Add(minutes(5*day, "it goes on") - minutes(day, "it is set back"))
			kills, wake := a.next(now)
			for _, k := range kills {
				got = append(got, k.At)
			}
			if latest = calendar.Later(latest, now); !wake.After(now) {
				t.Fatalf("at %s it wants to be woken at %s", now, wake)
			}
		}
		for date := cal.Date(begin).Add(-3); !cal.Date(latest).Add(3).Before(date); date = date.Add(1) {
			for _, k := range Plan(a.seed, cal.Day(date), s) {
				if k.At.After(from) && !k.At.After(latest) {
					want = append(want, k.At)
				}
			}
		}
		slices.SortFunc(want, time.Time.Compare)
		if !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Fatalf("it stood by from %s to %s and led until %s: due were %v,\nplanned %v", begin, from, latest, got, want)
		}
	})
}

// The lease does not wait for an agenda of thousands of workloads.
func TestWhatItTakesToTakeOverDoesNotGrowWithTheDaysOfStandingBy(t *testing.T) {
	of := func(days int) float64 {
		return testing.AllocsPerRun(3, func() { stoodBy(t, 50, days).next(time.Date(2026, time.March, 4+days, 12, 0, 0, 0, time.UTC)) })
	}
	if week, weeks := of(7), of(70); weeks > 1.1*week {
		t.Errorf("after 70 days of standing by the agenda allocates %.0f times, and after 7 %.0f", weeks, week)
	}
}

// stoodBy is the agenda of a process that stood by for so many days, and is about to lead.
func stoodBy(t testing.TB, workloads, days int) *agenda {
	t.Helper()
	a, cal := &agenda{seed: Seed{1}, headStart: headStart}, workingHours(t, "10:00-16:00")
	now := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	for i := range workloads {
		a.set(now, aSubject(fmt.Sprint("web-", i), cal, victims.Span{Days: 2}, nil))
	}
	a.armed = true
	a.takeOver(now.AddDate(0, 0, days).Add(-15 * time.Second))
	return a
}

// How long nothing else is done when a process begins to lead that stood by.
func BenchmarkTakingOverAfterDays(b *testing.B) {
	for _, days := range []int{1, 60} {
		b.Run(fmt.Sprint("days=", days), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				a := stoodBy(b, 5_000, days)
				b.StartTimer()
				a.next(time.Date(2026, time.March, 4+days, 12, 0, 0, 0, time.UTC))
			}
		})
	}
}

// Who takes over settles what was due before it came, and nobody missed what was planned for a workload that there was not.
func TestNothingIsDueOfBeforeItsWorkloadWasThere(t *testing.T) {
	cal := workingHours(t, "00:00-24:00")
	s := aSubject("web", cal, victims.Span{Time: time.Hour}, nil)
	now := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	from := now.Add(-20 * time.Hour)
	var planned []time.Time
	for _, date := range []calendar.Date{cal.Date(from), cal.Date(now)} {
		for _, k := range Plan(Seed{1}, cal.Day(date), s) {
			planned = append(planned, k.At)
		}
	}
	i := slices.IndexFunc(planned, now.Add(-6*time.Hour).Before)
	for _, test := range []struct {
		why     string
		created time.Time
		since   time.Time // want all that is planned after it
	}{
		{"nobody has said when it was created", time.Time{}, from},
		{"it was there before", from.Add(-time.Hour), from},
		{"it came yesterday", from.Add(3 * time.Hour), from.Add(3 * time.Hour)},
		{"it came today", now.Add(-5 * time.Hour), now.Add(-5 * time.Hour)},
		{"it came in the second of a kill, maybe before that", planned[i].Truncate(time.Second), planned[i-1]},
		{"it is yet to come, by a clock that is ahead", now.Add(3 * time.Hour), now},
	} {
		a := agenda{seed: Seed{1}}
		s.Created = test.created
		first := s
		first.Terms.Pace.Mean = victims.Span{Time: 5 * time.Minute}
		a.set(now, first)
		a.set(now, s) // on other terms it is still the same workload
		a.armed = true
		a.takeOver(from)
		kills, wake := a.next(now.Add(5 * time.Hour))
		var got []time.Time
		for _, k := range kills {
			got = append(got, k.At)
		}
		want := slices.DeleteFunc(slices.Clone(planned), func(at time.Time) bool { return !at.After(test.since) || !at.Before(wake.Add(a.headStart)) })
		if len(want) == 0 || !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Errorf("%s: due are %v, want %v", test.why, got, want)
		}
	}
}

func TestTheMinimumHoldsWhereKillsComeLate(t *testing.T) {
	for _, grace := range []time.Duration{time.Minute, 2 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			r, cluster, told, s := world(t, 20*time.Minute)
			minimum := victims.Span{Time: 10 * time.Minute}
			if grace == time.Minute {
				minimum, s.Terms.Pace.Mean = victims.Span{Time: 20 * time.Second}, victims.Span{Time: 25 * time.Second}
			}
			s.Terms.Pace.Minimum = &minimum
			cluster.terms, r.LateGrace, r.agenda.armed = s.Terms, grace, false
			alive := wallNow().Add(2 * time.Hour)
			time.Sleep(3 * time.Hour)
			r.Set(s)
			r.Arm()
			stop := leads(r, Term{From: alive, Alive: alive})
			time.Sleep(2 * time.Hour)
			stop()
			var last time.Time
			struck := 0
			for _, o := range told.outcomes {
				if !o.executed() {
					continue
				}
				struck++
				if apart := o.ExecutedAt.Sub(last); apart < minimum.Time-patience {
					t.Errorf("LATE_GRACE %s: a kill planned for %s struck %s after the one before; want %s at least", grace, o.Planned.Format(time.TimeOnly), apart, minimum.Time)
				}
				last = o.ExecutedAt
			}
			if struck < 4 {
				t.Errorf("%d kills struck", struck)
			}
		})
	}
}

func TestAKillThatIsTakenBackTakesNoOtherWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _, s := world(t, time.Hour)
		r.ledger = newLedger(r.Limits, r.Calendar, nil)
		k := due{subject: &subject{Subject: s}, Kill: Kill{At: wallNow(), Date: r.Calendar.Date(wallNow())}}
		rehearsal := k
		rehearsal.request = &Request{Workload: s.Workload, DryRun: true}
		for _, first := range []due{k, rehearsal} {
			r.agenda.lastKills = nil
			cancel, err := r.reserve(first)
			if err != nil {
				t.Fatal(err)
			}
			other := k.At.Add(time.Minute)
			r.agenda.noteKill(s.UID, other, k.Date)
			if cancel(); !r.agenda.lastKills[s.UID].at.Equal(other) {
				t.Errorf("rehearsed: %v: the last kill is of %s, want it of %s", first.request != nil, r.agenda.lastKills[s.UID].at, other)
			}
		}
	})
}

// docs/how-to.md says so, and the README below its gates.
func TestARehearsalNeitherCountsForLimitsNorKeepsToThem(t *testing.T) {
	r, _, _, s := world(t, time.Hour)
	r.Limits.KillsPerDay = 1
	r.ledger = newLedger(r.Limits, r.Calendar, nil)
	k := due{subject: &subject{Subject: s}, Kill: Kill{At: wallNow(), Date: r.Calendar.Date(wallNow())}, request: &Request{Workload: s.Workload}}
	rehearsal := k
	rehearsal.request = &Request{Workload: s.Workload, DryRun: true}
	for _, test := range []struct {
		why  string
		k    due
		want Reason
	}{
		{"a rehearsal", rehearsal, ""},
		{"the one kill of a day, after it", k, ""},
		{"another kill", k, Unrecovered},
		{"another rehearsal, whose workload has not recovered, on a day that has had its kill", rehearsal, ""},
	} {
		_, err := r.reserve(test.k)
		var veto *Veto
		if errors.As(err, &veto); err == nil && test.want != "" || err != nil && (veto == nil || veto.Reason != test.want) {
			t.Errorf("%s: %v, want %q", test.why, err, test.want)
		}
	}
}

func TestAKillActsForSoLongAndNoLonger(t *testing.T) {
	planned := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct{ late, grace, want time.Duration }{
		{-2 * time.Second, time.Minute, time.Minute}, {30 * time.Second, time.Minute, time.Minute},
		{0, 8 * time.Hour, mostActing}, {time.Hour, 8 * time.Hour, time.Hour + mostActing}, {8*time.Hour - time.Second, 8 * time.Hour, 8 * time.Hour},
		{math.MaxInt64, 8 * time.Hour, 8 * time.Hour},
	} {
		if got := actBefore(planned, planned.Add(test.late), test.grace).Sub(planned); got != test.want {
			t.Errorf("%s late, LATE_GRACE %s: it may act for %s, want %s", test.late, test.grace, got, test.want)
		}
	}
}

func TestTheMinimumHoldsWhereTheHoursHaveChanged(t *testing.T) {
	march := func(day, hour, minute int) time.Time {
		return time.Date(2026, time.March, day, hour, minute, 0, 0, time.UTC)
	}
	fourth := calendar.Date{Year: 2026, Month: time.March, Day: 4}
	aDay, anHour := victims.Span{Days: 1}, victims.Span{Time: time.Hour}
	for _, test := range []struct {
		why     string
		hours   string // now
		last    time.Time
		of      calendar.Date // the working day of that
		minimum victims.Span
		at      time.Time // the kill, on the fourth
		tooSoon bool
	}{
		{"one a day, and there was one before the hours of now", "08:00-16:00", march(4, 4, 48), fourth, aDay, march(4, 15, 59), true},
		{"one a day, and there was one of the night that began on the eve", "22:00-06:00", march(4, 4, 48), fourth.Add(-1), aDay, march(4, 22, 30), false},
		{"one a day, and there was one the day before", "08:00-16:00", march(3, 15, 59), fourth.Add(-1), aDay, march(4, 8, 1), false},
		{"an hour, and it was one before the hours of now", "08:00-16:00", march(4, 7, 30), fourth, anHour, march(4, 8, 29), true},
		{"an hour, and it was longer ago", "08:00-16:00", march(4, 7, 30), fourth, anHour, march(4, 8, 30), false},
		{"an hour of the windows", "08:00-12:00,13:00-16:00", march(4, 11, 30), fourth, anHour, march(4, 13, 29), true},
		{"an hour of the windows and no less", "08:00-12:00,13:00-16:00", march(4, 11, 30), fourth, anHour, march(4, 13, 30), false},
		{"it was to come before that, and is late", "08:00-16:00", march(4, 9, 0), fourth, anHour, march(4, 8, 1), true},
		{"it was to come an hour before that", "08:00-16:00", march(4, 9, 0), fourth, anHour, march(4, 8, 0), false},
	} {
		s := aSubject("uid", workingHours(t, test.hours), victims.Span{Days: 1}, &test.minimum)
		a := agenda{}
		a.noteKill("uid", test.last, test.of)
		if got := a.tooSoon(due{subject: &subject{Subject: s}, Kill: Kill{At: test.at, Date: fourth}}, test.at); got != test.tooSoon {
			t.Errorf("%s: too soon: %v, want %v", test.why, got, test.tooSoon)
		}
	}
}

func TestAKillOfWhichNothingCameComesAgainUnlessOthersHaveSettledIt(t *testing.T) {
	now := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	s := aSubject("uid", workingHours(t, "08:00-16:00"), victims.Span{Days: 1}, nil)
	for _, test := range []struct {
		why  string
		from time.Duration // after the kill's instant
		want int
	}{
		{"what is to be settled began before it", -time.Second, 1},
		{"it began with it", 0, 0},
		{"it began after it", time.Second, 0},
	} {
		k := due{subject: &subject{Subject: s}, Kill: Kill{At: now.Add(-time.Minute)}}
		a := agenda{watermark: now}
		a.putBack(k)
		a.takeOver(k.At.Add(test.from))
		kills, _ := a.next(now)
		if len(kills) != test.want || test.want > 0 && !kills[0].back {
			t.Errorf("%s: due are %+v, want %d that came before", test.why, kills, test.want)
		}
	}
}

func TestTheLastKillOfAWorkloadIsTheLatestThatStruckAndCountsFromWhenItWasTo(t *testing.T) {
	planned := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	w := victims.Workload{UID: "uid"}
	done := func(at time.Time, late time.Duration) Outcome {
		return Outcome{Record: Record{Workload: w, Planned: at}, ExecutedAt: at.Add(late)}
	}
	rehearsed := done(planned.Add(time.Hour), 0)
	rehearsed.DryRun = true
	for _, test := range []struct {
		why   string
		known []Outcome
		want  time.Time
	}{
		{"it struck as soon as answers had come", []Outcome{done(planned, patience)}, planned},
		{"it was late", []Outcome{done(planned, patience+time.Second)}, planned.Add(patience + time.Second)},
		{"an earlier one is told of after it", []Outcome{done(planned, 0), done(planned.Add(-time.Hour), 0)}, planned},
		{"a later one was rehearsed", []Outcome{done(planned, 0), rehearsed}, planned},
		{"a later one was spared", []Outcome{done(planned, 0), {Record: Record{Workload: w, Planned: planned.Add(time.Hour)}, Ended: true, Verdict: Vetoed}}, planned},
		{"none struck", []Outcome{rehearsed}, time.Time{}},
	} {
		var a agenda
		if a.noteKills(test.known); !a.lastKills["uid"].at.Equal(test.want) {
			t.Errorf("%s: the last kill counts from %s, want %s", test.why, a.lastKills["uid"].at, test.want)
		}
	}
}
