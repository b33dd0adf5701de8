package chaos

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"caprice/calendar"
	"caprice/victims"
)

func in(t interface{ Fatal(...any) }, zone string, c calendar.Calendar) calendar.Calendar {
	if err := c.Zone.UnmarshalText([]byte(zone)); err != nil {
		t.Fatal(err)
	}
	return c
}

func named(name string, s Subject) Subject {
	s.Name, s.UID = name, name
	return s
}

func predicted(t interface{ Fatal(...any) }, days int, subjects ...Subject) Forecast {
	f, err := Predict(Seed{5}, Period{monday, days}, subjects)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAForecastIsThePlanOfEachDay(t *testing.T) {
	cal := workingHours(t, "10:00-16:00")
	early := named("early", aSubject("", in(t, "Asia/Tokyo", cal), victims.Span{Time: 2 * time.Hour}, nil))
	late := named("late", aSubject("", cal, victims.Span{Days: 0.5}, nil))
	f := predicted(t, 7, late, early)

	want := 0
	for i := range 7 {
		for _, s := range []Subject{early, late} {
			for _, kill := range Plan(Seed{5}, s.Terms.Calendar.Day(monday.Add(i)), s) {
				want++
				if !slices.ContainsFunc(f.Kills, func(k Planned) bool { return k.Subject.Name == s.Name && reflect.DeepEqual(k.Kill, kill) }) {
					t.Errorf("the kill of %s at %s is not in the forecast", s.Name, kill.At)
				}
			}
		}
	}
	if len(f.Kills) != want || f.Prospects[0].Kills+f.Prospects[1].Kills != want {
		t.Errorf("%d kills, %d and %d of the workloads, want %d", len(f.Kills), f.Prospects[0].Kills, f.Prospects[1].Kills, want)
	}
	if !slices.IsSortedFunc(f.Kills, func(a, b Planned) int { return a.At.Compare(b.At) }) {
		t.Error("the kills are not in the order of time")
	}
}

func TestWhatIsToBeExpected(t *testing.T) {
	saturdays := workingHours(t, "10:00-16:00")
	if err := saturdays.Days.UnmarshalText([]byte("Sat")); err != nil {
		t.Fatal(err)
	}
	// On 29 March 2026 the clock in Berlin skips an hour.
	berlin := in(t, "Europe/Berlin", workingHours(t, "00:00-06:00"))
	for _, test := range []struct {
		why  string
		cal  calendar.Calendar
		mean victims.Span
		days int
		want float64
	}{
		{"half a kill on each working day", workingHours(t, "10:00-16:00"), victims.Span{Days: 2}, 28, 14},
		{"six hours a day", workingHours(t, "10:00-16:00"), victims.Span{Time: 4 * time.Hour}, 28, 42},
		{"four Saturdays", saturdays, victims.Span{Days: 2}, 28, 2},
		{"a skipped hour has no kills", berlin, victims.Span{Time: time.Hour}, 28, 28*6 - 1},
		{"a short day is worth as much as another", berlin, victims.Span{Days: 1}, 28, 28},
		{"one day", workingHours(t, "10:00-16:00"), victims.Span{Days: 2}, 1, 0.5},
	} {
		t.Run(test.why, func(t *testing.T) {
			f := predicted(t, test.days, aSubject("uid", test.cal, test.mean, nil))
			if got := f.Prospects[0].Expected; math.Abs(got-test.want) > 1e-9 || got != f.Expected() {
				t.Errorf("expected = %v, together %v, want %v", got, f.Expected(), test.want)
			}
		})
	}
}

func TestAForecastThatIsTooLargeIsRefused(t *testing.T) {
	s := aSubject("uid", workingHours(t, "00:00-24:00"), victims.Span{Time: 10 * time.Second}, nil)
	if _, err := Predict(Seed{}, Period{monday, 3000}, []Subject{s}); err == nil || !strings.Contains(err.Error(), "25920000 kills are to be expected") {
		t.Errorf("error = %v, want one about 25920000 kills", err)
	}
}

func TestTheQuietestAndTheBusiest(t *testing.T) {
	s := &Subject{}
	f := Forecast{}
	for _, at := range []string{
		"2026-03-02T10:59:59.999Z", "2026-03-02T11:00:00Z", "2026-03-02T11:30:00Z", "2026-03-02T12:10:00Z",
		"2026-03-03T23:50:00Z", "2026-03-04T00:00:00Z", "2026-03-04T15:00:00Z",
	} {
		kill, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		f.Kills = append(f.Kills, Planned{Kill{At: kill}, s})
	}
	kathmandu := in(t, "Asia/Kathmandu", calendar.Calendar{}).Zone.Location() // 05:45 ahead
	for _, test := range []struct {
		why, want string
		got       func() string
	}{
		{"the longest spell between two that follow each other", "12:10 23:50", func() string {
			last, next, _ := f.Quietest()
			return last.At.Format("15:04 ") + next.At.Format("15:04")
		}},
		{"an hour begins with the hour", "2026-03-02T11:00:00Z 2", func() string { at, n := f.BusiestHour(time.UTC); return fmt.Sprint(at.Format(time.RFC3339), " ", n) }},
		{"where the clock is 45 minutes ahead, other kills share an hour", "2026-03-02T16:00:00+05:45 2", func() string {
			at, n := f.BusiestHour(kathmandu)
			return fmt.Sprint(at.Format(time.RFC3339), " ", n)
		}},
		{"a day", "2026-03-02T00:00:00Z 4", func() string { at, n := f.BusiestDay(time.UTC); return fmt.Sprint(at.Format(time.RFC3339), " ", n) }},
		{"per hour of the day", "1 0 0 0 0 0 0 0 0 0 1 2 1 0 0 1 0 0 0 0 0 0 0 1", func() string {
			return strings.Trim(fmt.Sprint(f.PerHour(time.UTC)), "[]")
		}},
	} {
		t.Run(test.why, func(t *testing.T) {
			if got := test.got(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if _, _, ok := (Forecast{Kills: f.Kills[:1]}).Quietest(); ok {
		t.Error("there is a quiet spell between one kill and none")
	}
	if _, n := (Forecast{}).BusiestDay(time.UTC); n != 0 {
		t.Error("there is a busiest day without kills")
	}
}

func TestADayWithoutMidnightIsItself(t *testing.T) {
	for _, test := range []struct{ zone, kill, want string }{
		{"America/Havana", "2026-03-08T16:00:00Z", "2026-03-08T01:00:00-04:00"},
		{"America/Santiago", "2026-09-06T16:00:00Z", "2026-09-06T01:00:00-03:00"},
		{"Atlantic/Azores", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
		{"America/Havana", "2026-11-01T16:00:00Z", "2026-11-01T00:00:00-04:00"}, // whose midnight comes twice
		{"America/Havana", "2026-03-09T03:59:59Z", "2026-03-08T01:00:00-04:00"},
	} {
		kill, err := time.Parse(time.RFC3339, test.kill)
		if err != nil {
			t.Fatal(err)
		}
		f := Forecast{Kills: []Planned{{Kill{At: kill}, &Subject{}}}}
		day, _ := f.BusiestDay(in(t, test.zone, calendar.Calendar{}).Zone.Location())
		if got := day.Format(time.RFC3339); got != test.want {
			t.Errorf("the day of %s in %s begins at %s, want %s", test.kill, test.zone, got, test.want)
		}
	}
}

// The order in which workloads come does not matter, and a newcomer moves nobody else's kill.
func TestNobodyMovesAnother(t *testing.T) {
	hours := []calendar.Calendar{workingHours(t, "10:00-16:00"), in(t, "America/New_York", workingHours(t, "22:00-02:00"))}
	rapid.Check(t, func(t *rapid.T) {
		var subjects []Subject
		for i := range rapid.IntRange(2, 8).Draw(t, "workloads") {
			mean := victims.Span{Time: time.Duration(rapid.IntRange(600, 100_000).Draw(t, "mean")) * time.Second}
			s := aSubject("", rapid.SampledFrom(hours).Draw(t, "calendar"), mean, nil)
			subjects = append(subjects, named(fmt.Sprint("web-", i), s))
		}
		all := predicted(t, 5, subjects...)
		if again := predicted(t, 5, rapid.Permutation(subjects).Draw(t, "order")...); !reflect.DeepEqual(again, all) {
			t.Error("another order of workloads gives another plan")
		}
		newcomer := rapid.IntRange(0, len(subjects)-1).Draw(t, "newcomer")
		before := predicted(t, 5, slices.Delete(slices.Clone(subjects), newcomer, newcomer+1)...)
		all.Kills = slices.DeleteFunc(all.Kills, func(k Planned) bool { return k.Subject.Name == subjects[newcomer].Name })
		if !reflect.DeepEqual(before.Kills, all.Kills) {
			t.Error("a newcomer moves the kills of others")
		}
	})
}

// The plan of 10,000 workloads for 90 days, which simulate is to print within two seconds.
func BenchmarkPredict(b *testing.B) {
	cal := workingHours(b, "10:00-16:00")
	if err := cal.Days.UnmarshalText([]byte("Mon-Fri")); err != nil {
		b.Fatal(err)
	}
	subjects := make([]Subject, 10_000)
	for i := range subjects {
		subjects[i] = named(fmt.Sprintf("web-%05d", i), aSubject("", cal, victims.Span{Days: 2}, nil))
	}
	b.ReportAllocs()
	for b.Loop() {
		if f := predicted(b, 90, subjects...); len(f.Kills) == 0 {
			b.Fatal("no kills")
		}
	}
}
