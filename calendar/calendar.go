// Package calendar says when kills may happen: half-open windows on working days, in a time zone.
package calendar

import (
	"slices"
	"time"
	_ "time/tzdata" // the image has no time zones of its own
)

// Calendar is when kills may happen. The zero Calendar never opens.
type Calendar struct {
	Zone   Zone
	Days   Days
	Hours  Hours
	Closed *Closed // nil: the cluster observes nothing
}

// Window is a half-open interval of time: Open is in, Close is out.
type Window struct {
	Open, Close time.Time
}

// Contains tells whether t lies in w.
func (w Window) Contains(t time.Time) bool { return !t.Before(w.Open) && t.Before(w.Close) }

// Day is one working day: the windows that open on its date, in order, none empty and none touching another. A window
// that opens before midnight and closes after it belongs to the day it opens on. Masks hide instants of the windows, which
// are what they would be without.
type Day struct {
	Date    Date
	Windows []Window
	Masks   Masks
}

// Length is how long the day's windows are, in real time and with what is masked.
func (d Day) Length() time.Duration {
	var sum time.Duration
	for _, w := range d.Windows {
		sum += w.Close.Sub(w.Open)
	}
	return sum
}

// OpenLength is how long the day's windows are open outside the masks, in real time.
func (d Day) OpenLength() time.Duration {
	open := d.Length()
	for _, w := range d.Windows {
		for _, m := range d.Masks.within(w) {
			open -= Earlier(m.Close, w.Close).Sub(Later(m.Open, w.Open))
		}
	}
	return open
}

// OpenWithin is how long the day's windows are open outside the masks between the edges of w, in real time.
func (d Day) OpenWithin(w Window) time.Duration {
	var sum time.Duration
	for _, window := range d.Windows {
		for _, open := range d.Masks.cut(window) {
			sum += max(0, Earlier(open.Close, w.Close).Sub(Later(open.Open, w.Open)))
		}
	}
	return sum
}

// Masked tells whether a mask hides t.
func (d Day) Masked(t time.Time) bool {
	_, masked := d.Masks.at(t)
	return masked
}

// At returns the instant at which the day's windows have been open for the given time, which is at least 0 and less than
// Length.
func (d Day) At(open time.Duration) time.Time {
	for _, w := range d.Windows {
		length := w.Close.Sub(w.Open)
		if open < length {
			return w.Open.Add(open)
		}
		open -= length
	}
	return time.Time{}
}

// Elapsed returns how long the day's windows have been open by t.
func (d Day) Elapsed(t time.Time) time.Duration {
	var sum time.Duration
	for _, w := range d.Windows {
		if t.After(w.Open) {
			sum += Earlier(t, w.Close).Sub(w.Open)
		}
	}
	return sum
}

// Date returns the date of t in the calendar's zone.
func (c Calendar) Date(t time.Time) Date { return dateOf(t.In(c.Zone.Location())) }

// Midnight returns the instant at which a date begins in the calendar's zone.
func (c Calendar) Midnight(d Date) time.Time { return c.Zone.Midnight(d) }

// Day returns the windows that open on a date, and what masks them. It has none if the date is no working day, or if the
// clock skips them.
func (c Calendar) Day(date Date) Day {
	day := Day{Date: date}
	if !c.works(date) {
		return day
	}
	for _, r := range c.Hours.ranges {
		w := Window{Open: c.Zone.minute(date, r.start), Close: c.Zone.minute(date, r.end)}
		// A night's tail ends where the next working day begins.
		if tomorrow := date.Add(1); r.end > minutesPerDay && c.works(tomorrow) {
			w.Close = Earlier(w.Close, c.Zone.minute(tomorrow, c.Hours.ranges[0].start))
		}
		if !w.Open.Before(w.Close) {
			continue
		}
		if n := len(day.Windows); n > 0 && !day.Windows[n-1].Close.Before(w.Open) {
			day.Windows[n-1].Close = w.Close // where the clock skips the pause between two windows, they are one
			continue
		}
		day.Windows = append(day.Windows, w)
	}
	if n := len(day.Windows); n > 0 && c.Closed != nil {
		day.Masks.list = c.Closed.Masks.within(Window{day.Windows[0].Open, day.Windows[n-1].Close})
	}
	return day
}

// Lengths returns how long the days are, the shortest first, but for what a holiday or the clock, when it jumps, makes longer or
// shorter: of nights those have longer tails whose next day is no working day.
func (c Calendar) Lengths() []time.Duration {
	week := Calendar{Days: c.Days, Hours: c.Hours} // in UTC, where the clock does not jump
	var lengths []time.Duration
	for i := range 7 {
		if length := week.Day(Date{2026, time.March, 1 + i}).Length(); length > 0 {
			lengths = append(lengths, length)
		}
	}
	slices.Sort(lengths)
	return slices.Compact(lengths)
}

// works tells whether windows open on a date.
func (c Calendar) works(date Date) bool {
	_, holiday := c.holiday(date)
	return c.Days.has(date.Weekday()) && !holiday
}

func (c Calendar) holiday(date Date) (name string, ok bool) {
	if c.Closed != nil {
		name, ok = c.Closed.Holidays[date]
	}
	return name, ok
}

// horizon is how many days, from the one before today on, are searched for a window: a year, and what begins before it.
const horizon = 368

// Next returns the first window that closes after t: the one t lies in, or else the one to come. A window ends where a
// mask begins, and another may follow the mask. It reports false if no window opens within a year.
func (c Calendar) Next(t time.Time) (Window, bool) {
	date := c.Date(t).Add(-1)
	for range horizon {
		day := c.Day(date)
		for _, w := range day.Windows {
			for _, open := range day.Masks.cut(w) {
				if t.Before(open.Close) {
					return open, true
				}
			}
		}
		date = date.Add(1)
	}
	return Window{}, false
}

// Contains tells whether kills may happen at t.
func (c Calendar) Contains(t time.Time) bool {
	day, in := c.OpenDay(t)
	return in && !day.Masked(t)
}

// OpenDay returns the day that t belongs to because it lies in one of its windows, masked or not.
func (c Calendar) OpenDay(t time.Time) (Day, bool) {
	today := c.Date(t)
	for _, date := range [...]Date{today.Add(-1), today} { // a window of yesterday may go on into today
		day := c.Day(date)
		if slices.ContainsFunc(day.Windows, func(w Window) bool { return w.Contains(t) }) {
			return day, true
		}
	}
	return Day{}, false
}

// WorkingDate returns the date of the day that t belongs to by a window, which may have begun the evening before, and the date of t where
// no window is open.
func (c Calendar) WorkingDate(t time.Time) Date {
	if day, open := c.OpenDay(t); open {
		return day.Date
	}
	return c.Date(t)
}

// Equal tells whether both calendars have the same zone, days and hours. What is closed is the cluster's, and so the same
// for all.
func (c Calendar) Equal(other Calendar) bool {
	return c.Zone.String() == other.Zone.String() && c.Days == other.Days && slices.Equal(c.Hours.ranges, other.Hours.ranges)
}

// Earlier returns the earlier of two instants.
func Earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Later returns the later of two instants.
func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
