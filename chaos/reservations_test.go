package chaos

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"caprice/victims"
)

// Two kills are due at once, and each of their budgets allows one disruption.
func TestTwoKillsAreNotJudgedByTheSameDisruption(t *testing.T) {
	for _, test := range []struct {
		why    string
		a, b   Budget
		struck int
	}{
		{"under one budget", Budget{Name: "shared", Allowed: 1}, Budget{Name: "shared", Allowed: 1}, 1},
		{"under a budget each", Budget{Name: "a", Allowed: 1}, Budget{Name: "b", Allowed: 1}, 2},
		{"under one of the name in a namespace each", Budget{Namespace: "a", Name: "web", Allowed: 1}, Budget{Namespace: "b", Name: "web", Allowed: 1}, 2},
		{"under one that covers none of those who die", Budget{Name: "other", Covers: []string{"other"}}, Budget{Name: "other", Covers: []string{"other"}}, 2},
	} {
		t.Run(test.why, func(t *testing.T) {
			r, cluster, _, s := world(t, 10*time.Minute)
			r.RespectPDB = true
			struck := 0
			for _, b := range []Budget{test.a, test.b} {
				cluster.budgets = []Budget{b}
				if _, err := r.choosePods(t.Context(), due{subject: &subject{Subject: s}}, cluster.pods); err == nil {
					struck++
				}
			}
			if struck != test.struck {
				t.Errorf("%d kills at once, want %d", struck, test.struck)
			}
		})
	}
}

// meanwhile is a toy in which something happens while budgets are read.
type meanwhile struct {
	*toy
	happens func()
}

func (m meanwhile) Budgets(ctx context.Context, pods []victims.Pod) ([]Budget, error) {
	budgets, err := m.toy.Budgets(ctx, pods)
	m.happens()
	return budgets, err
}

func TestABudgetIsNotJudgedByWhatWasReadWhileAKillEnded(t *testing.T) {
	r, cluster, _, s := world(t, 10*time.Minute)
	r.RespectPDB = true
	cluster.budgets = []Budget{{Name: "web", Allowed: 1}}
	first, err := r.choosePods(t.Context(), due{subject: &subject{Subject: s}}, cluster.pods)
	if err != nil {
		t.Fatal(err)
	}
	r.Cluster = meanwhile{cluster, first.release}
	if _, err := r.choosePods(t.Context(), due{subject: &subject{Subject: s}}, cluster.pods); err == nil {
		t.Error("a kill is judged by what was read before another had ended")
	}
	if _, err := r.choosePods(t.Context(), due{subject: &subject{Subject: s}}, cluster.pods); err != nil {
		t.Errorf("a kill is spared by what was read after the other had ended: %v", err)
	}
}

func TestNobodyHoldsTheBudgetsOfWhatAnEarlierLeaderLeftOpen(t *testing.T) {
	r, cluster, _, s := world(t, 10*time.Minute)
	r.RespectPDB = true
	for _, test := range []struct {
		why     string
		open    string // the namespace of a kill that was left open
		budgets []Budget
		spared  bool
	}{
		{"in its namespace", s.Namespace, []Budget{{Name: "web", Allowed: 1}}, true},
		{"in its namespace, which has no budgets", s.Namespace, nil, false},
		{"in another", "other", []Budget{{Name: "web", Allowed: 1}}, false},
	} {
		cluster.budgets, r.adopted = test.budgets, map[killKey]string{{uid: "another"}: test.open}
		drawn, err := r.choosePods(t.Context(), due{subject: &subject{Subject: s}}, cluster.pods)
		if veto, is := err.(*Veto); (err != nil) != test.spared || is && veto.Reason != Disruption {
			t.Errorf("%s: %v, want it to be spared: %v", test.why, err, test.spared)
		}
		if err == nil {
			drawn.release()
		}
	}
}

// read is a toy whose budgets are read by a function.
type read struct {
	*toy
	budgets func() ([]Budget, error)
}

func (r read) Budgets(context.Context, []victims.Pod) ([]Budget, error) { return r.budgets() }

