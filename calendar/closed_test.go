package calendar

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	newYear = Date{2026, time.January, 1} // a Thursday
	noon    = newYear.noon()
)

func closed(dates map[Date]string, masks ...Mask) *Closed {
	return &Closed{Holidays: dates, Masks: Union(masks...)}
}

func TestAHolidayRemovesTheDayThatOpensOnIt(t *testing.T) {
	for _, test := range []struct {
		why, zone, hours string
		holidays         []Date
		at               string
		in               bool
	}{
		{"its windows do not open", "UTC", "10:00-16:00", []Date{newYear}, "2026-01-01T12:00:00Z", false},
		{"the day before is open", "UTC", "10:00-16:00", []Date{newYear}, "2025-12-31T12:00:00Z", true},
		{"the date is the calendar's own, not UTC's", "Asia/Tokyo", "06:00-08:00", []Date{newYear}, "2025-12-31T22:00:00Z", false},
		{"the eve's night goes on into it", "UTC", "22:00-02:00", []Date{newYear}, "2026-01-01T01:00:00Z", true},
		{"its own night goes with it", "UTC", "22:00-02:00", []Date{newYear}, "2026-01-02T01:00:00Z", false},
		{"the eve's night is not cut where it would have opened", "UTC", "00:30-01:00,22:00-02:00", []Date{newYear}, "2026-01-01T01:30:00Z", true},
		{"a working day's opening does cut a night", "UTC", "08:00-10:00,22:00-09:30", nil, "2026-01-01T08:00:00Z", true},
		{"two holidays, the night before the first goes on", "UTC", "22:00-02:00", []Date{newYear, {2026, 1, 2}}, "2026-01-01T01:00:00Z", true},
		{"and the second has no night either", "UTC", "22:00-02:00", []Date{newYear, {2026, 1, 2}}, "2026-01-02T23:00:00Z", false},
	} {
		t.Run(test.why, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, test.at)
			if err != nil {
				t.Fatal(err)
			}
			dates := make(map[Date]string)
			for _, d := range test.holidays {
				dates[d] = "a holiday"
			}
			c := parse(t, test.zone, "Mon-Sun", test.hours)
			c.Closed = closed(dates)
			if got := c.Contains(at); got != test.in {
				t.Errorf("%s in %s with holidays %v: contains %s = %v, want %v", test.hours, test.zone, test.holidays, test.at, got, test.in)
			}
		})
	}
}

func TestANightIsCutByTheNextOpeningUnlessThatIsAHoliday(t *testing.T) {
	c := parse(t, "UTC", "Mon-Sun", "08:00-10:00,22:00-09:30")
	eve := newYear.Add(-1)
	if got := c.Day(eve).Length(); got != 12*time.Hour {
		t.Errorf("the eve of a working day is open for %s, want 12h", got)
	}
	c.Closed = closed(map[Date]string{newYear: "New Year"})
	if got := c.Day(eve).Length(); got != 13*time.Hour+30*time.Minute {
		t.Errorf("the eve of a holiday is open for %s, want 13h30m", got)
	}
}

func TestMasksHideInstantsAndLeaveTheDay(t *testing.T) {
	c := parse(t, "UTC", "Mon-Sun", "10:00-12:00,14:00-16:00")
	at := func(hour, minute int) time.Time { return time.Date(2026, 1, 1, hour, minute, 0, 0, time.UTC) }
	plain := c.Day(newYear)
	c.Closed = closed(nil,
		Mask{Window{at(15, 30), at(18, 0)}, "party"},
		Mask{Window{at(10, 30), at(11, 0)}, "stand-up"},
		Mask{Window{at(10, 45), at(14, 15)}, "lunch"})
	day := c.Day(newYear)
	if day.Length() != plain.Length() || len(day.Windows) != 2 {
		t.Errorf("masked windows are %v, want %v", day.Windows, plain.Windows)
	}
	if got, want := day.OpenLength(), 30*time.Minute+75*time.Minute; got != want {
		t.Errorf("open for %s, want %s", got, want)
	}
	for _, test := range []struct {
		why         string
		at          time.Time
		open, close time.Time
	}{
		{"before the day", at(9, 0), at(10, 0), at(10, 30)},
		{"the first mask's first instant is out", at(10, 30), at(14, 15), at(15, 30)},
		{"masks that overlap are one", at(11, 0), at(14, 15), at(15, 30)},
		{"the last mask's last instant is in", at(14, 15), at(14, 15), at(15, 30)},
		{"a mask to the end of the day", at(15, 30), at(34, 0), at(36, 0)},
	} {
		t.Run(test.why, func(t *testing.T) {
			got, ok := c.Next(test.at)
			if want := (Window{test.open, test.close}); !ok || got != want {
				t.Errorf("next after %s = %v, want %v", test.at, got, want)
			}
			if c.Contains(test.at) != got.Contains(test.at) {
				t.Errorf("contains %s is %v, and the next window %v", test.at, c.Contains(test.at), got)
			}
		})
	}
}

