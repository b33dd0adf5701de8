package hypotheses

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/test/lab"
	"caprice/victims"
)

func aHypothesis(namespace, name string, about meta.LabelSelector, probes ...v1alpha1.Probe) *v1alpha1.Hypothesis {
	return &v1alpha1.Hypothesis{
		ObjectMeta: meta.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(namespace + name)},
		Spec:       v1alpha1.HypothesisSpec{Workloads: about, Probes: probes},
	}
}

// beliefs know these hypotheses, from a watch that has just begun.
func beliefs(hypotheses ...*v1alpha1.Hypothesis) *Beliefs {
	b := &Beliefs{
		Scope: kubernetes.Scope{Excluded: []string{"kube-*"}}, Honoured: []string{"shop", "team"}, held: map[types.UID]belief{},
		synced: []cache.InformerSynced{func() bool { return true }}, answered: map[string]time.Time{"": time.Now()},
		Question: func(_ string, p *v1alpha1.Probe) (chaos.Question, error) {
			if p.Name == "wrong" {
				return nil, errors.New("want another path")
			}
			return nil, nil
		},
	}
	for _, h := range hypotheses {
		b.set(h)
	}
	return b
}

func aWorkload(namespace string, labels map[string]string) chaos.WorkloadState {
	w := victims.Workload{Kind: victims.Deployment, Namespace: namespace, Name: "web", UID: "uid"}
	return chaos.WorkloadState{Subject: chaos.Subject{Workload: w}, Labels: labels}
}

