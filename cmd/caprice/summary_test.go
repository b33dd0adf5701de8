package main

import (
	"testing"
	"time"

	"caprice/api/v1alpha1"
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

// A time zone that its owner changes may bring a later kill an earlier date.
func TestASummaryIsOfTheDaysFromTheFirstToTheLast(t *testing.T) {
	var kills []*v1alpha1.Kill
	for _, date := range []string{"2026-03-05", "2026-03-04", "2026-03-06", "2026-03-05"} {
		kills = append(kills, &v1alpha1.Kill{Spec: v1alpha1.KillSpec{Date: date, Workload: v1alpha1.Workload{UID: "uid"}}})
	}
	all := summariesOf(kills)
	if len(all) != 1 || all[0].first.String() != "2026-03-04" || all[0].last.String() != "2026-03-06" {
		t.Errorf("%+v, want one of 2026-03-04 to 2026-03-06", all)
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
