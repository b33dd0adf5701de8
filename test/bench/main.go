// Command bench measures Caprice on a cluster of its own, beside a bare loop that does the same deletions, and lets it run
// for long to see that nothing is left out or done twice, and how it grows.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are what a measurement is of.
type options struct {
	program         string // caprice
	workloads, pods int    // pods of each workload
	namespaces      int    // that they are spread over
	rate            float64
	optedIn         float64 // share of workloads
	kills           int
	idle            time.Duration
	soak            time.Duration // zero: no soak
	records, perDay int           // zero: none are measured
	out             string
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == floorCommand {
		exit(runFloor())
	}
	var o options
	flag.StringVar(&o.program, "program", "build/caprice", "the `path` of caprice")
	flag.IntVar(&o.workloads, "workloads", 1000, "how many Deployments there are")
	flag.IntVar(&o.pods, "pods", 2, "how many pods each has")
	flag.IntVar(&o.namespaces, "namespaces", 20, "how many namespaces they are spread over")
	flag.Float64Var(&o.rate, "rate", 20, "kills per second")
	flag.Float64Var(&o.optedIn, "opted-in", 1, "the share of Deployments that opt in")
	flag.IntVar(&o.kills, "kills", 1000, "how many kills are measured")
	flag.DurationVar(&o.idle, "idle", 30*time.Second, "how long it is measured when nothing is due")
	flag.DurationVar(&o.soak, "soak", 0, "let it kill for so long instead, and watch what grows")
	flag.IntVar(&o.records, "records", 0, "measure so many records of kills instead")
	flag.IntVar(&o.perDay, "per-day", 5000, "how many of these there are for each day")
	flag.StringVar(&o.out, "out", "build/bench.json", "where the numbers go")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	exit(o.run(ctx))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run boots a cluster, fills it, and measures on it.
func (o options) run(ctx context.Context) (err error) {
	load := time.Minute + time.Duration(o.workloads*o.pods)*50*time.Millisecond
	killing := time.Duration(float64(o.kills)/o.rate*float64(time.Second)) + o.soak
	writing := time.Duration(o.records) * 20 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute+load+o.idle+3*killing+writing)
	defer cancel()
	if o.records > 0 {
		o.workloads = 0
		if most := 86400; o.perDay < 1 || o.perDay > most {
			return fmt.Errorf("%d records a day: want 1 to %d", o.perDay, most)
		}
	} else if mean := o.mean(); mean < 10*time.Second {
		return fmt.Errorf("%.0f kills per second of %d workloads are one in %s for each: want 10 s at least", o.rate, o.subjects(), mean)
	}
	s, err := newStage(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.load(ctx); err != nil {
		return err
	}
	switch {
	case o.records > 0:
		return s.history(ctx)
	case o.soak > 0:
		return s.soak(ctx)
	}
	return s.bench(ctx)
}

// subjects is how many workloads opt in.
func (o options) subjects() int { return int(o.optedIn * float64(o.workloads)) }

// mean is the time between the kills of one workload by which all together are killed at the rate.
func (o options) mean() time.Duration {
	return time.Duration(float64(o.subjects()) / o.rate * float64(time.Second)).Round(time.Second)
}
