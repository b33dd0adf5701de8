package chaos

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"caprice/victims"
)

// scene is a workload of three pods before its first kill.
type scene struct {
	runner  *Runner
	cluster *toy
	terms   *victims.Terms
	at      time.Time // of the kill
}

// each changes every pod.
func (s scene) each(change func(*victims.Pod)) {
	for i := range s.cluster.pods {
		change(&s.cluster.pods[i])
	}
}

// spares carries out the first kill after a change, and holds it to be spared for the reason, in these words; or, without
// one, to be carried out.
func spares(t *testing.T, change func(scene), reason Reason, words string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r, cluster, told, s := world(t, 10*time.Minute)
		r.RespectPDB = true
		r.Set(s)
		at := r.agenda.items[0].at
		change(scene{r, cluster, &s.Terms, at})
		cluster.terms = s.Terms
		r.Set(s)
		during(r, time.Until(at)+time.Second)
		if len(told.outcomes) != 1 {
			t.Fatalf("%d kills ended, want one", len(told.outcomes))
		}
		verdict := Vetoed
		if reason == "" {
			verdict = Recovered
		}
		if o := told.outcomes[0]; o.Verdict != verdict || o.Reason != reason || !strings.Contains(o.Message, words) {
			t.Errorf("verdict %q, reason %q, message %q; want %q, %q, %q", o.Verdict, o.Reason, o.Message, verdict, reason, words)
		}
		if dead := len(cluster.removed) > 0; dead != (reason == "") {
			t.Errorf("%d pods died", len(cluster.removed))
		}
	})
	synctest.Test(t, func(t *testing.T) { inspected(t, change, reason, words) })
}

// inspected looks at the workload when that kill is due: what spares the kill is what the inspection says, and it changes
// nothing.
func inspected(t *testing.T, change func(scene), reason Reason, words string) {
	r, cluster, _, s := world(t, 10*time.Minute)
	r.RespectPDB = true
	r.Set(s)
	at := r.agenda.items[0].at
	change(scene{r, cluster, &s.Terms, at})
	cluster.terms = s.Terms
	time.Sleep(time.Until(at))
	spared := map[Reason]string{}
	for _, a := range r.Inspect(t.Context(), s.Workload).Answers {
		if a.Err != nil && !errors.Is(a.Err, ErrUnasked) {
			spared[a.Gate] = a.Err.Error()
		}
	}
	if why, ok := spared[reason]; ok != (reason != "") || !strings.Contains(why, words) || reason == "" && len(spared) > 0 {
		t.Errorf("inspected, it is spared by %q; want %q, %q", spared, reason, words)
	}
	if len(cluster.removed) > 0 || len(r.reserved.held) > 0 {
		t.Errorf("an inspection removes %d pods and holds %d budgets", len(cluster.removed), len(r.reserved.held))
	}
}