func TestABudgetIsReadOnceMoreBeforeTheFirstPodDies(t *testing.T) {
	allows := func(n int) ([]Budget, error) {
		return []Budget{{Name: "web", Allowed: n, Covers: []string{"pod-0", "pod-1", "pod-2"}}}, nil
	}
	for _, test := range []struct {
		why   string
		reads func(n int) ([]Budget, error) // the nth
		says  string                        // nothing: it is carried out
	}{
		{"it allows it still", func(int) ([]Budget, error) { return allows(1) }, ""},
		{"somebody has drained a node", func(n int) ([]Budget, error) { return allows(n % 2) }, "PodDisruptionBudget web allows 0 disruptions now, this kill needs 1"},
		{"somebody has made one", func(n int) ([]Budget, error) {
			if n%2 == 1 {
				return nil, nil
			}
			return allows(0)
		}, "PodDisruptionBudget web allows 0 disruptions now, this kill needs 1"},
		{"there is no answer for a moment", func(n int) ([]Budget, error) {
			if n == 2 {
				return nil, errors.New("no answer")
			}
			return allows(1)
		}, ""},
		{"there is none any more", func(n int) ([]Budget, error) {
			if n > 1 {
				return nil, errors.New("no answer")
			}
			return allows(1)
		}, "whether its PodDisruptionBudgets still allow it cannot be known: no answer"},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, 10*time.Minute)
				n := 0
				r.RespectPDB, r.Cluster = true, read{cluster, func() ([]Budget, error) { n++; return test.reads(n) }}
				r.Set(s)
				during(r, time.Hour)
				if len(told.outcomes) == 0 {
					t.Fatal("no kill was due")
				}
				o := told.outcomes[0]
				if vetoed := o.Verdict == Vetoed && o.Reason == Disruption; vetoed != (test.says != "") || vetoed && o.Message != test.says || (len(cluster.removed) > 0) == vetoed {
					t.Errorf("%s, %s: %s; %d pods were removed; want it vetoed: %q", o.Verdict, o.Reason, o.Message, len(cluster.removed), test.says)
				}
			})
		})
	}
}

func TestBudgetsThatCannotBeReadAreAskedForWhileThatMayHelp(t *testing.T) {
	no := &Refusal{errors.New("forbidden")}
	for _, test := range []struct {
		why   string
		err   error
		asked int // within a second
		veto  bool
	}{
		{"there is no answer", errors.New("no answer"), int(time.Second / repeat), true},
		{"the API server has said no", no, 1, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, cluster, _, _ := world(t, 10*time.Minute)
			asked := 0
			r.Cluster = read{cluster, func() ([]Budget, error) { asked++; return nil, test.err }}
			err := r.permitted(t.Context(), cluster.pods[:1], wallNow().Add(time.Second))
			var veto *Veto
			if errors.As(err, &veto) != test.veto || !test.veto && !errors.Is(err, test.err) || asked != test.asked {
				t.Errorf("%s: %v when asked %d times, want a veto: %v, and %d", test.why, err, asked, test.veto, test.asked)
			}
		})
	}
}

func TestAKillIsNotVetoedForTheEndOfItsKiller(t *testing.T) {
	r, cluster, _, _ := world(t, 10*time.Minute)
	ctx, end := context.WithCancel(t.Context())
	r.Cluster = read{cluster, func() ([]Budget, error) { end(); return nil, context.Canceled }}
	if err := r.permitted(ctx, cluster.pods[:1], wallNow()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that its killer ends", err)
	}
}

func TestAKillThatHasEndedHoldsNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10*time.Minute)
		r.RespectPDB = true
		cluster.budgets = []Budget{{Name: "web", Allowed: 1}}
		r.Set(s)
		during(r, 3*time.Hour)
		if len(cluster.removed) < 5 || len(cluster.removed) != len(told.outcomes) {
			t.Errorf("%d of %d kills were carried out, want all of them, and at least 5", len(cluster.removed), len(told.outcomes))
		}
	})
}

func TestABudgetIsHeldUntilItsKillIsSettled(t *testing.T) {
	a, b := Budget{Namespace: "shop", Name: "a"}, Budget{Namespace: "shop", Name: "b"}
	var r reservations
	before := r.now()
	release, err := r.hold(before, []Budget{a})
	if err != nil {
		t.Fatal(err)
	}
	try := func(why string, since int, want bool, budgets ...Budget) {
		t.Helper()
		release, err := r.hold(since, budgets)
		if (err == nil) != want {
			t.Errorf("%s: error = %v, want none: %v", why, err, want)
		}
		if err == nil {
			release()
		}
	}
	try("a budget that is held", r.now(), false, a)
	try("one that is held and one that is not", r.now(), false, b, a)
	try("one that is not, after both were refused", r.now(), true, b)
	try("one of the name in another namespace", r.now(), true, Budget{Namespace: "team", Name: "a"})
	release()
	try("what was read while it was held", before, false, a)
	try("what was read after it was released", r.now(), true, a)
	again, err := r.hold(r.now(), []Budget{a})
	if err != nil {
		t.Fatal(err)
	}
	release() // a second time, by the first kill
	try("a budget that another kill holds by now", r.now(), false, a)
	again()
}

func TestBudgetsThatAreHeldNoMoreAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r reservations
		for i := range 100 {
			release, err := r.hold(r.now(), []Budget{{Namespace: "shop", Name: fmt.Sprint(i)}})
			if err != nil {
				t.Fatal(err)
			}
			release()
			time.Sleep(freedFor / 2)
		}
		if len(r.freed) > 3 || len(r.held) > 0 {
			t.Errorf("%d budgets are remembered, and %d held; want those of a minute, and none", len(r.freed), len(r.held))
		}
	})
}

