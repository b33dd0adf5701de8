package chaos

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"caprice/victims"
)

// service is what probes ask. It answers at once, and from an instant on is down for a while, or hangs.
type service struct {
	mu     sync.Mutex
	from   time.Time
	down   time.Duration // below zero: for good
	hangs  bool
	asked  int
	stall  int           // whoever asks is held up from this time on that it is asked; 0: never
	stalls int           // so many times
	stuck  time.Duration // for so long
}

func (s *service) Ask(ctx context.Context) (Answer, error) {
	s.mu.Lock()
	s.asked++
	stalls := s.stall > 0 && s.asked >= s.stall && s.asked < s.stall+s.stalls
	s.mu.Unlock()
	if stalls {
		time.Sleep(s.stuck) // whatever ctx says
		return Answer{}, ctx.Err()
	}
	since := time.Since(s.from)
	switch {
	case since < 0 || !s.hangs && s.down >= 0 && since >= s.down:
		return Answer{Value: "fine", Off: -1}, nil
	case s.hangs:
		<-ctx.Done()
		return Answer{}, ctx.Err()
	}
	return Answer{Value: fmt.Sprintf("down for %s", since), Off: 1}, nil
}

// creed is what is believed of every workload.
type creed struct {
	mu      sync.Mutex
	probes  []Probe
	problem error
}

func (c *creed) Probes(_ context.Context, now WorkloadState) ([]Probe, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.probes, c.problem
}

func believe(s Question, change ...func(*Probe)) *creed {
	p := Probe{Hypothesis: "slo", Name: "serves", Question: s, During: true, Interval: time.Second, Timeout: time.Second}
	for _, f := range change {
		f(&p)
	}
	return &creed{probes: []Probe{p}}
}

func TestWhatWasWrongBeforeTheFirstDeathDisprovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, 10*time.Minute)
		r.Set(s)
		at := r.agenda.items[0].at
		r.Halts = &orders{deafAt: 3, awake: 12} // while which are waited for it is down
		r.Hypotheses = believe(&service{from: at, down: time.Second})
		during(r, time.Until(at)+30*time.Second)
		if len(told.outcomes) != 1 || told.outcomes[0].Verdict != Recovered || len(told.outcomes[0].Findings) != 1 {
			t.Fatalf("told of %+v, want one kill that is Recovered, and what its probe found", told.outcomes)
		}
		if o := told.outcomes[0]; o.FirstDeath().Before(at.Add(time.Second)) || o.Findings[0].Since.Before(o.FirstDeath()) {
			t.Errorf("the first pod died at %s, and the probe was asked from %s on; want that it was not asked before, and neither before %s", o.FirstDeath(), o.Findings[0].Since, at.Add(time.Second))
		}
	})
}

