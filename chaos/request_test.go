package chaos

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

// frozen is a calendar that a freeze masks for an hour from now on.
func frozen() calendar.Calendar {
	now := wallNow()
	return calendar.Calendar{Closed: &calendar.Closed{Masks: calendar.Union(calendar.Mask{Window: calendar.Window{Open: now, Close: now.Add(time.Hour)}, Name: "freeze of the release"})}}
}

func TestWhatIsAskedForIsCarriedOutThroughTheGates(t *testing.T) {
	for _, test := range []struct {
		why     string
		change  func(*Runner, *toy, *Request)
		verdict Verdict
		reason  Reason
		removed int
	}{
		{"nothing is wrong", func(*Runner, *toy, *Request) {}, Recovered, "", 1},
		{"its hours are over", func(_ *Runner, c *toy, _ *Request) { c.terms.Calendar = calendar.Calendar{} }, Recovered, "", 1},
		{"a freeze", func(r *Runner, _ *toy, _ *Request) { r.Calendar = frozen() }, Vetoed, OutsideWindow, 0},
		{"a freeze that began after it was asked for", func(r *Runner, _ *toy, q *Request) {
			r.Calendar, q.At = frozen(), q.At.Add(-30*time.Second)
		}, Vetoed, OutsideWindow, 0},
		{"more than its terms say", func(_ *Runner, _ *toy, q *Request) { q.Scale = victims.Scale{Mode: victims.Fixed, Value: 2} }, Recovered, "", 2},
		{"all", func(_ *Runner, _ *toy, q *Request) { q.Scale = victims.Scale{Mode: victims.KillAll} }, Recovered, "", 3},
		{"what cannot be meant", func(_ *Runner, _ *toy, q *Request) { q.Problem = errors.New("kill value: want a percentage") }, Failed, "", 0},
		{"a rehearsal", func(_ *Runner, _ *toy, q *Request) { q.DryRun = true }, Rehearsed, "", 0},
		{"a live one of who only rehearses", func(r *Runner, _ *toy, _ *Request) { r.DryRun = true }, Rehearsed, "", 0},
		{"a halt", func(r *Runner, _ *toy, _ *Request) { r.Halts = &orders{haltAt: 1} }, Vetoed, Halted, 0},
		{"a halt after it was written down", func(r *Runner, _ *toy, _ *Request) { r.Halts = &orders{haltAt: 3} }, Vetoed, Halted, 0},
		{"too few replicas", func(_ *Runner, c *toy, _ *Request) { c.replicas = 1 }, Vetoed, MinReplicas, 0},
		{"a rollout", func(_ *Runner, c *toy, _ *Request) { c.rollout = "new pods" }, Vetoed, Rollout, 0},
		{"a budget", func(_ *Runner, c *toy, _ *Request) { c.budgets = []Budget{{Name: "none", Allowed: 0}} }, Vetoed, Disruption, 0},
		{"a pod that is too young", func(r *Runner, c *toy, _ *Request) {
			r.MinAge = time.Minute
			for i := range c.pods {
				c.pods[i].Created = wallNow()
			}
		}, Vetoed, MinAge, 0},
		{"no answer for a moment", func(_ *Runner, c *toy, _ *Request) { c.failures = 8 }, Recovered, "", 1},
		{"no answer", func(_ *Runner, c *toy, _ *Request) { c.down = true }, Missed, "", 0},
		{"no lease for a moment", func(r *Runner, _ *toy, _ *Request) { r.Lease = &sometimes{lost: 2} }, Recovered, "", 1},
		{"no lease for a moment, under a budget for one", func(r *Runner, c *toy, _ *Request) {
			r.Lease, c.budgets = &sometimes{lost: 2}, []Budget{{Name: "one", Allowed: 1}}
		}, Recovered, "", 1},
		{"an answer that was lost", func(r *Runner, _ *toy, _ *Request) { r.Records.(*archive).deaf = 1 }, Recovered, "", 1},
		{"it is too late", func(_ *Runner, _ *toy, q *Request) { q.At = q.At.Add(-2 * time.Minute) }, Missed, "", 0},
		{"it is years ahead", func(_ *Runner, _ *toy, q *Request) { q.At = q.At.AddDate(10, 0, 0) }, Missed, "", 0},
		{"it is far ahead", func(_ *Runner, _ *toy, q *Request) { q.At = q.At.Add(2 * time.Minute) }, Missed, "", 0},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, 10000*time.Hour)
				r.RespectPDB = true
				q := Request{Workload: s.Workload, At: wallNow(), By: "jane"}
				test.change(r, cluster, &q)
				r.Records.(*archive).ask(q)
				during(r, 5*time.Minute)
				if len(told.outcomes) != 1 || len(r.Records.(*archive).all()) != 1 {
					t.Fatalf("%d kills ended in %d records, want one", len(told.outcomes), len(r.Records.(*archive).all()))
				}
				o := told.outcomes[0]
				if o.Verdict != test.verdict || o.Reason != test.reason || o.Request == nil || o.Request.By != "jane" || o.Verdict == Vetoed && o.Message == "" {
					t.Errorf("verdict %q, reason %q, message %q; want %q, %q", o.Verdict, o.Reason, o.Message, test.verdict, test.reason)
				}
				if len(cluster.removed) != test.removed {
					t.Errorf("%d pods were removed, want %d", len(cluster.removed), test.removed)
				}
				if today := r.Calendar.Date(wallNow()); test.verdict == Missed && o.Date != today && o.Date != today.Add(-1) {
					t.Errorf("its date is %s on %s: its record would be kept for years", o.Date, today)
				}
				if test.verdict == Recovered && (len(o.Targets) != test.removed || o.Deadline != 2*time.Minute) {
					t.Errorf("%d targets, deadline %s", len(o.Targets), o.Deadline)
				}
			})
		})
	}
}