func TestAGateOfTheWorkloadOrItsPodsSparesAndItsTwinDoesNot(t *testing.T) {
	for _, test := range []struct {
		why    string
		change func(scene)
		reason Reason
		words  string
	}{
		{"no rollout is under way", func(scene) {}, "", ""},
		{"a rollout is under way", func(s scene) { s.cluster.rollout = "1 of 3 replicas are updated" }, Rollout, "has to finish first: 1 of 3 replicas are updated"},
		{"one replica is not available", func(s scene) { s.cluster.fewer = 1 }, Degraded, "2 replicas are available, it wants 3"},
		{"one is available beyond those it wants", func(s scene) { s.cluster.fewer = -1 }, "", ""},
		{"one pod is not Ready", func(s scene) { s.cluster.pods[0].Ready = false }, Degraded, "2 replicas are available, it wants 3"},
		{"one pod is not Running, and its condition says that it is Ready", func(s scene) { s.cluster.pods[0].Running = false }, Degraded, "2 replicas are available, it wants 3"},
		{"a pod is on a node that it is not for any more", func(s scene) { s.cluster.stray = 1 }, Degraded, "1 of its pods are on nodes that it is not for any more"},
		{"one pod terminates, and its controller has not seen it", func(s scene) { s.cluster.pods[0].Terminating = true }, Degraded, "2 replicas are available, it wants 3"},
		{"one pod terminates, and its successor is there", func(s scene) {
			s.cluster.pods = append(s.cluster.pods, victims.Pod{Name: "old", UID: "old", Running: true, Ready: true, Terminating: true})
		}, "", ""},
		{"no pod may die", func(s scene) {
			s.each(func(p *victims.Pod) { p.Critical = true })
			s.cluster.pods[0].Static, s.cluster.pods[0].Critical = true, false
		}, NoPods, "none of its 3 pods may die: 2 system-critical, 1 static; want one"},
		{"no pod has the label that each wants", func(s scene) {
			s.each(func(p *victims.Pod) { p.Unlabelled = true })
		}, NoPods, "none of its 3 pods may die: 3 without the label caprice.chaos/enabled=true; want that in its pod template, by guard.requirePodLabel of the chart"},
		{"one pod may die", func(s scene) {
			s.each(func(p *victims.Pod) { p.Critical = true })
			s.cluster.pods[1].Critical = false
		}, "", ""},
		{"no pods, and none are wanted", func(s scene) { s.cluster.replicas, s.terms.MinReplicas, s.cluster.pods = 0, 0, nil }, NoPods, "it has no pods: want one"},
		{"each pod is too young when the kill is due", func(s scene) {
			s.runner.MinAge = time.Hour
			s.each(func(p *victims.Pod) { p.Created = s.at.Add(-time.Hour + 1) })
		}, MinAge, "none of its 3 pods may die: 3 too young; want one that is 1h0m0s old"},
		{"each pod is just old enough when the kill is due", func(s scene) {
			s.runner.MinAge = time.Hour
			s.each(func(p *victims.Pod) { p.Created = s.at.Add(-time.Hour) })
		}, "", ""},
		{"one pod is old enough", func(s scene) {
			s.runner.MinAge = time.Hour
			s.each(func(p *victims.Pod) { p.Created = s.at })
			s.cluster.pods[2].Created = time.Time{}
		}, "", ""},
		{"the pods were just made, and any age will do", func(s scene) { s.each(func(p *victims.Pod) { p.Created = s.at }) }, "", ""},
	} {
		t.Run(test.why, func(t *testing.T) { spares(t, test.change, test.reason, test.words) })
	}
}

