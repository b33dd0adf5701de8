package calendar

import (
	"testing"
	"time"
)

func TestTheFirstInstantIsInAndTheClosingInstantIsOut(t *testing.T) {
	for _, test := range []struct {
		why               string
		zone, days, hours string
		open, close       string
	}{
		{"an ordinary day", "America/New_York", "Wed", "10:00-16:00", "2026-03-04T10:00:00-05:00", "2026-03-04T16:00:00-05:00"},
		{"New York, spring: an hour is skipped", "America/New_York", "Sun", "01:30-03:30", "2026-03-08T01:30:00-05:00", "2026-03-08T03:30:00-04:00"},
		{"New York, autumn: an hour comes twice", "America/New_York", "Sun", "00:30-02:30", "2026-11-01T00:30:00-04:00", "2026-11-01T02:30:00-05:00"},
		{"New York, autumn: opens the first time it is 01:30", "America/New_York", "Sun", "01:30-03:00", "2026-11-01T01:30:00-04:00", "2026-11-01T03:00:00-05:00"},
		{"New York, autumn: closes the first time it is 01:30", "America/New_York", "Sun", "00:30-01:30", "2026-11-01T00:30:00-04:00", "2026-11-01T01:30:00-04:00"},
		{"New York, the night of spring", "America/New_York", "Sat", "22:00-06:00", "2026-03-07T22:00:00-05:00", "2026-03-08T06:00:00-04:00"},
		{"Berlin, spring: opens when the clock jumps", "Europe/Berlin", "Sun", "02:30-04:00", "2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"},
		{"Berlin, spring: closes when the clock jumps", "Europe/Berlin", "Sun", "01:00-02:30", "2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"},
		{"Berlin, autumn: two hours by one on the wall", "Europe/Berlin", "Sun", "02:00-03:00", "2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00+01:00"},
		{"Sydney, spring is in October", "Australia/Sydney", "Sun", "02:00-04:00", "2026-10-04T03:00:00+11:00", "2026-10-04T04:00:00+11:00"},
		{"Sydney, autumn is in April", "Australia/Sydney", "Sun", "02:00-03:00", "2026-04-05T02:00:00+11:00", "2026-04-05T03:00:00+10:00"},
		{"Lord Howe, spring: half an hour is skipped", "Australia/Lord_Howe", "Sun", "02:00-03:00", "2026-10-04T02:30:00+11:00", "2026-10-04T03:00:00+11:00"},
		{"Lord Howe, autumn: half an hour comes twice", "Australia/Lord_Howe", "Sun", "01:30-02:00", "2026-04-05T01:30:00+11:00", "2026-04-05T02:00:00+10:30"},
		{"Sao Paulo, spring: the day begins at one", "America/Sao_Paulo", "Sun", "00:00-02:00", "2018-11-04T01:00:00-02:00", "2018-11-04T02:00:00-02:00"},
		{"Sao Paulo, spring: the eve ends as ever", "America/Sao_Paulo", "Sat", "22:00-24:00", "2018-11-03T22:00:00-03:00", "2018-11-04T01:00:00-02:00"},
		{"Sao Paulo, autumn: the day's last hour comes twice", "America/Sao_Paulo", "Sat", "22:00-24:00", "2018-02-17T22:00:00-02:00", "2018-02-18T00:00:00-03:00"},
		{"Casablanca, Ramadan begins: an hour comes twice", "Africa/Casablanca", "Sun", "02:00-03:00", "2024-03-10T02:00:00+01:00", "2024-03-10T03:00:00+00:00"},
		{"Casablanca, in Ramadan", "Africa/Casablanca", "Mon", "10:00-16:00", "2024-03-11T10:00:00Z", "2024-03-11T16:00:00Z"},
		{"Casablanca, Ramadan ends: an hour is skipped", "Africa/Casablanca", "Sun", "01:30-03:30", "2024-04-14T01:30:00Z", "2024-04-14T03:30:00+01:00"},
		{"Kathmandu, a quarter of an hour off", "Asia/Kathmandu", "Sun", "10:00-16:00", "2026-03-01T10:00:00+05:45", "2026-03-01T16:00:00+05:45"},
		{"Kathmandu, the quarter of an hour that was skipped", "Asia/Kathmandu", "Wed", "00:00-01:00", "1986-01-01T00:15:00+05:45", "1986-01-01T01:00:00+05:45"},
		{"Apia, the night before the missing day ends with it", "Pacific/Apia", "Thu", "22:00-02:00", "2011-12-29T22:00:00-10:00", "2011-12-31T00:00:00+14:00"},
		{"Apia, the day after it", "Pacific/Apia", "Sat", "00:00-24:00", "2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00"},
	} {
		t.Run(test.why, func(t *testing.T) {
			w := Window{Open: instantOf(t, test.open), Close: instantOf(t, test.close)}
			c := parse(t, test.zone, test.days, test.hours)
			got, ok := c.Next(w.Open)
			if !ok || !got.Open.Equal(w.Open) || !got.Close.Equal(w.Close) {
				t.Errorf("%s %s in %s: next is %v, want %v", test.days, test.hours, test.zone, got, w)
			}
			for _, edge := range []struct {
				at time.Time
				in bool
			}{{w.Open, true}, {w.Open.Add(-1), false}, {w.Close.Add(-1), true}, {w.Close, false}} {
				if got := c.Contains(edge.at); got != edge.in {
					t.Errorf("%s %s in %s: contains %s = %v, want %v", test.days, test.hours, test.zone, edge.at, got, edge.in)
				}
			}
		})
	}
}

