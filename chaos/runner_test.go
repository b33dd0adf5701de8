package chaos

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

func TestWhatIsPlannedIsWhatHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10*time.Minute)
		begin := wallNow()
		r.Set(s)
		during(r, 72*time.Hour)
		var want []time.Time
		for date := s.Terms.Calendar.Date(begin).Add(-1); date.Before(s.Terms.Calendar.Date(wallNow()).Add(1)); date = date.Add(1) {
			for _, k := range Plan(Seed{1}, s.Terms.Calendar.Day(date), s) {
				if k.At.After(begin) && k.At.Before(wallNow()) {
					want = append(want, k.At)
				}
			}
		}
		for _, o := range told.outcomes {
			if o.Verdict != Recovered {
				t.Errorf("%s: %s %s %s", o.Planned, o.Verdict, o.Reason, o.Message)
			}
		}
		if len(want) < 300 || len(told.outcomes) != len(want) || len(cluster.removed) != len(want) {
			t.Fatalf("%d kills ended, %d pods removed, %d kills planned", len(told.outcomes), len(cluster.removed), len(want))
		}
		for i, o := range told.outcomes {
			if !o.Planned.Equal(want[i]) || o.Verdict != Recovered || !o.Pods[0].At.Equal(want[i]) {
				t.Errorf("kill %d: %+v, want it at %s", i, o, want[i])
			}
		}
	})
}

func TestAGateSparesAndItsTwinDoesNot(t *testing.T) {
	for _, test := range []struct {
		why     string
		change  func(*toy)
		verdict Verdict
		reason  Reason
	}{
		{"nothing is wrong", func(*toy) {}, Recovered, ""},
		{"too few replicas", func(c *toy) { c.replicas = 1 }, Vetoed, MinReplicas},
		{"terms that changed", func(c *toy) { c.terms.Scale.Value = 2 }, Vetoed, TermsChanged},
		{"no answer from the API server", func(c *toy) { c.down = true }, Missed, ""},
		{"no connection to the API server", func(c *toy) { c.failures = 1_000_000 }, Missed, ""},
		{"no connection to the API server for a moment", func(c *toy) { c.failures = 8 }, Recovered, ""},
		{"a refusal", func(c *toy) { c.refuses = true }, Failed, ""},
		{"no right to read it", func(c *toy) { c.denied = 1_000_000 }, Vetoed, Halted},
		{"no right to read it for a moment", func(c *toy) { c.denied = 8 }, Recovered, ""},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, 10*time.Minute)
				test.change(cluster)
				r.Set(s)
				during(r, 3*time.Hour)
				if len(told.outcomes) == 0 {
					t.Fatal("no kill ended")
				}
				if o := told.outcomes[0]; o.Verdict != test.verdict || o.Reason != test.reason {
					t.Errorf("verdict %q, reason %q, message %q; want %q, %q", o.Verdict, o.Reason, o.Message, test.verdict, test.reason)
				}
				if spared := len(cluster.removed) == 0; spared != (test.verdict != Recovered) {
					t.Errorf("%d pods were removed", len(cluster.removed))
				}
			})
		})
	}
}

func TestEachDayIsToldOfWhenItOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, 30*time.Minute)
		for _, err := range []error{r.Calendar.Days.UnmarshalText([]byte("Mon-Fri")), r.Calendar.Hours.UnmarshalText([]byte("10:00-12:00,13:00-16:00"))} {
			if err != nil {
				t.Fatal(err)
			}
		}
		s.Terms.Calendar = r.Calendar
		r.Set(s)
		during(r, 10*24*time.Hour) // from Saturday, 2000-01-01
		var dates []string
		kills := 0
		for _, d := range told.days {
			dates = append(dates, d.Date.String())
			kills += d.Kills
			if d.Workloads != 1 {
				t.Errorf("%s: %d workloads, want 1", d.Date, d.Workloads)
			}
		}
		if want := "[2000-01-03 2000-01-04 2000-01-05 2000-01-06 2000-01-07 2000-01-10]"; fmt.Sprint(dates) != want {
			t.Errorf("told of %v, want %s", dates, want)
		}
		if kills != len(told.outcomes) {
			t.Errorf("%d kills were told of, %d ended", kills, len(told.outcomes))
		}
	})
}

func TestAfterAChangeOfTermsTheMinimumHolds(t *testing.T) {
	for _, test := range []struct {
		why    string
		change func(*Subject)
		spares bool
	}{
		{"a kill each 50 minutes instead of each hour", func(s *Subject) {
			s.Terms.Pace = victims.Pace{Mean: victims.Span{Time: 50 * time.Minute}, Minimum: &victims.Span{Time: 50 * time.Minute}}
		}, true},
		{"terms as they were", func(*Subject) {}, false},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, time.Hour)
				minimum := victims.Span{Time: time.Hour} // each gap is an hour
				s.Terms.Pace.Minimum = &minimum
				cluster.terms = s.Terms
				r.Set(s)
				during(r, time.Until(r.agenda.items[0].at)+time.Second)
				if len(cluster.removed) != 1 {
					t.Fatalf("%d pods were removed before the change, want 1", len(cluster.removed))
				}
				test.change(&s)
				cluster.terms = s.Terms
				r.Set(s)
				during(r, 20*time.Hour)
				spared := false
				var last time.Time
				for _, o := range told.outcomes {
					spared = spared || o.Reason == TooSoon
					if o.Verdict == Recovered && o.Planned.Sub(last) < s.Terms.Pace.Minimum.Time && s.Terms.Calendar.Date(last) == s.Terms.Calendar.Date(o.Planned) {
						t.Errorf("kills at %s and %s are closer than the minimum", last, o.Planned)
					}
					if o.Verdict == Recovered {
						last = o.Planned
					}
				}
				if spared != test.spares {
					t.Errorf("a kill was spared as too soon: %v, want %v", spared, test.spares)
				}
			})
		})
	}
}

