package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"caprice/victims"
)

// declining is an archive of which one namespace takes no records until a time.
type declining struct {
	archive
	namespace string
	until     time.Time
	err       error
	asked     int // for that namespace
}

func (d *declining) declines(namespace string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return namespace == d.namespace && time.Now().Before(d.until)
}

func (d *declining) Claim(ctx context.Context, r Record) error {
	if d.declines(r.Workload.Namespace) {
		return d.err
	}
	return d.archive.Claim(ctx, r)
}

func (d *declining) WriteStatus(ctx context.Context, o Outcome) error {
	if !d.declines(o.Workload.Namespace) {
		return d.archive.WriteStatus(ctx, o)
	}
	d.mu.Lock()
	d.asked++
	d.mu.Unlock()
	return d.err
}

func TestANamespaceThatTakesNoRecordsKeepsNoOtherFromTheirs(t *testing.T) {
	for _, test := range []struct {
		why  string
		err  error
		most int // tries
	}{
		{"a webhook declines them", fmt.Errorf("a webhook says no: %w", ErrDeclined), 2 * 6 * 20 * int(longDeclined/longestPause+3)},
		{"the API server does not answer for it", errors.New("no answer"), int(2*time.Hour/longestPause) + 10},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _, told, s := world(t, 10*time.Minute)
				records := &declining{namespace: "bad", until: time.Now().Add(2 * time.Hour), err: test.err}
				r.Records = records
				r.Limits = Limits{Unrecovered: 5}
				s.Namespace = "good"
				r.Set(s)
				for i := range 20 {
					bad := s
					bad.UID, bad.Name, bad.Namespace = fmt.Sprint("bad-", i), fmt.Sprint("bad-", i), "bad"
					r.Set(bad)
				}
				began := time.Now()
				time.AfterFunc(100*time.Minute, func() {
					if since := time.Since(r.Settled(r.term)); since > 2*longDeclined {
						t.Errorf("what was due is settled until %s ago", since)
					}
				})
				during(r, 4*time.Hour)
				good := 0
				for _, o := range told.outcomes {
					if o.Workload.Namespace != "good" || o.Planned.After(records.until) { // all have the same pods
						continue
					}
					if good++; o.Verdict != Recovered {
						t.Errorf("%s after the start the good one's kill ended %s %s: %s", o.Planned.Sub(began), o.Verdict, o.Reason, o.Message)
					}
				}
				if told.late > time.Second {
					t.Errorf("a kill of the good one was told of %s after it had ended", told.late)
				}
				if good < 10 {
					t.Errorf("%d kills of the good one ended, want a dozen", good)
				}
				if records.asked < test.most/2 || records.asked > test.most {
					t.Errorf("the bad namespace was tried %d times in 2 h, want %d at most", records.asked, test.most)
				}
				if troubles := told.troubles; troubles < 90 || troubles > 150 {
					t.Errorf("told of trouble %d times in 2 h, want once a minute", troubles)
				}
				if len(told.unrecorded) == 0 {
					t.Error("none was given up of what was due there")
				}
			})
		})
	}
}

func TestWhatWasCarriedOutIsWrittenHoweverLongItIsDeclined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, 10*time.Minute)
		s.Namespace = "bad"
		r.Set(s)
		first := r.agenda.items[0].at
		records := &declining{namespace: "bad", err: ErrDeclined}
		r.Records = records
		time.AfterFunc(time.Until(first.Add(-time.Second)), func() { // it is claimed by then
			records.mu.Lock()
			records.until = time.Now().Add(time.Hour)
			records.mu.Unlock()
		})
		during(r, time.Until(first)+90*time.Minute)
		if o, ok := records.records[name(Record{Workload: s.Workload, Planned: first})]; !ok || o.Verdict != Recovered {
			t.Errorf("the record says %+v, want that it recovered", o)
		}
		unrecorded, ended := 0, 0
		for _, o := range told.unrecorded {
			if o.Planned.Equal(first) {
				unrecorded++
			}
		}
		for _, o := range told.outcomes {
			if o.Planned.Equal(first) {
				ended++
			}
		}
		if unrecorded != 1 || ended != 1 {
			t.Errorf("it was told %d times that it is not recorded, and %d times how it ended: want once, when that took long, and once in the end", unrecorded, ended)
		}
	})
}

