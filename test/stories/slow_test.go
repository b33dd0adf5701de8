package stories

import (
	"testing"
	"time"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

func TestWhereTheAPIServerIsSlowKillsAreLateAndWhereItIsTooSlowTheyAreSparedAndRecorded(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	between := lab.Away(t, install(t, l))
	build(t, l)
	c := start(t, between.Kubeconfig, "CAPRICE_DRY_RUN=false")
	kills := func() int { return c.logged("pod killed workload=team/StatefulSet/db") }
	another := func(when string) {
		t.Helper()
		before := kills()
		lab.Eventually(t, "a kill "+when, func() bool { return kills() > before })
	}
	another("at once")
	between.Answers(200 * time.Millisecond)
	another("where answers take a while")

	between.Answers(1500 * time.Millisecond)
	begin := time.Now()
	lab.Eventually(t, "records of kills where answers take longer than a halt may", func() bool {
		ended := 0
		for _, k := range recordsOf(t, l, "db") {
			if k.Spec.Planned.After(begin) && k.Status.Phase == v1alpha1.Ended {
				if ended++; k.Status.ExecutedAt != nil || k.Status.Verdict != "Missed" && k.Status.Verdict != "Vetoed" {
					t.Errorf("a kill that was planned for %s ended %s: %s; want it spared", k.Spec.Planned, k.Status.Verdict, k.Status.Message)
				}
			}
		}
		return ended >= 2
	})
	between.Answers(0)
	another("at once again")
	c.stop(t)
}