// sometimes is a lease that is not held the first times that it is asked for.
type sometimes struct {
	mu   sync.Mutex
	lost int
}

func (s *sometimes) Held() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost--
	return s.lost < 0
}

func TestWhatIsToldWhileARequestWaitsSpares(t *testing.T) {
	for _, test := range []struct {
		why    string
		read   int // the least replicas that its terms want, when it is prepared
		tell   func(*Runner, Subject)
		want   Verdict
		reason Reason
	}{
		{"nothing", 2, func(*Runner, Subject) {}, Recovered, ""},
		{"it opted out", 2, func(r *Runner, s Subject) { r.Drop(s.UID) }, Vetoed, OptedOut},
		{"what was read of its terms is told", 3, func(r *Runner, s Subject) {
			s.Terms.MinReplicas = 3
			r.Set(s)
		}, Recovered, ""},
		{"its terms changed after they were read", 2, func(r *Runner, s Subject) {
			s.Terms.MinReplicas = 10
			r.Set(s)
		}, Vetoed, TermsChanged},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, 10000*time.Hour)
				r.Set(s)
				cluster.terms.MinReplicas = test.read
				r.Halts = &orders{deafAt: 3, awake: 9}
				r.Records.(*archive).ask(Request{Workload: s.Workload, At: wallNow(), By: "jane"})
				time.AfterFunc(time.Second, func() {
					if all := r.Records.(*archive).all(); len(all) != 1 || all[0].executed() {
						t.Error("it does not wait for halts")
					}
					test.tell(r, s)
				})
				during(r, time.Minute)
				if len(told.outcomes) != 1 {
					t.Fatalf("%d kills ended, want one", len(told.outcomes))
				}
				if o := told.outcomes[0]; o.Verdict != test.want || o.Reason != test.reason || (len(cluster.removed) > 0) != (test.want == Recovered) {
					t.Errorf("%s %s %q, %d removed; want %s %s", o.Verdict, o.Reason, o.Message, len(cluster.removed), test.want, test.reason)
				}
			})
		})
	}
}

func TestWhatIsAskedForCountsAgainstTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10000*time.Hour)
		r.Limits.KillsPerDay = 2
		begin := wallNow()
		for i := range 3 {
			r.Records.(*archive).ask(Request{Workload: s.Workload, At: begin.Add(time.Duration(i) * 30 * time.Second), By: "jane"})
		}
		during(r, 5*time.Minute)
		if len(cluster.removed) != 2 || len(told.outcomes) != 3 {
			t.Fatalf("%d pods were removed and %d kills ended, want 2 and 3", len(cluster.removed), len(told.outcomes))
		}
		if o := told.outcomes[2]; o.Reason != OverBudget {
			t.Errorf("the third: %s %s %s, want it vetoed for the day's limit", o.Verdict, o.Reason, o.Message)
		}
	})
}

func TestAPlannedKillKeepsItsDistanceFromOneThatWasAskedFor(t *testing.T) {
	for _, test := range []struct {
		why       string
		rehearsed bool
		want      []Verdict
		reason    Reason
	}{
		{"it was carried out", false, []Verdict{Recovered, Vetoed}, TooSoon},
		{"it was rehearsed, and nothing was struck", true, []Verdict{Rehearsed, Recovered}, ""},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _, told, s := world(t, 10*time.Hour)
				least := victims.Span{Time: 10 * time.Hour}
				s.Terms.Pace.Minimum = &least
				r.Cluster.(*toy).terms = s.Terms
				r.Set(s)
				kills := Plan(Seed{1}, s.Terms.Calendar.Day(s.Terms.Calendar.Date(wallNow())), s)
				if len(kills) == 0 {
					t.Fatal("nothing is planned")
				}
				time.Sleep(kills[0].At.Add(-time.Hour).Sub(wallNow()))
				r.Records.(*archive).ask(Request{Workload: s.Workload, At: wallNow(), By: "jane", DryRun: test.rehearsed})
				during(r, 2*time.Hour)
				var got []Verdict
				for _, o := range told.outcomes {
					got = append(got, o.Verdict)
				}
				if !slices.Equal(got, test.want) || told.outcomes[1].Reason != test.reason {
					t.Errorf("the one asked for and then the planned one: %v, reason %q; want %v, %q", got, told.outcomes[1].Reason, test.want, test.reason)
				}
			})
		})
	}
}

func TestTheNextLeaderCarriesOutWhatNobodyTookOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10000*time.Hour)
		lease := &orders{lost: true}
		r.Lease = lease
		r.Records.(*archive).ask(Request{Workload: s.Workload, At: wallNow(), By: "jane"})
		during(r, 10*time.Second)
		if len(told.outcomes) > 0 || len(cluster.removed) > 0 {
			t.Fatalf("without the lease: %+v", told.outcomes)
		}
		lease.lost = false
		running, stop := context.WithCancel(t.Context())
		var settling sync.WaitGroup
		settling.Go(func() { r.WriteStatuses(running) })
		leading, lose := context.WithCancel(running)
		settling.Go(func() { r.Lead(leading, Term{From: wallNow(), Alive: wallNow()}) })
		time.Sleep(time.Minute)
		lose()
		stop()
		settling.Wait()
		if len(told.outcomes) != 1 || told.outcomes[0].Verdict != Recovered || len(cluster.removed) != 1 {
			t.Errorf("%+v, %d removed; want it carried out once", told.outcomes, len(cluster.removed))
		}
	})
}

func TestWhatWasAskedForIsForgottenWhenItCanActNoMore(t *testing.T) {
	first, known := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC), begun{}
	for hour := range 30 * 24 {
		now := first.Add(time.Duration(hour) * time.Hour)
		k := due{subject: &subject{Subject: Subject{Workload: victims.Workload{UID: "uid"}}}, Kill: Kill{At: now}}
		if !known.begin(k.key(), now) || known.begin(k.key(), now) {
			t.Fatalf("what is asked for at %s is not begun once", now)
		}
		// One may be asked for as long ahead as it may be late, at most.
		k.At = now.Add(-2 * victims.MostPatience)
		if !k.At.Before(first) && known.begin(k.key(), now) {
			t.Fatalf("at %s that of two days before is begun once more", now)
		}
	}
	if most := int(remembered/time.Hour) + 1; len(known) > most {
		t.Errorf("%d are remembered after a month, want %d at most", len(known), most)
	}
}

