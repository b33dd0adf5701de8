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

func TestWhenAWorkloadIsWholeAgain(t *testing.T) {
	noon := time.Date(2026, time.March, 4, 12, 0, 0, 500, time.UTC)
	pod := func(uid string) victims.Pod {
		return victims.Pod{UID: uid, Created: noon.Add(-time.Hour), Running: true, Ready: true}
	}
	replacement := func(uid string) victims.Pod {
		p := pod(uid)
		p.Created = noon.Truncate(time.Second) // as the API server says it
		return p
	}
	terminating, unready := pod("dead"), replacement("new")
	terminating.Terminating, unready.Ready = true, false
	leaving := replacement("new")
	leaving.Terminating = true
	for _, test := range []struct {
		why      string
		replicas int // wanted
		counted  int // as available by the controller
		rollout  string
		pods     []victims.Pod
		lacks    string // empty: it is whole
		ready    bool   // a new pod is
	}{
		{"as it was before the kill", 2, 2, "", []victims.Pod{pod("dead"), pod("old")}, "1 of the pods that were killed", false},
		{"the dead one goes, and the new one is there", 2, 2, "", []victims.Pod{terminating, pod("old"), replacement("new")}, "1 of the pods that were killed", true},
		{"the dead one is gone", 2, 1, "", []victims.Pod{pod("old")}, "1 of 2 replicas", false},
		{"its controller does not know yet that it is", 2, 2, "", []victims.Pod{pod("old")}, "1 of 2 replicas", false},
		{"the new one is not Ready yet", 2, 1, "", []victims.Pod{pod("old"), unready}, "1 of 2 replicas", false},
		{"the new one goes again", 2, 2, "", []victims.Pod{pod("old"), leaving}, "1 of 2 replicas", false},
		{"its controller does not count the new one yet", 2, 1, "", []victims.Pod{pod("old"), replacement("new")}, "1 of 2 replicas", true},
		{"one that was there before was born in that second", 2, 1, "", []victims.Pod{replacement("old")}, "1 of 2 replicas", false},
		{"all are there", 2, 2, "", []victims.Pod{pod("old"), replacement("new")}, "", true},
		{"all are there, and a rollout goes on", 2, 2, "1 of 2 replicas are of an older revision", []victims.Pod{pod("old"), replacement("new")}, "a rollout has to finish", true},
		{"it was scaled to none", 0, 0, "", nil, "", false},
		{"it was scaled to none, and one is left", 0, 0, "", []victims.Pod{pod("dead")}, "1 of the pods that were killed", false},
		{"it was scaled down", 1, 1, "", []victims.Pod{pod("old")}, "", false},
	} {
		t.Run(test.why, func(t *testing.T) {
			h := healingOf(Outcome{
				Pods: []Death{{Pod: pod("dead"), At: noon}, {Pod: pod("old"), Err: errors.New("409")}}, ExecutedAt: noon,
				seen: Snapshot{Pods: []victims.Pod{pod("dead"), pod("old")}},
			})
			at := noon.Add(time.Minute)
			whole := h.see(Snapshot{WorkloadState: WorkloadState{Replicas: test.replicas, Available: test.counted, Rollout: test.rollout}, Pods: test.pods, At: at})
			if whole != (test.lacks == "") || h.whole() != whole || !strings.HasPrefix(h.lacks, test.lacks) {
				t.Errorf("it is whole: %t, and lacks %q; want %q", whole, h.lacks, test.lacks)
			}
			if h.Recovery.FirstReady.Equal(at) != test.ready {
				t.Errorf("the first new pod was Ready at %s: want it to be now: %t", h.Recovery.FirstReady, test.ready)
			}
		})
	}
}

func TestWhichPodsCountAmongTheReplicasThatAreWanted(t *testing.T) {
	noon := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	pods := func(names string) (all []victims.Pod) {
		for name := range strings.FieldsSeq(names) {
			name, idle := strings.CutSuffix(name, "!")
			name, came := strings.CutSuffix(name, "+")
			name, goes := strings.CutSuffix(name, "-")
			p := victims.Pod{Name: name, UID: name, Running: true, Ready: !idle, Terminating: goes, Created: noon.Add(-time.Hour)}
			if came {
				p.UID, p.Created = name+"+", noon.Add(time.Second)
			}
			all = append(all, p)
		}
		return all
	}
	for _, test := range []struct {
		why   string
		kind  victims.Kind
		state WorkloadState
		pods  string // + after the name of one that came after the kill, ! of one that is not Ready, - of one that goes
		lacks string
	}{
		{"a StatefulSet is whole", victims.StatefulSet, WorkloadState{Replicas: 3, Available: 3}, "db-0+ db-1 db-2", ""},
		{"it is scaled down, and those that go are on their way", victims.StatefulSet, WorkloadState{Replicas: 3, Available: 5, Rollout: "it is scaled down", Waits: true}, "db-0+ db-1 db-2 db-3 db-4", ""},
		{"it is scaled down, and one that goes hides that another is missing", victims.StatefulSet, WorkloadState{Replicas: 2, Available: 2, Rollout: "it is scaled down", Waits: true}, "db-1 db-2", "1 of 2 replicas"},
		{"it counts from five", victims.StatefulSet, WorkloadState{Replicas: 2, Available: 2, First: 5}, "db-5+ db-6", ""},
		{"it counts from five, and has one of before", victims.StatefulSet, WorkloadState{Replicas: 2, Available: 2, First: 5}, "db-4 db-5+", "1 of 2 replicas"},
		{"a Deployment's pods have no numbers", victims.Deployment, WorkloadState{Replicas: 2, Available: 2}, "db-77 db-88+", ""},
		{"a DaemonSet has one on a node that it is not for", victims.DaemonSet, WorkloadState{Replicas: 2, Available: 2, Misplaced: 1}, "a+ b c", ""},
		{"and its controller does not know yet that another is missing", victims.DaemonSet, WorkloadState{Replicas: 2, Available: 2, Misplaced: 1}, "b c", "1 of 2 replicas"},
		{"and that the one in its place is not Ready", victims.DaemonSet, WorkloadState{Replicas: 2, Available: 2, Misplaced: 1}, "a+! b c", "1 of 2 replicas"},
		{"one that is wanted is drained, and its controller does not know yet", victims.DaemonSet, WorkloadState{Replicas: 2, Available: 2, Misplaced: 1}, "a+ b- c", "1 of 2 replicas"},
		{"the one on a node that it is not for is not Ready", victims.DaemonSet, WorkloadState{Replicas: 2, Available: 2, Misplaced: 1}, "a+ b c!", ""},
	} {
		t.Run(test.why, func(t *testing.T) {
			h := healingOf(Outcome{Pods: []Death{{Pod: victims.Pod{UID: "dead"}, At: noon}}, ExecutedAt: noon})
			test.state.Workload = victims.Workload{Kind: test.kind, Name: "db"}
			h.see(Snapshot{WorkloadState: test.state, Pods: pods(test.pods), At: noon.Add(time.Minute)})
			if !strings.HasPrefix(h.lacks, test.lacks) || (h.lacks == "") != (test.lacks == "") {
				t.Errorf("it lacks %q, want %q", h.lacks, test.lacks)
			}
		})
	}
}

