package ics

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	ical "github.com/arran4/golang-ical"
	"github.com/teambition/rrule-go"

	"caprice/calendar"
)

// What a rule may ask for. The library tries every period from DTSTART on, even if it never finds an occurrence.
const (
	longestRule  = 500
	mostInterval = 10_000
	mostTries    = 1_000_000
	mostInFile   = 100 * mostTries
	ofSkipped    = 100 // tries that one counts for which the clock skips: it takes as long, and a day may have 86,400
)

// periods are those of each frequency: their length in seconds at the least, and how many days of theirs are tried.
var periods = map[rrule.Frequency]struct{ seconds, days int64 }{
	rrule.YEARLY:   {365 * 86400, 366},
	rrule.MONTHLY:  {28 * 86400, 31},
	rrule.WEEKLY:   {7 * 86400, 7},
	rrule.DAILY:    {86400, 1},
	rrule.HOURLY:   {3600, 1},
	rrule.MINUTELY: {60, 1},
	rrule.SECONDLY: {1, 1},
}

// recur calls occurs with each wall time in the zone of e.start at which a rule has e occur before an instant, and ends with its
// error. What the clock shows recurs, so a day of 23 hours is a day; of a rule that recurs within a day, that is so each time it is
// shown before again. It adds to tried what it takes to find them.
func (e event) recur(rule string, to time.Time, tried *int64, occurs func(wall, again time.Time) error) (err error) {
	defer func() {
		if p := recover(); p != nil { // the library's, for days that no month has
			err = fmt.Errorf("it cannot be computed: %v; want it simpler", p)
		}
	}()
	option, until, err := parseRule(strings.ToUpper(rule), e.start)
	if err != nil {
		return err
	}
	if !until.IsZero() && until.Before(to) {
		to = until
	}
	last := stamp{wall: to.UTC()}.wallIn(e.start.zone).AddDate(0, 0, 1)
	if last.Before(e.start.wall) {
		return nil
	}
	n := tries(option, last.Unix()-e.start.wall.Unix())
	if n > mostTries {
		return errors.New("it recurs too often since DTSTART; want it rarer, a later DTSTART or an earlier UNTIL")
	}
	if err := spend(tried, n); err != nil {
		return err
	}
	var again time.Time
	if withinDay(option) {
		again = to
	}
	asked := option.Byweekno
	if slices.Contains(asked, 52) && !slices.Contains(asked, 53) {
		option.Byweekno = append(slices.Clone(asked), 53) // for the library the one is at times the other
	}
	// Where it finds none the library goes on to the year 9999. The calendar repeats itself every 400 years, so let it begin near the end.
	later := (9900 - last.Year()) / 400 * 400
	option.Dtstart, option.Until = e.start.wall.AddDate(later, 0, 0), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) // it takes none for 292 years
	left := option.Count                                                                                               // to be counted here, where a week's days are known; 0: all
	option.Count = 0
	r, err := rrule.NewRRule(*option)
	if err != nil {
		return fmt.Errorf("%w; want it as in RFC 5545", err)
	}
	next, weeks := r.Iterator(), weeksOf(option, asked)
	for {
		wall, ok := next()
		if !ok {
			return spend(tried, mostTries) // it was sought for centuries
		}
		wall = wall.AddDate(-later, 0, 0)
		if !weeks.have(wall) {
			continue
		}
		if !e.start.zone.At(wall).Before(to) {
			return nil
		}
		if err := occurs(wall, again); err != nil {
			return err
		}
		if left == 0 {
			continue
		}
		if !e.start.date && skips(e.start.zone, wall) { // it does not count: RFC 5545 can be read to ignore it, and so more is closed
			if err := spend(tried, ofSkipped); err != nil {
				return err
			}
			continue
		}
		if left--; left == 0 {
			return nil
		}
	}
}

// spend adds to what the rules of a file have tried.
func spend(tried *int64, n int64) error {
	if *tried += n; *tried > mostInFile {
		return errors.New("with it the rules of the file take too long; want fewer, or later DTSTART")
	}
	return nil
}

