package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/golang/glog"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"caprice/alerts"
	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/kubernetes/election"
	"caprice/kubernetes/halts"
	"caprice/kubernetes/hypotheses"
	"caprice/kubernetes/records"
	"caprice/report"
)

// controller is what runs once Caprice may do its work.
type controller struct {
	input
	client    *kubernetes.Client
	ready     *readiness
	own       *core.ObjectReference // Caprice's own Deployment; nil: it is not known
	seed      chaos.Seed
	runner    *chaos.Runner
	election  *election.Election
	claims    *election.Claims
	records   *records.Store
	orders    *halts.Orders
	alarms    *alerts.Alerts // nil: none halts
	beliefs   *hypotheses.Beliefs
	discovery *kubernetes.Discovery
	events    *kubernetes.Events
}

// assemble puts together what the input asks for.
func assemble(ctx context.Context, in input, client *kubernetes.Client, ready *readiness) (*controller, error) {
	c := &controller{input: in, client: client, ready: ready, alarms: in.alerts()}
	var err error
	if c.seed, err = client.Seed(ctx); err != nil {
		return nil, err
	}
	instance, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("the name of this host: %w", err)
	}
	if c.own, err = own(ctx, client, in.Deployment); err != nil {
		return nil, err
	}
	scope, terms, metrics := ready.scope, in.terms(in.cal), ready.metrics
	c.runner = in.runner(c.seed, in.cal)
	c.election = election.New(client, client.Namespace, instance+"_"+rand.Text()[:8], c.own)
	c.election.Settled = c.runner.Settled
	c.election.Trouble = func(err error) { glog.Warningf("lease not read or written error=%q", err) }
	c.claims = election.NewClaims(client, client.Namespace, scope)
	c.records = &records.Store{Client: client, Scope: scope, Holder: instance, Others: c.claims.Others, AcknowledgeAfter: time.Duration(in.AcknowledgeAfter)}
	c.records.Trouble = func(err error) { glog.Warningf("record not written error=%q", err) }
	c.orders = &halts.Orders{Client: client, Scope: scope}
	c.beliefs = &hypotheses.Beliefs{Client: client, Scope: scope, Others: c.claims.Others, Honoured: in.ProbeNamespaces, Question: questions{client, in.prober()}.ask}
	c.events = kubernetes.NewEvents(client, instance, c.own, metrics)
	c.events.Lost = func(err error) { glog.Warningf("Event dropped error=%q", err) }
	c.discovery = &kubernetes.Discovery{Client: client, Scope: scope, Defaults: terms, Sink: sink{c.runner, c.events, c.claims, metrics}}

	r := c.runner
	r.Cluster = &kubernetes.Cluster{Client: client, Defaults: terms, RequirePodLabel: bool(in.RequirePodLabel)}
	r.Records, r.Lease, r.Hypotheses = c.records, c.election, c.beliefs
	r.Halts = halters{ready, c.claims, c.orders}
	if c.alarms != nil {
		r.Halts = halters{ready, c.claims, c.alarms, c.orders}
	}
	r.Report = reporters{report.Log{RecordName: v1alpha1.Name}, c.events, metrics, in.notifier}
	in.notifier.Asked = c.discovery.Asked
	ready.follows(c.claims, c.discovery)
	glog.Infof("started version=%s namespace=%s excluded=%s dryRun=%v days=%s hours=%s zone=%s holidays=%s freezes=%s icsFiles=%s mean=%s", version, client.Namespace, strings.Join(scope.Excluded, ","), in.DryRun, in.Days, in.Hours, in.TimeZone, in.Holidays, in.Freezes, strings.Join(in.IcsFiles, ","), in.MeanTimeBetweenKills)
	return c, nil
}

// own returns Caprice's own Deployment; nil if it has none, or may not read it. Any other error may pass, and then what goes
// with the Deployment would have no owner for good.
func own(ctx context.Context, client *kubernetes.Client, deployment string) (*core.ObjectReference, error) {
	if deployment == "" {
		return nil, nil
	}
	own, err := client.Deployment(ctx, deployment)
	if kubernetes.Absent(err) || apierrors.IsForbidden(err) {
		glog.Warningf("no Events about Caprice itself error=%q", err)
		return nil, nil
	}
	return own, err
}

// errRestored ends a process whose watches may hear nothing.
var errRestored = errors.New("the API server has gone back to versions from before, as after a restore from a backup: the process that starts in place of this one reads all anew")

