package ics

import (
	"errors"
	"fmt"
	"strings"
	"time"

	ical "github.com/arran4/golang-ical"

	"caprice/calendar"
)

// event is what of a VEVENT says when it is.
type event struct {
	uid, name string
	cancelled bool
	start     stamp
	end       ending
	rules     []string
	also      []stamp // further occurrences
	without   []stamp // occurrences that are none
	overrides *stamp  // the occurrence that this event is in place of
}

// ending says when an occurrence ends that begins at a wall time, or so much later where the clock shows that a second time.
type ending func(wall time.Time, later time.Duration) time.Time

func readEvent(v *ical.VEvent, zone calendar.Zone) (event, error) {
	p := properties{v, zone}
	var e event
	status, err := p.one(ical.ComponentPropertyStatus)
	if err != nil {
		return e, err
	}
	e.cancelled = status != nil && strings.EqualFold(strings.TrimSpace(status.Value), "CANCELLED")
	if e.overrides, err = p.stamp(ical.ComponentPropertyRecurrenceId); err != nil {
		return e, err
	}
	if r := v.GetProperty(ical.ComponentPropertyRecurrenceId); r != nil && parameter(r, "RANGE") != "" {
		return e, errors.New("RECURRENCE-ID with RANGE: want one for each occurrence")
	}
	if e.cancelled {
		return e, nil
	}
	start, err := p.stamp(ical.ComponentPropertyDtStart)
	switch {
	case err != nil:
		return e, err
	case start == nil:
		return e, errors.New("it has no DTSTART; want one")
	}
	e.start = *start
	if e.end, err = p.end(e.start); err != nil {
		return e, err
	}
	for _, rule := range v.GetProperties(ical.ComponentPropertyRrule) {
		e.rules = append(e.rules, rule.Value)
	}
	if e.also, err = p.stamps(ical.ComponentPropertyRdate, e.start.date); err != nil {
		return e, err
	}
	e.without, err = p.stamps(ical.ComponentPropertyExdate, e.start.date)
	return e, err
}

// mostYears is how long an event at a time may take: a time.Duration ends at 292 years.
const mostYears = 200

// properties are those of an event whose dates and floating times are in a zone.
type properties struct {
	*ical.VEvent
	zone calendar.Zone
}

// one returns the property that an event has once, or nil.
func (p properties) one(name ical.ComponentProperty) (*ical.IANAProperty, error) {
	all := p.GetProperties(name)
	switch len(all) {
	case 0:
		return nil, nil
	case 1:
		return all[0], nil
	}
	return nil, fmt.Errorf("%s: %w", name, errTwice)
}

// stamp returns the property's date or time, or nil.
func (p properties) stamp(name ical.ComponentProperty) (*stamp, error) {
	property, err := p.one(name)
	if err != nil || property == nil {
		return nil, err
	}
	s, err := parseStamp(property.Value, property, p.zone)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &s, nil
}

// stamps returns all dates of the property, or else times.
func (p properties) stamps(name ical.ComponentProperty, dates bool) ([]stamp, error) {
	var all []stamp
	for _, property := range p.GetProperties(name) {
		for value := range strings.SplitSeq(property.Value, ",") {
			s, err := parseStamp(value, property, p.zone)
			switch {
			case err != nil:
				return nil, fmt.Errorf("%s: %w", name, err)
			case s.date != dates:
				return nil, fmt.Errorf("%s %q: want a date if DTSTART is one, and a time if it is a time", name, value)
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// end returns when an occurrence ends that begins at a wall time of start's zone. One day or several end by the calendar.
// Of an event at a time, an occurrence lasts as long as the first, and no less than to the same time on the wall: hours in a row leave
// none open where one comes twice. A time that the clock skips is as long after the jump as it would have been: RFC 5545, 3.3.5.
func (p properties) end(start stamp) (ending, error) {
	duration, err := p.one(ical.ComponentPropertyDuration)
	if err != nil {
		return nil, err
	}
	end, err := p.stamp(ical.ComponentPropertyDtEnd)
	switch {
	case err != nil:
		return nil, err
	case end != nil && duration != nil:
		return nil, errors.New("it has DTEND and DURATION; want one of them")
	case duration != nil:
		days, rest, err := parseDuration(duration.Value)
		if err != nil || start.date && rest != 0 {
			return nil, fmt.Errorf("DURATION %q: want time that does not run backwards, as in P1D or PT1H30M, and days if DTSTART is a date", duration.Value)
		}
		if start.date {
			days = max(days, 1)
		}
		return func(wall time.Time, later time.Duration) time.Time {
			last := wall.AddDate(0, 0, days)
			if days > 0 {
				later = 0 // on another day the clock shows it once
			}
			return calendar.Later(reckoned(start.zone, last).Add(rest+later), reckoned(start.zone, last.Add(rest)))
		}, nil
	case end == nil && start.date:
		return inDays(start.zone, 1), nil
	case end == nil:
		return inDays(start.zone, 0), nil // an instant, by the standard
	case end.date != start.date:
		return nil, errors.New("of DTSTART and DTEND, one is a date; want both or neither to be")
	case end.reckoned().Before(start.reckoned()):
		return nil, errors.New("DTEND is before DTSTART; want it after")
	case start.date:
		days := max(1, int(end.wall.Unix()-start.wall.Unix())/86400) // some write the day itself as its end
		return inDays(start.zone, days), nil
	case end.wall.Year()-start.wall.Year() > mostYears:
		return nil, fmt.Errorf("DTEND is more than %d years after DTSTART; want it earlier", mostYears)
	}
	length, onTheWall := end.reckoned().Sub(start.reckoned()), end.wallIn(start.zone).Sub(start.wall)
	return func(wall time.Time, later time.Duration) time.Time {
		return calendar.Later(reckoned(start.zone, wall).Add(length+later), reckoned(start.zone, wall.Add(onTheWall)))
	}, nil
}

// inDays is the ending at the same time on the wall, so many days on.
func inDays(zone calendar.Zone, days int) ending {
	return func(wall time.Time, later time.Duration) time.Time {
		return zone.At(wall.AddDate(0, 0, days)).Add(later)
	}
}