func TestAPodThatHasYetToCountIsNotTakenForAvailable(t *testing.T) {
	noon := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	before := victims.Pod{UID: "old", Running: true, Ready: true, Created: noon.Add(-time.Hour)}
	came := victims.Pod{UID: "new", Running: true, Ready: true, Created: noon.Add(time.Second)}
	unready := came
	unready.Ready = false
	type snapshot struct {
		after     time.Duration
		available int
		pods      []victims.Pod
	}
	for _, test := range []struct {
		why       string
		minReady  time.Duration
		adopted   bool
		snapshots []snapshot
		whole     time.Duration // after the kill; 0: it is not
	}{
		{"its controller has counted the dead one", 10 * time.Second, false, []snapshot{{time.Second, 1, []victims.Pod{before}}, {2 * time.Second, 1, []victims.Pod{before, came}}, {12 * time.Second, 2, []victims.Pod{before, came}}}, 12 * time.Second},
		{"nothing is heard of its controller", 10 * time.Second, false, []snapshot{{2 * time.Second, 2, []victims.Pod{before, came}}, {11 * time.Second, 2, []victims.Pod{before, came}}}, 0},
		{"nothing was, and the new one is Ready for long enough", 10 * time.Second, false, []snapshot{{2 * time.Second, 2, []victims.Pod{before, came}}, {12 * time.Second, 2, []victims.Pod{before, came}}}, 12 * time.Second},
		{"whoever is Ready counts", 0, false, []snapshot{{2 * time.Second, 2, []victims.Pod{before, came}}}, 2 * time.Second},
		{"the new one is not Ready for a while", 10 * time.Second, false, []snapshot{{2 * time.Second, 2, []victims.Pod{before, came}}, {5 * time.Second, 2, []victims.Pod{before, unready}}, {14 * time.Second, 2, []victims.Pod{before, came}}}, 0},
		{"all was read anew", 20 * time.Second, false, []snapshot{{32 * time.Second, 2, []victims.Pod{before, came}}}, 32 * time.Second},
		{"the next leader knows by what it reads", 10 * time.Second, true, []snapshot{{2 * time.Second, 2, []victims.Pod{before, came}}}, 2 * time.Second},
	} {
		t.Run(test.why, func(t *testing.T) {
			o := Outcome{Pods: []Death{{Pod: victims.Pod{UID: "dead"}, At: noon}}, ExecutedAt: noon}
			if !test.adopted {
				o.seen = Snapshot{Pods: []victims.Pod{before, {UID: "dead"}}, At: noon}
			}
			h := healingOf(o)
			for _, s := range test.snapshots {
				if h.see(Snapshot{WorkloadState: WorkloadState{Replicas: 2, Available: s.available, MinReady: test.minReady}, Pods: s.pods, At: noon.Add(s.after)}) {
					break
				}
			}
			if got := h.Recovery.Whole; h.whole() != (test.whole > 0) || h.whole() && got.Sub(noon) != test.whole {
				t.Errorf("it was whole at %s, and lacks %q; want it after %s", got, h.lacks, test.whole)
			}
		})
	}
}

// BenchmarkHealingOfThousands is a Deployment of 3,000 pods of which 150 are killed, and all that watches tell until it is whole.
func BenchmarkHealingOfThousands(b *testing.B) {
	const replicas, killed = 3000, 150
	pods := make([]victims.Pod, replicas+killed)
	for i := range pods {
		pods[i] = victims.Pod{UID: fmt.Sprintf("%08x-0000-4000-8000-%012d", i, i), Running: true, Ready: i < replicas}
	}
	now := time.Now()
	before := Snapshot{WorkloadState: WorkloadState{Replicas: replicas, Available: replicas}, Pods: pods[:replicas], At: now}
	o := Outcome{ExecutedAt: now, seen: before}
	for i := range killed {
		o.Pods = append(o.Pods, Death{Pod: pods[i], At: now})
	}
	for b.Loop() {
		h := (&Runner{RecoveryDeadline: time.Minute}).newHealing(o)
		s := before
		s.Pods, s.Available = slices.Clone(pods), replicas-killed
		for range killed {
			s.Pods[0].Terminating = true
			h.see(s)
			s.Pods = s.Pods[1:]
			h.see(s)
		}
		for i := range killed {
			s.Pods[replicas-killed+i].Ready = true
			h.see(s)
		}
		if s.Available = replicas; !h.see(s) {
			b.Fatal("it is not whole: " + h.lacks)
		}
	}
}

func TestATimeToHealIsTheOwnersOrKnowsHowLongPodsTake(t *testing.T) {
	r := NewRunner(Seed{})
	r.RecoveryDeadline = 150 * time.Second
	for _, test := range []struct {
		why             string
		terms           victims.Terms
		stops, minReady time.Duration
		want            time.Duration
	}{
		{"pods as most", victims.Terms{}, 30 * time.Second, 0, 150 * time.Second},
		{"pods that stop sooner", victims.Terms{}, time.Second, 0, 150 * time.Second},
		{"pods that drain", victims.Terms{}, 5 * time.Minute, 0, 7 * time.Minute},
		{"pods that are Ready for long first", victims.Terms{}, 30 * time.Second, time.Minute, 210 * time.Second},
		{"both", victims.Terms{}, 5 * time.Minute, time.Minute, 8 * time.Minute},
		{"pods that drain, and are not let", victims.Terms{Grace: victims.GracePeriod(time.Second)}, 5 * time.Minute, 0, 150 * time.Second},
		{"pods that are let drain", victims.Terms{Grace: victims.GracePeriod(5 * time.Minute)}, time.Second, 0, 7 * time.Minute},
		{"pods that nobody stops", victims.Terms{}, 24 * time.Hour, 0, 24 * time.Hour},
		{"the owner's word", victims.Terms{Deadline: victims.Deadline(time.Minute)}, 5 * time.Minute, time.Minute, time.Minute},
	} {
		if got := r.TimeToHeal(WorkloadState{Subject: Subject{Terms: test.terms}, Stops: test.stops, MinReady: test.minReady}); got != test.want {
			t.Errorf("%s: %s, want %s", test.why, got, test.want)
		}
	}
}

func TestAWorkloadWhosePodsDrainForLongHasTheTime(t *testing.T) {
	for _, test := range []struct {
		why   string
		lasts time.Duration // how long the dead pod is there
		want  time.Duration // from the kill to the verdict
	}{
		{"it takes all the time it may", time.Hour, 2*time.Minute + 270*time.Second},
		{"it stops at once", 0, 2 * time.Minute},
		{"it stops in a minute", time.Minute, 3 * time.Minute},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, time.Hour)
				cluster.sick, cluster.stops, cluster.lasts = true, 5*time.Minute, test.lasts
				r.Set(s)
				at := r.agenda.items[0].at
				during(r, time.Until(at)+10*time.Minute)
				if len(told.outcomes) == 0 {
					t.Fatal("no kill ended")
				}
				o := told.outcomes[0]
				took := o.EndedAt.Sub(o.ExecutedAt) - test.want
				if most := r.RecoveryDeadline + 270*time.Second; o.Deadline != most || took < 0 || took > 2*time.Second || o.Verdict != NotRecovered { // it is looked at each second
					t.Errorf("by its record it had %s, and it was %s %s later than wanted, want %s and NotRecovered", o.Deadline, o.Verdict, took, most)
				}
			})
		})
	}
}