func TestWithoutItsHypothesisNothingIsKilled(t *testing.T) {
	for _, test := range []struct {
		why     string
		change  func(*service, *creed)
		verdict Verdict
		says    string
	}{
		{"it holds", func(*service, *creed) {}, Recovered, ""},
		{"it does not hold", func(s *service, _ *creed) { s.down = -1 }, Vetoed, "hypothesis slo, probe serves: down for"},
		{"there is no answer in time", func(s *service, _ *creed) { s.hangs = true }, Vetoed, "hypothesis slo, probe serves: no answer within 1s"},
		{"Caprice is held up while it asks", func(s *service, _ *creed) { s.stall, s.stalls, s.stuck = 1, 1, 3300*time.Millisecond }, Recovered, ""},
		{"Caprice is held up each time", func(s *service, _ *creed) { s.stall, s.stalls, s.stuck = 1, 1000, 1600*time.Millisecond }, Vetoed, "hypothesis slo, probe serves: it could not be asked: Caprice was held up"},
		{"it cannot work", func(_ *service, c *creed) { c.problem = errors.New("hypothesis slo cannot work: bad query") }, Vetoed, "bad query"},
		{"there are too many", func(_ *service, c *creed) {
			for range mostProbes {
				c.probes = append(c.probes, c.probes[0])
			}
		}, Vetoed, "101 probes"},
		{"there is none", func(_ *service, c *creed) { c.probes = nil }, Recovered, ""},
	} {
		for _, dry := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, dry run: %t", test.why, dry), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r, cluster, told, s := world(t, 10*time.Minute)
					asked := &service{}
					creed := believe(asked)
					test.change(asked, creed)
					r.Hypotheses, r.DryRun = creed, dry
					r.Set(s)
					during(r, 3*time.Hour)
					want := test.verdict
					if want == Recovered && dry {
						want = Rehearsed
					}
					if len(told.outcomes) == 0 {
						t.Fatal("no kill ended")
					}
					for _, o := range told.outcomes {
						if o.Verdict != want || want == Vetoed && o.Reason != Hypothesis || !strings.Contains(o.Message, test.says) {
							t.Errorf("verdict %s, reason %q, message %q; want %s that says %q", o.Verdict, o.Reason, o.Message, want, test.says)
						}
						if want != Recovered && o.Findings != nil {
							t.Errorf("findings %+v of a kill without a death", o.Findings)
						}
					}
					if dry && want == Rehearsed && test.why == "it holds" && asked.asked != len(told.outcomes) {
						t.Errorf("asked %d times for %d rehearsals", asked.asked, len(told.outcomes))
					}
					if (want == Recovered) != (len(cluster.removed) > 0) || (want == Rehearsed) != (len(cluster.dry) > 0) {
						t.Errorf("%d pods were removed, %d rehearsed", len(cluster.removed), len(cluster.dry))
					}
				})
			})
		}
	}
}

// showIll has the workload seen as it is, but for one replica that is not available.
func (c *toy) showIll(ctx context.Context, w victims.Workload, see func(Snapshot) bool) error {
	now, err := c.Workload(ctx, w)
	if err != nil {
		return err
	}
	now.unwatch()
	now.Available--
	see(Snapshot{WorkloadState: now, At: time.Now()})
	return nil
}

// slowly heals in nine and a half seconds.
type slowly struct{ *toy }

func (c slowly) Follow(ctx context.Context, since Snapshot, see func(Snapshot) bool) error {
	if since.Watch == nil { // then how it is now is seen first
		if err := c.showIll(ctx, since.Workload, see); err != nil {
			return err
		}
	}
	if err := sleepUntil(ctx, wallNow().Add(9500*time.Millisecond), nil); err != nil {
		return err
	}
	return c.toy.Follow(ctx, since, see)
}

// answers are of a question that is answered so, one time after another; with Off 0 there is no answer.
type answers []Answer

func (s *answers) Ask(context.Context) (Answer, error) {
	answer := (*s)[0]
	if *s = (*s)[1:]; answer.Off == 0 {
		return Answer{}, errors.New(answer.Value)
	}
	return answer, nil
}

func TestTheWorstAnswerIsTold(t *testing.T) {
	for _, test := range []struct {
		why     string
		answers answers
		want    string
	}{
		{"all are right", answers{{"300ms", -2}, {"400ms", -1}, {"200ms", -3}}, "400ms"},
		{"one is wrong", answers{{"300ms", -2}, {"700ms", 2}, {"600ms", 1}}, "700ms"},
		{"two are as wrong, and the first is when it began", answers{{"down since 1", 1}, {"down since 2", 1}}, "down since 1"},
		{"there was none, which is worse than any", answers{{"700ms", 2}, {"refused", 0}, {"20s", 20}}, "refused"},
	} {
		s := &sampler{Probe: Probe{Question: &test.answers, Timeout: time.Second}}
		for n := len(test.answers); n > 0; n-- {
			s.sample(t.Context())
		}
		if s.found.Worst != test.want {
			t.Errorf("%s: the worst is %q, want %q", test.why, s.found.Worst, test.want)
		}
	}
}

