package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/kubernetes/election"
	"caprice/kubernetes/halts"
)

// haltOptions are the flags of 'caprice halt'.
type haltOptions struct {
	release release
	reason  string
	hold    time.Duration // zero: until it is ended
	cluster bool
}

func haltCommand() *cobra.Command {
	var h haltOptions
	c := &cobra.Command{
		Use:   "halt --reason REASON [KIND/NAME]",
		Short: "Stop kills: of a workload, in a namespace or everywhere",
		Long: `Halt writes an order to stop: for one workload, for all of the namespace, or with --cluster for everything, in Caprice's own
namespace. It takes effect within a second, also between two pods of one kill, and holds until 'caprice resume' or for the
time that --for says.

It needs the right to create halts in that namespace, which the chart gives to the role edit. The API server sees to it that
the name under which a halt is written is yours.`,
		Example: `  caprice halt --reason "release day, ask Kim" --for 2h
  caprice halt --reason "being moved" -n shop deploy/web
  caprice halt --reason incident --cluster`,
		Args: oneOrNone(aWorkload),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("for") && h.hold <= 0 {
				return fmt.Errorf("--for %s: want a time that is still to come, as in 2h", h.hold)
			}
			return h.run(c.Context(), args, time.Now(), c.OutOrStdout())
		},
	}
	h.release.flags(c)
	flags := c.Flags()
	flags.StringVar(&h.reason, "reason", "", "`why`, for those who ask why nothing is killed")
	flags.DurationVar(&h.hold, "for", 0, "how long it holds, as in 2h (default until it is resumed)")
	flags.BoolVar(&h.cluster, "cluster", false, "stop everything, everywhere")
	c.ValidArgsFunction = h.release.completeWorkload
	return c
}

func (h haltOptions) run(ctx context.Context, args []string, now time.Time, stdout io.Writer) error {
	switch {
	case h.reason == "":
		return errors.New(`--reason is empty: want why, as in --reason "release day, ask Kim"`)
	case h.cluster && (len(args) > 0 || h.release.asked() != ""):
		return errors.New("--cluster stops everything: want neither a workload nor -n beside it")
	}
	client, err := h.release.client(ctx)
	if err != nil {
		return err
	}
	order := &v1alpha1.Halt{Spec: v1alpha1.HaltSpec{Reason: h.reason}}
	order.GenerateName = "halt-"
	if order.Namespace = client.Namespace; !h.cluster {
		if order.Namespace, err = h.release.here(); err != nil {
			return err
		}
	}
	what := "nothing is killed in namespace " + order.Namespace
	if len(args) > 0 {
		found, err := client.Find(ctx, order.Namespace, args[0])
		if err != nil {
			return err
		}
		order.Spec.Workload = &v1alpha1.HaltedWorkload{Kind: string(found.Kind), Name: found.Name}
		what = fmt.Sprintf("%s is not killed", found.Workload)
	}
	everything := order.StopsAll(client.Namespace)
	if everything {
		what = "nothing is killed by the Caprice in namespace " + order.Namespace
	}
	// A halt does not wait for who ordered it to be known.
	if me, err := client.Me(ctx); err == nil {
		order.Annotations = map[string]string{v1alpha1.RequestedBy: me}
	}
	if order, err = h.give(ctx, client, order, now); err != nil {
		return err
	}
	if everything {
		if _, err := client.Effective(ctx); errors.Is(err, kubernetes.ErrUnpublished) {
			if err := led(ctx, client); err != nil {
				return fmt.Errorf("halt/%s created in namespace %s, and %w; want --release-namespace with the namespace of the one that is to stop", order.Name, order.Namespace, err)
			}
		}
	}
	ends := "until it is resumed"
	if order.Spec.Until != nil {
		ends = "until " + order.Spec.Until.UTC().Format(time.RFC3339)
	}
	_, err = fmt.Fprintf(stdout, "halt/%s created: %s %s\n", order.Name, what, ends)
	return err
}

