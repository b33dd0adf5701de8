package calendar

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Why says what keeps kills from happening at t, as in "holiday Neujahr" or "outside 10:00-16:00", and nothing if they may
// happen.
func (c Calendar) Why(t time.Time) string {
	if day, in := c.OpenDay(t); in {
		if mask, masked := day.Masks.at(t); masked {
			return cmp.Or(mask.Name, "a mask")
		}
		return ""
	}
	date := c.Date(t)
	name, holiday := c.holiday(date)
	switch {
	case !c.Days.has(date.Weekday()):
		return fmt.Sprintf("%s is not one of %s", dayNames[date.Weekday()], c.Days)
	case holiday:
		return "holiday " + name
	}
	return fmt.Sprintf("outside %s", c.Hours)
}

// Masked says what keeps kills from happening at t whatever the days and hours, and nothing if that does not.
func (c Calendar) Masked(t time.Time) string {
	if c.Closed == nil {
		return ""
	}
	if mask, masked := c.Closed.Masks.at(t); masked {
		return cmp.Or(mask.Name, "a mask")
	}
	return ""
}

// Check returns an error if no window opens within a year of t. It names what closes those there would be.
func (c Calendar) Check(t time.Time) error {
	if _, opens := c.Next(t); opens {
		return nil
	}
	err := fmt.Errorf("days %s and hours %s in %s do not open within a year of %s", c.Days, c.Hours, c.Zone, c.Date(t))
	const enough = 3
	switch closers := c.closers(t); {
	case len(closers) > enough:
		return fmt.Errorf("%w: closed by %s and %d more", err, strings.Join(closers[:enough], ", "), len(closers)-enough)
	case len(closers) > 0:
		return fmt.Errorf("%w: closed by %s", err, strings.Join(closers, ", "))
	}
	return err
}

// closers returns the names of the holidays and masks that close windows within a year of t, each once.
func (c Calendar) closers(t time.Time) []string {
	var names []string
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	date := c.Date(t).Add(-1)
	for range horizon {
		if name, holiday := c.holiday(date); holiday && c.Days.has(date.Weekday()) {
			add("holiday " + name)
		}
		day := c.Day(date)
		for _, w := range day.Windows {
			for _, m := range day.Masks.within(w) {
				add(cmp.Or(m.Name, "a mask"))
			}
		}
		date = date.Add(1)
	}
	return names
}
