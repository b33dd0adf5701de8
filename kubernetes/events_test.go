package kubernetes

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	core "k8s.io/api/core/v1"
	events "k8s.io/api/events/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/victims"
)

type drops int64

func (d *drops) Dropped() { atomic.AddInt64((*int64)(d), 1) }

// posted returns what is queued to be posted when an instance tells of something.
func posted(instance string, tell func(*Events)) []*events.Event {
	own := core.ObjectReference{Kind: "Deployment", Namespace: "caprice", Name: "caprice", UID: "own"}
	e := NewEvents(&Client{}, instance, &own, new(drops))
	tell(e)
	close(e.queue)
	var list []*events.Event
	for event := range e.queue {
		list = append(list, event)
	}
	return list
}

func TestEachEndIsOneEventWhoeverTellsOfIt(t *testing.T) {
	web := victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "uid"}
	planned := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	record := v1alpha1.Name(web.UID, planned)
	words, names := map[string]EventWord{}, map[string]bool{}
	for _, w := range EventWords() {
		words[w.Reason] = w
	}
	for _, v := range append(chaos.Verdicts, "Novel") {
		o := chaos.Outcome{Record: chaos.Record{Workload: web, Planned: planned}, Verdict: v, Reason: chaos.Rollout, Message: "why"}
		next := o
		next.Planned = planned.Add(time.Millisecond)
		first := posted("one", func(e *Events) { e.Ended(o); e.Ended(next) })
		again := posted("another", func(e *Events) { e.Ended(o) })
		if len(first) != 2 || len(again) != 1 || first[0].Name != again[0].Name || names[first[0].Name] || first[0].Name == first[1].Name {
			t.Errorf("%s: want one name for each kill and verdict, and the same from the next leader: %v, %v", v, first, again)
			continue
		}
		names[first[0].Name] = true
		e := first[0]
		word, ok := words[e.Reason]
		switch {
		case v == "Novel":
			if e.Reason != "Novel" || e.Type != core.EventTypeWarning {
				t.Errorf("a verdict without a word of its own is told as %s %s", e.Type, e.Reason)
			}
		case !ok || e.Type != word.Type || word.Related != "record":
			t.Errorf("%s is told as %s %s, which is no word related to a record", v, e.Type, e.Reason)
		}
		if e.Regarding.UID != "uid" || e.Regarding.Kind != "Deployment" || e.Regarding.APIVersion != "apps/v1" || e.Namespace != "shop" {
			t.Errorf("%s regards %+v in namespace %s, want the workload", v, e.Regarding, e.Namespace)
		}
		if e.Related == nil || e.Related.Kind != "Kill" || e.Related.Name != record || e.Related.APIVersion != "caprice.chaos/v1alpha1" {
			t.Errorf("%s is related to %+v, want kill %s", v, e.Related, record)
		}
		if !strings.Contains(e.Note, "2026-03-04T12:00:00Z") || v != chaos.Rehearsed && !strings.Contains(e.Note, "why") {
			t.Errorf("the note of %s is %q, want the planned instant in it, and why", v, e.Note)
		}
	}
}

func TestADeathNamesItsPodAndItsRecord(t *testing.T) {
	k := chaos.Record{Workload: victims.Workload{Kind: victims.StatefulSet, Namespace: "shop", Name: "db", UID: "uid"}, Planned: time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)}
	pod := func(name string) chaos.Death {
		return chaos.Death{Pod: victims.Pod{Namespace: "shop", Name: name, UID: name}}
	}
	list := posted("one", func(e *Events) { e.Killed(k, pod("db-0")); e.Killed(k, pod("db-1")) })
	if len(list) != 2 || list[0].Name == list[1].Name {
		t.Fatalf("two deaths are told as %v", list)
	}
	e := list[0]
	want := "killed pod db-0, planned for 2026-03-04T12:00:00Z, kill " + v1alpha1.Name("uid", k.Planned)
	if e.Reason != "PodKilled" || e.Regarding.Name != "db" || e.Related.Kind != "Pod" || e.Related.Name != "db-0" || e.Note != want {
		t.Errorf("%s regarding %s, related %s, says %q, want %q", e.Reason, e.Regarding.Name, e.Related.Name, e.Note, want)
	}
}

func TestTheRestIsToldOnceToo(t *testing.T) {
	web := victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "uid"}
	tell := func(e *Events) {
		e.Invalid(web, errors.New("label a"))
		e.Invalid(web, errors.New("label b"))
		e.Halted("uid", "halt shop/pause: release day")
		e.Resumed("uid", "halt shop/pause is over: release day")
		e.Planned(chaos.DayPlan{})
	}
	first, again := posted("one", tell), posted("another", tell)
	names := map[string]bool{}
	for i, reason := range []string{"InvalidTerms", "InvalidTerms", "ChaosHalted", "ChaosResumed", "DayPlanned"} {
		if first[i].Reason != reason || first[i].Name != again[i].Name || names[first[i].Name] {
			t.Errorf("%s is told as %s by the name of %s, and again of %s", reason, first[i].Reason, first[i].Name, again[i].Name)
		}
		names[first[i].Name] = true
	}
}