// led returns an error unless it is known that a Caprice leads in the client's namespace.
func led(ctx context.Context, client *kubernetes.Client) error {
	leader, err := election.Leader(ctx, client, client.Namespace)
	switch {
	case err != nil:
		return fmt.Errorf("whether it stops anything is not known: no Caprice has said there how it is configured, and who leads cannot be read: %w", kubernetes.Plain(err))
	case leader == "":
		return errors.New("it stops nothing: no Caprice has run there")
	}
	return nil
}

// stubborn is for how long what the API server has too much to do for is tried again: nothing of it was done.
const stubborn = 30 * time.Second

// patiently tries again what is answered by 429, Too Many Requests, which an incident brings.
func patiently(ctx context.Context, do func() error) error {
	for begin, tried := time.Now(), false; ; tried = true {
		err := do()
		if !apierrors.IsTooManyRequests(err) || time.Since(begin) > stubborn {
			return err
		}
		if !tried {
			if err := remark(os.Stderr, []error{fmt.Errorf("the API server has too much to do: trying again for %s", stubborn)}); err != nil {
				return err
			}
		}
		if chaos.Pause(ctx, time.Second) != nil {
			return err
		}
	}
}

// clockSlack is how far this machine's clock may be from the API server's, with the time that an answer takes.
const clockSlack = 5 * time.Second

// give writes an order. How long it holds counts by the API server's clock: what is the time it says in its answer.
func (h haltOptions) give(ctx context.Context, client *kubernetes.Client, order *v1alpha1.Halt, now time.Time) (*v1alpha1.Halt, error) {
	until := func(from time.Time) *meta.Time {
		return &meta.Time{Time: from.Add(h.hold).Truncate(time.Second).Add(time.Second).UTC()}
	}
	if h.hold > 0 {
		order.Spec.Until = until(now)
	}
	halts := client.Halts(order.Namespace)
	var given *v1alpha1.Halt
	err := patiently(ctx, func() (err error) {
		given, err = halts.Create(ctx, order, meta.CreateOptions{})
		return err
	})
	if err != nil {
		return nil, kubernetes.Plain(err)
	}
	off := given.CreationTimestamp.Sub(now)
	if h.hold == 0 || off.Abs() <= clockSlack {
		return given, nil
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"until": until(given.CreationTimestamp.Time)}})
	if err != nil {
		return nil, err
	}
	corrected, err := halts.Patch(ctx, given.Name, types.MergePatchType, patch, meta.PatchOptions{})
	if err != nil {
		return nil, fmt.Errorf("halt/%s created until %s, by this machine's clock, which is %s off: %w", given.Name, given.Spec.Until.UTC().Format(time.RFC3339), off.Round(time.Second), kubernetes.Plain(err))
	}
	return corrected, nil
}

// resumeOptions are the flags of 'caprice resume'.
type resumeOptions struct {
	release release
	all     bool
	cluster bool
}

func resumeCommand() *cobra.Command {
	var r resumeOptions
	c := &cobra.Command{
		Use:   "resume NAME | KIND/NAME | --all",
		Short: "End halts: by name, those of a workload or all of a namespace",
		Long: `Resume deletes halts: one by its name, those of one workload, or all of the namespace; with --cluster those in Caprice's own
namespace, which stop everything. What another halt still stops, it says.

It needs the right to delete halts, which the chart gives to the role edit.`,
		Example: `  caprice resume halt-x7k2p -n shop
  caprice resume deploy/web -n shop
  caprice resume --all --cluster`,
		Args: oneOrNone("the name of a halt, or " + aWorkload),
		RunE: func(c *cobra.Command, args []string) error {
			return r.run(c.Context(), args, time.Now(), c.OutOrStdout())
		},
	}
	r.release.flags(c)
	c.Flags().BoolVar(&r.all, "all", false, "end all halts of the namespace")
	c.Flags().BoolVar(&r.cluster, "cluster", false, "end halts of everything")
	c.ValidArgsFunction = r.complete
	return c
}

