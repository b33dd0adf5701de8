package ics

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	ical "github.com/arran4/golang-ical"

	"caprice/calendar"
)

// stamp is a date, or a date and time of day, in a zone.
type stamp struct {
	wall time.Time // what the clock shows, written as if it were UTC
	zone calendar.Zone
	date bool
}

func (s stamp) instant() time.Time { return s.zone.At(s.wall) }

// reckoned is the instant, but for a time that the clock skips: that is one on the clock of before the jump.
func (s stamp) reckoned() time.Time { return reckoned(s.zone, s.wall) }

func reckoned(zone calendar.Zone, wall time.Time) time.Time {
	t := zone.At(wall).In(zone.Location())
	if _, offset := t.Zone(); wallOf(t).After(wall) {
		_, before := t.Add(-1).Zone()
		return t.Add(wall.Sub(wallOf(t)) + time.Duration(offset-before)*time.Second)
	}
	return t
}

// skips tells whether the clock never shows a wall time.
func skips(zone calendar.Zone, wall time.Time) bool {
	return wallOf(zone.At(wall).In(zone.Location())).After(wall)
}

// putBack returns when the clock that is right at t is set next, and how far that puts it back, if it does.
func putBack(zone calendar.Zone, t time.Time) (turn time.Time, by time.Duration) {
	t = t.In(zone.Location())
	_, turn = t.ZoneBounds()
	if !turn.After(t) { // there is none
		return turn, 0
	}
	_, before := t.Zone()
	_, after := turn.Zone()
	return turn, time.Duration(max(0, before-after)) * time.Second
}

// wallOf returns what a clock shows, written as if it were UTC.
func wallOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// wallIn returns what the clock in another zone shows then.
func (s stamp) wallIn(zone calendar.Zone) time.Time {
	if s.zone == zone {
		return s.wall
	}
	return wallOf(s.reckoned().In(zone.Location()))
}

// The forms of dates and times in iCalendar.
const (
	dateForm = "20060102"
	timeForm = "20060102T150405"
)

// parseStamp reads one value of a property. Dates and times without a zone are in the given one.
func parseStamp(value string, property *ical.IANAProperty, zone calendar.Zone) (stamp, error) {
	value = strings.TrimSpace(value)
	if name := misnamed(property); name != "" {
		return stamp{}, fmt.Errorf("parameter %.40q: want a name of letters, digits and -, right after its semicolon", name)
	}
	kind := strings.ToUpper(parameter(property, "VALUE"))
	if wall, err := time.Parse(dateForm, value); err == nil && (kind == "" || kind == "DATE") {
		return stamp{wall, zone, true}, nil
	}
	local, utc := strings.CutSuffix(value, "Z")
	wall, err := time.Parse(timeForm, local)
	if err != nil || kind != "" && kind != "DATE-TIME" || len(local) != len(timeForm) {
		return stamp{}, fmt.Errorf("%.100q: want a date, as in 20261224 with VALUE=DATE, or a time, as in 20261224T180000 or 20261224T170000Z", value)
	}
	if tzid := parameter(property, "TZID"); utc {
		zone = calendar.Zone{}
	} else if tzid != "" {
		if err := zone.UnmarshalText([]byte(tzid)); err != nil {
			return stamp{}, fmt.Errorf("TZID: %w", err)
		}
	}
	return stamp{wall, zone, false}, nil
}

var parameterPattern = regexp.MustCompile(`^[-A-Za-z0-9]+$`)

// misnamed returns a parameter of a property whose name is none, as one is after a space, or nothing.
func misnamed(property *ical.IANAProperty) string {
	for key := range property.ICalParameters {
		if !parameterPattern.MatchString(key) {
			return key
		}
	}
	return ""
}

// parameter returns a parameter of a property, or nothing.
func parameter(property *ical.IANAProperty, name string) string {
	for key, values := range property.ICalParameters {
		if strings.EqualFold(key, name) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

var durationPattern = regexp.MustCompile(`^\+?P(?:(\d{1,4})W|(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9})S)?)?)$`)

// parseDuration reads whole days, as the calendar counts them, and time beyond them.
func parseDuration(text string) (days int, rest time.Duration, err error) {
	parts := durationPattern.FindStringSubmatch(strings.ToUpper(strings.TrimSpace(text)))
	if parts == nil || !strings.ContainsAny(text, "0123456789") {
		return 0, 0, errors.New("no duration")
	}
	for i, part := range parts[1:] {
		n, _ := strconv.Atoi(part) // digits, or nothing
		switch i {
		case 0:
			days += 7 * n
		case 1:
			days += n
		default:
			rest += time.Duration(n) * []time.Duration{time.Hour, time.Minute, time.Second}[i-2]
		}
	}
	return days, rest, nil
}