func TestAKillThatHealedAndIsNeverRecordedGivesItsPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, 10*time.Minute)
		r.Limits = Limits{Unrecovered: 1}
		s.Namespace = "bad"
		r.Set(s)
		first := r.agenda.items[0].at
		records := &declining{namespace: "bad", err: ErrDeclined}
		r.Records = records
		time.AfterFunc(time.Until(first.Add(-time.Second)), func() { // it is claimed by then
			records.mu.Lock()
			records.until = time.Now().Add(24 * time.Hour)
			records.mu.Unlock()
		})
		during(r, time.Until(first)+2*longDeclined)
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.ledger.open) != 0 || told.killed != 1 {
			t.Errorf("%d kills count as open after %d, want none of one", len(r.ledger.open), told.killed)
		}
	})
}

// deaf does not answer for namespaces whose names begin with deaf.
type deaf struct {
	*archive
	takes time.Duration // to write an outcome of others
	mu    sync.Mutex
	at    map[string]time.Time // when that was, by UID
}

func (d *deaf) WriteStatus(ctx context.Context, o Outcome) error {
	if strings.HasPrefix(o.Workload.Namespace, "deaf") {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := Pause(ctx, d.takes); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at[o.Workload.UID] = time.Now()
	return nil
}

// writing has outcomes written, of kills that end as ends says, until stop is called.
func (d *deaf) writing(t *testing.T) (ends func(namespace, uid string), stop func()) {
	t.Helper()
	r, _, _, _ := world(t, 400*24*time.Hour)
	r.Records = d
	ctx, cancel := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() { r.WriteStatuses(ctx) })
	ends = func(namespace, uid string) {
		r.statuses.add(Outcome{Record: Record{Workload: victims.Workload{Namespace: namespace, UID: uid}, Planned: wallNow()}, Claimed: true, Ended: true, Verdict: Recovered})
	}
	return ends, func() {
		cancel()
		writing.Wait()
	}
}

func TestOneThatIsSlowHasItsTurnBesideThoseThatDoNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := &deaf{archive: &archive{}, at: map[string]time.Time{}, takes: 3 * time.Second}
		ends, stop := records.writing(t)
		for i := range 400 {
			ends(fmt.Sprint("deaf-", i%4), fmt.Sprint("deaf-", i))
		}
		time.Sleep(time.Hour)
		ends("slow", "slow")
		time.Sleep(time.Minute)
		records.mu.Lock()
		if records.at["slow"].IsZero() {
			t.Errorf("an outcome that takes %s is not written after a minute, beside 400 of namespaces that do not answer", records.takes)
		}
		records.mu.Unlock()
		stop()
	})
}

func TestNamespacesThatDoNotAnswerKeepNoOtherWaitingForTheirOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := &deaf{archive: &archive{}, at: map[string]time.Time{}}
		ends, stop := records.writing(t)
		for i := range 16 {
			ends(fmt.Sprint("deaf-", i), fmt.Sprint("deaf-", i))
		}
		time.Sleep(2 * time.Minute)
		const each = 7130 * time.Millisecond
		for i := range 60 {
			uid, begin := fmt.Sprint("good-", i), time.Now()
			ends("good", uid)
			time.Sleep(each)
			records.mu.Lock()
			if at, ok := records.at[uid]; !ok || at.Sub(begin) > writeTimeout {
				t.Errorf("an outcome was written after %s (%t), want %s at most", at.Sub(begin), ok, writeTimeout)
			}
			records.mu.Unlock()
		}
		stop()
	})
}

