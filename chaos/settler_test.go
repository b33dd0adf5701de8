package chaos

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
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

func (d *declining) Settle(ctx context.Context, o Outcome) error {
	if !d.declines(o.Workload.Namespace) {
		return d.archive.Settle(ctx, o)
	}
	d.mu.Lock()
	d.asked++
	d.mu.Unlock()
	return d.err
}

func TestANamespaceThatTakesNoRecordsKeepsNoOtherFromTheirs(t *testing.T) {
	for _, test := range []struct {
		why        string
		err        error
		unrecorded bool // what is due there is given up in the end
		most       int  // tries
	}{
		{"a webhook declines them", fmt.Errorf("a webhook says no: %w", ErrDeclined), true, 2 * 6 * 20 * int(longDeclined/longestPause+3)},
		{"the API server does not answer for it", errors.New("no answer"), false, int(2*time.Hour/longestPause) + 10},
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
					if since := time.Since(r.Settled(r.term)); test.unrecorded && since > 2*longDeclined {
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
				if gaveUp := len(told.unrecorded) > 0; gaveUp != test.unrecorded {
					t.Errorf("%d were given up, want some: %t", len(told.unrecorded), test.unrecorded)
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
		time.AfterFunc(time.Until(first), func() { // it is claimed by then
			records.mu.Lock()
			records.until = time.Now().Add(time.Hour)
			records.mu.Unlock()
		})
		during(r, time.Until(first)+90*time.Minute)
		if o, ok := records.records[name(Record{Workload: s.Workload, Planned: first})]; !ok || o.Verdict != Recovered {
			t.Errorf("the record says %+v, want that it recovered", o)
		}
		for _, o := range told.unrecorded {
			if o.Planned.Equal(first) {
				t.Errorf("it was given up: %+v", o)
			}
		}
	})
}
