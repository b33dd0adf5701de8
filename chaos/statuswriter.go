package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"caprice/victims"
)

// statusWriter writes outcomes into records until they are written, so that none is lost to an API server that is away for a
// while. Of several outcomes of one kill the last counts, and of several that were not carried out the first. Where one was not written, its namespace has one turn at a time, and
// waits where there was no answer: none keeps the others from theirs.
type statusWriter struct {
	records  Records
	report   Reporter
	told     func(Outcome) // is called for each outcome that is written, or cannot be
	troubles troubles

	mu      sync.Mutex
	pending map[killKey]pendingStatus
	order   []killKey
	barred  map[string]*bar     // namespaces where the last outcome was not written
	writing map[killKey]Outcome // what is being written: of a kill, one outcome at a time
	spared  int                 // how many of these are of kills that were not carried out
	slow    int                 // how many are given more than writeTimeout
	wake    chan struct{}
}

// pendingStatus is an outcome that is to be written.
type pendingStatus struct {
	Outcome
	until  time.Time     // it waits
	within time.Duration // how long it is given next; less than writeTimeout: that
	told   bool          // that it is not recorded by now
}

// slow tells whether it is given more time than others.
func (o pendingStatus) slow() bool { return o.within > writeTimeout }

// bar keeps a namespace waiting.
type bar struct {
	trying bool // it has its turn
	until  time.Time
	pause  time.Duration
}

// killKey is what tells kills apart.
type killKey struct {
	uid     string
	planned int64 // nanoseconds since 1970
}

func keyOf(w victims.Workload, planned time.Time) killKey { return killKey{w.UID, planned.UnixNano()} }

func (k due) key() killKey    { return keyOf(k.Workload, k.At) }
func (r Record) key() killKey { return keyOf(r.Workload, r.Planned) }

const (
	statusWriters = 8 // how many outcomes are written at once
	// ofSpared is how many of these may be of kills that were not carried out: where many are not, they leave room for those that are.
	ofSpared = 4
	// ofSlow is how many may be given more time than others, so that namespaces that do not answer keep no others waiting.
	ofSlow = 2
	// writeTimeout is how long it may take to write one, and twice that where it was not enough, up to longestWrite.
	writeTimeout, longestWrite = 2 * time.Second, 10 * time.Second
	longestPause               = 5 * time.Second
	// longDeclined is how long after its end an outcome is tried again that the API server declines, if nothing was done that it
	// tells of: by then a right that was missing is granted again, or somebody wants no such record.
	longDeclined = 5 * time.Minute
	// lastWords is how long outcomes are still written when the process is told to end.
	lastWords = 500 * time.Millisecond
)

func newStatusWriter(told func(Outcome)) *statusWriter {
	return &statusWriter{told: told, pending: make(map[killKey]pendingStatus), barred: make(map[string]*bar), writing: make(map[killKey]Outcome), wake: make(chan struct{}, statusWriters)}
}

// add has an outcome written.
func (s *statusWriter) add(o Outcome) {
	if o.Ended && o.EndedAt.IsZero() {
		o.EndedAt = wallNow() // once, so that what is written twice stays the same
	}
	s.mu.Lock()
	s.put(pendingStatus{Outcome: o})
	s.mu.Unlock()
	s.rouse()
}

func (s *statusWriter) put(o pendingStatus) {
	_, ok := s.pending[o.key()]
	if !ok {
		s.order = append(s.order, o.key())
	}
	if !ok || o.Claimed { // what the attempt says that has the record counts, and of two without one what was said first: it may be written
		s.pending[o.key()] = o
	}
}

// rouse has one who waits look for what is to be written.
func (s *statusWriter) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// next takes out the outcome that has waited longest, of a namespace that need not wait. It has to be given back by done.
func (s *statusWriter) next() (o pendingStatus, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	i := slices.IndexFunc(s.order, func(key killKey) bool {
		o := s.pending[key]
		b := s.barred[o.Workload.Namespace]
		_, busy := s.writing[key]
		return !busy && (o.Claimed || s.spared < ofSpared) && (!o.slow() || s.slow < ofSlow && (o.Claimed || s.slow == 0)) && !now.Before(o.until) && (b == nil || !b.trying && !now.Before(b.until))
	})
	if i < 0 {
		return pendingStatus{}, false
	}
	key := s.order[i]
	s.order = slices.Delete(s.order, i, i+1)
	o = s.pending[key]
	delete(s.pending, key)
	s.writing[key] = o.Outcome
	if !o.Claimed {
		s.spared++
	}
	if o.slow() {
		s.slow++
	}
	if b := s.barred[o.Workload.Namespace]; b != nil {
		b.trying = true
	}
	return o, true
}

