package chaos

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

// Term is a time as the leader.
type Term struct {
	First bool      // there was no leader before
	From  time.Time // planned instants after it are this leader's to settle
	Alive time.Time // up to when there was a leader before; what it has not begun by then is missed
}

// Settled returns until when all that was due is written down, as far as the leader of a term has come: what is planned for
// later is the next leader's to settle.
func (r *Runner) Settled(term Term) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.term != term {
		return term.From // it has yet to learn what there is
	}
	until := wallNow()
	pending := func(at time.Time) {
		if !at.After(until) {
			until = at.Add(-time.Millisecond)
		}
	}
	for _, at := range r.owed {
		pending(at)
	}
	if len(r.agenda.items) > 0 {
		pending(r.agenda.items[0].at)
	}
	return calendar.Later(term.From, until) // an agenda that was not asked for long has items of before the term
}

// written notes that a kill has a record, or never gets one.
func (r *Runner) written(key killKey) {
	r.mu.Lock()
	delete(r.owed, key)
	r.mu.Unlock()
}

// takeOver learns from the records what earlier leaders did, and carries on what they left open. It returns false if ctx
// ends before that is known: nothing is killed in ignorance.
func (r *Runner) takeOver(ctx context.Context, attempts *sync.WaitGroup) bool {
	ended := r.statuses.ended() // when this process led before; to begin with, since what is written meanwhile may have been read before
	known, ok := r.learn(ctx)
	if !ok {
		return false
	}
	for i, o := range known {
		if mine, ok := ended[o.key()]; ok && !o.Ended && mine.Nonce == o.Nonce {
			known[i] = mine
		}
	}
	r.recorded = make(map[killKey]bool, len(known))
	for _, o := range known {
		r.recorded[o.key()] = true
	}
	r.suffer(known...)
	r.mu.Lock()
	r.ledger = newLedger(r.Limits, r.Calendar, known)
	r.agenda.noteKills(known)
	r.mu.Unlock()
	for _, o := range known {
		switch {
		case o.Ended:
		case o.Restored:
			r.statuses.add(o.lapsed())
		default:
			r.adopt(o)
			attempts.Go(func() { r.carryOn(ctx, o) })
		}
	}
	return true
}

// leastRecall is how long the records may take to be read, and twice that where it was not enough, up to mostRecall.
const leastRecall, mostRecall = 30 * time.Second, 8 * time.Minute

// learn reads the records, and sees to it that halts can be read; it asks until it is answered or ctx ends. Of halts it has
// had enough after a while: without them no pod is removed, and what is due has a record that says so. The kills that it
// returns are those of the last days, and earlier ones that somebody has yet to look after.
func (r *Runner) learn(ctx context.Context) (known []Outcome, ok bool) {
	begin := time.Now()
	for enough := leastRecall; ; enough = min(2*enough, mostRecall) {
		request, cancel := context.WithTimeout(ctx, enough)
		known, err := r.recall(request)
		learned := err == nil
		if learned {
			err = r.Halts.Check(request, victims.Workload{})
		}
		cancel()
		var veto *Veto
		if err == nil || errors.As(err, &veto) || learned && time.Since(begin) > patience {
			return known, true
		}
		if ctx.Err() != nil {
			return nil, false
		}
		r.troubles.tell(r.Report, "reading records and halts", err)
		if Pause(ctx, time.Second) != nil {
			return nil, false
		}
	}
}

// recall reads the kills of the last days, and earlier ones that somebody has yet to look after.
func (r *Runner) recall(ctx context.Context) ([]Outcome, error) {
	known, err := r.Records.Known(ctx)
	if err != nil {
		return nil, err
	}
	open, err := r.Records.Open(ctx)
	if err != nil {
		return nil, err
	}
	for i := range known {
		known[i].LookedAfter = known[i].Ended && !contains(open, known[i])
	}
	return append(slices.DeleteFunc(open, func(o Outcome) bool { return contains(known, o) }), known...), nil
}

// toldBefore returns the date of whose plan an earlier leader has told: one that had taken over, and did not only wait for records.
func (r *Runner) toldBefore(term Term, beside *sync.WaitGroup) calendar.Date {
	day, ok := r.Calendar.OpenDay(wallNow())
	if ok && !term.First && !term.From.Before(day.Windows[0].Open) {
		beside.Go(func() { r.countPlanned(day.Date) })
		return day.Date
	}
	return calendar.Date{}
}
