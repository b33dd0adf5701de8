package calendar

import (
	"fmt"
	"strings"
	"time"
)

// Days is a set of weekdays. The zero Days is empty.
type Days struct {
	set uint8 // bit 0 is Sunday
}

var dayNames = [7]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

func (d Days) has(w time.Weekday) bool { return d.set&(1<<w) != 0 }

// String returns the set as UnmarshalText reads it, the week beginning on Monday: Mon-Fri, or Mon,Wed,Sat-Sun.
func (d Days) String() string {
	var parts []string
	for i := 1; i <= 7; i++ {
		if !d.has(time.Weekday(i % 7)) {
			continue
		}
		first := i
		for i < 7 && d.has(time.Weekday((i+1)%7)) {
			i++
		}
		part := dayNames[first%7]
		if i > first {
			part += "-" + dayNames[i%7]
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ",")
}

// UnmarshalText reads weekdays and ranges of them, separated by commas: Mon-Fri, or Sat,Sun, or Sat-Mon. Names may be
// written in full and in any case. An unknown name is an error.
func (d *Days) UnmarshalText(b []byte) error {
	var set uint8
	for part := range strings.SplitSeq(string(b), ",") {
		from, to, ranged := strings.Cut(part, "-")
		first, err := parseWeekday(from)
		if err != nil {
			return err
		}
		last := first
		if ranged {
			if last, err = parseWeekday(to); err != nil {
				return err
			}
		}
		for day := first; ; day = (day + 1) % 7 {
			set |= 1 << day
			if day == last {
				break
			}
		}
	}
	d.set = set
	return nil
}

func parseWeekday(text string) (time.Weekday, error) {
	name := strings.TrimSpace(text)
	for day := range time.Saturday + 1 {
		if strings.EqualFold(name, dayNames[day]) || strings.EqualFold(name, day.String()) {
			return day, nil
		}
	}
	return 0, fmt.Errorf("weekday %q: want Mon, Tue, Wed, Thu, Fri, Sat or Sun, as in Mon-Fri or Tue,Thu", name)
}
