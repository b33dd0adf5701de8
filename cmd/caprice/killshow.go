package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
)

func killsShowCommand() *cobra.Command {
	var h history
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Show one kill: whom it struck, when, and what came of it",
		Example: `  caprice kills show 20261124-101500-0123456789abcdef -n shop
  caprice kills show 20261124-101500-0123456789abcdef -n shop -o yaml`,
		Args: one(aKill),
		RunE: func(c *cobra.Command, args []string) error {
			return h.show(c.Context(), args[0], c.OutOrStdout())
		},
	}
	h.release.flags(c)
	listed(c, &h.format)
	c.ValidArgsFunction = h.release.completeKill
	return c
}

func (h *history) show(ctx context.Context, name string, stdout io.Writer) error {
	client, err := h.release.client(ctx)
	if err != nil {
		return err
	}
	namespace, err := h.release.here()
	if err != nil {
		return err
	}
	kill, err := killOf(ctx, client, namespace, name)
	if err != nil {
		return err
	}
	if !h.format.forPeople() {
		kill.SetManagedFields(nil) // as kubectl prints it
		return listing[*v1alpha1.Kill]{format: h.format}.printer().PrintObj(kill, stdout)
	}
	return printKill(stdout, kill)
}

// printKill writes a kill for people.
func printKill(w io.Writer, k *v1alpha1.Kill) error {
	if err := table(w, killFacts(k)); err != nil {
		return err
	}
	for _, rows := range [][][]string{killPods(k), killProbes(k)} {
		if len(rows) == 1 {
			continue // there are none
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
		if err := table(w, rows); err != nil {
			return err
		}
	}
	return nil
}

// killFacts is a kill in lines of a name and a value, none of which is empty.
func killFacts(k *v1alpha1.Kill) [][]string {
	s := k.Status
	verdict := cmp.Or(string(s.Verdict), string(k.Phase()))
	if s.Reason != "" {
		verdict += ", " + s.Reason
	}
	recovery := ""
	if s.Recovery != nil {
		recovery = s.Recovery.Duration.String()
	}
	mode := k.Spec.Mode
	if k.Spec.Method != "" {
		mode += ", by " + k.Spec.Method
	}
	dryRun := ""
	if k.Spec.DryRun {
		dryRun = "the API server rehearsed it, and nothing died"
	}
	acknowledged := k.Annotations[v1alpha1.AcknowledgedBy]
	if comment := k.Annotations[v1alpha1.AcknowledgedComment]; comment != "" {
		acknowledged += ": " + comment
	}
	var rows [][]string
	for _, row := range [][]string{
		{"workload", k.Namespace + "/" + k.Spec.Workload.Kind + "/" + k.Spec.Workload.Name},
		{"planned", instant(&k.Spec.Planned)},
		{"requested by", requester(k)},
		{"mode", mode},
		{"dry run", dryRun},
		{"verdict", verdict},
		{"message", s.Message},
		{"executed", instant(s.ExecutedAt)},
		{"recovered", instant(s.RecoveredAt)},
		{"recovery", recovery},
		{"acknowledged", acknowledged},
		{"by", k.Spec.Holder},
	} {
		if row[1] != "" {
			rows = append(rows, row)
		}
	}
	return rows
}

// requester is who asked for a kill, nobody for one of the plan.
func requester(k *v1alpha1.Kill) string {
	if k.Spec.Request == nil {
		return ""
	}
	return k.Spec.Request.By
}

// killPods is what happened to each pod that was chosen.
func killPods(k *v1alpha1.Kill) [][]string {
	done := "KILLED"
	if k.Spec.DryRun {
		done = "REHEARSED"
	}
	rows := [][]string{{"POD", "NODE", done, "ERROR"}}
	fates := map[string]v1alpha1.Death{}
	for _, d := range k.Status.Pods {
		fates[d.UID] = d
	}
	for _, target := range k.Spec.Targets {
		fate := fates[target.UID]
		rows = append(rows, []string{target.Name, target.Node, cmp.Or(instant(fate.KilledAt), "no"), fate.Error})
	}
	return rows
}

// killProbes is what each probe of a hypothesis found.
func killProbes(k *v1alpha1.Kill) [][]string {
	rows := [][]string{{"PROBE", "MET", "WRONG FOR", "ASKED", "WORST"}}
	for _, p := range k.Status.Probes {
		met := "no"
		if p.Met {
			met = "yes"
		}
		rows = append(rows, []string{p.Hypothesis + "/" + p.Probe, met, p.WrongFor.Duration.String(), fmt.Sprint(p.Samples), p.Worst})
	}
	return rows
}

// instant writes a time to the millisecond, and none as nothing.
func instant(t *meta.MicroTime) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// seconds writes how long something took, to a tenth of a second.
func seconds(d time.Duration) string { return d.Round(100 * time.Millisecond).String() }
