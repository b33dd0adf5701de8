package stories

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sigs.k8s.io/yaml"

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
	if out, err := l.Cluster.Helm(t.Context(), "install", "another", "helm/caprice", "-n", "caprice", "--set", "crds.install=false"); err == nil || !strings.Contains(err.Error(), "caprice-self") {
		t.Errorf("a second release in the namespace: %v, want it refused for the Role caprice-self\n%s", err, out)
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
		"pods": "[list watch delete]", "namespaces": "[get list watch]",
		"deployments.apps": "[get list watch]", "statefulsets.apps": "[get list watch]", "daemonsets.apps": "[get list watch]", "replicasets.apps": "[get]",
		"poddisruptionbudgets.policy": "[list]", "events.events.k8s.io": "[create]",
		"kills.caprice.chaos": "[get list watch create patch delete]", "kills.caprice.chaos/status": "[patch]", "halts.caprice.chaos": "[list delete]",
		"leases.coordination.k8s.io": "[create]", "leases.coordination.k8s.io caprice-claim": "[list update]",
		"hypotheses.caprice.chaos": "[list watch]", "hypotheses.caprice.chaos/status": "[patch]", "horizontalpodautoscalers.autoscaling": "[get]",
	}
	self := maps.Clone(everywhere)
	maps.Copy(self, map[string]string{"leases.coordination.k8s.io caprice": "[get watch update]"})
	maps.Copy(self, map[string]string{"secrets": "[create]", "secrets caprice-seed": "[get]", "configmaps caprice-effective": "[create get patch]", "deployments.apps caprice": "[get]"})
	mayDo(t, l, "caprice", self)
	mayDo(t, l, "shop", maps.Clone(everywhere))
	for _, test := range []struct{ set, evict string }{
		{"config.METHOD=evict", "[create]"}, {"config.METHOD=delete,rbac.evict=true", "[create]"}, {"rbac.evict=auto", ""},
		{"config.KILL_MODE=pdb", "[create]"}, {"config.KILL_MODE=fixed,rbac.evict=false", ""},
	} {
		l.Helm(t, "upgrade", "caprice", "helm/caprice", "-n", "caprice", "--reuse-values", "--set", test.set)
		want := maps.Clone(everywhere)
		if test.evict != "" {
			want["pods/eviction"] = test.evict
		}
		mayDo(t, l, "shop", want)
	}
}

func TestWhoMaySeeAndWhoMayHalt(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	install(t, l)
	for _, role := range []string{"view", "edit", "admin"} {
		l.Kubectl(t, "", "create", "rolebinding", role, "-n", "default", "--clusterrole="+role, "--user="+role)
	}
	may := func(user, verb, resource string) bool {
		resource, part, _ := strings.Cut(resource, "/")
		out, _ := l.Cluster.Kubectl(t.Context(), "", "auth", "can-i", verb, resource, "--subresource="+part, "-n", "default", "--as="+user) // exit code 1 says no
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
		{"nor what came of it", "edit", "patch", "kills.caprice.chaos/status", false},
		{"an editor acknowledges", "edit", "patch", "kills.caprice.chaos", true},
		{"a viewer does not", "view", "patch", "kills.caprice.chaos", false},
		{"an admin halts", "admin", "create", "halts.caprice.chaos", true},
		{"a viewer sees hypotheses", "view", "watch", "hypotheses.caprice.chaos", true},
		{"a viewer writes none", "view", "create", "hypotheses.caprice.chaos", false},
		{"an editor writes one", "edit", "update", "hypotheses.caprice.chaos", true},
		{"but not whether it can work", "edit", "patch", "hypotheses.caprice.chaos/status", false},
		{"nor does an admin forge a record", "admin", "delete", "kills.caprice.chaos", false},
	} {
		if got := may(test.user, test.verb, test.resource); got != test.want {
			t.Errorf("%s: %s may %s %s: %t, want %t", test.why, test.user, test.verb, test.resource, got, test.want)
		}
	}
	l.Helm(t, "upgrade", "caprice", "helm/caprice", "-n", "caprice", "--reuse-values", "--set", "guard.enabled=false")
	lab.Eventually(t, "nobody who acknowledges without a guard", func() bool { return !may("edit", "patch", "kills.caprice.chaos") })
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
	account := install(t, l)
	build(t, l)
	l.Kubectl(t, "", "annotate", "deploy/web", "-n", "shop", "caprice.chaos/method=evict")
	c := start(t, account, "CAPRICE_DRY_RUN=false")
	lab.Eventually(t, "a kill that fails, and one that needs no eviction", func() bool {
		return c.logged("verdict=Failed") > 0 && c.logged("pod killed workload=team/StatefulSet/db") > 0
	})
	c.stop(t)
	failed := 0
	for _, k := range recordsOf(t, l, "web") {
		if k.Status.Verdict == "Failed" {
			failed++
			if !strings.Contains(k.Status.Message, "no right to evict, want rbac.evict true in the chart's values") {
				t.Errorf("the record says %q, want what to set", k.Status.Message)
			}
		}
	}
	asked := 0
	for _, r := range l.Removals(t) {
		if r.Evicted {
			asked++
		}
	}
	if failed == 0 || asked != failed {
		t.Errorf("%d kills of five pods failed, and %d evictions were asked for: want one for each kill", failed, asked)
	}
}

