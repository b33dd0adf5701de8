package chaos

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatOutlivesAContextEndsAWhileAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		outliving, cancel := Outliving(ctx, time.Second)
		defer cancel()
		time.Sleep(time.Minute)
		end()
		began := time.Now()
		synctest.Wait()
		if err := outliving.Err(); err != nil {
			t.Errorf("%v as soon as the other ended, want it a while later", err)
		}
		<-outliving.Done()
		if got := time.Since(began); got != time.Second {
			t.Errorf("it ended after %s, want 1s", got)
		}
	})
}

func TestWhatOutlivesAContextEndsWhenItIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outliving, cancel := Outliving(t.Context(), time.Hour)
		began := time.Now()
		cancel()
		<-outliving.Done()
		if got := time.Since(began); got != 0 {
			t.Errorf("it ended after %s, want it at once", got)
		}
	})
}
