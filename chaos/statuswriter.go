package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// statusWriter writes outcomes into records until they are written, so that none is lost to an API server that is away for a
// while. Of several outcomes of one kill the last counts, and of several that were not carried out the first. Namespaces have their turns
// one after another. Where an outcome was not written, its namespace has one turn at a time, and waits where there was no answer: none keeps
// the others from theirs.
type statusWriter struct {
	records   Records
	report    Reporter
	onWritten func(Outcome) // is called for each outcome that is written, or cannot be
	troubles  troubles

	mu      sync.Mutex
	pending map[killKey]pendingStatus
	queues  map[string]*queue   // by namespace; those with outcomes, or a bar
	turns   []*queue            // those with outcomes, in the order in which they have their turns
	writing map[killKey]Outcome // what is being written: of a kill, one outcome at a time
	spared  int                 // how many of these are of kills that were not carried out
	slow    int                 // how many are given more than writeTimeout
	wake    chan struct{}
}

// pendingStatus is an outcome that is to be written.
type pendingStatus struct {
	Outcome
	within   time.Duration // how long it is given next; less than writeTimeout: that
	tried    time.Time     // when it was last, and not answered in time
	eased    bool          // that it was tried once more with no more time than others, since these were written quickly
	reported bool          // that it is not recorded by now
}

// slow tells whether it is given more time than others.
func (o pendingStatus) slow() bool { return o.within > writeTimeout }

// queue has what is to be written in one namespace, in the order in which it came. There may be thousands after an outage: who looks
// for the next looks at the first of each queue.
type queue struct {
	claimed, spared []killKey        // of kills with a record of their own, and of those that were not carried out
	parked          map[killKey]bool // those of either kind that have no turn for now, since they were declined
	bar             *bar             // the last outcome was not written; nil: it was
	quick           time.Time        // when one was last written within writeTimeout: what was not answered before that was held up by what is over
}

// bar keeps a namespace waiting.
type bar struct {
	trying bool // it has its turn
	until  time.Time
	pause  time.Duration
	alone  time.Duration // for how long outcomes of others are written, while there is no answer for it
	other  time.Time     // when the last of these was; zero: none has been
}

func (q *queue) empty() bool { return len(q.claimed) == 0 && len(q.spared) == 0 }

// waits tells whether it has no turn now.
func (q *queue) waits(now time.Time) bool {
	return q.bar != nil && (q.bar.trying || now.Before(q.bar.until))
}

const (
	statusWriters = 8 // how many outcomes are written at once
	// ofSpared is how many of these may be of kills that were not carried out: where many are not, they leave room for those that are.
	ofSpared = 4
	// ofSlow is how many may be given more time than others, so that namespaces that do not answer keep no others waiting.
	ofSlow = 2
	// writeTimeout is how long it may take to write one, and twice that where it was not enough, up to longestWrite.
	writeTimeout, longestWrite = 2 * time.Second, 10 * time.Second
	longestPause               = 5 * time.Second
	// mostWaiting is how many outcomes of one namespace wait before more are found out that it is too late for.
	mostWaiting = 50
	// longDeclined is how long after its end an outcome is tried again that the API server declines, or that it has not answered for so
	// long where it answers for other namespaces, if nothing was done that it tells of: by then a right that was missing is granted
	// again and a webhook mended, or somebody wants no such record.
	longDeclined = 5 * time.Minute
	// mostBetween is how much of the time between two outcomes that were written counts as one in which there were answers: in the rest
	// the API server may have been away.
	mostBetween = time.Minute
	// lastWords is how long outcomes are still written when the process is told to end.
	lastWords = 500 * time.Millisecond
)

