// Package ics reads from iCalendar files (RFC 5545) when nobody is to be killed.
package ics

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	ical "github.com/arran4/golang-ical"

	"caprice/calendar"
)

// A file that needs more than this is refused.
const (
	mostBytes       = 1 << 20
	mostOccurrences = 100_000
	mostParameters  = 2000 // bytes of one property; the library takes as long as they are times the line
)

// Read returns the events of a file that lie between two instants or reach in between: those of one day or several in the
// given zone, those at a time in their own zone or, if they have none, the given one, and all their recurrences. Cancelled
// events are left out; transparent ones count, since feeds of holidays are. The error names file and event, and comes of
// anything that could have meant a time to spare and cannot be read.
func Read(r io.Reader, name string, zone calendar.Zone, from, to time.Time) ([]calendar.Mask, error) {
	b, err := io.ReadAll(io.LimitReader(r, mostBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(b) > mostBytes:
		return nil, fmt.Errorf("%s: it is too big; want %d bytes or fewer", name, mostBytes)
	}
	text := upperNames(unfolding.Replace(string(b)))
	if !strings.HasSuffix(strings.TrimSpace(text), "\nEND:VCALENDAR") {
		return nil, fmt.Errorf("%s: its end is missing; want BEGIN:VCALENDAR first and END:VCALENDAR last", name)
	}
	if n := strings.Count("\n"+text, "\nBEGIN:VCALENDAR"); n > 1 {
		return nil, fmt.Errorf("%s: it has %d VCALENDAR; want one VCALENDAR in a file", name, n)
	}
	if line := heavy(text); line != "" {
		return nil, fmt.Errorf("%s: the parameters of %.40q take more than %d bytes; want fewer", name, line, mostParameters)
	}
	cal, err := ical.ParseCalendar(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w; want an iCalendar file", name, err)
	}
	if n := strings.Count(text, "\nBEGIN:VEVENT"); n != len(cal.Events()) {
		return nil, fmt.Errorf("%s: of %d events %d are read, since others are part of something else; want each in VCALENDAR itself", name, n, len(cal.Events()))
	}

	var events []event
	overridden := make(map[string][]stamp) // by UID: occurrences that an event of their own replaces or cancels
	for _, v := range cal.Events() {
		e, err := readEvent(v, zone)
		if err != nil {
			return nil, fmt.Errorf("%s: event %q: %w", name, label(v), err)
		}
		if e.overrides != nil {
			overridden[v.Id()] = append(overridden[v.Id()], *e.overrides)
		}
		if !e.cancelled {
			e.uid, e.name = v.Id(), label(v)
			events = append(events, e)
		}
	}
	h := horizon{from: from, to: to}
	for _, e := range events {
		if e.overrides == nil && e.uid != "" {
			e.without = append(e.without, overridden[e.uid]...)
		}
		if err := h.add(e, name); err != nil {
			return nil, fmt.Errorf("%s: event %q: %w", name, e.name, err)
		}
	}
	return h.masks, nil
}

// unfolding makes one line of those that continue each other.
var unfolding = strings.NewReplacer("\r\n ", "", "\r\n\t", "", "\n ", "", "\n\t", "")

// upperNames writes the names of properties in capitals, in which the library looks for them: an event that it overlooks
// would be open.
func upperNames(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		end := strings.IndexAny(line, ";:")
		if end < 0 {
			continue
		}
		name := strings.ToUpper(line[:end])
		if name == "BEGIN" || name == "END" {
			end = len(line)
		}
		lines[i] = strings.ToUpper(line[:end]) + line[end:]
	}
	return strings.Join(lines, "\n")
}

// heavy returns a line whose property has more parameters than are read, or nothing.
func heavy(text string) string {
	for line := range strings.Lines(text) {
		quoted := false
		value := strings.IndexFunc(line, func(r rune) bool {
			quoted = quoted != (r == '"')
			return r == ':' && !quoted
		})
		if value > mostParameters || value < 0 && len(line) > mostParameters {
			return line
		}
	}
	return ""
}

// label is what a person calls an event, in one short line.
func label(v *ical.VEvent) string {
	for _, property := range []ical.ComponentProperty{ical.ComponentPropertySummary, ical.ComponentPropertyUniqueId} {
		if p := v.GetProperty(property); p != nil {
			if text := strings.Join(strings.Fields(strings.ToValidUTF8(p.Value, "?")), " "); text != "" {
				runes := []rune(text)
				return string(runes[:min(len(runes), 60)])
			}
		}
	}
	return "without SUMMARY or UID"
}

// horizon collects the occurrences between two instants.
type horizon struct {
	from, to time.Time
	tries    int64 // to find occurrences by rules
	masks    []calendar.Mask
}

// add adds the occurrences of an event.
func (h *horizon) add(e event, file string) error {
	zone, without := e.start.zone, make(map[int64]bool)
	for _, s := range e.without {
		without[s.reckoned().Unix()] = true
	}
	within := func(at time.Time, w calendar.Window) error { // w is of the occurrence that is reckoned to begin at an instant
		if without[at.Unix()] || !w.Open.Before(h.to) || !w.Close.After(h.from) {
			return nil
		}
		if len(h.masks) == mostOccurrences {
			return fmt.Errorf("with it there are more than %d occurrences; want fewer in one file", mostOccurrences)
		}
		h.masks = append(h.masks, calendar.Mask{Window: w, Name: file + ": " + e.name})
		return nil
	}
	occurs := func(wall, again time.Time) error {
		at, first := reckoned(zone, wall), calendar.Window{Open: zone.At(wall), Close: e.end(wall, 0)}
		if err := within(at, first); err != nil || again.IsZero() {
			return err
		}
		turn, by := putBack(zone, first.Open)
		second, end := first.Open.Add(by), first.Close.Add(by)
		switch {
		case by == 0:
			return nil
		case !second.Before(turn) && second.Before(again):
			return within(second, calendar.Window{Open: second, Close: e.end(wall, by)})
		case second.Before(turn) && end.After(turn) && !first.Close.After(turn): // it has begun, and what it ends in comes again
			return within(at, calendar.Window{Open: turn, Close: end})
		}
		return nil
	}
	if err := occurs(e.start.wall, time.Time{}); err != nil {
		return err
	}
	for _, s := range e.also {
		at, wall := s.reckoned(), s.wallIn(zone)
		later := at.Sub(reckoned(zone, wall)) // where the clock shows it a second time
		if err := within(at, calendar.Window{Open: s.instant(), Close: e.end(wall, later)}); err != nil {
			return err
		}
	}
	for _, rule := range e.rules {
		if err := e.recur(rule, h.to, &h.tries, occurs); err != nil {
			return fmt.Errorf("RRULE %.100q: %w", rule, err)
		}
	}
	return nil
}

var errTwice = errors.New("it is there twice; want it once")
