package main

import (
	"strings"
	"testing"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
)

func TestAKillIsShownWithItsPodsAndProbes(t *testing.T) {
	at := meta.NewMicroTime(now)
	struck := v1alpha1.Kill{
		Spec:   v1alpha1.KillSpec{Planned: at, Targets: []v1alpha1.Target{{Name: "web-1", UID: "1", Node: "node-1"}, {Name: "web-2", UID: "2", Node: "node-2"}}},
		Status: v1alpha1.KillStatus{Pods: []v1alpha1.Death{{Name: "web-1", UID: "1", KilledAt: &at}, {Name: "web-2", UID: "2", Error: "gone"}}},
	}
	rehearsed, spared := struck, struck
	rehearsed.Spec.DryRun = true
	spared.Spec.Targets, spared.Status.Pods = nil, nil
	disproved := struck
	disproved.Status.Probes = []v1alpha1.ProbeResult{
		{Hypothesis: "serves", Probe: "healthz", Met: true, Worst: "200 in 12ms", WrongFor: meta.Duration{Duration: 400 * time.Millisecond}, Samples: 31},
		{Hypothesis: "errors", Probe: "rate", Worst: "0.31,\nwant 0.01 at most", WrongFor: meta.Duration{Duration: 12500 * time.Millisecond}, Samples: 30},
	}
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
		{"it broke a hypothesis", disproved, `
POD     NODE     KILLED                     ERROR
web-1   node-1   2026-03-04T12:00:00.000Z   
web-2   node-2   no                         gone

PROBE            MET   WRONG FOR   ASKED   WORST
serves/healthz   yes   400ms       31      200 in 12ms
errors/rate      no    12.5s       30      0.31, want 0.01 at most
`},
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
