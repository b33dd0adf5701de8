//go:build e2e

// Package e2e tells on a cluster of the reader's choice what the chart and the image promise: KUBECONFIG names the cluster,
// IMAGE the image, which its nodes must have or be able to pull. It makes namespaces of its own and removes them.
package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	home = "caprice-e2e"       // where Caprice is installed
	shop = "caprice-e2e-shop"  // where its victims are
	rest = "caprice-e2e-other" // opted out of a confined installation
)

// world is a cluster with the chart installed.
type world struct {
	*testing.T
	client kubernetes.Interface
	image  string
}

func start(t *testing.T) *world {
	w := &world{T: t, image: os.Getenv("IMAGE")}
	if os.Getenv("KUBECONFIG") == "" || !strings.Contains(w.image, ":") {
		t.Fatal("want KUBECONFIG=FILE and IMAGE=NAME:TAG, as in: make e2e IMAGE=caprice:dev")
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	if w.client, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{home, shop, rest} {
		labels := map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}
		if _, err := w.client.CoreV1().Namespaces().Create(t.Context(), &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: name, Labels: labels}}, meta.CreateOptions{}); err != nil {
			t.Fatalf("%v: want a cluster in which no earlier run is under way", err)
		}
		t.Cleanup(func() { w.remove(name) })
	}
	return w
}

// remove deletes a namespace and waits until it is gone.
func (w *world) remove(namespace string) {
	ctx := context.WithoutCancel(w.Context())
	if err := w.client.CoreV1().Namespaces().Delete(ctx, namespace, meta.DeleteOptions{}); err != nil {
		w.Error(err)
	}
	err := wait.PollUntilContextTimeout(ctx, time.Second, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		_, err := w.client.CoreV1().Namespaces().Get(ctx, namespace, meta.GetOptions{})
		return err != nil, nil
	})
	if err != nil {
		w.Errorf("namespace %s does not go: %v", namespace, err)
	}
}