func TestNewHoursAtARestartLeaveOneKillADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, cluster, _, s := world(t, time.Hour)
		aDay := victims.Span{Days: 1}
		s.Terms.Pace = victims.Pace{Mean: aDay, Minimum: &aDay}
		s.Terms.Calendar = workingHours(t, "00:00-06:00")
		cluster.terms = s.Terms
		first.Set(s)
		during(first, 6*time.Hour)

		second, _, told, _ := world(t, time.Hour)
		s.Terms.Calendar = workingHours(t, "08:00-16:00")
		cluster.terms = s.Terms
		second.Records, second.Cluster, second.Calendar = first.Records, cluster, s.Terms.Calendar
		second.Set(s)
		during(second, 10*time.Hour)
		if len(cluster.removed) != 1 || len(told.outcomes) != 1 || told.outcomes[0].Reason != TooSoon {
			t.Errorf("%v were removed, and the second leader told of %+v; want one in all, and then that it was too soon", cluster.removed, told.outcomes)
		}
	})
}

func TestADryRunIsAFieldOfTheRemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10*time.Minute)
		r.DryRun = true
		r.Set(s)
		during(r, 3*time.Hour)
		if len(cluster.removed) > 0 || len(cluster.dry) == 0 || told.killed > 0 || told.outcomes[0].Verdict != Rehearsed {
			t.Errorf("removed %v, rehearsed %v, told of %d kills", cluster.removed, cluster.dry, told.killed)
		}
	})
}

func TestWhatIsToldWhileAKillWaitsForItsInstantSpares(t *testing.T) {
	for _, test := range []struct {
		why    string
		tell   func(*Runner, Subject)
		reason Reason
	}{
		{"nothing", func(*Runner, Subject) {}, ""},
		{"it opted out, as its namespace says", func(r *Runner, s Subject) { r.Drop(s.UID) }, OptedOut},
		{"its terms are others", func(r *Runner, s Subject) {
			s.Terms.Scale = victims.Scale{Mode: victims.KillAll}
			r.Set(s)
		}, TermsChanged},
		{"its terms are the same", func(r *Runner, s Subject) { r.Set(s) }, ""},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, time.Hour)
				r.Set(s)
				if at := time.Until(r.agenda.items[0].at); at > 2*headStart {
					time.Sleep(at - 2*headStart)
				}
				at := time.Until(r.agenda.items[0].at)
				if r.Busy(0) {
					t.Errorf("busy %s before its instant", at)
				}
				time.AfterFunc(at-headStart/2, func() { // it was read before
					if !r.Busy(0) {
						t.Error("not busy while a kill waits")
					}
					test.tell(r, s)
				})
				during(r, at+time.Minute)
				if len(told.outcomes) == 0 {
					t.Fatal("nothing was told")
				}
				o, want := told.outcomes[0], Vetoed
				if test.reason == "" {
					want = Recovered
				}
				if o.Verdict != want || o.Reason != test.reason || (len(cluster.removed) > 0) != (want == Recovered) {
					t.Errorf("%s %s %q, %d removed; want %s %s", o.Verdict, o.Reason, o.Message, len(cluster.removed), want, test.reason)
				}
			})
		})
	}
}

