package chaos

import (
	"fmt"
	"math"
	"testing"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

// unlikely is how many standard deviations a number may be off: chance alone exceeds it once in 150,000 times. The seeds
// were chosen once, so that the tests say the same each time.
const unlikely = 4.5

// dayOf returns the i-th of some days, open for the given time in two windows with an hour between them.
func dayOf(i int, length time.Duration) calendar.Day {
	open := time.Date(2026, time.March, 2+i, 9, 0, 0, 0, time.UTC)
	noon := open.Add(length / 3)
	return calendar.Day{Date: monday.Add(i), Windows: []calendar.Window{
		{Open: open, Close: noon}, {Open: noon.Add(time.Hour), Close: open.Add(time.Hour + length)},
	}}
}

// openAt is for how long the day's windows have been open at t.
func openAt(day calendar.Day, t time.Time) time.Duration {
	morning := day.Windows[0]
	if t.Before(morning.Close) {
		return t.Sub(morning.Open)
	}
	return t.Sub(morning.Open) - time.Hour
}

// paced is a subject with a mean, and a minimum that is a share of it; without one, the default.
func paced(mean victims.Span, share *float64) (s Subject, allowed bool) {
	s = aSubject("uid", calendar.Calendar{}, mean, nil)
	if share != nil {
		s.Terms.Pace.Minimum = &victims.Span{Days: mean.Days * *share, Time: time.Duration(float64(mean.Time) * *share)}
	}
	return s, s.Terms.Pace.Check() == nil
}

// ratio is length and minimum in units of the mean.
func ratio(pace victims.Pace, length time.Duration) (w, c float64) {
	mean, minimum := pace.In(length)
	return float64(length) / float64(mean), float64(minimum) / float64(mean)
}

func share(f float64) *float64 { return &f }

const six = 6 * time.Hour

// The expected number of kills on a day of length W is W/m, whatever the minimum.
func TestTheMeanIsExact(t *testing.T) {
	for _, test := range []struct {
		why     string
		lengths []time.Duration // of the days, in turn
	}{
		{"days of six hours", []time.Duration{six}},
		{"days of different length", []time.Duration{4 * time.Hour, 9 * time.Hour, 30 * time.Minute}},
	} {
		for _, mean := range []victims.Span{
			{Time: 20 * time.Second}, {Time: 10 * time.Minute}, {Time: 4 * time.Hour}, {Time: 7 * time.Hour}, {Time: 30 * time.Hour},
			{Days: 0.001}, {Days: 0.25}, {Days: 0.7}, {Days: 1}, {Days: 2}, {Days: 5},
		} {
			for _, share := range []*float64{share(0), share(0.25), share(0.5), share(1), nil} {
				s, allowed := paced(mean, share)
				if !allowed {
					continue
				}
				t.Run(fmt.Sprintf("%s/mean %s, minimum %v", test.why, mean, s.Terms.Pace.Minimum), func(t *testing.T) {
					t.Parallel()
					theMeanIsExact(t, s, test.lengths)
				})
			}
		}
	}
}

func theMeanIsExact(t *testing.T, s Subject, lengths []time.Duration) {
	expected, spread := 0.0, 0.0 // of one round of the lengths
	for _, length := range lengths {
		w, c := ratio(s.Terms.Pace, length)
		expected += w
		spread += variance(w, c)
	}
	rounds := math.Ceil(enough / expected)
	n := 0
	for i := range int(rounds) * len(lengths) {
		n += len(Plan(Seed{7}, dayOf(i, lengths[i%len(lengths)]), s))
	}
	// A kill may be lost or won where times are cut to the nanosecond.
	if off := math.Abs(float64(n) - rounds*expected); off > unlikely*math.Sqrt(rounds*spread)+1 {
		t.Errorf("%d kills in %.0f days, want %.1f: off by %.1f standard deviations", n, rounds*float64(len(lengths)), rounds*expected, off/math.Sqrt(rounds*spread))
	}
}

// Not only the mean of the number of kills is that of the stationary renewal process, but also its variance.
func TestTheSpreadIsTheProcesses(t *testing.T) {
	for _, test := range []struct {
		why   string
		mean  victims.Span
		share *float64
	}{
		{"without a minimum", victims.Span{Time: 130 * time.Minute}, share(0)},
		{"a minimum of a quarter", victims.Span{Time: 130 * time.Minute}, share(0.25)},
		{"the default, a half", victims.Span{Time: 130 * time.Minute}, nil},
		{"nearly regular", victims.Span{Time: 130 * time.Minute}, share(0.9)},
		{"regular: f(1-f)", victims.Span{Time: 130 * time.Minute}, share(1)},
		{"one in two days: a coin", victims.Span{Days: 2}, nil},
		{"many a day", victims.Span{Time: 10 * time.Minute}, nil},
	} {
		t.Run(test.why, func(t *testing.T) {
			t.Parallel()
			s, _ := paced(test.mean, test.share)
			w, c := ratio(s.Terms.Pace, six)
			days := int(max(enough/w, enough/10))
			second, fourth := 0.0, 0.0
			for i := range days {
				square := math.Pow(float64(len(Plan(Seed{8}, dayOf(i, six), s)))-w, 2)
				second += square / float64(days)
				fourth += square * square / float64(days)
			}
			// The variance of a mean of squares is that of the squares, divided by their number.
			sigma := math.Sqrt((fourth - second*second) / float64(days))
			if want := variance(w, c); math.Abs(second-want) > unlikely*sigma+1e-6 {
				t.Errorf("variance of the kills a day = %.4f, want %.4f: off by %.1f standard deviations", second, want, math.Abs(second-want)/sigma)
			}
		})
	}
}

// Every part of the day has its share of kills, the first as much as the last.
func TestInstantsAreUniform(t *testing.T) {
	const parts = 24
	for _, test := range []struct {
		why         string
		mean        victims.Span
		share       *float64
		independent bool // the instants are, given their number: chi-square applies
	}{
		{"one a day", victims.Span{Days: 1}, nil, true},
		{"without a minimum", victims.Span{Time: 2 * time.Hour}, share(0), true},
		{"one in two days", victims.Span{Days: 2}, nil, true},
		{"with a minimum of a half", victims.Span{Time: 2 * time.Hour}, share(0.5), false},
		{"nearly regular", victims.Span{Time: 2 * time.Hour}, share(0.95), false},
		{"many a day", victims.Span{Time: 5 * time.Minute}, share(0.5), false},
	} {
		t.Run(test.why, func(t *testing.T) {
			t.Parallel()
			s, _ := paced(test.mean, test.share)
			w, c := ratio(s.Terms.Pace, six)
			days := math.Ceil(enough / w)
			var hits [parts]float64
			total := 0.0
			for i := range int(days) {
				day := dayOf(i, six)
				for _, k := range Plan(Seed{9}, day, s) {
					hits[openAt(day, k.At)*parts/six]++
					total++
				}
			}
			// Each part is a short day of the same process.
			sigma, want := math.Sqrt(days*variance(w/parts, c)), days*w/parts
			chi2 := 0.0
			for part, n := range hits {
				chi2 += math.Pow(n-total/parts, 2) / (total / parts)
				if math.Abs(n-want) > unlikely*sigma {
					t.Errorf("%.0f kills in part %d of %d, want %.0f: off by %.1f standard deviations", n, part+1, parts, want, math.Abs(n-want)/sigma)
				}
			}
			if test.independent && chi2 > 49.73 { // 99.9 % of chi-square with 23 degrees of freedom
				t.Errorf("chi-square = %.1f, want 49.7 or less", chi2)
			}
		})
	}
}

// Neither yesterday, nor another workload, nor another seed tells how many kills there are today.
func TestDaysAreIndependent(t *testing.T) {
	count := func(seed byte, uid string, mean victims.Span, i int) float64 {
		s, _ := paced(mean, nil)
		s.UID = uid
		return float64(len(Plan(Seed{seed}, dayOf(i, six), s)))
	}
	for _, mean := range []victims.Span{{Time: 130 * time.Minute}, {Days: 2}} {
		for _, test := range []struct {
			why   string
			other func(i int) float64
		}{
			{"yesterday", func(i int) float64 { return count(10, "uid", mean, i-1) }},
			{"the same day of the week before", func(i int) float64 { return count(10, "uid", mean, i-7) }},
			{"another workload", func(i int) float64 { return count(10, "uid2", mean, i) }},
			{"another seed", func(i int) float64 { return count(11, "uid", mean, i) }},
		} {
			t.Run(fmt.Sprintf("%s, mean %s", test.why, mean), func(t *testing.T) {
				t.Parallel()
				days := enough / 4
				var x, y, xx, yy, xy float64
				for i := range days {
					a, b := count(10, "uid", mean, i), test.other(i)
					x, y, xx, yy, xy = x+a, y+b, xx+a*a, yy+b*b, xy+a*b
				}
				n := float64(days)
				r := (n*xy - x*y) / math.Sqrt((n*xx-x*x)*(n*yy-y*y))
				if math.Abs(r)*math.Sqrt(n) > unlikely {
					t.Errorf("correlation over %d days = %.4f, want %.4f or less", days, r, unlikely/math.Sqrt(n))
				}
			})
		}
	}
}

// Each pod is as likely as another, whichever died before it.
func TestPodsAreUniform(t *testing.T) {
	pods := make([]victims.Pod, 6)
	for i := range pods {
		pods[i].Name = fmt.Sprint(i)
	}
	s, _ := paced(victims.Span{Time: 10 * time.Minute}, nil)
	hits, pairs := map[string]float64{}, map[string]float64{}
	last, n := "0", 0.0
	for i := 0; n < enough; i++ {
		for _, kill := range Plan(Seed{12}, dayOf(i, six), s) {
			name := victims.Scale{Mode: victims.Fixed, Value: 1}.Choose(pods, 0, kill.Random())[0].Name
			hits[name]++
			pairs[last+name]++
			last = name
			n++
		}
	}
	for _, test := range []struct {
		why       string
		hits      map[string]float64
		cells     int
		chiSquare float64 // 99.9 % with one degree of freedom less than cells
	}{{"pods", hits, 6, 20.5}, {"pods after each other", pairs, 36, 66.6}} {
		chi2, want := 0.0, n/float64(test.cells)
		for _, h := range test.hits {
			chi2 += (h - want) * (h - want) / want
		}
		if len(test.hits) != test.cells || chi2 > test.chiSquare {
			t.Errorf("%s: chi-square of %v is %.1f, want %.1f or less", test.why, test.hits, chi2, test.chiSquare)
		}
	}
}
