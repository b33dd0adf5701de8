package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

// numbers are what is measured, by the names that build/bench.json has.
type numbers struct {
	RSS         float64 `json:"rss_mib"`
	CPU         float64 `json:"cpu_ms_per_kill"`
	ServerCPU   float64 `json:"server_cpu_ms_per_kill"`
	Requests    float64 `json:"requests_per_kill"`
	Reads       float64 `json:"reads_per_kill"`
	ReadBytes   float64 `json:"read_bytes_per_kill"`
	LatenessP50 float64 `json:"lateness_p50_ms"`
	LatenessP99 float64 `json:"lateness_p99_ms"`
	Armed       float64 `json:"armed_s"`
	Kills       int     `json:"kills"`
	Floor       floor   `json:"floor"`
	// Planned is how many kills the plan has for that time, and Verdicts are what came of those that have a record, with reasons.
	Planned      int            `json:"planned"`
	Verdicts     map[string]int `json:"verdicts"`
	HaltReads    float64        `json:"halt_reads_per_s"`
	DetectionP50 float64        `json:"detection_p50_ms"`
	DetectionP99 float64        `json:"detection_p99_ms"`
	Recoveries   int            `json:"recoveries"` // that detection is of
	IdleRSS      float64        `json:"idle_rss_mib"`
	IdleRequests float64        `json:"idle_requests_per_min"`
	IdleCPU      float64        `json:"idle_cpu_percent"`
	Workloads    int            `json:"workloads"`
	OptedIn      int            `json:"opted_in"`
	Pods         int            `json:"pods"`
	Rate         float64        `json:"rate"`
}

// floor is what a bare loop of the same deletions takes.
type floor struct {
	LatenessP50 float64 `json:"lateness_p50_ms"`
	LatenessP99 float64 `json:"lateness_p99_ms"`
	CPU         float64 `json:"cpu_ms_per_kill"`
	ServerCPU   float64 `json:"server_cpu_ms_per_kill"`
	RSS         float64 `json:"rss_mib"`
	Kills       int     `json:"kills"`
}

// rarely is a mean time between kills by which no kill of thousands of workloads is due while it is measured. Of working days,
// which are as long as the window is open, no number is large enough.
const rarely = "900000h"

// settled is how long it takes until kills come as they go on to.
const settled = 8 * time.Second

// bench measures Caprice when nothing is due and while it kills, and then the bare loop.
func (s *stage) bench(ctx context.Context) error {
	n := numbers{Workloads: s.workloads, OptedIn: s.subjects(), Pods: s.workloads * s.pods, Rate: s.rate, Verdicts: map[string]int{}}
	if err := s.measureIdle(ctx, &n); err != nil {
		return err
	}
	sorts, took, gaps, err := s.measureKills(ctx, &n)
	if err != nil {
		return err
	}
	say("The same deletions by a bare loop")
	u, late, failed := s.floor(ctx, gaps)
	if kills := float64(len(late)); kills > 0 {
		n.Floor = floor{ms(quantile(late, 0.5)), ms(quantile(late, 0.99)), ms(u.CPU) / kills, ms(u.server) / kills, u.RSS, len(late)}
	}
	n.print(sorts, took)
	return errors.Join(failed, n.write(s.out))
}

