package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"caprice/calendar"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/kubernetes/records"
	"caprice/victims"
)

// explainOptions are the flags of 'caprice explain'.
type explainOptions struct {
	release release
	output  output
}

func explainCommand() *cobra.Command {
	var e explainOptions
	c := &cobra.Command{
		Use:   "explain KIND/NAME",
		Short: "Say why a workload is killed or not, and when: its terms, windows and what each gate says now",
		Long: `Explain says of one workload whether it is opted in and by which object, on which terms and whose word each is, when its
windows are, how many kills it has to expect, what each gate would say of a kill now, which pods could die and what came
of the last kills; and, if you may read the seed, when the next one is planned. The gates are asked by the code that kills ask
them by, and it says if the kill would fail all the same. For a workload that is not opted in it says what to do.

With your rights it reads what Caprice has published, that one workload and what belongs to it: its namespace, pods,
PodDisruptionBudgets, halts and kills; and unless a halt holds it asks, as check does and if you may, whether Caprice's account
lacks a permission: all kills are vetoed then. A gate that may not be asked otherwise says so.`,
		Example: `  caprice explain deploy/web -n shop
  caprice explain web -n shop -o json`,
		Args: one(aWorkload),
		RunE: func(c *cobra.Command, args []string) error {
			out := bufio.NewWriter(c.OutOrStdout())
			if err := e.run(c.Context(), args[0], time.Now(), out, styleOf(c.OutOrStdout())); err != nil {
				return err
			}
			return out.Flush()
		},
	}
	e.release.flags(c)
	printing(c, &e.output)
	c.ValidArgsFunction = e.release.completeWorkload
	return c
}

func (e explainOptions) run(ctx context.Context, name string, now time.Time, stdout io.Writer, style style) error {
	p, err := e.release.published(ctx)
	if err != nil {
		return err
	}
	namespace, err := e.release.here()
	if err != nil {
		return err
	}
	found, err := p.client.Find(ctx, namespace, name)
	if err != nil {
		return err
	}
	cal, err := p.calendar(now)
	if err != nil {
		return err
	}
	x := explainReport{Namespace: found.Namespace, Kind: string(found.Kind), Name: found.Name, DryRun: bool(p.config.DryRun),
		Terms: []termEntry{}, Windows: []windowEntry{}, Gates: []gateEntry{}, Pods: []podEntry{}, Kills: []killEntry{}}
	x.optIn(found, p.scope())
	if x.OptedIn {
		err = x.examine(ctx, subject{p, cal, found}, now)
	}
	if err != nil {
		return err
	}
	if e.output == inTable {
		return x.print(stdout, style)
	}
	return e.output.encode(stdout, x)
}

// subject is whom an explanation is of, and all that is needed for it.
type subject struct {
	published
	cal   calendar.Calendar
	found kubernetes.Owned
}

// optIn says whether the workload is opted in and by which object, and otherwise what would do it.
func (x *explainReport) optIn(found kubernetes.Owned, scope kubernetes.Scope) {
	const key = victims.OptIn
	kind := strings.ToLower(x.Kind)
	label := fmt.Sprintf("kubectl label %s %s -n %s --overwrite %s=true", kind, x.Name, x.Namespace, key)
	own, whole := found.Own.Labels[key], found.OfNamespace.Labels[key]
	switch {
	case !scope.Contains(x.Namespace):
		x.By = fmt.Sprintf("namespace %s is not one in which Caprice acts, by its NAMESPACES %q and EXCLUDED_NAMESPACES %q", x.Namespace, strings.Join(scope.Namespaces, ","), strings.Join(scope.Excluded, ","))
	case whole == "false":
		x.By, x.Do = fmt.Sprintf("its namespace says %s: \"false\", which wins", key), fmt.Sprintf("kubectl label namespace %s %s-", x.Namespace, key)
		if own != "true" {
			x.Do += " && " + label
		}
	case whole != "" && whole != "true":
		x.By, x.Do = fmt.Sprintf("the label %s of its namespace is %q, neither \"true\" nor \"false\"", key, whole), fmt.Sprintf("kubectl label namespace %s %s-", x.Namespace, key)
		if own != "true" {
			x.Do += " && " + label
		}
	case own == "false":
		x.By, x.Do = fmt.Sprintf("its label %s is \"false\"", key), label
	case own == "true":
		x.OptedIn, x.By = true, "by its label "+key
	case own != "":
		x.By, x.Do = fmt.Sprintf("its label %s is %q, neither \"true\" nor \"false\"", key, own), label
	case whole == "true":
		x.OptedIn, x.By = true, "by the label "+key+" of its namespace"
	default:
		x.By, x.Do = "neither it nor its namespace has the label "+key, strings.Replace(label, " --overwrite", "", 1)
	}
}

