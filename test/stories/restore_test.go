package stories

import (
	"strings"
	"testing"
	"time"

	"caprice/test/lab"
)

// It runs by itself: the cluster comes back three times.
func TestWhatIsRestoredFromABackupIsReadAnew(t *testing.T) {
	l := lab.Start(t)
	account := install(t, l)
	build(t, l)
	l.Kubectl(t, "", "label", "namespace", "team", "caprice.chaos/enabled=false", "--overwrite")
	c := start(t, account, "CAPRICE_DRY_RUN=false")
	lab.Eventually(t, "a kill", func() bool { return c.logged("pod killed workload=shop/Deployment/web") > 0 })
	l.Backup(t)
	l.Kubectl(t, "", "label", "deploy/web", "-n", "shop", "caprice.chaos/enabled=false", "--overwrite")
	l.Kubectl(t, "", "label", "deploy/quiet", "-n", "shop", "caprice.chaos/enabled=true", "caprice.chaos/mean-time-between-kills=10s")
	lab.Eventually(t, "a kill that the backup knows nothing of", func() bool { return c.logged("pod killed workload=shop/Deployment/quiet") > 0 })
	l.Restore(t)
	restored := time.Now()
	lab.Eventually(t, "that it says why it ends", func() bool { return c.logged("the API server has gone back to versions from before") > 0 })
	if err := c.cmd.Wait(); c.cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("it ended with %v; want exit code 1", err)
	}

	next := start(t, account, "CAPRICE_DRY_RUN=false")
	lab.Eventually(t, "a kill of what is opted in as in the backup", func() bool { return next.logged("pod killed workload=shop/Deployment/web") > 0 })
	next.stop(t)
	for _, r := range l.Removals(t) {
		if r.At.After(restored) && !strings.HasPrefix(r.Pod, "web-") {
			t.Errorf("pod %s/%s is not opted in as in the backup, and was removed", r.Namespace, r.Pod)
		}
	}
	for instant := range next.planned("shop/Deployment/web", "(Recovered|NotRecovered)") {
		if c.planned("shop/Deployment/web", "Recovered")[instant] {
			t.Errorf("the kill of %s was carried out before the restore, and after it", instant)
		}
	}
}
