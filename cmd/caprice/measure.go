package main

import (
	"context"
	"maps"
	"time"

	"caprice/calendar"
	"caprice/chaos"
	"caprice/report"
)

const (
	// measuring is how often is counted what the plan asks for: more often than anybody scrapes.
	measuring = 5 * time.Second
	// longestGap is how far back a new leader counts to the one before: of a longer time without one, the rest is forgotten.
	longestGap = 24 * time.Hour
)

// measure counts, from a leader's last sign of life on, what owners ask for, but for namespaces that are others', and shows what is
// planned, until ctx ends.
func measure(ctx context.Context, runner *chaos.Runner, others func(namespace string) bool, metrics *report.Metrics, since time.Time) {
	if first := time.Now().Add(-longestGap); since.Before(first) {
		since = first
	}
	for {
		if now := time.Now().Round(0); now.After(since) { // by the wall clock, as plans are; and not where it was set back
			kills := runner.Expected(calendar.Window{Open: since, Close: now})
			maps.DeleteFunc(kills, func(namespace string, _ float64) bool { return others(namespace) })
			metrics.Expected(kills)
			since = now
		}
		began := time.Time{}
		if day, open := runner.Calendar.OpenDay(time.Now()); open {
			began = day.Windows[0].Open
		}
		metrics.Open(began)
		if plan, ok := runner.Today(); ok {
			metrics.Planned(plan)
		}
		if chaos.Pause(ctx, measuring) != nil {
			return
		}
	}
}
