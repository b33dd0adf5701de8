package main

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

func TestAHaltHoldsByTheClockOfTheCluster(t *testing.T) {
	now := time.Date(2026, time.March, 4, 10, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		why     string
		clock   time.Duration // of the API server, ahead of this machine's
		hold    time.Duration
		want    string
		patches int
	}{
		{"until it is resumed", time.Hour, 0, "", 0},
		{"both have the same time", 3 * time.Second, time.Hour, "2026-03-04T11:00:01Z", 0},
		{"this machine's is behind", 2 * time.Hour, time.Hour, "2026-03-04T13:00:01Z", 1},
		{"this machine's is ahead", -2 * time.Hour, time.Hour, "2026-03-04T09:00:01Z", 1},
	} {
		patches := 0
		var halt v1alpha1.Halt
		client := lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := json.NewDecoder(r.Body).Decode(&halt); err != nil {
				t.Error(err)
			}
			if r.Method == http.MethodPatch {
				patches++
			} else {
				halt.CreationTimestamp, halt.ResourceVersion = meta.NewTime(now.Add(test.clock)), "1"
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(halt)
		}))
		order := &v1alpha1.Halt{TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Halt"}, ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: "halt-1", UID: "u1"}}
		given, err := haltOptions{hold: test.hold}.give(t.Context(), client, order, now)
		if err != nil {
			t.Fatalf("%s: %v", test.why, err)
		}
		until := ""
		if given.Spec.Until != nil {
			until = given.Spec.Until.UTC().Format(time.RFC3339)
		}
		if until != test.want || patches != test.patches {
			t.Errorf("%s: it holds until %q after %d patches, want %q after %d", test.why, until, patches, test.want, test.patches)
		}
	}
}
