package kubernetes

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A kill is prepared two seconds ahead: an answer of its own would be as old when it strikes.
func TestWhatIsSharedIsNoOlderThanAnAnswerOfItsOwn(t *testing.T) {
	if recency > 2*time.Second {
		t.Errorf("an answer is shared for %s, want 2s at most", recency)
	}
}

func TestAnAnswerIsSharedForMomentsAndAFailureIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recent[int]
		var problem error
		asked := 0
		ask := func(key string) int {
			before := asked
			_, _ = r.ask(t.Context(), key, func(context.Context) (int, error) {
				asked++
				return asked, problem
			})
			return asked - before
		}
		for _, test := range []struct {
			why  string
			key  string
			wait time.Duration
			fail error
			want int // questions
		}{
			{"the first", "shop", 0, nil, 1},
			{"another at once", "shop", 0, nil, 0},
			{"one about something else", "team", 0, nil, 1},
			{"the last moment", "shop", recency - time.Millisecond, nil, 0},
			{"it is too old", "shop", time.Millisecond, nil, 1},
			{"a failure", "new", 0, errors.New("no"), 1},
			{"after a failure", "new", 0, nil, 1},
			{"after an answer", "new", 0, nil, 0},
		} {
			time.Sleep(test.wait)
			problem = test.fail
			if got := ask(test.key); got != test.want {
				t.Errorf("%s: %d questions, want %d", test.why, got, test.want)
			}
		}
		time.Sleep(recency)
		if ask("other"); len(r.questions) != 1 {
			t.Errorf("%d answers are kept when one is recent", len(r.questions))
		}
	})
}

func TestWhoeverWaitsForAnAnswerWaitsNoLongerThanItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recent[int]
		var asking sync.WaitGroup
		hang := func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		begin := time.Now()
		asking.Go(func() {
			if _, err := r.ask(t.Context(), "shop", hang); err == nil || time.Since(begin) != recentPatience {
				t.Errorf("no answer: %v after %s, want an error after %s", err, time.Since(begin), recentPatience)
			}
		})
		synctest.Wait()
		impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := r.ask(impatient, "shop", hang); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 100*time.Millisecond {
			t.Errorf("another has the answer of the first after %s: %v, want its own time to be up after 100ms", time.Since(begin), err)
		}
		asking.Wait()
	})
}

func TestWhoAsksFirstAndHasNoTimeLeftTakesNobodyElsesAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recent[int]
		slow := func(ctx context.Context) (int, error) {
			select {
			case <-time.After(time.Second):
				return 7, nil
			case <-ctx.Done():
				return 0, context.Cause(ctx)
			}
		}
		var asking sync.WaitGroup
		asking.Go(func() {
			impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, err := r.ask(impatient, "shop", slow); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who asks first: %v, want its own time to be up", err)
			}
		})
		synctest.Wait()
		if answer, err := r.ask(t.Context(), "shop", slow); answer != 7 || err != nil {
			t.Errorf("another has %d (%v), want the answer", answer, err)
		}
		asking.Wait()
	})
}