// failing takes its time for each outcome, and says no until a time.
type failing struct {
	Records
	takes func(Outcome) time.Duration
	until time.Time
}

func (f failing) WriteStatus(ctx context.Context, o Outcome) error {
	if err := sleepUntil(ctx, wallNow().Add(f.takes(o)), nil); err != nil {
		return err
	}
	if time.Now().Before(f.until) {
		return errors.New("no answer")
	}
	return nil
}

// lossy keeps what was written first of each kill, and loses its first answer.
type lossy struct {
	Records
	takes time.Duration
	kept  Outcome
}

func (l *lossy) WriteStatus(ctx context.Context, o Outcome) error {
	if err := sleepUntil(ctx, wallNow().Add(l.takes), nil); err != nil {
		return err
	}
	switch l.kept.Nonce {
	case "":
		l.kept = o
		return errors.New("no answer")
	case o.Nonce:
		return nil
	}
	return ErrTaken
}

// A leader that has lost the lease and got it back may not know yet of a record that it has written.
func TestTheFirstThatIsSaidOfAKillThatWasNotCarriedOutIsTold(t *testing.T) {
	for _, later := range []time.Duration{500 * time.Millisecond, 1100 * time.Millisecond} { // while the first is being written, and once it has failed
		synctest.Test(t, func(t *testing.T) {
			told, records := &notes{}, &lossy{takes: time.Second}
			s := newStatusWriter(func(Outcome) {})
			s.report, s.records = told, records
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { s.run(ctx) })
			o := Outcome{Record: Record{Workload: victims.Workload{Namespace: "shop", UID: "uid"}, Planned: wallNow(), Nonce: "first"}, Ended: true, Verdict: Missed, Message: "first"}
			s.add(o)
			time.Sleep(later)
			o.Nonce, o.Message = "second", "second"
			s.add(o)
			time.Sleep(time.Minute)
			stop()
			running.Wait()
			if len(told.outcomes) != 1 || told.outcomes[0].Message != "first" || records.kept.Message != "first" {
				t.Errorf("%s later: told of %+v, want what the record says: %+v", later, told.outcomes, records.kept)
			}
		})
	}
}

// What is written first may fail last.
func TestTheEndOfAKillIsNotLostBehindItsBeginning(t *testing.T) {
	for _, took := range []time.Duration{100 * time.Millisecond, 700 * time.Millisecond, 800 * time.Millisecond, 1500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			told := &notes{}
			s := newStatusWriter(func(Outcome) {})
			s.report, s.records = told, failing{until: time.Now().Add(10 * time.Second), takes: func(o Outcome) time.Duration {
				if o.Ended {
					return took
				}
				return time.Second
			}}
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { s.run(ctx) })
			o := Outcome{Record: Record{Workload: victims.Workload{Namespace: "shop", UID: "uid"}, Planned: wallNow()}, Claimed: true, ExecutedAt: wallNow()}
			s.add(o)
			time.Sleep(300 * time.Millisecond)
			o.Ended, o.Verdict = true, Recovered
			s.add(o)
			time.Sleep(time.Minute)
			stop()
			running.Wait()
			if len(told.outcomes) != 1 || told.outcomes[0].Verdict != Recovered {
				t.Errorf("an end that takes %s to be written: told of %+v, want it once", took, told.outcomes)
			}
		})
	}
}

