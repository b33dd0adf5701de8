package halts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/test/lab"
	"caprice/victims"
)

func aHalt(namespace string, until time.Duration, workload *v1alpha1.HaltedWorkload) v1alpha1.Halt {
	h := v1alpha1.Halt{ObjectMeta: meta.ObjectMeta{Namespace: namespace, Name: "stop", UID: types.UID(namespace)}, Spec: v1alpha1.HaltSpec{Reason: "release day", Workload: workload}}
	if until != 0 {
		at := meta.NewTime(time.Now().Add(until))
		h.Spec.Until = &at
	}
	return h
}

func TestWhomAHaltStops(t *testing.T) {
	web := victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web"}
	for _, test := range []struct {
		why   string
		halt  v1alpha1.Halt
		holds bool
	}{
		{"of its namespace", aHalt("shop", 0, nil), true},
		{"of another namespace", aHalt("team", 0, nil), false},
		{"of Caprice's own namespace, which is of everything", aHalt("caprice", 0, nil), true},
		{"of the workload", aHalt("shop", 0, &v1alpha1.HaltedWorkload{Kind: "Deployment", Name: "web"}), true},
		{"of another workload", aHalt("shop", 0, &v1alpha1.HaltedWorkload{Kind: "Deployment", Name: "api"}), false},
		{"of another kind by the same name", aHalt("shop", 0, &v1alpha1.HaltedWorkload{Kind: "StatefulSet", Name: "web"}), false},
		{"of a workload by the same name elsewhere", aHalt("team", 0, &v1alpha1.HaltedWorkload{Kind: "Deployment", Name: "web"}), false},
		{"of a workload in Caprice's own namespace, where none is ever killed", aHalt("caprice", 0, &v1alpha1.HaltedWorkload{Kind: "Deployment", Name: "web"}), true},
		{"that goes on for a minute", aHalt("shop", time.Minute, nil), true},
		{"that has expired", aHalt("shop", -time.Second, nil), false},
	} {
		t.Run(test.why, func(t *testing.T) {
			now := time.Now()
			o := &Orders{Client: &kubernetes.Client{Namespace: "caprice"}, last: &question{asked: now, halts: []v1alpha1.Halt{test.halt}}}
			err := o.Check(t.Context(), web)
			var veto *chaos.Veto
			if holds := errors.As(err, &veto); holds != test.holds || holds && (veto.Reason != chaos.Halted || !strings.Contains(veto.Message, "release day")) {
				t.Errorf("%v, want it to hold: %v", err, test.holds)
			}
		})
	}
}

func TestAHaltHoldsUntilTheInstantItNames(t *testing.T) {
	h := aHalt("shop", time.Minute, nil)
	for left, over := range map[time.Duration]bool{500 * time.Millisecond: false, 1: false, 0: true, -1: true} {
		if got := h.Expired(h.Spec.Until.Add(-left)); got != over {
			t.Errorf("%s before it ends, it has expired: %v, want %v", left, got, over)
		}
	}
}

// A halt takes effect within a second. What the oldest answer leaves of it is the removal's; and the next is asked for while most of its
// own time is left, so that where kills follow one another none waits for it.
func TestAnAnswerLeavesTimeForARemovalAndForTheNext(t *testing.T) {
	const removal, next = 300 * time.Millisecond, 500 * time.Millisecond
	if last := mostAge + removal; last > time.Second {
		t.Errorf("a halt takes effect after %s", last)
	}
	if last := renewal + next; last > mostAge {
		t.Errorf("the next answer is there after %s, and the one before counts until %s", last, mostAge)
	}
}

func TestAnAnswerThatNoAPIServerWritesDoesNotSayThatThereIsNoHalt(t *testing.T) {
	for _, body := range []string{
		`{}`, `null`, `{"items": []}`, ``, `<html>sign in</html>`, `{"kind": "Status", "apiVersion": "v1"}`,
		`{"kind": "KillList", "apiVersion": "caprice.chaos/v1alpha1", "metadata": {"resourceVersion": "1"}}`,
	} {
		for _, kind := range []string{"application/json", "text/html"} {
			o := &Orders{Client: lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", kind)
				_, _ = w.Write([]byte(body))
			}))}
			err := o.Check(t.Context(), victims.Workload{Namespace: "shop"})
			var veto *chaos.Veto
			var refusal *chaos.Refusal
			if err == nil || errors.As(err, &veto) || errors.As(err, &refusal) {
				t.Errorf("%s as %s: %v, want an error that says that nothing is known", body, kind, err)
			}
		}
	}
}

