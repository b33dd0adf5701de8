package victims

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Span is an amount of working time. In days, each working day counts as one, however long its windows are; otherwise it
// is time inside the windows.
type Span struct {
	Days float64
	Time time.Duration
}

// InDays tells whether the span counts working days.
func (s Span) InDays() bool { return s.Days > 0 }

// In returns how much time inside the windows the span is on a day whose windows are open for the given time.
func (s Span) In(day time.Duration) time.Duration {
	if s.InDays() {
		return time.Duration(s.Days * float64(day))
	}
	return s.Time
}

// String returns the span as UnmarshalText reads it.
func (s Span) String() string {
	if s.InDays() {
		return strconv.FormatFloat(s.Days, 'f', -1, 64) + "d"
	}
	text := s.Time.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// longest is the most hours that are read back as they are written.
const longest = 999999 * time.Hour

var (
	daysPattern = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,6})?d$`)
	timePattern = regexp.MustCompile(`^([0-9]{1,6}(\.[0-9]{1,3})?[hms])+$`)
)

// UnmarshalText reads working days, as in 2d or 1.5d, or time inside the windows, as in 4h, 90m or 20s.
func (s *Span) UnmarshalText(b []byte) error {
	text := string(b)
	switch {
	case daysPattern.MatchString(text):
		days, err := strconv.ParseFloat(strings.TrimSuffix(text, "d"), 64)
		if err != nil {
			return err
		}
		*s = Span{Days: days}
	case timePattern.MatchString(text):
		d, err := time.ParseDuration(text)
		if err != nil || d > longest {
			return fmt.Errorf("time %q: want at most 999999h", text)
		}
		if d%time.Second != 0 {
			return fmt.Errorf("time %q: want whole seconds", text)
		}
		*s = Span{Time: d}
	default:
		return fmt.Errorf("time %q: want working days, as in 2d or 1.5d, or time inside the windows, as in 4h, 90m or 20s; at most 9999d or 999999h", text)
	}
	return nil
}

// The shortest mean time between kills; in days it is about as long within windows of six hours.
const (
	shortestMean     = 10 * time.Second
	shortestMeanDays = 0.0005
)

// Pace is how often a workload is struck: the mean time between planned kills, and the minimum within one day. A nil
// Minimum stands for a day if the mean is a day or more, for half of the mean otherwise.
type Pace struct {
	Mean    Span
	Minimum *Span
}

// Check returns an error if no schedule has this pace, whatever the days.
func (p Pace) Check() error {
	switch {
	case p.Mean == Span{}:
		return fmt.Errorf("mean time between kills of none: want %gd, %s or more", shortestMeanDays, shortestMean)
	case p.Mean.InDays() && p.Mean.Days < shortestMeanDays:
		return fmt.Errorf("mean time between kills %s: want %gd or more", p.Mean, shortestMeanDays)
	case !p.Mean.InDays() && p.Mean.Time < shortestMean:
		return fmt.Errorf("mean time between kills %s: want %s or more", p.Mean, shortestMean)
	case p.Minimum == nil:
		return nil
	case p.Minimum.Days > 1:
		return fmt.Errorf("min time between kills %s: want 1d or less, since it holds within one working day", p.Minimum)
	case p.Minimum.InDays() == p.Mean.InDays() && (p.Minimum.Days > p.Mean.Days || p.Minimum.Time > p.Mean.Time):
		return fmt.Errorf("min time between kills %s: want no more than the mean, %s", p.Minimum, p.Mean)
	}
	return nil
}

// CheckOn returns an error if on a day whose windows are open for the given time the minimum is above the mean, or the mean too
// short: of one in days and one in time, that depends on the day.
func (p Pace) CheckOn(day time.Duration) error {
	if p.tooFast(day) {
		return fmt.Errorf("mean time between kills %s: want %s or more, on a day of %s", p.Mean, shortestMean, Span{Time: day})
	}
	const grain = time.Millisecond // parts of days are rounded, and kills are planned to the millisecond
	if _, minimum := p.In(day); minimum.Round(grain) > p.Mean.In(day).Round(grain) {
		return fmt.Errorf("min time between kills %s: want no more than the mean, %s, on a day of %s", p.Minimum, p.Mean, Span{Time: day})
	}
	return nil
}

// tooFast tells whether the mean is too short on a day whose windows are open for the given time, if they are at all.
func (p Pace) tooFast(day time.Duration) bool { return day > 0 && p.Mean.In(day) < shortestMean }

// In returns the mean and the minimum as time inside the windows, on a day whose windows are open for the given time. The
// minimum is at most the day. The mean is no less than it nor, if it is in days, than the shortest:
// where they don't fit there are fewer kills.
func (p Pace) In(day time.Duration) (mean, minimum time.Duration) {
	mean = p.Mean.In(day)
	if p.Mean.InDays() && day > 0 { // of one that is time, Check says how short it may be
		mean = max(mean, shortestMean)
	}
	switch {
	case p.Minimum != nil:
		minimum = p.Minimum.In(day)
	case p.Mean.Days >= 1:
		minimum = day
	default:
		minimum = mean / 2
	}
	minimum = min(minimum, day)
	return max(mean, minimum), minimum
}