func TestEachGateOfTheLastMomentSpares(t *testing.T) {
	for _, test := range []struct {
		why     string
		change  func(*Runner, *archive, *orders)
		verdict Verdict
		reason  Reason
		removed int           // of the five pods of the first kill
		ends    time.Duration // the lead does, so long after the kill is prepared
	}{
		{"nothing is wrong", func(*Runner, *archive, *orders) {}, Recovered, "", 5, 10 * time.Second},
		{"a halt", func(_ *Runner, _ *archive, o *orders) { o.haltAt = 1 }, Vetoed, Halted, 0, 10 * time.Second},
		{"a halt after the record was written", func(_ *Runner, _ *archive, o *orders) { o.haltAt = 3 }, Vetoed, Halted, 0, 10 * time.Second},
		{"a halt between two pods", func(_ *Runner, _ *archive, o *orders) { o.haltAt = 6 }, Recovered, Partial, 2, 10 * time.Second},
		{"halts that cannot be read any more", func(_ *Runner, _ *archive, o *orders) { o.deafAt = 3 }, Vetoed, Halted, 0, 10 * time.Second},
		{"halts that cannot be read any more after two pods", func(_ *Runner, _ *archive, o *orders) { o.deafAt = 6 }, Recovered, Partial, 2, 10 * time.Second},
		{"halts that cannot be read for a while", func(_ *Runner, _ *archive, o *orders) { o.deafAt, o.awake = 3, 12 }, Recovered, "", 5, 10 * time.Second},
		{"claims that are not known any more", func(_ *Runner, _ *archive, o *orders) { o.deafAt, o.doubt = 3, &Unknown{Veto{Contested, ""}} }, Vetoed, Contested, 0, 10 * time.Second},
		{"claims that are not known for a while", func(_ *Runner, _ *archive, o *orders) {
			o.deafAt, o.awake, o.doubt = 3, 12, &Unknown{Veto{Contested, ""}}
		}, Recovered, "", 5, 10 * time.Second},
		{"halts that can be read when what was read is old", func(_ *Runner, a *archive, o *orders) { a.deaf, o.deafAt, o.awake = 26, 3, 21 }, Vetoed, Halted, 0, 12 * time.Second},
		{"halts that cannot be read, and the end of the lead", func(_ *Runner, _ *archive, o *orders) { o.deafAt = 3 }, Abandoned, "", 0, 2 * time.Second},
		{"a lease that is not renewed any more", func(_ *Runner, _ *archive, o *orders) { o.loseAt = 2 }, Abandoned, "", 0, 10 * time.Second},
		{"a process that is held up between its last look and a removal", func(_ *Runner, _ *archive, o *orders) { o.stalls = 1100 * time.Millisecond }, Missed, "", 0, 10 * time.Second},
		{"a process that is held up for a moment", func(_ *Runner, _ *archive, o *orders) { o.stalls = 900 * time.Millisecond }, Recovered, "", 5, 10 * time.Second},
		{"a record that takes long to be written", func(_ *Runner, a *archive, _ *orders) { a.slow = 3 * time.Second }, Recovered, "", 5, 10 * time.Second},
		{"a record that takes too long", func(_ *Runner, a *archive, _ *orders) { a.slow = 8 * time.Second }, Missed, "", 0, 10 * time.Second},
		{"answers that are lost when the record is written", func(_ *Runner, a *archive, _ *orders) { a.deaf = 3 }, Recovered, "", 5, 10 * time.Second},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, 10*time.Minute)
				s.Terms.Scale = victims.Scale{Mode: victims.Fixed, Value: 5}
				for i := range 2 {
					cluster.pods = append(cluster.pods, victims.Pod{Name: fmt.Sprint("more-", i), UID: fmt.Sprint("more-", i), Running: true, Ready: true})
				}
				cluster.terms = s.Terms
				records, o := &archive{}, &orders{}
				r.Records, r.Lease, r.Halts = records, o, o
				test.change(r, records, o)
				r.Set(s)
				during(r, time.Until(r.agenda.items[0].at)+test.ends)
				if len(told.outcomes) != 1 {
					t.Fatalf("told of %+v, want one kill", told.outcomes)
				}
				got := told.outcomes[0]
				if got.Verdict != test.verdict || got.Reason != test.reason || len(cluster.removed) != test.removed {
					t.Errorf("verdict %s, reason %q, message %q, %d pods removed; want %s, %q, %d", got.Verdict, got.Reason, got.Message, len(cluster.removed), test.verdict, test.reason, test.removed)
				}
				if record := records.records[name(got.Record)]; !record.Ended || record.Verdict != test.verdict {
					t.Errorf("the record says %+v", record)
				}
				if strings.Contains(got.Message, "context") {
					t.Errorf("it says %q, want words for people", got.Message)
				}
			})
		})
	}
}

func TestWhatWasReadLongAgoIsNotStruckBy(t *testing.T) {
	for _, test := range []struct {
		why     string
		change  func(*toy)
		verdict Verdict
		removed int
	}{
		{"it is read for 9.9 s", func(c *toy) { c.slowLook = 9900 * time.Millisecond }, Recovered, 1},
		{"it is read for 10.1 s", func(c *toy) { c.slowLook = 10100 * time.Millisecond }, Missed, 0},
		{"its pods are read for 9.9 s", func(c *toy) { c.slowRead = 9900 * time.Millisecond }, Recovered, 1},
		{"its pods are read for 10.1 s", func(c *toy) { c.slowRead = 10100 * time.Millisecond }, Missed, 0},
		{"its pods die one by one, each in 6 s", func(c *toy) {
			c.slow, c.terms.Scale = 6*time.Second, victims.Scale{Mode: victims.KillAll}
		}, Recovered, 3},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, time.Hour)
				test.change(cluster)
				s.Terms.Scale = cluster.terms.Scale
				r.Set(s)
				during(r, time.Until(r.agenda.items[0].at)+time.Minute)
				if len(told.outcomes) != 1 {
					t.Fatalf("told of %+v, want one kill", told.outcomes)
				}
				if o := told.outcomes[0]; o.Verdict != test.verdict || len(cluster.removed) != test.removed {
					t.Errorf("%s %s %q, %d pods removed; want %s, %d", o.Verdict, o.Reason, o.Message, len(cluster.removed), test.verdict, test.removed)
				}
			})
		})
	}
}

