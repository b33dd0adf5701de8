package chaos

import (
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