func TestAKillThatBreaksItsHypothesisIsDisproved(t *testing.T) {
	tolerating := func(d time.Duration) func(*Probe) { return func(p *Probe) { p.Tolerance = d } }
	after := func(p *Probe) { p.During = false }
	for _, test := range []struct {
		why      string
		change   func(*service)
		probe    []func(*Probe)
		verdict  Verdict
		wrongFor time.Duration
		samples  int
		worst    string
	}{
		{"it holds all the time", func(*service) {}, nil, Recovered, 0, 11, "fine"},
		{"it breaks for a moment", func(s *service) { s.down = 2500 * time.Millisecond }, nil, Disproved, 3 * time.Second, 11, "down"},
		{"that is tolerated", func(s *service) { s.down = 2500 * time.Millisecond }, []func(*Probe){tolerating(3 * time.Second)}, Recovered, 3 * time.Second, 11, "down"},
		{"it is longer than what is tolerated", func(s *service) { s.down = 3500 * time.Millisecond }, []func(*Probe){tolerating(3 * time.Second)}, Disproved, 4 * time.Second, 11, "down"},
		{"before and after alone, a moment between is not seen", func(s *service) { s.down = -1 }, []func(*Probe){after}, Disproved, 0, 1, "down"},
		{"the first answer afterwards is right", func(*service) {}, []func(*Probe){after}, Recovered, 0, 1, "fine"},
		{"it holds again soon after", func(s *service) { s.down = 13 * time.Second }, []func(*Probe){after, tolerating(5 * time.Second)}, Recovered, 4 * time.Second, 5, "down"},
		{"it does not hold again", func(s *service) { s.down = -1 }, []func(*Probe){after, tolerating(5 * time.Second)}, Disproved, 5 * time.Second, 6, "down"},
		{"it is asked every two seconds", func(s *service) { s.down = 2500 * time.Millisecond }, []func(*Probe){func(p *Probe) { p.Interval = 2 * time.Second }}, Disproved, 4 * time.Second, 6, "down"},
		{"it hangs", func(s *service) { s.hangs = true }, nil, Disproved, 11 * time.Second, 11, "no answer within 1s"},
		{"Caprice is held up once while it asks", func(s *service) { s.stall, s.stalls, s.stuck = 5, 1, 3300*time.Millisecond }, nil, Recovered, 0, 8, "fine"},
		{"Caprice is held up, and then it is down", func(s *service) {
			s.stall, s.stalls, s.stuck, s.down = 4, 1, 3300*time.Millisecond, 6500*time.Millisecond
		}, nil, Disproved, 4 * time.Second, 8, "down"},
		{"Caprice is held up each time", func(s *service) { s.stall, s.stalls, s.stuck = 2, 1000, 1600*time.Millisecond }, nil, Disproved, 4800 * time.Millisecond, 3, "it could not be asked: Caprice was held up, and 3 times in a row it took longer than 1.5s to ask"},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, 10*time.Minute)
				r.Cluster = slowly{cluster}
				r.Set(s)
				asked := &service{from: r.agenda.items[0].at}
				test.change(asked)
				r.Hypotheses = believe(asked, test.probe...)
				during(r, time.Until(r.agenda.items[0].at)+time.Minute)
				if len(told.outcomes) == 0 || len(told.outcomes[0].Findings) != 1 {
					t.Fatalf("outcomes %+v, want one with a finding", told.outcomes)
				}
				o, f := told.outcomes[0], told.outcomes[0].Findings[0]
				if o.Verdict != test.verdict || o.Recovery.Whole.Sub(o.ExecutedAt).Round(time.Millisecond) != 9500*time.Millisecond {
					t.Errorf("verdict %s, whole after %s, want %s and 9.5s", o.Verdict, o.Recovery.Whole.Sub(o.ExecutedAt), test.verdict)
				}
				if o.Verdict == Disproved && !strings.Contains(o.Message, "hypothesis slo, probe serves: "+test.worst) {
					t.Errorf("its message is %q", o.Message)
				}
				if f.Met != (test.verdict == Recovered) || f.WrongFor != test.wrongFor || f.Samples != test.samples || !strings.HasPrefix(f.Worst, test.worst) {
					t.Errorf("found %+v, want it wrong for %s in %d samples, at worst %s", f, test.wrongFor, test.samples, test.worst)
				}
				if f.Hypothesis != "slo" || f.Probe != "serves" || f.Since.Before(o.Planned) || f.Since.After(o.ExecutedAt) {
					t.Errorf("found %+v of a kill at %s", f, o.ExecutedAt)
				}
			})
		})
	}
}