func TestWhyItIsClosed(t *testing.T) {
	c := parse(t, "UTC", "Mon-Fri", "10:00-16:00")
	c.Closed = closed(map[Date]string{newYear: "New Year"}, Mask{Window{noon.AddDate(0, 0, 1), noon.AddDate(0, 0, 2)}, "freeze x"})
	for _, test := range []struct {
		why  string
		at   time.Time
		want string
	}{
		{"open", noon.AddDate(0, 0, -1), ""},
		{"a holiday", noon, "holiday New Year"},
		{"a weekend", noon.AddDate(0, 0, 2), "Sat is not one of Mon-Fri"},
		{"too late", noon.Add(-20 * time.Hour), "outside 10:00-16:00"},
		{"a mask", noon.AddDate(0, 0, 1), "freeze x"},
	} {
		t.Run(test.why, func(t *testing.T) {
			if got := c.Why(test.at); got != test.want || (got == "") != c.Contains(test.at) {
				t.Errorf("why %s = %q, want %q; contains = %v", test.at, got, test.want, c.Contains(test.at))
			}
		})
	}
}

func TestACalendarThatNeverOpensSaysWhatClosesIt(t *testing.T) {
	thursdays := make(map[Date]string)
	for i := range 60 {
		thursdays[newYear.Add(7*i)] = "Thursday"
	}
	aYear := Window{noon.AddDate(0, 0, -1), noon.AddDate(1, 0, 5)}
	for _, test := range []struct {
		why  string
		c    *Closed
		want string
	}{
		{"holidays", closed(thursdays), "closed by holiday Thursday"},
		{"a freeze", closed(nil, Mask{aYear, "freeze x"}), "closed by freeze x"},
		{"two masks", closed(nil, Mask{aYear, "freeze x"}, Mask{Window{noon.AddDate(-1, 0, 0), noon}, "y"}), "closed by y, freeze x"},
		{"an hour is left", closed(nil, Mask{Window{aYear.Open, noon.AddDate(0, 11, 0)}, "freeze x"}), ""},
	} {
		t.Run(test.why, func(t *testing.T) {
			c := parse(t, "UTC", "Thu", "10:00-16:00")
			c.Closed = test.c
			err := c.Check(noon)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.HasSuffix(err.Error(), test.want)) {
				t.Errorf("check says %v, want %q", err, test.want)
			}
		})
	}
	if err := (Calendar{}).Check(noon); err == nil {
		t.Error("the zero calendar opens")
	}
}

func masks(t *rapid.T) []Mask {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Mask {
		open := noon.Add(time.Duration(rapid.IntRange(-100, 100).Draw(t, "open")) * time.Minute)
		return Mask{Window{open, open.Add(time.Duration(rapid.IntRange(-2, 60).Draw(t, "length")) * time.Minute)}, rapid.StringN(1, 2, 2).Draw(t, "name")}
	}), 0, 12).Draw(t, "masks")
}

func TestOrderAndOverlapOfMasksDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := masks(t)
		union := Union(list...)
		again := Union(append(rapid.Permutation(list).Draw(t, "order"), list...)...)
		for minute := -110; minute < 170; minute++ {
			at := noon.Add(time.Duration(minute) * time.Minute)
			want := false
			for _, m := range list {
				want = want || m.Contains(at)
			}
			first, in := union.at(at)
			second, too := again.at(at)
			if in != want || too != want || first.Name != second.Name {
				t.Fatalf("at %s: %v %v in one order, %v %v in another, want %v", at, in, first.Name, too, second.Name, want)
			}
		}
	})
}

func TestOpenLengthIsWhatNextFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := parse(t, "UTC", "Thu", "10:00-12:00,12:30-14:00")
		c.Closed = closed(nil, masks(t)...)
		var sum time.Duration
		for at := newYear.noon().Add(-12 * time.Hour); ; {
			w, ok := c.Next(at)
			if !ok || c.Date(w.Open) != newYear {
				break
			}
			sum += w.Close.Sub(w.Open)
			at = w.Close
		}
		if got := c.Day(newYear).OpenLength(); got != sum {
			t.Errorf("open for %s, but the windows that Next finds last %s", got, sum)
		}
	})
}
