package records

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"sync"
	"testing"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/test/lab"
	"caprice/victims"
)

// asked is an API server that has one kill that somebody asks for. It takes a patch if that has the version that it has and
// leaves the request as it is, and answers if it is not deaf.
type asked struct {
	mu      sync.Mutex
	kill    v1alpha1.Kill
	deaf    bool
	patches int
}

// is returns the kill as it is, and how often somebody tried to patch it.
func (a *asked) is() (v1alpha1.Kill, int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return *a.kill.DeepCopy(), a.patches
}

func (a *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.Method != http.MethodPatch {
		_ = json.NewEncoder(w).Encode(a.kill)
		return
	}
	a.patches++
	patched := a.kill.DeepCopy() // fields that the patch does not have stay
	_ = json.NewDecoder(r.Body).Decode(patched)
	if patched.ResourceVersion != a.kill.ResourceVersion {
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(meta.Status{Status: meta.StatusFailure, Reason: meta.StatusReasonConflict, Code: http.StatusConflict})
		return
	}
	if !reflect.DeepEqual(patched.Spec.Request, a.kill.Spec.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(meta.Status{Status: meta.StatusFailure, Reason: meta.StatusReasonInvalid, Code: http.StatusUnprocessableEntity})
		return
	}
	patched.ResourceVersion = "taken"
	a.kill = *patched
	if a.deaf {
		a.deaf = false
		panic(http.ErrAbortHandler)
	}
	_ = json.NewEncoder(w).Encode(a.kill)
}

func TestOneAttemptTakesOnWhatIsAskedFor(t *testing.T) {
	at := time.Now().Truncate(time.Millisecond)
	w := victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "uid"}
	server := &asked{kill: v1alpha1.Kill{
		TypeMeta:   meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Kill"},
		ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: v1alpha1.Name(w.UID, at), ResourceVersion: "changed"},
		Spec:       v1alpha1.KillSpec{Workload: v1alpha1.Workload{Kind: "Deployment", Name: "web", UID: "uid"}, Planned: meta.NewMicroTime(at), Request: &v1alpha1.Request{By: "jane", Mode: "fixed"}},
	}, deaf: true}
	records := &Store{Client: lab.Serve(t, server), Holder: "this one"}
	record := func(nonce string) chaos.Record {
		kill, _ := server.is()
		q := requestOf(&kill)
		q.Version = "read before"
		return chaos.Record{Workload: w, Planned: at, Nonce: nonce, Request: q}
	}

	mine := record("mine")
	if err := records.Claim(t.Context(), mine); !errors.Is(err, errChanged) {
		t.Fatalf("the record was changed since it was read, and to claim it says %v", err)
	}
	var refusal *chaos.Refusal
	if err := records.Claim(t.Context(), mine); err == nil || errors.Is(err, chaos.ErrTaken) || errors.As(err, &refusal) {
		t.Fatalf("the answer was lost, and to claim it says %v", err)
	}
	if err := records.Claim(t.Context(), mine); err != nil {
		t.Fatalf("it was claimed before, and to claim it says %v", err)
	}
	if err := records.Claim(t.Context(), record("another")); !errors.Is(err, chaos.ErrTaken) {
		t.Errorf("it is another's, and to claim it says %v", err)
	}
	if k, patches := server.is(); k.Spec.Nonce != "mine" || k.Spec.Holder != "this one" || k.Labels[v1alpha1.DateLabel] == "" || k.Spec.Request.By != "jane" || patches != 4 {
		t.Errorf("after %d patches it is %+v with labels %v", patches, k.Spec, k.Labels)
	}
}

func TestWhoFollowsKillsHearsOfOneThatIsGone(t *testing.T) {
	kill := v1alpha1.Kill{
		TypeMeta:   meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Kill"},
		ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: "kill"},
	}
	client := lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i, event := range []string{"MODIFIED", "DELETED"} {
			kill.ResourceVersion = []string{"8", "9"}[i]
			_ = json.NewEncoder(w).Encode(map[string]any{"type": event, "object": kill})
		}
	}))
	over := errors.New("it is gone")
	var told []bool
	err := Follow(t.Context(), client, "shop", "", "7", func(_ *v1alpha1.Kill, gone bool) error {
		if told = append(told, gone); gone {
			return over
		}
		return nil
	})
	if !errors.Is(err, over) || !reflect.DeepEqual(told, []bool{false, true}) {
		t.Errorf("%v, told that it is gone: %v, want that it changed and then that it is gone", err, told)
	}
}