// A next leader counts on it that nobody removes a pod for a kill any more once its record says so.
func TestWhatIsOverBetweenTwoPodsSparesTheRest(t *testing.T) {
	for _, test := range []struct {
		why    string
		takes  time.Duration // each of three pods
		change func(r *Runner, closed *calendar.Closed, at time.Time)
		says   string
	}{
		{"a freeze begins", 6 * time.Second, func(_ *Runner, closed *calendar.Closed, at time.Time) {
			closed.Masks = calendar.Union(calendar.Mask{Window: calendar.Window{Open: at.Add(9 * time.Second), Close: at.Add(time.Hour)}, Name: "release"})
		}, "its window has closed meanwhile: release"},
		{"it is late", 6 * time.Second, func(r *Runner, _ *calendar.Closed, _ time.Time) { r.LateGrace = 9 * time.Second }, "12s late, more than 9s"},
		{"it has acted for long", 6 * time.Minute, func(r *Runner, _ *calendar.Closed, _ time.Time) { r.LateGrace = 8 * time.Hour }, "its record says until when"},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s, k := guarded(t)
				s.Terms.Scale, cluster.budgets, cluster.slow = victims.Scale{Mode: victims.KillAll}, nil, test.takes
				s.Terms.Calendar.Closed = &calendar.Closed{}
				test.change(r, s.Terms.Calendar.Closed, k.At)
				cluster.terms = s.Terms
				r.Set(s)
				during(r, time.Until(k.At.Add(30*time.Minute)))
				if len(told.outcomes) != 1 {
					t.Fatalf("told of %+v, want one kill", told.outcomes)
				}
				if o := told.outcomes[0]; o.Verdict != Recovered || o.Reason != Partial || !strings.Contains(o.Message, test.says) || len(cluster.removed) != 2 {
					t.Errorf("%s %s %q, %d of three pods removed; want it cut short after two: %s", o.Verdict, o.Reason, o.Message, len(cluster.removed), test.says)
				}
			})
		})
	}
}

func TestAKillIsPreparedBeforeItsWindowOpensAndNotCarriedOutOnceItHasClosed(t *testing.T) {
	r, _, _, _ := world(t, time.Hour)
	at := func(clock string) time.Time {
		instant, err := time.Parse(time.DateTime, "2026-03-04 "+clock)
		if err != nil {
			t.Fatal(err)
		}
		return instant
	}
	for _, test := range []struct {
		planned, now string
		spared       bool
	}{
		{"10:00:01", "09:59:59", false}, {"10:00:01", "10:00:01", false}, {"15:59:59", "15:59:59", false}, {"15:59:59", "16:00:00", true},
	} {
		s := aSubject("uid", workingHours(t, "10:00-16:00"), victims.Span{Time: time.Hour}, nil)
		err := r.onTime(at(test.now), due{subject: &subject{Subject: s}, Kill: Kill{At: at(test.planned)}})
		if veto := (*Veto)(nil); errors.As(err, &veto) != test.spared || !test.spared && err != nil {
			t.Errorf("planned for %s it is on time at %s: %v, want it spared: %v", test.planned, test.now, err, test.spared)
		}
	}
}

func TestARemovalWithoutAnAnswerIsFoundOut(t *testing.T) {
	for _, test := range []struct {
		why     string
		change  func(*toy)
		verdict Verdict
		killed  int
		trouble int
	}{
		{"it was carried out", func(c *toy) { c.mute = true }, Recovered, 1, 0},
		{"it was not", func(c *toy) { c.deaf = true }, Failed, 0, 0},
		{"it was, and at first nobody can say so", func(c *toy) { c.mute, c.unseen = true, 3 }, Recovered, 1, 1},
		{"it is passed on a second after that", func(c *toy) { c.passed = requestTimeout + time.Second }, Recovered, 1, 0},
		{"it is passed on nine seconds after that", func(c *toy) { c.passed = passedOn }, Recovered, 1, 0},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, time.Hour)
				test.change(cluster)
				r.Set(s)
				during(r, time.Until(r.agenda.items[0].at)+2*passedOn)
				if len(told.outcomes) != 1 || told.outcomes[0].Verdict != test.verdict || told.killed != test.killed || told.troubles != test.trouble {
					t.Errorf("told of %+v, %d kills and %d troubles, want %s, %d and %d", told.outcomes, told.killed, told.troubles, test.verdict, test.killed, test.trouble)
				}
				if n := r.ledger.days[account{date: told.outcomes[0].Date}]; n != test.killed {
					t.Errorf("the day has %d kills, want %d", n, test.killed)
				}
				// Who drains its node may have removed it as well.
				if doubt := strings.Contains(told.outcomes[0].Message, "may have been removed by somebody else"); doubt != (test.killed > 0) {
					t.Errorf("its message is %q, want it to say whether it is in doubt who removed the pod", told.outcomes[0].Message)
				}
			})
		})
	}
}

func TestAKillThatAnotherAttemptHasHoldsNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, time.Hour)
		r.ledger = newLedger(r.Limits, r.Calendar, nil)
		k := due{subject: &subject{Subject: s}, Kill: Kill{At: wallNow().Add(time.Second), Date: r.Calendar.Date(wallNow())}}
		another := r.record(k)
		if err := r.Records.Claim(t.Context(), another); err != nil {
			t.Fatal(err)
		}
		r.attempt(t.Context(), k, Term{Alive: wallNow()})
		if _, struck := r.agenda.lastKills[s.UID]; struck || len(r.ledger.open) > 0 || len(cluster.removed) > 0 || len(told.outcomes) > 0 {
			t.Errorf("it counts as the last kill: %v, %d are open, %q were removed, told of %+v; want nothing of it", struck, len(r.ledger.open), cluster.removed, told.outcomes)
		}
	})
}

func TestAKillWhoseRecordIsAlteredStrikesNobodyAndSaysSoThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10*time.Minute)
		r.Records = &archive{alters: true}
		r.Set(s)
		during(r, 3*time.Hour)
		all := r.Records.(*archive).all()
		for _, o := range all {
			if !o.Ended || o.Verdict != Failed || !strings.Contains(o.Message, ErrAltered.Error()) {
				t.Errorf("ended: %v, %s: %q; want it to have failed since its record was altered", o.Ended, o.Verdict, o.Message)
			}
		}
		if len(all) == 0 || len(told.outcomes) != len(all) || len(cluster.removed) > 0 {
			t.Errorf("of %d kills %d were told, and %d pods removed; want some, all, and none", len(all), len(told.outcomes), len(cluster.removed))
		}
	})
}

