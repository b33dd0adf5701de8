package records

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
	"caprice/calendar"
	"caprice/chaos"
	"caprice/test/lab"
	"caprice/victims"
)

func TestAnAnswerThatNoAPIServerWritesIsNoRecord(t *testing.T) {
	w := victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "uid"}
	record := chaos.Record{Workload: w, Planned: time.Now(), Date: calendar.Date{Year: 2026, Month: time.March, Day: 2}, Nonce: "nonce"}
	for _, body := range []string{
		`{}`, `null`, `{"items": null}`, `{"status": "ok"}`, ``, `<html>sign in</html>`,
		`{"kind": "Status", "apiVersion": "v1"}`,
		`{"kind": "PodList", "apiVersion": "v1", "items": []}`,
		`{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a", "resourceVersion": "1"}}`,
		`{"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "web", "uid": "uid", "resourceVersion": "1"}}`,
	} {
		for _, kind := range []string{"application/json", "text/html"} {
			store := &Store{Holder: "h", Client: lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", kind)
				_, _ = w.Write([]byte(body))
			}))}
			for what, ask := range map[string]func() error{
				"known kills": func() error { _, err := store.Known(t.Context()); return err },
				"open kills":  func() error { _, err := store.Open(t.Context()); return err },
				"a claim":     func() error { return store.Claim(t.Context(), record) },
				"a status": func() error {
					return store.WriteStatus(t.Context(), chaos.Outcome{Record: record, Claimed: true, Ended: true})
				},
			} {
				err := ask()
				var refusal *chaos.Refusal
				if err == nil || errors.As(err, &refusal) {
					t.Errorf("%s by %q as %s: %v, want an error, and none by which the API server says no", what, body, kind, err)
				}
			}
		}
	}
}

func TestAStatusThatIsNotKeptIsNotWritten(t *testing.T) {
	for phase, kept := range map[v1alpha1.Phase]bool{v1alpha1.Ended: true, v1alpha1.Executed: false, "": false} {
		client := lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/status") {
				t.Errorf("%s %s, want the status written", r.Method, r.URL)
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(v1alpha1.Kill{
				TypeMeta:   meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Kill"},
				ObjectMeta: meta.ObjectMeta{Name: "kill", UID: "2", ResourceVersion: "3"}, Status: v1alpha1.KillStatus{Phase: phase},
			})
		}))
		if err := (&Store{Client: client}).WriteStatus(t.Context(), chaos.Outcome{Claimed: true, Ended: true}); (err == nil) != kept {
			t.Errorf("phase %q: %v, want it to be written: %v", phase, err, kept)
		}
	}
}

func TestAStatusWithoutWhatLeadersGoByIsNotKept(t *testing.T) {
	at := time.Now()
	o := chaos.Outcome{Ended: true, Verdict: chaos.NotRecovered, ExecutedAt: at, Pods: []chaos.Death{{Pod: victims.Pod{Name: "web-1"}, At: at}}}
	for why, change := range map[string]func(*v1alpha1.KillStatus){
		"": func(*v1alpha1.KillStatus) {}, "its message": func(s *v1alpha1.KillStatus) { s.Message = "" },
		"its phase": func(s *v1alpha1.KillStatus) { s.Phase = "" }, "its verdict": func(s *v1alpha1.KillStatus) { s.Verdict = "" },
		"when it struck": func(s *v1alpha1.KillStatus) { s.ExecutedAt = nil }, "its dead": func(s *v1alpha1.KillStatus) { s.Pods = nil },
	} {
		is := newStatus(o)
		change(&is)
		if err := kept(is, newStatus(o)); (err == nil) != (why == "" || why == "its message") || err != nil && !errors.Is(err, chaos.ErrDeclined) {
			t.Errorf("without %s: %v, want it declined", why, err)
		}
	}
}

func TestARecordThatIsNotKeptAsItWasWrittenIsNoClaim(t *testing.T) {
	record := chaos.Record{
		Workload: victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "uid"}, Planned: time.Now(), ActBefore: time.Now(), Deadline: time.Minute,
		Date: calendar.Date{Year: 2026, Month: time.March, Day: 2}, Targets: []victims.Pod{{Name: "web-1", UID: "1"}}, Nonce: "nonce", Generation: 2,
	}
	for why, change := range map[string]func(*v1alpha1.Kill){
		"":                             func(*v1alpha1.Kill) {},
		"it says that it is rehearsed": func(k *v1alpha1.Kill) { k.Spec.DryRun = true },
		"it has another name":          func(k *v1alpha1.Kill) { k.Name = "tenant-" + k.Name },
		"it was only rehearsed":        func(k *v1alpha1.Kill) { k.ResourceVersion = "" },
		"it has other targets":         func(k *v1alpha1.Kill) { k.Spec.Targets = nil },
		"it is of another instant":     func(k *v1alpha1.Kill) { k.Spec.Planned.Time = k.Spec.Planned.Add(time.Second) },
		"it is of another workload":    func(k *v1alpha1.Kill) { k.Spec.Workload.Name = "api" },
		"another attempt's":            func(k *v1alpha1.Kill) { k.Spec.Nonce = "another" },
		"nobody finds it by its day":   func(k *v1alpha1.Kill) { delete(k.Labels, v1alpha1.DateLabel) },
		"nobody finds it by its owner": func(k *v1alpha1.Kill) { k.Labels[v1alpha1.WorkloadUIDLabel] = "3" },
		"more labels":                  func(k *v1alpha1.Kill) { k.Labels["team"] = "shop" },
		"definitions without a field":  func(k *v1alpha1.Kill) { k.Spec.Generation = 0 },
	} {
		client := lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var kill v1alpha1.Kill
			_ = json.NewDecoder(r.Body).Decode(&kill)
			kill.UID, kill.ResourceVersion = "2", "3"
			change(&kill)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(kill)
		}))
		nowhere := map[string]bool{"it has another name": true, "it was only rehearsed": true} // and so nothing can be written into it
		err := (&Store{Client: client, Holder: "h"}).Claim(t.Context(), record)
		var refusal *chaos.Refusal
		if kept := why == "" || why == "more labels" || why == "definitions without a field"; (err == nil) != kept || !kept && (!errors.As(err, &refusal) || errors.Is(err, chaos.ErrAltered) == nowhere[why]) {
			t.Errorf("%s: %v, want it to be claimed: %v", why, err, kept)
		}
	}
}

// Of an attempt whose answers were lost, the record may have ended meanwhile: then another has judged it.
func TestARecordThatHasEndedIsNotClaimed(t *testing.T) {
	record := chaos.Record{Workload: victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "uid"}, Planned: time.Now(), ActBefore: time.Now(), Nonce: "nonce"}
	for phase, taken := range map[v1alpha1.Phase]bool{"": false, v1alpha1.Ended: true} {
		store := &Store{Holder: "h"}
		store.Client = lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.Method == http.MethodPost {
				w.WriteHeader(http.StatusConflict)
				_, _ = w.Write([]byte(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "AlreadyExists", "code": 409}`))
				return
			}
			kill := newKill(record, store.Holder)
			kill.TypeMeta = meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Kill"}
			kill.UID, kill.ResourceVersion, kill.Status.Phase = "2", "3", phase
			_ = json.NewEncoder(w).Encode(kill)
		}))
		if err := store.Claim(t.Context(), record); errors.Is(err, chaos.ErrTaken) != taken || !taken && err != nil {
			t.Errorf("phase %q: %v, want that it is taken: %v", phase, err, taken)
		}
	}
}
