package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/golang/glog"
	core "k8s.io/api/core/v1"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/report"
	"caprice/victims"
)

// run plans and kills until ctx ends.
func run(ctx context.Context) error {
	config, err := readConfig()
	if err != nil {
		return err
	}
	files, err := config.IcsFiles.read()
	if err != nil {
		return err
	}
	cal, err := config.calendar(time.Now(), files)
	if err != nil {
		return err
	}
	terms := config.terms(cal)
	client, err := kubernetes.Connect(ctx, "caprice/"+version)
	if err != nil {
		return err
	}
	scope := config.scope(client.Namespace)
	ready := &readiness{client: client, scope: scope}
	listener, err := net.Listen("tcp", config.Listen)
	if err != nil {
		return fmt.Errorf("%s_LISTEN=%q: want an address to listen on, as in :8080: %w", prefix, config.Listen, err)
	}

	glog.Infof("listening address=%s", listener.Addr())

	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() { serve(ctx, listener, ready) })
	if !ready.waitForPermissions(ctx) {
		return nil // told to end
	}
	running.Go(func() { ready.watchPermissions(ctx) })
	seed, err := client.Seed(ctx)
	if err != nil {
		return err
	}

	instance, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("the name of this host: %w", err)
	}
	var own *core.ObjectReference
	if config.Deployment != "" {
		if own, err = client.Deployment(ctx, config.Deployment); err != nil {
			glog.Warningf("no Events about Caprice itself error=%q", err)
		}
	}
	events := kubernetes.NewEvents(client, instance, own)
	telling, told := context.WithCancel(context.WithoutCancel(ctx))
	var posting, settlements sync.WaitGroup
	posting.Go(func() { events.Run(telling) })
	defer func() {
		settlements.Wait() // the last kill is written down
		told()
		posting.Wait() // and its Event posted
		glog.Infof("stopped droppedEvents=%d", events.Dropped())
	}()

	runner := chaos.NewRunner(seed)
	runner.Cluster = &kubernetes.Cluster{Client: client, Defaults: terms}
	runner.Report = tell{report.Log{}, events}
	election := kubernetes.NewElection(client, instance+"_"+rand.Text()[:8], own)
	records := &kubernetes.Records{Client: client, Scope: scope, Holder: instance}
	orders := &kubernetes.Orders{Client: client, Scope: scope}
	runner.Records, runner.Lease, runner.Halts = records, election, orders
	runner.Calendar, runner.Limits = cal, config.limits()
	runner.LateGrace, runner.Recovery, runner.MinAge = time.Duration(config.LateGrace), time.Duration(config.RecoveryDeadline), time.Duration(config.MinAge)
	runner.DryRun, runner.RespectPDB = bool(config.DryRun), bool(config.RespectPDB)
	discovery := &kubernetes.Discovery{Client: client, Scope: scope, Defaults: terms, Sink: sink{runner, events}}
	ready.synced.Store(discovery)
	glog.Infof("started version=%s namespace=%s excluded=%s dryRun=%v days=%s hours=%s zone=%s holidays=%s freezes=%s icsFiles=%s mean=%s", version, client.Namespace, strings.Join(scope.Excluded, ","), config.DryRun, config.Days, config.Hours, config.TimeZone, config.Holidays, config.Freezes, strings.Join(config.IcsFiles, ","), config.MeanTimeBetweenKills)

	running.Go(func() { discovery.Run(ctx) })
	if !ready.waitForWorkloads(ctx) {
		return nil // told to end
	}
	runner.Arm()
	glog.Infof("armed workloads=%d", runner.Subjects())

	settling, settled := context.WithCancel(context.WithoutCancel(ctx))
	defer settled()
	settlements.Go(func() { runner.Run(settling) })
	return election.Run(ctx, func(leading context.Context, term chaos.Term) {
		glog.Infof("leading lastAlive=%s", term.Alive.UTC().Format(time.RFC3339Nano))
		var beside sync.WaitGroup
		beside.Go(func() { // what 'caprice plan' and 'caprice status' read; kills do not depend on it
			data, err := config.effective(seed, files)
			if err == nil {
				err = client.Publish(leading, data, own)
			}
			if err != nil {
				glog.Warningf("configuration not published error=%q", err)
				return
			}
			glog.Info("configuration published")
		})
		beside.Go(func() { trim(leading, records, time.Duration(config.History)) })
		beside.Go(func() {
			orders.Follow(leading, func(h v1alpha1.Halt) {
				glog.Infof("chaos halted halt=%s/%s reason=%q", h.Namespace, h.Name, h.Spec.Reason)
				events.Halted(h)
			}, func(h v1alpha1.Halt) {
				glog.Infof("chaos resumed halt=%s/%s", h.Namespace, h.Name)
				events.Resumed(h)
			})
		})
		runner.Lead(leading, term)
		beside.Wait()
		if ctx.Err() != nil {
			settled() // while the lease is given up
		}
		glog.Info("leading no more")
	})
}

// trim deletes old records once an hour.
func trim(ctx context.Context, records *kubernetes.Records, history time.Duration) {
	for wait(ctx, time.Hour) {
		if n, err := records.Trim(ctx, time.Now().Add(-history)); err != nil {
			glog.Warningf("history not trimmed error=%q", err)
		} else if n > 0 {
			glog.Infof("history trimmed records=%d", n)
		}
	}
}

// tell passes on to several reporters.
type tell []chaos.Reporter

func (t tell) Killed(k chaos.Record, d chaos.Death) {
	for _, r := range t {
		r.Killed(k, d)
	}
}

func (t tell) Unrecorded(o chaos.Outcome, err error) {
	for _, r := range t {
		r.Unrecorded(o, err)
	}
}

func (t tell) Trouble(what string, err error) {
	for _, r := range t {
		r.Trouble(what, err)
	}
}

func (t tell) Planned(p chaos.DayPlan) {
	for _, r := range t {
		r.Planned(p)
	}
}

func (t tell) Ended(o chaos.Outcome) {
	for _, r := range t {
		r.Ended(o)
	}
}

// sink passes on what discovery finds.
type sink struct {
	*chaos.Runner
	events *kubernetes.Events
}

func (s sink) Invalid(w victims.Workload, err error) {
	glog.Warningf("invalid terms workload=%s error=%q", w, err)
	s.events.Invalid(w, err)
}

// serve answers /healthz and /readyz until ctx ends.
func serve(ctx context.Context, listener net.Listener, ready *readiness) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := ready.problem(); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // it ends by Close below
	<-ctx.Done()
	_ = server.Close()
	serving.Wait()
}
