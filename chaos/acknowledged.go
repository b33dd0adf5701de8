package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

// suffer notes which of the kills are the last that their workloads did not recover from.
func (r *Runner) suffer(kills ...Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.suffered == nil {
		r.suffered = make(map[string]Outcome)
	}
	for _, o := range kills {
		if o.suffers() && !o.Planned.Before(r.suffered[o.Workload.UID].Planned) {
			o.seen, o.probes, o.sampling = Snapshot{}, nil, nil // which nobody goes by any more, and it may be a day until somebody acknowledges
			r.suffered[o.Workload.UID] = o
		}
	}
}

// suffers tells whether its workload did not recover, is there, and nobody has looked after it.
func (o Outcome) suffers() bool {
	return o.Verdict == NotRecovered && o.Reason != Gone && !o.LookedAfter
}

// suffering returns the last kills that workloads did not recover from, by UID.
func (r *Runner) suffering() map[string]Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.suffered)
}

// soothe takes those back that were noted before the open kills were read and are not among these any more: somebody has looked after
// them, or their time has passed.
func (r *Runner) soothe(before map[string]Outcome, open []Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for uid, o := range r.suffered {
		if old, ok := before[uid]; ok && old.key() == o.key() && !contains(open, o) {
			delete(r.suffered, uid)
			r.ledger.close(o.Workload, o.Planned)
		}
	}
}

const (
	// relieveAgain is how long after it was known whether somebody has looked after kills it is asked again for one that they forbid.
	relieveAgain = 5 * time.Second
	// relievers is how many kills are asked for at once.
	relievers = 8
)

// relieve finds out whether somebody has looked after kills that count against a limit. Of several kills that these forbid at once, one
// asks for all. It returns false if there are none.
func (r *Runner) relieve(ctx context.Context) bool {
	r.mu.Lock()
	waits := len(r.suffered) > 0 && r.Limits.Unrecovered+r.Limits.UnrecoveredPerNamespace > 0
	asking := r.relieving
	asks := waits && asking == nil && !Fresh(r.relieved, relieveAgain)
	if asks {
		asking = make(chan struct{})
		r.relieving = asking
	}
	suffering := maps.Clone(r.suffered)
	r.mu.Unlock()
	switch {
	case asks:
		known := r.inquire(ctx, suffering)
		r.mu.Lock()
		if r.relieving = nil; known {
			r.relieved = time.Now()
		}
		r.mu.Unlock()
		close(asking)
	case waits && asking != nil:
		select {
		case <-asking:
		case <-ctx.Done():
		}
	}
	return waits
}

// inquire asks of each of the kills whether somebody has looked after it. It returns false if of one that is not known.
func (r *Runner) inquire(ctx context.Context, suffering map[string]Outcome) bool {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var asked sync.WaitGroup
	var unknown atomic.Bool
	turns := make(chan struct{}, relievers)
	for _, o := range suffering {
		asked.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			var veto *Veto
			if err := r.heeded(ctx, o); err != nil && !errors.As(err, &veto) {
				unknown.Store(true)
			}
		})
	}
	asked.Wait()
	return !unknown.Load()
}

// heeded returns an error unless somebody has acknowledged that a workload did not recover from a kill, or enough time has passed since:
// then it takes the kill back.
func (r *Runner) heeded(ctx context.Context, o Outcome) error {
	if wallNow().Before(calendar.Later(o.ExecutedAt, o.EndedAt).Add(r.AcknowledgeAfter)) {
		if err := r.Records.Acknowledged(ctx, o.Record); err != nil {
			return err
		}
	}
	r.lookedAfter(o)
	return nil
}

// lookedAfter takes a kill back that its workload did not recover from.
func (r *Runner) lookedAfter(o Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.suffered[o.Workload.UID].key() == o.key() { // and not a later one
		delete(r.suffered, o.Workload.UID)
	}
	r.ledger.close(o.Workload, o.Planned)
}

func contains(kills []Outcome, o Outcome) bool {
	return slices.ContainsFunc(kills, func(other Outcome) bool { return other.key() == o.key() })
}

// acknowledged returns an error unless somebody has acknowledged that the workload did not recover from its last kill, or
// enough time has passed since: then it takes the kill off the ledger, and the gates that follow see to it that the workload is whole.
func (r *Runner) acknowledged(ctx context.Context, w victims.Workload) error {
	r.mu.Lock()
	o, ok := r.suffered[w.UID]
	r.mu.Unlock()
	if !ok || o.Workload.Namespace != w.Namespace { // who asks for a kill may give any UID, and learns nothing of other namespaces
		return nil
	}
	err := r.heeded(ctx, o)
	var veto *Veto
	if err != nil && !errors.As(err, &veto) {
		return fmt.Errorf("reading the record of its last kill: %w", err)
	}
	return err
}
