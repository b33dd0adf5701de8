package kubernetes

import (
	"context"
	"maps"
	"sync"
	"time"

	"caprice/chaos"
)

const (
	// recency is how old an answer may be that is shared.
	recency = 2 * time.Second
	// recentPatience is how long one is waited for: whoever waits with others would wait as long as the first may.
	recentPatience = 2 * time.Second
)

// recent shares answers of the API server among kills that ask for the same at about the same time.
type recent[T any] struct {
	mu        sync.Mutex
	questions map[string]*question[T]
}

type question[T any] struct {
	asked    time.Time
	answered chan struct{}
	answer   T
	err      error
}

// ask returns the answer that another has got to the question, or is waiting for, or asks. An error is returned to
// all who wait for this answer, and not kept.
func (r *recent[T]) ask(ctx context.Context, key string, of func(context.Context) (T, error)) (T, error) {
	r.mu.Lock()
	q, ok := r.questions[key]
	if !ok || !chaos.Fresh(q.asked, recency) {
		maps.DeleteFunc(r.questions, func(_ string, old *question[T]) bool { return !chaos.Fresh(old.asked, recency) })
		if r.questions == nil {
			r.questions = map[string]*question[T]{}
		}
		q = &question[T]{asked: time.Now(), answered: make(chan struct{})}
		r.questions[key] = q
		go r.answer(context.WithoutCancel(ctx), key, q, of) // it ends within its patience, and not for want of time of one who waits
	}
	r.mu.Unlock()
	select {
	case <-q.answered:
		return q.answer, q.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func (r *recent[T]) answer(ctx context.Context, key string, q *question[T], of func(context.Context) (T, error)) {
	ctx, cancel := context.WithTimeout(ctx, recentPatience)
	defer cancel()
	defer close(q.answered)
	if q.answer, q.err = of(ctx); q.err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.questions[key] == q {
		delete(r.questions, key)
	}
}
