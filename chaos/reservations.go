package chaos

import (
	"fmt"
	"maps"
	"sync"
	"time"
)

// reservations are the PodDisruptionBudgets under which a kill is being judged or carried out. Each has one kill at
// a time: what a budget allows falls only some time after a pod was deleted, and two kills must not both count on it.
type reservations struct {
	mu         sync.Mutex
	generation int              // goes up by one with each release
	held       map[string]bool  // by namespace/name
	freed      map[string]freed // the last release of each
}

// freed is the generation of a release, and when it was.
type freed struct {
	generation int
	at         time.Time
}

// freedFor is for how long a release is remembered: for longer than anybody goes by what was read of a budget.
const freedFor = time.Minute

// now returns the present generation, to be asked for before budgets are read.
func (r *reservations) now() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.generation
}

// hold holds the budgets for one kill until release is called, by whoever knows that what the kill did shows in what the
// budgets allow. It holds none of them and returns an error if another kill holds one, or has held one since that generation:
// then what was read of it may be of before that kill.
func (r *reservations) hold(since int, budgets []Budget) (release func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range budgets {
		if r.held[b.String()] || r.freed[b.String()].generation > since {
			return nil, &Veto{Disruption, fmt.Sprintf("another kill under PodDisruptionBudget %s has to end first", b.Name)}
		}
	}
	if r.held == nil {
		r.held, r.freed = map[string]bool{}, map[string]freed{}
	}
	for _, b := range budgets {
		r.held[b.String()] = true
	}
	return sync.OnceFunc(func() { r.release(budgets) }), nil
}

func (r *reservations) release(budgets []Budget) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.generation++
	now := time.Now()
	maps.DeleteFunc(r.freed, func(_ string, f freed) bool { return now.Sub(f.at) > freedFor })
	for _, b := range budgets {
		delete(r.held, b.String())
		r.freed[b.String()] = freed{r.generation, now}
	}
}
