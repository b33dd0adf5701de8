package calendar

import (
	"fmt"
	"time"
)

// Date is a day in some time zone, which the Date does not know.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

func dateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// Add returns the date that many days later, earlier if negative.
func (d Date) Add(days int) Date { return dateOf(d.noon().AddDate(0, 0, days)) }

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return d.noon().Weekday() }

// Before tells whether d is an earlier date than other.
func (d Date) Before(other Date) bool { return d.noon().Before(other.noon()) }

func (d Date) noon() time.Time { return time.Date(d.Year, d.Month, d.Day, 12, 0, 0, 0, time.UTC) }

// String returns the date as in 2026-03-04.
func (d Date) String() string { return d.noon().Format(time.DateOnly) }

// UnmarshalText reads a date written as in 2026-03-04.
func (d *Date) UnmarshalText(b []byte) error {
	t, err := time.Parse(time.DateOnly, string(b))
	if err != nil {
		return fmt.Errorf("date %q: want year-month-day, as in 2026-03-04", b)
	}
	*d = dateOf(t)
	return nil
}
