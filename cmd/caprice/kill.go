package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/kubernetes/records"
	"caprice/victims"
)

// killOptions are the flags of 'caprice kill'.
type killOptions struct {
	release release
	mode    string
	value   *int // nil: none
	dryRun  string
	wait    bool
}

// takenWithin is how long a kill that was asked for waits for somebody to take it on, before it is said that nobody does. A
// leader that comes later finds it late.
const takenWithin = 90 * time.Second

func killCommand() *cobra.Command {
	var k killOptions
	c := &cobra.Command{
		Use:   "kill KIND/NAME",
		Short: "Ask for one kill of a workload that opted in, now, and say what comes of it",
		Long: `Kill asks the Caprice of the cluster for one kill of a workload that opted in, at once, and prints what comes of it.

The leader carries it out as it does a planned one: it is recorded, asks the same gates, keeps to the same limits and is
verified. Days, hours, holidays and the least time between kills do not bind it; freezes do. How many pods die the workload's
terms say, or --mode and --value.

It needs the right to create kills. None of the cluster's roles view, edit and admin has it: bind the ClusterRole of the chart
whose name ends in -requester. The API server sees to it that your name is on what you ask for.

Exit code 0 says that the workload recovered, or that the kill was rehearsed; 2 that it did not recover or a hypothesis was
disproved; 3 that a gate vetoed the kill; 4 that it was missed, failed or was abandoned; 1 all else.`,
		Example: `  caprice kill deploy/web -n shop
  caprice kill deploy/web -n shop --mode fixed --value 2
  caprice kill deploy/web -n shop --dry-run=server`,
		Args: one(aWorkload),
		RunE: func(c *cobra.Command, args []string) error {
			return k.run(c.Context(), args[0], time.Now(), c.OutOrStdout())
		},
	}
	k.release.flags(c)
	flags := c.Flags()
	flags.StringVar(&k.mode, "mode", "", "how the number of pods is found: fixed, fixed-percent, random-max-percent, kill-all or pdb (default as the workload's terms say)")
	flags.Func("value", "how many `pods`, or percent of them, for a mode that wants it", func(text string) error {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 1 {
			return fmt.Errorf("want a number of 1 to %d", math.MaxInt32)
		}
		k.value = new(int(n))
		return nil
	})
	flags.Var(oneOf(&k.dryRun, "none", "server"), "dry-run", "server: all is done but the killing, which the API server rehearses, and limits (Budget, Unrecovered) neither count it nor hold it up")
	flags.BoolVar(&k.wait, "wait", true, "wait for the verdict")
	complete(c, "mode", words(string(victims.Fixed), string(victims.FixedPercent), string(victims.RandomMaxPercent), string(victims.KillAll), string(victims.PDB)))
	complete(c, "dry-run", words("none", "server"))
	c.ValidArgsFunction = k.release.completeWorkload
	return c
}

// request is what is asked for.
func (k killOptions) request() (v1alpha1.Request, error) {
	r := v1alpha1.Request{Mode: k.mode, DryRun: k.dryRun == "server"}
	if k.mode == "" {
		if k.value != nil {
			return r, errors.New("--value without --mode: want both, as in --mode fixed --value 2")
		}
		return r, nil
	}
	scale, err := victims.ParseScale(k.mode, k.value)
	if err != nil {
		return r, fmt.Errorf("--mode %s: %w", k.mode, err)
	}
	if scale.Value != 0 {
		r.Value = new(int32(scale.Value))
	}
	return r, nil
}

func (k killOptions) run(ctx context.Context, name string, now time.Time, stdout io.Writer) error {
	request, err := k.request()
	if err != nil {
		return err
	}
	client, err := k.release.client(ctx)
	if err != nil {
		return err
	}
	namespace, err := k.release.here()
	if err != nil {
		return err
	}
	found, err := client.Find(ctx, namespace, name)
	if err != nil {
		return err
	}
	if err := k.within(ctx, client, namespace); err != nil {
		return err
	}
	if request.By, err = client.Me(ctx); err != nil {
		return err
	}
	kill, err := create(ctx, client, found.Workload, request, now)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stdout, "kill/%s requested of %s\n", kill.Name, found.Workload); err != nil || !k.wait {
		return err
	}
	return k.follow(ctx, client, kill, stdout)
}

// within returns an error if it is known that Caprice does not act in a namespace.
func (k killOptions) within(ctx context.Context, client *kubernetes.Client, namespace string) error {
	p, err := readPublished(ctx, client)
	if err != nil {
		return nil // who may ask for kills need not see that
	}
	if scope := p.scope(); !scope.Contains(namespace) {
		return fmt.Errorf("namespace %s is not one in which Caprice acts: want one within its NAMESPACES %q and EXCLUDED_NAMESPACES %q", namespace, strings.Join(scope.Namespaces, ","), strings.Join(scope.Excluded, ","))
	}
	return nil
}

