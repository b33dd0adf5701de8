// Package calendar says when kills may happen: half-open windows on working days, in a time zone.
package calendar

import (
	"cmp"
	"slices"
	"time"
	_ "time/tzdata" // the image has no time zones of its own
)

// Calendar is when kills may happen. The zero Calendar never opens.
type Calendar struct {
	Zone  Zone
	Days  Days
	Hours Hours
}

// Window is a half-open interval of time: Open is in, Close is out.
type Window struct {
	Open, Close time.Time
}

// Contains tells whether t lies in w.
func (w Window) Contains(t time.Time) bool { return !t.Before(w.Open) && t.Before(w.Close) }

// Day is one working day: the windows that open on its date, in order, none empty and none touching another. A window
// that opens before midnight and closes after it belongs to the day it opens on.
type Day struct {
	Date    Date
	Windows []Window
}

// Length is how long the day's windows are open, in real time.
func (d Day) Length() time.Duration {
	var sum time.Duration
	for _, w := range d.Windows {
		sum += w.Close.Sub(w.Open)
	}
	return sum
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
			sum += earlier(t, w.Close).Sub(w.Open)
		}
	}
	return sum
}

// Date returns the date of t in the calendar's zone.
func (c Calendar) Date(t time.Time) Date { return dateOf(t.In(c.Zone.Location())) }

// Midnight returns the instant at which a date begins in the calendar's zone.
func (c Calendar) Midnight(d Date) time.Time { return instant(d, 0, c.Zone.Location()) }

// Day returns the windows that open on a date. It has none if the date is no working day, or if the clock skips them.
func (c Calendar) Day(date Date) Day {
	day := Day{Date: date}
	if !c.Days.has(date.Weekday()) {
		return day
	}
	loc := c.Zone.Location()
	for _, r := range c.Hours.ranges {
		w := Window{Open: instant(date, r.start, loc), Close: instant(date, r.end, loc)}
		// A night's tail ends where the next working day begins.
		if tomorrow := date.Add(1); r.end > minutesPerDay && c.Days.has(tomorrow.Weekday()) {
			w.Close = earlier(w.Close, instant(tomorrow, c.Hours.ranges[0].start, loc))
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
	return day
}

// Next returns the first window that closes after t: the one t lies in, or else the one to come. It reports false if no
// window opens within a year.
func (c Calendar) Next(t time.Time) (Window, bool) {
	date := c.Date(t).Add(-1)
	for range 368 {
		for _, w := range c.Day(date).Windows {
			if t.Before(w.Close) {
				return w, true
			}
		}
		date = date.Add(1)
	}
	return Window{}, false
}

// Contains tells whether kills may happen at t.
func (c Calendar) Contains(t time.Time) bool {
	w, ok := c.Next(t)
	return ok && w.Contains(t)
}

// OpenDay returns the date of the working day one of whose windows t lies in, and false if it lies in none.
func (c Calendar) OpenDay(t time.Time) (Date, bool) {
	today := c.Date(t)
	for _, date := range []Date{today.Add(-1), today} {
		for _, w := range c.Day(date).Windows {
			if w.Contains(t) {
				return date, true
			}
		}
	}
	return Date{}, false
}

// Equal tells whether both calendars have the same zone, days and hours.
func (c Calendar) Equal(other Calendar) bool {
	return c.Zone.String() == other.Zone.String() && c.Days == other.Days && slices.Equal(c.Hours.ranges, other.Hours.ranges)
}

// instant is the first instant at which the clock in loc shows the given minute of the date, or later. So a local time
// that exists twice means its first occurrence, and one that does not exist means the moment the clock jumps over it.
func instant(d Date, minute int, loc *time.Location) time.Time {
	wall := time.Date(d.Year, d.Month, d.Day, 0, minute, 0, 0, time.UTC) // the local time, written as if it were UTC
	for t := wall.Add(-36 * time.Hour).In(loc); ; {
		start, end := t.ZoneBounds()
		_, offset := t.Zone()
		first := wall.Add(-time.Duration(offset) * time.Second).In(loc)
		if first.Before(start) {
			first = start
		}
		if end.IsZero() || first.Before(end) {
			return first
		}
		t = end
	}
}

func earlier(a, b time.Time) time.Time { return slices.MinFunc([]time.Time{a, b}, time.Time.Compare) }

func compareRanges(a, b hoursRange) int {
	return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end))
}