func (w *world) helm(args ...string) string {
	w.Helper()
	_, file, _, _ := runtime.Caller(0)
	dir := w.TempDir()
	cmd := exec.CommandContext(w.Context(), "go", append([]string{"tool", "-modfile=tools/go.mod", "helm"}, args...)...)
	cmd.Dir = filepath.Dir(filepath.Dir(filepath.Dir(file)))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "HELM_CONFIG_HOME="+dir, "HELM_CACHE_HOME="+dir, "HELM_DATA_HOME="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// install installs the chart, and uninstalls it when the test ends.
func (w *world) install(values ...string) {
	w.Helper()
	cut := strings.LastIndex(w.image, ":")
	args := []string{"install", "caprice", "helm/caprice", "-n", home, "--wait", "--timeout", "2m",
		"--set", "image.repository=" + w.image[:cut], "--set", "image.tag=" + w.image[cut+1:], "--set", "config.DAYS=Mon-Sun,config.HOURS=00:00-24:00,config.MIN_AGE=0s"}
	w.helm(append(args, values...)...)
	w.helm("test", "caprice", "-n", home, "--timeout", "1m")
}

// deploy makes a Deployment of three pods that do nothing but answer to /healthz: Caprice itself, with an account that may not
// do anything.
func (w *world) deploy(namespace, name string, labels map[string]string, change ...func(*apps.Deployment)) {
	w.Helper()
	replicas, no, user := int32(3), false, int64(65532)
	yes, grace := true, int64(2)
	pod := core.PodSpec{
		EnableServiceLinks:            &no,
		TerminationGracePeriodSeconds: &grace,
		SecurityContext:               &core.PodSecurityContext{RunAsNonRoot: &yes, RunAsUser: &user, SeccompProfile: &core.SeccompProfile{Type: core.SeccompProfileTypeRuntimeDefault}},
		Containers: []core.Container{{
			Name: "idle", Image: w.image, Args: []string{"run"},
			SecurityContext: &core.SecurityContext{AllowPrivilegeEscalation: &no, Capabilities: &core.Capabilities{Drop: []core.Capability{"ALL"}}},
		}},
	}
	app := map[string]string{"app": name}
	d := &apps.Deployment{
		ObjectMeta: meta.ObjectMeta{Name: name, Labels: labels},
		Spec: apps.DeploymentSpec{Replicas: &replicas, Selector: &meta.LabelSelector{MatchLabels: app},
			Template: core.PodTemplateSpec{ObjectMeta: meta.ObjectMeta{Labels: app}, Spec: pod}},
	}
	for _, f := range change {
		f(d)
	}
	if _, err := w.client.AppsV1().Deployments(namespace).Create(w.Context(), d, meta.CreateOptions{}); err != nil {
		w.Fatal(err)
	}
	w.eventually(namespace+"/"+name+" to be whole", func() bool {
		d, err := w.client.AppsV1().Deployments(namespace).Get(w.Context(), name, meta.GetOptions{})
		return err == nil && d.Status.AvailableReplicas == *d.Spec.Replicas
	})
}

func (w *world) pods(namespace, name string) map[string]bool {
	w.Helper()
	list, err := w.client.CoreV1().Pods(namespace).List(w.Context(), meta.ListOptions{LabelSelector: "app=" + name})
	if err != nil {
		w.Fatal(err)
	}
	uids := map[string]bool{}
	for _, p := range list.Items {
		uids[string(p.UID)] = true
	}
	return uids
}

// told is how many Events of a reason there are.
func (w *world) told(namespace, reason string) int {
	w.Helper()
	list, err := w.client.EventsV1().Events(namespace).List(w.Context(), meta.ListOptions{FieldSelector: "reportingController=caprice,reason=" + reason})
	if err != nil {
		w.Fatal(err)
	}
	return len(list.Items)
}

func (w *world) eventually(what string, done func() bool) {
	w.Helper()
	err := wait.PollUntilContextTimeout(w.Context(), 200*time.Millisecond, 2*time.Minute, true, func(context.Context) (bool, error) { return done(), nil })
	if err != nil {
		w.Fatalf("waited for %s in vain", what)
	}
}

func survived(before, now map[string]bool) bool {
	for uid := range before {
		if !now[uid] {
			return false
		}
	}
	return true
}

var often = map[string]string{"caprice.chaos/enabled": "true", "caprice.chaos/mean-time-between-kills": "10s"}

func TestADryRunThenKillsThenNothingLeft(t *testing.T) {
	w := start(t)
	w.deploy(shop, "web", often)
	w.deploy(shop, "quiet", nil)
	web, quiet := w.pods(shop, "web"), w.pods(shop, "quiet")

	w.install()
	w.eventually("a rehearsal", func() bool { return w.told(shop, "KillRehearsed") > 0 })
	if !survived(web, w.pods(shop, "web")) {
		t.Error("a pod is gone after a dry run")
	}

	w.helm("upgrade", "caprice", "helm/caprice", "-n", home, "--reuse-values", "--set", "config.DRY_RUN=false", "--wait", "--timeout", "2m")
	w.eventually("two kills", func() bool { return w.told(shop, "PodKilled") > 1 })
	if survived(web, w.pods(shop, "web")) {
		t.Error("no pod is gone, and Events say that some were killed")
	}
	if !survived(quiet, w.pods(shop, "quiet")) {
		t.Error("a pod of a Deployment that did not opt in is gone")
	}

	w.helm("rollback", "caprice", "1", "-n", home, "--wait", "--timeout", "2m")
	w.helm("uninstall", "caprice", "-n", home, "--wait", "--timeout", "2m")
	w.eventually("web to be whole again", func() bool {
		d, err := w.client.AppsV1().Deployments(shop).Get(w.Context(), "web", meta.GetOptions{})
		return err == nil && d.Status.AvailableReplicas == 3
	})
}

func TestConfinedToANamespace(t *testing.T) {
	w := start(t)
	w.deploy(shop, "web", often)
	w.deploy(rest, "web", often)
	other := w.pods(rest, "web")
	w.install("--set", "namespaces={"+shop+"}", "--set", "config.DRY_RUN=false",
		"--set", `ics.past\.ics=BEGIN:VCALENDAR
BEGIN:VEVENT
SUMMARY:Past
DTSTART;VALUE=DATE:20200101
END:VEVENT
END:VCALENDAR`)
	w.eventually("a kill", func() bool { return w.told(shop, "PodKilled") > 0 })
	if !survived(other, w.pods(rest, "web")) || w.told(rest, "PodKilled") > 0 {
		t.Error("a pod outside its namespaces is gone")
	}
	w.helm("uninstall", "caprice", "-n", home, "--wait", "--timeout", "2m")
}