// done gives an outcome back that was written, or was not.
func (s *statusWriter) done(o pendingStatus) {
	s.mu.Lock()
	delete(s.writing, o.key())
	if !o.Claimed {
		s.spared--
	}
	if o.slow() {
		s.slow--
	}
	s.mu.Unlock()
	s.rouse()
}

// ended returns the outcomes of kills that have ended and whose records do not say so yet.
func (s *statusWriter) ended() map[killKey]Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	latest := maps.Clone(s.writing)
	for key, o := range s.pending {
		latest[key] = o.Outcome
	}
	maps.DeleteFunc(latest, func(_ killKey, o Outcome) bool { return !o.Ended })
	return latest
}

// empty tells whether nothing is left to be written.
func (s *statusWriter) empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.order) == 0
}

// run writes outcomes until ctx ends, and then for a moment what is left.
func (s *statusWriter) run(ctx context.Context) {
	writing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, cancel) })()
	var workers sync.WaitGroup
	defer workers.Wait()
	for range statusWriters {
		workers.Go(func() { s.work(ctx, writing) })
	}
}

func (s *statusWriter) work(ctx, writing context.Context) {
	for writing.Err() == nil {
		o, ok := s.next()
		if ok {
			s.write(writing, o)
			s.done(o)
			continue
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			if s.empty() {
				return
			}
			_ = pause(writing, repeat/10)
		}
	}
}

// write writes an outcome and tells of it, or puts it back.
func (s *statusWriter) write(ctx context.Context, o pendingStatus) {
	within := max(o.within, writeTimeout)
	request, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := s.records.WriteStatus(request, o.Outcome)
	if err != nil && request.Err() != nil {
		o.within = min(2*within, longestWrite) // a webhook may be slow
	}
	var refusal *Refusal
	switch {
	case err == nil && o.Ended && !o.Restored:
		s.report.Ended(o.Outcome)
	case err == nil:
	case errors.Is(err, ErrTaken): // its attempt tells of it
	case errors.As(err, &refusal), !s.postpone(o, err):
		if !o.told {
			s.report.Unrecorded(o.Outcome, err)
		}
	default:
		return
	}
	s.unbar(o.Workload.Namespace)
	s.told(o.Outcome)
}

// unbar notes that a namespace need not wait.
func (s *statusWriter) unbar(namespace string) {
	s.mu.Lock()
	_, barred := s.barred[namespace]
	delete(s.barred, namespace)
	s.mu.Unlock()
	if !barred {
		return
	}
	for range statusWriters { // what has waited is written by all
		s.rouse()
	}
}

// postpone puts an outcome back that was not written, unless there is a later one of its kill. It returns false if it is given
// up.
func (s *statusWriter) postpone(o pendingStatus, err error) bool {
	declined := errors.Is(err, ErrDeclined)
	long := declined && o.Ended && wallNow().Sub(o.EndedAt) >= longDeclined
	again := !long || o.Claimed
	if again && long && !o.told { // it is tried on, and people are not to wait for that
		o.told = true
		s.report.Unrecorded(o.Outcome, err)
		s.told(o.Outcome)
	}
	s.mu.Lock()
	now := time.Now()
	b := s.barred[o.Workload.Namespace]
	if b == nil {
		b = &bar{pause: repeat}
		s.barred[o.Workload.Namespace] = b
	}
	b.trying = false
	wait := b.pause
	if declined { // which says nothing of others there
		wait = longestPause
		o.until = now.Add(wait)
	} else {
		b.until, b.pause = now.Add(wait), min(2*wait, longestPause)
		there := func(key killKey) int {
			if s.pending[key].Workload.Namespace == o.Workload.Namespace {
				return 1
			}
			return 0
		}
		slices.SortStableFunc(s.order, func(x, y killKey) int { return there(x) - there(y) }) // others have their turns before it has another
	}
	time.AfterFunc(wait, s.rouse)
	if later, waits := s.pending[o.key()]; again && waits && !o.Claimed && !later.Claimed {
		s.pending[o.key()] = o
	} else if again && !waits {
		s.put(o)
	}
	s.mu.Unlock()
	s.rouse() // another of its namespace may have the next turn
	s.troubles.tell(s.report, "writing records", fmt.Errorf("namespace %s: %w", o.Workload.Namespace, err))
	return again
}
