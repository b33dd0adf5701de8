package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Hypotheses are what owners believe of their workloads.
type Hypotheses interface {
	// Probes returns what is asked of a workload, none if nothing is believed of it. The error says what cannot be known, or
	// which hypothesis cannot work.
	Probes(context.Context, WorkloadState) ([]Probe, error)
}

// Probe is one question of a hypothesis, and how it is asked.
type Probe struct {
	Hypothesis, Name string
	Question         Question
	During           bool          // asked from the first death to the verdict too, not only before and after
	Interval         time.Duration // between two times that it is asked
	Timeout          time.Duration // an answer that takes longer does not count
	Tolerance        time.Duration // for how long in all it may be wrong
}

// Question is what a probe asks.
type Question interface {
	// Ask returns the answer; the error says why there is none. It returns when ctx ends.
	Ask(context.Context) (Answer, error)
}

// Answer is what a question yielded.
type Answer struct {
	Value string  // as people read it; if it is wrong, with what would be right
	Off   float64 // how far it is from what would be right; above zero it is wrong
}

// Finding is what a probe found of one kill.
type Finding struct {
	Hypothesis, Probe string
	Met               bool   // it was right in the end, and wrong for no longer than its tolerance
	Worst             string // the worst answer, or why there was none
	WrongFor          time.Duration
	Samples           int
	Since             time.Time
}

// mostProbes is how many of them one record holds.
const mostProbes = 100

// probesOf returns the probes of a workload, as many as a record holds.
func (r *Runner) probesOf(ctx context.Context, now WorkloadState) ([]Probe, error) {
	if r.Hypotheses == nil {
		return nil, nil
	}
	probes, err := r.Hypotheses.Probes(ctx, now)
	if err == nil && len(probes) > mostProbes {
		err = fmt.Errorf("its hypotheses have %d probes, and %d are the most that a record holds", len(probes), mostProbes)
	}
	return probes, err
}

// steady returns the probes of a workload. Its error is a *Veto unless each is met now.
func (r *Runner) steady(ctx context.Context, now WorkloadState) ([]Probe, error) {
	probes, err := r.probesOf(ctx, now)
	if err != nil {
		return nil, &Veto{Hypothesis, err.Error()} // what cannot be asked spares
	}
	if len(probes) == 0 {
		return nil, nil
	}
	wrong := make([]string, len(probes))
	var asking sync.WaitGroup
	for i, p := range probes {
		asking.Go(func() {
			if answer, _, err := p.ask(ctx); err != nil {
				wrong[i] = err.Error()
			} else if answer.Off > 0 {
				wrong[i] = answer.Value
			}
		})
	}
	asking.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for i, p := range probes {
		if wrong[i] != "" {
			return nil, &Veto{Hypothesis, fmt.Sprintf("hypothesis %s, probe %s: %s", p.Hypothesis, p.Name, wrong[i])}
		}
	}
	return probes, nil
}

const (
	// heldUp is how much longer than its timeout a probe takes at least if the process, or its machine, was held up meanwhile. One that
	// is only not answered ends sooner.
	heldUp = 500 * time.Millisecond
	// mostHeldUp is how often in a row that may be before it counts as no answer.
	mostHeldUp = 3
)

// ask asks, and anew where it was held up meanwhile: what came then says nothing of the workload. It returns when it asked last.
func (p Probe) ask(ctx context.Context) (answer Answer, asked time.Time, err error) {
	for range mostHeldUp {
		asked = time.Now()
		if answer, err = p.askOnce(ctx); age(asked) <= p.Timeout+heldUp || ctx.Err() != nil {
			return answer, asked, err
		}
	}
	return Answer{}, asked, fmt.Errorf("it could not be asked: Caprice was held up, and %d times in a row it took longer than %s to ask", mostHeldUp, p.Timeout+heldUp)
}

func (p Probe) askOnce(ctx context.Context) (Answer, error) {
	request, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	answer, err := p.Question.Ask(request)
	if errors.Is(request.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s", p.Timeout)
	}
	return answer, err
}

// resume has the probes of a workload sampled from when it is seen first, whose kill an earlier leader left open. What finds out about
// them holds nobody up who watches it heal: resumed waits for that when it has healed, until leastLook after it began and for one more
// answer, and for nothing where the workload was never seen.
func (r *Runner) resume(ctx context.Context, h *healing) (resumed func()) {
	if r.Hypotheses == nil || h.DryRun {
		return func() {}
	}
	began, over := make(chan *sampling, 1), make(chan struct{})
	h.believe = func(now WorkloadState) {
		h.believe = nil
		go func() { began <- r.sampleAnew(ctx, now, over) }()
	}
	return func() {
		if h.believe != nil {
			h.sampling = unresumed("it could not be seen")
			return
		}
		close(over)
		h.sampling = <-began
	}
}

// sampleAnew begins to sample the probes of a workload as soon as they are known. It gives up when nobody watches it any more.
func (r *Runner) sampleAnew(ctx context.Context, now WorkloadState, over <-chan struct{}) *sampling {
	begin, pause := time.Now(), repeat
	for {
		request, cancel := context.WithTimeout(ctx, requestTimeout)
		probes, err := r.probesOf(request, now)
		cancel()
		if err == nil {
			return startSampling(ctx, probes)
		}
		if age(begin) >= leastLook {
			select {
			case <-over:
				return unresumed(err.Error())
			default:
				pause = time.Second
			}
		}
		if Pause(ctx, pause) != nil {
			return unresumed(err.Error())
		}
	}
}

// unresumed is no sampling, and says why there is none.
func unresumed(why string) *sampling {
	return &sampling{problem: "what its hypotheses would say a new leader could not find out: " + why}
}

// weigh asks each probe once more and adds what they found to the verdict. A workload that is not whole stays NotRecovered:
// people have to look after it. The context ends when the time to heal is up.
func (o *Outcome) weigh(ctx context.Context) {
	s := o.sampling
	if s == nil {
		return
	}
	o.Findings = s.findings(ctx)
	note := s.problem
	for _, f := range o.Findings {
		if f.Met {
			continue
		}
		if o.Verdict == Recovered {
			o.Verdict = Disproved
		}
		note = fmt.Sprintf("hypothesis %s, probe %s: %s; wrong for %s, asked %d times", f.Hypothesis, f.Probe, f.Worst, f.WrongFor.Round(time.Millisecond), f.Samples)
		break
	}
	o.Message = sentences(o.Message, note)
}