// create asks for a kill, at the time that the API server's clock shows: that of whoever asks may be wrong.
func create(ctx context.Context, client *kubernetes.Client, w victims.Workload, request v1alpha1.Request, now time.Time) (*v1alpha1.Kill, error) {
	kill := func(at time.Time) *v1alpha1.Kill {
		return &v1alpha1.Kill{
			TypeMeta:   killMeta,
			ObjectMeta: meta.ObjectMeta{Namespace: w.Namespace, Name: v1alpha1.Name(w.UID, at), Labels: map[string]string{v1alpha1.WorkloadUIDLabel: w.UID}},
			Spec: v1alpha1.KillSpec{
				Workload: v1alpha1.Workload{Kind: string(w.Kind), Name: w.Name, UID: w.UID}, Planned: meta.NewMicroTime(at), Request: &request,
			},
		}
	}
	kills := client.Kills(w.Namespace)
	rehearsed, err := kills.Create(ctx, kill(now), meta.CreateOptions{DryRun: []string{meta.DryRunAll}})
	if err != nil {
		return nil, kubernetes.Plain(err)
	}
	// That clock shows whole seconds. The milliseconds tell what is asked for in the same one apart, and are not yet to come.
	at := rehearsed.CreationTimestamp.Add(time.Duration(now.Nanosecond()).Truncate(time.Millisecond) - time.Second)
	created, err := kills.Create(ctx, kill(at), meta.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil, fmt.Errorf("somebody asked for a kill of %s at the same moment: want a look at 'caprice kills -n %s', then ask again", w, w.Namespace)
	}
	return created, kubernetes.Plain(err)
}

// errEnded ends the watch of a kill that has its verdict.
var errEnded = errors.New("it has ended")

// follow prints what becomes of a kill until it has its verdict.
func (k killOptions) follow(ctx context.Context, client *kubernetes.Client, kill *v1alpha1.Kill, stdout io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(takenWithin, func() {
		cancel(fmt.Errorf("nobody has taken kill %s on within %s: want a Caprice that runs and acts there, see 'caprice status'", kill.Name, takenWithin))
	})
	defer late.Stop()
	phase, last := v1alpha1.Requested, kill
	err := records.Follow(ctx, client, kill.Namespace, "", kill.ResourceVersion, func(now *v1alpha1.Kill, gone bool) error {
		switch {
		case now.Name != kill.Name || !gone && now.Phase() == phase:
			return nil
		case gone:
			return fmt.Errorf("the record of kill %s was deleted: what comes of it is not known", kill.Name)
		}
		late.Stop()
		phase, last = now.Phase(), now
		if _, err := io.WriteString(stdout, progress(now)); err != nil {
			return err
		}
		if phase == v1alpha1.Ended {
			return errEnded
		}
		return nil
	})
	switch {
	case errors.Is(err, errEnded):
		return verdict(last)
	case err != nil:
		return err
	}
	return fmt.Errorf("no verdict of kill %s yet: %w: it goes on without you; 'caprice kills show %s -n %s' says what comes of it, and 'caprice halt -n %s --reason WHY' stops it",
		kill.Name, context.Cause(ctx), kill.Name, kill.Namespace, kill.Namespace)
}

// progress is a line of how far a kill has come, or none.
func progress(k *v1alpha1.Kill) string {
	var pods []string
	for _, d := range k.Status.Pods {
		if d.Error == "" {
			pods = append(pods, d.Name)
		}
	}
	switch k.Phase() {
	case v1alpha1.Claimed:
		if len(k.Spec.Targets) == 0 {
			return ""
		}
		names := make([]string, len(k.Spec.Targets))
		for i, t := range k.Spec.Targets {
			names[i] = t.Name
		}
		return fmt.Sprintf("chosen: %s\n", strings.Join(names, ", "))
	case v1alpha1.Executed:
		return fmt.Sprintf("killed: %s; its recovery is awaited\n", strings.Join(pods, ", "))
	}
	line := k.Status.Verdict
	if k.Status.Reason != "" {
		line += v1alpha1.Verdict(", " + k.Status.Reason)
	}
	text := chaos.OneLine(k.Status.Message)
	switch {
	case k.Status.Recovery != nil && text == "":
		text = "after " + seconds(k.Status.Recovery.Duration)
	case k.Status.Verdict == v1alpha1.Verdict(chaos.Rehearsed):
		text = fmt.Sprintf("nothing was killed, it would have been %s", strings.Join(pods, ", "))
		if !k.Spec.Request.DryRun {
			text += "; this Caprice runs with DRY_RUN true"
		}
	}
	return strings.TrimSuffix(fmt.Sprintf("%s: %s", line, text), ": ") + "\n"
}

// codes are the exit codes of verdicts other than 0.
var codes = []struct {
	code     int
	verdicts []chaos.Verdict
}{
	{2, []chaos.Verdict{chaos.NotRecovered, chaos.Disproved}},
	{3, []chaos.Verdict{chaos.Vetoed}},
	{4, []chaos.Verdict{chaos.Missed, chaos.Failed, chaos.Abandoned}},
}

// verdict returns an error with the exit code of a kill's verdict, none if that is well.
func verdict(k *v1alpha1.Kill) error {
	for _, c := range codes {
		if slices.Contains(c.verdicts, chaos.Verdict(k.Status.Verdict)) {
			return coded{c.code, fmt.Errorf("kill %s: %s", k.Name, k.Status.Verdict)}
		}
	}
	return nil
}

// coded is an error with an exit code of its own.
type coded struct {
	code int
	error
}