// run finds workloads, and stands for election until ctx ends. What ended last is still written down and told of. Its error is
// errRestored.
func (c *controller) run(ctx context.Context) (err error) {
	var running sync.WaitGroup
	defer running.Wait()
	telling, told := context.WithCancel(context.WithoutCancel(ctx))
	var posting, settlements sync.WaitGroup
	posting.Go(func() { c.events.Run(telling) })
	posting.Go(func() { c.notifier.Run(telling) })
	defer func() {
		settlements.Wait() // the last kill is written down
		told()
		posting.Wait() // and its Event posted, and who wants to know has been told
		glog.Infof("stopped droppedEvents=%d", c.events.Dropped())
	}()

	ctx, stop := context.WithCancelCause(ctx)
	defer func() {
		if stop(nil); context.Cause(ctx) == errRestored {
			err = errRestored
		}
	}()
	c.election.Restored = func() { stop(errRestored) }
	running.Go(func() { c.discovery.Run(ctx) })
	running.Go(func() { c.beliefs.Run(ctx) })
	if !c.ready.waitForWorkloads(ctx) {
		return nil // told to end
	}
	c.runner.Arm()
	glog.Infof("armed workloads=%d", c.runner.Subjects())
	running.Go(func() {
		for chaos.Pause(ctx, time.Hour) == nil {
			c.ready.metrics.Keep(c.runner.Namespaces())
		}
	})
	running.Go(func() {
		c.claims.Run(ctx, func(problem string) {
			glog.Warningf("claims changed problem=%q", problem)
			c.ready.metrics.Contested(c.claims.Contested())
		})
	})
	if !c.ready.waitForClaims(ctx) {
		return nil // told to end
	}

	settling, settled := context.WithCancel(context.WithoutCancel(ctx))
	defer settled()
	settlements.Go(func() { c.runner.WriteStatuses(settling) })
	c.election.Run(ctx, func(leading context.Context, term chaos.Term) {
		c.lead(leading, term)
		if ctx.Err() != nil {
			settled() // while the lease is given up
		}
		glog.Info("leading no more")
	})
	return nil
}

// lead carries out the plan, and does beside it what is the leader's, until ctx ends or the plan cannot be led any more.
func (c *controller) lead(ctx context.Context, term chaos.Term) {
	ctx, end := context.WithCancel(ctx)
	glog.Infof("leading lastAlive=%s", term.Alive.UTC().Format(time.RFC3339Nano))
	metrics := c.ready.metrics
	metrics.Leads()
	defer metrics.StandsBy()
	c.ready.leading.Store(c.runner)
	defer c.ready.leading.Store(nil)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer end()
	beside.Go(func() { c.keepPublished(ctx) })
	beside.Go(func() { measure(ctx, c.runner, c.claims.Others, metrics, term.Alive) })
	beside.Go(func() { trim(ctx, c.records, c.Config) })
	beside.Go(func() { crier{c.events, metrics}.follow(ctx, c.orders, c.alarms) })
	beside.Go(func() {
		c.beliefs.Follow(ctx, func(h *v1alpha1.Hypothesis, problem string) {
			glog.Warningf("hypothesis cannot work hypothesis=%s/%s problem=%q", h.Namespace, h.Name, problem)
			c.events.Unworkable(h, problem)
		})
	})
	c.runner.Lead(ctx, term)
}

// keepPublished has written down what 'caprice plan' and 'caprice status' read until ctx ends: what a leader of before wrote may be
// wrong by now, and people may change it. Kills do not depend on it.
func (c *controller) keepPublished(ctx context.Context) {
	data := c.effective(c.seed, c.files)
	for told := false; c.publish(ctx, data); told = true {
		switch {
		case told:
		case data[unsaidKey] != "":
			glog.Warningf("configuration not published error=%q", data[unsaidKey])
		default:
			glog.Info("configuration published")
		}
		if chaos.Pause(ctx, publishAnew) != nil {
			return
		}
	}
}

// publish tries until that is done; it returns false if ctx ends before.
func (c *controller) publish(ctx context.Context, data map[string]string) bool {
	for pause := publishAgain; ; pause = min(2*pause, time.Minute) {
		err := c.client.Publish(ctx, data, c.own)
		if err == nil || ctx.Err() != nil {
			return err == nil
		}
		glog.Warningf("configuration not published error=%q", err)
		if chaos.Pause(ctx, pause) != nil {
			return false
		}
	}
}

const (
	// publishAgain is how long after it could not be published the configuration is for the first time; then twice as long.
	publishAgain = time.Second
	// publishAnew is how long after it was published it is again.
	publishAnew = 5 * time.Minute
)

// trimmer is a *records.Store.
type trimmer interface {
	Trim(context.Context, records.Keep) (int, error)
}

// trimFirst is how long after it begins a leader trims the history for the first time, and trimAgain how long after that again.
const trimFirst, trimAgain = 10 * time.Minute, time.Hour

// trim deletes old records, unless the clock was set since it began, or did last: what is old it alone says, and it may be wrong.
func trim(ctx context.Context, store trimmer, c Config) {
	began := time.Now()
	for pause := trimFirst; chaos.Pause(ctx, pause) == nil; pause, began = trimAgain, time.Now() {
		if set := chaos.ClockStep(began); set.Abs() > chaos.ClocksApart {
			glog.Warningf("history not trimmed error=%q", fmt.Sprintf("the clock was set by %s: want it right for an hour", set.Round(time.Second)))
			continue
		}
		now := time.Now()
		keep := records.Keep{Since: now.Add(-time.Duration(c.History)), Always: now.Add(-leastHistory), Most: int(c.HistoryLimit)}
		n, err := store.Trim(ctx, keep)
		if n > 0 {
			glog.Infof("history trimmed records=%d", n)
		}
		if err != nil {
			glog.Warningf("history not trimmed error=%q", err)
		}
	}
}
