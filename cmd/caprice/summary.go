package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"caprice/api/v1alpha1"
	"caprice/calendar"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/victims"
)

func killsSummaryCommand() *cobra.Command {
	var h history
	var out output
	c := &cobra.Command{
		Use:   "summary",
		Short: "Count the kills of each workload, how they recovered, and whether they came as often as asked",
		Long: `Summary has one line for each workload: how many kills were due, carried out (in a dry run: rehearsed) and recovered from, the
median and the 95th percentile of how long that took, the mean time between kills that its terms ask for, and the one that there
was: the open time since the first kill was due, divided by how many were carried out after it. Kills that were spared make it
longer. It is known from five of these on, where the workload is still opted in, --verdict leaves none out, and you may see what
Caprice has published.`,
		Example: `  caprice kills summary -A --since 720h
  caprice kills summary -n shop -o json`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			return h.summarize(c.Context(), time.Now(), out, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	h.filters(c)
	printing(c, &out)
	return c
}

// summaryReport is what programs read.
type summaryReport struct {
	Workloads []workloadSummary `json:"workloads"`
}

// workloadSummary is the history of one workload.
type workloadSummary struct {
	Namespace    string  `json:"namespace"`
	Kind         string  `json:"kind"`
	Name         string  `json:"name"`
	UID          string  `json:"uid"` // of two of one name, one was deleted
	Due          int     `json:"due"`
	CarriedOut   int     `json:"carriedOut"`
	Recovered    int     `json:"recovered"`
	NotRecovered int     `json:"notRecovered"`
	MedianSecs   float64 `json:"medianRecoverySeconds"` // 0: none recovered
	P95Secs      float64 `json:"p95RecoverySeconds"`
	Asked        string  `json:"meanAsked"`    // empty: not known
	Achieved     string  `json:"meanAchieved"` // empty: not known
}

// tally is a summary that is being made.
type tally struct {
	workloadSummary
	first      time.Time   // when the plan's first kill was due; zero: there is none
	planned    []time.Time // when those of the plan were due that were carried out
	recoveries []time.Duration
}

// fewest is how many kills say how often they come.
const fewest = 5

func (h *history) summarize(ctx context.Context, now time.Time, out output, stdout, stderr io.Writer) error {
	if _, err := h.wanted(now); err != nil {
		return err
	}
	client, err := h.release.client(ctx)
	if err != nil {
		return err
	}
	kills, _, err := h.read(ctx, client, now)
	if err != nil {
		return err
	}
	summaries := summariesOf(kills)
	if len(summaries) == 0 && out == inTable {
		return h.none(asTable, stderr)
	}
	if len(summaries) > 0 {
		if err := h.compare(ctx, client, summaries, now); err != nil {
			if err := remark(stderr, []error{fmt.Errorf("what was asked for is not known: %w", err)}); err != nil {
				return err
			}
		}
	}
	report := summaryReport{make([]workloadSummary, len(summaries))}
	rows := [][]string{{"NAMESPACE", "WORKLOAD", "DUE", "CARRIED OUT", "RECOVERED", "P50", "P95", "MEAN ASKED", "MEAN ACHIEVED"}}
	for i, s := range summaries {
		p50, p95 := percentile(s.recoveries, 50), percentile(s.recoveries, 95)
		s.MedianSecs, s.P95Secs = p50.Seconds(), p95.Seconds()
		report.Workloads[i] = s.workloadSummary
		row := []string{s.Namespace, s.Kind + "/" + s.Name, strconv.Itoa(s.Due), strconv.Itoa(s.CarriedOut), strconv.Itoa(s.Recovered), "-", "-", cmp.Or(s.Asked, "-"), cmp.Or(s.Achieved, "-")}
		if len(s.recoveries) > 0 {
			row[5], row[6] = seconds(p50), seconds(p95)
		}
		rows = append(rows, row)
	}
	if out == inTable {
		return table(stdout, rows)
	}
	return out.encode(stdout, report)
}

// summariesOf counts the kills of each workload by its UID, in the order of their names.
func summariesOf(kills []*v1alpha1.Kill) []*tally {
	byUID := map[string]*tally{}
	var all []*tally
	for _, k := range kills {
		if k.Spec.Date == "" {
			continue // nobody has taken it on yet
		}
		s := byUID[k.Spec.Workload.UID]
		if s == nil {
			s = &tally{workloadSummary: workloadSummary{Namespace: k.Namespace, Kind: k.Spec.Workload.Kind, Name: k.Spec.Workload.Name, UID: k.Spec.Workload.UID}}
			byUID[k.Spec.Workload.UID], all = s, append(all, s)
		}
		s.Due++
		carriedOut := k.Status.ExecutedAt != nil
		if carriedOut {
			s.CarriedOut++
		}
		if at := k.Spec.Planned.Time; k.Spec.Request == nil {
			if s.first.IsZero() || at.Before(s.first) {
				s.first = at
			}
			if carriedOut {
				s.planned = append(s.planned, at)
			}
		}
		switch chaos.Verdict(k.Status.Verdict) {
		case chaos.Recovered:
			s.Recovered++
		case chaos.NotRecovered:
			s.NotRecovered++
		}
		if k.Status.Recovery != nil {
			s.recoveries = append(s.recoveries, k.Status.Recovery.Duration)
		}
	}
	slices.SortStableFunc(all, func(a, b *tally) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// percentile returns the shortest of the durations that so many percent do not exceed, zero of none.
func percentile(of []time.Duration, percent int) time.Duration {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return sorted[(len(sorted)*percent+99)/100-1]
}

// compare enters the mean time between kills that the terms of now ask for, and that which there was.
func (h *history) compare(ctx context.Context, client *kubernetes.Client, summaries []*tally, now time.Time) error {
	p, err := readPublished(ctx, client)
	if err != nil {
		return err
	}
	scope := p.scope()
	if !h.all {
		scope.Namespaces = []string{summaries[0].Namespace}
	}
	inventory, err := client.Inventory(ctx, scope)
	if err != nil {
		return err
	}
	earliest := now
	for _, s := range summaries {
		if !s.first.IsZero() && s.first.Before(earliest) {
			earliest = s.first
		}
	}
	cal, err := p.calendar(earliest)
	if err != nil {
		return err
	}
	subjects, _ := inventory.Subjects(scope, p.config.terms(cal), now)
	terms := map[string]chaos.Subject{}
	for _, s := range subjects {
		terms[s.UID] = s
	}
	for _, s := range summaries {
		subject, ok := terms[s.UID]
		if !ok {
			continue
		}
		s.Asked = subject.Terms.Pace.Mean.String()
		if len(h.verdicts) == 0 {
			s.Achieved = s.achieved(subject, now)
		}
	}
	return nil
}

// achieved returns the mean time between the kills of the plan that were carried out, until now; empty if they were too few. The first
// that was due is where time begins, and is not counted: it was not drawn to be there.
func (t *tally) achieved(s chaos.Subject, now time.Time) string {
	kills := 0
	for _, at := range t.planned {
		if at.After(t.first) {
			kills++
		}
	}
	if kills < fewest {
		return ""
	}
	return times(s.Terms.Pace.Mean, s.Expected(calendar.Window{Open: t.first, Close: now})/float64(kills))
}

// times writes a span so many times as long.
func times(s victims.Span, factor float64) string {
	if s.InDays() {
		return strconv.FormatFloat(s.Days*factor, 'f', 1, 64) + "d"
	}
	return victims.Span{Time: time.Duration(float64(s.Time) * factor).Round(time.Second)}.String()
}
