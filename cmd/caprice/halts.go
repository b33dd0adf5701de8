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
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"caprice/api/v1alpha1"
	"caprice/kubernetes"
)

// haltList is what the command line says.
type haltList struct {
	release release
	all     bool
	format  format
}

func haltsCommand() *cobra.Command {
	var l haltList
	c := &cobra.Command{
		Use:   "halts",
		Short: "List halts: what is stopped, why, by whom and until when",
		Long: `Halts lists the orders to stop in a namespace, and those in Caprice's own namespace, which stop everything, if you may see
these. One whose end has come is listed as over for an hour, and is then deleted by the leader.`,
		Example: `  caprice halts -n shop
  caprice halts -A -o wide`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			return l.run(c.Context(), time.Now(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	l.release.flags(c)
	c.Flags().BoolVarP(&l.all, "all-namespaces", "A", false, "those of all namespaces")
	listed(c, &l.format)
	return c
}

func (l haltList) run(ctx context.Context, now time.Time, stdout, stderr io.Writer) error {
	if l.all && l.release.asked() != "" {
		return errors.New("-A is all namespaces: want no -n beside it")
	}
	client, err := l.release.client(ctx)
	if err != nil {
		return err
	}
	namespace := meta.NamespaceAll
	if !l.all {
		if namespace, err = l.release.here(); err != nil {
			return err
		}
	}
	list, err := client.Halts(namespace).List(ctx, meta.ListOptions{})
	if err != nil {
		return kubernetes.Plain(err)
	}
	halts := pointers(list.Items)
	if !l.all && namespace != client.Namespace {
		own, err := client.Halts(client.Namespace).List(ctx, meta.ListOptions{})
		if err == nil {
			halts = append(halts, pointers(own.Items)...)
		} else if err := remark(stderr, []error{fmt.Errorf("whether a halt stops everything is not known: %w", kubernetes.Plain(err))}); err != nil {
			return err
		}
	}
	for _, h := range halts {
		h.TypeMeta = meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Halt"}
	}
	if len(halts) == 0 {
		if err := l.format.none(stderr, "halts", namespace); err != nil {
			return err
		}
	}
	return listing[*v1alpha1.Halt]{l.format, true, haltColumns(client, now)}.print(stdout, halts)
}

// atServer returns what time it is by the clock of an API server that has answered: halts begin and end by that, and this machine's may be
// hours off.
func atServer(client *kubernetes.Client, now time.Time) time.Time {
	if ahead := client.Ahead(); ahead.Abs() > clockSlack {
		return now.Add(-ahead)
	}
	return now
}

func haltColumns(client *kubernetes.Client, now time.Time) []column[*v1alpha1.Halt] {
	now = atServer(client, now)
	return []column[*v1alpha1.Halt]{
		{"Name", false, func(h *v1alpha1.Halt) string { return h.Name }},
		{"Stops", false, func(h *v1alpha1.Halt) string { return stops(h, client.Namespace) }},
		{"Reason", false, func(h *v1alpha1.Halt) string { return h.Spec.Reason }},
		{"Until", false, func(h *v1alpha1.Halt) string {
			switch {
			case h.Spec.Until == nil:
				return "until resumed"
			case h.Expired(now):
				return "over"
			}
			return h.Spec.Until.UTC().Format(time.RFC3339)
		}},
		{"By", true, func(h *v1alpha1.Halt) string { return cmp.Or(h.Annotations[v1alpha1.RequestedBy], "unknown") }},
		{"Age", false, func(h *v1alpha1.Halt) string { return duration.HumanDuration(now.Sub(h.CreationTimestamp.Time)) }},
	}
}

// stops says what a halt stops.
func stops(h *v1alpha1.Halt, own string) string {
	switch {
	case h.StopsAll(own):
		return "everything"
	case h.Spec.Workload != nil:
		return strings.ToLower(h.Spec.Workload.Kind) + "/" + h.Spec.Workload.Name
	}
	return "namespace"
}

func pointers[T any](list []T) []*T {
	all := make([]*T, len(list))
	for i := range list {
		all[i] = &list[i]
	}
	return all
}