func TestWhatDoesNotHealIsNotRecoveredWhateverElseBroke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10*time.Minute)
		cluster.sick = true
		r.Set(s)
		asked := &service{from: r.agenda.items[0].at, down: -1}
		r.Hypotheses = believe(asked, func(p *Probe) { p.Tolerance = time.Hour })
		during(r, time.Until(r.agenda.items[0].at)+r.RecoveryDeadline+time.Minute)
		if len(told.outcomes) == 0 {
			t.Fatal("no kill ended: the tolerance must not outlast the deadline")
		}
		if o := told.outcomes[0]; o.Verdict != NotRecovered || len(o.Findings) != 1 || o.Findings[0].Met || !strings.Contains(o.Message, "not whole within 2m0s") || !strings.Contains(o.Message, "; hypothesis slo") {
			t.Errorf("%s, %q, found %+v; want NotRecovered, and the hypothesis in the message", o.Verdict, o.Message, o.Findings)
		}
	})
}

func TestOneThatHangsDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10*time.Minute)
		hanging, quick := &service{hangs: true}, &service{}
		r.Hypotheses = byName{"hangs": believe(hanging), "quick": believe(quick)}
		for i := range 9 {
			other := s
			other.UID, other.Name = fmt.Sprint("quick-", i), "quick"
			r.Set(other)
		}
		s.UID, s.Name = "hangs", "hangs"
		r.Set(s)
		during(r, 24*time.Hour)
		for _, o := range told.outcomes {
			hangs := o.Workload.Name == "hangs"
			if hangs && (o.Verdict != Vetoed || o.Reason != Hypothesis) {
				t.Errorf("the workload of the one that hangs: %s %s, want it vetoed", o.Verdict, o.Reason)
			}
			if !hangs && o.executed() && !o.ExecutedAt.Equal(o.Planned) {
				t.Errorf("a kill that was planned for %s came at %s", o.Planned, o.ExecutedAt)
			}
		}
		if hanging.asked == 0 || len(cluster.removed) < 1000 {
			t.Errorf("%d pods were removed, and the one that hangs was asked %d times", len(cluster.removed), hanging.asked)
		}
	})
}

// byName are creeds of workloads by their names.
type byName map[string]*creed

func (b byName) Probes(ctx context.Context, now WorkloadState) ([]Probe, error) {
	return b[now.Name].Probes(ctx, now)
}

// leftOpen are the records of an earlier leader that removed a pod of workload uid at an instant, and ended.
func leftOpen(at time.Time) *archive {
	dead := victims.Pod{Name: "dead", UID: "dead"}
	left := Outcome{Record: Record{Workload: victims.Workload{UID: "uid"}, Planned: at, ActBefore: at.Add(time.Minute), Nonce: "other", Targets: []victims.Pod{dead}}, Claimed: true, ExecutedAt: at, Pods: []Death{{Pod: dead, At: at}}}
	return &archive{records: map[string]Outcome{name(left.Record): left}}
}

