package calendar

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func parse(t interface {
	Helper()
	Fatal(...any)
}, zone, days, hours string) Calendar {
	t.Helper()
	var c Calendar
	for _, err := range []error{c.Zone.UnmarshalText([]byte(zone)), c.Days.UnmarshalText([]byte(days)), c.Hours.UnmarshalText([]byte(hours))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestAnInstantIsInOrOut(t *testing.T) {
	for _, test := range []struct {
		why               string
		zone, days, hours string
		at                string
		in                bool
	}{
		{"the opening instant is in", "America/New_York", "Mon-Fri", "10:00-16:00", "2026-03-04T10:00:00-05:00", true},
		{"the closing instant is out", "America/New_York", "Mon-Fri", "10:00-16:00", "2026-03-04T16:00:00-05:00", false},
		{"the last millisecond is in", "America/New_York", "Mon-Fri", "10:00-16:00", "2026-03-04T15:59:59.999-05:00", true},
		{"the weekday is the zone's, not UTC's", "Asia/Tokyo", "Mon", "00:00-08:00", "2026-03-01T22:00:00Z", true},
		{"Friday's night belongs to Friday", "UTC", "Fri", "22:00-02:00", "2026-03-07T01:59:00Z", true},
		{"Friday's night is not open early on Friday", "UTC", "Fri", "22:00-02:00", "2026-03-06T01:00:00Z", false},
		{"a tail's closing instant is out", "UTC", "Mon-Fri", "20:00-12:00", "2026-03-05T12:00:00Z", false},
		{"midnight belongs to the day it begins", "UTC", "Wed", "00:00-24:00", "2026-03-05T00:00:00Z", false},
		{"spring forward: 02:15 is skipped, the window has no length", "America/New_York", "Mon-Sun", "02:15-02:45", "2026-03-08T03:00:00-04:00", false},
		{"spring forward: 02:30 opens when the clock jumps to 03:00", "America/New_York", "Mon-Sun", "02:30-04:00", "2026-03-08T03:00:00-04:00", true},
		{"fall back: 01:30 opens the first time", "America/New_York", "Mon-Sun", "01:30-02:30", "2026-11-01T01:30:00-04:00", true},
		{"fall back: 01:30 closes the first time", "America/New_York", "Mon-Sun", "00:30-01:30", "2026-11-01T01:29:00-05:00", false},
		{"half-hour daylight saving", "Australia/Lord_Howe", "Mon-Sun", "02:00-03:00", "2026-10-04T02:30:00+11:00", true},
		{"midnight that does not exist", "America/Sao_Paulo", "Sun", "00:00-02:00", "2018-11-04T01:00:00-02:00", true},
		{"midnight whose hour before came twice", "America/Sao_Paulo", "Sat", "22:00-24:00", "2018-02-17T23:59:59-03:00", true},
		{"a day that does not exist", "Pacific/Apia", "Fri", "00:00-24:00", "2011-12-31T00:00:00+14:00", false},
	} {
		t.Run(test.why, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339Nano, test.at)
			if err != nil {
				t.Fatal(err)
			}
			if got := parse(t, test.zone, test.days, test.hours).Contains(at); got != test.in {
				t.Errorf("%s %s in %s: contains %s = %v, want %v", test.days, test.hours, test.zone, test.at, got, test.in)
			}
		})
	}
}

func TestTheLengthOfADayIsRealTime(t *testing.T) {
	for _, test := range []struct {
		why, zone, hours string
		date             Date
		want             time.Duration
	}{
		{"an ordinary day", "Europe/Berlin", "00:00-24:00", Date{2026, 3, 4}, 24 * time.Hour},
		{"spring forward", "Europe/Berlin", "00:00-24:00", Date{2026, 3, 29}, 23 * time.Hour},
		{"fall back", "Europe/Berlin", "00:00-24:00", Date{2026, 10, 25}, 25 * time.Hour},
		{"two ranges", "Europe/Berlin", "09:00-12:00,13:00-17:30", Date{2026, 3, 4}, 7*time.Hour + 30*time.Minute},
		{"overlapping ranges count once", "UTC", "09:00-12:00,11:00-13:00", Date{2026, 3, 4}, 4 * time.Hour},
		{"a night's tail ends where the next day opens", "UTC", "08:00-10:00,22:00-09:30", Date{2026, 3, 4}, 12 * time.Hour},
		{"a skipped day", "Pacific/Apia", "00:00-24:00", Date{2011, 12, 30}, 0},
	} {
		t.Run(test.why, func(t *testing.T) {
			if got := parse(t, test.zone, "Mon-Sun", test.hours).Day(test.date).Length(); got != test.want {
				t.Errorf("%s on %s in %s is open for %s, want %s", test.hours, test.date, test.zone, got, test.want)
			}
		})
	}
}

func TestTheLengthsOfDaysAreThoseOfTheWeek(t *testing.T) {
	const night = "07:00-08:00,22:00-08:00" // of 11 hours, or 10 where the next day opens before its end
	for _, test := range []struct {
		why, days, hours string
		want             []time.Duration
	}{
		{"working hours", "Mon-Fri", "09:00-12:00,13:00-17:30", []time.Duration{7*time.Hour + 30*time.Minute}},
		{"a night before a working day, and before none", "Mon-Fri", night, []time.Duration{10 * time.Hour, 11 * time.Hour}},
		{"each before a working day", "Mon-Sun", night, []time.Duration{10 * time.Hour}},
		{"none before one", "Mon,Wed", night, []time.Duration{11 * time.Hour}},
		{"Saturday's before Sunday", "Sat-Sun", night, []time.Duration{10 * time.Hour, 11 * time.Hour}},
		{"a night that ends before the next day opens", "Mon-Fri", "22:00-02:30", []time.Duration{4*time.Hour + 30*time.Minute}},
		{"all day, whatever the clock does", "Mon-Sun", "00:00-24:00", []time.Duration{24 * time.Hour}},
	} {
		if got := parse(t, "Europe/Berlin", test.days, test.hours).Lengths(); !slices.Equal(got, test.want) {
			t.Errorf("%s: %s %s are %v long, want %v", test.why, test.days, test.hours, got, test.want)
		}
	}
	if got := (Calendar{}).Lengths(); got != nil {
		t.Errorf("days that there are not are %v long", got)
	}
}

func FuzzDays(f *testing.F) {
	for _, s := range []string{"Mon-Fri", "sat,SUN", "Sat-Mon", "Monday", "", "Mon-", ",", "Mo"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var d, again Days
		if d.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(d.String())); err != nil || again != d {
			t.Errorf("%q is %s, which parses back to %s, %v", text, d, again, err)
		}
	})
}

func FuzzHours(f *testing.F) {
	for _, s := range []string{"10:00-16:00", "22:00-02:00", "00:00-24:00", "24:00-01:00", "10:00-10:00", "9:00-10:00", "10:00-12:00,11:00-13:00", "23:00-22:59,22:59-23:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var h, again Hours
		if h.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(h.String())); err != nil || again.String() != h.String() {
			t.Errorf("%q is %s, which parses back to %s, %v", text, h, again, err)
		}
	})
}

func TestAZoneIsTheSameOnEachMachine(t *testing.T) {
	for _, name := range []string{"", "Local", "localtime", "posixrules", "Factory", "posix/Europe/Berlin", "right/Europe/Berlin", "Mars/Olympus"} {
		if err := new(Zone).UnmarshalText([]byte(name)); err == nil || !strings.Contains(err.Error(), "want an IANA name") {
			t.Errorf("zone %q: %v, want an error that asks for an IANA name", name, err)
		}
	}
}
