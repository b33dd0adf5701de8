package chaos

import (
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

// plan returns how much is planned for a day, and keeps it for Today.
func (r *Runner) plan(date calendar.Date) DayPlan {
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

// Expected returns how many kills all subjects, on the terms that they have now, are to expect in an interval, by namespace:
// the open time of each day within it divided by the mean, by the theorem in the comment of Plan.
func (r *Runner) Expected(w calendar.Window) map[string]float64 {
	type terms struct {
		namespace string
		calendar  int
		mean      victims.Span
	}
	alike := make(map[terms]int) // of thousands of subjects most share theirs
	var calendars []calendar.Calendar
	r.mu.Lock()
	for _, s := range r.agenda.subjects {
		i := slices.IndexFunc(calendars, s.Terms.Calendar.Equal)
		if i < 0 {
			i, calendars = len(calendars), append(calendars, s.Terms.Calendar)
		}
		alike[terms{s.Namespace, i, s.Terms.Pace.Mean}]++
	}
	r.mu.Unlock()
	span := int(w.Close.Sub(w.Open)/(24*time.Hour)) + 3 // a window of yesterday may go on, and an interval may lie across midnight
	sums := make(map[string]float64)
	var days diary
	for t, subjects := range alike {
		c := calendars[t.calendar]
		for _, day := range days.of(c, Period{From: c.Date(w.Open).Add(-1), Days: span}) {
			if mean := t.mean.In(day.Length()); mean > 0 {
				sums[t.namespace] += float64(subjects) * float64(day.OpenWithin(w)) / float64(mean)
			}
		}
	}
	return sums
}