func TestWhichHypothesesAreAboutAWorkload(t *testing.T) {
	web := meta.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	odd := meta.LabelSelector{MatchExpressions: []meta.LabelSelectorRequirement{{Key: "app", Operator: "Near"}}}
	probe, wrong := v1alpha1.Probe{Name: "probe"}, v1alpha1.Probe{Name: "wrong"}
	for _, test := range []struct {
		why  string
		h    *v1alpha1.Hypothesis
		want string
	}{
		{"one of its labels", aHypothesis("shop", "h", web, probe), "1 probes"},
		{"one of other labels", aHypothesis("shop", "h", meta.LabelSelector{MatchLabels: map[string]string{"app": "db"}}, probe), "0 probes"},
		{"one of all workloads", aHypothesis("shop", "h", meta.LabelSelector{}, probe, probe), "2 probes"},
		{"one of another namespace", aHypothesis("team", "h", meta.LabelSelector{}, wrong), "0 probes"},
		{"one that cannot work", aHypothesis("shop", "h", web, probe, wrong), "hypothesis h cannot work: probe wrong: want another path"},
		{"one that cannot work and is of others", aHypothesis("shop", "h", meta.LabelSelector{MatchLabels: map[string]string{"app": "db"}}, wrong), "0 probes"},
		{"one of which it cannot be told", aHypothesis("shop", "h", odd, probe), "hypothesis h cannot work: spec.workloads cannot be read"},
	} {
		t.Run(test.why, func(t *testing.T) {
			probes, err := beliefs(test.h).Probes(t.Context(), aWorkload("shop", map[string]string{"app": "web"}))
			got := fmt.Sprintf("%d probes", len(probes))
			if err != nil {
				got = err.Error()
			}
			if !strings.HasPrefix(got, test.want) {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
	_, err := beliefs(aHypothesis("other", "h", web, probe, wrong)).Probes(t.Context(), aWorkload("other", map[string]string{"app": "web"}))
	if err == nil || !strings.Contains(err.Error(), "PROBE_NAMESPACES") {
		t.Errorf("one of a namespace that is not allowed: %v", err)
	}
	if followed := beliefs(aHypothesis("kube-system", "h", web, probe)).sorted(""); len(followed) > 0 {
		t.Errorf("one of a namespace in which Caprice does not act is followed, and its status would be written: %v", followed[0].Name)
	}
	gone := beliefs(aHypothesis("shop", "h", web, wrong))
	gone.drop(aHypothesis("shop", "h", web, wrong))
	if probes, err := gone.Probes(t.Context(), aWorkload("shop", map[string]string{"app": "web"})); err != nil || len(probes) > 0 {
		t.Errorf("one that was deleted: %v, %v", probes, err)
	}
}

func TestWhatIsNotSaidOfAProbeIsAsTheSchemaHasIt(t *testing.T) {
	never := false
	probes, err := beliefs(aHypothesis("shop", "h", meta.LabelSelector{}, v1alpha1.Probe{Name: "plain"}, v1alpha1.Probe{Name: "full", During: &never, Interval: "5s", Timeout: "1500ms", Tolerance: "1m"})).
		Probes(t.Context(), aWorkload("shop", nil))
	if err != nil {
		t.Fatal(err)
	}
	want := []chaos.Probe{
		{Hypothesis: "h", Name: "plain", During: true, Interval: time.Second, Timeout: time.Second},
		{Hypothesis: "h", Name: "full", Interval: 5 * time.Second, Timeout: 1500 * time.Millisecond, Tolerance: time.Minute},
	}
	if fmt.Sprint(probes) != fmt.Sprint(want) {
		t.Errorf("probes are %+v, want %+v", probes, want)
	}
}

func TestWhereTheWatchMayBeBehindHypothesesAreReadAfresh(t *testing.T) {
	fresh := aHypothesis("shop", "fresh", meta.LabelSelector{}, v1alpha1.Probe{Name: "probe"})
	asked, down := 0, false
	client := lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if down || r.URL.Path != "/apis/caprice.chaos/v1alpha1/namespaces/shop/hypotheses" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v1alpha1.HypothesisList{
			TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "HypothesisList"}, ListMeta: meta.ListMeta{ResourceVersion: "1"}, Items: []v1alpha1.Hypothesis{*fresh},
		})
	}))
	for _, test := range []struct {
		why    string
		change func(*Beliefs)
		want   string
		asked  int
	}{
		{"it is not", func(*Beliefs) {}, "0 probes", 0},
		{"it has lasted for as long as one does", func(b *Beliefs) { b.answered[""] = time.Now().Add(-watchBeliefs - time.Second) }, "0 probes", 0},
		{"it has not begun anew for long", func(b *Beliefs) { b.answered[""] = time.Now().Add(-deaf - time.Second) }, "1 probes", 1},
		{"and it has one that has gone since", func(b *Beliefs) {
			b.set(aHypothesis("shop", "gone", meta.LabelSelector{}, v1alpha1.Probe{Name: "wrong"}))
			b.synced = nil
		}, "1 probes", 1},
		{"the clock was set back", func(b *Beliefs) { b.answered[""] = time.Now().Add(time.Hour) }, "1 probes", 1},
		{"it has not told of all yet", func(b *Beliefs) { b.synced = append(b.synced, func() bool { return false }) }, "1 probes", 1},
		{"it never began", func(b *Beliefs) { b.synced = nil }, "1 probes", 1},
		{"and the API server is away", func(b *Beliefs) { b.synced = nil; down = true }, "whether there is a hypothesis cannot be known: ", 1},
	} {
		t.Run(test.why, func(t *testing.T) {
			b := beliefs()
			b.Client = client
			asked = 0
			test.change(b)
			probes, err := b.Probes(t.Context(), aWorkload("shop", nil))
			got := fmt.Sprintf("%d probes", len(probes))
			if err != nil {
				got = err.Error()
			}
			if !strings.HasPrefix(got, test.want) || asked != test.asked {
				t.Errorf("%s after %d requests, want %s after %d", got, asked, test.want, test.asked)
			}
		})
	}
}

// Where a watch has missed how one went, its cache says so in words of its own.
func TestWhatIsBelievedIsWhatTheNextListHasWhereAWatchHasMissedSomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		named := func(name, uid string) v1alpha1.Hypothesis {
			h := aHypothesis("shop", name, meta.LabelSelector{})
			h.UID, h.ResourceVersion = types.UID(uid), uid
			return *h
		}
		var mu sync.Mutex // guards what follows
		there, lasts, lists := []v1alpha1.Hypothesis{named("errors", "1"), named("latency", "2")}, "", 0
		b := &Beliefs{Honoured: []string{"*"}, Client: lab.InMemory(func(w http.ResponseWriter, r *http.Request) {
			query := r.URL.Query()
			mu.Lock()
			defer mu.Unlock()
			switch {
			case query.Has("sendInitialEvents"):
				lab.Refuse(w, http.StatusUnprocessableEntity) // one that is older
			case !query.Has("watch"):
				lists++
				_ = json.NewEncoder(w).Encode(v1alpha1.HypothesisList{
					TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "HypothesisList"}, ListMeta: meta.ListMeta{ResourceVersion: "7"}, Items: there,
				})
			case lists == 1:
				lasts = query.Get("timeoutSeconds")
				there = []v1alpha1.Hypothesis{named("errors", "3")} // made anew, and the other is gone
				lab.Refuse(w, http.StatusGone)
			default:
				mu.Unlock()
				<-r.Context().Done()
				mu.Lock()
			}
		}).Client(t)}
		ctx, end := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { b.Run(ctx) })
		known := func() (all []types.UID) {
			b.mu.Lock()
			defer b.mu.Unlock()
			for _, h := range b.sorted(meta.NamespaceAll) {
				all = append(all, h.UID)
			}
			return all
		}
		answered := func() time.Time {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.answered[meta.NamespaceAll]
		}
		begin := time.Now()
		time.Sleep(time.Minute)
		if got := fmt.Sprint(known()); got != "[3]" || lasts != "60" {
			t.Errorf("known are %s, by a watch of %s seconds; want the one that there is, 3, and 60", got, lasts)
		}
		if at := answered(); !at.IsZero() {
			t.Errorf("a watch has begun at %s, want none: one was refused, and the next has no answer yet", at)
		}
		end()
		running.Wait()
		if at := answered(); at.IsZero() || at.Sub(begin) > 10*time.Second {
			t.Errorf("the next began at %s, want when it was asked for, and not a minute later when it was answered", at)
		}
	})
}