func TestWhatAKillDidNotTakeItGivesBack(t *testing.T) {
	r, cluster, _, s := world(t, 10*time.Minute)
	r.RespectPDB, s.Terms.Scale = true, victims.Scale{Mode: victims.KillAll}
	cluster.budgets = []Budget{{Name: "web", Allowed: 2 * mostTargets}}
	many := make([]victims.Pod, mostTargets+1)
	for i := range many {
		many[i].UID = fmt.Sprint("pod-", i)
	}
	k := due{subject: &subject{Subject: s}}
	if _, err := r.choosePods(t.Context(), k, many); err == nil {
		t.Error("it kills more than a record holds")
	}
	if _, err := r.choosePods(t.Context(), k, many[1:]); err != nil {
		t.Errorf("after one that was spared: %v", err)
	}
}

func TestABudgetHasToAllowAllThatDie(t *testing.T) {
	r, cluster, _, _ := world(t, 10*time.Minute)
	cluster.budgets = []Budget{{Name: "web", Allowed: 1, Covers: []string{"pod-0", "pod-1"}}}
	for n, allowed := range map[int]bool{1: true, 2: false} {
		if err := r.permitted(t.Context(), cluster.pods[:n], wallNow()); (err == nil) != allowed {
			t.Errorf("one disruption is allowed, and %d die: %v, want it to be allowed: %v", n, err, allowed)
		}
	}
}

// What was read of a budget before a kill under it ended does not count, as long as somebody may go by it.
func TestTheEndOfAKillIsRememberedForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r reservations
		web, other := []Budget{{Name: "web"}}, []Budget{{Name: "other"}}
		end := func(budgets []Budget) {
			release, err := r.hold(r.now(), budgets)
			if err != nil {
				t.Fatal(err)
			}
			release()
		}
		before := r.now()
		end(web)
		time.Sleep(59 * time.Second)
		end(other)
		if release, err := r.hold(before, web); err == nil {
			release()
			t.Error("after 59s a budget is held by what was read before a kill under it ended")
		}
		time.Sleep(2 * time.Second)
		end(other)
		if len(r.freed) != 1 {
			t.Errorf("%d ends are remembered, want the last alone", len(r.freed))
		}
	})
}

// guarded is a world whose workload is killed once an hour, as its budget allows, and its first kill.
func guarded(t *testing.T) (*Runner, *toy, *notes, Subject, Kill) {
	t.Helper()
	r, cluster, told, s := world(t, time.Hour)
	r.RespectPDB = true
	s.Terms.Pace.Minimum = &victims.Span{Time: time.Hour}
	cluster.terms = s.Terms
	cluster.budgets = []Budget{{Namespace: "shop", Name: "web", Allowed: 1}}
	return r, cluster, told, s, Plan(Seed{1}, s.Terms.Calendar.Day(s.Terms.Calendar.Date(wallNow())), s)[0]
}

func TestABudgetIsReadOnceMoreWhereHaltsWereWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s, k := guarded(t)
		r.Halts = &orders{deafAt: 4, awake: 4 + 14} // for 3.5 s when it is to strike
		r.Set(s)
		time.AfterFunc(time.Until(k.At.Add(time.Second)), func() { // somebody drains a node
			cluster.mu.Lock()
			defer cluster.mu.Unlock()
			cluster.budgets = []Budget{{Namespace: "shop", Name: "web", Allowed: 0}}
		})
		during(r, time.Until(k.At.Add(5*time.Minute)))
		if len(told.outcomes) != 1 || told.outcomes[0].Verdict != Vetoed || told.outcomes[0].Reason != Disruption {
			t.Errorf("%+v, want it spared for what its budget says once halts can be read", told.outcomes)
		}
	})
}

// leisure takes its time to say that nothing is halted.
type leisure time.Duration

func (l leisure) Check(ctx context.Context, _ victims.Workload) error {
	return Pause(ctx, time.Duration(l))
}

func TestAKillWhoseAnswersTakeLongEndsAllTheSame(t *testing.T) {
	for takes, killed := range map[time.Duration]int{900 * time.Millisecond: 1, 1050 * time.Millisecond: 0} {
		synctest.Test(t, func(t *testing.T) {
			r, _, told, s, k := guarded(t)
			r.Halts = leisure(takes)
			r.Set(s)
			during(r, time.Until(k.At.Add(5*time.Minute)))
			if len(told.outcomes) != 1 || told.killed != killed || told.outcomes[0].EndedAt.After(k.At.Add(time.Minute)) {
				t.Errorf("halts take %s to be read: %+v and %d pods, want an outcome by then and %d", takes, told.outcomes, told.killed, killed)
			}
		})
	}
}