func TestALeaseThatIsLostBeforeTheRecordLeavesTheKillToTheNextLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, time.Hour)
		records, o := &archive{}, &orders{lost: true}
		r.Records, r.Lease, r.Halts = records, o, o
		r.Set(s)
		at := r.agenda.items[0].at
		during(r, time.Until(at)+500*time.Millisecond, func() {
			if len(told.outcomes) > 0 || len(records.records) > 0 {
				t.Errorf("without the lease, told of %+v, recorded %+v", told.outcomes, records.records)
			}
			o.mu.Lock()
			o.lost = false
			o.mu.Unlock()
			time.Sleep(10 * time.Second)
		})
		if len(told.outcomes) != 1 || !told.outcomes[0].Planned.Equal(at) || len(cluster.removed) != 1 {
			t.Errorf("with it, told of %+v, removed %v", told.outcomes, cluster.removed)
		}
	})
}

func TestAKillThatNoLeaseAllowedSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 24*time.Hour)
		r.Lease = &orders{lost: true}
		r.Set(s)
		during(r, time.Until(r.agenda.items[0].at)+2*r.LateGrace)
		if len(told.outcomes) != 1 || told.outcomes[0].Verdict != Missed || !strings.HasSuffix(told.outcomes[0].Message, "more than 1m0s; when it came the lease was not held") || len(cluster.removed) > 0 {
			t.Errorf("told of %+v, and %v was removed; want it missed, since the lease was not held", told.outcomes, cluster.removed)
		}
	})
}

func TestAWorkloadThatDoesNotHealIsLeftInPeaceUntilItsTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10*time.Second)
		cluster.sick = true
		r.Set(s)
		during(r, time.Until(r.agenda.items[0].at)+r.RecoveryDeadline+time.Second)
		verdicts := map[Verdict]int{}
		reasons := map[Reason]int{}
		for _, o := range told.outcomes {
			verdicts[o.Verdict]++
			reasons[o.Reason]++
		}
		if verdicts[NotRecovered] != 1 || verdicts[Vetoed] < 5 || reasons[Unrecovered] != verdicts[Vetoed] || len(cluster.removed) != 1 {
			t.Errorf("verdicts %v, reasons %v, removed %v", verdicts, reasons, cluster.removed)
		}
	})
}

func TestTheNextLeaderCarriesOn(t *testing.T) {
	gone := victims.Pod{Name: "gone", UID: "gone"}
	struck := victims.Pod{Name: "struck", UID: "struck"} // by a later kill, which has ended
	chosen := victims.Pod{Name: "chosen", UID: "chosen"} // in a rehearsal
	alive := victims.Pod{Name: "pod-0", UID: "pod-0"}
	for _, test := range []struct {
		why     string
		open    func(*Outcome)
		dies    time.Duration // after which the first pod does, from another's removal that was under way; 0: it does not
		verdict Verdict
		reason  Reason
	}{
		{"nobody acted", func(o *Outcome) { o.Targets = []victims.Pod{alive} }, 0, Abandoned, ""},
		{"the pod goes as long as a removal may be under way", func(o *Outcome) { o.Targets = []victims.Pod{alive} }, time.Minute + 900*time.Millisecond, Recovered, ""},
		{"the pod is gone by another kill", func(o *Outcome) { o.Targets = []victims.Pod{struck} }, 0, Abandoned, ""},
		{"one of two is gone, and that by another kill", func(o *Outcome) { o.Targets = []victims.Pod{alive, struck} }, 0, Abandoned, ""},
		{"both are gone, one by another kill", func(o *Outcome) { o.Targets = []victims.Pod{gone, struck} }, 0, Recovered, Partial},
		{"the pod is gone", func(o *Outcome) { o.Targets = []victims.Pod{gone} }, 0, Recovered, ""},
		{"the pod is gone, and another kill only rehearsed that", func(o *Outcome) { o.Targets = []victims.Pod{chosen} }, 0, Recovered, ""},
		{"one of two is gone", func(o *Outcome) { o.Targets = []victims.Pod{gone, alive} }, 0, Recovered, Partial},
		{"the record says that it was carried out", func(o *Outcome) {
			o.Targets, o.ExecutedAt = []victims.Pod{gone}, o.Planned
			o.Pods = []Death{{Pod: gone, At: o.Planned}}
		}, 0, Recovered, ""},
		{"a rehearsal", func(o *Outcome) { o.DryRun, o.Targets = true, []victims.Pod{gone} }, 0, Abandoned, ""},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, 24*time.Hour)
				records := &archive{}
				r.Records = records
				o := Outcome{Record: Record{Workload: s.Workload, Planned: wallNow(), Nonce: "of another", ActBefore: wallNow().Add(time.Minute)}, Claimed: true}
				test.open(&o)
				other := Outcome{Record: Record{Workload: s.Workload, Planned: wallNow().Add(-time.Second), Nonce: "of yet another"}, Claimed: true,
					Ended: true, Verdict: Recovered, ExecutedAt: wallNow(), Pods: []Death{{Pod: struck, At: wallNow()}}}
				rehearsed := Outcome{Record: Record{Workload: s.Workload, Planned: wallNow().Add(-2 * time.Second), Nonce: "of a rehearsal", DryRun: true}, Claimed: true,
					Ended: true, Verdict: Rehearsed, ExecutedAt: wallNow(), Pods: []Death{{Pod: chosen, At: wallNow()}}}
				records.records = map[string]Outcome{name(o.Record): o, name(other.Record): other, name(rehearsed.Record): rehearsed}
				if test.dies > 0 {
					time.AfterFunc(test.dies, func() {
						cluster.mu.Lock()
						cluster.pods[0].UID = "anew"
						cluster.mu.Unlock()
					})
				}
				during(r, 2*time.Minute)
				if len(told.outcomes) != 1 || told.outcomes[0].Verdict != test.verdict || told.outcomes[0].Reason != test.reason {
					t.Errorf("told of %+v, want one kill with verdict %s, %q", told.outcomes, test.verdict, test.reason)
				}
				want := map[Reason]string{Partial: "its killer ended, or led no more, before it was through"}[test.reason]
				if test.verdict == Abandoned {
					want = "its killer ended, or led no more, before it acted"
				}
				if !strings.Contains(told.outcomes[0].Message, want) {
					t.Errorf("it says %q, want %q", told.outcomes[0].Message, want)
				}
				if died := told.killed == 1; died != (test.verdict == Recovered) {
					t.Errorf("told of %d deaths", told.killed)
				}
				if len(cluster.removed) > 0 {
					t.Errorf("%v were removed", cluster.removed)
				}
				if len(r.ledger.open) > 0 {
					t.Errorf("the ledger still has %v", r.ledger.open)
				}
			})
		})
	}
}

