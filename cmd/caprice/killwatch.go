package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"

	"caprice/api/v1alpha1"
	"caprice/kubernetes/records"
)

func killsWatchCommand() *cobra.Command {
	var h history
	c := &cobra.Command{
		Use:     "watch",
		Short:   "List kills, then each as it comes and changes, until interrupted",
		Example: `  caprice kills watch -A`,
		Args:    none,
		RunE:    func(c *cobra.Command, _ []string) error { return h.watch(c.Context(), time.Now(), c.OutOrStdout()) },
	}
	h.flags(c)
	return c
}

// watch prints what there is, then what comes.
func (h *history) watch(ctx context.Context, now time.Time, stdout io.Writer) error {
	wanted, err := h.wanted(now)
	if err != nil {
		return err
	}
	client, err := h.release.client(ctx)
	if err != nil {
		return err
	}
	kills, version, err := h.read(ctx, client, now)
	if err != nil {
		return err
	}
	namespace, err := h.namespace()
	if err != nil {
		return err
	}
	columns := printers.GetNewTabWriter(stdout)
	as := listing[*v1alpha1.Kill]{h.format, h.all, killColumns}
	printer := as.printer()
	show := func(kills ...*v1alpha1.Kill) error {
		if h.format.forPeople() {
			return errors.Join(printer.PrintObj(tabled(killColumns, kills), columns), columns.Flush())
		}
		for _, k := range kills {
			k.SetManagedFields(nil) // as kubectl prints them
			if err := printer.PrintObj(k, stdout); err != nil {
				return err
			}
		}
		return nil
	}
	if err := show(kills...); err != nil {
		return err
	}
	return records.Follow(ctx, client, namespace, "", version, func(k *v1alpha1.Kill, gone bool) error {
		if k.TypeMeta = killMeta; gone || !wanted(k) {
			return nil
		}
		return show(k)
	})
}
