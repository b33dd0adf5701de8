package stories

import (
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/test/lab"
)

func TestTheChartLivesInARestrictedNamespace(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	l.Kubectl(t, "", "create", "namespace", "caprice")
	l.Kubectl(t, "", "label", "namespace", "caprice", "pod-security.kubernetes.io/enforce=restricted")
	hash := func() string {
		l.Kubectl(t, "", "rollout", "status", "deploy/caprice", "-n", "caprice", "--timeout=60s")
		d, err := l.Client.AppsV1().Deployments("caprice").Get(t.Context(), "caprice", meta.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return d.Spec.Template.Annotations["checksum/config"]
	}
	if notes := l.Helm(t, "install", "caprice", "helm/caprice", "-n", "caprice"); !strings.Contains(notes, "kubectl label deployment") || !strings.Contains(notes, "dry run") {
		t.Errorf("the notes do not say the next step:\n%s", notes)
	}
	installed := hash()
	l.Helm(t, "upgrade", "caprice", "helm/caprice", "-n", "caprice", "--set-string", "config.HOURS=09:00-17:00")
	if hash() == installed {
		t.Error("a change of the configuration does not roll the pod")
	}
	l.Helm(t, "rollback", "caprice", "1", "-n", "caprice")
	if hash() != installed {
		t.Error("a rollback does not bring the configuration back")
	}
	l.Kubectl(t, "", "wait", "pod", "-n", "caprice", "-l", "app.kubernetes.io/name=caprice", "--for=condition=Ready", "--timeout=60s")
	l.Helm(t, "uninstall", "caprice", "-n", "caprice", "--wait")
	if left := l.Kubectl(t, "", "get", "deploy,configmap,serviceaccount,role,rolebinding,clusterrole,clusterrolebinding,validatingadmissionpolicy,validatingadmissionpolicybinding", "-A", "-l", "app.kubernetes.io/name=caprice", "-o", "name"); left != "" {
		t.Errorf("uninstall leaves:\n%s", left)
	}
}

// What the account may do, word by word: anything more is a change of this test too.
func TestTheAccountMayDoWhatItNeedsAndNoMore(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	install(t, l)
	everywhere := map[string]string{
		"pods": "[list delete]", "pods/eviction": "[create]", "namespaces": "[get list watch]",
		"deployments.apps": "[get list watch]", "statefulsets.apps": "[get list watch]", "daemonsets.apps": "[get list watch]", "replicasets.apps": "[list]",
		"poddisruptionbudgets.policy": "[list]", "events.events.k8s.io": "[create]",
		"kills.caprice.chaos": "[get list watch create delete]", "kills.caprice.chaos/status": "[patch]", "halts.caprice.chaos": "[get list watch delete]",
	}
	self := maps.Clone(everywhere)
	maps.Copy(self, map[string]string{"leases.coordination.k8s.io": "[create]", "leases.coordination.k8s.io caprice": "[get update patch]"})
	maps.Copy(self, map[string]string{"secrets": "[create]", "secrets caprice-seed": "[get]", "configmaps caprice-effective": "[create get patch]", "deployments.apps caprice": "[get]"})
	mayDo(t, l, "caprice", self)
	mayDo(t, l, "shop", maps.Clone(everywhere))
	l.Helm(t, "upgrade", "caprice", "helm/caprice", "-n", "caprice", "--reuse-values", "--set", "rbac.evict=false")
	delete(everywhere, "pods/eviction")
	mayDo(t, l, "shop", everywhere)
}

func TestWhoMaySeeAndWhoMayHalt(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	install(t, l)
	for _, role := range []string{"view", "edit", "admin"} {
		l.Kubectl(t, "", "create", "rolebinding", role, "-n", "default", "--clusterrole="+role, "--user="+role)
	}
	may := func(user, verb, resource string) bool {
		out, _ := l.Cluster.Kubectl(t.Context(), "", "auth", "can-i", verb, resource, "-n", "default", "--as="+user) // exit code 1 says no
		return strings.HasPrefix(out, "yes")
	}
	lab.Eventually(t, "halting by role edit", func() bool { return may("edit", "create", "halts.caprice.chaos") })
	for _, test := range []struct {
		why, user, verb, resource string
		want                      bool
	}{
		{"a viewer sees kills", "view", "list", "kills.caprice.chaos", true},
		{"and halts", "view", "watch", "halts.caprice.chaos", true},
		{"a viewer does not halt", "view", "create", "halts.caprice.chaos", false},
		{"an editor resumes", "edit", "delete", "halts.caprice.chaos", true},
		{"an editor sees kills", "edit", "get", "kills.caprice.chaos", true},
		{"an editor writes no record", "edit", "create", "kills.caprice.chaos", false},
		{"nor changes one", "edit", "patch", "kills.caprice.chaos/status", false},
		{"an admin halts", "admin", "create", "halts.caprice.chaos", true},
		{"nor does an admin forge a record", "admin", "delete", "kills.caprice.chaos", false},
	} {
		if got := may(test.user, test.verb, test.resource); got != test.want {
			t.Errorf("%s: %s may %s %s: %t, want %t", test.why, test.user, test.verb, test.resource, got, test.want)
		}
	}
	l.Helm(t, "upgrade", "caprice", "helm/caprice", "-n", "caprice", "--reuse-values", "--set", "rbac.aggregate.view=false,rbac.aggregate.edit=false")
	lab.Eventually(t, "roles as they were, once that is switched off", func() bool {
		return !may("edit", "create", "halts.caprice.chaos") && !may("view", "list", "kills.caprice.chaos")
	})
}

// mayDo holds the account's permissions in a namespace to what is wanted: verbs by resource, or by resource and name.
func mayDo(t *testing.T, l *lab.Lab, namespace string, want map[string]string) {
	list := l.Kubectl(t, "", "auth", "can-i", "--list", "-n", namespace, "--as=system:serviceaccount:caprice:caprice")
	row := regexp.MustCompile(`^(\S+)\s+\[.*\]\s+\[(.*)\]\s+(\[.*\])$`)
	for line := range strings.Lines(list) {
		m := row.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || strings.HasPrefix(m[1], "[") || strings.Contains(m[1], "authentication.k8s.io") || strings.Contains(m[1], "authorization.k8s.io") ||
			m[1] == "clustertrustbundles.certificates.k8s.io" {
			continue // what every account may ask
		}
		what := strings.TrimSpace(m[1] + " " + m[2])
		if want[what] != m[3] {
			t.Errorf("%s in namespace %s: %s, want %s", what, namespace, m[3], want[what])
		}
		delete(want, what)
	}
	for what, verbs := range want {
		t.Errorf("%s in namespace %s: nothing, want %s", what, namespace, verbs)
	}
}

func TestAnEvictionWithoutTheRightFails(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l, "--set", "rbac.evict=false")
	build(t, l)
	l.Kubectl(t, "", "annotate", "deploy/web", "-n", "shop", "caprice.chaos/method=evict")
	c := start(t, account, "CAPRICE_DRY_RUN=false")
	lab.Eventually(t, "a kill that fails, and one that needs no eviction", func() bool {
		return c.logged("verdict=Failed") > 0 && c.logged("pod killed workload=team/StatefulSet/db") > 0
	})
	c.stop(t)
	if c.logged("forbidden") == 0 {
		t.Error("it does not say that the eviction is forbidden")
	}
}

