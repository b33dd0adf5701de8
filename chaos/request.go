package chaos

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

// Request is a kill that somebody asks for, at once and in place of what a plan says. Hours, days and holidays do not bind it,
// nor does the least time between kills; all other gates do, freezes among them. It is of one attempt alone: whoever writes its record
// may change Version.
type Request struct {
	Workload victims.Workload
	At       time.Time     // when it was asked for
	By       string        // who asks
	Scale    victims.Scale // how many are to die; zero: as the workload's terms say
	DryRun   bool          // nothing is to die, whatever the configuration says
	Version  string        // of the record that asks for it, which an attempt makes its own
	Problem  error         // why it cannot be carried out as it is asked for; nil: it can
}

// followRequests carries out the kills that people ask for, until ctx ends.
func (r *Runner) followRequests(ctx context.Context, term Term) {
	var attempts sync.WaitGroup
	defer attempts.Wait()
	var mu sync.Mutex
	known := begun{}
	r.Records.Requests(ctx, func(q Request) {
		k := due{
			subject: &subject{Subject: Subject{Workload: q.Workload}}, // on what terms is still to be read
			Kill:    Kill{q.At, r.Calendar.Date(calendar.Earlier(q.At, wallNow())), [2]uint64{rand.Uint64(), rand.Uint64()}}, request: &q,
		}
		mu.Lock()
		defer mu.Unlock()
		if known.begin(k.key(), wallNow()) {
			attempts.Go(func() {
				if r.ahead(wallNow(), k) == nil { // clocks differ
					_ = sleepUntil(ctx, k.At.Add(-headStart), nil)
				}
				for r.attempt(ctx, k, term) {
				}
			})
		}
	}, func(err error) { r.troubles.tell(r.Report, "looking for kills that people ask for", err) })
}

// remembered is how long after it began a kill that was asked for may still be read. It is asked for a day ahead at most, and acts no
// later than a day after its instant: what began anew after that would be missed.
const remembered = 3 * victims.MostPatience

// begun are the kills that somebody asked for and that began in this lead, and when, since they may be read more than once.
type begun map[killKey]time.Time

// begin tells whether a kill is to begin now, and notes that it does.
func (b begun) begin(k killKey, now time.Time) bool {
	if _, before := b[k]; before {
		return false
	}
	maps.DeleteFunc(b, func(_ killKey, at time.Time) bool { return now.Sub(at) > remembered })
	b[k] = now
	return true
}

// on returns a kill that somebody asks for, on the terms that its workload has now but for how many are to die. The terms of
// a planned one are those of its plan.
func (k due) on(now Subject) due {
	if k.request == nil || now.UID != k.UID {
		return k
	}
	k.subject = &subject{Subject: now}
	if k.request.Scale.Mode != "" {
		k.Terms.Scale = k.request.Scale
	}
	k.Date = k.Terms.Calendar.WorkingDate(k.At)
	return k
}

// inTime returns an error if a kill that is asked for must not be carried out now, for when it is.
func (r *Runner) inTime(now time.Time, k due) error {
	if err := r.ahead(now, k); err != nil {
		return err
	}
	if why := r.Calendar.Masked(now); why != "" {
		return &Veto{OutsideWindow, "no pod is killed now: " + why}
	}
	return nil
}

// ahead returns an error if a kill is asked for that is to come later.
func (r *Runner) ahead(now time.Time, k due) error {
	if ahead := k.At.Sub(now); ahead > r.LateGrace {
		return &missed{fmt.Sprintf("it is asked for %s ahead: want one at once", ahead.Round(time.Second))}
	}
	return nil
}
