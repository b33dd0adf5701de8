package chaos

import (
	"maps"
	"slices"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

// Today returns the plan of the working day that was open last while this process led; false if none was. Unlike what a
// Reporter is told, it is there too if an earlier leader has told of that day.
func (r *Runner) Today() (DayPlan, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.today, r.today != (DayPlan{})
}

// countPlanned returns how much is planned for a day, and keeps it for Today.
func (r *Runner) countPlanned(date calendar.Date) DayPlan {
	r.mu.Lock()
	seed, subjects := r.agenda.seed, r.agenda.subscribed()
	r.mu.Unlock()
	p := DayPlan{Date: date, Workloads: len(subjects)}
	for _, s := range subjects { // unlocked: of the fastest pace there are thousands of kills of each
		d := draw(seed, s.Terms.Calendar.Day(date), s)
		for _, ok := d.next(); ok; _, ok = d.next() {
			p.Kills++
		}
	}
	p.Made = wallNow()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.today = p
	return p
}

func (r *Runner) forgetToday() {
	r.mu.Lock()
	r.today = DayPlan{}
	r.mu.Unlock()
}

// Expected returns how many kills all subjects, on the terms that they have now, are to expect in an interval, by namespace.
func (r *Runner) Expected(w calendar.Window) map[string]float64 {
	r.mu.Lock()
	all := slices.Clone(r.agenda.census)
	for i := range all {
		all[i].paces = maps.Clone(all[i].paces)
	}
	r.mu.Unlock()
	span := int(w.Close.Sub(w.Open)/(24*time.Hour)) + 3 // a window of yesterday may go on, and an interval may lie across midnight
	sums := make(map[string]float64)
	var days diary
	for _, alike := range all {
		c := alike.calendar
		for _, day := range days.of(c, Period{From: c.Date(w.Open).Add(-1), Days: span}) {
			open := day.OpenWithin(w)
			for pace, subjects := range alike.paces {
				sums[pace.namespace] += float64(subjects) * expected(day, open, victims.Pace{Mean: pace.mean, Minimum: &pace.minimum})
			}
		}
	}
	return sums
}

// Namespaces returns those that have subjects.
func (r *Runner) Namespaces() map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	have := make(map[string]bool)
	for _, alike := range r.agenda.census {
		for pace := range alike.paces {
			have[pace.namespace] = true
		}
	}
	return have
}

// census counts subjects that are alike, of which thousands may be: how many kills are to be expected is asked every few seconds.
type census []alike

// alike are subjects that share a calendar.
type alike struct {
	calendar calendar.Calendar
	paces    map[pace]int
}

type pace struct {
	namespace     string
	mean, minimum victims.Span // none is 0: it never lengthens the mean
}

// add counts so many more subjects like one, or fewer.
func (c *census) add(s Subject, change int) {
	i := slices.IndexFunc(*c, func(a alike) bool { return a.calendar.Equal(s.Terms.Calendar) })
	if i < 0 {
		i = len(*c)
		*c = append(*c, alike{s.Terms.Calendar, make(map[pace]int)})
	}
	paces, p := (*c)[i].paces, pace{namespace: s.Namespace, mean: s.Terms.Pace.Mean}
	if s.Terms.Pace.Minimum != nil {
		p.minimum = *s.Terms.Pace.Minimum
	}
	if paces[p] += change; paces[p] == 0 {
		delete(paces, p)
	}
	if len(paces) == 0 {
		*c = slices.Delete(*c, i, i+1)
	}
}
