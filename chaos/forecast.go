package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

// mostKills is how many planned kills fit into a forecast, so that it does not eat up the machine.
const mostKills = 10_000_000

// Period is a number of days, the first of which is From. Each workload has them in its own zone.
type Period struct {
	From calendar.Date
	Days int
}

// Last returns the last day of the period, which is in.
func (p Period) Last() calendar.Date { return p.From.Add(p.Days - 1) }

// Forecast is the plan of many workloads over a period.
type Forecast struct {
	Prospects []Prospect // by namespace, kind and name
	Kills     []Planned  // by time, then namespace, kind and name
}

// Prospect is what one workload has to expect.
type Prospect struct {
	Subject
	Expected float64 // number of kills: the open time of each day divided by the mean, summed over the days
	Kills    int     // how many the plan has
}

// Planned is a kill of the plan, and whose it is.
type Planned struct {
	Kill
	Subject *Subject
}

// Predict returns the plan of all subjects over a period, in whatever order they come. It is what Plan says of each day,
// and an error if more than ten million kills are to be expected.
func Predict(seed Seed, period Period, subjects []Subject) (Forecast, error) {
	f := Forecast{Prospects: make([]Prospect, len(subjects))}
	for i, s := range subjects {
		f.Prospects[i].Subject = s
	}
	slices.SortFunc(f.Prospects, func(a, b Prospect) int { return compareWorkloads(a.Workload, b.Workload) })

	var days diary
	total := 0.0
	for i := range f.Prospects {
		p := &f.Prospects[i]
		for _, day := range days.of(p.Terms.Calendar, period) {
			p.Expected += expected(day, day.OpenLength(), p.Terms.Pace)
		}
		total += p.Expected
	}
	if total > mostKills {
		return Forecast{}, fmt.Errorf("about %.0f kills are to be expected: want fewer days or workloads, so that it is %d at most", total, mostKills)
	}
	f.Kills = make([]Planned, 0, int(total))
	for i := range f.Prospects {
		p := &f.Prospects[i]
		before := len(f.Kills)
		for _, day := range days.of(p.Terms.Calendar, period) {
			for _, kill := range Plan(seed, day, p.Subject) {
				f.Kills = append(f.Kills, Planned{kill, &p.Subject})
			}
		}
		p.Kills = len(f.Kills) - before
	}
	slices.SortFunc(f.Kills, func(a, b Planned) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return compareWorkloads(a.Subject.Workload, b.Subject.Workload)
	})
	return f, nil
}

// Expected is how many kills all workloads together have to expect.
func (f Forecast) Expected() float64 {
	sum := 0.0
	for _, p := range f.Prospects {
		sum += p.Expected
	}
	return sum
}

// Quietest returns the two successive kills that are farthest apart, of whatever workloads: the first such pair. There is
// none among fewer than two.
func (f Forecast) Quietest() (last, next Planned, ok bool) {
	for i := 1; i < len(f.Kills); i++ {
		a, b := f.Kills[i-1], f.Kills[i]
		if !ok || b.At.Sub(a.At) > next.At.Sub(last.At) {
			last, next, ok = a, b, true
		}
	}
	return last, next, ok
}

// BusiestHour returns the first instant of the hour of the clock in loc that has the most kills, the first of several, and
// how many those are.
func (f Forecast) BusiestHour(loc *time.Location) (start time.Time, kills int) {
	return f.busiest(func(t time.Time) time.Time {
		t = t.In(loc)
		return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()))
	})
}

// BusiestDay returns the day in loc that has the most kills, as its first instant, the first of several, and how many
// those are.
func (f Forecast) BusiestDay(loc *time.Location) (start time.Time, kills int) {
	c := calendar.Calendar{Zone: calendar.ZoneOf(loc)} // which knows of days without midnight
	return f.busiest(func(t time.Time) time.Time { return c.Midnight(c.Date(t)) })
}

// busiest returns which start most kills have in common; those that do follow each other.
func (f Forecast) busiest(startOf func(time.Time) time.Time) (start time.Time, kills int) {
	var current time.Time
	n := 0
	for _, k := range f.Kills {
		if s := startOf(k.At); n == 0 || !s.Equal(current) {
			current, n = s, 0
		}
		if n++; n > kills {
			start, kills = current, n
		}
	}
	return start, kills
}

// PerHour returns how many kills there are in each hour of the day, by the clock in loc.
func (f Forecast) PerHour(loc *time.Location) (kills [24]int) {
	for _, k := range f.Kills {
		kills[k.At.In(loc).Hour()]++
	}
	return kills
}

// Expected returns how many planned kills a subject is to expect in an interval: the open time of each day within it divided by the
// mean, by the theorem in the comment of Plan.
func (s Subject) Expected(w calendar.Window) float64 {
	sum, c := 0.0, s.Terms.Calendar
	for date := c.Date(w.Open).Add(-1); !c.Date(w.Close).Before(date); date = date.Add(1) { // a window of yesterday may go on
		day := c.Day(date)
		sum += expected(day, day.OpenWithin(w), s.Terms.Pace)
	}
	return sum
}

// expected is how many kills a pace has to expect in some open time of a day.
func expected(day calendar.Day, open time.Duration, pace victims.Pace) float64 {
	mean, _ := pace.In(day.Length())
	if mean <= 0 {
		return 0
	}
	return float64(open) / float64(mean)
}

// diary keeps the days of a period, which many workloads share, for each distinct calendar.
type diary []struct {
	calendar calendar.Calendar
	days     []calendar.Day
}

func (d *diary) of(c calendar.Calendar, period Period) []calendar.Day {
	for _, known := range *d {
		if known.calendar.Equal(c) {
			return known.days
		}
	}
	days := make([]calendar.Day, period.Days)
	for i := range days {
		days[i] = c.Day(period.From.Add(i))
	}
	*d = append(*d, struct {
		calendar calendar.Calendar
		days     []calendar.Day
	}{c, days})
	return days
}

func compareWorkloads(a, b victims.Workload) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}
