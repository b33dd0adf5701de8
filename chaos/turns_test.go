package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"caprice/victims"
)

// crowd is a toy of many workloads, none of which loses a pod for long, and counts how many kills ask it at once.
type crowd struct {
	*toy
	asking, most int
}

func (c *crowd) Pods(ctx context.Context, now WorkloadState) (Snapshot, error) {
	c.count(1)
	defer c.count(-1)
	return c.toy.Pods(ctx, now)
}

func (c *crowd) count(change int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asking += change
	c.most = max(c.most, c.asking)
}

func (c *crowd) Remove(context.Context, victims.Pod, Removal) error { return nil }

// Follow sees that all pods are others.
func (c *crowd) Follow(_ context.Context, since Snapshot, see func(Snapshot) bool) error {
	since.unwatch()
	since.At, since.Pods = wallNow(), slices.Clone(since.Pods)
	for i := range since.Pods {
		since.Pods[i].UID += " anew"
	}
	if !see(since) {
		return errors.New("it is not whole")
	}
	return nil
}

// ponder is what a probe asks that takes its time.
type ponder time.Duration

func (p ponder) Ask(context.Context) (Answer, error) {
	time.Sleep(time.Duration(p))
	return Answer{Value: "fine", Off: -1}, nil
}

func TestNoMoreKillsArePreparedAtOnceThanAnAPIServerAnswers(t *testing.T) {
	for _, test := range []struct {
		slow, probe time.Duration // an answer
		inTime      bool
		least       int // of some 1,000 kills strike
	}{
		{250 * time.Millisecond, 0, true, 900}, // 128 a second, and some 100 are due
		{250 * time.Millisecond, 900 * time.Millisecond, true, 900},
		{2 * time.Second, 0, false, 150},        // 16 a second
		{3500 * time.Millisecond, 0, false, 80}, // 9 a second
	} {
		synctest.Test(t, func(t *testing.T) {
			r, toy, told, s := world(t, 10*time.Second)
			c := &crowd{toy: toy}
			c.slowRead, r.Cluster = test.slow, c
			r.Hypotheses = believe(ponder(test.probe), func(p *Probe) { p.During = false })
			s.Terms.Calendar = workingHours(t, "00:00-00:01")
			toy.terms = s.Terms
			for i := range 1000 {
				s.UID = fmt.Sprint("uid-", i)
				r.Set(s)
			}
			during(r, 12*time.Second)
			if c.most > mostAtOnce || !test.inTime && c.most < mostAtOnce {
				t.Errorf("answers take %s: %d kills asked at once, want %d", test.slow, c.most, mostAtOnce)
			}
			struck, missed := 0, 0
			for _, o := range told.outcomes {
				switch {
				case o.executed():
					struck++
				case o.Verdict == Missed && strings.Contains(o.Message, "its turn did not come in time"):
					missed++
				case o.Verdict != Abandoned: // when the lead ended
					t.Errorf("%s: %s %s %s", o.Planned, o.Verdict, o.Reason, o.Message)
				}
			}
			if struck < test.least || missed > 0 == test.inTime {
				t.Errorf("answers take %s: %d kills struck and %d were missed, want %d and all in time: %v", test.slow, struck, missed, test.least, test.inTime)
			}
		})
	}
}

func TestHowLongATurnIsWaitedForLeavesTimeForAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for has, waits := range map[time.Duration]time.Duration{20 * time.Second: 20*time.Second - answersTake, answersTake: answersTake / 2} {
			ctx, cancel := context.WithTimeout(t.Context(), has)
			inTime, end := leavingTime(ctx)
			if until, _ := inTime.Deadline(); time.Until(until) != waits {
				t.Errorf("with a patience of %s it is waited for %s, want %s", has, time.Until(until), waits)
			}
			end()
			cancel()
		}
	})
}