// write writes all numbers for programs.
func (n numbers) write(path string) error {
	text, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// measureIdle runs Caprice for a while in which nothing is due.
func (s *stage) measureIdle(ctx context.Context, n *numbers) error {
	say("Nothing is due for %s", s.idle)
	p, err := s.start(ctx, rarely, s.idle)
	if err != nil {
		return err
	}
	armed, err := p.logged(ctx, " armed workloads=")
	if err != nil {
		return errors.Join(err, p.stop())
	}
	n.Armed = armed.Seconds()
	if _, err = p.logged(ctx, "configuration published"); err == nil {
		err = pause(ctx, 2*settled) // what an account may do is asked for once more after 10 s
	}
	before, requests, begin := time.Duration(0), s.counts.now(), time.Now()
	if err == nil {
		before, err = cpu(p.cmd.Process.Pid)
	}
	if err == nil {
		err = pause(ctx, s.idle)
	}
	if err != nil {
		return errors.Join(err, p.stop())
	}
	after, err := cpu(p.cmd.Process.Pid)
	took, total := time.Since(begin), traffic{}
	sorts := s.counts.since(requests)
	for _, sort := range slices.Sorted(maps.Keys(sorts)) {
		total = total.plus(sorts[sort])
		fmt.Printf("  %-34s %12.1f a minute\n", sort, float64(sorts[sort].Requests)/took.Minutes())
	}
	n.IdleCPU, n.IdleRequests = 100*(after-before).Seconds()/took.Seconds(), float64(total.Requests)/took.Minutes()
	if err == nil {
		n.IdleRSS, err = memory(p.cmd.Process.Pid, "VmHWM")
	}
	return errors.Join(err, p.stop())
}

// measureKills runs Caprice until it has killed as often as is wanted. It returns the requests and the time of these kills, and
// how long after the first each was planned.
func (s *stage) measureKills(ctx context.Context, n *numbers) (sorts map[string]traffic, took time.Duration, gaps []time.Duration, err error) {
	killing := time.Duration(float64(s.kills) / s.rate * float64(time.Second))
	say("%d kills, %g per second: each of %d workloads once in %s", s.kills, s.rate, s.subjects(), s.mean())
	p, err := s.start(ctx, s.mean().String(), 2*killing+time.Minute)
	if err != nil {
		return nil, 0, nil, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if _, err = p.logged(ctx, "configuration published"); err == nil {
		err = pause(ctx, settled)
	}
	if err != nil {
		return nil, 0, nil, err
	}
	pid := p.cmd.Process.Pid
	before, err := cpu(pid)
	if err != nil {
		return nil, 0, nil, err
	}
	server, err := s.serverCPU()
	if err != nil {
		return nil, 0, nil, err
	}
	requests, begin := s.counts.now(), time.Now()
	for s.deletions(requests) < s.kills {
		if err := p.running(); err != nil {
			return nil, 0, nil, err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, 0, nil, fmt.Errorf("%d kills: %w:\n%s", s.deletions(requests), err, p.said())
		}
	}
	after, err := cpu(pid)
	if err != nil {
		return nil, 0, nil, err
	}
	sorts, took = s.counts.since(requests), time.Since(begin)
	n.count(sorts, took)
	n.CPU = ms(after-before) / float64(n.Kills)
	now, err := s.serverCPU()
	if err != nil {
		return nil, 0, nil, err
	}
	n.ServerCPU = ms(now-server) / float64(n.Kills)
	if n.RSS, err = memory(pid, "VmHWM"); err != nil {
		return nil, 0, nil, err
	}
	records, err := s.ended(ctx, begin, begin.Add(took))
	if err != nil {
		return nil, 0, nil, err
	}
	gaps, err = s.compare(ctx, n, records, begin, begin.Add(took))
	return sorts, took, gaps, err
}

func (s *stage) deletions(since map[string]traffic) int {
	return s.counts.since(since)["delete pods"].Accepted
}

// apart are the requests that do not go with kills but with time.
var apart = []string{"list halts", " leases", " selfsubject", " hypotheses", " configmaps", " secrets", "list kills", "other"}

func isApart(sort string) bool {
	return slices.ContainsFunc(apart, func(part string) bool { return strings.Contains(sort, part) })
}

// count counts the requests of some time.
func (n *numbers) count(sorts map[string]traffic, took time.Duration) {
	n.Kills = sorts["delete pods"].Accepted
	kills := float64(n.Kills)
	for sort, t := range sorts {
		if isApart(sort) {
			continue
		}
		n.Requests += float64(t.Requests) / kills
		if reads(sort) {
			n.Reads += float64(t.Requests) / kills
			n.ReadBytes += float64(t.Read) / kills
		}
	}
	n.HaltReads = float64(sorts["list halts"].Requests) / took.Seconds()
}

func reads(sort string) bool {
	verb, _, _ := strings.Cut(sort, " ")
	return verb == "get" || verb == "list" || verb == "watch"
}

// compare compares the records of some time with the plan and with the audit log. It returns how long after the first each kill was planned.
func (s *stage) compare(ctx context.Context, n *numbers, kills []v1alpha1.Kill, begin, end time.Time) (gaps []time.Duration, err error) {
	plan, err := s.cluster.Plan(ctx, s.program, "caprice", begin, end)
	if err != nil {
		return nil, err
	}
	n.Planned = len(plan)
	changes, err := s.cluster.Changes()
	if err != nil {
		return nil, err
	}
	planned := map[string]time.Time{}
	var detected []time.Duration
	var first time.Time
	slices.SortFunc(kills, func(a, b v1alpha1.Kill) int { return a.Spec.Planned.Compare(b.Spec.Planned.Time) })
	for _, k := range kills {
		at := k.Spec.Planned.Time
		if at.Before(begin) || at.After(end) {
			continue
		}
		n.Verdicts[verdict(k)]++
		for _, d := range k.Status.Pods {
			if d.KilledAt != nil { // what one kill spared, a later one may have removed
				planned[d.UID] = at
			}
		}
		if first.IsZero() {
			first = at
		}
		gaps = append(gaps, at.Sub(first))
		if k.Status.RecoveredAt == nil || k.Status.ExecutedAt == nil {
			continue
		}
		if _, _, whole := lab.Recovery(of(changes, k), k, s.pods); !whole.At.IsZero() {
			detected = append(detected, k.Status.RecoveredAt.Sub(whole.At))
		}
	}
	late, err := s.lateness(planned)
	if err == nil && (len(late) < len(planned) || len(planned) == 0) {
		err = fmt.Errorf("the records tell of %d pods that were removed, the audit log of %d of these", len(planned), len(late))
	}
	n.Recoveries = len(detected)
	n.LatenessP50, n.LatenessP99 = ms(quantile(late, 0.5)), ms(quantile(late, 0.99))
	n.DetectionP50, n.DetectionP99 = ms(quantile(detected, 0.5)), ms(quantile(detected, 0.99))
	return gaps, err
}

// verdict is what came of a kill, and why.
func verdict(k v1alpha1.Kill) string {
	return strings.TrimSpace(fmt.Sprint(cmp.Or(k.Status.Verdict, "open"), " ", k.Status.Reason))
}

// of returns the changes of about the time of a kill.
func of(changes []lab.Change, k v1alpha1.Kill) []lab.Change {
	from, _ := slices.BinarySearchFunc(changes, k.Spec.Planned.Add(-time.Second), func(c lab.Change, t time.Time) int { return c.At.Compare(t) })
	to, _ := slices.BinarySearchFunc(changes, k.Status.RecoveredAt.Add(5*time.Second), func(c lab.Change, t time.Time) int { return c.At.Compare(t) })
	return changes[from:to]
}

// lateness returns how long after its planned time the API server got the request that removed each pod, by UID.
func (s *stage) lateness(planned map[string]time.Time) (late []time.Duration, err error) {
	removals, err := s.cluster.Removals()
	seen := map[string]bool{}
	for _, r := range removals {
		if at, ok := planned[r.UID]; ok && (r.Accepted || r.Unclear) && !seen[r.UID] {
			seen[r.UID] = true
			late = append(late, r.At.Sub(at))
		}
	}
	return late, err
}

// quantile returns what a share q of all does not exceed.
func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// print prints all numbers for people.
func (n numbers) print(sorts map[string]traffic, took time.Duration) {
	say("%d Deployments, %d of them opted in, %d pods, %d kills in %s", n.Workloads, n.OptedIn, n.Pods, n.Kills, took.Round(time.Second))
	fmt.Printf("  %-34s %12s %12s\n", "", "caprice", "bare loop")
	row := func(what string, value float64, floor ...float64) {
		fmt.Printf("  %-34s %12.2f", what, value)
		for _, f := range floor {
			fmt.Printf(" %12.2f", f)
		}
		fmt.Println()
	}
	row("peak RSS, MiB", n.RSS, n.Floor.RSS)
	row("CPU per kill, ms", n.CPU, n.Floor.CPU)
	row("CPU of the API server per kill, ms", n.ServerCPU, n.Floor.ServerCPU)
	row("lateness p50, ms", n.LatenessP50, n.Floor.LatenessP50)
	row("lateness p99, ms", n.LatenessP99, n.Floor.LatenessP99)
	row("requests per kill", n.Requests, 1)
	row("of which reads", n.Reads, 0)
	row("bytes read per kill", n.ReadBytes, 0)
	row("reads of halts per second", n.HaltReads)
	row("recovery detected after p50, ms", n.DetectionP50)
	row("recovery detected after p99, ms", n.DetectionP99)
	row("start to armed, s", n.Armed)
	row("idle: peak RSS, MiB", n.IdleRSS)
	row("idle: requests per minute", n.IdleRequests)
	row("idle: CPU, % of one core", n.IdleCPU)
	fmt.Printf("  %d kills were planned, the records say %v; detection is of %d, the bare loop of %d\n", n.Planned, n.Verdicts, n.Recoveries, n.Floor.Kills)
	fmt.Printf("\n  %-34s %12s %12s %12s %12s\n", "requests", "per kill", "per second", "read/kill", "sent/kill")
	for _, sort := range slices.Sorted(maps.Keys(sorts)) {
		t, kills := sorts[sort], float64(n.Kills)
		fmt.Printf("  %-34s %12.2f %12.2f %12.0f %12.0f\n", sort, float64(t.Requests)/kills, float64(t.Requests)/took.Seconds(), float64(t.Read)/kills, float64(t.Written)/kills)
	}
}
