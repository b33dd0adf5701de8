package chaos

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"caprice/calendar"
	"caprice/victims"
)

func workingHours(t interface{ Fatal(...any) }, hours string) calendar.Calendar {
	var c calendar.Calendar
	if err := c.Days.UnmarshalText([]byte("Mon-Sun")); err != nil {
		t.Fatal(err)
	}
	if err := c.Hours.UnmarshalText([]byte(hours)); err != nil {
		t.Fatal(err)
	}
	return c
}

func aSubject(uid string, cal calendar.Calendar, mean victims.Span, minimum *victims.Span) Subject {
	return Subject{
		Workload: victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: uid},
		Terms: victims.Terms{
			Pace:     victims.Pace{Mean: mean, Minimum: minimum},
			Scale:    victims.Scale{Mode: victims.Fixed, Value: 1},
			Method:   victims.Delete,
			Calendar: cal,
		},
	}
}

var monday = calendar.Date{Year: 2026, Month: time.March, Day: 2}

// However rare kills are to be, those that there are lie in the windows: the longest means are years of nanoseconds.
func TestTheLongestMeansPlanHardlyAnything(t *testing.T) {
	cal := workingHours(t, "10:00-16:00")
	for _, test := range []struct{ mean, minimum victims.Span }{
		{victims.Span{Time: 999_999 * time.Hour}, victims.Span{}}, {victims.Span{Time: 999_999 * time.Hour}, victims.Span{Time: time.Hour}}, {victims.Span{Days: 9999}, victims.Span{Days: 1}},
	} {
		kills := 0
		for day := range 10_000 {
			drawn := draw(Seed{1}, cal.Day(monday.Add(day)), aSubject("uid", cal, test.mean, &test.minimum))
			for kill, more := drawn.next(); more; kill, more = drawn.next() {
				if kills++; cal.Why(kill.At) != "" {
					t.Errorf("mean %s: a kill at %s, outside the windows", test.mean, kill.At)
				}
			}
		}
		if kills > 5 { // 1 is expected of the last, and less of the others
			t.Errorf("mean %s: %d kills in 10,000 days", test.mean, kills)
		}
	}
}

// A changed stream changes everybody's plan: then streamKey must change as well.
func TestTheStreamIsPinned(t *testing.T) {
	pods := make([]victims.Pod, 10)
	for i := range pods {
		pods[i] = victims.Pod{Name: fmt.Sprint(i), UID: fmt.Sprint(i)}
	}
	for _, test := range []struct {
		why           string
		date          calendar.Date
		mean, minimum victims.Span
		want          []string // times, each with the two of ten pods that die
	}{
		{"half of the mean as minimum", monday, victims.Span{Time: 90 * time.Minute}, victims.Span{Time: 45 * time.Minute},
			[]string{"10:12:44.565 8 5", "11:28:47.002 8 9", "13:17:22.324 5 9", "15:08:14.633 4 9", "16:21:43.997 3 7"}},
		{"no minimum", monday.Add(1), victims.Span{Time: 2 * time.Hour}, victims.Span{},
			[]string{"10:56:18.376 1 2", "15:08:04.556 6 7", "16:12:23.793 9 7"}},
		{"a minimum as long as the mean", monday.Add(2), victims.Span{Time: 2 * time.Hour}, victims.Span{Time: 2 * time.Hour},
			[]string{"10:26:31.648 4 2", "13:26:31.648 8 7", "15:26:31.648 4 7"}},
		{"in days", monday.Add(3), victims.Span{Days: 0.3}, victims.Span{Days: 0.1}, []string{"11:24:41.191 4 3"}},
	} {
		t.Run(test.why, func(t *testing.T) {
			cal := workingHours(t, "10:00-12:00,13:00-17:00")
			s := aSubject("0b5a2f6e-6a0d-4a0e-9d2c-5d0f6f4f7c11", cal, test.mean, &test.minimum)
			s.Terms.Scale.Value = 2
			var got []string
			for _, k := range Plan(Seed{1, 2, 3}, cal.Day(test.date), s) {
				chosen := s.Terms.Scale.Choose(pods, 0, k.Random())
				got = append(got, fmt.Sprintf("%s %s %s", k.At.Format("15:04:05.000"), chosen[0].Name, chosen[1].Name))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("plan = %q, want %q", got, test.want)
			}
		})
	}
}

func TestPlanKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cal := workingHours(t, rapid.SampledFrom([]string{"10:00-16:00", "09:00-12:00,13:00-17:30", "22:00-02:00"}).Draw(t, "hours"))
		day := cal.Day(monday.Add(rapid.IntRange(0, 3000).Draw(t, "date")))
		mean := time.Duration(rapid.Int64Range(int64(20*time.Second), int64(20*time.Hour)).Draw(t, "mean"))
		minimum := time.Duration(rapid.Int64Range(0, int64(mean)/1e6).Draw(t, "minimum")) * time.Millisecond
		s := aSubject(rapid.StringN(1, 40, -1).Draw(t, "uid"), cal, victims.Span{Time: mean}, &victims.Span{Time: minimum})
		seed := Seed(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))

		kills := Plan(seed, day, s)
		if again := Plan(seed, day, s); !reflect.DeepEqual(kills, again) {
			t.Fatal("the same inputs give two plans")
		}
		_, least := s.Terms.Pace.In(day.Length())
		for i, k := range kills {
			if !cal.Contains(k.At) {
				t.Errorf("kill at %s is outside its windows %v", k.At, day.Windows)
			}
			if i > 0 && k.At.Sub(kills[i-1].At) < least {
				t.Errorf("kills at %s and %s are less than %s apart", kills[i-1].At, k.At, least)
			}
		}
	})
}

func TestAFreezeMovesNoOtherKill(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cal := workingHours(t, rapid.SampledFrom([]string{"10:00-16:00", "09:00-12:00,13:00-17:30", "22:00-02:00"}).Draw(t, "hours"))
		date := monday.Add(rapid.IntRange(0, 3000).Draw(t, "date"))
		s := aSubject("uid", cal, victims.Span{Time: time.Duration(rapid.IntRange(10, 10_000).Draw(t, "mean")) * time.Second}, nil)
		without := Plan(Seed{7}, cal.Day(date), s)

		var masks []calendar.Mask
		for range rapid.IntRange(0, 5).Draw(t, "masks") {
			open := cal.Midnight(date).Add(time.Duration(rapid.IntRange(0, 26*3600).Draw(t, "open")) * time.Second)
			if len(without) > 0 && rapid.Bool().Draw(t, "at a kill") { // the edges matter
				open = without[rapid.IntRange(0, len(without)-1).Draw(t, "kill")].At
			}
			length := time.Duration(rapid.IntRange(-1, 3600).Draw(t, "length")) * time.Second
			masks = append(masks, calendar.Mask{Window: calendar.Window{Open: open, Close: open.Add(length)}, Name: "freeze"})
		}
		cal.Closed = &calendar.Closed{Masks: calendar.Union(masks...)}
		var want []Kill
		for _, k := range without {
			if !slices.ContainsFunc(masks, func(m calendar.Mask) bool { return m.Contains(k.At) }) {
				want = append(want, k)
			}
		}
		got := Plan(Seed{7}, cal.Day(date), s)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("with masks %v the plan is %v, want %v", masks, got, want)
		}
		for _, k := range got {
			if !cal.Contains(k.At) {
				t.Errorf("kill at %s, but it is closed: %s", k.At, cal.Why(k.At))
			}
		}
	})
}

func BenchmarkPlan(b *testing.B) {
	cal := workingHours(b, "10:00-16:00")
	s := aSubject("0b5a2f6e-6a0d-4a0e-9d2c-5d0f6f4f7c11", cal, victims.Span{Days: 2}, nil)
	day := cal.Day(monday)
	b.ReportAllocs()
	for b.Loop() {
		Plan(Seed{}, day, s)
	}
}

// A day's plan of a whole cluster, on one core.
func BenchmarkPlanOfAHundredThousand(b *testing.B) {
	const workloads = 100_000
	cal := workingHours(b, "10:00-16:00")
	day := cal.Day(monday)
	subjects := make([]Subject, workloads)
	for i := range subjects {
		subjects[i] = aSubject(fmt.Sprintf("%036d", i), cal, victims.Span{Days: 2}, nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, s := range subjects {
			Plan(Seed{}, day, s)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*workloads), "ns/workload")
}
