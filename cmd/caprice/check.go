package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/calendar"
	"caprice/kubernetes"
	"caprice/kubernetes/hypotheses"
	"caprice/kubernetes/lint"
	"caprice/kubernetes/manifests"
)

// checkOptions are the flags of 'caprice check'.
type checkOptions struct {
	release release
	files   []string
	all     bool
	output  output
}

func checkCommand() *cobra.Command {
	var k checkOptions
	c := &cobra.Command{
		Use:   "check",
		Short: "Look for what is wrong with workloads, in a cluster or in manifests, before a kill finds it out",
		Long: `Check looks at the workloads of a namespace, with -A of all, or with -f of files, and says what is wrong:

  key          a label or annotation under caprice.chaos/ that there is not, and which may have been meant
  terms        values that cannot be read, a minimum above the mean, days and hours that never open, terms without opt-in, an
               opt-in in the pod template alone, or where Caprice never acts
  kind         in files, an opt-in of what has pods and can have none killed: a CronJob, say
  replicas     a single one, or fewer than the terms ask for
  readiness    a container without readinessProbe
  recovery     pods that take longer to stop and to count as available than their recovery-deadline says
  budget       a PodDisruptionBudget that can never allow a kill
  refused      evictions that the chart gives Caprice no right to, or pods without the label that guard.requirePodLabel wants
  selector     a selector that takes another workload's pods
  hypothesis   in files, a Hypothesis that the API server would refuse, or that could not be asked: an address that PROBE_URLS
               does not allow, say. Whether a query is one Prometheus alone can tell, and in a cluster 'kubectl get hypotheses'
  permissions  what Caprice's account may not do, in a cluster
  file         a document that cannot be read, or an object that is in the files twice

With -f the CAPRICE_ variables of the environment hold, in a cluster the configuration that Caprice has published. Exit
code 1 says that there are errors; warnings alone are no reason for it.`,
		Example: `  caprice check -A
  caprice check -f manifests/ -o json
  helm template shop ./chart | caprice check -n shop -f -`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			return k.run(c.Context(), time.Now(), c.InOrStdin(), c.OutOrStdout(), styleOf(c.OutOrStdout()))
		},
	}
	k.release.flags(c)
	flags := c.Flags()
	flags.StringArrayVarP(&k.files, "filename", "f", nil, "`file` or folder with manifests, or - for standard input; may be repeated")
	flags.BoolVarP(&k.all, "all-namespaces", "A", false, "those of all namespaces")
	printing(c, &k.output)
	return c
}

func (k checkOptions) run(ctx context.Context, now time.Time, stdin io.Reader, stdout io.Writer, style style) error {
	var found []lint.Finding
	var err error
	switch {
	case k.all && (len(k.files) > 0 || k.release.asked() != ""):
		return errors.New("-A is all namespaces of a cluster: want neither -f nor -n beside it")
	case len(k.files) > 0:
		found, err = k.objects(now, stdin)
	default:
		found, err = k.cluster(ctx, now)
	}
	if err != nil {
		return err
	}
	report := checkReport{Findings: make([]findingEntry, len(found))}
	for i, f := range found {
		if report.Findings[i] = (findingEntry{string(f.Severity), f.Check, f.Object, f.Where, f.Message}); f.Severity == lint.Error {
			report.Errors++
		} else {
			report.Warnings++
		}
	}
	if k.output == inTable {
		err = report.print(stdout, style)
	} else {
		err = k.output.encode(stdout, report)
	}
	switch {
	case err == nil && report.Errors == 1:
		err = errors.New("1 error: want none")
	case err == nil && report.Errors > 1:
		err = fmt.Errorf("%d errors: want none", report.Errors)
	}
	return err
}

// objects looks at files.
func (k checkOptions) objects(now time.Time, stdin io.Reader) ([]lint.Finding, error) {
	config, err := readConfig()
	if err != nil {
		return nil, err
	}
	files, err := config.IcsFiles.read()
	if err != nil {
		return nil, err
	}
	cal, err := config.calendar(now, files)
	if err != nil {
		return nil, err
	}
	namespace := k.release.asked()
	if namespace == "" {
		namespace = meta.NamespaceDefault
	}
	objects, broken, err := manifests.Read(k.files, stdin, namespace)
	if err != nil {
		return nil, err
	}
	var found []lint.Finding
	for _, err := range broken {
		where, what, _ := strings.Cut(err.Error(), ": ")
		found = append(found, lint.Finding{Severity: lint.Error, Check: "file", Where: where, Message: what})
	}
	scope := kubernetes.Scope{Namespaces: config.Namespaces, Excluded: config.ExcludedNamespaces}
	return append(found, linter(config, scope, cal, now).Check(objects)...), nil
}

func linter(c Config, scope kubernetes.Scope, cal calendar.Calendar, now time.Time) lint.Linter {
	beliefs := &hypotheses.Beliefs{Scope: scope, Honoured: c.ProbeNamespaces, Question: questions{prober: c.prober()}.ask}
	return lint.Linter{Scope: scope, Defaults: c.terms(cal), RespectPDB: bool(c.RespectPDB), MayEvict: bool(c.MayEvict), RequirePodLabel: bool(c.RequirePodLabel), Beliefs: beliefs, Now: now}
}

// cluster looks at what there is, and at Caprice's own permissions.
func (k checkOptions) cluster(ctx context.Context, now time.Time) ([]lint.Finding, error) {
	p, err := k.release.published(ctx)
	if err != nil {
		return nil, err
	}
	cal, err := p.calendar(now)
	if err != nil {
		return nil, err
	}
	namespace := meta.NamespaceAll
	if !k.all {
		if namespace, err = k.release.here(); err != nil {
			return nil, err
		}
	}
	objects, err := p.client.Objects(ctx, namespace)
	if err != nil {
		return nil, err
	}
	return append(permissions(ctx, p), linter(p.config, p.scope(), cal, now).Check(objects)...), nil
}

// permissions looks at what Caprice's account may not do. Whoever may not ask that is told so.
func permissions(ctx context.Context, p published) (found []lint.Finding) {
	account, missing, err := p.missing(ctx)
	object := "account " + p.client.Namespace + "/" + account
	if err != nil {
		return []lint.Finding{{Severity: lint.Warning, Check: "permissions", Object: object, Message: "not checked: " + kubernetes.Plain(err).Error()}}
	}
	for _, m := range missing {
		found = append(found, lint.Finding{Severity: lint.Error, Check: "permissions", Object: object, Message: "it may not " + m + ": want a role that grants it"})
	}
	return found
}

// checkReport is what programs read.
type checkReport struct {
	Errors   int            `json:"errors"`
	Warnings int            `json:"warnings"`
	Findings []findingEntry `json:"findings"`
}

type findingEntry struct {
	Severity string `json:"severity"`
	Check    string `json:"check"`
	Object   string `json:"object"`
	Where    string `json:"where"` // empty: in the cluster
	Message  string `json:"message"`
}

func (r checkReport) print(w io.Writer, style style) error {
	if len(r.Findings) == 0 {
		_, err := fmt.Fprintln(w, "Nothing is wrong.")
		return err
	}
	rows := [][]string{{style.plain("SEVERITY"), "CHECK", "OBJECT", "MESSAGE"}}
	for _, f := range r.Findings {
		paint := style.bad
		if f.Severity == string(lint.Warning) {
			paint = style.warn
		}
		message := f.Message
		if f.Where != "" {
			message += " (" + f.Where + ")"
		}
		rows = append(rows, []string{paint(f.Severity), f.Check, f.Object, message})
	}
	return table(w, rows)
}