func newStatusWriter(onWritten func(Outcome)) *statusWriter {
	return &statusWriter{
		onWritten: onWritten, pending: make(map[killKey]pendingStatus), queues: make(map[string]*queue), writing: make(map[killKey]Outcome),
		wake: make(chan struct{}, statusWriters),
	}
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

// put keeps one outcome of a kill: the latest of those with a record; of those without, the first, which may be written already.
func (s *statusWriter) put(o pendingStatus) {
	key := o.key()
	before, waits := s.pending[key]
	if waits && !o.Claimed {
		return
	}
	s.pending[key] = o
	if q := s.queues[o.Workload.Namespace]; waits && !before.Claimed && !q.parked[key] {
		q.spared = slices.DeleteFunc(q.spared, func(other killKey) bool { return other == key })
		q.claimed = append(q.claimed, key)
	}
	if !waits {
		s.enqueue(key)
	}
}

// enqueue puts an outcome that is pending at the end of its queue.
func (s *statusWriter) enqueue(key killKey) {
	o := s.pending[key]
	q := s.queueOf(o.Workload.Namespace)
	if q.empty() {
		s.turns = append(s.turns, q)
	}
	if o.Claimed {
		q.claimed = append(q.claimed, key)
	} else {
		q.spared = append(q.spared, key)
	}
}

func (s *statusWriter) queueOf(namespace string) *queue {
	q := s.queues[namespace]
	if q == nil {
		q = &queue{parked: make(map[killKey]bool)}
		s.queues[namespace] = q
	}
	return q
}

// park has an outcome that is pending and in no queue wait for a time.
func (s *statusWriter) park(key killKey, wait time.Duration) {
	q := s.queues[key.namespace]
	q.parked[key] = true
	time.AfterFunc(wait, func() {
		s.mu.Lock()
		delete(q.parked, key)
		s.enqueue(key)
		s.mu.Unlock()
		s.rouse()
	})
}

// rouse has one who waits look for what is to be written.
func (s *statusWriter) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// next takes out the first outcome of a namespace that need not wait. It has to be given back by done.
func (s *statusWriter) next() (o pendingStatus, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for i, q := range s.turns {
		if q.waits(now) {
			continue
		}
		key, found := s.first(q)
		if !found {
			continue
		}
		o = q.current(s.pending[key])
		delete(s.pending, key)
		s.writing[key] = o.Outcome
		if !o.Claimed {
			s.spared++
		}
		if o.slow() {
			s.slow++
		}
		if q.bar != nil {
			q.bar.trying = true
		}
		s.turns = slices.Delete(s.turns, i, i+1)
		if !q.empty() {
			s.turns = append(s.turns, q) // others have theirs before it has another
		}
		s.forget(o.Workload.Namespace)
		return o, true
	}
	return pendingStatus{}, false
}

// first takes the first outcome out of a queue that may be written beside what is being written.
func (s *statusWriter) first(q *queue) (killKey, bool) {
	for _, list := range []*[]killKey{&q.claimed, &q.spared} {
		if list == &q.spared && s.spared == ofSpared {
			continue
		}
		i := slices.IndexFunc(*list, func(key killKey) bool {
			_, busy := s.writing[key]
			o := q.current(s.pending[key])
			return !busy && (!o.slow() || s.slow < ofSlow && (o.Claimed || s.slow == 0))
		})
		if i < 0 {
			continue
		}
		key := (*list)[i]
		if i == 0 {
			*list = (*list)[1:]
		} else {
			*list = slices.Delete(*list, i, i+1)
		}
		return key, true
	}
	return killKey{}, false
}

// current returns an outcome with the time that it needs by now: no more than others, if the API server was away when it was not answered.
func (q *queue) current(o pendingStatus) pendingStatus {
	if q.quick.After(o.tried) && !o.eased && o.slow() {
		o.within, o.eased = 0, true // if that is not enough, it is the outcome's own
	}
	return o
}

// forget gives up a queue that says nothing.
func (s *statusWriter) forget(namespace string) {
	if q := s.queues[namespace]; q.empty() && len(q.parked) == 0 && q.bar == nil {
		delete(s.queues, namespace)
	}
}

// room waits until few outcomes of kills of a namespace that were not carried out are to be written.
func (s *statusWriter) room(ctx context.Context, namespace string) error {
	for s.waiting(namespace) >= mostWaiting {
		if err := Pause(ctx, repeat/5); err != nil {
			return err
		}
	}
	return nil
}

func (s *statusWriter) waiting(namespace string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	if q := s.queues[namespace]; q != nil {
		n = len(q.spared)
		for key := range q.parked {
			if !s.pending[key].Claimed {
				n++
			}
		}
	}
	for key, o := range s.writing { // which may be declined
		if key.namespace == namespace && !o.Claimed {
			n++
		}
	}
	return n
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
	return len(s.pending) == 0
}

// run writes outcomes until ctx ends, and then for a moment what is left.
func (s *statusWriter) run(ctx context.Context) {
	writing, cancel := Outliving(ctx, lastWords)
	defer cancel()
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
			_ = Pause(writing, repeat/10)
		}
	}
}

// write writes an outcome and tells of it, or puts it back.
func (s *statusWriter) write(ctx context.Context, o pendingStatus) {
	within := max(o.within, writeTimeout)
	request, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	began := time.Now()
	err := s.records.WriteStatus(request, o.Outcome)
	if err != nil && request.Err() != nil {
		o.within, o.tried = min(2*within, longestWrite), time.Now() // a webhook may be slow
	}
	if err == nil {
		s.wrote(o.Workload.Namespace, time.Since(began) < writeTimeout)
	}
	var refusal *Refusal
	switch {
	case err == nil && o.Ended && !o.Restored:
		s.report.Ended(o.Outcome)
	case err == nil:
	case errors.Is(err, ErrTaken): // its attempt tells of it
	case errors.As(err, &refusal), !s.postpone(o, err):
		if !o.reported {
			s.report.Unrecorded(o.Outcome, err)
		}
	default:
		return
	}
	s.unbar(o.Workload.Namespace)
	s.onWritten(o.Outcome)
}