// Another leader may still carry it out.
func TestWhoWaitsForATurnWhenItsKillerEndsIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var places turns
		for range mostAtOnce {
			if _, err := places.take(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, end := context.WithTimeout(t.Context(), time.Minute)
		time.AfterFunc(time.Second, end)
		_, err := places.take(ctx)
		var late *missed
		if errors.As(err, &late) || !errors.Is(err, context.Canceled) || len(places.waiting) > 0 {
			t.Errorf("%v, and %d wait; want that its killer ends, and nobody", err, len(places.waiting))
		}
	})
}

func TestWhatIsSparedGivesItsTurnBack(t *testing.T) {
	for why, change := range map[string]func(*toy, bool){
		"before its pods are read": func(c *toy, spares bool) { c.rollout = map[bool]string{true: "new pods"}[spares] },
		"after they were":          func(c *toy, spares bool) { c.pods[0].Ready = !spares },
		"and who cannot read them": func(c *toy, spares bool) { c.refuses = spares },
	} {
		synctest.Test(t, func(t *testing.T) {
			r, toy, told, s := world(t, time.Second)
			s.Terms.Calendar = workingHours(t, "00:00-00:02")
			toy.terms = s.Terms
			change(toy, true)
			r.Set(s)
			during(r, time.Minute, func() {
				toy.mu.Lock()
				change(toy, false)
				toy.mu.Unlock()
				time.Sleep(time.Minute)
			})
			spared, struck := 0, 0
			for _, o := range told.outcomes {
				if o.executed() {
					struck++
				} else if o.Verdict == Vetoed || o.Verdict == Failed {
					spared++
				}
			}
			if spared <= mostAtOnce || struck == 0 {
				t.Errorf("%s: %d were spared and then %d struck; want more than %d, and some", why, spared, struck, mostAtOnce)
			}
		})
	}
}

func TestWhoseTurnIsNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		leave := make([]func(), 0, mostAtOnce)
		for range mostAtOnce {
			l, err := turns.take(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			leave = append(leave, l)
		}
		var mu sync.Mutex // guards came
		var came []string
		wait := func(who string, patience time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			go func() {
				defer cancel()
				l, err := turns.take(ctx)
				if err != nil {
					l, who = func() {}, who+": "+err.Error()
				}
				mu.Lock()
				came = append(came, who)
				mu.Unlock()
				l()
			}()
			synctest.Wait()
		}
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(came, want) {
				t.Errorf("%q, want %q", came, want)
			}
			came = nil
		}
		const inVain = ": its turn did not come in time: 32 others that are due as well wait for answers of the API server"

		wait("first", 7*time.Second)
		wait("second", 7*time.Second)
		time.Sleep(headStart)
		expect()
		leave[0]()
		expect("first", "second")

		leave[0]() // a turn ends once
		l, err := turns.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wait("patient for 2 s", 2*time.Second)
		wait("patient for 7 s", 7*time.Second)
		wait("patient for long", time.Hour)
		time.Sleep(time.Second - 1)
		expect()
		time.Sleep(time.Nanosecond) // half of its time is left for answers
		expect("patient for 2 s" + inVain)
		time.Sleep(headStart)
		wait("last", 7*time.Second)
		time.Sleep(time.Second)
		expect("patient for 7 s" + inVain)
		l()
		expect("last", "patient for long")
		if turns.taken != mostAtOnce-1 || len(turns.waiting) > 0 {
			t.Errorf("%d turns are taken and %d wait, want %d and none", turns.taken, len(turns.waiting), mostAtOnce-1)
		}
	})
}

func TestWhoHadATurnSaysWhatCameOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, toy, told, s := world(t, 10*time.Minute)
		toy.failures = 1
		r.Set(s)
		go func() {
			for failed := false; !failed; time.Sleep(repeat / 2) {
				toy.mu.Lock()
				failed = toy.failures == 0
				toy.mu.Unlock()
			}
			for range mostAtOnce {
				_, _ = r.turns.take(t.Context())
			}
		}()
		during(r, time.Hour)
		const want = "; before that: reading the workload: connection refused"
		if len(told.outcomes) == 0 || told.outcomes[0].Verdict != Missed || !strings.HasSuffix(told.outcomes[0].Message, want) {
			t.Errorf("%+v; want it missed, in words that end in %q", told.outcomes, want)
		}
	})
}
