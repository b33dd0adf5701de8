package stories

import (
	"strings"
	"testing"
	"time"

	"caprice/test/lab"
)

// It runs by itself: the cluster comes back twice. The process that led when the backup was made is gone when it is restored.
func TestWhatIsRestoredFromABackupIsReadAnew(t *testing.T) {
	l := lab.Start(t)
	account := install(t, l)
	build(t, l)
	const web, db = "shop/Deployment/web", "team/StatefulSet/db"
	kill := func(c *caprice, workload string) func() bool {
		return func() bool { return len(c.planned(workload, "Recovered")) > 0 } // it has ended, so that its leader has settled it
	}
	l.Kubectl(t, "", "label", "namespace", "team", "caprice.chaos/enabled=false", "--overwrite")
	first := start(t, account, "CAPRICE_DRY_RUN=false")
	lab.Eventually(t, "a kill", kill(first, web))
	l.Backup(t)
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	second := start(t, account, "CAPRICE_DRY_RUN=false")
	l.Kubectl(t, "", "label", "namespace", "team", "caprice.chaos/enabled=true", "--overwrite")
	lab.Eventually(t, "a kill of what is not opted in by the backup", kill(second, db))
	lab.Eventually(t, "a kill that the backup knows nothing of", kill(second, web))
	l.Restore(t)
	restored := time.Now()
	lab.Eventually(t, "that it says why it ends", func() bool { return second.logged("the API server has gone back to versions from before") > 0 })
	if err := second.cmd.Wait(); second.cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("it ended with %v; want exit code 1", err)
	}

	third := start(t, account, "CAPRICE_DRY_RUN=false")
	lab.Eventually(t, "a kill after the restore", kill(third, web))
	third.stop(t)
	for _, r := range l.Removals(t) {
		if r.At.After(restored) && !strings.HasPrefix(r.Pod, "web-") {
			t.Errorf("pod %s/%s is not opted in by the backup, and was removed", r.Namespace, r.Pod)
		}
	}
	done := second.planned(web, "")
	for instant := range third.planned(web, "") {
		if done[instant] {
			t.Errorf("the kill of %s was carried out before the restore, and is due again after it", instant)
		}
	}
}