func TestAnEarlierLeadersKillThatItsRecordTellsOfLaterCountsForTheNext(t *testing.T) {
	for _, late := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r, cluster, told, s := world(t, 10*time.Hour)
			s.Terms.Pace.Minimum = &victims.Span{Time: 10 * time.Hour}
			cluster.terms = s.Terms
			r.Set(s)
			kills := Plan(Seed{1}, s.Terms.Calendar.Day(s.Terms.Calendar.Date(wallNow())), s)
			time.Sleep(kills[0].At.Add(-time.Hour).Sub(wallNow()))
			at := wallNow().Add(-2 * time.Second)
			open := Outcome{Claimed: true, Record: Record{
				Workload: s.Workload, Planned: at, Date: s.Terms.Calendar.Date(at), Nonce: "other", Targets: []victims.Pod{{Name: "gone", UID: "gone"}},
				ActBefore: at.Add(time.Minute), Deadline: 2 * time.Minute, Request: &Request{Workload: s.Workload, At: at, By: "jane"},
			}}
			struck := open
			struck.ExecutedAt, struck.Pods = at.Add(time.Second), []Death{{Pod: open.Targets[0], At: at.Add(time.Second)}}
			first := struck
			if late {
				first = open
			}
			records := &archive{records: map[string]Outcome{name(open.Record): first}}
			r.Records = records
			stop := leads(r, Term{From: wallNow(), Alive: wallNow()})
			time.Sleep(time.Second)
			if late {
				records.mu.Lock()
				records.records[name(open.Record)] = struck
				records.mu.Unlock()
			}
			time.Sleep(2 * time.Hour)
			stop()
			var got []string
			for _, o := range told.outcomes {
				got = append(got, string(o.Verdict+" ")+string(o.Reason))
			}
			if want := []string{"Recovered ", "Vetoed TooSoon"}; !slices.Equal(got, want) {
				t.Errorf("its record says after the takeover that it struck: %v: %q, want %q", late, got, want)
			}
		})
	}
}

func TestAKillWhoseRecordWaitsIsNotTakenForOneThatWasLeftOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, 24*time.Hour)
		s.Namespace = "bad"
		r.Set(s)
		at := r.agenda.items[0].at
		records := &declining{namespace: "bad", err: errors.New("no answer")}
		r.Records = records
		time.AfterFunc(time.Until(at), func() { // it is claimed by then
			records.mu.Lock()
			records.until = at.Add(time.Hour)
			records.mu.Unlock()
		})
		during(r, time.Until(at)+2*time.Hour)
		if len(told.outcomes) != 1 || told.outcomes[0].Verdict != Recovered || told.killed != 1 {
			t.Errorf("told of %+v and %d deaths, want one kill and one", told.outcomes, told.killed)
		}
	})
}

// counting notes how many goroutines there are while records are written.
type counting struct {
	archive
	most atomic.Int64
}

func (c *counting) WriteStatus(ctx context.Context, o Outcome) error {
	c.most.Store(max(c.most.Load(), int64(runtime.NumGoroutine())))
	time.Sleep(time.Millisecond)
	return c.archive.WriteStatus(ctx, o)
}

// An outage may leave thousands of kills behind, and the next leader has no more memory than the one before.
func TestWhatWasDueInAnOutageIsWrittenDownByFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, 10*time.Second)
		records := &counting{}
		r.Records = records
		r.Set(s)
		time.Sleep(12 * time.Hour)
		running, stop := context.WithCancel(t.Context())
		leading, lose := context.WithCancel(running)
		var settling, acting sync.WaitGroup
		settling.Go(func() { r.WriteStatuses(running) })
		before := int64(runtime.NumGoroutine())
		acting.Go(func() { r.Lead(leading, Term{From: wallNow().Add(-12 * time.Hour), Alive: wallNow()}) })
		time.Sleep(time.Minute)
		lose()
		acting.Wait()
		stop()
		settling.Wait()
		if most := records.most.Load() - before; len(told.outcomes) < 4000 || most > 50 {
			t.Errorf("%d kills are told of, by up to %d goroutines; want some 4,300 by 50 at most", len(told.outcomes), most)
		}
	})
}

