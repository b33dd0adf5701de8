package calendar

import (
	"strings"
	"testing"
	"time"
)

func TestAFreezeIsInOrOut(t *testing.T) {
	for _, test := range []struct {
		why, zone, freezes string
		at                 string
		in                 bool
	}{
		{"the first date's first instant is in", "Europe/Berlin", "2026-12-18/2027-01-04", "2026-12-18T00:00:00+01:00", true},
		{"the instant before it is out", "Europe/Berlin", "2026-12-18/2027-01-04", "2026-12-17T23:59:59.999999999+01:00", false},
		{"the last date's last instant is in", "Europe/Berlin", "2026-12-18/2027-01-04", "2027-01-04T23:59:59.999999999+01:00", true},
		{"the day after is out", "Europe/Berlin", "2026-12-18/2027-01-04", "2027-01-05T00:00:00+01:00", false},
		{"dates are the zone's, not UTC's", "Asia/Tokyo", "2026-12-24", "2026-12-23T15:00:00Z", true},
		{"one date is one day", "Asia/Tokyo", "2026-12-24", "2026-12-24T15:00:00Z", false},
		{"a range of one date is that day", "UTC", "2026-12-24/2026-12-24", "2026-12-24T12:00:00Z", true},
		{"an instant's first is in", "UTC", "2026-12-18T17:00:00+01:00/2027-01-04T09:00:00+01:00", "2026-12-18T16:00:00Z", true},
		{"an instant's last is out", "UTC", "2026-12-18T17:00:00+01:00/2027-01-04T09:00:00+01:00", "2027-01-04T08:00:00Z", false},
		{"the day of spring forward ends an hour early", "America/New_York", "2026-03-08", "2026-03-09T03:59:59Z", true},
		{"and no later", "America/New_York", "2026-03-08", "2026-03-09T04:00:00Z", false},
		{"a day whose midnight does not exist begins at one", "America/Sao_Paulo", "2018-11-04", "2018-11-04T01:00:00-02:00", true},
		{"its eve is out to the last", "America/Sao_Paulo", "2018-11-04", "2018-11-03T23:59:59.999-03:00", false},
		{"a day whose last hour comes twice has both", "America/Sao_Paulo", "2018-02-17", "2018-02-17T23:30:00-03:00", true},
		{"a day that does not exist freezes nothing", "Pacific/Apia", "2011-12-30", "2011-12-31T00:00:00+14:00", false},
		{"the second of several", "UTC", "2026-12-24, 2026-06-01/2026-06-03", "2026-06-03T23:00:00Z", true},
	} {
		t.Run(test.why, func(t *testing.T) {
			var f Freezes
			if err := f.UnmarshalText([]byte(test.freezes)); err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339Nano, test.at)
			if err != nil {
				t.Fatal(err)
			}
			c := parse(t, test.zone, "Mon-Sun", "00:00-24:00")
			if !c.Contains(at) {
				t.Fatalf("%s is closed without the freeze", test.at)
			}
			c.Closed = &Closed{Masks: Union(f.Masks(c.Zone)...)}
			if got := !c.Contains(at); got != test.in {
				t.Errorf("freeze %s in %s: contains %s = %v, want %v", test.freezes, test.zone, test.at, got, test.in)
			}
		})
	}
}

func TestAWrongFreezeIsRefused(t *testing.T) {
	for _, test := range []struct{ why, text, want string }{
		{"reversed dates", "2027-01-04/2026-12-18", "want 2026-12-18/2027-01-04"},
		{"reversed instants", "2026-12-18T17:00:00Z/2026-12-18T16:00:00Z", "want a second instant after the first"},
		{"an empty range of instants", "2026-12-18T17:00:00Z/2026-12-18T17:00:00Z", "want a second instant after the first"},
		{"one instant", "2026-12-18T17:00:00Z", "want a date or two"},
		{"an instant without an offset", "2026-12-18T17:00:00/2026-12-18T18:00:00", "want a date or two"},
		{"a date and an instant", "2026-12-18/2026-12-19T17:00:00Z", "want a date or two"},
		{"a day there never is", "2026-02-30", "want a date or two"},
		{"an empty entry", "2026-12-18,", "want a date or two"},
		{"an open end", "2026-12-18/", "want a date or two"},
		{"too many", strings.Repeat("2026-12-18,", mostFreezes) + "2026-12-18", "want 1000 or fewer"},
	} {
		t.Run(test.why, func(t *testing.T) {
			err := new(Freezes).UnmarshalText([]byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%.60q: %v, want an error that says %q", test.text, err, test.want)
			}
		})
	}
}

func FuzzFreezes(f *testing.F) {
	for _, s := range []string{"2026-12-24", "2026-12-18/2027-01-04", "2026-12-18T17:00:00+01:00/2027-01-04T09:00:00.5Z", "", "/", ",", "0000-01-01/9999-12-31"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var freezes, again Freezes
		if freezes.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(freezes.String())); err != nil || again.String() != freezes.String() {
			t.Errorf("%q is %s, which parses back to %s, %v", text, freezes, again, err)
		}
		Union(freezes.Masks(Zone{})...)
	})
}
