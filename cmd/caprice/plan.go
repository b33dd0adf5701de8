package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"caprice/calendar"
	"caprice/chaos"
)

// planOptions are the flags of 'caprice plan'.
type planOptions struct {
	release release
	from    calendar.Date // zero: today in the cluster's zone
	days    int
	output  output
}

func planCommand() *cobra.Command {
	var p planOptions
	c := &cobra.Command{
		Use:   "plan",
		Short: "Say which kills are planned for today, or any other day",
		Long: `Plan reads the workloads that are opted in now, and the configuration and seed of the Caprice that runs, and says which
kills are planned for them. Each workload has its days in its own time zone, and a night belongs to the day on which it opens;
without --date, what is left of the last one is in as well. Past ones are marked: they are what the plan has on the terms of now,
whether or not somebody was there to carry them out.

It needs the right to get the Secret caprice-seed and the ConfigMap caprice-effective in Caprice's namespace, and to list
workloads and namespaces wherever Caprice acts, also with -n. Whoever may read the seed knows the future.`,
		Example: `  caprice plan
  caprice plan -n shop --days 5
  caprice plan --date 2026-12-24 -o json`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			out := bufio.NewWriter(c.OutOrStdout())
			if err := p.run(c.Context(), time.Now(), out, c.ErrOrStderr()); err != nil {
				return err
			}
			return out.Flush()
		},
	}
	p.release.flags(c)
	flags := c.Flags()
	firstDay(c, "date", &p.from)
	flags.IntVar(&p.days, "days", 1, "how many days of the calendar, working days or not")
	flags.Lookup("namespace").Usage = "namespace of the workloads (default all)"
	printing(c, &p.output)
	return c
}

func (p planOptions) run(ctx context.Context, now time.Time, stdout, stderr io.Writer) error {
	if p.days < 1 || p.days > mostDays {
		return fmt.Errorf("--days %d: want 1 to %d", p.days, mostDays)
	}
	leader, err := p.release.published(ctx)
	if err != nil {
		return err
	}
	seed, err := leader.seed(ctx)
	if err != nil {
		return err
	}
	if asked := p.release.asked(); asked != "" {
		if err := leader.client.Known(ctx, asked); err != nil {
			return err
		}
	}
	config := leader.config
	shown, period := p.periods(calendar.Calendar{Zone: config.TimeZone}.Date(now))
	first := config.TimeZone.Midnight(period.From)
	cal, err := leader.calendar(first)
	if err != nil {
		return err
	}
	scope := leader.scope()
	inventory, err := leader.client.Inventory(ctx, scope)
	if err != nil {
		return err
	}
	subjects, remarks := inventory.Subjects(scope, config.terms(cal), first)
	if err := remark(stderr, remarks); err != nil {
		return err
	}
	subjects = slices.DeleteFunc(subjects, func(s chaos.Subject) bool { return p.release.asked() != "" && s.Namespace != p.release.asked() })
	forecast, err := chaos.Predict(seed, period, subjects)
	if err != nil {
		return err
	}
	report := planReport{shown.From.String(), shown.Last().String(), bool(config.DryRun), seed.PlanKey(), planEntries(since(shown.From, forecast.Kills), now)}
	if p.output == inTable {
		return report.print(stdout)
	}
	return p.output.encode(stdout, report)
}

// periods returns the days that are shown, and those whose plan has kills on them: without --date the night before goes on.
func (p planOptions) periods(today calendar.Date) (shown, planned chaos.Period) {
	shown = chaos.Period{From: cmp.Or(p.from, today), Days: p.days}
	if p.from != (calendar.Date{}) {
		return shown, shown
	}
	return shown, chaos.Period{From: today.Add(-1), Days: p.days + 1}
}

// since returns the kills that are planned for when a day has begun where their workload is.
func since(day calendar.Date, kills []chaos.Planned) []chaos.Planned {
	return slices.DeleteFunc(kills, func(k chaos.Planned) bool { return k.At.Before(k.Subject.Terms.Calendar.Midnight(day)) })
}

// planReport is a plan, as programs read it.
type planReport struct {
	From    string      `json:"from"`
	To      string      `json:"to"` // the last day, which is in
	DryRun  bool        `json:"dryRun"`
	PlanKey string      `json:"planKey"`
	Kills   []planEntry `json:"kills"`
}

type planEntry struct {
	plannedKill
	Past bool `json:"past"` // its instant is over, whatever came of it
}

func planEntries(kills []chaos.Planned, now time.Time) []planEntry {
	list := make([]planEntry, len(kills))
	for i, k := range plannedKills(kills) {
		list[i] = planEntry{k, !kills[i].At.After(now)}
	}
	return list
}

func (r planReport) print(w io.Writer) error {
	if len(r.Kills) == 0 {
		_, err := fmt.Fprintf(w, "No kills are planned from %s to %s.\n", r.From, r.To)
		return err
	}
	rows := [][]string{{"TIME", "NAMESPACE", "KIND", "NAME", "PAST"}}
	for _, k := range r.Kills {
		past := ""
		if k.Past {
			past = "past"
		}
		rows = append(rows, []string{k.Time, k.Namespace, k.Kind, k.Name, past})
	}
	return table(w, rows)
}
