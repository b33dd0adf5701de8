package chaos

import (
	"time"

	"caprice/calendar"
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
	r.mu.Lock()
	subjects := r.agenda.subscribed()
	r.mu.Unlock()
	span := int(w.Close.Sub(w.Open)/(24*time.Hour)) + 3 // a window of yesterday may go on, and an interval may lie across midnight
	sums := make(map[string]float64)
	var days diary
	for _, s := range subjects {
		for _, day := range days.of(s.Terms.Calendar, Period{From: s.Terms.Calendar.Date(w.Open).Add(-1), Days: span}) {
			if mean, _ := s.Terms.Pace.In(day.Length()); mean > 0 {
				sums[s.Namespace] += float64(day.OpenWithin(w)) / float64(mean)
			}
		}
	}
	return sums
}