func TestATimeToHealBeginsAnewWithEachChange(t *testing.T) {
	for _, test := range []struct {
		why     string
		changes []time.Duration // after the kill
		heals   time.Duration   // after it; 0: never
		verdict Verdict
		took    time.Duration // from the kill to the verdict, to the second
		note    bool
	}{
		{"it heals in time", nil, 90 * time.Second, Recovered, 90 * time.Second, false},
		{"it does not", nil, 130 * time.Second, NotRecovered, 2 * time.Minute, false},
		{"after a change it has more time", []time.Duration{time.Minute}, 170 * time.Second, Recovered, 170 * time.Second, true},
		{"and no more than that", []time.Duration{time.Minute}, 190 * time.Second, NotRecovered, 3 * time.Minute, true},
		{"a change in the last second", []time.Duration{119 * time.Second}, 230 * time.Second, Recovered, 230 * time.Second, true},
		{"changes that go on", []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute, 4 * time.Minute, 5 * time.Minute, 6 * time.Minute, 7 * time.Minute}, 0, NotRecovered, 8 * time.Minute, true},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, time.Hour)
				cluster.sick = true
				r.Set(s)
				at := r.agenda.items[0].at
				var changing sync.WaitGroup
				later := func(after time.Duration, change func()) {
					changing.Go(func() {
						time.Sleep(time.Until(at.Add(after)))
						cluster.mu.Lock()
						change()
						cluster.mu.Unlock()
					})
				}
				for _, after := range test.changes {
					later(after-100*time.Millisecond, func() { cluster.renewed++ })
				}
				if test.heals > 0 {
					later(test.heals-100*time.Millisecond, func() { cluster.sick = false })
				}
				during(r, time.Until(at)+9*time.Minute)
				changing.Wait()
				if len(told.outcomes) == 0 {
					t.Fatal("no kill ended")
				}
				o := told.outcomes[0]
				if noted := strings.Contains(o.Message, "a rollout or scaling began meanwhile"); o.Verdict != test.verdict || noted != test.note {
					t.Errorf("%s, %q; want %s, and a change noted: %t", o.Verdict, o.Message, test.verdict, test.note)
				}
				if took := o.EndedAt.Sub(at).Round(time.Second); took < test.took || took > test.took+time.Second {
					t.Errorf("it took %s to judge, want %s", took, test.took)
				}
			})
		})
	}
}

func TestTheVerdictComesEvenIfNothingIsSeen(t *testing.T) {
	const unsure = "nobody could look for a while, and then it was whole: it may have been so before"
	for _, test := range []struct {
		why     string
		change  func(*toy)
		back    bool // the API server is, ten minutes later
		verdict Verdict
		says    string
	}{
		{"a watch that hangs, and it has healed", func(c *toy) { c.mum = true }, false, Recovered, unsure},
		{"a watch that hangs, and it has not", func(c *toy) { c.mum, c.sick = true, true }, false, NotRecovered, "it was not whole within 1m0s: 2 of 3 replicas are available"},
		{"no answer until long after its time", func(c *toy) { c.down = true }, true, Recovered, unsure},
		{"no answer from soon after the kill until long after its time", func(c *toy) { c.goes(2500*time.Millisecond, 10*time.Minute+time.Second) }, true, Recovered, unsure},
		{"no answer for most of its time", func(c *toy) { c.goes(2500*time.Millisecond, 50*time.Second) }, false, Recovered, unsure},
		{"no answer when its time is up", func(c *toy) { c.goes(50500*time.Millisecond, 70*time.Second) }, false, Recovered, unsure},
		{"no answer for a moment", func(c *toy) { c.goes(2500*time.Millisecond, 20*time.Second) }, false, Recovered, ""},
		{"no answer until long after its time, and it has not healed", func(c *toy) { c.down, c.sick = true, true }, true, NotRecovered, "it was not whole within 1m0s: 2 of 3 replicas are available"},
		{"it may not look", func(c *toy) { c.refuses = true }, false, NotRecovered, "whether it is whole cannot be known: 403: may not get deployments"},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, 24*time.Hour)
				o := Outcome{Record: Record{Workload: s.Workload, Planned: wallNow(), Deadline: time.Minute}, Claimed: true, ExecutedAt: wallNow()}
				cluster.watches++
				o.seen = Snapshot{WorkloadState: WorkloadState{Watch: &toyWatch{toy: cluster}}, At: wallNow()}
				test.change(cluster)
				o.seen.Watch, cluster.watches = &toyWatch{toy: cluster}, 1
				running, stop := context.WithCancel(t.Context())
				var all sync.WaitGroup
				all.Go(func() { r.WriteStatuses(running) })
				all.Go(func() { r.verify(running, o) })
				time.Sleep(10 * time.Minute)
				if test.back {
					told.mu.Lock()
					if len(told.outcomes) > 0 || told.troubles == 0 {
						t.Errorf("told of %+v and %d troubles, want a trouble: nobody can know what it is", told.outcomes, told.troubles)
					}
					told.mu.Unlock()
					cluster.mu.Lock()
					cluster.down = false
					cluster.mu.Unlock()
					time.Sleep(mostLookTimeout + time.Second)
				}
				stop()
				all.Wait()
				if len(told.outcomes) != 1 || told.outcomes[0].Verdict != test.verdict || told.outcomes[0].Message != test.says {
					t.Errorf("told of %+v, want one kill, %s that says %q", told.outcomes, test.verdict, test.says)
				}
			})
		})
	}
}

// The API server says in whole seconds when a pod was created.
func TestAPodThatCameInTheSecondOfAKillCameAfterIt(t *testing.T) {
	noon := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	h := healingOf(Outcome{Pods: []Death{{Pod: victims.Pod{UID: "web-1"}, At: noon.Add(700 * time.Millisecond)}}}) // another leader's
	for after, came := range map[time.Duration]bool{-time.Second: false, 0: true, time.Second: true} {
		if got := h.came(victims.Pod{UID: "web-2", Created: noon.Add(after)}); got != came {
			t.Errorf("created %s after the second of the kill it came after it: %v, want %v", after, got, came)
		}
	}
}

func TestATimeToHealThatBeginsAnewAtTheLastLookIsGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 24*time.Hour)
		o := Outcome{Record: Record{Workload: s.Workload, Planned: wallNow(), Deadline: time.Minute, Generation: 1}, Claimed: true, ExecutedAt: wallNow()}
		o.seen = Snapshot{At: wallNow()}
		cluster.down, cluster.sick = true, true
		running, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { r.WriteStatuses(running) })
		all.Go(func() { r.verify(running, o) })
		time.Sleep(time.Minute + time.Second)
		cluster.mu.Lock()
		cluster.down, cluster.renewed = false, 1 // its owner has changed it in an outage of the API server
		cluster.mu.Unlock()
		time.Sleep(30 * time.Second)
		cluster.mu.Lock()
		cluster.sick = false
		cluster.mu.Unlock()
		time.Sleep(time.Minute)
		stop()
		all.Wait()
		if len(told.outcomes) != 1 || told.outcomes[0].Verdict != Recovered {
			t.Errorf("told of %+v, want one kill from which it recovered in the time that its owner's change gave it", told.outcomes)
		}
	})
}