func instantOf(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestEachWeekdayAndShapeOfHours(t *testing.T) {
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		why, hours string
		want       [][2]int // minutes since the day's midnight
	}{
		{"working hours", "10:00-16:00", [][2]int{{600, 960}}},
		{"one minute", "10:00-10:01", [][2]int{{600, 601}}},
		{"all day", "00:00-24:00", [][2]int{{0, 1440}}},
		{"to midnight", "18:00-24:00", [][2]int{{1080, 1440}}},
		{"to midnight, by its other name", "18:00-00:00", [][2]int{{1080, 1440}}},
		{"from midnight", "00:00-06:00", [][2]int{{0, 360}}},
		{"overnight", "22:00-02:00", [][2]int{{1320, 1560}}},
		{"two", "09:00-12:00,13:00-17:00", [][2]int{{540, 720}, {780, 1020}}},
		{"two that overlap, in the wrong order", "11:00-13:00,09:00-12:00", [][2]int{{540, 780}}},
		{"two that touch", "09:00-12:00,12:00-13:00", [][2]int{{540, 780}}},
		{"a day and a night", "10:00-16:00,23:00-01:00", [][2]int{{600, 960}, {1380, 1500}}},
	} {
		t.Run(test.why, func(t *testing.T) {
			for i, name := range []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"} {
				c := parse(t, "UTC", name, test.hours)
				for j := range 7 {
					var want []Window
					midnight := monday.AddDate(0, 0, j)
					for _, r := range test.want {
						if i == j {
							want = append(want, Window{midnight.Add(time.Duration(r[0]) * time.Minute), midnight.Add(time.Duration(r[1]) * time.Minute)})
						}
					}
					got := c.Day(dateOf(midnight)).Windows
					if len(got) != len(want) {
						t.Fatalf("%s %s: windows of %s are %v, want %v", name, test.hours, midnight.Weekday(), got, want)
					}
					for k, w := range want {
						if got[k] != w || !c.Contains(w.Open) || c.Contains(w.Close) {
							t.Errorf("%s %s: window of %s is %v, want %v, with its opening in and its closing out", name, test.hours, midnight.Weekday(), got[k], w)
						}
					}
				}
			}
		})
	}
}