func TestWhatTheAttemptSaysThatHasTheRecordCounts(t *testing.T) {
	for _, test := range []struct {
		first, second Outcome
		counts        Verdict
	}{
		{Outcome{Claimed: true, Verdict: Recovered}, Outcome{Verdict: Missed}, Recovered},
		{Outcome{Verdict: Missed}, Outcome{Claimed: true, Verdict: Recovered}, Recovered},
		{Outcome{Claimed: true}, Outcome{Claimed: true, Verdict: Recovered}, Recovered},
		{Outcome{Verdict: Missed}, Outcome{Verdict: Failed}, Missed},
	} {
		s := newStatusWriter(func(Outcome) {})
		s.add(test.first)
		s.add(test.second)
		if o, ok := s.next(); !ok || o.Verdict != test.counts {
			t.Errorf("%q and then %q are to be written: it writes %q, want %q", test.first.Verdict, test.second.Verdict, o.Verdict, test.counts)
		}
		if o, more := s.next(); more {
			t.Errorf("it writes %q as well", o.Verdict)
		}
	}
}

func TestWhatTheAttemptSaysIsNotLostForWhatIsSaidWhileItIsNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStatusWriter(func(Outcome) {})
		s.report = &notes{}
		s.add(Outcome{Claimed: true, Verdict: Recovered})
		o, _ := s.next()
		s.add(Outcome{Verdict: Missed})
		if !s.postpone(o, errors.New("no answer")) {
			t.Fatal("it is given up")
		}
		s.done(o)
		time.Sleep(2 * longestPause)
		if o, ok := s.next(); !ok || o.Verdict != Recovered {
			t.Errorf("it writes %q, want %q", o.Verdict, Recovered)
		}
		if o, more := s.next(); more {
			t.Errorf("it writes %+v as well", o)
		}
	})
}

func TestWhatTheAttemptSaysIsWrittenOnceWhereWhatWasSaidBeforeIsDeclined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStatusWriter(func(Outcome) {})
		s.report = &notes{}
		s.add(Outcome{Verdict: Missed})
		o, _ := s.next()
		if !s.postpone(o, ErrDeclined) {
			t.Fatal("it is given up")
		}
		s.done(o)
		s.add(Outcome{Claimed: true, Verdict: Recovered})
		time.Sleep(2 * longestPause)
		if o, ok := s.next(); !ok || o.Verdict != Recovered {
			t.Errorf("it writes %q, want %q", o.Verdict, Recovered)
		}
		if o, more := s.next(); more || len(s.queues[""].claimed)+len(s.queues[""].spared) > 0 {
			t.Errorf("it writes %+v as well", o)
		}
	})
}

func TestAMomentsMoreIsGivenToOneOutcomeAtATimeOfWhatWasNotCarriedOut(t *testing.T) {
	s := newStatusWriter(func(Outcome) {})
	for _, o := range []Outcome{
		{Record: Record{Workload: victims.Workload{Namespace: "first"}}}, {Record: Record{Workload: victims.Workload{Namespace: "second"}}},
		{Record: Record{Workload: victims.Workload{Namespace: "third"}}, Claimed: true},
	} {
		s.put(pendingStatus{Outcome: o, within: 2 * writeTimeout})
	}
	var turns []string
	for o, ok := s.next(); ok; o, ok = s.next() {
		turns = append(turns, o.Workload.Namespace)
	}
	if want := "[first third]"; fmt.Sprint(turns) != want {
		t.Errorf("of two kills that were not carried out and one that was, each of which takes long, it writes those of %v beside each other, want %s", turns, want)
	}
}

func TestNoOutcomeIsGivenMoreThanSoMuchTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStatusWriter(func(Outcome) {})
		s.records, s.report = &archive{down: true}, &notes{}
		s.add(Outcome{Claimed: true})
		for _, want := range []time.Duration{writeTimeout, 2 * writeTimeout, 4 * writeTimeout, longestWrite, longestWrite} {
			o, ok := s.next()
			if !ok {
				t.Fatal("it is not tried again")
			}
			begin := time.Now()
			s.write(t.Context(), o)
			if took := time.Since(begin); took != want {
				t.Fatalf("it is given %s, want %s", took, want)
			}
			s.done(o)
			time.Sleep(longestPause)
		}
	})
}

