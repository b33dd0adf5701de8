package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"caprice/calendar"
	"caprice/kubernetes"
	"caprice/kubernetes/election"
)

// statusOptions are the flags of 'caprice status'.
type statusOptions struct {
	release release
	output  output
}

func statusCommand() *cobra.Command {
	var s statusOptions
	c := &cobra.Command{
		Use:   "status",
		Short: "Say what the Caprice that runs does: the first thing to try when something is amiss",
		Long: `Status says what the Caprice that runs has published of itself: its version, who leads, whether it kills or rehearses, its
calendar, and whether that is open now; and as far as you may see them, where another Caprice acts, which halts hold and what has come
of today's kills. How many are planned it says to whoever has the rights that 'caprice plan' needs. With Caprice's own account, as within
a pod of the chart, it also asks for each permission that Caprice needs.

Exit code 1 says that no Caprice has published anything, that nobody leads, or that a permission is missing.`,
		Example: `  caprice status
  caprice status -o json`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error { return s.run(c.Context(), time.Now(), c.OutOrStdout()) },
	}
	s.release.flags(c)
	printing(c, &s.output)
	return c
}

func (s statusOptions) run(ctx context.Context, now time.Time, stdout io.Writer) error {
	p, err := s.release.published(ctx)
	if err != nil {
		return err
	}
	cal, err := p.calendar(now)
	if err != nil {
		return err
	}
	st := statusReport{
		Version: p.data[versionKey], Program: version, DryRun: bool(p.config.DryRun), PlanKey: p.data[planKey],
		Days: p.config.Days.String(), Hours: p.config.Hours.String(), TimeZone: p.config.TimeZone.String(),
		Others: []otherEntry{}, Halts: []haltEntry{}, Kills: []outcomeEntry{}, Missing: []permission{},
	}
	st.lead(ctx, p.client)
	st.claims(ctx, p)
	st.halts(ctx, p, now)
	st.today(ctx, p, cal, now)
	st.window(cal, now)
	var missing []string
	own, err := p.asksItself(ctx)
	if err != nil && p.client.InCluster { // elsewhere it is somebody else's
		return err
	}
	if own {
		if missing, err = p.client.Missing(ctx, p.scope()); err != nil {
			return err
		}
		for _, m := range missing {
			st.Missing = append(st.Missing, permission{m})
		}
	}
	if s.output == inTable {
		err = table(stdout, st.rows(own))
	} else {
		err = s.output.encode(stdout, st)
	}
	switch {
	case err != nil:
		return err
	case len(missing) > 0:
		return errors.New(kubernetes.Lacking(missing))
	case st.Leader == "" && st.LeaderUnknown == "":
		return errors.New("nobody leads, and so nothing is killed: want a pod of Caprice that is ready")
	}
	return nil
}

// statusReport is what programs read of the Caprice that runs.
type statusReport struct {
	Version        string         `json:"version"`
	Program        string         `json:"program"` // the version of the one that asks
	Leader         string         `json:"leader"`  // empty: nobody, if nothing is unknown of it
	LeaderUnknown  string         `json:"leaderUnknown"`
	DryRun         bool           `json:"dryRun"`
	Others         []otherEntry   `json:"others"` // installations, by the namespaces in which this one acts or would, but for them
	OthersUnknown  string         `json:"othersUnknown"`
	Halts          []haltEntry    `json:"halts"` // that hold
	HaltsUnknown   string         `json:"haltsUnknown"`
	Date           string         `json:"date"`
	Planned        int            `json:"planned"` // for the date
	PlannedUnknown string         `json:"plannedUnknown"`
	Kills          []outcomeEntry `json:"kills"` // of the date
	KillsUnknown   string         `json:"killsUnknown"`
	Days           string         `json:"days"`
	Hours          string         `json:"hours"`
	TimeZone       string         `json:"timeZone"`
	Closed         string         `json:"closed"` // why it is closed now; empty: it is open
	Opens          string         `json:"opens"`  // the window that is open or comes next, RFC 3339; empty: none within a year
	Closes         string         `json:"closes"`
	PlanKey        string         `json:"planKey"`
	Missing        []permission   `json:"missingPermissions"` // asked for with its own account alone
}

type otherEntry struct {
	Namespace string `json:"namespace"`
	By        string `json:"by"` // the namespace that it is installed in
}

type permission struct {
	Name string `json:"permission"`
}

// lead notes who leads.
func (st *statusReport) lead(ctx context.Context, client *kubernetes.Client) {
	leader, err := election.Leader(ctx, client, client.Namespace)
	if err != nil {
		st.LeaderUnknown = kubernetes.Plain(err).Error()
	}
	st.Leader = leader
}

// claims notes where another installation acts.
func (st *statusReport) claims(ctx context.Context, p published) {
	others, err := election.Others(ctx, p.client, p.client.Namespace, p.scope())
	if err != nil {
		st.OthersUnknown = kubernetes.Plain(err).Error()
	}
	for _, namespace := range slices.Sorted(maps.Keys(others)) {
		st.Others = append(st.Others, otherEntry{namespace, others[namespace]})
	}
}

// others says which namespaces another installation has the claim to. It may be gone: an uninstalled one leaves its claims.
func (st *statusReport) others() string {
	var named []string
	for _, o := range st.Others {
		named = append(named, fmt.Sprintf("that in namespace %s has the claim to %s", o.By, o.Namespace))
	}
	return cmp.Or(unknownFor(st.OthersUnknown), few(named), "none")
}

// window notes whether the calendar is open now, and until or from when.
func (st *statusReport) window(cal calendar.Calendar, now time.Time) {
	st.Closed = cal.Why(now)
	if w, opens := cal.Next(now); opens {
		st.Opens, st.Closes = w.Open.Format(time.RFC3339), w.Close.Format(time.RFC3339)
	}
}

// rows are those of the table for people.
func (st *statusReport) rows(own bool) [][]string {
	mode := "live: it kills"
	if st.DryRun {
		mode = "dry run: it rehearses and kills nothing"
	}
	open := "open until " + st.Closes
	if st.Closed != "" {
		open = "closed now: " + st.Closed
		if st.Opens != "" {
			open += ", opens " + st.Opens
		}
	}
	rows := [][]string{
		{"version", st.Version + "; this program: " + st.Program},
		{"leader", cmp.Or(st.Leader, unknownFor(st.LeaderUnknown), "nobody")},
		{"mode", mode},
		{"others", st.others()},
		{"halts", st.halting()},
		{"today", st.tallied()},
		{"calendar", fmt.Sprintf("%s %s in %s", st.Days, st.Hours, st.TimeZone)},
		{"now", open},
		{"plan key", st.PlanKey},
	}
	if !own {
		return rows
	}
	permissions := "all there"
	if len(st.Missing) > 0 {
		var names []string
		for _, m := range st.Missing {
			names = append(names, m.Name)
		}
		permissions = "missing: " + strings.Join(names, ", ")
	}
	return append(rows, []string{"permissions", permissions})
}

// unknownFor says that something is not known and why, and nothing if there is no reason.
func unknownFor(why string) string {
	if why == "" {
		return ""
	}
	return "not known: " + why
}