func TestAMissingPermissionIsNamedAndHeals(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	binding := l.Kubectl(t, "", "get", "clusterrolebinding", "caprice-caprice", "-o", "yaml")
	l.Kubectl(t, "", "delete", "clusterrolebinding", "caprice-caprice")

	c := start(t, account)
	lab.Eventually(t, "a readiness that names the permission", func() bool {
		code, body := c.ready(t)
		return code == http.StatusServiceUnavailable && strings.Contains(body, "delete pods in all namespaces")
	})
	none := "\ncaprice_missing_permissions 0\n"
	if strings.Contains(page(t, "http://"+c.address(t)+"/metrics"), none) {
		t.Error("the metrics say that no permission is missing")
	}
	l.Kubectl(t, binding, "create", "-f", "-")
	lab.Eventually(t, "readiness once it is given back", func() bool { code, _ := c.ready(t); return code == http.StatusOK })
	if !strings.Contains(page(t, "http://"+c.address(t)+"/metrics"), none) {
		t.Error("the metrics say that a permission is missing still")
	}
	c.stop(t)
}

func TestValuesThatAreWrongAreRefused(t *testing.T) {
	for _, test := range []struct{ why, set string }{
		{"an unknown key", "replica=1"},
		{"an unknown variable", "config.HOUR=10:00-16:00"},
		{"a wrong type", "namespaces=shop"},
		{"a switch that could be meant either way", "config.DRY_RUN=yes"},
		{"a namespace that would end the guard's expression", "config.EXCLUDED_NAMESPACES=kube-*') || ('"},
		{"Secrets for hypotheses", "hypotheses.kinds[0].group=,hypotheses.kinds[0].resources[0]=secrets"},
		{"eviction without the right to evict", "config.METHOD=evict,rbac.evict=false"},
		{"a target without a URL", "notifications.config.targets[0].name=sre"},
		{"notifications of two Secrets", "notifications.existingSecret=mine,notifications.config.cluster=lab"},
		{"notifications of a Secret and a file", "notifications.existingSecret=mine,config.NOTIFICATIONS_FILE=/etc/mine"},
		{"a right to evict that is neither granted nor not", "rbac.evict=maybe"},
		{"a limit that Caprice does not take", "config.MAX_KILLS_PER_DAY=65536"},
		{"what has its place in config", "env[0].name=CAPRICE_HOURS,env[0].value=10:00-16:00"},
	} {
		t.Run(test.why, func(t *testing.T) {
			if out, err := lab.HelmCommand(t.Context(), "", t.TempDir(), "template", "helm/caprice", "--set-string", test.set).CombinedOutput(); err == nil {
				t.Errorf("helm template takes %s:\n%s", test.set, out)
			}
		})
	}
}

// template returns what the chart makes of values.
func template(t *testing.T, args ...string) string {
	t.Helper()
	out, err := lab.HelmCommand(t.Context(), "", t.TempDir(), append([]string{"template", "caprice", "helm/caprice"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func TestTheChartPassesAnEnvironmentOn(t *testing.T) {
	made := template(t, "--set-string", "env[0].name=GOMAXPROCS,env[0].value=2", "-s", "templates/deployment.yaml")
	var d apps.Deployment
	if err := yaml.UnmarshalStrict([]byte(made), &d); err != nil {
		t.Fatal(err)
	}
	want := []core.EnvVar{{Name: "CAPRICE_DEPLOYMENT", Value: "caprice"}, {Name: "CAPRICE_MAY_EVICT", Value: "false"}, {Name: "CAPRICE_REQUIRE_POD_LABEL", Value: "false"}, {Name: "GOMAXPROCS", Value: "2"}}
	if got := d.Spec.Template.Spec.Containers[0].Env; !slices.Equal(got, want) {
		t.Errorf("its environment is %v, want %v", got, want)
	}
}

func TestTheChartMountsWhoIsNotified(t *testing.T) {
	template := func(set string) string { return template(t, "--set", set) }
	const target, variable, mount = "notifications.config.targets[0].name=sre,notifications.config.targets[0].url=", "CAPRICE_NOTIFICATIONS_FILE: /etc/caprice/notifications/notifications.yaml", "mountPath: /etc/caprice/notifications, readOnly: true"
	if none := template("replicaCount=1"); strings.Contains(strings.ToLower(none), "notification") {
		t.Error("without targets there are notifications")
	}
	if mine := template("notifications.existingSecret=mine"); !strings.Contains(mine, variable) || !strings.Contains(mine, mount) || !strings.Contains(mine, "secret: {secretName: \"mine\"}") || strings.Contains(mine, "kind: Secret\n") {
		t.Errorf("a Secret that there is is not mounted:\n%s", mine)
	}
	if null := template("notifications.existingSecret=null"); strings.Contains(strings.ToLower(null), "notification") {
		t.Errorf("a Secret of no name is mounted:\n%s", null)
	}
	first, second := template(target+"ntfy://a/b"), template(target+"ntfy://a/c")
	if !strings.Contains(first, variable) || !strings.Contains(first, "secret: {secretName: \"caprice-notifications\"}") || !strings.Contains(first, "name: \"caprice-notifications\"\n") {
		t.Errorf("targets of the values are not mounted:\n%s", first)
	}
	sum := regexp.MustCompile("checksum/notifications: [0-9a-f]{64}")
	if a, b := sum.FindString(first), sum.FindString(second); a == "" || a == b {
		t.Errorf("a change of the targets does not roll the pod: %q, %q", a, b)
	}
}
