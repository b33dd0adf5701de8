package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/test/lab"
)

// sampling is how often it is looked at what grows.
const sampling = 2 * time.Second

// soak lets Caprice kill for long. It is an error if something that was planned has no record or was missed, or was done
// twice, or anything else is not as it must be.
func (s *stage) soak(ctx context.Context) error {
	say("%g kills per second for %s: each of %d workloads once in %s", s.rate, s.options.soak, s.subjects(), s.mean())
	p, err := s.start(ctx, s.mean().String(), s.options.soak+5*time.Minute)
	if err != nil {
		return err
	}
	defer func() { _ = p.stop() }()
	if _, err := p.logged(ctx, "configuration published"); err != nil {
		return err
	}
	begin := time.Now()
	resident, routines, err := s.sample(ctx, p)
	if err != nil {
		return err
	}
	end := time.Now()
	records, err := s.ended(ctx, begin, end)
	if err != nil {
		return err
	}
	planned, err := s.cluster.Plan(ctx, s.program, "caprice", begin, end)
	if err != nil {
		return err
	}
	if err := p.stop(); err != nil {
		return err
	}
	resident.print("resident memory, MiB")
	routines.print("goroutines")
	return s.judge(planned, records, begin, end)
}

// sample looks at the process again and again.
func (s *stage) sample(ctx context.Context, p *process) (resident, routines series, err error) {
	for begin := time.Now(); time.Since(begin) < s.options.soak; {
		if err := pause(ctx, sampling); err != nil {
			return nil, nil, err
		}
		mib, err := memory(p.cmd.Process.Pid, "VmRSS")
		if err != nil {
			return nil, nil, err
		}
		n, err := p.goroutines()
		if err != nil {
			return nil, nil, err
		}
		at := time.Since(begin)
		resident, routines = append(resident, point{at, mib}), append(routines, point{at, n})
	}
	return resident, routines, nil
}

// undone are the verdicts of kills that nothing came of, where nothing spared them.
var undone = []v1alpha1.Verdict{v1alpha1.Verdict(chaos.Missed), v1alpha1.Verdict(chaos.Failed), v1alpha1.Verdict(chaos.Abandoned)}

// judge holds what was planned against the records, and both against the audit log.
func (s *stage) judge(planned []lab.Planned, records []v1alpha1.Kill, begin, end time.Time) error {
	log, err := s.cluster.Audit()
	if err != nil {
		return err
	}
	verdicts, removals := map[string]int{}, 0
	var wrong []string
	for n := range s.namespaces {
		own := slices.DeleteFunc(slices.Clone(records), func(k v1alpha1.Kill) bool { return k.Namespace != namespace(n) })
		removals += len(log[namespace(n)])
		wrong = append(wrong, log.Violations(namespace(n), planned, own, end)...)
		wrong = append(wrong, lab.Unplanned(namespace(n), planned, own, begin, end)...)
		for _, k := range lab.Until(own, end) {
			verdicts[verdict(k)]++
			if slices.Contains(undone, k.Status.Verdict) && k.Spec.Planned.After(begin) {
				wrong = append(wrong, fmt.Sprintf("the kill of %s planned for %s is %s: %s", k.Spec.Workload.Name, k.Spec.Planned.Format(time.TimeOnly), k.Status.Verdict, k.Status.Message))
			}
		}
	}
	fmt.Printf("  %d kills were planned, the records say %v, %d pods were removed; %d wrong\n", len(planned), verdicts, removals, len(wrong))
	if len(planned) == 0 || verdicts[string(chaos.Recovered)] < len(planned)/2 {
		return errors.New("nothing was planned, or less than half of it carried out")
	}
	errs := make([]error, len(wrong))
	for i, w := range wrong {
		errs[i] = errors.New(w)
	}
	return errors.Join(errs...)
}

// series is a number over time.
type series []point

type point struct {
	at    time.Duration
	value float64
}

// print prints by how much it grows in an hour, after a fifth of the time in which it comes to rest.
func (s series) print(what string) {
	s = s[len(s)/5:]
	slope, deviation := s.slope()
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range s {
		low, high = min(low, p.value), max(high, p.value)
	}
	fmt.Printf("  %-22s %8.1f to %.1f, slope %+.2f an hour, standard error %.2f\n", what, low, high, slope, deviation)
}

// slope fits a line by least squares. It returns its slope per hour and the standard error of that.
func (s series) slope() (slope, deviation float64) {
	n := float64(len(s))
	if n < 3 {
		return 0, math.Inf(1)
	}
	var t, v float64
	for _, p := range s {
		t, v = t+p.at.Hours()/n, v+p.value/n
	}
	var tt, tv, rest float64
	for _, p := range s {
		tt, tv = tt+(p.at.Hours()-t)*(p.at.Hours()-t), tv+(p.at.Hours()-t)*(p.value-v)
	}
	slope = tv / tt
	for _, p := range s {
		d := p.value - v - slope*(p.at.Hours()-t)
		rest += d * d
	}
	return slope, math.Sqrt(rest / (n - 2) / tt)
}