func TestAFreezeSaysWhichItIs(t *testing.T) {
	if why := frozen().Masked(wallNow()); !strings.Contains(why, "release") {
		t.Errorf("%q", why)
	}
	if why := frozen().Masked(wallNow().Add(2 * time.Hour)); why != "" {
		t.Errorf("after it: %q", why)
	}
	if why := (calendar.Calendar{}).Masked(wallNow()); why != "" {
		t.Errorf("without any: %q", why)
	}
}

func TestWhatWasReadIsOldByEitherClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			why    string
			read   time.Time
			missed bool
		}{
			{"just now", time.Now(), false},
			{"a while ago", time.Now().Add(-mostAge + time.Second), false},
			{"long ago", time.Now().Add(-mostAge - time.Second), true},
			{"before the clock was set back", time.Now().Round(0).Add(time.Hour), true},
		} {
			r, cluster, _, s := world(t, 10000*time.Hour)
			pod := cluster.pods[0]
			o := &Outcome{Record: Record{Workload: s.Workload, ActBefore: time.Now().Add(time.Minute), Targets: []victims.Pod{pod}}, read: test.read}
			err := r.remove(t.Context(), due{subject: &subject{Subject: s}, Kill: Kill{At: wallNow()}}, o)
			if _, missed := err.(*missed); missed != test.missed || (len(cluster.removed) == 0) != test.missed {
				t.Errorf("it was read %s: %v, %d removed; want it missed: %t", test.why, err, len(cluster.removed), test.missed)
			}
		}
	})
}

func TestWhatIsAskedForIsOfOneWorkloadAndOfNow(t *testing.T) {
	r, _, _, s := world(t, 10*time.Minute)
	now := wallNow()
	k := due{subject: &subject{Subject: Subject{Workload: s.Workload}}, Kill: Kill{At: now}, request: &Request{}}
	namesake := s
	namesake.UID = "another"
	if on := k.on(namesake); on.UID != s.UID || on.subject != k.subject {
		t.Errorf("it is of %+v now, and was of %+v", on.Workload, s.Workload)
	}
	for ahead, spared := range map[time.Duration]bool{r.LateGrace: false, r.LateGrace + time.Second: true} {
		k.At = now.Add(ahead)
		if err := r.inTime(now, k); (err != nil) != spared {
			t.Errorf("asked for %s ahead: %v, want it to be missed: %v", ahead, err, spared)
		}
	}
	// It is of the night that is under way, as a planned one is.
	s.Terms.Calendar = workingHours(t, "22:00-05:00")
	for hour, want := range map[int]int{1: 3, 12: 4, 23: 4} {
		k.At = time.Date(2026, time.March, 4, hour, 0, 0, 0, time.UTC)
		if on := k.on(s); on.Date.Day != want {
			t.Errorf("asked for at %s it is of %s, want the day %d", k.At, on.Date, want)
		}
	}
}

// unfollowed are records of which nobody can say what is asked for.
type unfollowed struct{ *archive }

func (unfollowed) Requests(ctx context.Context, _ func(Request), trouble func(error)) {
	for Pause(ctx, time.Second) == nil {
		trouble(errors.New("no answer"))
	}
}

func TestThatNobodyKnowsWhatPeopleAskForIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, _ := world(t, 10000*time.Hour)
		r.Records = unfollowed{&archive{}}
		if during(r, 10*time.Second); told.troubles != 1 {
			t.Errorf("told of trouble %d times, want once", told.troubles)
		}
	})
}
