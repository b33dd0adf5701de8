package chaos

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// mostAtOnce is how many kills read their workloads and pods at once: enough for 80 a second by an API server that takes 100 ms
	// for an answer. More would not come about sooner where it is full: each would wait for its answers until it gives up, and
	// ask again.
	mostAtOnce = 32
	// answersTake is how much of its patience a kill has left at least when its turn comes; with less, it would ask in vain.
	answersTake = 3 * time.Second
)

// turns are places for kills that read. First come, first served, until somebody has waited for longer than headStart; then last come,
// first served: where more come for long than there are places for, those that get one are on time, and have their patience still
// before them.
type turns struct {
	mu      sync.Mutex
	taken   int
	waiting []waiter // those that came first before others
}

type waiter struct {
	since time.Time
	turn  chan struct{} // closed when it has come
}

// take waits for a turn while ctx leaves time for answers; otherwise its error is a *missed. The turn ends when leave is called,
// once or more often.
func (t *turns) take(ctx context.Context) (leave func(), err error) {
	t.mu.Lock()
	if t.taken < mostAtOnce {
		t.taken++
		t.mu.Unlock()
		return sync.OnceFunc(t.leave), nil
	}
	turn := make(chan struct{})
	t.waiting = append(t.waiting, waiter{time.Now(), turn})
	t.mu.Unlock()
	inTime, cancel := leavingTime(ctx)
	defer cancel()
	select {
	case <-turn:
	case <-inTime.Done():
		if t.giveUp(turn) {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, &missed{fmt.Sprintf("its turn did not come in time: %d others that are due as well wait for answers of the API server", mostAtOnce)}
		}
	}
	return sync.OnceFunc(t.leave), nil
}

// leavingTime returns a context that ends before ctx, so that it leaves time for answers.
func leavingTime(ctx context.Context) (context.Context, context.CancelFunc) {
	until, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, until.Add(-min(answersTake, time.Until(until)/2)))
}

// giveUp returns false if the turn has come.
func (t *turns) giveUp(turn chan struct{}) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.waiting, func(w waiter) bool { return w.turn == turn })
	if i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
	}
	return i >= 0
}

func (t *turns) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.taken--
		return
	}
	next := 0
	if time.Since(t.waiting[0].since) > headStart {
		next = len(t.waiting) - 1
	}
	close(t.waiting[next].turn)
	t.waiting = slices.Delete(t.waiting, next, next+1)
}
