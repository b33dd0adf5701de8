package alerts

import (
	"context"
	"maps"
	"slices"
	"time"

	"caprice/chaos"
)

// look is how often alerts are looked at to tell people of them. Kills ask by themselves.
const look = 5 * time.Second

// Cause is why chaos is halted: an alert that fires, or that none can be asked for.
type Cause struct {
	ID  string // the same whoever notices it
	Why string
}

// Follow tells of each cause when it begins to hold and when it does so no more, until ctx ends.
func (a *Alerts) Follow(ctx context.Context, began, ended func(Cause)) {
	holding := map[string]Cause{}
	for ctx.Err() == nil {
		firing, err := a.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		holding = a.compare(holding, firing, err, began, ended)
		_ = chaos.Pause(ctx, look)
	}
}

// unknown is the key of a cause that is no alert, and so has no labels.
const unknown = ""

// compare tells of the difference between the causes that held and those that do, and returns the latter. While alerts
// cannot be asked for, those that fired may fire still.
func (a *Alerts) compare(held map[string]Cause, firing []Alert, err error, began, ended func(Cause)) map[string]Cause {
	holding := map[string]Cause{}
	hold := func(key string, c Cause) {
		if before, ok := held[key]; ok {
			c = before // of two that watch the same, each may have a time of its own since when it fires
		} else if _, twice := holding[key]; !twice {
			began(c)
		}
		holding[key] = c
	}
	if err != nil {
		maps.Copy(holding, held)
		hold(unknown, Cause{"unknown since " + time.Now().UTC().Format(time.RFC3339), err.Error()})
	}
	for _, alert := range firing {
		key := alert.key()
		hold(key, Cause{key + alert.Since.UTC().Format(time.RFC3339Nano), a.describe(alert)})
	}
	for _, key := range slices.Sorted(maps.Keys(held)) {
		if _, ok := holding[key]; !ok {
			ended(held[key])
		}
	}
	return holding
}
