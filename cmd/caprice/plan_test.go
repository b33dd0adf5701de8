package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"caprice/calendar"
	"caprice/chaos"
	"caprice/victims"
)

func TestThePlanOfTodayHasWhatIsLeftOfTheNight(t *testing.T) {
	night := chaos.Subject{Workload: victims.Workload{UID: "uid"}, Terms: victims.Terms{Pace: victims.Pace{Mean: victims.Span{Time: 20 * time.Minute}}}}
	c := &night.Terms.Calendar
	if err := errors.Join(c.Days.UnmarshalText([]byte("Mon-Sun")), c.Hours.UnmarshalText([]byte("22:00-05:00")), c.Zone.UnmarshalText([]byte("Asia/Tokyo"))); err != nil {
		t.Fatal(err)
	}
	today := calendar.Date{Year: 2026, Month: time.March, Day: 4}
	for _, test := range []struct {
		why         string
		from        calendar.Date
		first, last string // in Tokyo; the hours are in
	}{
		{"today", calendar.Date{}, "2026-03-04T00", "2026-03-05T04"},
		{"a day that is named", today, "2026-03-04T22", "2026-03-05T04"},
	} {
		shown, planned := planOptions{from: test.from, days: 1}.periods(today)
		if shown.From != today || shown.Days != 1 {
			t.Errorf("%s: %v is shown, want %s alone", test.why, shown, today)
		}
		forecast, err := chaos.Predict(chaos.Seed{7}, planned, []chaos.Subject{night})
		if err != nil {
			t.Fatal(err)
		}
		kills := since(shown.From, forecast.Kills)
		const hour = "2006-01-02T15"
		if first, last := kills[0].At.Format(hour), kills[len(kills)-1].At.Format(hour); first != test.first || last != test.last {
			t.Errorf("%s: kills from %s to %s, want %s to %s", test.why, first, last, test.first, test.last)
		}
	}
}

func TestThePlanMarksWhatIsPast(t *testing.T) {
	workload := &chaos.Subject{Workload: victims.Workload{Namespace: "shop", Kind: victims.Deployment, Name: "web"}}
	var kills []chaos.Planned
	for _, after := range []time.Duration{-time.Minute, 0, time.Minute} {
		kills = append(kills, chaos.Planned{Kill: chaos.Kill{At: now.Add(after)}, Subject: workload})
	}
	var text strings.Builder
	if err := (planReport{Kills: planEntries(kills, now)}).print(&text); err != nil {
		t.Fatal(err)
	}
	var marked []bool
	for line := range strings.Lines(text.String()) {
		marked = append(marked, strings.HasSuffix(strings.TrimSpace(line), " past"))
	}
	if want := []bool{false, true, true, false}; !slices.Equal(marked, want) {
		t.Errorf("marked are %v, want %v in\n%s", marked, want, text.String())
	}
}