// Its time may be up long since, and however often its owner has changed it.
func TestANewLeaderLooksForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _, s := world(t, time.Hour)
		h := r.newHealing(Outcome{Record: Record{Workload: s.Workload, Deadline: time.Minute, Generation: 3}, ExecutedAt: wallNow().Add(-time.Hour)})
		for generation := int64(4); generation < 9; generation++ {
			h.see(Snapshot{WorkloadState: WorkloadState{Subject: s, Replicas: 3, Available: 2, Generation: generation}, At: time.Now()})
			if left := h.left(); left != leastLook {
				t.Fatalf("an hour after its time, and of generation %d by then, it is looked at for %s more, want %s", generation, left, leastLook)
			}
		}
	})
}

// What the record says of its deadline, of the workload's generation and of the first new pod holds, whoever judges.
func TestWhoTakesVerificationOverJudgesTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 24*time.Hour)
		cluster.renewed = 1
		begin := wallNow()
		gone := victims.Pod{UID: "gone"}
		o := Outcome{
			Record:  Record{Workload: s.Workload, Planned: begin, Nonce: "of another", Targets: []victims.Pod{gone}, ActBefore: begin, Deadline: 5 * time.Minute, Generation: 1},
			Claimed: true, Pods: []Death{{Pod: gone, At: begin}}, ExecutedAt: begin, Recovery: Recovery{FirstReady: begin.Add(time.Second)},
		}
		cluster.sick = true
		r.Records = &archive{records: map[string]Outcome{name(o.Record): o}}
		time.Sleep(time.Minute)
		during(r, 6*time.Minute)
		if len(told.outcomes) != 1 {
			t.Fatalf("told of %+v, want one kill", told.outcomes)
		}
		got := told.outcomes[0]
		if took := got.EndedAt.Sub(begin).Round(time.Second); got.Verdict != NotRecovered || took != 6*time.Minute || !strings.Contains(got.Message, "meanwhile") {
			t.Errorf("%s after %s, %q; want NotRecovered five minutes after the change was seen, and the change noted", got.Verdict, took, got.Message)
		}
		if !got.Recovery.FirstReady.Equal(begin.Add(time.Second)) {
			t.Errorf("the first new pod was Ready at %s, the record says %s", got.Recovery.FirstReady, begin.Add(time.Second))
		}
	})
}

func TestAWorkloadThatDidNotRecoverIsSparedUntilThatIsAcknowledged(t *testing.T) {
	for _, test := range []struct {
		why     string
		change  func(*Runner, *toy, *archive, Outcome) time.Duration // and how long to go on
		strikes bool
	}{
		{"nobody does", func(*Runner, *toy, *archive, Outcome) time.Duration { return 12 * time.Hour }, false},
		{"somebody does", func(_ *Runner, c *toy, a *archive, o Outcome) time.Duration {
			a.acknowledge(o.Record)
			return 3 * time.Hour
		}, true},
		{"nobody does for a day", func(*Runner, *toy, *archive, Outcome) time.Duration { return 26 * time.Hour }, true},
		{"nobody does for a day, and it is not whole", func(_ *Runner, c *toy, _ *archive, _ Outcome) time.Duration {
			c.fewer = 1
			return 26 * time.Hour
		}, false},
	} {
		for _, restart := range []string{"", ", and the leader changes"} {
			t.Run(test.why+restart, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r, cluster, told, s := world(t, 2*time.Minute)
					r.AcknowledgeAfter = 24 * time.Hour
					cluster.sick = true
					r.Set(s)
					during(r, time.Until(r.agenda.items[0].at)+r.RecoveryDeadline+time.Second)
					i := slices.IndexFunc(told.outcomes, func(o Outcome) bool { return o.Verdict == NotRecovered })
					if i < 0 {
						t.Fatalf("%d kills ended, and it recovered from them all", len(told.outcomes))
					}
					cluster.sick = false
					fallen, records := told.outcomes[i], r.Records.(*archive)
					if restart != "" {
						next := NewRunner(Seed{1})
						next.Arm()
						next.Cluster, next.Report, next.Records, next.Lease, next.Halts = r.Cluster, r.Report, r.Records, r.Lease, r.Halts
						next.LateGrace, next.RecoveryDeadline, next.AcknowledgeAfter = r.LateGrace, r.RecoveryDeadline, r.AcknowledgeAfter
						r = next
						r.Set(s)
					}
					during(r, test.change(r, cluster, records, fallen))
					if struck := len(cluster.removed) > 1; struck != test.strikes {
						t.Errorf("%v were removed; want more than one: %t", cluster.removed, test.strikes)
					}
					for _, o := range told.outcomes[i+1:] {
						if o.Verdict == Vetoed && o.EndedAt.Before(fallen.EndedAt.Add(24*time.Hour)) && (o.Reason != Unacknowledged || o.Message != "acknowledge "+name(fallen.Record)) {
							t.Errorf("it was spared for %s, %q", o.Reason, o.Message)
						}
					}
				})
			})
		}
	}
}

// Its verdict may come long after the kill: nobody led, or it had hours to heal.
func TestThereIsTimeToAcknowledgeFromTheVerdictOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 2*time.Minute)
		r.AcknowledgeAfter = 24 * time.Hour
		dead, at := victims.Pod{Name: "dead", UID: "dead"}, wallNow()
		o := Outcome{
			Record:  Record{Workload: s.Workload, Planned: at, Nonce: "n", Targets: []victims.Pod{dead}, ActBefore: at.Add(time.Minute), Deadline: 2 * time.Minute},
			Claimed: true, ExecutedAt: at, Pods: []Death{{Pod: dead, At: at}},
		}
		r.Records = &archive{records: map[string]Outcome{name(o.Record): o}}
		time.Sleep(30 * time.Hour)
		cluster.sick = true
		r.Set(s)
		stop := leads(r, Term{From: wallNow(), Alive: wallNow()})
		time.Sleep(time.Minute)
		cluster.mu.Lock()
		cluster.sick = false
		cluster.mu.Unlock()
		time.Sleep(23 * time.Hour)
		stop()
		spared := 0
		for _, o := range told.outcomes {
			if o.Reason == Unacknowledged {
				spared++
			}
		}
		if len(cluster.removed) > 0 || spared < 100 {
			t.Errorf("within a day of the verdict, which nobody acknowledged, %d pods died and %d kills were spared", len(cluster.removed), spared)
		}
	})
}

