package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"caprice/chaos"
	"caprice/report"
	"caprice/victims"
)

// docs/metrics.md promises it, and that nothing is expected where another installation acts.
func TestOfALongTimeWithoutALeaderADayIsExpected(t *testing.T) {
	c := setting(t, "DAYS=Mon-Sun", "HOURS=00:00-24:00", "MEAN_TIME_BETWEEN_KILLS=4h")
	for _, test := range []struct {
		why  string
		gone time.Duration
		want float64
	}{
		{"half a day counts in full", 12 * time.Hour, 3},
		{"a day does", 24 * time.Hour, 6},
		{"of three days the last does", 72 * time.Hour, 6},
	} {
		synctest.Test(t, func(t *testing.T) {
			cal, err := c.calendar(time.Now(), nil)
			if err != nil {
				t.Fatal(err)
			}
			runner, registry := c.runner(chaos.Seed{1}, cal), prometheus.NewRegistry()
			for _, namespace := range []string{"shop", "another's"} {
				runner.Set(chaos.Subject{Workload: victims.Workload{Kind: victims.Deployment, Namespace: namespace, Name: "web", UID: namespace}, Terms: c.terms(cal)})
			}
			ctx, cancel := context.WithTimeout(t.Context(), measuring/2) // it looks once
			defer cancel()
			measure(ctx, runner, func(namespace string) bool { return namespace == "another's" }, report.NewMetrics(registry, "dev"), time.Now().Add(-test.gone))
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			got := 0.0
			for _, f := range families {
				if f.GetName() == "caprice_kills_expected_total" {
					for _, m := range f.GetMetric() {
						got += m.GetCounter().GetValue()
					}
				}
			}
			if got != test.want {
				t.Errorf("%s: %g kills are expected since %s ago, want %g", test.why, got, test.gone, test.want)
			}
		})
	}
}
