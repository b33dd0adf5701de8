package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"caprice/calendar"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/kubernetes/records"
	"caprice/victims"
)

// history measures the records of many days: how much room they take, how long it takes to read and to trim them, and what
// they cost a Caprice that starts.
func (s *stage) history(ctx context.Context) error {
	// The youngest are of yesterday: none is planned for later than now.
	s.youngest = time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)
	store, err := s.recorder(ctx)
	if err != nil {
		return err
	}
	say("Writing %d records, %d a day", s.options.records, s.perDay)
	before, err := s.serverMemory()
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := s.fill(ctx, store); err != nil {
		return err
	}
	fmt.Printf("  that took %s\n", time.Since(begin).Round(time.Second))
	after, err := s.serverMemory()
	if err != nil {
		return err
	}

	say("%d records of %d days in %d namespaces", s.options.records, s.days(), s.namespaces)
	size, err := os.Stat(filepath.Join(s.dir, "etcd", "member", "snap", "db"))
	if err != nil {
		return err
	}
	fmt.Printf("  %-60s %10.1f MB\n", "etcd's file, with what it has not compacted", float64(size.Size())/1e6)
	fmt.Printf("  %-60s %10.1f MiB\n", "the API server's memory, before", before)
	fmt.Printf("  %-60s %10.1f MiB\n", "and after", after)
	oneDay := "caprice.chaos/date=" + calendar.Calendar{}.Date(s.youngest).String()
	for _, args := range [][]string{
		{"get", "kills", "-A"},
		{"get", "kills", "-n", namespace(0)},
		{"get", "kills", "-A", "-l", oneDay},
		{"get", "kills", "-A", "--field-selector", "status.verdict=NotRecovered"},
	} {
		if err := timed("kubectl "+strings.Join(args, " "), func() (int, error) {
			said, err := s.cluster.Kubectl(ctx, "", args...)
			return strings.Count(said, "\n"), err
		}); err != nil {
			return err
		}
	}
	if err := timed("caprice kills -A", func() (int, error) {
		command := exec.CommandContext(ctx, s.program, "kills", "-A")
		command.Env = append(os.Environ(), "KUBECONFIG="+s.cluster.Kubeconfig)
		said, err := command.Output()
		return strings.Count(string(said), "\n"), err
	}); err != nil {
		return err
	}
	if err := s.beginWithHistory(ctx); err != nil {
		return err
	}
	oldest := s.planned(s.options.records - 1).Truncate(24 * time.Hour)
	if err := s.trim(ctx, store, "trimming the oldest day", s.options.records-(s.days()-1)*s.perDay, records.Keep{Since: oldest.AddDate(0, 0, 1)}); err != nil {
		return err
	}
	return s.trim(ctx, store, "looking for what is to be trimmed, and finding nothing", 0, records.Keep{Since: oldest})
}

// trim says how long it takes to trim records, and fails if it were not so many.
func (s *stage) trim(ctx context.Context, store *records.Store, what string, many int, keep records.Keep) error {
	return timed(what, func() (int, error) {
		trimmed, err := store.Trim(ctx, keep)
		if err == nil && trimmed != many {
			err = fmt.Errorf("%d records were trimmed, want %d", trimmed, many)
		}
		return trimmed, err
	})
}

// timed says how long something took, and how many lines or records it was about.
func timed(what string, do func() (int, error)) error {
	begin := time.Now()
	n, err := do()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	fmt.Printf("  %-60s %10.2f s %8d\n", what, time.Since(begin).Seconds(), n)
	return nil
}

// recorder writes records as Caprice does, with the chart's account.
func (s *stage) recorder(ctx context.Context) (*records.Store, error) {
	config, err := clientcmd.BuildConfigFromFlags("", s.direct)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.ConnectTo(ctx, config, "bench")
	return &records.Store{Client: client, Holder: "bench"}, err
}

// fill writes all records, each twice, as of a kill that was claimed and then ended.
func (s *stage) fill(ctx context.Context, store *records.Store) error {
	return many(ctx, s.options.records, func(ctx context.Context, n int) error {
		o := s.outcome(n)
		if err := store.Claim(ctx, o.Record); err != nil {
			return err
		}
		return store.WriteStatus(ctx, o)
	})
}

// days is how many the records are of, and planned when one was: the first on the youngest of them, the last long ago.
func (s *stage) days() int { return (s.options.records + s.perDay - 1) / s.perDay }

func (s *stage) planned(n int) time.Time {
	return s.youngest.AddDate(0, 0, -(n / s.perDay)).Add(time.Duration(n%s.perDay) * time.Second)
}

// outcome is a kill of one pod of which the workload recovered.
func (s *stage) outcome(n int) chaos.Outcome {
	at := s.planned(n)
	pod := victims.Pod{
		Namespace: namespace(n % s.namespaces), Name: fmt.Sprintf("web-%05d-6c8f9b5d7f-abcde", n%s.perDay), UID: fmt.Sprintf("00000000-0000-4000-8000-%012d", n), Node: "node-1",
	}
	w := victims.Workload{
		Kind: victims.Deployment, Namespace: pod.Namespace, Name: fmt.Sprintf("web-%05d", n%s.perDay), UID: fmt.Sprintf("00000000-0000-4000-9000-%012d", n%s.perDay),
	}
	return chaos.Outcome{
		Record: chaos.Record{
			Workload: w, Planned: at, Date: calendar.Calendar{}.Date(at), Scale: victims.Scale{Mode: victims.Fixed, Value: 1}, Method: victims.Delete,
			Nonce: fmt.Sprintf("nonce-%020d", n), Targets: []victims.Pod{pod}, ReadyBefore: 2, ActBefore: at.Add(time.Minute), Deadline: 2 * time.Minute, Generation: 1,
		},
		Claimed: true, ClaimedAt: at.Add(-2 * time.Second), ExecutedAt: at, Pods: []chaos.Death{{Pod: pod, At: at}},
		Ended: true, EndedAt: at.Add(9 * time.Second), Verdict: chaos.Recovered,
		Recovery: chaos.Recovery{FirstReady: at.Add(8 * time.Second), Whole: at.Add(9 * time.Second), Ready: 2},
	}
}

// beginWithHistory starts Caprice, and says when it leads and how much memory that took.
func (s *stage) beginWithHistory(ctx context.Context) error {
	p, err := s.start(ctx, rarely, time.Minute)
	if err != nil {
		return err
	}
	took, err := p.logged(ctx, "configuration published")
	if err != nil {
		return errors.Join(err, p.stop())
	}
	fmt.Printf("  %-60s %10.2f s\n", "from the start of Caprice until it leads", took.Seconds())
	if err := pause(ctx, settled); err != nil {
		return errors.Join(err, p.stop())
	}
	rss, err := memory(p.cmd.Process.Pid, "VmHWM")
	fmt.Printf("  %-60s %10.1f MiB\n", "its peak RSS by then", rss)
	return errors.Join(err, p.stop())
}