func TestHypothesesAreInTheOrderOfTheirNames(t *testing.T) {
	var all []*v1alpha1.Hypothesis
	for _, name := range []string{"e", "b", "a", "d", "c"} {
		all = append(all, aHypothesis("team", name, meta.LabelSelector{}), aHypothesis("shop", name, meta.LabelSelector{}))
	}
	var got []string
	for _, h := range beliefs(all...).sorted(meta.NamespaceAll) {
		got = append(got, h.Namespace+"/"+h.Name)
	}
	if want := "[shop/a shop/b shop/c shop/d shop/e team/a team/b team/c team/d team/e]"; fmt.Sprint(got) != want {
		t.Errorf("they are %s, want %s", got, want)
	}
}

func TestWhyAHypothesisCannotWorkIsToldOnceAlsoIfItCannotBeWritten(t *testing.T) {
	declined := 0
	b := &Beliefs{Client: lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		declined++
		w.WriteHeader(http.StatusForbidden)
	}))}
	h := belief{Hypothesis: aHypothesis("shop", "web", meta.LabelSelector{}), problem: "it asks nothing"}
	var verdict judged
	var told []string
	for _, problem := range []string{"it asks nothing", "it asks nothing", "it asks too much", "", "it asks too much"} {
		h.problem = problem
		if err := b.judge(t.Context(), h, &verdict, func(_ *v1alpha1.Hypothesis, why string) { told = append(told, why) }); err == nil {
			t.Errorf("%q was written", problem)
		}
	}
	if want := "[it asks nothing it asks too much it asks too much]"; fmt.Sprint(told) != want || declined != 5 {
		t.Errorf("told %v in %d requests, want %s in 5", told, declined, want)
	}

	// What it says is what was said of it when it could work.
	h.Status.Conditions = []meta.Condition{{Type: v1alpha1.Ready, Status: meta.ConditionTrue, Reason: "Accepted", Message: "it is asked"}}
	told = nil
	for _, problem := range []string{"", "it asks nothing", "", "it asks nothing"} {
		h.problem = problem
		if err := b.judge(t.Context(), h, &verdict, func(_ *v1alpha1.Hypothesis, why string) { told = append(told, why) }); (err == nil) != (problem == "") {
			t.Errorf("%q: %v", problem, err)
		}
	}
	if len(told) != 2 {
		t.Errorf("told %v, want it each time it cannot work again", told)
	}
}

func TestTheHypothesesOfAnotherInstallationAreItsToJudge(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	var mu sync.Mutex
	var written []string
	b := &Beliefs{Client: lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		written = append(written, r.URL.Path)
		w.WriteHeader(http.StatusForbidden)
		end()
	})), Others: func(namespace string) bool { return namespace == "another" }}
	b.held = map[types.UID]belief{}
	for i, namespace := range []string{"another", "shop"} {
		h := aHypothesis(namespace, "web", meta.LabelSelector{})
		h.UID = types.UID(fmt.Sprint(i))
		b.held[h.UID] = belief{Hypothesis: h, problem: "it asks nothing"}
	}
	b.Follow(ctx, func(h *v1alpha1.Hypothesis, _ string) {
		if h.Namespace != "shop" {
			t.Errorf("told of that in namespace %s", h.Namespace)
		}
	})
	mu.Lock()
	defer mu.Unlock()
	if len(written) != 1 || !strings.Contains(written[0], "/namespaces/shop/") {
		t.Errorf("written are %v, want that in shop alone", written)
	}
}
