package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

func TestTheServerSelectsByVerdict(t *testing.T) {
	verdicts := []v1alpha1.Verdict{"", "Recovered", "NotRecovered", "Vetoed"}
	for _, test := range []struct {
		why   string
		asked []string
		old   bool // it selects by no fields
		want  []string
		sent  int
	}{
		{"all", nil, false, []string{"k0", "k1", "k2", "k3"}, 4},
		{"one", []string{"NotRecovered"}, false, []string{"k2"}, 1},
		{"the same twice", []string{"NotRecovered", "NotRecovered"}, false, []string{"k2"}, 1},
		{"open or vetoed", []string{"Vetoed", "Open"}, false, []string{"k0", "k3"}, 2},
		{"an old server", []string{"NotRecovered"}, true, []string{"k2"}, 4},
	} {
		sent := 0
		client := lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			selector := r.URL.Query().Get("fieldSelector")
			if test.old && selector != "" {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				_ = json.NewEncoder(w).Encode(meta.Status{TypeMeta: meta.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: meta.StatusFailure, Reason: meta.StatusReasonBadRequest, Code: http.StatusBadRequest})
				return
			}
			list := v1alpha1.KillList{TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "KillList"}, ListMeta: meta.ListMeta{ResourceVersion: "1"}}
			for i, verdict := range verdicts {
				if selector == "" || selector == "status.verdict="+string(verdict) || selector == "status.phase!=Ended" && verdict == "" {
					name := fmt.Sprintf("k%d", i)
					list.Items = append(list.Items, v1alpha1.Kill{ObjectMeta: meta.ObjectMeta{Name: name, UID: types.UID(name)}, Status: v1alpha1.KillStatus{Verdict: verdict}})
				}
			}
			sent += len(list.Items)
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(list)
		}))
		h := history{all: true, verdicts: test.asked}
		kills, _, err := h.read(t.Context(), client, time.Now())
		var names []string
		for _, k := range kills {
			names = append(names, k.Name)
		}
		if err != nil || !slices.Equal(names, test.want) || sent != test.sent {
			t.Errorf("%s: %v of %d that were sent (%v), want %v of %d", test.why, names, sent, err, test.want, test.sent)
		}
	}
}
