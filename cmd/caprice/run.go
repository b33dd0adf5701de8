package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/golang/glog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"caprice/calendar"
	"caprice/kubernetes"
	"caprice/report"
	"caprice/report/notify"
)

// input is all that a process reads before it speaks with the cluster.
type input struct {
	Config
	files    []file
	cal      calendar.Calendar
	notifier *notify.Notifier
}

func readInput(now time.Time) (in input, err error) {
	if in.Config, err = readConfig(); err != nil {
		return in, err
	}
	if in.files, err = in.IcsFiles.read(); err != nil {
		return in, err
	}
	if in.cal, err = in.calendar(now, in.files); err != nil {
		return in, err
	}
	if in.HaltOnAlertsTokenFile != "" {
		if _, err := os.ReadFile(in.HaltOnAlertsTokenFile); err != nil {
			return in, fmt.Errorf("%s_HALT_ON_ALERTS_TOKEN_FILE: %w: want a file that can be read", prefix, err)
		}
	}
	in.notifier, err = in.Config.notifier()
	return in, err
}

const (
	// gcPercent is GOGC where the environment says nothing. Of a heap of some 10 MiB another half is spared, for no processor time
	// that could be measured.
	gcPercent = 50
	// processors is the most that GOMAXPROCS is where the environment says nothing. Kills wait for answers most of the time, and
	// idle processors cost time and memory, the more the machine has; with one alone, a kill would wait for another.
	processors = 2
)

// silence has client-go ask a connection of which nothing was heard for 5 s whether it is alive, and give it up after 5 s more, where the
// environment says nothing. It would otherwise be 45 s until there is another, whatever is asked meanwhile: a lease lasts six.
var silence = map[string]string{"HTTP2_READ_IDLE_TIMEOUT_SECONDS": "5", "HTTP2_PING_TIMEOUT_SECONDS": "5"}

func heedSilence() error {
	for name, seconds := range silence {
		if os.Getenv(name) != "" {
			continue
		}
		if err := os.Setenv(name, seconds); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	return nil
}

// run plans and kills until ctx ends.
func run(ctx context.Context) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(min(processors, runtime.GOMAXPROCS(0)))
	}
	if err := heedSilence(); err != nil {
		return err
	}
	in, err := readInput(time.Now())
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	metrics := report.NewMetrics(registry, version)
	for i, target := range in.notifier.Counts() {
		metrics.Notifies(target.Target, func() (sent, failed, dropped int64) {
			now := in.notifier.Counts()[i]
			return now.Sent, now.Failed, now.Dropped
		})
	}
	listener, err := net.Listen("tcp", string(in.Listen))
	if err != nil {
		return fmt.Errorf("%s_LISTEN=%q: %w: %w", prefix, in.Listen, errListen, err)
	}
	client, err := kubernetes.Connect(ctx, "caprice/"+version, metrics)
	if err == nil && in.scope(client.Namespace).Nowhere() {
		err = fmt.Errorf("%s_NAMESPACES=%q: each is Caprice's own or excluded: want one in which it acts", prefix, in.Namespaces)
	}
	if err != nil {
		_ = listener.Close()
		return err
	}
	ready := &readiness{client: client, scope: in.scope(client.Namespace), metrics: metrics}
	glog.Infof("listening address=%s", listener.Addr())

	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() { serve(ctx, listener, ready, registry) })
	if !ready.waitForPermissions(ctx) {
		return nil // told to end
	}
	running.Go(func() { ready.watchPermissions(ctx) })
	c, err := assemble(ctx, in, client, ready)
	if err != nil {
		return err
	}
	return c.run(ctx)
}

// mostScrapes is how many may ask for metrics at once: an answer has a line for each namespace and reason, and all take memory.
const mostScrapes = 3

// mostHeaders is how many bytes of headers a request may have.
const mostHeaders = 8 << 10

// serve answers /healthz, /readyz and /metrics until ctx ends.
func serve(ctx context.Context, listener net.Listener, ready *readiness, registry *prometheus.Registry) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: mostScrapes}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := ready.problem(); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	})
	// Nobody keeps a place, or memory, by reading no more, by asking nothing, or by asking at length.
	server := &http.Server{
		Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 30 * time.Second,
		MaxHeaderBytes: mostHeaders - 4<<10, // net/http reads 4 kB more
		ConnState:      new(crowd).note,
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // it ends by Close below
	<-ctx.Done()
	_ = server.Close()
	serving.Wait()
}