// The leader before may have ended while it said so.
func TestANewLeaderGoesByWhatARecordSaysByThen(t *testing.T) {
	for _, test := range []struct {
		why  string
		says func(*Outcome)
		want string
	}{
		{"it was cut short after the first pod", func(o *Outcome) {
			o.ExecutedAt, o.Reason, o.Message, o.Pods = o.Planned.Add(300*time.Millisecond), Partial, errCutShort.Error(), []Death{{Pod: o.Targets[0], At: o.Planned.Add(300 * time.Millisecond)}}
		}, "[Recovered Partial a]"},
		{"it was abandoned", func(o *Outcome) { o.Ended, o.Verdict = true, Abandoned }, "[]"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, cluster, told, s := world(t, 10*time.Hour)
			at := wallNow()
			o := Outcome{Claimed: true, Record: Record{
				Workload: s.Workload, Planned: at, Nonce: "n", Targets: []victims.Pod{{Name: "a", UID: "a"}, {Name: "pod-1", UID: "pod-1"}}, ActBefore: at.Add(time.Minute), Deadline: 2 * time.Minute,
			}}
			records := &archive{records: map[string]Outcome{name(o.Record): o}}
			r.Records = records
			r.Set(s)
			stop := leads(r, Term{From: at.Add(time.Second), Alive: at.Add(time.Second)})
			time.Sleep(time.Second)
			said := o
			test.says(&said)
			records.mu.Lock()
			records.records[name(o.Record)] = said
			records.mu.Unlock()
			time.Sleep(30 * time.Second)
			cluster.mu.Lock() // somebody drains the node of the other
			cluster.pods = slices.DeleteFunc(cluster.pods, func(p victims.Pod) bool { return p.UID == "pod-1" })
			cluster.pods = append(cluster.pods, victims.Pod{Name: "new", UID: "new", Running: true, Ready: true})
			cluster.mu.Unlock()
			time.Sleep(5 * time.Minute)
			stop()
			got := []string{}
			for _, o := range told.outcomes {
				got = append(got, string(o.Verdict), string(o.Reason))
				for _, d := range o.Pods {
					got = append(got, d.Pod.Name)
				}
			}
			if fmt.Sprint(got) != test.want || len(r.ledger.open) > 0 {
				t.Errorf("%s: told of %v, %d left open; want %s, and none", test.why, got, len(r.ledger.open), test.want)
			}
		})
	}
}

func TestWhatDidNotRecoverByItsRecordIsSparedByANewLeaderTooUntilThatIsAcknowledged(t *testing.T) {
	r, _, _, s := world(t, time.Hour)
	r.AcknowledgeAfter = 24 * time.Hour
	now := wallNow()
	o := Outcome{Record: Record{Workload: s.Workload, Planned: now}, Claimed: true, Ended: true, Verdict: NotRecovered, ExecutedAt: now, EndedAt: now}
	r.ledger = newLedger(r.Limits, r.Calendar, []Outcome{o})
	r.hear(t.Context(), o)
	var veto *Veto
	if err := r.acknowledged(t.Context(), s.Workload); !errors.As(err, &veto) || veto.Reason != Unacknowledged {
		t.Errorf("%v, want it spared until somebody acknowledges it", err)
	}
	r.Records.(*archive).acknowledge(o.Record)
	if err := r.acknowledged(t.Context(), s.Workload); err != nil || len(r.ledger.open) > 0 {
		t.Errorf("once it is acknowledged: %v, %d open; want neither", err, len(r.ledger.open))
	}
}

func TestANewLeaderKnowsWhatNobodyHasLookedAfterForDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 2*time.Minute)
		r.AcknowledgeAfter = 30 * 24 * time.Hour
		long := wallNow()
		fallen := Outcome{Record: Record{Workload: s.Workload, Planned: long, Nonce: "of another"}, Claimed: true, Ended: true, Verdict: NotRecovered, ExecutedAt: long, EndedAt: long}
		gone := victims.Pod{Name: "gone", UID: "gone"}
		left := Outcome{Record: Record{Workload: victims.Workload{UID: "other"}, Planned: long, Nonce: "of another", Targets: []victims.Pod{gone}, ActBefore: long}, Claimed: true}
		r.Records = &archive{records: map[string]Outcome{name(fallen.Record): fallen, name(left.Record): left}}
		time.Sleep(7 * 24 * time.Hour)
		r.Set(s)
		during(r, 9*time.Minute)
		if len(cluster.removed) > 0 || len(told.outcomes) < 3 {
			t.Errorf("%v were removed, and %d kills ended; want the workload spared", cluster.removed, len(told.outcomes))
		}
		if !slices.ContainsFunc(told.outcomes, func(o Outcome) bool { return o.Workload.UID == "other" && o.Verdict == Recovered }) {
			t.Error("a kill that was left open a week ago was not brought to its end")
		}
	})
}

// forgetful answers once what the kills of the last days are, which may be many.
type forgetful struct {
	*archive
	asked int
}

func (f *forgetful) Known(ctx context.Context) ([]Outcome, error) {
	if f.asked++; f.asked > 1 {
		return nil, context.DeadlineExceeded
	}
	return f.archive.Known(ctx)
}

func TestWhatWasLeftOpenIsEndedByTheRecordsOfItsWorkloadAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, _ := world(t, time.Hour)
		planned := wallNow().Add(-10 * time.Second)
		records := &forgetful{archive: &archive{records: map[string]Outcome{}}}
		const left = 20
		for i := range left {
			for age := range 2 { // whichever is looked at first, the later one counts
				of := Record{Workload: victims.Workload{UID: fmt.Sprint("other-", i)}, Planned: planned.Add(time.Duration(-age) * time.Second), Nonce: "of another"}
				of.Targets, of.ActBefore = []victims.Pod{{UID: fmt.Sprintf("gone-%d-%d", i, age)}}, of.Planned
				records.records[name(of)] = Outcome{Record: of, Claimed: true}
			}
		}
		r.Records = records
		during(r, time.Minute)
		if records.asked != 1 || len(told.outcomes) != 2*left {
			t.Errorf("%d kills came to an end, and all kills were asked for %d times; want %d, and once", len(told.outcomes), records.asked, 2*left)
		}
		for _, o := range told.outcomes {
			if !o.Inferred {
				t.Errorf("of the kill of %s it is not said that its instant is not known", o.Workload.UID)
			}
		}
		for i := range left {
			if at := r.agenda.lastKills[fmt.Sprint("other-", i)].at; !at.Equal(planned) {
				t.Fatalf("workload %d was struck at %s by what is known, want %s: another kill of it may come too soon", i, at, planned)
			}
		}
	})
}

func TestAKillCountsAsNotRecoveredUntilItsRecordSaysOtherwise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, told, s := world(t, 24*time.Hour)
		records := &archive{down: true}
		o := Outcome{Record: Record{Workload: s.Workload, Planned: wallNow()}, Claimed: true, ExecutedAt: wallNow()}
		r.Records, r.ledger = records, newLedger(Limits{}, s.Terms.Calendar, []Outcome{o})
		running, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { r.WriteStatuses(running) })
		r.verify(running, o)
		var veto *Veto
		if err := r.ledger.reserve(s.Workload, wallNow(), wallNow()); !errors.As(err, &veto) || veto.Reason != Unrecovered {
			t.Errorf("before it is written: %v, want it to be Unrecovered", err)
		}
		records.mu.Lock()
		records.down = false
		records.mu.Unlock()
		time.Sleep(time.Minute)
		stop()
		all.Wait()
		if err := r.ledger.reserve(s.Workload, wallNow(), wallNow()); err != nil || len(told.outcomes) != 1 {
			t.Errorf("once it is written: %v, and %d kills ended", err, len(told.outcomes))
		}
	})
}

// deleted is a cluster in which a workload goes once a pod of it has died.
type deleted struct{ *toy }

func (deleted) Follow(context.Context, Snapshot, func(Snapshot) bool) error { return ErrGone }

func TestAWorkloadThatIsDeletedIsNotBlamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10*time.Minute)
		r.Cluster, r.Limits, r.AcknowledgeAfter = deleted{cluster}, Limits{Unrecovered: 1}, time.Hour
		r.Set(s)
		during(r, time.Hour)
		if len(told.outcomes) < 2 {
			t.Fatalf("%d kills ended within an hour, want several: one that is gone holds up no other", len(told.outcomes))
		}
		for _, o := range told.outcomes {
			if o.Verdict != NotRecovered || o.Reason != Gone {
				t.Errorf("%s, reason %q, %q; want it NotRecovered, for it is Gone", o.Verdict, o.Reason, o.Message)
			}
		}
	})
}