func TestANewLeaderGoesOnSampling(t *testing.T) {
	for _, test := range []struct {
		why     string
		change  func(*service, *creed)
		verdict Verdict
		says    string
	}{
		{"it holds", func(*service, *creed) {}, Recovered, ""},
		{"it broke", func(s *service, _ *creed) { s.down = -1 }, Disproved, "hypothesis slo"},
		{"there are too many", func(_ *service, c *creed) { c.probes = slices.Repeat(c.probes, mostProbes+1) }, Recovered, "a new leader could not find out: its hypotheses have 101 probes"},
		{"it cannot be found out", func(_ *service, c *creed) { c.problem = errors.New("no answer") }, Recovered, "a new leader could not find out: no answer"},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, _ := world(t, 10*time.Minute)
				r.Cluster = slowly{cluster}
				asked := &service{}
				creed := believe(asked)
				test.change(asked, creed)
				r.Hypotheses = creed
				r.Records = leftOpen(wallNow().Add(-3 * time.Second))
				begin := wallNow()
				during(r, time.Minute)
				if len(told.outcomes) != 1 {
					t.Fatalf("%d kills ended, want the one that was left", len(told.outcomes))
				}
				o := told.outcomes[0]
				if o.Verdict != test.verdict || !strings.Contains(o.Message, test.says) {
					t.Errorf("%s, %q; want %s that says %q", o.Verdict, o.Message, test.verdict, test.says)
				}
				if len(o.Findings) > mostProbes {
					t.Errorf("%d findings, and %d are the most that a record holds", len(o.Findings), mostProbes)
				}
				if creed.problem == nil && len(creed.probes) == 1 && (len(o.Findings) != 1 || o.Findings[0].Samples != 11 || !o.Findings[0].Since.Equal(begin)) {
					t.Errorf("found %+v, want one asked 11 times since %s, when the lead began", o.Findings, begin)
				}
			})
		})
	}
}

// unsure is a creed that is known from an instant on.
type unsure struct {
	*creed
	from time.Time
}

func (u *unsure) Probes(ctx context.Context, now WorkloadState) ([]Probe, error) {
	if time.Now().Before(u.from) {
		return nil, errors.New("no answer")
	}
	return u.creed.Probes(ctx, now)
}

// gone has no workload any more.
type gone struct{ *toy }

func (gone) Follow(context.Context, Snapshot, func(Snapshot) bool) error { return ErrGone }

func TestWhatANewLeaderLearnsOfHypothesesWithWhatItSees(t *testing.T) {
	for _, test := range []struct {
		why      string
		of       func(*toy) Cluster
		after    time.Duration // it is known
		findings int
		says     string
	}{
		{"it is asked again while the workload heals", func(c *toy) Cluster { return slowly{c} }, 8 * time.Second, 1, ""},
		{"also where it is whole already", func(c *toy) Cluster { return c }, 4 * time.Second, 1, ""},
		{"but not for ever", func(c *toy) Cluster { return c }, 7 * time.Second, 0, "a new leader could not find out: no answer"},
		{"nothing is seen", func(c *toy) Cluster { return gone{c} }, 0, 0, "a new leader could not find out: it could not be seen"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, cluster, told, _ := world(t, 10*time.Minute)
			r.Cluster, r.Hypotheses = test.of(cluster), &unsure{believe(&service{}), time.Now().Add(test.after)}
			r.Records = leftOpen(wallNow().Add(-3 * time.Second))
			during(r, time.Minute)
			if len(told.outcomes) != 1 || len(told.outcomes[0].Findings) != test.findings || !strings.Contains(told.outcomes[0].Message, test.says) || test.says == "" && strings.Contains(told.outcomes[0].Message, "could not find out") {
				t.Errorf("%s: %+v, want one kill with %d findings that says %q", test.why, told.outcomes, test.findings, test.says)
			}
		})
	}
}

// busy changes ten times a second for six seconds, and is whole then.
type busy struct{ *toy }