// parseRule reads a rule, but for UNTIL, which it returns as the first instant that is out, or zero.
func parseRule(rule string, start stamp) (*rrule.ROption, time.Time, error) {
	zone := start.zone
	var until time.Time
	if len(rule) > longestRule {
		return nil, until, fmt.Errorf("it is too long; want %d bytes or fewer", longestRule)
	}
	var parts []string
	seen := make(map[string]bool)
	for part := range strings.SplitSeq(rule, ";") {
		name, value, _ := strings.Cut(part, "=")
		if seen[name] { // the library would forget the first
			return nil, until, fmt.Errorf("%s: %w", name, errTwice)
		}
		seen[name] = true
		if n, err := strconv.Atoi(value); err == nil && n < 1 && (name == "COUNT" || name == "INTERVAL") {
			return nil, until, fmt.Errorf("%s: want 1 or more", name) // the library takes 0 for none given
		}
		if name != "UNTIL" {
			parts = append(parts, part)
			continue
		}
		s, err := parseStamp(value, &ical.IANAProperty{}, zone)
		if err != nil {
			return nil, until, fmt.Errorf("UNTIL: %w", err)
		}
		until = s.instant().Add(1)
		if s.date || start.date { // a time where a date should be is of that date, whatever the zone
			day := time.Date(s.wall.Year(), s.wall.Month(), s.wall.Day()+1, 0, 0, 0, 0, time.UTC)
			until = calendar.Later(until, zone.At(day))
		}
	}
	o, err := rrule.StrToROption(strings.Join(parts, ";"))
	if err != nil {
		return nil, until, fmt.Errorf("%w; want it as in FREQ=YEARLY or FREQ=WEEKLY;BYDAY=FR", err)
	}
	if start.date { // RFC 5545, 3.3.10: they are to be ignored
		o.Byhour, o.Byminute, o.Bysecond = nil, nil, nil
	}
	by := len(o.Bysetpos) + len(o.Bymonth) + len(o.Bymonthday) + len(o.Byyearday) + len(o.Byweekno) + len(o.Byweekday) + len(o.Byhour) + len(o.Byminute) + len(o.Bysecond)
	switch {
	case len(o.Byeaster) > 0:
		return nil, until, errors.New("BYEASTER is not in RFC 5545; want dates of its own, as RDATE")
	case o.Interval > mostInterval:
		return nil, until, fmt.Errorf("INTERVAL: want %d or less", mostInterval)
	case o.Freq > rrule.DAILY && by > 0:
		return nil, until, errors.New("want FREQ=DAILY or rarer where there is a BY, as in FREQ=DAILY;BYHOUR=9,10")
	case slices.ContainsFunc(o.Byweekno, func(n int) bool { return n < 0 }): // the library overlooks some in the year before
		return nil, until, errors.New("BYWEEKNO: want weeks from 1 to 53")
	case o.Freq > rrule.MONTHLY && slices.ContainsFunc(o.Byweekday, numbered): // RFC 5545, 3.3.10; the library forgets the number
		return nil, until, errors.New("BYDAY: want weekdays without a number beside FREQ=WEEKLY or DAILY, as in BYDAY=FR")
	case o.Freq == rrule.WEEKLY && len(o.Bysetpos) > 0: // the library begins the first week at DTSTART
		return nil, until, errors.New("BYSETPOS: want no FREQ=WEEKLY beside it, but weekdays, as in BYDAY=WE,TH")
	case o.Interval > 1 && slices.ContainsFunc(o.Byweekno, atYearsEnd): // the library has none of their days in a year between
		return nil, until, errors.New("BYWEEKNO: want weeks from 2 to 51 beside INTERVAL")
	case len(o.Bysetpos) > 0 && slices.ContainsFunc(o.Byweekno, atYearsEnd): // the library takes others for them
		return nil, until, errors.New("BYSETPOS: want weeks from 2 to 51 beside it")
	case len(o.Byweekno) > 0 && len(o.Byweekday)+len(o.Bymonthday)+len(o.Byyearday) == 0 && (o.Count > 0 || len(o.Bysetpos) > 0): // all their days are not what is counted
		return nil, until, errors.New("BYWEEKNO: want BYDAY beside it where there is COUNT or BYSETPOS, as in BYDAY=MO")
	case len(o.Byweekno) > 0 && slices.ContainsFunc(o.Byweekday, numbered):
		return nil, until, errors.New("BYDAY: want weekdays without a number beside BYWEEKNO")
	}
	if o.Freq <= rrule.MONTHLY && slices.ContainsFunc(o.Byweekday, numbered) {
		o.Byweekday = numberAll(o)
	}
	return o, until, nil
}

// atYearsEnd tells whether a week by its number can have days of two years.
func atYearsEnd(week int) bool { return week < 2 || week > 51 }

// weeks are numbers of weeks of a year that begin on a weekday; none are all.
type weeks struct {
	numbers []int
	begin   time.Weekday
}

// weeksOf returns those that a rule asks for.
func weeksOf(o *rrule.ROption, asked []int) weeks {
	return weeks{asked, time.Weekday((o.Wkst.Day() + 1) % 7)} // the library's first is Monday
}

// have tells whether a date is in one of the weeks. The first of a year is the first with four days in it: RFC 5545, 3.3.10.
func (w weeks) have(date time.Time) bool {
	if len(w.numbers) == 0 {
		return true
	}
	middle := date.AddDate(0, 0, 3-int(date.Weekday()-w.begin+7)%7) // of whose year it is a week
	return slices.Contains(w.numbers, (middle.YearDay()-1)/7+1)
}

// numbered tells whether a weekday is meant once in a month or year, as in -1FR.
func numbered(day rrule.Weekday) bool { return day.N() != 0 }

// numberAll returns the weekdays of a rule with a number each, as in 1FR to 5FR for FR. By RFC 5545, 3.3.10, those with and those
// without one are a union; of the two kinds the library takes the intersection.
func numberAll(o *rrule.ROption) []rrule.Weekday {
	most := 5
	if o.Freq == rrule.YEARLY && len(o.Bymonth) == 0 {
		most = 53
	}
	var all []rrule.Weekday
	for _, day := range o.Byweekday {
		if numbered(day) {
			all = append(all, day)
			continue
		}
		for n := range most {
			all = append(all, day.Nth(n+1))
		}
	}
	return all
}

// withinDay tells whether a rule can recur at several times of a day.
func withinDay(o *rrule.ROption) bool { return o.Freq > rrule.DAILY || timesOfDay(o) > 1 }

func timesOfDay(o *rrule.ROption) int64 {
	return int64(max(1, len(o.Byhour)) * max(1, len(o.Byminute)) * max(1, len(o.Bysecond)))
}

// tries is how many occurrences there can be in so many seconds after the first, and so how long it takes to find them.
func tries(o *rrule.ROption, seconds int64) int64 {
	p := periods[o.Freq]
	n := (seconds/(p.seconds*int64(max(1, o.Interval))) + 1) * p.days * timesOfDay(o) * int64(max(1, len(o.Bysetpos)))
	if o.Freq > rrule.DAILY && o.Count > 0 { // without a BY each try is an occurrence
		n = min(n, int64(o.Count))
	}
	return n
}
