package calendar

import (
	"fmt"
	"strings"
	"time"
)

// Freezes are times when nobody is killed, as an operator writes them down. Their dates are in no time zone yet. The zero
// Freezes is empty.
type Freezes struct {
	list []freeze
}

// freeze is a range of dates, both ends in, or else a window.
type freeze struct {
	first, last Date
	window      Window
}

// Masks returns what is frozen if the dates are those of a zone: each from its first instant to that of the day after.
func (f Freezes) Masks(z Zone) []Mask {
	masks := make([]Mask, len(f.list))
	for i, entry := range f.list {
		w := entry.window
		if entry.dated() {
			w = Window{Open: z.Midnight(entry.first), Close: z.Midnight(entry.last.Add(1))}
		}
		masks[i] = Mask{Window: w, Name: "freeze " + entry.String()}
	}
	return masks
}

func (f freeze) dated() bool { return f.first != Date{} }

func (f freeze) String() string {
	switch {
	case !f.dated():
		return f.window.Open.Format(time.RFC3339Nano) + "/" + f.window.Close.Format(time.RFC3339Nano)
	case f.first == f.last:
		return f.first.String()
	}
	return f.first.String() + "/" + f.last.String()
}

// String returns the freezes as UnmarshalText reads them.
func (f Freezes) String() string {
	parts := make([]string, len(f.list))
	for i, entry := range f.list {
		parts[i] = entry.String()
	}
	return strings.Join(parts, ",")
}

const mostFreezes = 1000

// UnmarshalText reads freezes separated by commas, or nothing: a date, as in 2026-12-24; two dates that are both in, as in
// 2026-12-18/2027-01-04; or two instants of which the second is out, as in
// 2026-12-18T17:00:00+01:00/2027-01-04T09:00:00+01:00. They may come in any order and overlap.
func (f *Freezes) UnmarshalText(b []byte) error {
	f.list = nil
	if len(b) == 0 {
		return nil
	}
	parts := strings.Split(string(b), ",")
	if len(parts) > mostFreezes {
		return fmt.Errorf("%d freezes: want %d or fewer; an .ics file may hold more", len(parts), mostFreezes)
	}
	var list []freeze
	for _, part := range parts {
		entry, err := parseFreeze(strings.TrimSpace(part))
		if err != nil {
			return err
		}
		list = append(list, entry)
	}
	f.list = list
	return nil
}

func parseFreeze(text string) (freeze, error) {
	var f freeze
	from, to, ranged := strings.Cut(text, "/")
	if !ranged {
		to = from
	}
	if f.first.UnmarshalText([]byte(from)) == nil && f.last.UnmarshalText([]byte(to)) == nil {
		if f.last.Before(f.first) {
			return f, fmt.Errorf("freeze %q: it ends before it begins; want %s/%s", text, to, from)
		}
		return f, nil
	}
	f = freeze{}
	if f.window.Open.UnmarshalText([]byte(from)) != nil || f.window.Close.UnmarshalText([]byte(to)) != nil || !ranged {
		return f, fmt.Errorf("freeze %q: want a date or two, as in 2026-12-24 or 2026-12-18/2027-01-04, or two instants, as in 2026-12-18T17:00:00+01:00/2027-01-04T09:00:00+01:00", text)
	}
	if !f.window.Open.Before(f.window.Close) {
		return f, fmt.Errorf("freeze %q: its end is out, so it is empty; want a second instant after the first", text)
	}
	return f, nil
}