// unanswered are records of which nobody says whether they are acknowledged.
type unanswered struct{ *archive }

func (unanswered) Acknowledged(context.Context, Record) error { return errors.New("no answer") }

func TestWhatMayNotBeAcknowledgedIsNotTakenForIt(t *testing.T) {
	r, _, _, s := world(t, time.Hour)
	r.AcknowledgeAfter, r.Records = time.Hour, unanswered{&archive{}}
	r.suffer(Outcome{Record: Record{Workload: s.Workload, Planned: wallNow()}, Ended: true, Verdict: NotRecovered, ExecutedAt: wallNow()})
	for range 2 {
		if err := r.acknowledged(t.Context(), s.Workload); err == nil || !strings.Contains(err.Error(), "no answer") {
			t.Errorf("its record cannot be read, and the gate says %v", err)
		}
	}
}

func TestOfSeveralKillsThatDidNotRecoverTheLastIsWhatSomebodyHasToLookAfter(t *testing.T) {
	r, _, _, s := world(t, 10*time.Minute)
	first := Outcome{Record: Record{Workload: s.Workload, Planned: wallNow().Add(-time.Hour)}, Ended: true, Verdict: NotRecovered}
	last := first
	last.Planned = wallNow()
	for _, kills := range [][]Outcome{{first, last}, {last, first}} { // records come in whatever order
		r.suffered = nil
		r.suffer(kills...)
		if got := r.suffering()[s.UID]; !got.Planned.Equal(last.Planned) {
			t.Errorf("it is that of %s, want that of %s", got.Planned, last.Planned)
		}
	}
	// One that has been looked after takes no other back.
	before := map[string]Outcome{s.UID: first}
	if r.soothe(before, nil); len(r.suffering()) != 1 {
		t.Error("the last was taken back with the first")
	}
}

func TestWhoDidNotRecoverCountsUntilSomebodyHasLookedAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _, s := world(t, 10*time.Minute)
		r.Limits, r.AcknowledgeAfter = Limits{Unrecovered: 1}, 24*time.Hour
		at := wallNow().Add(-time.Minute)
		other := victims.Workload{Namespace: "team", UID: "other"}
		fallen := Outcome{Record: Record{Workload: other, Planned: at, Date: r.Calendar.Date(at)}, Claimed: true, Ended: true, Verdict: NotRecovered, ExecutedAt: at, EndedAt: at}
		records := &archive{records: map[string]Outcome{name(fallen.Record): fallen}}
		r.Records = records
		r.Set(s)
		var before int
		during(r, 43*time.Minute, func() { // not when all records are read
			before = len(records.all())
			for _, o := range records.all() {
				if o.Workload.UID == s.UID && o.Reason != OverBudget {
					t.Errorf("%s, reason %q; want each spared while another has not recovered", o.Verdict, o.Reason)
				}
			}
			records.acknowledge(fallen.Record)
			acknowledged := wallNow().Add(relieveAgain)
			time.Sleep(40 * time.Minute)
			for _, o := range records.all() {
				if o.Planned.After(acknowledged) && o.Reason == OverBudget {
					t.Errorf("planned for %s, and spared for another that was acknowledged by %s", o.Planned, acknowledged)
				}
			}
		})
		killed := slices.ContainsFunc(records.all(), func(o Outcome) bool { return o.Workload.UID == s.UID && o.Verdict == Recovered })
		if before < 2 || !killed {
			t.Errorf("%d records before it was acknowledged, killed afterwards: %v; want some, and that", before, killed)
		}
	})
}

// slowArchive takes its time to say whether somebody has acknowledged a kill.
type slowArchive struct {
	*archive
	takes time.Duration
	asked atomic.Int32
}

func (a *slowArchive) Acknowledged(ctx context.Context, r Record) error {
	a.asked.Add(1)
	if err := Pause(ctx, a.takes); err != nil {
		return err
	}
	return a.archive.Acknowledged(ctx, r)
}

func TestWhetherSomebodyHasLookedAfterKillsIsAskedByOneForAll(t *testing.T) {
	for _, test := range []struct {
		why          string
		takes        time.Duration
		acknowledged bool
		over         bool  // the time in which somebody may acknowledge it
		asks         int32 // of the first ten kills that it forbids, and of ten more a second after these
		more         int32
		waits        int // that nobody has looked after
	}{
		{"somebody has", time.Second / 2, true, false, 2, 0, 0},
		{"nobody has", time.Second / 2, false, false, 2, 0, 2},
		{"there is no answer", time.Minute, true, false, 2, 2, 2},
		{"their time is over", time.Minute, false, true, 0, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, _, _, _ := world(t, time.Hour)
			records := &slowArchive{archive: &archive{}, takes: test.takes}
			r.Records, r.Limits, r.AcknowledgeAfter = records, Limits{Unrecovered: 1}, time.Hour
			for _, uid := range []string{"one", "other"} {
				o := Outcome{Record: Record{Workload: victims.Workload{UID: uid}, Planned: wallNow()}, Ended: true, Verdict: NotRecovered, EndedAt: wallNow()}
				if test.over {
					o.EndedAt = o.EndedAt.Add(-r.AcknowledgeAfter)
				}
				r.suffer(o)
				if test.acknowledged {
					records.acknowledge(o.Record)
				}
			}
			for round, want := range []int32{test.asks, test.more} {
				begin := time.Now()
				before := records.asked.Load()
				var all sync.WaitGroup
				for range 10 {
					all.Go(func() {
						r.relieve(t.Context())
						if n := len(r.suffering()); n != test.waits {
							t.Errorf("%s: one of ten goes by %d kills that nobody has looked after, want %d", test.why, n, test.waits)
						}
					})
				}
				all.Wait()
				if n := records.asked.Load() - before; n != want || time.Since(begin) > requestTimeout {
					t.Errorf("%s, round %d: of the two kills it was asked %d times within %s; want %d, and within %s", test.why, round, n, time.Since(begin), want, requestTimeout)
				}
				time.Sleep(time.Second)
			}
		})
	}
}

func TestWhatMayGoOnForEverIsNoReasonNotToBeWhole(t *testing.T) {
	for _, test := range []struct {
		why  string
		last Snapshot
		want string
	}{
		{"nothing", Snapshot{WorkloadState: WorkloadState{Replicas: 3, Available: 3, Generation: 1}}, "Recovered"},
		{"a rollout that goes on", Snapshot{WorkloadState: WorkloadState{Replicas: 3, Available: 3, Generation: 1, Rollout: "1 of 3"}}, "NotRecovered it was not whole within 2m0s: a rollout has to finish: 1 of 3"},
		{"a rollout that waits for somebody", Snapshot{WorkloadState: WorkloadState{Replicas: 3, Available: 3, Generation: 1, Rollout: "1 of 3", Waits: true}}, "Recovered"},
		{"a node that joined", Snapshot{WorkloadState: WorkloadState{Replicas: 4, Available: 3, Generation: 1}}, "NotRecovered it was not whole within 2m30s: 3 of 4 replicas are available; a rollout or scaling began meanwhile"},
		{"it is scaled to none", Snapshot{WorkloadState: WorkloadState{Generation: 2}}, "Recovered a rollout or scaling began meanwhile; it wants no replicas any more, so that none had to come"},
	} {
		for range test.last.Replicas {
			test.last.Pods = append(test.last.Pods, victims.Pod{Running: true, Ready: true})
		}
		at := time.Now()
		test.last.At = at.Add(30 * time.Second)
		r := NewRunner(Seed{1})
		r.RecoveryDeadline = 2 * time.Minute
		o := Outcome{Record: Record{Generation: 1}, ExecutedAt: at}
		o.seen = Snapshot{WorkloadState: WorkloadState{Replicas: 3, Generation: 1}, At: at}
		h := r.newHealing(o)
		h.see(test.last)
		o = h.verdict(nil)
		if got := string(o.Verdict) + " " + o.Message; strings.TrimSpace(got) != test.want {
			t.Errorf("%s: %s, want %s", test.why, got, test.want)
		}
	}
}