func TestAMissingPermissionIsNamedAndHeals(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	binding := l.Kubectl(t, "", "get", "clusterrolebinding", "caprice-caprice", "-o", "yaml")
	l.Kubectl(t, "", "delete", "clusterrolebinding", "caprice-caprice")

	c := start(t, account)
	readyz := func() (int, string) {
		c.mu.Lock()
		m := regexp.MustCompile(`listening address=(\S+)`).FindStringSubmatch(c.log.String())
		c.mu.Unlock()
		if m == nil {
			return 0, ""
		}
		answer, err := http.Get("http://" + m[1] + "/readyz")
		if err != nil {
			return 0, ""
		}
		defer func() { _ = answer.Body.Close() }()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
	lab.Eventually(t, "a readiness that names the permission", func() bool {
		code, body := readyz()
		return code == http.StatusServiceUnavailable && strings.Contains(body, "delete pods in all namespaces")
	})
	l.Kubectl(t, binding, "create", "-f", "-")
	lab.Eventually(t, "readiness once it is given back", func() bool { code, _ := readyz(); return code == http.StatusOK })
	c.stop(t)
}

func TestValuesThatAreWrongAreRefused(t *testing.T) {
	for _, test := range []struct{ why, set string }{
		{"an unknown key", "replica=1"},
		{"an unknown variable", "config.HOUR=10:00-16:00"},
		{"a wrong type", "namespaces=shop"},
		{"a switch that could be meant either way", "config.DRY_RUN=yes"},
		{"a namespace that would end the guard's expression", "config.EXCLUDED_NAMESPACES=kube-*') || ('"},
		{"eviction without the right to evict", "config.METHOD=evict,rbac.evict=false"},
	} {
		t.Run(test.why, func(t *testing.T) {
			if out, err := lab.HelmCommand(t.Context(), "", t.TempDir(), "template", "helm/caprice", "--set-string", test.set).CombinedOutput(); err == nil {
				t.Errorf("helm template takes %s:\n%s", test.set, out)
			}
		})
	}
}
