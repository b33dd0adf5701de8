package stories

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"caprice/test/lab"
)

// Each story in testdata is what a person types at a command line, and what comes back from a real cluster of its own with
// Caprice installed and none of its pods running. caprice is there by all its names, and kubectl beside it.
func TestTheCommandLineInACluster(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       os.Getenv("UPDATE_STORIES") != "",
		RequireExplicitExec: true,
		Setup:               func(env *testscript.Env) error { return setUp(t.Context(), env) },
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"await": await, "publish": publish, "lead": lead, "records": records},
	})
}

func setUp(ctx context.Context, env *testscript.Env) error {
	cluster, err := lab.Boot(filepath.Join(env.WorkDir, ".cluster"))
	if err != nil {
		return err
	}
	env.Defer(func() {
		if err := cluster.Close(); err != nil {
			env.T().Log(err)
		}
	})
	bin := filepath.Join(env.WorkDir, ".bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"caprice", "kubectl-caprice", "kubectl_complete-caprice"} {
		if err := os.Symlink(program, filepath.Join(bin, name)); err != nil {
			return err
		}
	}
	if err := cluster.InstallKubectl(bin); err != nil {
		return err
	}
	env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
	env.Setenv("KUBECONFIG", cluster.Kubeconfig)
	env.Setenv("KUBECACHEDIR", filepath.Join(env.WorkDir, ".cache"))
	env.Setenv("ROOT", lab.Root())
	env.Setenv("ANOTHER_DAY", time.Now().UTC().AddDate(0, 0, 3).Format("Mon"))
	if _, err = cluster.Helm(ctx, "install", "caprice", "helm/caprice", "-n", "caprice", "--create-namespace", "--set", "replicaCount=0"); err != nil {
		return err
	}
	return cluster.AccountKubeconfig(ctx, filepath.Join(env.WorkDir, ".account"), "caprice", "caprice")
}

// publish runs Caprice with some variables until it has said what it does, and ends it.
func publish(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command(program, "run")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+ts.MkAbs(".account"), "CAPRICE_LISTEN=127.0.0.1:0")
	cmd.Env = append(cmd.Env, args...)
	said, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	published := false
	for lines := bufio.NewScanner(said); lines.Scan(); {
		ts.Logf("%s", lines.Text())
		if strings.Contains(lines.Text(), "configuration published") {
			published = true
			ts.Check(cmd.Process.Signal(syscall.SIGTERM))
		}
	}
	ts.Check(cmd.Wait())
	if !published {
		ts.Fatalf("caprice did not publish its configuration")
	}
}

// lead runs Caprice with some variables until the story ends.
func lead(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command(program, "run")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+ts.MkAbs(".account"), "CAPRICE_LISTEN=127.0.0.1:0")
	cmd.Env = append(cmd.Env, args...)
	log, err := os.Create(ts.MkAbs(".log"))
	ts.Check(err)
	cmd.Stderr = log
	ts.Check(cmd.Start())
	ts.Defer(func() {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
		err := cmd.Wait()
		said, unread := os.ReadFile(log.Name())
		ts.Logf("%s", said)
		ts.Check(errors.Join(err, unread, log.Close()))
	})
}

// await runs a program until what it prints has a pattern, or with ! has it no more.
func await(ts *testscript.TestScript, negated bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: await PATTERN PROGRAM ARGUMENTS")
	}
	pattern := regexp.MustCompile("(?m)" + args[0])
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		cmd := exec.Command(filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], args[1]), args[2:]...)
		cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "KUBECONFIG=" + ts.Getenv("KUBECONFIG"), "HOME=" + ts.Getenv("HOME")}
		cmd.Dir = ts.Getenv("WORK")
		out, err := cmd.CombinedOutput()
		if pattern.Match(bytes.TrimSpace(out)) != negated {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%v did not come to say %q: %v\n%s", args[1:], args[0], err, out)
		}
	}
}

// records writes records of today in Tokyo in namespace shop, by these names.
func records(ts *testscript.TestScript, _ bool, names []string) {
	zone, err := time.LoadLocation("Asia/Tokyo")
	ts.Check(err)
	today := time.Now().In(zone).Format(time.DateOnly)
	for _, name := range names {
		ts.Check(ts.Exec("sh", "-c", fmt.Sprintf(`kubectl create --as=system:serviceaccount:tools:writer --as-group=system:masters -f - <<EOF
apiVersion: caprice.chaos/v1alpha1
kind: Kill
metadata: {name: %s, namespace: shop, labels: {caprice.chaos/date: "%s"}}
spec: {workload: {kind: Deployment, name: web, uid: u1}, planned: "2026-03-04T10:15:00.000000Z", date: "%[2]s", mode: fixed, count: 1, method: delete, holder: h, nonce: once, actBefore: "2026-03-04T10:16:00.000000Z"}
EOF`, name, today)))
	}
}