// unbar notes that a namespace need not wait.
func (s *statusWriter) unbar(namespace string) {
	s.mu.Lock()
	q := s.queues[namespace]
	barred := q != nil && q.bar != nil
	if barred {
		q.bar = nil
		s.forget(namespace)
	}
	s.mu.Unlock()
	if !barred {
		return
	}
	for range statusWriters { // what has waited is written by all
		s.rouse()
	}
}

// wrote notes that an outcome of a namespace was written, quickly or not: what others have no answer for is not for an API server that is
// away.
func (s *statusWriter) wrote(namespace string, quickly bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[namespace]; q != nil && quickly {
		q.quick = time.Now()
	}
	for other, q := range s.queues {
		if other == namespace || q.bar == nil {
			continue
		}
		now := time.Now()
		if last := q.bar.other; !last.IsZero() {
			q.bar.alone += min(now.Sub(last), mostBetween)
		}
		q.bar.other = now
	}
}

// overdue tells whether a kill has ended so long ago that nobody is to wait for its record any more.
func (o Outcome) overdue() bool { return o.Ended && wallNow().Sub(o.EndedAt) >= longDeclined }

// dispensable tells whether nothing was done that the record of a kill would tell of. What somebody asks for stays in sight until it
// is answered.
func (o Outcome) dispensable() bool { return !o.Claimed && o.Request == nil }

// postpone puts an outcome back that was not written, unless there is a later one of its kill. It returns false if it is given
// up.
func (s *statusWriter) postpone(o pendingStatus, err error) bool {
	declined := errors.Is(err, ErrDeclined)
	if declined && o.overdue() && o.dispensable() {
		s.troubled(o, err)
		return false
	}
	s.mu.Lock()
	now, key := time.Now(), o.key()
	q := s.queueOf(o.Workload.Namespace)
	if q.bar == nil {
		q.bar = &bar{pause: repeat}
	}
	q.bar.trying = false
	wait := q.bar.pause
	if declined { // which says nothing of others there
		wait, q.bar.alone, q.bar.other = longestPause, 0, time.Time{}
	} else {
		q.bar.until, q.bar.pause = now.Add(wait), min(2*wait, longestPause)
		time.AfterFunc(wait, s.rouse)
	}
	unanswered := q.bar.alone >= longDeclined
	var unrecorded []Outcome
	if (declined || unanswered) && o.overdue() && !o.dispensable() && !o.reported { // it is tried on, and people are not to wait for that
		o.reported = true
		unrecorded = append(unrecorded, o.Outcome)
	}
	newer, waits := s.pending[key]
	switch {
	case waits && !o.Claimed && !newer.Claimed:
		s.pending[key] = o
	case !waits && declined:
		s.pending[key] = o
		s.park(key, wait)
	case !waits || o.Claimed && !newer.Claimed:
		s.put(o)
	}
	if unanswered {
		unrecorded = append(unrecorded, s.giveUp(o.Workload.Namespace)...)
	}
	s.mu.Unlock()
	for _, o := range unrecorded {
		s.report.Unrecorded(o, err)
		s.onWritten(o)
	}
	s.rouse() // another of its namespace may have the next turn
	s.troubled(o, err)
	return true
}

// giveUp takes those outcomes out of a queue that nobody is to wait for any more, all at once: they may come faster than their namespace
// has turns.
func (s *statusWriter) giveUp(namespace string) (up []Outcome) {
	q := s.queues[namespace]
	q.spared = slices.DeleteFunc(q.spared, func(key killKey) bool {
		o := s.pending[key]
		if !o.overdue() || !o.dispensable() {
			return false
		}
		delete(s.pending, key)
		up = append(up, o.Outcome)
		return true
	})
	if q.empty() {
		s.turns = slices.DeleteFunc(s.turns, func(other *queue) bool { return other == q })
		q.bar = nil // of what comes later it says nothing
		s.forget(namespace)
	}
	return up
}

// troubled tells that an outcome was not written.
func (s *statusWriter) troubled(o pendingStatus, err error) {
	s.troubles.tell(s.report, "writing records", fmt.Errorf("namespace %s: %w", o.Workload.Namespace, err))
}
