package chaos

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// mostAtOnce is how many kills are being prepared at once: enough for 80 a second by an API server that takes 100 ms for an
	// answer. More would not come about sooner where it is full: each would wait for its answers until it gives up, and ask again.
	mostAtOnce = 32
	// answersTake is how much of its patience a kill has left at least when its turn comes; with less, it would ask in vain.
	answersTake = 3 * time.Second
)

// turns are places for kills that are being prepared.
type turns chan struct{}

func newTurns() turns { return make(turns, mostAtOnce) }

// take waits for a turn, those that came first before others, while ctx leaves time for answers; its error is a *missed else.
// The turn ends when leave is called, once or more often.
func (t turns) take(ctx context.Context) (leave func(), err error) {
	waiting, cancel := ctx, context.CancelFunc(func() {})
	if until, ok := ctx.Deadline(); ok {
		waiting, cancel = context.WithDeadline(ctx, until.Add(-answersTake))
	}
	defer cancel()
	select {
	case t <- struct{}{}: // at once, even if no time is left for others
	default:
		select {
		case t <- struct{}{}:
		case <-waiting.Done():
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, &missed{fmt.Sprintf("its turn did not come in time: %d kills before it still wait for answers of the API server", cap(t))}
		}
	}
	return sync.OnceFunc(func() { <-t }), nil
}
