package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"caprice/kubernetes"
	"caprice/kubernetes/election"
)

// asking is what the command line says.
type asking struct{ release release }

func statusCommand() *cobra.Command {
	var s asking
	c := &cobra.Command{
		Use:   "status",
		Short: "Say what the Caprice that runs does: the first thing to try when something is amiss",
		Long: `Status says what the Caprice that runs has published of itself: its version, who leads, whether it kills or rehearses, its
calendar, and whether that is open now; and as far as you may see them, which halts hold and what has come of today's kills.
How many are planned is known to whoever may read the seed. Within a pod of the chart it also asks for each permission that
Caprice needs.

Exit code 1 says that no Caprice has published anything, that nobody leads, or that a permission is missing.`,
		Example: "  caprice status",
		Args:    none,
		RunE:    func(c *cobra.Command, _ []string) error { return s.run(c.Context(), time.Now(), c.OutOrStdout()) },
	}
	s.release.flags(c)
	return c
}

func (s asking) run(ctx context.Context, now time.Time, stdout io.Writer) error {
	p, err := s.release.published(ctx)
	if err != nil {
		return err
	}
	cal, err := p.calendar(now)
	if err != nil {
		return err
	}
	client, config := p.client, p.config
	mode := "live: it kills"
	if config.DryRun {
		mode = "dry run: it rehearses and kills nothing"
	}
	open := "open"
	if why := cal.Why(now); why != "" {
		open = "closed now: " + why
	}
	if w, opens := cal.Next(now); opens && w.Open.After(now) {
		open += ", opens " + w.Open.Format("Mon 2006-01-02 15:04")
	} else if opens {
		open += " until " + w.Close.Format("Mon 2006-01-02 15:04")
	}
	leader, hidden := election.Leader(ctx, client, client.Namespace)
	if hidden != nil {
		leader = "not known: " + kubernetes.Plain(hidden).Error()
	}
	rows := [][]string{
		{"version", p.data[versionKey] + "; this program: " + version},
		{"leader", cmp.Or(leader, "nobody")},
		{"mode", mode},
		{"halts", s.halts(ctx, p, now)},
		{"today", s.today(ctx, p, cal, now)},
		{"calendar", fmt.Sprintf("%s %s in %s", config.Days, config.Hours, config.TimeZone)},
		{"now", open},
		{"plan key", p.data[planKey]},
	}
	var missing []string
	if client.InCluster {
		if missing, err = client.Missing(ctx, p.scope()); err != nil {
			return err
		}
		permissions := "all there"
		if len(missing) > 0 {
			permissions = "missing: " + strings.Join(missing, ", ")
		}
		rows = append(rows, []string{"permissions", permissions})
	}
	if err := table(stdout, rows); err != nil {
		return err
	}
	switch {
	case len(missing) > 0:
		return errors.New("permissions are missing: want a role that grants them")
	case leader == "":
		return errors.New("nobody leads, and so nothing is killed: want a pod of Caprice that is ready")
	}
	return nil
}