func TestThatAnOutcomeIsNotRecordedIsToldOnce(t *testing.T) {
	for reported, tells := range map[bool]int{false: 1, true: 0} {
		told, settled := &notes{}, 0
		s := newStatusWriter(func(Outcome) { settled++ })
		s.records, s.report = &declining{namespace: "shop", err: &Refusal{errors.New("its namespace is going")}, until: time.Now().Add(time.Hour)}, told
		s.write(t.Context(), pendingStatus{Outcome: Outcome{Record: Record{Workload: victims.Workload{Namespace: "shop"}}, Claimed: true}, reported: reported})
		if len(told.unrecorded) != tells || settled != 1 || !s.empty() {
			t.Errorf("reported before: %v: told of %d, settled %d times; want %d, once", reported, len(told.unrecorded), settled, tells)
		}
	}
}

// leisurely writes a status in its time, if whoever asks waits for so long.
type leisurely struct {
	*archive
	takes time.Duration
}

func (s leisurely) WriteStatus(ctx context.Context, o Outcome) error {
	if err := Pause(ctx, s.takes); err != nil {
		return err
	}
	return s.archive.WriteStatus(ctx, o)
}

func TestAStatusThatTakesLongIsWrittenToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, 400*24*time.Hour)
		records := &archive{}
		r.Records = leisurely{records, longestWrite - time.Second} // as by a webhook
		stop := leads(r, Term{First: true, From: wallNow(), Alive: wallNow()})
		time.Sleep(time.Minute)
		records.ask(Request{Workload: s.Workload, At: wallNow().Truncate(time.Second), By: "me"})
		time.Sleep(5 * time.Minute)
		stop()
		if len(told.outcomes) != 1 || told.outcomes[0].Verdict != Recovered {
			t.Errorf("told of %+v, want that it recovered", told.outcomes)
		}
	})
}

func TestARequestThatIsDeclinedForLongIsAnsweredInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, 400*24*time.Hour)
		records := &declining{namespace: s.Namespace, err: fmt.Errorf("a webhook says no: %w", ErrDeclined), until: time.Now().Add(2 * longDeclined)}
		r.Records = records
		stop := leads(r, Term{First: true, From: wallNow(), Alive: wallNow()})
		time.Sleep(time.Minute)
		records.ask(Request{Workload: s.Workload, At: wallNow().Truncate(time.Second), By: "me"})
		time.Sleep(3 * longDeclined)
		stop()
		if all := records.all(); len(all) != 1 || !all[0].Ended || all[0].Verdict != Missed || len(told.unrecorded) != 1 {
			t.Errorf("the records are %+v, and %d were told of as not recorded; want one that was missed, and one", all, len(told.unrecorded))
		}
	})
}

// crowded is a leisurely archive that notes how many outcomes wait while it writes one.
type crowded struct {
	leisurely
	runner *Runner
	most   int
}

func (c *crowded) WriteStatus(ctx context.Context, o Outcome) error {
	c.runner.statuses.mu.Lock()
	c.most = max(c.most, len(c.runner.statuses.pending))
	c.runner.statuses.mu.Unlock()
	return c.leisurely.WriteStatus(ctx, o)
}