// As if the wall clock had been set while the workload healed, which no test can do.
func TestAClockThatIsSetIsNoPartOfARecovery(t *testing.T) {
	for _, set := range []time.Duration{time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			r, cluster, _, s := world(t, time.Hour)
			cluster.sick = true
			time.AfterFunc(10*time.Second, func() {
				cluster.mu.Lock()
				cluster.sick = false
				cluster.mu.Unlock()
			})
			acted := time.Now()
			o := Outcome{Record: Record{Workload: s.Workload}, ExecutedAt: acted.Add(-set).Round(0), acted: acted, seen: Snapshot{WorkloadState: WorkloadState{Subject: s, Replicas: 3}, At: acted}}
			o.Pods = []Death{{Pod: victims.Pod{UID: "gone"}, At: o.ExecutedAt}}
			h := r.newHealing(o)
			err := r.follow(t.Context(), h)
			if took := h.Recovery.Whole.Sub(h.FirstDeath()); err != nil || !h.whole() || took < 10*time.Second || took > 12*time.Second {
				t.Errorf("the clock is set by %s: %v, whole after %s, want 10s and a look", set, err, took)
			}
		})
	}
}

func TestWhatHealedWhileNobodyLookedSaysSo(t *testing.T) {
	for heals, says := range map[time.Duration]string{0: "nobody could look for a while, and then it was whole: it may have been so before", 5 * time.Second: ""} {
		synctest.Test(t, func(t *testing.T) {
			r, cluster, told, s := world(t, 24*time.Hour)
			open := Outcome{Record: Record{Workload: s.Workload, Planned: wallNow(), Targets: []victims.Pod{{UID: "gone"}}}, Claimed: true, ExecutedAt: wallNow()}
			open.Pods = []Death{{Pod: open.Targets[0], At: open.Planned}}
			r.Records = &archive{records: map[string]Outcome{name(open.Record): open}}
			cluster.sick = heals > 0
			time.AfterFunc(heals, func() {
				cluster.mu.Lock()
				cluster.sick = false
				cluster.mu.Unlock()
			})
			during(r, time.Minute)
			if len(told.outcomes) != 1 || told.outcomes[0].Verdict != Recovered || told.outcomes[0].Message != says || told.outcomes[0].Recovery.Unwatched != (says != "") {
				t.Errorf("it heals after %s: told of %+v, want one that recovered: %q", heals, told.outcomes, says)
			}
		})
	}
}

func TestWhatNobodySawIsNotSaidToHaveBeenWhole(t *testing.T) {
	r, _, _, s := world(t, time.Hour)
	h := r.newHealing(Outcome{Record: Record{Workload: s.Workload}, ExecutedAt: wallNow()}) // another leader's
	for _, err := range []error{ErrGone, &Refusal{errors.New("403: may not get deployments")}, nil} {
		if o := h.verdict(err); o.Verdict != NotRecovered || strings.Contains(o.Message, "it was whole") {
			t.Errorf("%v: %s, %q; want it NotRecovered, and nobody to have seen it whole", err, o.Verdict, o.Message)
		}
	}
}

func TestARecordThatWasRestoredFromABackupTellsNothing(t *testing.T) {
	for _, late := range []bool{false, true} { // restored while there is a leader
		synctest.Test(t, func(t *testing.T) {
			r, cluster, told, s := world(t, 24*time.Hour)
			r.Limits.Unrecovered = 1
			records := map[string]Outcome{}
			for i := range 30 {
				of := Record{Workload: s.Workload, Planned: wallNow().AddDate(0, 0, -i), Targets: []victims.Pod{{UID: fmt.Sprint("gone-", i)}}}
				of.ActBefore = of.Planned.Add(time.Minute)
				records[name(of)] = Outcome{Record: of, Claimed: true, Restored: true}
			}
			kept := &archive{}
			r.Records = kept
			restore := func() {
				kept.mu.Lock()
				defer kept.mu.Unlock()
				kept.records = records
			}
			if late {
				time.AfterFunc(time.Minute, restore)
			} else {
				restore()
			}
			during(r, 15*time.Minute, func() {
				r.mu.Lock()
				defer r.mu.Unlock()
				if len(r.ledger.open) > 0 || len(r.adopted) > 0 {
					t.Errorf("%d kills count as not recovered, and %d are being carried on", len(r.ledger.open), len(r.adopted))
				}
			})
			if told.killed > 0 || len(told.outcomes) > 0 || len(cluster.removed) > 0 {
				t.Errorf("told of %d deaths and %+v", told.killed, told.outcomes)
			}
			for _, o := range kept.all() {
				if o.Verdict != Abandoned || !strings.Contains(o.Message, "as from a backup") {
					t.Errorf("%s: %q, %q; want it abandoned, as from a backup", o.Planned, o.Verdict, o.Message)
				}
			}
		})
	}
}

// halfway is an archive whose records take no status until a time.
type halfway struct {
	archive
	until time.Time
}

func (h *halfway) WriteStatus(ctx context.Context, o Outcome) error {
	if !time.Now().Before(h.until) {
		return h.archive.WriteStatus(ctx, o)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.records[name(o.Record)]; !ok {
		h.records[name(o.Record)] = Outcome{Record: o.Record, Claimed: true, Restored: time.Now().After(o.ActBefore.Add(time.Hour))}
	}
	return ErrDeclined
}

func TestAnOutcomeThatIsYetToBeWrittenIsNotTakenForAKillThatWasLeftOpen(t *testing.T) {
	for _, test := range []struct {
		why   string
		late  time.Duration   // when it leads at first, after the instant of the kill
		leads []time.Duration // how long it does, each time
		mute  time.Duration   // how long no status is written, after the instant of the kill
		want  Verdict
	}{
		{"it was halted, and leads on", -time.Minute, []time.Duration{2 * time.Hour}, time.Hour, Vetoed},
		{"it was halted, and leads again", -time.Minute, []time.Duration{3 * time.Minute, time.Hour}, 10 * time.Minute, Vetoed},
		{"it was missed in an outage, and leads again", 2 * time.Hour, []time.Duration{10 * time.Second, time.Minute}, 2*time.Hour + 30*time.Second, Missed},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, cluster, told, s := world(t, 24*time.Hour)
				r.Set(s)
				at := r.agenda.items[0].at
				records := &halfway{archive{records: map[string]Outcome{}}, at.Add(test.mute)}
				r.Records, r.Halts = records, &orders{haltAt: 4}           // claimed, and halted before its first pod
				time.AfterFunc(time.Until(at.Add(2*time.Minute)), func() { // a rollout
					cluster.mu.Lock()
					defer cluster.mu.Unlock()
					for i := range cluster.pods {
						cluster.pods[i].UID += "-anew"
					}
				})
				running, stop := context.WithCancel(t.Context())
				var settling sync.WaitGroup
				settling.Go(func() { r.WriteStatuses(running) })
				from := at.Add(-2 * time.Minute)
				time.Sleep(time.Until(at.Add(test.late)))
				for _, long := range test.leads {
					leading, lose := context.WithTimeout(running, long)
					r.Lead(leading, Term{From: from, Alive: time.Now()})
					lose()
				}
				stop()
				settling.Wait()
				if all := records.all(); len(all) != 1 || all[0].Verdict != test.want || len(all[0].Pods) > 0 {
					t.Errorf("%+v, want that it is %s", all, test.want)
				}
				if len(told.outcomes) != 1 || told.outcomes[0].Verdict != test.want || told.killed > 0 {
					t.Errorf("told of %d deaths and %+v, want %s", told.killed, told.outcomes, test.want)
				}
			})
		})
	}
}

