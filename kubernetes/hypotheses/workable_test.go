package hypotheses

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/test/lab"
)

func TestAHypothesisIsCheckedWhenItChangesAndOnceAMinuteAndSoonWhereThatCouldNotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := aHypothesis("shop", "web", meta.LabelSelector{})
		h.Generation = 1
		var mu sync.Mutex // guards what follows
		begin, declined := time.Now(), true
		var asked []time.Duration
		b := &Beliefs{Client: lab.InMemory(func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, time.Since(begin))
			if declined {
				lab.Refuse(w, http.StatusForbidden)
				return
			}
			_ = json.NewEncoder(w).Encode(h)
		}).Client(t)}
		b.held = map[types.UID]belief{h.UID: {Hypothesis: h, problem: "it asks nothing"}}
		ctx, end := context.WithCancel(t.Context())
		told := 0
		var following sync.WaitGroup
		following.Go(func() { b.Follow(ctx, func(*v1alpha1.Hypothesis, string) { told++ }) })
		time.Sleep(2500 * time.Millisecond)
		mu.Lock()
		declined = false
		mu.Unlock()
		time.Sleep(68 * time.Second)
		changed := h.DeepCopy()
		changed.Generation = 2
		b.mu.Lock()
		b.held[h.UID] = belief{Hypothesis: changed, problem: "it asks nothing"}
		b.mu.Unlock()
		time.Sleep(time.Second)
		end()
		following.Wait()
		if want := "[0s 5s 1m5s 1m11s]"; fmt.Sprint(asked) != want || told != 1 {
			t.Errorf("it was written after %v, and told %d times, want %s and once", asked, told, want)
		}
	})
}

// told is what an API server would be told of a hypothesis, and whether it would be told of to anybody else.
func told(t *testing.T, h belief) (patch v1alpha1.Hypothesis, others bool) {
	t.Helper()
	b := &Beliefs{Client: lab.InMemory(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &patch)
		}
		if err != nil {
			t.Error(err)
		}
		_ = json.NewEncoder(w).Encode(h.Hypothesis)
	}).Client(t)}
	if err := b.judge(t.Context(), h, &judged{}, func(*v1alpha1.Hypothesis, string) { others = true }); err != nil {
		t.Error(err)
	}
	return patch, others
}

func TestWhatIsWrittenOfAHypothesisIsOfThatOneAsItWasAndFits(t *testing.T) {
	h := aHypothesis("shop", "web", meta.LabelSelector{})
	h.Generation = 3
	patch, others := told(t, belief{Hypothesis: h, problem: strings.Repeat("it asks nothing, ", 100)})
	if patch.UID != h.UID || patch.Status.ObservedGeneration != 3 || len(patch.Status.Conditions) != 1 || !others {
		t.Fatalf("written is %+v, want it of UID %s and generation 3, and told of too (%t)", patch, h.UID, others)
	}
	c := patch.Status.Conditions[0]
	if c.Status != meta.ConditionFalse || c.ObservedGeneration != 3 || len(c.Message) != 1024 {
		t.Errorf("it says %s of generation %d in %d bytes, want False of 3 in 1024", c.Status, c.ObservedGeneration, len(c.Message))
	}

	// A new leader says nothing twice.
	h.Status = patch.Status
	if patch, others := told(t, belief{Hypothesis: h, problem: strings.Repeat("it asks nothing, ", 100)}); patch.UID != "" || others {
		t.Errorf("what it says already is written or told again: %+v, %t", patch, others)
	}
}

// looked is a question whose answer may be told in advance not to come.
type looked struct {
	chaos.Question
	err error
}

func (l looked) Check(context.Context) error { return l.err }

func TestAQuestionThatWillHaveNoAnswerIsToldBeforeAKill(t *testing.T) {
	for _, test := range []struct {
		why, problem, want string
		questions          []chaos.Question
	}{
		{"all will have one", "", "", []chaos.Question{nil, looked{}}},
		{"one cannot tell and the next will have none", "", "probe 1: it is not served", []chaos.Question{nil, looked{err: errors.New("it is not served")}}},
		{"it cannot be asked at all", "it asks nothing", "it asks nothing", []chaos.Question{looked{err: errors.New("it is not served")}}},
	} {
		h := belief{problem: test.problem}
		for i, question := range test.questions {
			h.probes = append(h.probes, chaos.Probe{Name: fmt.Sprint(i), Question: question})
		}
		if got := h.check(t.Context()); got != test.want {
			t.Errorf("%s: %q, want %q", test.why, got, test.want)
		}
	}
}