// It comes again, since it lies before the last leader's end; as Missed it would take the place of how it ended, and its record
// would stay open.
// Somebody wrote it while this lead began, and may be at it yet.
func TestAKillThatNobodyKnewOfIsEndedOnceItShouldHaveEndedLongAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, time.Hour)
		records := r.Records.(*archive)
		stop := leads(r, Term{From: wallNow(), Alive: wallNow()})
		time.Sleep(time.Second)
		at := wallNow()
		o := Outcome{Record: Record{Workload: s.Workload, Planned: at, Nonce: "n", Targets: []victims.Pod{{Name: "pod-0", UID: "pod-0"}}, ActBefore: at.Add(time.Minute)}, Claimed: true}
		records.mu.Lock()
		records.records = map[string]Outcome{name(o.Record): o}
		records.mu.Unlock()
		long := o.ActBefore.Add(mostDeadlines*r.RecoveryDeadline + sweepAgain)
		time.Sleep(time.Until(long))
		told.mu.Lock()
		if len(told.outcomes) > 0 {
			t.Errorf("told of %+v, want it left to whoever may be at it", told.outcomes)
		}
		told.mu.Unlock()
		time.Sleep(sweepAgain + time.Minute)
		stop()
		if len(told.outcomes) != 1 || told.outcomes[0].Verdict != Abandoned {
			t.Errorf("told of %+v, want it abandoned", told.outcomes)
		}
	})
}

func TestAKillThatIsCarriedOnIsNotMissedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, 10*time.Minute)
		r.agenda.armed = false
		begin := wallNow()
		r.Set(s)
		at := r.agenda.items[0].at
		time.Sleep(time.Until(at) + 2*time.Second)
		gone := victims.Pod{Name: "gone", UID: "gone"}
		o := Outcome{Record: Record{Workload: s.Workload, Planned: at, Nonce: "of another", Targets: []victims.Pod{gone}, ActBefore: at}, Claimed: true}
		records := &archive{records: map[string]Outcome{name(o.Record): o}}
		r.Records = records
		running, stop := context.WithCancel(context.Background())
		var all sync.WaitGroup
		all.Go(func() { r.WriteStatuses(running) })
		all.Go(func() { r.Lead(running, Term{From: begin, Alive: at.Add(time.Second)}) })
		time.Sleep(3 * time.Second)
		stop()
		all.Wait()
		if len(told.outcomes) != 1 || told.outcomes[0].Verdict != Recovered || slices.Contains(records.tried, Missed) {
			t.Errorf("told of %+v, tried to write %v; want it to be Recovered, and nothing else", told.outcomes, records.tried)
		}
	})
}

func TestAKillThatALostLeadLeftBehindComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10*time.Minute)
		cluster.down = true // so that it hangs in its preparation
		r.Set(s)
		at := r.agenda.items[0].at
		during(r, time.Until(at)-time.Second) // and the lead is lost a second before its instant
		cluster.down = false
		during(r, 10*time.Second)
		if len(told.outcomes) != 1 || !told.outcomes[0].Planned.Equal(at) || told.outcomes[0].Verdict != Recovered || len(cluster.removed) != 1 {
			t.Errorf("told of %+v, removed %v; want the kill of %s to be carried out", told.outcomes, cluster.removed, at)
		}
	})
}

func TestAKillThatComesLateIsCarriedOutWithinItsGrace(t *testing.T) {
	for _, test := range []struct {
		why     string
		late    time.Duration
		verdict Verdict
	}{
		{"half a minute late", 30 * time.Second, Recovered},
		{"as late as may be", 58 * time.Second, Recovered},
		{"later than that", 61 * time.Second, Missed},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _, told, s := world(t, time.Hour)
				r.Set(s)
				at := r.agenda.items[0].at
				time.Sleep(time.Until(at) + test.late)
				running, stop := context.WithCancel(context.Background())
				var all sync.WaitGroup
				all.Go(func() { r.WriteStatuses(running) })
				all.Go(func() { r.Lead(running, Term{From: at.Add(-time.Second), Alive: at.Add(-time.Second)}) })
				time.Sleep(20 * time.Second)
				stop()
				all.Wait()
				if len(told.outcomes) != 1 || told.outcomes[0].Verdict != test.verdict {
					t.Errorf("told of %+v, want one kill, %s", told.outcomes, test.verdict)
				}
			})
		})
	}
}

func TestWhatNoLeaderWasThereForIsMissedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, time.Hour)
		r.agenda.armed = false // it starts into a cluster in which s opted in long ago
		begin := wallNow()
		time.Sleep(6 * time.Hour)
		r.Set(s)
		records := &archive{}
		r.Records = records
		for range 2 { // a second leader finds nothing to add
			running, stop := context.WithCancel(context.Background())
			var all sync.WaitGroup
			all.Go(func() { r.WriteStatuses(running) })
			all.Go(func() { r.Lead(running, Term{From: begin, Alive: wallNow()}) })
			time.Sleep(time.Second)
			stop()
			all.Wait()
		}
		due := 0
		for _, k := range Plan(Seed{1}, s.Terms.Calendar.Day(s.Terms.Calendar.Date(begin)), s) {
			if k.At.Before(begin.Add(6 * time.Hour)) {
				due++
			}
		}
		if due == 0 || len(told.outcomes) != due || len(records.records) != due || len(cluster.removed) > 0 {
			t.Errorf("%d kills were due; told of %d, recorded %d, removed %v", due, len(told.outcomes), len(records.records), cluster.removed)
		}
		for _, o := range told.outcomes {
			if o.Verdict != Missed {
				t.Errorf("%s: %s, want Missed", o.Planned, o.Verdict)
			}
		}
	})
}

