// Package faults breaks what Caprice stands on, request by request, and reads from the audit log what it did then.
package faults

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

var (
	program string
	full    = os.Getenv("FAULTS") == "full" // all there is, with limits on how long things take
	summary report
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "faults")
		if err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		program = filepath.Join(dir, "caprice")
		build := exec.Command("go", "build", "-o", program, "caprice/cmd/caprice")
		build.Dir, build.Stderr = lab.Root(), os.Stderr
		if err := build.Run(); err != nil {
			return 1
		}
		flag.Parse()
		if err := flag.Set("test.parallel", "8"); err != nil { // most of the time trials wait, and more would starve each other of leases
			panic(err)
		}
		code := m.Run()
		summary.print(os.Stdout)
		return code
	}())
}

// beside runs a test beside the others, unless the times that it takes count.
func beside(t *testing.T) {
	t.Helper()
	if !full {
		t.Parallel()
	}
}

// report is what the tests found, for people.
type report struct {
	mu    sync.Mutex
	lines []string
}

func (r *report) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *report) print(out *os.File) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = fmt.Fprintln(out, strings.Join(r.lines, "\n"))
}

// world is a cluster in which many installations of Caprice run beside each other, each with a namespace of its own and a
// name by which the namespaces begin in which it kills.
type world struct {
	*lab.Lab
	account string // a kubeconfig of what the chart gave its account
}

func newWorld(t *testing.T) *world {
	t.Helper()
	l := lab.Start(t)
	l.Helm(t, "install", "caprice", "helm/caprice", "-n", "caprice", "--create-namespace", "--set", "replicaCount=0")
	l.Kubectl(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: installations}
rules:
  - {apiGroups: [""], resources: [secrets, configmaps], verbs: [create, get, patch]}
  - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create, get, watch, update, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: installations}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: installations}
subjects: [{kind: ServiceAccount, name: caprice, namespace: caprice}]
`, "apply", "-f", "-")
	return &world{l, l.KubeconfigOf(t, "caprice", "caprice")}
}

// in returns a kubeconfig of the account for an installation in a namespace.
func (w *world) in(t *testing.T, namespace string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(w.account)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range config.Contexts {
		c.Namespace = namespace
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func (w *world) namespace(t *testing.T, name string) {
	t.Helper()
	if _, err := w.Client.CoreV1().Namespaces().Create(t.Context(), &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: name}}, meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// deployment is what dies: namespace, name, replicas and more labels are to be filled in.
const deployment = `{"apiVersion": "apps/v1", "kind": "Deployment",
"metadata": {"name": %[1]q, "labels": {"caprice.chaos/enabled": "true", "caprice.chaos/mean-time-between-kills": "10s", %[3]s}},
"spec": {"replicas": %[2]d, "selector": {"matchLabels": {"app": %[1]q}}, "template": {
"metadata": {"labels": {"app": %[1]q}, "annotations": {"cluster.test/stops-after": "200ms"}},
"spec": {"containers": [{"name": "web", "image": "web"}]}}}}`

// deploy creates a Deployment.
func (w *world) deploy(t *testing.T, namespace, name string, replicas int, scale string) {
	t.Helper()
	w.create(t, namespace, fmt.Sprintf(deployment, name, replicas, scale))
}

// slowly returns a Deployment whose pods are Ready only after a while.
func slowly(deployment, after string) string {
	return strings.Replace(deployment, `"annotations": {`, fmt.Sprintf(`"annotations": {"cluster.test/ready-after": %q, `, after), 1)
}

func (w *world) create(t *testing.T, namespace, body string) {
	t.Helper()
	err := w.Client.AppsV1().RESTClient().Post().AbsPath("/apis/apps/v1/namespaces/"+namespace+"/deployments").
		SetHeader("Content-Type", "application/json").Body([]byte(body)).Do(t.Context()).Error()
	if err != nil {
		t.Fatal(err)
	}
}

// whole waits until all replicas of all Deployments of a namespace are available.
func (w *world) whole(t *testing.T, namespace string) {
	t.Helper()
	lab.Eventually(t, "all replicas in "+namespace, func() bool {
		list, err := w.Client.AppsV1().Deployments(namespace).List(t.Context(), meta.ListOptions{})
		if err != nil {
			return false
		}
		for _, d := range list.Items {
			if d.Status.AvailableReplicas != *d.Spec.Replicas {
				return false
			}
		}
		return true
	})
}

// kills returns the records of a namespace.
func (w *world) kills(t *testing.T, namespace string) []v1alpha1.Kill {
	t.Helper()
	raw, err := w.Client.Discovery().RESTClient().Get().AbsPath("/apis/caprice.chaos/v1alpha1/namespaces/" + namespace + "/kills").Do(t.Context()).Raw()
	if err != nil {
		t.Fatal(err)
	}
	var list v1alpha1.KillList
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// plan returns the kills that the Caprice of a release has planned from the day of begin until end.
func (w *world) plan(t *testing.T, release string, begin, end time.Time) []lab.Planned {
	t.Helper()
	planned, err := w.Plan(t.Context(), program, release, begin, end)
	if err != nil {
		t.Fatal(err)
	}
	return planned
}

func (w *world) audit(t *testing.T) lab.Audit {
	t.Helper()
	log, err := w.Audit()
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// process is a running 'caprice run'.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed once it has
	err   error         // by which it ended; read after that
	mu    sync.Mutex
	log   bytes.Buffer
}

// lateGrace is how late kills may be.
const lateGrace = 5 * time.Second

// start runs Caprice for all namespaces whose names begin with scope.
func (w *world) start(t *testing.T, kubeconfig, scope string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(program, "run"), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "CAPRICE_LISTEN=127.0.0.1:0", "CAPRICE_DAYS=Mon-Sun", "CAPRICE_HOURS=00:00-24:00",
		"CAPRICE_NAMESPACES="+scope+"*", "CAPRICE_MIN_AGE=0s", "CAPRICE_DRY_RUN=false", "CAPRICE_MAX_UNRECOVERED=0", "CAPRICE_LATE_GRACE="+lateGrace.String(), "CAPRICE_RECOVERY_DEADLINE=20s")
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("caprice for %s said:\n%s", scope, p.said())
		}
	})
	return p
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

func (p *process) logged(text string) bool { return p.count(text) > 0 }

func (p *process) count(text string) int { return strings.Count(p.said(), text) }

// kill is kill -9. It returns when the process is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop ends it by SIGTERM.
func (p *process) stop(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		p.endedWell(t)
	case <-time.After(20 * time.Second):
		t.Error("it did not end when it was told to")
	}
}

// endedWell wants it to have ended by itself, and with exit code 0.
func (p *process) endedWell(t *testing.T) {
	t.Helper()
	if p.err != nil {
		t.Errorf("it was told to end, and ended by %v:\n%s", p.err, p.said())
	}
}
