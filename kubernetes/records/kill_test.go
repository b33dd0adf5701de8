package records

import (
	"strings"
	"testing"
	"time"

	"caprice/chaos"
)

func TestWhatAProbeFoundIsWrittenDown(t *testing.T) {
	at := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	s := newStatus(chaos.Outcome{Ended: true, Verdict: chaos.Disproved, Findings: []chaos.Finding{
		{Hypothesis: "slo", Probe: "serves", Worst: strings.Repeat("x", 300), WrongFor: 1234567 * time.Microsecond, Samples: 3, Since: at},
	}})
	if len(s.Probes) != 1 {
		t.Fatalf("probes are %+v, want one", s.Probes)
	}
	if p := s.Probes[0]; p.Hypothesis != "slo" || p.Probe != "serves" || p.Met || len(p.Worst) != 256 || p.WrongFor.Duration != 1235*time.Millisecond || p.Samples != 3 || !p.Since.Time.Equal(at) {
		t.Errorf("found %+v", p)
	}
}