func TestWhoeverEndsWaitsForHaltsNoMore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	o := &Orders{Client: lab.Serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		cancel()
		<-over
	})), Patience: time.Hour}
	t.Cleanup(func() { close(over) })
	if err := o.Check(ctx, victims.Workload{Namespace: "shop"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want it to be canceled", err)
	}
}

// While an answer holds nobody waits for the next, and once it does not everybody does.
func TestOnlyWhoeverHasNoAnswerThatHoldsWaitsForHalts(t *testing.T) {
	for _, test := range []struct {
		why          string
		age          time.Duration
		err          error
		waits, lists bool
	}{
		{"it is new", 0, nil, false, false},
		{"it gets old, and still holds", mostAge * 3 / 4, nil, false, true},
		{"it is too old", mostAge + time.Second, nil, true, true},
		{"it is none, and gets old", mostAge * 3 / 4, errors.New("no answer"), true, true},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked, answer := make(chan struct{}), make(chan struct{})
				c := lab.InMemory(func(w http.ResponseWriter, _ *http.Request) {
					close(asked)
					<-answer
					list := v1alpha1.HaltList{TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "HaltList"}, ListMeta: meta.ListMeta{ResourceVersion: "1"}, Items: []v1alpha1.Halt{aHalt("shop", 0, nil)}}
					_ = json.NewEncoder(w).Encode(list)
				}).Client(t)
				c.Namespace = "caprice"
				o := &Orders{Client: c, Patience: time.Minute, last: &question{asked: time.Now().Add(-test.age), err: test.err}}
				checked := make(chan error, 1)
				go func() {
					checked <- o.Check(t.Context(), victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web"})
				}()
				var err error
				if !test.waits {
					err = <-checked
				}
				if test.lists {
					<-asked
				}
				close(answer)
				if test.waits {
					err = <-checked
				}
				var veto *chaos.Veto
				if errors.As(err, &veto) != test.waits {
					t.Errorf("%v; want the new halt in it: %v", err, test.waits)
				}
				if o.mu.Lock(); !test.lists && o.next != nil {
					t.Error("it was asked for again")
				}
				o.mu.Unlock()
			})
		})
	}
}

// A failure may take as long as an answer holds, and none would share it.
func TestThatThereIsNoAnswerIsSharedFromThenOn(t *testing.T) {
	for code, kept := range map[int]bool{http.StatusOK: true, http.StatusInternalServerError: false} {
		o := &Orders{Client: lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(v1alpha1.HaltList{TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "HaltList"}, ListMeta: meta.ListMeta{ResourceVersion: "1"}})
		})), Patience: time.Minute}
		begin := time.Now()
		q := &question{asked: begin.Add(-mostAge), answered: make(chan struct{})}
		o.answer(t.Context(), q)
		if o.last != q || (q.err == nil) != kept || q.asked.Before(begin) != kept {
			t.Errorf("answered with %d: %v, from %s on after it was asked; want it of when it was asked: %v", code, q.err, q.asked.Sub(begin), kept)
		}
	}
}