func TestABudgetSparesAndItsTwinDoesNot(t *testing.T) {
	one := func(allowed int) []Budget { return []Budget{{Namespace: "shop", Name: "web", Allowed: allowed}} }
	pdb, two, all := victims.Scale{Mode: victims.PDB}, victims.Scale{Mode: victims.Fixed, Value: 2}, victims.Scale{Mode: victims.KillAll}
	for _, test := range []struct {
		why     string
		scale   victims.Scale
		method  victims.Method
		budgets []Budget
		reason  Reason
		words   string
	}{
		{"nobody has a budget", two, victims.Delete, nil, "", ""},
		{"it allows as many as die", two, victims.Delete, one(2), "", ""},
		{"it allows fewer than die", two, victims.Delete, one(1), Disruption, "PodDisruptionBudget web allows 1 disruptions now, this kill needs 2"},
		{"it allows all but one of all", all, victims.Delete, one(2), Disruption, "allows 2 disruptions now, this kill needs 3"},
		{"its status is of an older spec", two, victims.Delete, []Budget{{Name: "web", Allowed: 3, Stale: true}}, Disruption, "of an older spec"},
		{"it covers nobody who dies", two, victims.Delete, []Budget{{Name: "web", Covers: []string{"other"}}}, "", ""},
		{"its status is of an older spec, and it covers nobody who dies", two, victims.Delete, []Budget{{Name: "web", Covers: []string{"other"}, Stale: true}}, "", ""},
		{"it covers one of those who die", all, victims.Delete, []Budget{{Name: "web", Covers: []string{"pod-1"}, Allowed: 1}}, "", ""},
		{"it covers two of those who die", all, victims.Delete, []Budget{{Name: "web", Covers: []string{"pod-1", "pod-2"}, Allowed: 1}}, Disruption, "allows 1 disruptions now, this kill needs 2"},
		{"both allow as many as die", two, victims.Delete, []Budget{{Name: "a", Allowed: 2}, {Name: "b", Allowed: 3}}, "", ""},
		{"the second of two allows fewer", two, victims.Delete, []Budget{{Name: "a", Allowed: 2}, {Name: "b", Allowed: 1}}, Disruption, "PodDisruptionBudget b"},

		{"an eviction that the API server will judge", two, victims.Evict, one(0), "", ""},
		{"an eviction from under two budgets, which the API server cannot judge", two, victims.Evict, []Budget{{Name: "a", Allowed: 9}, {Name: "b", Allowed: 9}}, Disruption, "the API server evicts none that has more than one"},
		{"an eviction from under two budgets of different pods", all, victims.Evict, []Budget{{Name: "a", Covers: []string{"pod-1"}}, {Name: "b", Covers: []string{"pod-2"}}}, "", ""},

		{"mode pdb, and it allows one", pdb, victims.Delete, one(1), "", ""},
		{"mode pdb, and it allows none", pdb, victims.Delete, one(0), Disruption, "allows 0 disruptions now, this kill needs 1"},
		{"mode pdb, and its status is of an older spec", pdb, victims.Delete, []Budget{{Name: "web", Allowed: 1, Stale: true}}, Disruption, "of an older spec"},
		{"mode pdb without a budget", pdb, victims.Delete, nil, Disruption, "wants one PodDisruptionBudget for its pods, there are 0"},
		{"mode pdb with two", pdb, victims.Delete, append(one(1), one(1)...), Disruption, "there are 2"},
		{"mode pdb with one for some of its pods", pdb, victims.Delete, []Budget{{Name: "web", Allowed: 1, Covers: []string{"pod-1", "pod-2"}}}, Disruption, "to cover all its 3 candidates, it covers 2"},
	} {
		t.Run(test.why, func(t *testing.T) {
			spares(t, func(s scene) {
				s.terms.Scale, s.terms.Method, s.cluster.budgets = test.scale, test.method, test.budgets
			}, test.reason, test.words)
		})
	}
}

func TestBudgetsAreAskedWhereTheyAreRespectedAndForEvictions(t *testing.T) {
	for _, test := range []struct {
		why    string
		mode   victims.Mode
		method victims.Method
		reason Reason
	}{
		{"a deletion goes against it", victims.KillAll, victims.Delete, ""},
		{"an eviction from under two cannot be", victims.KillAll, victims.Evict, Disruption},
		{"mode pdb evicts", victims.PDB, victims.Delete, Disruption},
	} {
		t.Run(test.why, func(t *testing.T) {
			spares(t, func(s scene) {
				s.runner.RespectPDB = false
				s.terms.Scale, s.terms.Method = victims.Scale{Mode: test.mode}, test.method
				s.cluster.budgets = []Budget{{Name: "a"}, {Name: "b"}}
			}, test.reason, "")
		})
	}
}

func TestModePDBAlwaysEvicts(t *testing.T) {
	for _, method := range []victims.Method{victims.Delete, victims.Evict} {
		k := due{subject: &subject{Subject: Subject{Terms: victims.Terms{Method: method, Scale: victims.Scale{Mode: victims.PDB}}}}}
		if got := k.Terms.Removal(); got != victims.Evict {
			t.Errorf("method %s with kill mode pdb is %s", method, got)
		}
	}
}

func TestAPodIsAsOldForALateKillAsItIsByThen(t *testing.T) {
	r, _, _, s := world(t, time.Hour)
	r.MinAge = time.Hour
	now := wallNow()
	late := due{subject: &subject{Subject: s}, Kill: Kill{At: now.Add(-10 * time.Minute)}}
	pod := victims.Pod{Name: "web", Running: true, Ready: true, Created: now.Add(-r.MinAge - 5*time.Minute)}
	if _, err := r.eligible(late, []victims.Pod{pod}); err != nil {
		t.Errorf("it is old enough by now: %v", err)
	}
}