func TestAnOutageIsSettledBitByBit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const namespaces, each = 3, 10
		records, begin := &archive{}, wallNow()
		var due int
		lead := func(d time.Duration) *crowded {
			r, toy, _, s := world(t, 20*time.Second)
			r.agenda.armed = false
			s.Terms.Calendar = workingHours(t, "00:00-01:00")
			toy.terms = s.Terms
			due = 0
			for i := range namespaces * each {
				s.UID, s.Namespace = fmt.Sprint("uid-", i), fmt.Sprint("ns-", i%namespaces)
				due += len(Plan(Seed{1}, s.Terms.Calendar.Day(s.Terms.Calendar.Date(begin)), s))
				r.Set(s)
			}
			c := &crowded{leisurely: leisurely{records, 50 * time.Millisecond}, runner: r}
			r.Records = c
			term := Term{From: begin.Add(-time.Millisecond), Alive: begin.Add(-time.Millisecond)}
			stop := leads(r, term)
			time.Sleep(d)
			settled := r.Settled(term)
			stop()
			if all := len(records.all()) == due; all != settled.After(begin.Add(time.Hour)) {
				t.Errorf("%d of %d kills have records, and all is settled until %s", len(records.all()), due, settled)
			}
			return c
		}
		time.Sleep(2 * time.Hour)
		first := lead(10 * time.Second)
		if n := len(records.all()); n < 500 || n > 1000 || n == due {
			t.Errorf("after 10 s %d of %d kills have records; want about 800, of 4 that are written at once", n, due)
		}
		second := lead(5 * time.Minute)
		if n := len(records.all()); n != due || due < 4000 {
			t.Errorf("of %d kills that were due while nobody led, %d have records", due, n)
		}
		if most := max(first.most, second.most); most > namespaces*(mostWaiting+1) {
			t.Errorf("%d outcomes waited in memory, want %d of each of %d namespaces at most", most, mostWaiting, namespaces)
		}
	})
}

func TestOutcomesThatAreDeclinedWaitToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStatusWriter(func(Outcome) {})
		s.report, s.records = &notes{}, &declining{namespace: "bad", err: ErrDeclined, until: time.Now().Add(time.Hour)}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.run(ctx) })
		for i := range mostWaiting {
			s.add(Outcome{Record: Record{Workload: victims.Workload{Namespace: "bad", UID: fmt.Sprint("uid-", i)}, Planned: wallNow()}, Ended: true, Verdict: Missed})
		}
		time.Sleep(time.Second) // all have been declined by now
		begin := time.Now()
		if err := s.room(ctx, "bad"); err != nil || time.Since(begin) < longDeclined-time.Minute {
			t.Errorf("there is room for more than %d after %s (%v), want none before one is given up", mostWaiting, time.Since(begin), err)
		}
		stop()
		running.Wait()
	})
}

func TestAKillOfTheSameUIDInAnotherNamespaceIsAnother(t *testing.T) {
	s := newStatusWriter(func(Outcome) {})
	at := wallNow()
	for _, namespace := range []string{"asks", "good"} {
		s.add(Outcome{Record: Record{Workload: victims.Workload{Namespace: namespace, UID: "uid"}, Planned: at}, Claimed: namespace == "good"})
	}
	for _, namespace := range []string{"asks", "good"} {
		if o, ok := s.next(); !ok || o.Workload.Namespace != namespace {
			t.Errorf("next is what came of the kill in namespace %q, want %q", o.Workload.Namespace, namespace)
		}
	}
}

// silent is an archive that does not answer for some namespaces, and in an outage for none.
type silent struct {
	archive
	outage, late atomic.Bool // late: nor for namespace late
}

func (s *silent) WriteStatus(ctx context.Context, o Outcome) error {
	if s.outage.Load() || strings.HasPrefix(o.Workload.Namespace, "silent") || s.late.Load() && o.Workload.Namespace == "late" {
		<-ctx.Done()
		return ctx.Err()
	}
	time.Sleep(s.slow)
	return s.archive.WriteStatus(ctx, o)
}

func TestAnOutcomeThatWantsMoreTimeKeepsNoOthersOfItsNamespace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _, _ := world(t, 400*24*time.Hour)
		records := &silent{}
		records.outage.Store(true)
		r.Records = records
		stop := leads(r, Term{First: true, From: wallNow(), Alive: wallNow()})
		end := func(namespace, uid string, claimed bool) {
			r.statuses.add(Outcome{Record: Record{Workload: victims.Workload{Namespace: namespace, UID: uid}, Planned: wallNow()}, Claimed: claimed, Ended: true, Verdict: Missed})
		}
		for i := range 2 * ofSlow { // which take all places of those that are given more time
			end(fmt.Sprint("silent-", i), "uid", true)
		}
		end("good", "first", false)
		time.Sleep(10 * time.Second)
		records.outage.Store(false)
		const more = 30
		for i := range more {
			end("good", fmt.Sprint("later-", i), false)
			time.Sleep(time.Minute)
		}
		stop()
		if n := len(records.all()); n < more {
			t.Errorf("%d of %d outcomes that came later were written", n, more)
		}
	})
}

