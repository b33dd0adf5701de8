package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/calendar"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/kubernetes/records"
)

// killMeta is what an API server leaves out of the items of a list.
var killMeta = meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Kill"}

// history is what the command line says of the kills that are meant.
type history struct {
	release  release
	all      bool
	since    time.Duration // zero: all that there are
	verdicts []string
	workload string
	format   format
}

func killsCommand() *cobra.Command {
	var h history
	c := &cobra.Command{
		Use:   "kills",
		Short: "Read the records of kills: list, show, watch, summary",
		Long: `Kills reads the records of kills in a namespace, or with -A in all: alone it lists them, the latest last.
PODS is how many were chosen; show says which of them died.

It needs the right to see kills, which the chart gives to the role view.`,
		Example: `  caprice kills -n shop --since 24h
  caprice kills -A --verdict NotRecovered,Failed
  caprice kills show 20261124-101500-0123456789abcdef -n shop`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			return h.list(c.Context(), time.Now(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	h.flags(c)
	c.AddCommand(killsListCommand(), killsShowCommand(), killsWatchCommand(), killsSummaryCommand())
	return c
}

func killsListCommand() *cobra.Command {
	var h history
	c := &cobra.Command{
		Use:   "list",
		Short: "List kills, the latest last",
		Example: `  caprice kills list -A --since 168h --workload deploy/web
  caprice kills list -n shop --verdict Vetoed -o wide`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			return h.list(c.Context(), time.Now(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	h.flags(c)
	return c
}

func (h *history) flags(c *cobra.Command) {
	h.filters(c)
	listed(c, &h.format)
}

func (h *history) filters(c *cobra.Command) {
	h.release.flags(c)
	flags := c.Flags()
	flags.BoolVarP(&h.all, "all-namespaces", "A", false, "those of all namespaces")
	flags.DurationVar(&h.since, "since", 0, "those planned in the last `time`, as in 24h (default all there are)")
	flags.StringSliceVar(&h.verdicts, "verdict", nil, "those with one of these `verdicts`, as in NotRecovered,Failed; Open for those that have not ended")
	flags.StringVar(&h.workload, "workload", "", "those of one `workload`, as in deploy/web or web")
	complete(c, "verdict", words(verdicts...))
	complete(c, "workload", h.release.completeWorkload)
}

// verdicts are those that a record can have, and Open for none.
var verdicts = func() (all []string) {
	for _, v := range chaos.Verdicts {
		all = append(all, string(v))
	}
	return append(all, openVerdict)
}()

const openVerdict = "Open"

// wanted returns which kills are meant.
func (h *history) wanted(now time.Time) (func(*v1alpha1.Kill) bool, error) {
	for _, verdict := range h.verdicts {
		if !slices.Contains(verdicts, verdict) {
			return nil, fmt.Errorf("--verdict %q: want %s", verdict, strings.Join(verdicts, ", "))
		}
	}
	switch {
	case h.since < 0:
		return nil, fmt.Errorf("--since %s: want how long ago, as in 24h", h.since)
	case h.all && h.release.asked() != "":
		return nil, errors.New("-A is all namespaces: want no -n beside it")
	}
	w, named, err := kubernetes.ParseWorkload("", h.workload)
	if err != nil {
		return nil, err
	}
	return func(k *v1alpha1.Kill) bool {
		of := k.Spec.Workload
		return (h.since == 0 || k.Spec.Planned.After(now.Add(-h.since))) &&
			(len(h.verdicts) == 0 || slices.Contains(h.verdicts, cmp.Or(string(k.Status.Verdict), openVerdict))) &&
			(h.workload == "" || of.Name == w.Name && (!named || of.Kind == string(w.Kind)))
	}, nil
}

// namespace returns the one that is meant, or that which stands for all.
func (h *history) namespace() (string, error) {
	if h.all {
		return meta.NamespaceAll, nil
	}
	return h.release.here()
}

// none says that there are no such kills, where people would see an empty table.
func (h *history) none(f format, stderr io.Writer) error {
	namespace, err := h.namespace()
	if err != nil {
		return err
	}
	return f.none(stderr, "kills", namespace)
}

// read returns the kills that are meant, by when they were planned, and where a watch goes on.
func (h *history) read(ctx context.Context, client *kubernetes.Client, now time.Time) (kills []*v1alpha1.Kill, version string, err error) {
	wanted, err := h.wanted(now)
	if err != nil {
		return nil, "", err
	}
	namespace, err := h.namespace()
	if err != nil {
		return nil, "", err
	}
	found := map[types.UID]*v1alpha1.Kill{} // one that is taken on or ends meanwhile may be in two lists: how it is in the last counts
	for _, options := range h.selections(now) {
		for page, err := range records.Pages(ctx, client, []string{namespace}, options) {
			if err != nil {
				return nil, "", kubernetes.Plain(err)
			}
			for _, k := range pointers(page.Items) {
				k.TypeMeta = killMeta
				found[k.UID] = k
			}
			version = cmp.Or(version, page.ResourceVersion)
		}
	}
	for _, k := range found {
		if wanted(k) {
			kills = append(kills, k)
		}
	}
	slices.SortFunc(kills, func(a, b *v1alpha1.Kill) int {
		return cmp.Or(a.Spec.Planned.Compare(b.Spec.Planned.Time), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return kills, version, nil
}

// selections are what the API server is asked for, which has in all no less than the kills that are meant: there may be tens of thousands of others.
func (h *history) selections(now time.Time) (all []meta.ListOptions) {
	days := []string{""}
	if h.since > 0 && h.since <= 31*24*time.Hour {
		days = []string{"!" + v1alpha1.DateLabel, dates(now.Add(-h.since), now)} // what is asked for has no date until it is taken on
	}
	fields := []string{""}
	if len(h.verdicts) > 0 {
		fields = nil
	}
	if slices.Contains(h.verdicts, openVerdict) { // first: one that ends meanwhile is in a list after this
		fields = append(fields, records.PhaseField+"!="+string(v1alpha1.Ended))
	}
	for _, verdict := range slices.Sorted(slices.Values(h.verdicts)) {
		if verdict != openVerdict {
			fields = append(fields, records.VerdictField+"="+verdict)
		}
	}
	for _, day := range days {
		for _, field := range slices.Compact(fields) {
			all = append(all, meta.ListOptions{LabelSelector: day, FieldSelector: field})
		}
	}
	return all
}

// dates selects the working days that kills between two times may belong to, in whatever zone.
func dates(from, to time.Time) string {
	var list []string
	last := calendar.Calendar{}.Date(to).Add(1)
	for d := (calendar.Calendar{}).Date(from).Add(-2); ; d = d.Add(1) {
		list = append(list, d.String())
		if d == last {
			return v1alpha1.DateLabel + " in (" + strings.Join(list, ",") + ")"
		}
	}
}

func (h *history) list(ctx context.Context, now time.Time, stdout, stderr io.Writer) error {
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
	if len(kills) == 0 {
		if err := h.none(h.format, stderr); err != nil {
			return err
		}
	}
	return listing[*v1alpha1.Kill]{h.format, h.all, killColumns}.print(stdout, kills)
}

var killColumns = []column[*v1alpha1.Kill]{
	{"Name", false, func(k *v1alpha1.Kill) string { return k.Name }},
	{"Workload", false, func(k *v1alpha1.Kill) string {
		return strings.ToLower(k.Spec.Workload.Kind) + "/" + k.Spec.Workload.Name
	}},
	{"Planned", false, func(k *v1alpha1.Kill) string { return k.Spec.Planned.UTC().Format(time.RFC3339) }},
	{"Verdict", false, func(k *v1alpha1.Kill) string {
		return cmp.Or(string(k.Status.Verdict), string(k.Phase()))
	}},
	{"Reason", false, func(k *v1alpha1.Kill) string { return k.Status.Reason }},
	{"Pods", false, func(k *v1alpha1.Kill) string { return strconv.Itoa(int(k.Spec.Count)) }},
	{"Recovery", false, func(k *v1alpha1.Kill) string {
		if k.Status.Recovery == nil {
			return ""
		}
		return k.Status.Recovery.Duration.String()
	}},
	{"Requested by", true, requester},
	{"Acknowledged by", true, func(k *v1alpha1.Kill) string { return k.Annotations[v1alpha1.AcknowledgedBy] }},
	{"Dry run", true, func(k *v1alpha1.Kill) string { return strconv.FormatBool(k.Spec.DryRun) }},
	{"Message", true, func(k *v1alpha1.Kill) string { return k.Status.Message }},
}
