package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"caprice/calendar"
)

const party = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Party\nDTSTART;VALUE=DATE:20260306\nEND:VEVENT\nEND:VCALENDAR\n"

// setting sets variables, written as NAME=value without the prefix, and reads the configuration.
func setting(t *testing.T, variables ...string) Config {
	t.Helper()
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(prefix+"_"+name, value)
	}
	c, err := readConfig()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var now = time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC) // a Wednesday

// calendarOf is what run does.
func calendarOf(c Config) (calendar.Calendar, error) {
	files, err := c.IcsFiles.read()
	if err != nil {
		return calendar.Calendar{}, err
	}
	return c.calendar(now, files)
}

func TestTheClustersCalendarIsClosed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "party.ics"), []byte(party), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		why, variable string
		at            string
		want          string
	}{
		{"open", "", "2026-03-05T12:00:00Z", ""},
		{"a holiday", "HOLIDAYS=DE-BE,US", "2026-12-25T12:00:00Z", "holiday Weihnachtstag (DE-BE)"},
		{"a holiday in ten years", "HOLIDAYS=DE", "2035-12-25T12:00:00Z", "holiday Weihnachtstag (DE)"},
		{"a freeze", "FREEZES=2026-03-05/2026-03-06", "2026-03-06T15:59:59Z", "freeze 2026-03-05/2026-03-06"},
		{"a file", "ICS_FILES=" + dir + "/*.ics", "2026-03-06T12:00:00Z", "party.ics: Party"},
		{"the last that is known", "", "2036-03-04T11:59:59Z", ""},
		{"nothing is known of later", "", "2036-03-04T12:00:00Z", "the end of the 10 years that were read; a restart reads on"},
		{"nor of much later", "", "2999-03-05T12:00:00Z", "the end of the 10 years that were read; a restart reads on"},
	} {
		t.Run(test.why, func(t *testing.T) {
			var variables []string
			if test.variable != "" {
				variables = []string{test.variable}
			}
			cal, err := calendarOf(setting(t, variables...))
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, test.at)
			if err != nil {
				t.Fatal(err)
			}
			if got := cal.Why(at); got != test.want {
				t.Errorf("%s closes %s by %q, want %q", test.variable, test.at, got, test.want)
			}
		})
	}
}

func TestACalendarThatCannotBeStopsTheStart(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "broken.ics"), []byte(strings.Replace(party, "20260306", "tomorrow", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "..data"), 0o700); err != nil { // as in a volume of a ConfigMap
		t.Fatal(err)
	}
	for _, test := range []struct{ why, variable, want string }{
		{"no such file", "ICS_FILES=" + dir + "/none.ics", "CAPRICE_ICS_FILES: " + dir + "/none.ics: no file is there"},
		{"a glob that matches none", "ICS_FILES=" + dir + "/*.ical", "no file is there"},
		{"a directory", "ICS_FILES=" + dir, "CAPRICE_ICS_FILES: " + dir + " is a directory: want files, as in " + dir + "/*.ics"},
		{"a directory among files", "ICS_FILES=" + dir + "/*", "CAPRICE_ICS_FILES: " + dir + "/..data is a directory: want files, as in " + dir + "/*.ics"},
		{"a broken file", "ICS_FILES=" + dir + "/*.ics", `CAPRICE_ICS_FILES: broken.ics: event "Party": DTSTART: "tomorrow": want a date`},
		{"a freeze of more than a year", "FREEZES=2026-01-01/2028-01-01", "CAPRICE_DAYS, CAPRICE_HOURS, CAPRICE_FREEZES: days Mon-Fri and hours 10:00-16:00 in UTC do not open within a year of 2026-03-04: closed by freeze 2026-01-01/2028-01-01"},
	} {
		t.Run(test.why, func(t *testing.T) {
			_, err := calendarOf(setting(t, test.variable))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v, want one line that says %q", test.variable, err, test.want)
			}
		})
	}
}

func TestAWrongSettingOfTheCalendarIsNamed(t *testing.T) {
	for _, test := range []struct{ why, variable, want string }{
		{"an unknown country", "HOLIDAYS=XX", `CAPRICE_HOLIDAYS="XX": holidays "XX": want codes`},
		{"a reversed freeze", "FREEZES=2027-01-04/2026-12-18", "want 2026-12-18/2027-01-04"},
		{"an empty path", "ICS_FILES=a.ics,", "want paths or globs"},
		{"a broken glob", "ICS_FILES=[", "want paths or globs"},
	} {
		t.Run(test.why, func(t *testing.T) {
			name, value, _ := strings.Cut(test.variable, "=")
			t.Setenv(prefix+"_"+name, value)
			if _, err := readConfig(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want an error that says %q", test.variable, err, test.want)
			}
		})
	}
}
