package main

import (
	"strings"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
)

func TestAKillIsShownWithItsPods(t *testing.T) {
	at := meta.NewMicroTime(now)
	struck := v1alpha1.Kill{
		Spec:   v1alpha1.KillSpec{Planned: at, Targets: []v1alpha1.Target{{Name: "web-1", UID: "1", Node: "node-1"}, {Name: "web-2", UID: "2", Node: "node-2"}}},
		Status: v1alpha1.KillStatus{Pods: []v1alpha1.Death{{Name: "web-1", UID: "1", KilledAt: &at}, {Name: "web-2", UID: "2", Error: "gone"}}},
	}
	rehearsed, spared := struck, struck
	rehearsed.Spec.DryRun = true
	spared.Spec.Targets, spared.Status.Pods = nil, nil
	for _, test := range []struct {
		why  string
		kill v1alpha1.Kill
		want string // below the first table
	}{
		{"it struck", struck, `
POD     NODE     KILLED                     ERROR
web-1   node-1   2026-03-04T12:00:00.000Z   
web-2   node-2   no                         gone
`},
		{"it was rehearsed", rehearsed, `
POD     NODE     REHEARSED                  ERROR
web-1   node-1   2026-03-04T12:00:00.000Z   
web-2   node-2   no                         gone
`},
		{"nothing was chosen", spared, ""},
	} {
		if got := shown(t, test.kill); got != test.want {
			t.Errorf("%s: it shows\n%s\nwant\n%s", test.why, got, test.want)
		}
	}
}

// shown returns what people see of a kill below the first table.
func shown(t *testing.T, k v1alpha1.Kill) string {
	t.Helper()
	var text strings.Builder
	if err := printKill(&text, &k); err != nil {
		t.Fatal(err)
	}
	_, below, more := strings.Cut(text.String(), "\n\n")
	if !more {
		return ""
	}
	return "\n" + below
}