func TestWhatAnOutageHeldUpNeedsNoMoreTimeThanOthersAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _, _ := world(t, 400*24*time.Hour)
		records := &silent{archive: archive{slow: time.Second}}
		records.outage.Store(true)
		r.Records = records
		stop := leads(r, Term{First: true, From: wallNow(), Alive: wallNow()})
		const namespaces, each = 4, 10
		for i := range namespaces * each {
			r.statuses.add(Outcome{Record: Record{Workload: victims.Workload{Namespace: fmt.Sprint("ns-", i%namespaces), UID: fmt.Sprint(i)}, Planned: wallNow()}, Ended: true, Verdict: Missed})
		}
		time.Sleep(2 * time.Minute) // in which each has been tried
		records.outage.Store(false)
		time.Sleep(longestWrite + longestPause + (namespaces*each/ofSpared+namespaces)*records.slow)
		if n := len(records.all()); n < namespaces*each {
			t.Errorf("%d of %d outcomes were written, want all: %d at once, as of others", n, namespaces*each, ofSpared)
		}
		stop()
	})
}

// large is an archive in which the record of one workload takes its time, and others a second.
type large struct {
	archive
	written atomic.Bool
}

func (l *large) WriteStatus(ctx context.Context, o Outcome) error {
	takes, is := time.Second, o.Workload.UID == "large"
	if is {
		takes = 3 * time.Second
	}
	if Pause(ctx, takes) != nil {
		return ctx.Err()
	}
	if is {
		l.written.Store(true)
	}
	return l.archive.WriteStatus(ctx, o)
}

func TestAnOutcomeThatTakesItsTimeIsWrittenBesideQuickOnesOfItsNamespace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _, _ := world(t, 400*24*time.Hour)
		records := &large{}
		r.Records = records
		stop := leads(r, Term{First: true, From: wallNow(), Alive: wallNow()})
		for i := range 600 { // more than can be written, so that some always wait
			uid := fmt.Sprint(i)
			if i == 0 {
				uid = "large"
			}
			r.statuses.add(Outcome{Record: Record{Workload: victims.Workload{Namespace: "shop", UID: uid}, Planned: wallNow()}, Claimed: true, Ended: true, Verdict: Recovered})
			time.Sleep(100 * time.Millisecond)
		}
		if !records.written.Load() {
			t.Error("within a minute the outcome was not written that takes 3 s, while others were")
		}
		stop()
	})
}

