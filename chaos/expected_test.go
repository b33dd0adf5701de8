package chaos

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

func TestWhatIsExpectedOfEachGoesByItsOwnCalendar(t *testing.T) {
	r := NewRunner(Seed{1})
	for namespace, hours := range map[string]string{"shop": "10:00-16:00", "team": "10:00-12:00"} {
		s := aSubject(namespace, workingHours(t, hours), victims.Span{Time: time.Hour}, nil)
		s.Namespace = namespace
		r.Set(s)
	}
	monday := time.Date(2026, time.March, 2, 0, 0, 0, 0, time.UTC)
	if got := fmt.Sprint(r.Expected(calendar.Window{Open: monday, Close: monday.AddDate(0, 0, 1)})); got != "map[shop:6 team:2]" {
		t.Errorf("of a day %s is expected, want six kills in shop and two in team", got)
	}
}

func TestWhatIsExpectedOfAnInterval(t *testing.T) {
	nights := workingHours(t, "22:00-02:00")
	at := func(day, hour, minute int) time.Time { // Monday is the 2nd
		return time.Date(2026, time.March, day, hour, minute, 0, 0, time.UTC)
	}
	masked := workingHours(t, "10:00-16:00")
	party := calendar.Mask{Window: calendar.Window{Open: at(2, 12, 0), Close: at(2, 18, 0)}, Name: "party"}
	masked.Closed = &calendar.Closed{Masks: calendar.Union(party)}
	for _, test := range []struct {
		why         string
		cal         calendar.Calendar
		mean        victims.Span
		open, close time.Time
		want        float64
	}{
		{"a working day", workingHours(t, "10:00-16:00"), victims.Span{Days: 2}, at(2, 0, 0), at(3, 0, 0), 0.5},
		{"a third of one", workingHours(t, "10:00-16:00"), victims.Span{Days: 2}, at(2, 9, 0), at(2, 12, 0), 0.5 / 3},
		{"before it opens", workingHours(t, "10:00-16:00"), victims.Span{Days: 2}, at(2, 8, 0), at(2, 10, 0), 0},
		{"what a freeze leaves", masked, victims.Span{Days: 2}, at(2, 0, 0), at(3, 0, 0), 0.5 / 3},
		{"a night, after midnight", nights, victims.Span{Time: time.Hour}, at(3, 0, 0), at(3, 1, 0), 1},
		{"a night, across midnight", nights, victims.Span{Time: time.Hour}, at(2, 23, 0), at(3, 1, 0), 2},
		{"three days", workingHours(t, "10:00-16:00"), victims.Span{Time: time.Hour}, at(2, 15, 0), at(5, 11, 0), 1 + 6 + 6 + 1},
		{"nothing of an interval that goes back", workingHours(t, "10:00-16:00"), victims.Span{Days: 2}, at(2, 15, 0), at(2, 11, 0), 0},
	} {
		t.Run(test.why, func(t *testing.T) {
			r := NewRunner(Seed{1})
			for uid, namespace := range map[string]string{"web": "shop", "api": "shop", "db": "team"} {
				s := aSubject(uid, test.cal, test.mean, nil)
				s.Namespace = namespace
				for _, change := range []func(*Subject){ // of how it was before, and before that
					func(s *Subject) { s.Terms.Calendar = workingHours(t, "03:00-04:00") },
					func(s *Subject) { s.Terms.Pace.Mean = victims.Span{Time: time.Minute} },
					func(s *Subject) { s.Namespace = "elsewhere" },
				} {
					before := s
					change(&before)
					r.Set(before)
				}
				r.Set(s)
			}
			gone := aSubject("gone", workingHours(t, "00:00-24:00"), victims.Span{Time: time.Minute}, nil)
			r.Set(gone)
			r.Drop(gone.UID)
			if n := len(r.agenda.census); n != 1 {
				t.Errorf("%d calendars are counted, want 1", n)
			}
			got := r.Expected(calendar.Window{Open: test.open, Close: test.close})
			if _, there := got["elsewhere"]; there || math.Abs(got["shop"]-2*test.want) > 1e-9 || math.Abs(got["team"]-test.want) > 1e-9 {
				t.Errorf("expected %v, want %g of each workload", got, test.want)
			}
			if one := aSubject("web", test.cal, test.mean, nil).Expected(calendar.Window{Open: test.open, Close: test.close}); math.Abs(one-test.want) > 1e-9 {
				t.Errorf("expected %g of one alone, want %g", one, test.want)
			}
		})
	}
}

