package main

import (
	"errors"
	"slices"
	"testing"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
	"caprice/calendar"
	"caprice/chaos"
	"caprice/victims"
)

func TestAPercentileIsAValueThatThereWas(t *testing.T) {
	var twenty []time.Duration
	for i := range 20 {
		twenty = append(twenty, time.Duration(20-i)*time.Second)
	}
	for _, test := range []struct {
		why     string
		of      []time.Duration
		percent int
		want    time.Duration
	}{
		{"of none", nil, 50, 0},
		{"of one", twenty[:1], 95, 20 * time.Second},
		{"half of twenty", twenty, 50, 10 * time.Second},
		{"all but one of twenty", twenty, 95, 19 * time.Second},
	} {
		if got := percentile(test.of, test.percent); got != test.want {
			t.Errorf("%s: %s, want %s", test.why, got, test.want)
		}
	}
}

func TestWhatMeanWasAchieved(t *testing.T) {
	var everyDay calendar.Calendar
	if err := errors.Join(everyDay.Days.UnmarshalText([]byte("Mon-Sun")), everyDay.Hours.UnmarshalText([]byte("10:00-16:00"))); err != nil {
		t.Fatal(err)
	}
	opened := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		why     string
		mean    victims.Span
		first   time.Time
		apart   time.Duration
		due     int
		carried func(i int) bool // out
		now     time.Time
		want    string
	}{
		{"as asked, ten minutes after it opened", victims.Span{Time: 20 * time.Second}, opened.Add(20 * time.Second), 20 * time.Second, 30, nil, opened.Add(10 * time.Minute), "20s"},
		{"as asked, late in the day", victims.Span{Time: 20 * time.Second}, opened.Add(5 * time.Hour), 20 * time.Second, 30, nil, opened.Add(5*time.Hour + 580*time.Second), "20s"},
		{"every other is spared", victims.Span{Time: 20 * time.Second}, opened, 20 * time.Second, 31, func(i int) bool { return i%2 == 0 }, opened.Add(10 * time.Minute), "40s"},
		{"none any more", victims.Span{Time: 20 * time.Second}, opened, 20 * time.Second, 31, nil, opened.Add(20 * time.Minute), "40s"},
		{"one in five days", victims.Span{Days: 5}, opened, 5 * 24 * time.Hour, 7, nil, opened.Add(30 * 24 * time.Hour), "5.0d"},
		{"one in five days, now that it has closed", victims.Span{Days: 5}, opened, 5 * 24 * time.Hour, 6, nil, opened.Add(29*24*time.Hour + 7*time.Hour), "6.0d"},
		{"too few", victims.Span{Days: 5}, opened, 5 * 24 * time.Hour, 5, nil, opened.Add(30 * 24 * time.Hour), ""},
		{"none was carried out", victims.Span{Days: 1}, opened, 24 * time.Hour, 9, func(int) bool { return false }, opened.Add(30 * 24 * time.Hour), ""},
	} {
		var kills []*v1alpha1.Kill
		for i := range test.due {
			k := &v1alpha1.Kill{Spec: v1alpha1.KillSpec{Date: "2026-03-04", Workload: v1alpha1.Workload{UID: "uid"}, Planned: meta.NewMicroTime(test.first.Add(time.Duration(i) * test.apart))}}
			if executed := k.Spec.Planned; test.carried == nil || test.carried(i) {
				k.Status.ExecutedAt = &executed
			}
			kills = append(kills, k)
		}
		asked := kills[0].DeepCopy() // what is asked for is none of the plan
		asked.Spec.Planned = meta.NewMicroTime(test.first.Add(-5 * time.Hour))
		asked.Spec.Request = &v1alpha1.Request{By: "kim"}
		kills = append(kills, asked)
		slices.Reverse(kills) // in whatever order they come
		all := summariesOf(kills)
		if len(all) != 1 || all[0].Due != test.due+1 {
			t.Fatalf("%s: %+v, want one with %d", test.why, all, test.due+1)
		}
		subject := chaos.Subject{Terms: victims.Terms{Calendar: everyDay, Pace: victims.Pace{Mean: test.mean}}}
		if got := all[0].achieved(subject, test.now); got != test.want {
			t.Errorf("%s: %q, want %q", test.why, got, test.want)
		}
	}
}

func TestAMeanThatCameLessOftenIsLonger(t *testing.T) {
	for _, test := range []struct {
		span   victims.Span
		factor float64
		want   string
	}{
		{victims.Span{Days: 2}, 1.25, "2.5d"},
		{victims.Span{Time: 20 * time.Second}, 1.5, "30s"},
		{victims.Span{Time: time.Hour}, 1, "1h"},
	} {
		if got := times(test.span, test.factor); got != test.want {
			t.Errorf("%s times %v is %s, want %s", test.span, test.factor, got, test.want)
		}
	}
}

func TestColoursAreForTerminals(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	if styleOf(t.Output()).colours {
		t.Error("what is no terminal is painted on")
	}
	if got := (style{colours: true}).bad("spares"); got != "\x1b[31mspares\x1b[0m" {
		t.Errorf("painted, it is %q", got)
	}
}

func TestOfWhatNobodyHasTakenOnNothingIsCounted(t *testing.T) {
	kill := func(uid, date string, verdict chaos.Verdict) *v1alpha1.Kill {
		k := &v1alpha1.Kill{Spec: v1alpha1.KillSpec{Workload: v1alpha1.Workload{Kind: "Deployment", Name: "web", UID: uid}, Date: date}}
		k.Status.Verdict = v1alpha1.Verdict(verdict)
		return k
	}
	all := summariesOf([]*v1alpha1.Kill{
		kill("a", "2026-03-04", chaos.Recovered), kill("a", "2026-03-05", chaos.NotRecovered), kill("a", "2026-03-06", chaos.NotRecovered),
		kill("a", "", ""), kill("b", "", ""),
	})
	if len(all) != 1 {
		t.Fatalf("%d workloads have a summary, want that one of which a kill was due", len(all))
	}
	if s := all[0]; s.Due != 3 || s.Recovered != 1 || s.NotRecovered != 2 {
		t.Errorf("%d were due, %d recovered and %d not; want 3, 1 and 2", s.Due, s.Recovered, s.NotRecovered)
	}
}
