package chaos

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

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
	s := Subject{victims.Workload{UID: "web"}, victims.Terms{Calendar: cal, Pace: victims.Pace{Mean: victims.Span{Time: 10 * time.Second}}}}
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
	if _, last := a.lastKills["uid-9"]; !last || len(a.lastKills) > 3 {
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
		{"it comes before that", "08:00-16:00", march(4, 9, 0), fourth, aDay, march(4, 8, 30), false},
	} {
		s := aSubject("uid", workingHours(t, test.hours), victims.Span{Days: 1}, &test.minimum)
		a := agenda{}
		a.noteKill("uid", test.last, test.of)
		if got := a.tooSoon(due{subject: &subject{Subject: s}, Kill: Kill{At: test.at, Date: fourth}}); got != test.tooSoon {
			t.Errorf("%s: too soon: %v, want %v", test.why, got, test.tooSoon)
		}
	}
}