func TestTheEndComesBetweenTwoPods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10*time.Minute)
		s.Terms.Scale = victims.Scale{Mode: victims.KillAll}
		cluster.terms, cluster.slow = s.Terms, 400*time.Millisecond
		r.Set(s)
		first := r.agenda.items[0].at
		during(r, time.Until(first)+500*time.Millisecond) // in the middle of the second removal
		known, err := r.Records.Known(t.Context())
		if err != nil || len(known) != 1 {
			t.Fatalf("records %+v, %v, want one", known, err)
		}
		if o := known[0]; len(cluster.removed) != 2 || len(told.outcomes) > 0 || o.Ended || !o.executed() || o.Reason != Partial {
			t.Errorf("removed %v, record %+v; want two pods, and a record that the next leader carries on", cluster.removed, o)
		}
	})
}

// The clock is a value here: it goes on, stands still in a suspended machine, is set forward and back.
func TestHoweverTheClockJumpsEachKillIsDueOnce(t *testing.T) {
	s := aSubject("uid", workingHours(t, "00:00-24:00"), victims.Span{Time: 10 * time.Minute}, nil)
	noon := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	r := NewRunner(Seed{1})
	r.LateGrace = time.Minute
	for _, test := range []struct {
		why   string
		hours []float64 // after noon, what the clock shows in turn
	}{
		{"it goes on", []float64{0.01, 0.02, 0.03, 0.5}},
		{"it is set back", []float64{1, 0.5, 1, 2}},
		{"it is set back by days", []float64{1, -71, 0, 1, 2}},
		{"the machine sleeps until tomorrow", []float64{1, 30}},
		{"the machine sleeps for days", []float64{1, 100, 101}},
	} {
		t.Run(test.why, func(t *testing.T) {
			a := agenda{seed: Seed{1}, armed: true}
			a.set(noon, s)
			latest := noon
			var got []time.Time
			for _, h := range test.hours {
				now := noon.Add(time.Duration(h * float64(time.Hour)))
				if now.After(latest) {
					latest = now
				}
				kills, wake := a.next(now)
				if !wake.After(now) {
					t.Errorf("at %s it wants to be woken at %s", now, wake)
				}
				for _, k := range kills {
					got = append(got, k.At)
					var m *missed
					if late := now.Sub(k.At) > r.LateGrace; errors.As(r.onTime(now, k), &m) != late {
						t.Errorf("at %s the kill of %s is missed: %v", now, k.At, !late)
					}
				}
			}
			var want []time.Time
			for date := s.Terms.Calendar.Date(noon); !latest.Before(s.Terms.Calendar.Midnight(date)); date = date.Add(1) {
				for _, k := range Plan(Seed{1}, s.Terms.Calendar.Day(date), s) {
					if k.At.After(noon) && !k.At.After(latest) {
						want = append(want, k.At)
					}
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("due were %v,\nplanned %v", got, want)
			}
		})
	}
}

func TestOptingInAtOneAddsKillsAfterOne(t *testing.T) {
	s := aSubject("uid", workingHours(t, "10:00-16:00"), victims.Span{Time: 10 * time.Minute}, nil)
	one := time.Date(2026, time.March, 4, 13, 0, 0, 0, time.UTC)
	a := agenda{seed: Seed{1}, armed: true}
	a.set(one, s)
	kills, _ := a.next(one.Add(3 * time.Hour))
	var want []Kill
	for _, k := range Plan(Seed{1}, s.Terms.Calendar.Day(s.Terms.Calendar.Date(one)), s) {
		if k.At.After(one) {
			want = append(want, k)
		}
	}
	if len(kills) == 0 || len(kills) != len(want) {
		t.Fatalf("%d kills after one, want the %d of the day's plan", len(kills), len(want))
	}
	for i, k := range kills {
		if k.Kill != want[i] {
			t.Errorf("kill %d is at %s, want %s", i, k.At, want[i].At)
		}
	}
}

func TestANewcomerMovesNobody(t *testing.T) {
	cal := workingHours(t, "00:00-24:00")
	noon := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	planned := func(others int) (at []time.Time) {
		a := agenda{seed: Seed{1}, armed: true}
		for i := range others {
			a.set(noon, aSubject(fmt.Sprint("other-", i), cal, victims.Span{Time: time.Minute}, nil))
		}
		a.set(noon, aSubject("uid", cal, victims.Span{Time: time.Minute}, nil))
		kills, _ := a.next(noon.Add(time.Hour))
		for _, k := range kills {
			if k.UID == "uid" {
				at = append(at, k.At)
			}
		}
		return at
	}
	alone, crowded := planned(0), planned(20)
	if len(alone) == 0 || fmt.Sprint(alone) != fmt.Sprint(crowded) {
		t.Errorf("alone: %v\nin a crowd: %v", alone, crowded)
	}
}
