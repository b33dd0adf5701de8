package stories

import (
	"testing"
	"time"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

func TestWhereTheAPIServerIsTooSlowForAHaltToCountKillsAreSparedAndRecorded(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	between := lab.Away(t, install(t, l))
	build(t, l)
	c := start(t, between.Kubeconfig, "CAPRICE_DRY_RUN=false")
	struck := func(when string) {
		t.Helper()
		since := time.Now()
		lab.Eventually(t, "a kill "+when, func() bool {
			for _, k := range recordsOf(t, l, "db") {
				if k.Spec.Planned.After(since) && k.Status.ExecutedAt != nil {
					return true
				}
			}
			return false
		})
	}
	struck("at once")
	between.Answers(200 * time.Millisecond)
	struck("where answers take a while")

	between.Answers(1200 * time.Millisecond)
	since := time.Now().Add(15 * time.Second) // what was under way is over by then
	lab.Eventually(t, "records of kills where answers take longer than one about halts may", func() bool {
		ended := 0
		for _, k := range recordsOf(t, l, "db") {
			if k.Spec.Planned.After(since) && k.Status.Phase == v1alpha1.Ended {
				if ended++; k.Status.ExecutedAt != nil {
					t.Errorf("a kill that was planned for %s has struck, and ended %s: %s; want it spared", k.Spec.Planned, k.Status.Verdict, k.Status.Message)
				}
			}
		}
		return ended >= 2
	})
	between.Answers(0)
	struck("at once again")
	c.stop(t)
}
