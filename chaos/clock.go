package chaos

import (
	"context"
	"time"
)

// wallNow is the time of the wall clock alone, which a suspended machine and a set clock move, unlike the monotonic one.
func wallNow() time.Time { return time.Now().Round(0) }

// age returns how long ago a time was read from the clocks, by the one that says more: the wall clock may have been set since,
// and the monotonic one stands still while a machine is suspended.
func age(t time.Time) time.Duration { return max(time.Since(t), wallNow().Sub(t.Round(0)).Abs()) }

// Fresh tells whether a time was read from the clocks less than limit ago. The zero time never was.
func Fresh(since time.Time, limit time.Duration) bool { return !since.IsZero() && age(since) < limit }

// ClockStep returns by how much the wall clock was set since a time was read from the clocks: forward, or backward if it is negative. A
// machine that was suspended looks the same.
func ClockStep(since time.Time) time.Duration {
	now := time.Now()
	return now.Round(0).Sub(since.Round(0)) - now.Sub(since)
}

// ClocksApart is by how much this process's clock may be set, or be apart from the API server's, for kills to be carried out and what is
// old to be deleted. Windows, halts and the age of pods go by both.
const ClocksApart = time.Minute

// Pause waits for a time, whatever the wall clock says meanwhile, or until ctx ends: its error then.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// Outliving returns a context that ends a while after ctx does, so that what is left can still be done, or when it is cancelled.
func Outliving(ctx context.Context, while time.Duration) (context.Context, context.CancelFunc) {
	outliving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(while, cancel) })
	return outliving, func() {
		stop()
		cancel()
	}
}

// sleepUntil waits until the wall clock shows t, something comes from interrupt, or ctx ends: its error then. It looks at
// the clock once a second, since a timer does not notice that the clock was set or the machine suspended.
func sleepUntil(ctx context.Context, t time.Time, interrupt <-chan struct{}) error {
	for {
		left := t.Sub(wallNow())
		if left <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(min(left, time.Second))
		select {
		case <-timer.C:
		case <-interrupt:
			timer.Stop()
			return ctx.Err()
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}
