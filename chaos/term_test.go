package chaos

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// leads has a runner lead a term until stop is called.
func leads(r *Runner, term Term) (stop func()) {
	running, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { r.WriteStatuses(running) })
	all.Go(func() { r.Lead(running, term) })
	return func() {
		cancel()
		all.Wait()
	}
}

func TestWhatALeaderCouldNotWriteTheNextOneSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, _, _, s := world(t, 10*time.Minute)
		records := &archive{down: true}
		first.Records, first.agenda.armed = records, false
		begin := wallNow()
		first.Set(s)
		kills := slices.DeleteFunc(Plan(Seed{1}, s.Terms.Calendar.Day(s.Terms.Calendar.Date(begin)), s), func(k Kill) bool { return !k.At.After(begin) })
		at := kills[0].At
		term := Term{First: true, From: begin, Alive: begin}
		stop := leads(first, term)
		time.Sleep(time.Until(at) - 3*time.Second)
		if until := first.Settled(term); until != wallNow() {
			t.Errorf("with nothing due it has settled until %s, want now, %s", until, wallNow())
		}
		time.Sleep(10 * time.Minute) // it lives on, and can write nothing
		alive, until := wallNow(), first.Settled(term)
		if !until.Before(at) || until.Before(at.Add(-time.Second)) {
			t.Errorf("what was planned for %s is not written down, and it has settled until %s", at, until)
		}
		stop()
		if after := first.Settled(term); after != until {
			t.Errorf("when it has ended it has settled until %s, want %s", after, until)
		}

		second, cluster, told, _ := world(t, 10*time.Minute)
		records.down = false
		second.Records, second.agenda.armed = records, false
		term = Term{From: until, Alive: alive}
		if until := second.Settled(term); until != term.From {
			t.Errorf("before it has taken over the next leader has settled until %s, want %s", until, term.From)
		}
		second.Set(s)
		stop = leads(second, term)
		time.Sleep(time.Second)
		synctest.Wait()
		due := len(slices.DeleteFunc(kills, func(k Kill) bool { return k.At.After(alive) }))
		if len(told.outcomes) != due || len(cluster.removed) > 0 {
			t.Errorf("%d kills were due; the next leader told of %d, removed %v; want each to be missed", due, len(told.outcomes), cluster.removed)
		}
		if until := second.Settled(term); until != wallNow() {
			t.Errorf("with all of them written down it has settled until %s, want now, %s", until, wallNow())
		}
		stop()
	})
}

func TestAKillThatALostLeadLeftBehindIsNotSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, _, s := world(t, 10*time.Minute)
		cluster.down = true
		r.Set(s)
		at := r.agenda.items[0].at
		term := Term{First: true, From: wallNow(), Alive: wallNow()}
		stop := leads(r, term)
		time.Sleep(time.Until(at) - time.Second) // it is being prepared
		stop()
		time.Sleep(time.Minute)
		if until := r.Settled(term); !until.Before(at) {
			t.Errorf("nothing came of what was planned for %s, and it has settled until %s", at, until)
		}
	})
}

func TestATermBeginsSettledUntilItsFirstInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _, s := world(t, 10*time.Minute)
		r.Set(s)
		time.Sleep(time.Hour) // kills were due that were an earlier term's to settle
		r.term = Term{From: wallNow(), Alive: wallNow()}
		if until := r.Settled(r.term); until != r.term.From {
			t.Errorf("it has settled until %s, want %s", until, r.term.From)
		}
	})
}

func TestNothingIsKilledInIgnorance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10*time.Minute)
		records := &archive{unread: true}
		r.Records = records
		r.Set(s)
		term := Term{First: true, From: wallNow(), Alive: wallNow()}
		stop := leads(r, term)
		defer stop()
		time.Sleep(3 * time.Hour) // however long
		synctest.Wait()
		if len(cluster.removed) > 0 || len(told.outcomes) > 0 || told.troubles == 0 || r.Settled(term) != term.From {
			t.Errorf("records cannot be read: %v was removed, told of %d kills and %d troubles, settled until %s", cluster.removed, len(told.outcomes), told.troubles, r.Settled(term))
		}
		records.mu.Lock()
		records.unread = false
		records.mu.Unlock()
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if len(cluster.removed) == 0 {
			t.Error("records can be read again: nothing was removed")
		}
	})
}

func TestWhatWasLeftOpenHoldsItsNamespaceUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, _, s := world(t, 24*time.Hour)
		open := Outcome{Record: Record{Workload: s.Workload, Planned: wallNow(), Targets: cluster.pods[:1], ActBefore: wallNow().Add(time.Minute)}, Claimed: true}
		r.Records = &archive{records: map[string]Outcome{name(open.Record): open}}
		var attempts sync.WaitGroup
		if !r.takeOver(t.Context(), &attempts) || !r.adoptedIn(s.Namespace) {
			t.Error("it was taken over, and does not hold its namespace")
		}
		attempts.Wait()
		if r.adoptedIn(s.Namespace) {
			t.Error("it has ended, and holds its namespace still")
		}
	})
}

func TestOnlyAKillThatHealedGivesItsPlaceBack(t *testing.T) {
	for verdict, left := range map[Verdict]int{Recovered: 0, Disproved: 0, NotRecovered: 1} {
		r, _, _, s := world(t, 24*time.Hour)
		o := Outcome{Record: Record{Workload: s.Workload, Planned: wallNow()}, Claimed: true, ExecutedAt: wallNow()}
		r.ledger = newLedger(r.Limits, r.Calendar, []Outcome{o})
		o.Ended, o.Verdict = true, verdict
		r.settle(o)
		if got := len(r.ledger.open); got != left {
			t.Errorf("%s: %d kills hold a place, want %d", verdict, got, left)
		}
	}
}

func TestALeadEndsWhenTheClockIsSet(t *testing.T) {
	for set, ends := range map[time.Duration]bool{50 * time.Second: false, -50 * time.Second: false, 61 * time.Second: true, -5 * 24 * time.Hour: true} {
		synctest.Test(t, func(t *testing.T) {
			r, _, told, _ := world(t, 400*24*time.Hour)
			begin := time.Now()
			r.clockStep = func(since time.Time) time.Duration {
				if time.Since(begin) < time.Minute {
					return 0
				}
				return set
			}
			over := make(chan struct{})
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				r.Lead(ctx, Term{First: true, From: wallNow(), Alive: wallNow()})
				close(over)
			}()
			select {
			case <-over:
				t.Error("it ends before the clock is set")
			case <-time.After(59 * time.Second):
			}
			ended := false
			select {
			case <-over:
				ended = true
			case <-time.After(3 * time.Second):
			}
			cancel()
			<-over
			if ended != ends || (told.troubles > 0) != ends {
				t.Errorf("the clock was set by %s: it has ended: %v, and trouble was told of %d times; want %v", set, ended, told.troubles, ends)
			}
		})
	}
}
