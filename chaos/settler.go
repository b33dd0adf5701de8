package chaos

import (
	"context"
	"errors"
	"sync"
	"time"
)

// settler writes outcomes into records until they are written, so that none is lost to an API server that is away for a
// while. Of several outcomes of one kill the last counts.
type settler struct {
	records Records
	report  Reporter
	told    func(Outcome) // is called for each outcome that is written, or cannot be

	mu      sync.Mutex
	pending map[settlement]Outcome
	order   []settlement
	wake    chan struct{}
}

// settlement is the kill that an outcome is of.
type settlement struct {
	uid     string
	planned int64 // nanoseconds since 1970
}

func (k due) key() settlement    { return settlement{k.UID, k.At.UnixNano()} }
func (r Record) key() settlement { return settlement{r.Workload.UID, r.Planned.UnixNano()} }

const (
	settlers      = 8 // how many outcomes are written at once
	settleTimeout = 2 * time.Second
	longestPause  = 5 * time.Second
	// lastWords is how long outcomes are still written when the process is told to end.
	lastWords = 500 * time.Millisecond
)

func newSettler(told func(Outcome)) *settler {
	return &settler{told: told, pending: make(map[settlement]Outcome), wake: make(chan struct{}, settlers)}
}

// add has an outcome written.
func (s *settler) add(o Outcome) {
	if o.Ended && o.EndedAt.IsZero() {
		o.EndedAt = wallNow() // once, so that what is written twice stays the same
	}
	s.mu.Lock()
	old, ok := s.pending[o.key()]
	if !ok {
		s.order = append(s.order, o.key())
	}
	if !ok || !old.Claimed || o.Claimed { // what the attempt says that has the record counts
		s.pending[o.key()] = o
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// next takes out the outcome that has waited longest.
func (s *settler) next() (Outcome, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.order) == 0 {
		return Outcome{}, false
	}
	key := s.order[0]
	s.order = s.order[1:]
	o := s.pending[key]
	delete(s.pending, key)
	return o, true
}

// again puts an outcome back, unless there is a later one of its kill.
func (s *settler) again(o Outcome) {
	s.mu.Lock()
	_, later := s.pending[o.key()]
	s.mu.Unlock()
	if !later {
		s.add(o)
	}
}

// run writes outcomes until ctx ends, and then for a moment what is left.
func (s *settler) run(ctx context.Context) {
	writing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, cancel) })()
	var workers sync.WaitGroup
	defer workers.Wait()
	for range settlers {
		workers.Go(func() { s.work(ctx, writing) })
	}
}

func (s *settler) work(ctx, writing context.Context) {
	pause := repeat
	for writing.Err() == nil {
		o, ok := s.next()
		if !ok {
			select {
			case <-s.wake:
			case <-ctx.Done():
				return // nothing is left
			}
			continue
		}
		if s.settle(writing, o) {
			pause = repeat
			continue
		}
		s.again(o)
		_ = sleepUntil(writing, wallNow().Add(pause), nil)
		pause = min(2*pause, longestPause)
	}
}

// settle writes an outcome and tells of it; it returns false if that should be tried again.
func (s *settler) settle(ctx context.Context, o Outcome) bool {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	err := s.records.Settle(ctx, o)
	var refusal *Refusal
	switch {
	case err == nil && o.Ended:
		s.report.Ended(o)
	case err == nil:
	case errors.Is(err, ErrTaken): // its attempt tells of it
	case errors.As(err, &refusal):
		s.report.Unrecorded(o, err)
	default:
		return false
	}
	s.told(o)
	return true
}