func (c busy) Follow(ctx context.Context, since Snapshot, see func(Snapshot) bool) error {
	for range 60 {
		if err := c.showIll(ctx, since.Workload, see); err != nil {
			return err
		}
		if err := Pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return c.toy.Follow(ctx, since, see)
}

// deafened are hypotheses of which nobody answers.
type deafened struct{ asked atomic.Int32 }

func (d *deafened) Probes(ctx context.Context, _ WorkloadState) ([]Probe, error) {
	d.asked.Add(1)
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestThatNobodyAnswersForHypothesesHoldsNobodyUpWhoWatchesAWorkloadHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, _ := world(t, 10*time.Minute)
		believed := &deafened{}
		r.Cluster, r.Hypotheses = busy{cluster}, believed
		r.Records = leftOpen(wallNow().Add(-3 * time.Second))
		begin := wallNow()
		during(r, time.Minute)
		if len(told.outcomes) != 1 {
			t.Fatalf("%d kills ended, want the one that was left", len(told.outcomes))
		}
		o := told.outcomes[0]
		if healed := o.Recovery.Whole.Sub(begin); o.Verdict != Recovered || healed != 6*time.Second || !strings.Contains(o.Message, "a new leader could not find out") {
			t.Errorf("%s %q, whole after %s; want it Recovered after 6s, and why nothing is known of its hypotheses", o.Verdict, o.Message, healed)
		}
		if n := believed.asked.Load(); n > int32(leastLook/requestTimeout)+1 {
			t.Errorf("it was asked %d times what is believed, want %d at most", n, leastLook/requestTimeout+1)
		}
	})
}

func TestWaitingForHypothesesIsNoneOfTheTimeInWhichTheyMayBeWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, _ := world(t, 10*time.Minute)
		down := &service{from: time.Now(), down: 7 * time.Second}
		r.Hypotheses = &unsure{believe(down, func(p *Probe) { p.Tolerance = 10 * time.Second }), time.Now().Add(4 * time.Second)}
		r.Records = leftOpen(wallNow().Add(-time.Hour)) // its time to heal is over
		during(r, time.Minute)
		if len(told.outcomes) != 1 || told.outcomes[0].Verdict != Recovered || len(told.outcomes[0].Findings) != 1 {
			t.Errorf("%+v, want one kill that is Recovered: its probe was right within its tolerance", told.outcomes)
		}
	})
}

// As if the process had been held up after a wrong answer, which no test can do.
func TestAWrongAnswerStandsNoLongerThanUntilTheNextIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sampler{Probe: Probe{Interval: 2 * time.Second, Timeout: time.Second}, wrong: true, asked: time.Now()}
		for _, test := range []struct{ passes, want time.Duration }{{2100 * time.Millisecond, 2100 * time.Millisecond}, {time.Minute, 3 * time.Second}} {
			s.found.WrongFor, s.asked = 0, time.Now()
			time.Sleep(test.passes)
			if s.count(time.Now()); s.found.WrongFor != test.want {
				t.Errorf("%s after a wrong answer it was wrong for %s, want %s", test.passes, s.found.WrongFor, test.want)
			}
		}
	})
}

func TestTheWorstAnswerIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		values := []float64{-3, -1, -2, math.Inf(1), 5, -3}
		asked := 0
		w := startSampling(t.Context(), []Probe{{During: true, Interval: time.Second, Timeout: time.Second, Question: script(func() (Answer, error) {
			v := values[min(asked, len(values)-1)]
			asked++
			return Answer{Value: fmt.Sprint(v), Off: v}, nil
		})}})
		time.Sleep(2500 * time.Millisecond)
		if f := w.findings(t.Context())[0]; f.Worst != "+Inf" || f.Samples != 4 || f.Met {
			t.Errorf("found %+v, want +Inf of four answers", f)
		}
	})
}

type script func() (Answer, error)

func (s script) Ask(context.Context) (Answer, error) { return s() }
