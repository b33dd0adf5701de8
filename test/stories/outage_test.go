package stories

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

// planned are the instants of the kills of a workload that a log tells of; of those with a verdict, if one is named.
func (c *caprice) planned(workload, verdict string) map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	instants := map[string]bool{}
	for _, m := range regexp.MustCompile(`kill ended workload=`+workload+` planned=(\S+) verdict=`+verdict).FindAllStringSubmatch(c.log.String(), -1) {
		instants[m[1]] = true
	}
	return instants
}

// It runs by itself: beside five others an API server takes half a minute to come back, and what died meanwhile as long to heal.
func TestThePlanGoesOnWhenTheAPIServerComesBack(t *testing.T) {
	l := lab.Start(t)
	account := install(t, l)
	build(t, l)
	for _, test := range []struct {
		why             string
		order, reversal string
	}{
		{"the API server is gone", "stop kube-apiserver", "start kube-apiserver"},
		{"the API server hangs", "pause kube-apiserver", "resume kube-apiserver"},
		{"etcd is gone", "stop etcd", "start etcd"},
	} {
		t.Run(test.why, func(t *testing.T) {
			c := start(t, account, "CAPRICE_DRY_RUN=false")
			kill := "pod killed workload=shop/Deployment/web"
			lab.Eventually(t, "a kill before the outage", func() bool { return c.logged(kill) >= 1 })
			planned := instants(t, l, time.Now(), "shop", "web")
			l.Order(t, test.order)
			lab.Eventually(t, "the end of its lead", func() bool { return c.logged("leading no more") >= 1 })
			missed := planned[slices.IndexFunc(planned, func(at time.Time) bool { return at.After(time.Now()) })]
			lab.Eventually(t, "an instant of the plan that nobody can keep", func() bool { return time.Now().After(missed) })
			before := c.logged(kill)
			l.Order(t, test.reversal)
			lab.Eventually(t, "a kill after the outage", func() bool { return c.logged(kill) > before })
			lab.Eventually(t, "a record of the kill that was missed", func() bool {
				k, ok := recordsOf(t, l, "web")[missed.UnixMilli()]
				return ok && k.Status.Phase == v1alpha1.Ended
			})
			c.stop(t)

			told, twice := c.planned("shop/Deployment/web", ""), map[string]bool{}
			if len(told) != c.logged("kill ended workload=shop/Deployment/web") {
				t.Errorf("%d kills ended for %d instants of the plan", c.logged("kill ended workload=shop/Deployment/web"), len(told))
			}
			for _, r := range l.Removals(t) {
				if r.Accepted && twice[r.UID] {
					t.Errorf("pod %s/%s was removed twice", r.Namespace, r.Pod)
				}
				twice[r.UID] = twice[r.UID] || r.Accepted
			}
		})
	}
}

func TestKillsGoOnWhereNobodyReadsTheLog(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	build(t, l)
	unread, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unread.Close() }()
	if err := stderr.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	room := 0 // until there is none
	for err == nil {
		var n int
		n, err = stderr.Write(make([]byte, 4096))
		room += n
	}
	cmd := exec.Command(program, "run")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+account, "CAPRICE_LISTEN=127.0.0.1:0", "CAPRICE_DAYS=Mon-Sun", "CAPRICE_HOURS=00:00-24:00", "CAPRICE_MIN_AGE=0s", "CAPRICE_DRY_RUN=false")
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	_ = stderr.Close()
	lab.Eventually(t, "kills", func() bool {
		return len(slices.DeleteFunc(kills(t, l), func(k v1alpha1.Kill) bool { return k.Status.Verdict != "Recovered" })) > 4
	})
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if log, err := io.ReadAll(unread); err != nil || len(log) != room {
		t.Errorf("the log has %d bytes, %v, want the %d that were there before", len(log), err, room)
	}
}

func TestASignalEndsWhatWaitsForInput(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(program, "check", "-f", "-")
	cmd.Env = append(os.Environ(), "KUBECONFIG=/nowhere")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(stdin, strings.Repeat("# more than a pipe holds\n", 10_000)); err != nil { // it reads by then
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("it ended with %v, want exit code 130", err)
	}
}

func TestItEndsWhenToldWhileTheAPIServerHangs(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	build(t, l)
	c := start(t, account, "CAPRICE_DRY_RUN=false")
	lab.Eventually(t, "a kill", func() bool { return c.logged("kill ended") >= 1 })
	l.Order(t, "pause kube-apiserver")
	told := time.Now()
	c.stop(t)
	t.Logf("it took %s", time.Since(told))
}