// examine says all there is to say of a workload that is opted in.
func (x *explainReport) examine(ctx context.Context, s subject, now time.Time) error {
	known := &visible{Store: &records.Store{Client: s.client, Scope: s.config.scope(s.client.Namespace), AcknowledgeAfter: time.Duration(s.config.AcknowledgeAfter)}, namespace: s.found.Namespace}
	r := s.runner(known)
	i := r.Inspect(ctx, s.found.Workload)
	for _, a := range i.Answers {
		switch {
		case a.Gate == chaos.Halted:
			a.Err = s.halted(ctx, a.Err)
		case a.Gate == chaos.OverBudget && a.Err == nil && known.hidden != nil && !x.DryRun:
			a.Err = known.hidden
		}
		x.Gates = append(x.Gates, gateOf(a))
		var wrong *chaos.Veto
		if errors.As(a.Err, &wrong) && wrong.Reason == chaos.TermsChanged {
			x.Wrong = wrong.Message
		}
	}
	if x.Wrong != "" {
		return nil
	}
	if err := x.lastKills(ctx, s); err != nil {
		x.KillsUnknown = kubernetes.Plain(err).Error()
	}
	if i.WorkloadState.Terms.Pace.Mean == (victims.Span{}) {
		x.NextUnknown = "its terms could not be read, as the gates say"
		return nil
	}
	terms := i.WorkloadState.Terms
	x.terms(terms, s.found, r.TimeToHeal(i.WorkloadState))
	x.Refused = linter(s.config, s.scope(), s.cal, now).Eviction(terms)
	x.windows(terms.Calendar, now)
	x.Expected = i.Subject.Expected(calendar.Window{Open: now, Close: now.Add(7 * 24 * time.Hour)})
	for _, f := range i.Pods {
		x.Pods = append(x.Pods, podEntry{f.Name, f.Node, f.Why == "", string(f.Why)})
	}
	seed, err := s.seed(ctx)
	if err != nil {
		x.NextUnknown = err.Error()
		return nil
	}
	x.next(seed, i.Subject, now)
	return nil
}

// terms says what holds for the workload, and whose word each is.
func (x *explainReport) terms(t victims.Terms, found kubernetes.Owned, recovery time.Duration) {
	minimum := ""
	if t.Pace.Minimum != nil {
		minimum = t.Pace.Minimum.String()
	}
	value := ""
	if t.Scale.Value > 0 {
		value = fmt.Sprint(t.Scale.Value)
	}
	values := map[string]string{
		victims.Mean: t.Pace.Mean.String(), victims.Minimum: cmp.Or(minimum, "1d if the mean is 1d or more, else half of it"),
		victims.KillMode: string(t.Scale.Mode), victims.KillValue: cmp.Or(value, "none"), victims.MinReplicas: fmt.Sprint(t.MinReplicas),
		victims.TimeZone: t.Calendar.Zone.String(), victims.WorkingDays: t.Calendar.Days.String(), victims.WorkHours: t.Calendar.Hours.String(),
		victims.Heal: recovery.String(), victims.KillMethod: string(t.Removal()), victims.Grace: cmp.Or(t.Grace.String(), "the pod's own"),
	}
	for _, key := range victims.Keys {
		value, ok := values[key.Name]
		if !ok {
			continue
		}
		says := key.Name
		if says == victims.KillMethod && t.Removal() != t.Method {
			says = victims.KillMode
		}
		x.Terms = append(x.Terms, termEntry{key.Name, value, cmp.Or(victims.Origin(says, found.Own, found.OfNamespace), "configuration")})
	}
}

// nextWindows is how many are shown.
const nextWindows = 10

func (x *explainReport) windows(cal calendar.Calendar, now time.Time) {
	if x.Closed = cal.Why(now); x.Closed != "" {
		x.Closed = "closed: " + x.Closed
	}
	for t := now; len(x.Windows) < nextWindows; {
		w, ok := cal.Next(t)
		if !ok {
			return
		}
		x.Windows = append(x.Windows, windowEntry{w.Open.Format(time.RFC3339), w.Close.Format(time.RFC3339)})
		t = w.Close
	}
}

// foreseen is how many days are searched for the next kill.
const foreseen = 366

func (x *explainReport) next(seed chaos.Seed, s chaos.Subject, now time.Time) {
	today := s.Terms.Calendar.Date(now)
	for day := -1; day < foreseen; day++ {
		kills := chaos.Plan(seed, s.Terms.Calendar.Day(today.Add(day)), s)
		if i := slices.IndexFunc(kills, func(k chaos.Kill) bool { return k.At.After(now) }); i >= 0 {
			x.Next = kills[i].At.Format(time.RFC3339)
			return
		}
	}
	x.NextUnknown = "none within a year"
}