func TestTheNextLeaderWaitsForARemovalThatMayBePassedOn(t *testing.T) {
	for _, test := range []struct {
		after time.Duration // when the pod goes, after the last instant at which its removal may have been asked for
		want  Verdict
	}{{requestTimeout + 8*time.Second, Recovered}, {time.Hour, Abandoned}} {
		synctest.Test(t, func(t *testing.T) {
			r, cluster, told, s := world(t, 24*time.Hour)
			of := Record{Workload: s.Workload, Planned: wallNow(), Nonce: "of another", Targets: []victims.Pod{cluster.pods[0]}, ActBefore: wallNow().Add(time.Second), Deadline: 2 * time.Minute}
			r.Records = &archive{records: map[string]Outcome{name(of): {Record: of, Claimed: true}}}
			time.AfterFunc(time.Until(of.ActBefore.Add(test.after)), func() { _ = cluster.Remove(context.Background(), of.Targets[0], Removal{}) })
			during(r, time.Minute)
			if len(told.outcomes) != 1 || told.outcomes[0].Verdict != test.want {
				t.Errorf("the pod goes %s after the kill could act: told of %+v, want %s", test.after, told.outcomes, test.want)
			}
		})
	}
}

func TestARecordWhoseOutcomeIsOnItsWayIsNotTakenForOneThatWasRestored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _, s := world(t, 24*time.Hour)
		of := Record{Workload: s.Workload, Planned: wallNow().Add(-3 * time.Hour), ActBefore: wallNow().Add(-3 * time.Hour)}
		records := &archive{}
		r.Records = records
		time.AfterFunc(time.Minute, func() { // it was missed in an outage, and its status is yet to be written
			r.mu.Lock()
			r.owed[of.key()] = of.Planned
			r.mu.Unlock()
			records.mu.Lock()
			records.records = map[string]Outcome{name(of): {Record: of, Claimed: true, Restored: true}}
			records.mu.Unlock()
		})
		during(r, 2*sweepAgain-time.Second)
		if all := records.all(); len(all) != 1 || all[0].Ended {
			t.Errorf("%+v, want it as it was", all)
		}
	})
}

func TestALateKillWhoseKillerDiedStruckWhenItWasClaimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, time.Hour)
		s.Terms.Pace.Minimum = &victims.Span{Time: time.Hour}
		cluster.terms, r.LateGrace, r.agenda.armed = s.Terms, 2*time.Hour, false
		k := Plan(Seed{1}, s.Terms.Calendar.Day(s.Terms.Calendar.Date(wallNow())), s)[3]
		time.Sleep(time.Until(k.At.Add(40 * time.Minute))) // an outage ends
		claimed := wallNow()
		o := Outcome{Record: Record{
			Workload: s.Workload, Planned: k.At, Date: k.Date, Nonce: "old", Targets: []victims.Pod{{Name: "gone", UID: "gone"}}, Deadline: 2 * time.Minute,
			ActBefore: actBefore(k.At, claimed, r.LateGrace),
		}, Claimed: true, ClaimedAt: claimed}
		r.Records = &archive{records: map[string]Outcome{name(o.Record): o}}
		time.Sleep(6 * time.Second) // its killer has removed the pod, and dies
		r.Set(s)
		r.Arm()
		stop := leads(r, Term{From: k.At, Alive: claimed})
		time.Sleep(2 * time.Hour)
		stop()
		inferred := false
		for _, next := range told.outcomes {
			switch {
			case next.Inferred:
				inferred = next.ExecutedAt.Equal(claimed)
			case next.executed():
				if apart := next.ExecutedAt.Sub(claimed); apart < time.Hour-patience {
					t.Errorf("a pod dies %s after another of its workload, want an hour", apart)
				}
			}
		}
		if !inferred {
			t.Errorf("%+v, want the kill to have struck at %s", told.outcomes, claimed)
		}
	})
}

// unhurried reads what is open, and takes its time to say so, as where there are very many records.
type unhurried struct {
	*archive
	takes time.Duration
}

func (u unhurried) Open(ctx context.Context) ([]Outcome, error) {
	open, err := u.archive.Open(ctx)
	time.Sleep(u.takes)
	return open, err
}

func TestWhoDidNotRecoverWhileRecordsWereReadIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, time.Hour)
		cluster.sick = true
		r.RecoveryDeadline, r.AcknowledgeAfter = 5*time.Second, 24*time.Hour
		records := unhurried{&archive{}, 20 * time.Second}
		r.Records = records
		stop := leads(r, Term{First: true, From: wallNow(), Alive: wallNow()})
		time.Sleep(records.takes + sweepAgain + 2*time.Second) // it is learned what there is, and ten minutes later the first sweep has begun
		records.ask(Request{Workload: s.Workload, At: wallNow().Truncate(time.Second), By: "me"})
		time.Sleep(records.takes + 4*time.Second)
		stop()
		if len(told.outcomes) != 1 || told.outcomes[0].Verdict != NotRecovered {
			t.Fatalf("%+v, want that it did not recover", told.outcomes)
		}
		if len(r.suffered) != 1 || len(r.ledger.open) != 1 {
			t.Errorf("after the sweep %d workloads are to be spared, and %d kills count as open: want one, that nobody has looked after", len(r.suffered), len(r.ledger.open))
		}
	})
}

func TestWhoAsksForAKillLearnsNothingOfOtherNamespaces(t *testing.T) {
	r, _, _, s := world(t, time.Hour)
	r.AcknowledgeAfter, r.Records = time.Hour, &archive{}
	r.suffer(Outcome{Record: Record{Workload: s.Workload, Planned: wallNow()}, Ended: true, Verdict: NotRecovered, ExecutedAt: wallNow()})
	if err := r.acknowledged(t.Context(), s.Workload); err == nil {
		t.Fatal("of the workload itself nothing is said")
	}
	s.Namespace = "mine"
	if err := r.acknowledged(t.Context(), s.Workload); err != nil {
		t.Errorf("a workload of its UID in another namespace: %v; want nothing said of it", err)
	}
}
