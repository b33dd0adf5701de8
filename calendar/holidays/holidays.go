// Package holidays says on which dates a country or a part of it has public holidays.
package holidays

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rickar/cal/v2"

	"caprice/calendar"
)

func init() {
	cal.DefaultLoc = time.UTC // where midnight does not exist in the machine's zone, a date would be another
}

// Codes say whose holidays are observed. The zero Codes are nobody's.
type Codes struct {
	places []int // indices
}

// String returns the codes as UnmarshalText reads them.
func (c Codes) String() string {
	names := make([]string, len(c.places))
	for i, p := range c.places {
		names[i] = places[p].code
	}
	return strings.Join(names, ",")
}

// UnmarshalText reads codes separated by commas, or nothing: DE-BY,US. docs/holidays.md has those there are.
func (c *Codes) UnmarshalText(b []byte) error {
	c.places = nil
	if len(b) == 0 {
		return nil
	}
	var found []int
	for text := range strings.SplitSeq(string(b), ",") {
		code := strings.TrimSpace(text)
		i, ok := slices.BinarySearchFunc(places, code, func(p place, code string) int { return strings.Compare(p.code, code) })
		if !ok {
			return fmt.Errorf("holidays %q: want codes of docs/holidays.md separated by commas, as in %s", code, strings.Join(near(code), ","))
		}
		if !slices.Contains(found, i) {
			found = append(found, i)
		}
	}
	c.places = found
	return nil
}

// otherCodes are those by which some know a country, and its own by ISO 3166: that reserves UK, and the European Union writes EL.
var otherCodes = map[string]string{"UK": "GB", "EL": "GR"}

// near returns a few codes that begin as the given one does.
func near(code string) []string {
	code = strings.ToUpper(code)
	country, _, _ := strings.Cut(code, "-")
	if own, ok := otherCodes[country]; ok {
		code = own
	}
	const enough = 5
	for length := min(len(code), len("DE-B")); length > 0; length-- {
		var found []string
		for _, p := range places {
			if strings.HasPrefix(p.code, code[:length]) && len(found) < enough {
				found = append(found, p.code)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return []string{"DE-BY", "US"}
}

// Dates returns the dates on which holidays are observed from one year to another, both in, and their names. A holiday
// that is observed on another day than its own, as many are that fall on a weekend, counts there alone.
func (c Codes) Dates(from, to int) map[calendar.Date]string {
	dates := make(map[calendar.Date]string)
	for _, p := range c.places {
		for _, h := range slices.Concat(places[p].holidays, corrections[places[p].code]) {
			for year := from - 1; year <= to+1; year++ { // New Year may be observed on New Year's Eve
				_, observed := h.Clone(nil).Calc(year) // Calc writes to some holidays
				y, m, d := observed.Date()
				date := calendar.Date{Year: y, Month: m, Day: d}
				if _, known := dates[date]; !known && !observed.IsZero() && from <= y && y <= to {
					dates[date] = fmt.Sprintf("%s (%s)", h.Name, places[p].code)
				}
			}
		}
	}
	return dates
}