func TestANamespaceThatIsNotAnsweredForKeepsLittleInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, _ := world(t, 400*24*time.Hour)
		records := &silent{}
		r.Records = records
		stop := leads(r, Term{First: true, From: wallNow(), Alive: wallNow()})
		end := func(namespace, uid string, claimed bool) {
			o := Outcome{Record: Record{Workload: victims.Workload{Namespace: namespace, UID: uid}, Planned: wallNow()}, Claimed: claimed, Ended: true, Verdict: Missed}
			r.mu.Lock()
			r.owed[o.key()] = o.Planned
			r.mu.Unlock()
			r.statuses.add(o)
		}
		end("silent", "claimed", true) // which has its turn before the others
		const spared = 3600
		for i := range spared {
			end("silent", fmt.Sprint("uid-", i), false)
			if i%60 == 0 {
				end("good", fmt.Sprint("uid-", i), false)
			}
			time.Sleep(time.Second)
		}
		synctest.Wait()
		most := int((longDeclined + time.Minute) / time.Second)
		r.statuses.mu.Lock()
		n := len(r.statuses.pending)
		r.statuses.mu.Unlock()
		if n > most || n < most/2 {
			t.Errorf("%d outcomes wait in memory after an hour in which one comes each second, want %d at most", n, most)
		}
		if since := time.Since(r.Settled(r.term)); since > longDeclined+time.Minute {
			t.Errorf("what was due is settled until %s ago", since)
		}
		times := map[string]int{}
		told.mu.Lock()
		unrecorded := slices.Clone(told.unrecorded)
		told.mu.Unlock()
		for _, o := range unrecorded {
			times[o.Workload.UID]++
			if times[o.Workload.UID] > 1 || o.Workload.Namespace != "silent" {
				t.Errorf("it was told %d times of %s in namespace %s that it is not recorded", times[o.Workload.UID], o.Workload.UID, o.Workload.Namespace)
			}
		}
		if times["claimed"] != 1 || times["uid-0"] != 1 {
			t.Errorf("it was told %d times that what was carried out is not recorded, and %d times of the first that was not; want once of each", times["claimed"], times["uid-0"])
		}
		time.Sleep(2 * longDeclined) // until what is left is given up
		r.statuses.mu.Lock()
		if pending, turns := len(r.statuses.pending)+len(r.statuses.writing), len(r.statuses.turns); pending != 1 || turns > 1 {
			t.Errorf("in the end %d outcomes wait, and %d namespaces have turns; want the one that was carried out", pending, turns)
		}
		r.statuses.mu.Unlock()
		stop()
	})
}

func TestNothingIsGivenUpForAnAPIServerThatIsAway(t *testing.T) {
	for _, test := range []struct {
		why            string
		before, longer int // minutes for which one namespace is not answered for
		givenUp        int
	}{
		{"all are answered for again", 0, 0, 0},
		{"one is not yet", 0, 2, 0},
		{"one was not just before", 1, 0, 0},
		{"one was not just before, and is not yet", 1, 2, 0},
		{"one was not before, and nothing of it was left", 12, 0, 1},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _, told, _ := world(t, 400*24*time.Hour)
				records := &silent{}
				r.Records = records
				stop := leads(r, Term{First: true, From: wallNow(), Alive: wallNow()})
				ended := 0
				end := func(namespace string) {
					ended++
					r.statuses.add(Outcome{Record: Record{Workload: victims.Workload{Namespace: namespace, UID: fmt.Sprint(ended)}, Planned: wallNow()}, Ended: true, Verdict: Missed})
				}
				if records.late.Store(true); test.before > 0 {
					end("late")
				}
				for range test.before {
					time.Sleep(time.Minute)
					end("good")
					time.Sleep(time.Second)
				}
				records.outage.Store(true)
				for range 30 {
					end("good")
					end("late")
					time.Sleep(time.Minute)
				}
				records.outage.Store(false)
				time.Sleep(time.Duration(test.longer) * time.Minute)
				records.late.Store(false)
				time.Sleep(time.Minute)
				stop()
				if n := len(records.all()); n != ended-test.givenUp || len(told.unrecorded) != test.givenUp {
					t.Errorf("%d of %d outcomes were written, and %d told of as not recorded: want %d of these", n, ended, len(told.unrecorded), test.givenUp)
				}
			})
		})
	}
}

func BenchmarkNextOutcome(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newStatusWriter(func(Outcome) {})
			for i := range n {
				s.add(Outcome{Record: Record{Workload: victims.Workload{Namespace: fmt.Sprint("ns-", i%100), UID: fmt.Sprint(i)}}})
			}
			for range ofSpared {
				s.next()
			}
			for b.Loop() {
				if _, ok := s.next(); ok { // there are as many as may be
					b.Fatal("one more is written")
				}
				s.spared--
				o, ok := s.next()
				if !ok {
					b.Fatal("none is written")
				}
				delete(s.writing, o.key())
				s.add(o.Outcome)
			}
		})
	}
}
