package chaos

import (
	"context"
	"math"
	"sync"
	"time"
)

// watch samples the probes of one kill from the first death to the verdict.
type watch struct {
	samplers []*sampler
	judging  chan struct{} // closed when the kill is judged
	deadline <-chan struct{}
	stop     context.CancelFunc
	sampling sync.WaitGroup
	problem  string // why there are no probes
}

// watchOver begins to sample; without probes it returns nil, which does nothing.
func watchOver(ctx context.Context, probes []Probe) *watch {
	if len(probes) == 0 {
		return nil
	}
	ctx, stop := context.WithCancel(ctx)
	w := &watch{judging: make(chan struct{}), stop: stop}
	for _, p := range probes {
		s := &sampler{Probe: p, found: Finding{Hypothesis: p.Hypothesis, Probe: p.Name, Since: wallNow()}}
		w.samplers = append(w.samplers, s)
		w.sampling.Go(func() { s.run(ctx, w) })
	}
	return w
}

// findings has each probe asked once more, and returns what they found. One that is wrong then is asked until it is right, its
// tolerance is used up or the deadline has come.
func (w *watch) findings(deadline context.Context) []Finding {
	if w.judging == nil {
		return nil
	}
	w.deadline = deadline.Done()
	close(w.judging)
	w.sampling.Wait()
	found := make([]Finding, 0, len(w.samplers))
	for _, s := range w.samplers {
		found = append(found, s.found)
	}
	return found
}

// end stops sampling.
func (w *watch) end() {
	if w != nil && w.stop != nil {
		w.stop()
		w.sampling.Wait()
	}
}

// sampler asks one probe again and again.
type sampler struct {
	Probe
	found Finding
	asked time.Time // when it was last
	wrong bool      // then
	off   float64   // of the worst answer
}

// run samples until the kill is judged, and then until the answer is final.
func (s *sampler) run(ctx context.Context, w *watch) {
	for s.During {
		if s.sample(ctx); !s.pause(ctx, w.judging) {
			break
		}
	}
	select {
	case <-w.judging:
	case <-ctx.Done():
		return
	}
	for {
		s.sample(ctx)
		if !s.wrong || s.found.WrongFor+time.Since(s.asked) >= s.Tolerance || !s.pause(ctx, w.deadline) {
			break
		}
	}
	s.count(time.Now())
	s.found.Met = !s.wrong && s.found.WrongFor <= s.Tolerance
}

// sample asks once, and notes the answer if it is the worst so far.
func (s *sampler) sample(ctx context.Context) {
	begin := time.Now()
	s.count(begin)
	s.asked = begin
	answer, err := s.ask(ctx)
	if err != nil {
		answer = Answer{Value: err.Error(), Off: math.Inf(1)}
	}
	s.found.Samples++
	if s.found.Samples == 1 || answer.Off > s.off {
		s.found.Worst, s.off = answer.Value, answer.Off
	}
	s.wrong = answer.Off > 0
}

// count counts the time from the last answer to now, if that was wrong.
func (s *sampler) count(now time.Time) {
	if s.wrong {
		s.found.WrongFor += now.Sub(s.asked)
	}
}

// pause waits until it is time to ask again; it returns false if something is over or ctx ends before.
func (s *sampler) pause(ctx context.Context, over <-chan struct{}) bool {
	timer := time.NewTimer(time.Until(s.asked.Add(s.Interval)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-over:
	case <-ctx.Done():
	}
	select {
	case <-over:
		return false
	case <-ctx.Done():
		return false
	default:
		return true
	}
}
