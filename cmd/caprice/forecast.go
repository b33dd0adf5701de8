package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"caprice/chaos"
)

const (
	mostRows = 20 // workloads shown in a table
	barWidth = 50 // columns of the longest bar in a chart
)

// forecastTable is a forecast for people.
type forecastTable struct {
	chaos.Forecast
	period chaos.Period
	seed   string
	zone   *time.Location // of days and hours
}

func (f forecastTable) print(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s to %s, both in, with seed %q\n\n", f.period.From, f.period.Last(), f.seed); err != nil {
		return err
	}
	if err := table(w, f.workloads()); err != nil {
		return err
	}
	if more := len(f.Prospects) - mostRows; more > 0 {
		if _, err := fmt.Fprintf(w, "and %d more, with no more kills than these\n", more); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	if err := table(w, f.summary()); err != nil {
		return err
	}
	return f.chart(w)
}

// workloads has the workloads in order; if there are too many, those with the most kills.
func (f forecastTable) workloads() [][]string {
	shown := f.Prospects
	if len(shown) > mostRows {
		shown = slices.Clone(shown)
		slices.SortStableFunc(shown, func(a, b chaos.Prospect) int { return cmp.Compare(b.Kills, a.Kills) })
		shown = shown[:mostRows]
	}
	rows := [][]string{{"NAMESPACE", "KIND", "NAME", "MEAN", "EXPECTED", "KILLS"}}
	for _, p := range shown {
		rows = append(rows, []string{p.Namespace, string(p.Kind), p.Name, p.Terms.Pace.Mean.String(), fmt.Sprintf("%.1f", p.Expected), fmt.Sprint(p.Kills)})
	}
	return rows
}

func (f forecastTable) summary() [][]string {
	rows := [][]string{{"total", fmt.Sprintf("%d kills of %d workloads, %.1f expected", len(f.Kills), len(f.Prospects), f.Expected())}}
	if last, next, ok := f.Quietest(); ok {
		rows = append(rows, []string{"longest between two", fmt.Sprintf("%s, from %s (%s) to %s (%s)", roughly(next.At.Sub(last.At)),
			f.minute(last.At), last.Subject.Workload, f.minute(next.At), next.Subject.Workload)})
	}
	if len(f.Kills) > 0 {
		hour, inHour := f.BusiestHour(f.zone)
		day, inDay := f.BusiestDay(f.zone)
		rows = append(rows,
			[]string{"busiest hour", fmt.Sprintf("%s, kills: %d", f.minute(hour), inHour)},
			[]string{"busiest day", fmt.Sprintf("%s, kills: %d", day.Format("Mon 2006-01-02"), inDay)})
	}
	return rows
}

func (f forecastTable) minute(t time.Time) string { return t.In(f.zone).Format("Mon 2006-01-02 15:04") }

// roughly writes a duration to the minute, in days if it is long.
func roughly(d time.Duration) string {
	d = d.Truncate(time.Minute)
	text := fmt.Sprintf("%dh %dm", d/time.Hour%24, d/time.Minute%60)
	if days := d / (24 * time.Hour); days > 0 {
		text = fmt.Sprintf("%dd %s", days, text)
	}
	return text
}

// chart draws the kills of each hour of the day, from the first hour that has any to the last.
func (f forecastTable) chart(w io.Writer) error {
	perHour := f.PerHour(f.zone)
	most := slices.Max(perHour[:])
	if most == 0 {
		return nil
	}
	first, last := 0, len(perHour)
	for ; perHour[first] == 0; first++ {
	}
	for ; perHour[last-1] == 0; last-- {
	}
	if _, err := fmt.Fprintf(w, "\nkills per hour of the day, %s\n", f.zone); err != nil {
		return err
	}
	for hour := first; hour < last; hour++ {
		line := fmt.Sprintf("%02d:00 %*d %s", hour, len(fmt.Sprint(most)), perHour[hour], bar(perHour[hour], most))
		if _, err := fmt.Fprintln(w, strings.TrimSpace(line)); err != nil {
			return err
		}
	}
	return nil
}

// bar is as long as n is of most; what is not nothing can be seen.
func bar(n, most int) string {
	width := n * barWidth / most
	if n > 0 {
		width = max(1, width)
	}
	return strings.Repeat("█", width)
}
