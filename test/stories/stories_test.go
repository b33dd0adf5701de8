// Package stories tells on a real control plane what Caprice promises.
package stories

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/test/lab"
)

var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "stories")
		if err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		program = filepath.Join(dir, "caprice")
		build := exec.Command("go", "build", "-o", program, "caprice/cmd/caprice")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return 1
		}
		flag.Parse()
		if err := flag.Set("test.parallel", "6"); err != nil { // most of the time stories wait
			panic(err)
		}
		return m.Run()
	}())
}

// caprice is a running 'caprice run'.
type caprice struct {
	cmd *exec.Cmd
	mu  sync.Mutex
	log bytes.Buffer
}

func (c *caprice) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.Write(b)
}

func (c *caprice) logged(text string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Count(c.log.String(), text)
}

// matched returns how many lines of the log match an expression.
func (c *caprice) matched(expression string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(regexp.MustCompile(expression).FindAllString(c.log.String(), -1))
}

// start runs Caprice all day and every day, for pods of any age, until stop or the end of the test.
func start(t *testing.T, kubeconfig string, env ...string) *caprice {
	t.Helper()
	c := &caprice{cmd: exec.Command(program, "run")}
	c.cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "CAPRICE_LISTEN=127.0.0.1:0", "CAPRICE_DAYS=Mon-Sun", "CAPRICE_HOURS=00:00-24:00", "CAPRICE_MIN_AGE=0s")
	c.cmd.Env = append(c.cmd.Env, env...)
	c.cmd.Stdout, c.cmd.Stderr = c, c
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		if t.Failed() {
			c.mu.Lock()
			defer c.mu.Unlock()
			t.Logf("caprice said:\n%s", c.log.String())
		}
	})
	return c
}

// stop ends it by SIGTERM; it must say that it ended well.
func (c *caprice) stop(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("caprice ended with %v", err)
	}
}

// install installs the chart without a pod of its own, and returns a kubeconfig of its account.
func install(t *testing.T, l *lab.Lab, values ...string) string {
	t.Helper()
	args := append([]string{"install", "caprice", "helm/caprice", "-n", "caprice", "--create-namespace", "--set", "replicaCount=0"}, values...)
	l.Helm(t, args...)
	return l.KubeconfigOf(t, "caprice", "caprice")
}

// world has every case that matters: opted in by label, by namespace, not at all, opted out inside a namespace that is in,
// a bare pod and another Deployment's pods that share the labels of a victim, and terms that are wrong.
const world = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: team, labels: {caprice.chaos/enabled: "true", caprice.chaos/mean-time-between-kills: 10s}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {caprice.chaos/enabled: "true", caprice.chaos/mean-time-between-kills: 10s, caprice.chaos/kill-mode: kill-all}}
spec:
  replicas: 5
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {cluster.test/stops-after: 200ms}}
    spec: {containers: [{name: web, image: web}]}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: lookalike, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web, lookalike: "yes"}}
  template:
    metadata: {labels: {app: web, lookalike: "yes"}}
    spec: {containers: [{name: web, image: web}]}
