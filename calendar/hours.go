package calendar

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

const minutesPerDay = 24 * 60

// Hours is the part of a day in which kills may happen: ranges of local time to the minute. The zero Hours is empty.
type Hours struct {
	ranges []hoursRange // in order, none empty and none touching another
}

// hoursRange is half-open and counts minutes since midnight. An end beyond 24:00 lies on the next day.
type hoursRange struct{ start, end int }

// String returns the ranges as UnmarshalText reads them.
func (h Hours) String() string {
	parts := make([]string, len(h.ranges))
	for i, r := range h.ranges {
		end := r.end
		if end > minutesPerDay {
			end -= minutesPerDay
		}
		parts[i] = clock(r.start) + "-" + clock(end)
	}
	return strings.Join(parts, ",")
}

func clock(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

// UnmarshalText reads ranges of local time separated by commas: 10:00-16:00, or 09:00-12:00,13:00-17:30. A range whose end
// is before its start goes on into the next day, 24:00 is the end of the day. Ranges may come in any order and overlap.
func (h *Hours) UnmarshalText(b []byte) error {
	var ranges []hoursRange
	for part := range strings.SplitSeq(string(b), ",") {
		r, err := parseRange(strings.TrimSpace(part))
		if err != nil {
			return err
		}
		ranges = append(ranges, r)
	}
	slices.SortFunc(ranges, func(a, b hoursRange) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	union := ranges[:1]
	for _, r := range ranges[1:] {
		last := &union[len(union)-1]
		if r.start <= last.end {
			last.end = max(last.end, r.end)
			continue
		}
		union = append(union, r)
	}
	for _, r := range union {
		if all := (hoursRange{0, minutesPerDay}); r.end-r.start >= minutesPerDay && r != all {
			return fmt.Errorf("hours %q: together they are a day or more; want 00:00-24:00 for all day", b)
		}
	}
	h.ranges = union
	return nil
}

func parseRange(text string) (hoursRange, error) {
	from, to, _ := strings.Cut(text, "-")
	start, okStart := parseClock(from)
	end, okEnd := parseClock(to)
	switch {
	case !okStart || !okEnd || start == minutesPerDay:
		return hoursRange{}, fmt.Errorf("hours %q: want start-end in 24-hour local time, as in 10:00-16:00 or 22:00-02:00", text)
	case start == end:
		return hoursRange{}, fmt.Errorf("hours %q: start and end are the same; want 00:00-24:00 for all day", text)
	case end < start:
		end += minutesPerDay
	}
	return hoursRange{start, end}, nil
}

// parseClock reads HH:MM from 00:00 to 24:00, in minutes since midnight.
func parseClock(text string) (minute int, ok bool) {
	if len(text) != len("15:04") || text[2] != ':' {
		return 0, false
	}
	for _, i := range []int{0, 1, 3, 4} {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
	}
	h, m := int(text[0]-'0')*10+int(text[1]-'0'), int(text[3]-'0')*10+int(text[4]-'0')
	minute = h*60 + m
	return minute, m < 60 && minute <= minutesPerDay
}
