package chaos

import (
	"context"
	"math"
	"sync"
	"time"
)

// sampling asks the probes of one kill again and again, from the first death to the verdict.
type sampling struct {
	samplers []*sampler
	judging  chan struct{} // closed when the kill is judged
	deadline <-chan struct{}
	stop     context.CancelFunc
	running  sync.WaitGroup
	problem  string // why there are no probes
}

// startSampling begins to ask; without probes it returns nil, which does nothing.
func startSampling(ctx context.Context, probes []Probe) *sampling {
	if len(probes) == 0 {
		return nil
	}
	ctx, stop := context.WithCancel(ctx)
	s := &sampling{judging: make(chan struct{}), stop: stop}
	for _, p := range probes {
		one := &sampler{Probe: p, found: Finding{Hypothesis: p.Hypothesis, Probe: p.Name, Since: wallNow()}}
		s.samplers = append(s.samplers, one)
		s.running.Go(func() { one.run(ctx, s) })
	}
	return s
}

// findings has each probe asked once more, and returns what they found. One that is wrong then is asked until it is right, its
// tolerance is used up or ctx ends: when the time to heal is up.
func (s *sampling) findings(ctx context.Context) []Finding {
	if s.judging == nil {
		return nil
	}
	s.deadline = ctx.Done()
	close(s.judging)
	s.running.Wait()
	found := make([]Finding, 0, len(s.samplers))
	for _, one := range s.samplers {
		found = append(found, one.found)
	}
	return found
}

// end stops sampling.
func (s *sampling) end() {
	if s != nil && s.stop != nil {
		s.stop()
		s.running.Wait()
	}
}

// sampler asks one probe again and again.
type sampler struct {
	Probe
	found Finding
	asked time.Time // when it was last, without being held up
	wrong bool      // then
	off   float64   // of the worst answer
}

// run samples until the kill is judged, and then until the answer is final.
func (s *sampler) run(ctx context.Context, beside *sampling) {
	for s.During {
		if s.sample(ctx); !s.pause(ctx, beside.judging) {
			break
		}
	}
	select {
	case <-beside.judging:
	case <-ctx.Done():
		return
	}
	for {
		s.sample(ctx)
		if !s.wrong || s.found.WrongFor+s.stands(time.Now()) >= s.Tolerance || !s.pause(ctx, beside.deadline) {
			break
		}
	}
	s.count(time.Now())
	s.found.Met = !s.wrong && s.found.WrongFor <= s.Tolerance
}

// sample asks once, and notes the answer if it is the worst so far.
func (s *sampler) sample(ctx context.Context) {
	s.count(time.Now())
	answer, asked, err := s.ask(ctx)
	s.asked = asked
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
		s.found.WrongFor += s.stands(now)
	}
}

// stands returns for how long by now the last answer counts: no longer than until the next was to be there. If it is later, the process
// was held up, or the question was.
func (s *sampler) stands(now time.Time) time.Duration {
	return min(now.Sub(s.asked), s.Interval+s.Timeout)
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
