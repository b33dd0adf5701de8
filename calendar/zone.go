package calendar

import (
	"fmt"
	"regexp"
	"sync"
	"time"
)

// Zone is an IANA time zone. The zero Zone is UTC.
type Zone struct {
	loc *time.Location
}

// ZoneOf returns the zone that package time knows as loc.
func ZoneOf(loc *time.Location) Zone { return Zone{loc} }

// Location returns the zone as package time knows it.
func (z Zone) Location() *time.Location {
	if z.loc == nil {
		return time.UTC
	}
	return z.loc
}

// String returns the zone's IANA name.
func (z Zone) String() string { return z.Location().String() }

// At returns the first instant at which the clock in z shows the given wall time, or later; wall is written as if it were
// UTC. So a local time that exists twice means its first occurrence, and one that does not exist means the moment the clock
// jumps over it.
func (z Zone) At(wall time.Time) time.Time {
	for t := wall.Add(-36 * time.Hour).In(z.Location()); ; {
		start, end := t.ZoneBounds()
		if !end.IsZero() && !end.After(t) { // on 31 December of a leap year, where a rule goes on for ever: golang.org/issue/81583
			end = t.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1).In(z.Location())
		}
		_, offset := t.Zone()
		first := wall.Add(-time.Duration(offset) * time.Second).In(z.Location())
		if first.Before(start) {
			first = start
		}
		if end.IsZero() || first.Before(end) {
			return first
		}
		t = end
	}
}

// Midnight returns the instant at which a date begins.
func (z Zone) Midnight(d Date) time.Time { return z.minute(d, 0) }

func (z Zone) minute(d Date, minute int) time.Time {
	return z.At(time.Date(d.Year, d.Month, d.Day, 0, minute, 0, 0, time.UTC))
}

// notIANA are names that are read on some machines or mean something else on each; right/ counts leap seconds.
var notIANA = regexp.MustCompile(`^(|Local|localtime|posixrules|Factory|(posix|right)/.*)$`)

// known are the zones that were read so far, by name: each is read once, and compares equal to itself.
var known sync.Map

// UnmarshalText reads an IANA name. It refuses those that are none, even where the machine has them.
func (z *Zone) UnmarshalText(b []byte) error {
	name := string(b)
	loc, there := known.Load(name)
	if !there {
		read, err := time.LoadLocation(name)
		if err != nil || notIANA.MatchString(name) {
			return fmt.Errorf("time zone %q: want an IANA name, as in Europe/Berlin or UTC", name)
		}
		loc, _ = known.LoadOrStore(name, read)
	}
	z.loc = loc.(*time.Location)
	return nil
}