// posts has Events of some namespaces posted by an API server until d has passed.
func posts(t *testing.T, d time.Duration, api http.HandlerFunc, dropped *drops, lost func(error), namespaces ...string) {
	t.Helper()
	client := &Client{}
	if err := client.connect(&rest.Config{Host: "http://api", Transport: inMemory{api}}, "test"); err != nil {
		t.Fatal(err)
	}
	e := NewEvents(client, "one", nil, dropped)
	e.Lost = lost
	for _, namespace := range namespaces {
		e.queue <- &events.Event{ObjectMeta: meta.ObjectMeta{Namespace: namespace}}
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	e.Run(ctx)
}

// take answers as an API server does that has taken an Event.
func take(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"kind": "Event", "apiVersion": "events.k8s.io/v1", "metadata": {"name": "caprice-1", "resourceVersion": "1"}}`)
}

func TestAnEventThatCannotBePostedIsGivenUpAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Duration
		dropped, begin, lost := new(drops), time.Now(), ""
		posts(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) {
			asked = append(asked, time.Since(begin))
			w.WriteHeader(http.StatusInternalServerError)
		}, dropped, func(err error) { lost = err.Error() }, "shop")
		if want := []time.Duration{0, postPause, 3 * postPause, 6 * postPause, 10 * postPause}; !slices.Equal(asked, want) || *dropped != 1 {
			t.Errorf("asked after %s, dropped %d; want after %s, and one", asked, *dropped, want)
		}
		if !strings.Contains(lost, "error on the server") {
			t.Errorf("it is lost for %q, want the API server's words", lost)
		}
	})
}

func TestAnEventIsPostedWhereTheAPIServerIsSlow(t *testing.T) {
	for _, takes := range []time.Duration{0, postTimeout + 100*time.Millisecond, 7 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			kept, dropped := 0, new(drops)
			posts(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
				if chaos.Pause(r.Context(), takes) == nil { // who gives up on a request ends it
					kept++
					take(w)
				}
			}, dropped, func(error) {}, "shop")
			if kept != 1 || *dropped != 0 {
				t.Errorf("an API server that takes %s has kept %d Events, and %d were dropped; want one, and none", takes, kept, *dropped)
			}
		})
	}
}

func TestANamespaceThatTakesNoEventsKeepsNobodyElsesWaiting(t *testing.T) {
	for why, declines := range map[string]int{"others take all": 0, "others decline one": 1} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var after []time.Duration
			begin, dropped, declined := time.Now(), new(drops), 0
			namespaces := slices.Repeat([]string{"hangs"}, 300)
			for i := range 30 {
				namespaces[10*i+9] = "shop"
			}
			posts(t, 10*time.Second, func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/hangs/") {
					<-r.Context().Done()
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if declined < declines {
					declined++
					w.WriteHeader(http.StatusInternalServerError)
					return
				}
				after = append(after, time.Since(begin))
				take(w)
			}, dropped, func(error) {}, namespaces...)
			if len(after) != 30 || slices.Max(after) > 2*postTimeout {
				t.Errorf("%s: %d Events of another namespace were taken after %s, want all 30 within %s", why, len(after), after, 2*postTimeout)
			}
			if *dropped != 270 {
				t.Errorf("%s: %d are counted as dropped, want the 270 that nobody took", why, *dropped)
			}
		})
	}
}

func TestEventsThatWaitAreNoMoreThanThereIsRoomFor(t *testing.T) {
	e := NewEvents(&Client{}, "one", nil, new(drops))
	of := func(namespace string) *events.Event {
		return &events.Event{ObjectMeta: meta.ObjectMeta{Namespace: namespace}}
	}
	if e.waits(of("shop"), false) || e.waits(of("shop"), true) {
		t.Error("it waits behind others, and there are none")
	}
	for range cap(e.queue) {
		if !e.waits(of("shop"), false) {
			t.Error("it does not wait behind others")
		}
	}
	if !e.waits(of("team"), true) {
		t.Error("somebody is to insist on one for which there is no room")
	}
	if e.Dropped() != 2 || e.waiting != cap(e.queue) {
		t.Errorf("%d wait and %d were dropped, want %d and the two that came last", e.waiting, e.Dropped(), cap(e.queue))
	}
}

func TestWhatFindsNoRoomIsCounted(t *testing.T) {
	dropped := new(drops)
	e, told := NewEvents(&Client{}, "one", nil, dropped), 0
	e.Lost = func(error) { told++ }
	for range cap(e.queue) + 3 {
		e.Killed(chaos.Record{Workload: victims.Workload{Kind: victims.Deployment}}, chaos.Death{})
	}
	if *dropped != 3 || e.Dropped() != 3 || told != 1 {
		t.Errorf("%d are counted, %d reported, and why is told %d times; want 3, 3 and once a minute", e.Dropped(), *dropped, told)
	}
}