func TestEachHaltIsToldOfWhenItBeginsAndWhenItIsOver(t *testing.T) {
	o := &Orders{Client: &kubernetes.Client{Namespace: "caprice"}, Scope: kubernetes.Scope{Excluded: []string{"kube-*", "caprice"}}}
	var told []string
	began := func(h v1alpha1.Halt) { told = append(told, "began "+h.Namespace) }
	ended := func(h v1alpha1.Halt) { told = append(told, "ended "+h.Namespace) }
	shop, team, system, all := aHalt("shop", 0, nil), aHalt("team", time.Minute, nil), aHalt("kube-system", 0, nil), aHalt("caprice", time.Minute, nil)

	held := o.compare(nil, []v1alpha1.Halt{shop, team, system, all}, time.Now(), began, ended)
	held = o.compare(held, []v1alpha1.Halt{shop, team, all}, time.Now(), began, ended)
	held = o.compare(held, []v1alpha1.Halt{shop, team}, time.Now().Add(2*time.Minute), began, ended)
	o.compare(held, nil, time.Now().Add(2*time.Minute), began, ended)
	if want := "[began shop began team began caprice ended caprice ended team ended shop]"; fmt.Sprint(told) != want {
		t.Errorf("told %v, want %s", told, want)
	}
}

// What each look at halts costs a kill while an answer holds that many of them share.
func BenchmarkHaltsWhileAnAnswerHolds(b *testing.B) {
	web := victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web"}
	o := &Orders{Client: &kubernetes.Client{Namespace: "caprice"}}
	o.last = &question{}
	for i := range 20 {
		o.last.halts = append(o.last.halts, aHalt(fmt.Sprint("team-", i), 0, nil))
	}
	b.ReportAllocs()
	for b.Loop() {
		o.last.asked = time.Now()
		if err := o.Check(b.Context(), web); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAHaltGoesWhenItWasSeenToBeExpiredForAnHour(t *testing.T) {
	begin := time.Now()
	until := meta.NewTime(begin.Add(24 * time.Hour))
	halts := []v1alpha1.Halt{{ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: "release", UID: "1"}, Spec: v1alpha1.HaltSpec{Until: &until}}}
	deleted := 0
	o := &Orders{Client: lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || !strings.Contains(string(body), `"preconditions":{"uid":"1"}`) {
			t.Errorf("asked for %s with %s (%v), want it to go for that halt alone, and for no other of its name", r.URL, body, err)
		}
		deleted++
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"kind": "Status", "apiVersion": "v1", "status": "Success"}`)
	}))}
	over := map[types.UID]time.Time{}
	for _, look := range []struct {
		why     string
		after   time.Duration
		deleted int
	}{
		{"it holds", time.Hour, 0},
		{"the clock is ahead for a moment", 26 * time.Hour, 0},
		{"it is right again", time.Hour + 5*time.Second, 0},
		{"it is ahead once more", 28 * time.Hour, 0},
		{"it is right", 2 * time.Hour, 0},
		{"the halt has just expired", 24 * time.Hour, 0},
		{"it is not an hour since", 25*time.Hour - time.Second, 0},
		{"it is an hour since", 25 * time.Hour, 1},
	} {
		o.clean(t.Context(), halts, over, begin.Add(look.after))
		if deleted != look.deleted {
			t.Errorf("%s: %d were deleted, want %d", look.why, deleted, look.deleted)
		}
	}
	if o.clean(t.Context(), nil, over, begin.Add(26*time.Hour)); len(over) > 0 {
		t.Errorf("the halt is gone, and remembered: %v", over)
	}
}

func TestAHaltThatCannotBeDeletedKeepsNoOther(t *testing.T) {
	for why, test := range map[string]struct {
		decline func(http.ResponseWriter, *http.Request)
		takes   time.Duration
	}{
		"it is refused": {func(w http.ResponseWriter, _ *http.Request) { lab.Refuse(w, http.StatusForbidden) }, 0},
		"a webhook hangs": {func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			lab.Refuse(w, http.StatusGatewayTimeout)
		}, cleanTimeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			until := meta.NewTime(time.Now().Add(-2 * time.Hour))
			var halts []v1alpha1.Halt
			over := map[types.UID]time.Time{"gone": until.Time}
			for i, namespace := range []string{"audited", "audited", "shop", "team", "team", "audited-too"} {
				uid := types.UID(fmt.Sprint(i))
				halts = append(halts, v1alpha1.Halt{ObjectMeta: meta.ObjectMeta{Namespace: namespace, Name: "halt-" + string(uid), UID: uid}, Spec: v1alpha1.HaltSpec{Until: &until}})
				over[uid] = until.Time
			}
			halts[3].DeletionTimestamp = new(meta.Now()) // and it has a finalizer
			var mu sync.Mutex
			var asked []string
			o := &Orders{Client: lab.InMemory(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				asked = append(asked, path.Base(r.URL.Path))
				mu.Unlock()
				if strings.Contains(r.URL.Path, "/audited") {
					test.decline(w, r)
					return
				}
				_, _ = fmt.Fprint(w, `{"kind": "Status", "apiVersion": "v1", "status": "Success"}`)
			}).Client(t)}
			begin := time.Now()
			o.clean(t.Context(), halts, over, begin)
			slices.Sort(asked)
			if want := "[halt-0 halt-2 halt-4 halt-5]"; fmt.Sprint(asked) != want || time.Since(begin) != test.takes {
				t.Errorf("%s: asked to delete %v in %s, want %s in %s: one of a namespace that does not let it, and none that is being deleted", why, asked, time.Since(begin), want, test.takes)
			}
			if _, known := over["gone"]; known || len(over) != len(halts) {
				t.Errorf("%s: remembered are %v, want those that are there", why, over)
			}
		})
	}
}

func TestAClockThatIsNotTheServersCostsNoHalt(t *testing.T) {
	for _, test := range []struct {
		ahead   time.Duration // of the API server's, this one
		deleted int
	}{{0, 1}, {50 * time.Second, 1}, {30 * time.Hour, 0}, {-time.Hour, 0}} {
		until := meta.NewTime(time.Now().Add(-2 * time.Hour)) // as this one has it
		halts := []v1alpha1.Halt{{ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: "release", UID: "1"}, Spec: v1alpha1.HaltSpec{Until: &until}}}
		deleted := 0
		o := &Orders{Client: lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(-test.ahead).UTC().Format(http.TimeFormat))
			w.Header().Set("Content-Type", "application/json")
			if r.Method == http.MethodDelete {
				deleted++
				_, _ = fmt.Fprint(w, `{"kind": "Status", "apiVersion": "v1", "status": "Success"}`)
				return
			}
			_ = json.NewEncoder(w).Encode(v1alpha1.HaltList{TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "HaltList"}, ListMeta: meta.ListMeta{ResourceVersion: "1"}, Items: halts})
		}))}
		if _, err := o.list(t.Context()); err != nil {
			t.Fatal(err)
		}
		over := map[types.UID]time.Time{"1": time.Now().Add(-2 * time.Hour)}
		if o.clean(t.Context(), halts, over, time.Now()); deleted != test.deleted {
			t.Errorf("%s ahead: %d were deleted, want %d", test.ahead, deleted, test.deleted)
		}
	}
}

// A halt of everything lies in a namespace where Caprice itself does not act.
func TestAConfinedInstallationReadsTheHaltsOfItsOwnNamespaceToo(t *testing.T) {
	web := victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web"}
	for why, test := range map[string]struct {
		halted, deaf string // namespaces
		holds, known bool
	}{
		"nowhere":                       {"", "", false, true},
		"in its namespace":              {"shop", "", true, true},
		"in Caprice's own":              {"caprice", "", true, true},
		"in another of the scope":       {"team", "", false, true},
		"and the first does not answer": {"", "caprice", false, false},
		"and the last does not answer":  {"", "team", false, false},
	} {
		c := lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			list := v1alpha1.HaltList{TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "HaltList"}, ListMeta: meta.ListMeta{ResourceVersion: "1"}}
			namespace := strings.Split(r.URL.Path, "/")[5]
			if namespace == test.deaf {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			if namespace == test.halted {
				list.Items = []v1alpha1.Halt{aHalt(namespace, 0, nil)}
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(list)
		}))
		c.Namespace = "caprice"
		o := &Orders{Client: c, Patience: time.Minute, Scope: kubernetes.Scope{Namespaces: []string{"shop", "team"}}}
		err := o.Check(t.Context(), web)
		var veto *chaos.Veto
		if holds := errors.As(err, &veto); holds != test.holds || !holds && (err == nil) != test.known {
			t.Errorf("%s: %v, want that one holds: %v, and that this is known: %v", why, err, test.holds, test.known)
		}
	}
}
