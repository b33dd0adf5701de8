package chaos

import (
	"math"
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

// A changed stream changes everybody's plan: then streamKey must change as well.
func TestTheStreamIsPinned(t *testing.T) {
	cal := workingHours(t, "10:00-12:00,13:00-17:00")
	s := aSubject("0b5a2f6e-6a0d-4a0e-9d2c-5d0f6f4f7c11", cal, victims.Span{Time: 90 * time.Minute}, nil)
	var got []string
	for _, k := range Plan(Seed{1, 2, 3}, cal.Day(monday), s) {
		got = append(got, k.At.Format("15:04:05.000"))
	}
	want := []string{"10:12:44.565", "11:28:47.002", "13:17:22.324", "15:08:14.633", "16:21:43.997"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("plan = %q, want %q", got, want)
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

// The expected number of kills on a day of length W is W/m, whatever the minimum. The variance is that of the stationary
// renewal process: W/m + (2/m) * integral of H over [0, W] - (W/m)^2, H(t) = sum over k of P(Gamma(k, m-c) <= t - k c).
func TestTheMeanIsExact(t *testing.T) {
	cal := workingHours(t, "10:00-16:00")
	draws := 200_000.0
	if testing.Short() {
		draws /= 20
	}
	for _, mean := range []victims.Span{{Time: 20 * time.Second}, {Time: 10 * time.Minute}, {Time: 4 * time.Hour}, {Time: 7 * time.Hour}, {Days: 0.25}, {Days: 0.7}, {Days: 1}, {Days: 2}, {Days: 5}} {
		for _, share := range []float64{0, 0.25, 0.5, -1} {
			minimum := &victims.Span{Days: mean.Days * share, Time: time.Duration(float64(mean.Time) * share)}
			if share < 0 {
				minimum = nil
			}
			if minimum != nil && minimum.Days > 1 {
				continue
			}
			s := aSubject("uid", cal, mean, minimum)
			length := cal.Day(monday).Length()
			m, c := s.Terms.Pace.In(length)
			perDay := float64(length) / float64(m)
			days := int(draws/perDay) + 1
			n := 0
			for i := range days {
				n += len(Plan(Seed{7}, cal.Day(monday.Add(i)), s))
			}
			expected := perDay * float64(days)
			sigma := math.Sqrt(variance(float64(length)/float64(m), float64(c)/float64(m)) * float64(days))
			if z := (float64(n) - expected) / sigma; math.Abs(z) > 4.5 {
				t.Errorf("mean %s, minimum %s: %d kills in %d days, want %.0f: off by %.1f standard deviations", mean, c, n, days, expected, z)
			}
		}
	}
}

// variance is that of the number of kills on a day of length w, with minimum c, both in units of the mean.
func variance(w, c float64) float64 {
	if w > 40 { // the series is long, and the leading term of its expansion in w enough; the constant is less than one
		return (1-c)*(1-c)*w + 1
	}
	const steps = 1000
	integral := 0.0
	for i := range steps {
		t := (float64(i) + 0.5) * w / steps
		h := 0.0
		for k := 1; ; k++ {
			p := gammaCDF(k, (t-float64(k)*c)/(1-c))
			if c == 1 {
				p = 0
				if float64(k) <= t {
					p = 1
				}
			}
			if p < 1e-12 {
				break
			}
			h += p
		}
		integral += h * w / steps
	}
	return w + 2*integral - w*w
}

// gammaCDF is P(Gamma(k, 1) <= x), by way of the Poisson distribution.
func gammaCDF(k int, x float64) float64 {
	if x <= 0 {
		return 0
	}
	term, sum := math.Exp(-x), 0.0
	for i := range k {
		sum += term
		term *= x / float64(i+1)
	}
	return 1 - sum
}

func TestTheVarianceIsTheDesigns(t *testing.T) {
	if got := variance(5.5/2, 0.5); math.Abs(got-0.802) > 0.001 {
		t.Errorf("variance for m=2, c=1, W=5.5 is %.4f, want 0.802", got)
	}
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