---
{apiVersion: v1, kind: Pod, metadata: {name: bare, namespace: shop, labels: {app: web, bare: "yes", pod-template-hash: none}}, spec: {containers: [{name: web, image: web}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: quiet, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: quiet}}
  template: {metadata: {labels: {app: quiet}}, spec: {containers: [{name: web, image: web}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: wrong, namespace: shop, labels: {caprice.chaos/enabled: "true", caprice.chaos/mean-time-between-kills: 10 seconds}}
spec:
  replicas: 2
  selector: {matchLabels: {app: wrong}}
  template: {metadata: {labels: {app: wrong}}, spec: {containers: [{name: web, image: web}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: team}
spec:
  serviceName: db
  replicas: 3
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}, annotations: {cluster.test/stops-after: 200ms}}
    spec: {containers: [{name: web, image: web}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: team, labels: {caprice.chaos/enabled: "false"}}
spec:
  selector: {matchLabels: {app: agent}}
  template: {metadata: {labels: {app: agent}}, spec: {containers: [{name: web, image: web}]}}
`

func build(t *testing.T, l *lab.Lab) {
	t.Helper()
	l.Kubectl(t, strings.ReplaceAll(world, "10 seconds", "10-seconds"), "apply", "-f", "-")
	for _, w := range []string{"shop deploy/web", "shop deploy/quiet", "team sts/db", "team ds/agent"} {
		namespace, name, _ := strings.Cut(w, " ")
		l.Kubectl(t, "", "rollout", "status", "-n", namespace, name, "--timeout=60s")
	}
}

func podsOf(t *testing.T, l *lab.Lab, namespace, selector string) map[string]bool {
	t.Helper()
	list, err := l.Client.CoreV1().Pods(namespace).List(t.Context(), meta.ListOptions{LabelSelector: selector})
	if err != nil {
		t.Fatal(err)
	}
	uids := map[string]bool{}
	for _, p := range list.Items {
		uids[string(p.UID)] = true
	}
	return uids
}

func TestOnlyPodsOfOptedInWorkloadsDie(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	build(t, l)
	spared := map[string]map[string]bool{}
	for _, who := range []string{"shop app=quiet", "shop bare=yes", "shop lookalike=yes", "shop app=wrong", "team app=agent"} {
		namespace, selector, _ := strings.Cut(who, " ")
		spared[who] = podsOf(t, l, namespace, selector)
		if len(spared[who]) == 0 {
			t.Fatalf("there are no pods %s to be spared", who)
		}
	}

	c := start(t, account, "CAPRICE_DRY_RUN=false")
	lab.Eventually(t, "two kills of the Deployment and one of the StatefulSet", func() bool {
		return c.logged("pod killed workload=shop/Deployment/web") >= 10 && c.logged("pod killed workload=team/StatefulSet/db") >= 1
	})
	c.stop(t)

	distinct := map[string]bool{}
	for _, r := range l.Removals(t) {
		switch {
		case r.User != "system:serviceaccount:caprice:caprice":
			t.Errorf("%s removed pod %s/%s", r.User, r.Namespace, r.Pod)
		case r.UID == "":
			t.Errorf("pod %s/%s was removed without a UID precondition", r.Namespace, r.Pod)
		case r.DryRun:
			t.Errorf("pod %s/%s was removed by dry run", r.Namespace, r.Pod)
		case distinct[r.UID]:
			t.Errorf("pod %s/%s was removed twice", r.Namespace, r.Pod)
		case !strings.HasPrefix(r.Pod, "web-") && !strings.HasPrefix(r.Pod, "db-"):
			t.Errorf("pod %s/%s did not opt in", r.Namespace, r.Pod)
		}
		distinct[r.UID] = true
	}
	if len(distinct) < 11 {
		t.Errorf("%d pods died, want at least two times five and one", len(distinct))
	}
	for _, who := range []string{"shop app=quiet", "shop bare=yes", "shop lookalike=yes", "shop app=wrong", "team app=agent"} {
		namespace, selector, _ := strings.Cut(who, " ")
		now := podsOf(t, l, namespace, selector)
		for uid := range spared[who] {
			if !now[uid] {
				t.Errorf("a pod %s did not opt in and is gone", who)
			}
		}
	}

	events := l.Kubectl(t, "", "get", "events", "-A", "--field-selector", "reportingComponent=caprice")
	for _, want := range []string{"PodKilled", "deployment/web", "statefulset/db"} {
		if !strings.Contains(events, want) {
			t.Errorf("kubectl get events does not show %s:\n%s", want, events)
		}
	}
	if got := strings.Count(events, "InvalidTerms"); got != 1 || !strings.Contains(events, "mean-time-between-kills") {
		t.Errorf("wrong terms were told %d times, want once and the label named:\n%s", got, events)
	}
	if described := l.Kubectl(t, "", "describe", "deploy/web", "-n", "shop"); !strings.Contains(described, "PodKilled") {
		t.Errorf("kubectl describe does not show the kill:\n%s", described)
	}
}

func TestADryRunKillsNothing(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	build(t, l)
	before := podsOf(t, l, "", "")
	c := start(t, account)
	lab.Eventually(t, "a rehearsal", func() bool { return c.logged("verdict=Rehearsed") >= 2 })
	c.stop(t)
	for _, r := range l.Removals(t) {
		if !r.DryRun {
			t.Errorf("pod %s/%s was removed for real", r.Namespace, r.Pod)
		}
	}
	after := podsOf(t, l, "", "")
	for uid := range before {
		if !after[uid] {
			t.Errorf("pod %s is gone after a dry run", uid)
		}
	}
	if events := l.Kubectl(t, "", "get", "events", "-A", "--field-selector", "reportingComponent=caprice"); !strings.Contains(events, "KillRehearsed") {
		t.Errorf("kubectl get events does not show the rehearsal:\n%s", events)
	}
}

func TestModePDBEvictsWhatTheBudgetAllows(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l, "--set", "rbac.evict=true")
	build(t, l)
	l.Kubectl(t, `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: shop}
spec: {minAvailable: 3, selector: {matchExpressions: [{key: app, operator: In, values: [web]}, {key: lookalike, operator: DoesNotExist}, {key: bare, operator: DoesNotExist}]}}
`, "apply", "-f", "-")
	l.Kubectl(t, "", "wait", "pdb/web", "-n", "shop", "--for=jsonpath={.status.disruptionsAllowed}=2", "--timeout=60s")
	l.Kubectl(t, "", "label", "deploy/web", "-n", "shop", "--overwrite", "caprice.chaos/kill-mode=pdb")
	l.Kubectl(t, "", "label", "namespace", "team", "--overwrite", "caprice.chaos/enabled=false")

	c := start(t, account, "CAPRICE_DRY_RUN=false")
	lab.Eventually(t, "a kill", func() bool { return c.logged("kill ended workload=shop/Deployment/web") >= 1 })
	c.stop(t)
	removals := l.Removals(t)
	for _, r := range removals {
		if !r.Evicted || r.UID == "" {
			t.Errorf("pod %s/%s was not evicted with a UID precondition: %+v", r.Namespace, r.Pod, r)
		}
	}
	if len(removals) < 2 {
		t.Errorf("%d evictions, want the two that the budget allows", len(removals))
	}
	for _, k := range kills(t, l) {
		if allowed := int32(2); k.Status.Verdict == "Recovered" && (k.Spec.Count != allowed || len(k.Spec.Targets) != int(allowed)) {
			t.Errorf("a kill was of %d pods, and chose %d: want the two that the budget allows", k.Spec.Count, len(k.Spec.Targets))
		}
	}
}

func TestAConfinedInstallationNeedsNoRightsInTheCluster(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	build(t, l)
	// What the cluster's administrator does once.
	l.Kubectl(t, l.Helm(t, "template", "caprice", "helm/caprice", "-n", "caprice", "--set", "namespaces={team}", "-s", "templates/crds.yaml", "-s", "templates/guard.yaml", "-s", "templates/people.yaml"), "apply", "-f", "-")
	account := install(t, l, "--set", "namespaces={team},crds.install=false,guard.enabled=false,rbac.aggregate.view=false,rbac.aggregate.edit=false")
	if objects := l.Helm(t, "get", "manifest", "caprice", "-n", "caprice"); regexp.MustCompile(`(?m)^kind: (Cluster|Custom|Validating)`).MatchString(objects) {
		t.Errorf("the confined chart has objects of the cluster's:\n%s", objects)
	}
	c := start(t, account, "CAPRICE_DRY_RUN=false", "CAPRICE_NAMESPACES=team")
	lab.Eventually(t, "a kill", func() bool { return c.logged("pod killed workload=team/StatefulSet/db") >= 1 })
	c.stop(t)
	for _, r := range l.Removals(t) {
		if r.Namespace != "team" {
			t.Errorf("pod %s/%s was removed", r.Namespace, r.Pod)
		}
	}
}

func TestBadInputGetsOneLine(t *testing.T) {
	for _, test := range []struct{ why, env, want string }{
		{"hours that cannot be read", "CAPRICE_HOURS=10-16", `CAPRICE_HOURS="10-16"`},
		{"a weekday that there is not", "CAPRICE_DAYS=Mon-Fry", `weekday "Fry": want Mon`},
		{"a variable that there is not", "CAPRICE_HOUR=10:00-16:00", "unknown environment variable CAPRICE_HOUR:"},
		{"a switch that could be meant either way", "CAPRICE_DRY_RUN=0", "want true or false"},
		{"an age below zero", "CAPRICE_MIN_AGE=-1m", "want a duration of 0s or more"},
		{"a limit that is too large", "CAPRICE_MAX_KILLS_PER_DAY=100000", "want a whole number from 0 to 65535"},
		{"a minimum above the mean", "CAPRICE_MIN_TIME_BETWEEN_KILLS=3d", "want 1d or less"},
		{"a file that is not there", "CAPRICE_NOTIFICATIONS_FILE=/nowhere", "CAPRICE_NOTIFICATIONS_FILE: open /nowhere"},
		{"an API server that is not there", "KUBECONFIG=/nowhere", "KUBECONFIG"},
	} {
		t.Run(test.why, func(t *testing.T) {
			cmd := exec.Command(program, "run")
			cmd.Env = append(os.Environ(), test.env)
			out, err := cmd.CombinedOutput()
			if err == nil || cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("it ended with %v, want exit code 1", err)
			}
			if text := string(out); strings.Count(text, "\n") != 1 || !strings.Contains(text, test.want) {
				t.Errorf("it printed\n%swant one line with %s", text, test.want)
			}
		})
	}
}