func TestWhereTheMinimumIsLongerThanTheMeanLessIsExpected(t *testing.T) {
	r := NewRunner(Seed{1})
	r.Set(aSubject("web", workingHours(t, "10:00-16:00"), victims.Span{Time: 3 * time.Hour}, &victims.Span{Days: 0.75}))
	monday := time.Date(2026, time.March, 2, 0, 0, 0, 0, time.UTC)
	got := r.Expected(calendar.Window{Open: monday, Close: monday.AddDate(0, 0, 1)})
	if want := 6 / 4.5; len(got) != 1 || math.Abs(got["shop"]-want) > 1e-9 {
		t.Errorf("expected %v, want %g: a kill in 4.5 h, as it is planned", got, want)
	}
}

func TestTodayIsKnownToWhoTakesOverToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, 10*time.Minute)
		r.Calendar = s.Terms.Calendar
		r.Set(s)
		if plan, ok := r.Today(); ok {
			t.Errorf("before it leads there is a plan: %+v", plan)
		}
		begin := wallNow()
		during(r, time.Minute, func() {
			synctest.Wait()
			plan, ok := r.Today()
			if !ok || plan.Kills == 0 || plan.Workloads != 1 || !plan.Made.Equal(begin) || len(told.days) != 1 || plan != told.days[0] {
				t.Errorf("today is %+v, %v, told was %+v", plan, ok, told.days)
			}
		})
		if plan, ok := r.Today(); ok {
			t.Errorf("when it leads no more there is a plan: %+v", plan)
		}
		told.days = nil
		var beside sync.WaitGroup
		r.toldBefore(Term{From: wallNow().Add(-time.Minute), Alive: wallNow().Add(-time.Second)}, &beside)
		beside.Wait()
		if plan, ok := r.Today(); !ok || plan.Kills == 0 || len(told.days) > 0 {
			t.Errorf("of a day that was told of before the plan is %+v, and it is told again: %v", plan, told.days)
		}
	})
}

func TestADayThatIsFrozenIsToldOfWhenItOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, 400*24*time.Hour)
		r.Calendar = workingHours(t, "10:00-16:00")
		s.Terms.Calendar = r.Calendar
		var freezes calendar.Freezes
		tomorrow := r.Calendar.Date(wallNow()).Add(1)
		if err := freezes.UnmarshalText([]byte(tomorrow.String())); err != nil {
			t.Fatal(err)
		}
		r.Calendar.Closed = &calendar.Closed{Masks: calendar.Union(freezes.Masks(r.Calendar.Zone)...)}
		r.Set(s)
		during(r, 72*time.Hour)
		if len(told.days) < 3 || told.days[1].Date != tomorrow || told.days[1].Made.Format(time.TimeOnly) != "10:00:00" {
			t.Errorf("told was of %+v; want that of %s, which is frozen, at its opening", told.days, tomorrow)
		}
	})
}

func TestADayIsToldOfByTheFirstLeaderThatKnowsItsPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, 400*24*time.Hour)
		r.Calendar = workingHours(t, "10:00-16:00")
		s.Terms.Calendar = r.Calendar
		records := &archive{unread: true}
		r.Records = records
		r.Set(s)
		time.Sleep(9*time.Hour + 50*time.Minute)
		begin := wallNow()
		during(r, 20*time.Minute)
		if len(told.days) > 0 {
			t.Errorf("without records to go by it told of %+v", told.days)
		}
		records.unread = false
		term := Term{From: begin, Alive: wallNow()} // it was there, and settled nothing
		for range 2 {
			stop := leads(r, term)
			time.Sleep(time.Minute)
			term = Term{From: r.Settled(term), Alive: wallNow()}
			stop()
		}
		if len(told.days) != 1 {
			t.Errorf("by two leaders that knew its plan it was told of %d times, want once", len(told.days))
		}
	})
}

func BenchmarkExpected(b *testing.B) {
	cal, now := workingHours(b, "10:00-16:00"), time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	r := NewRunner(Seed{1})
	for i := range 20_000 {
		r.agenda.set(now, aSubject(fmt.Sprintf("%036d", i), cal, victims.Span{Days: 2}, nil))
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Expected(calendar.Window{Open: now, Close: now.Add(5 * time.Second)})
	}
}