// complete offers the halts that there are.
func (r *resumeOptions) complete(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return r.release.live(c, func(ctx context.Context, client *kubernetes.Client, namespace string) ([]string, error) {
		if r.cluster {
			namespace = client.Namespace
		}
		return client.NamesOfHalts(ctx, namespace)
	})
}

func (r resumeOptions) run(ctx context.Context, args []string, now time.Time, stdout io.Writer) error {
	switch {
	case r.all == (len(args) > 0):
		return errors.New("want the name of a halt, a workload as in deploy/web, or --all; 'caprice halts' lists what there is")
	case r.cluster && r.release.asked() != "":
		return errors.New("--cluster is Caprice's own namespace: want no -n beside it")
	}
	client, err := r.release.client(ctx)
	if err != nil {
		return err
	}
	namespace := client.Namespace
	if !r.cluster {
		if namespace, err = r.release.here(); err != nil {
			return err
		}
	}
	list, err := client.Halts(namespace).List(ctx, meta.ListOptions{})
	if err != nil {
		return kubernetes.Plain(err)
	}
	ends, err := r.chosen(args, namespace)
	if err != nil {
		return err
	}
	ended := 0
	for _, halt := range list.Items {
		if !ends(halt) {
			continue
		}
		err := patiently(ctx, func() error {
			return client.Halts(namespace).Delete(ctx, halt.Name, meta.DeleteOptions{Preconditions: &meta.Preconditions{UID: &halt.UID}})
		})
		if err != nil && !kubernetes.Absent(err) {
			return kubernetes.Plain(err)
		}
		ended++
		if _, err := fmt.Fprintf(stdout, "halt/%s deleted: %s\n", halt.Name, chaos.OneLine(halt.Spec.Reason)); err != nil {
			return err
		}
	}
	switch {
	case ended == 0 && !r.all:
		return fmt.Errorf("no halt %s in namespace %s: want one of 'caprice halts -n %s'", args[0], namespace, namespace)
	case ended == 0:
		if _, err := fmt.Fprintf(stdout, "no halts in namespace %s\n", namespace); err != nil {
			return err
		}
	}
	return r.left(ctx, client, namespace, now, stdout)
}

// chosen returns which halts end.
func (r resumeOptions) chosen(args []string, namespace string) (func(v1alpha1.Halt) bool, error) {
	if r.all {
		return func(v1alpha1.Halt) bool { return true }, nil
	}
	args = []string{bare("halt", args[0])}
	w, named, err := kubernetes.ParseWorkload(namespace, args[0])
	if err != nil {
		return nil, err
	}
	return func(h v1alpha1.Halt) bool {
		if !named {
			return h.Name == args[0]
		}
		return h.Spec.Workload != nil && *h.Spec.Workload == v1alpha1.HaltedWorkload{Kind: string(w.Kind), Name: w.Name}
	}, nil
}

// left says which halts still stop kills in the namespace.
func (r resumeOptions) left(ctx context.Context, client *kubernetes.Client, namespace string, now time.Time, stdout io.Writer) error {
	orders := halts.Orders{Client: client, Scope: kubernetes.Scope{Namespaces: []string{namespace}}, Patience: patience}
	holding, unread := orders.Holding(ctx, atServer(client, now))
	if unread != nil { // who may resume here may not see what stops everything
		if err := remark(os.Stderr, []error{fmt.Errorf("whether another halt stops kills here is not known: %w", kubernetes.Plain(unread))}); err != nil {
			return err
		}
	}
	for _, h := range holding {
		if _, err := fmt.Fprintf(stdout, "halt/%s in namespace %s still holds: %s\n", h.Name, h.Namespace, chaos.OneLine(h.Spec.Reason)); err != nil {
			return err
		}
	}
	return nil
}
