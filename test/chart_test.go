package test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"caprice/chaos"
	"caprice/test/lab"
)

// chart returns what the chart makes of values in a namespace, or why it refuses them.
func chart(t *testing.T, release, namespace string, args ...string) (string, error) {
	t.Helper()
	out, err := lab.HelmCommand(t.Context(), "", t.TempDir(), append([]string{"template", release, "helm/caprice", "-n", namespace}, args...)...).CombinedOutput()
	return string(out), err
}

func TestTheChartSaysWhatItWantsInstead(t *testing.T) {
	const refused = "refuse every eviction: want config.METHOD delete"
	verdicts := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(chaos.Verdicts)), ","), "[]")
	for _, test := range []struct{ why, set, says string }{
		{"plain names, which want a Role each", `config.NAMESPACES=shop\,team`, "want namespaces instead"},
		{"a glob among them, which wants none", `config.NAMESPACES=shop\,team-*`, ""},
		{"a namespace of the cluster's", "namespaces={shop,kube-system}", "namespaces has kube-system"},
		{"its own", "namespaces={caprice}", "namespaces has caprice"},
		{"one that is excluded as well", "namespaces={vault},config.EXCLUDED_NAMESPACES=va*", "namespaces has vault"},
		{"a set without an end", "config.EXCLUDED_NAMESPACES=kube-[", "/config/EXCLUDED_NAMESPACES"},
		{"all but a set, as shells have it", "config.NAMESPACES=[!p]*", "/config/NAMESPACES"},
		{"all but a set", "config.NAMESPACES=[^p]*", ""},
		{"one of several, as an expression has it", `config.PROBE_NAMESPACES=(shop|team)-*`, "/config/PROBE_NAMESPACES"},
		{"a set from its end", "config.EXCLUDED_NAMESPACES=[z-a]", "config.EXCLUDED_NAMESPACES cannot be read: want globs"},
		{"a set from its end, without the guard", "config.EXCLUDED_NAMESPACES=[z-a],guard.enabled=false", "config.EXCLUDED_NAMESPACES cannot be read: want globs"},
		{"a set from its end, of probes", "config.PROBE_NAMESPACES=[z-a]", "config.PROBE_NAMESPACES cannot be read: want globs"},
		{"pods that show a label, and evictions that do not", "guard.requirePodLabel=true,config.METHOD=evict", refused},
		{"evictions by the mode", "guard.requirePodLabel=true,config.KILL_MODE=pdb", refused},
		{"evictions that owners ask for", "guard.requirePodLabel=true,rbac.evict=true", refused},
		{"evictions, and a guard that an administrator applies", "guard.enabled=false,guard.requirePodLabel=true,rbac.evict=true", refused},
		{"the account of whoever names none", "serviceAccount.create=false", "wants serviceAccount.name"},
		{"the account of all others", "serviceAccount.create=false,serviceAccount.name=default", "is the account of other pods of the namespace too"},
		{"an account that there is", "serviceAccount.create=false,serviceAccount.name=mine", ""},
		{"a percentage of nothing", "config.KILL_MODE=random-max-percent", "wants config.KILL_VALUE"},
		{"a digest cut short", "image.digest=sha256:12ab", "/image/digest"},
		{"a tag in the repository", "image.repository=example/caprice:1", "/image/repository"},
		{"an image of no name", "image.repository=null", "'repository'"},
		{"no link to the runbook", "metrics.rules.enabled=true,metrics.rules.runbook=null", ""},
		{"a registry's port", "image.repository=example:5000/caprice", ""},
		{"a mean in no unit", "config.MEAN_TIME_BETWEEN_KILLS=2x", "/config/MEAN_TIME_BETWEEN_KILLS"},
		{"a mean of no days", "config.MEAN_TIME_BETWEEN_KILLS=0.0d", "config.MEAN_TIME_BETWEEN_KILLS 0.0d: want 0.0005d or more"},
		{"the shortest mean, in days", "config.MEAN_TIME_BETWEEN_KILLS=0.0005d", ""},
		{"a mean below the shortest", "config.MEAN_TIME_BETWEEN_KILLS=9s", "config.MEAN_TIME_BETWEEN_KILLS 9s: want 0.0005d or more, or 10s"},
		{"a mean of half seconds", "config.MEAN_TIME_BETWEEN_KILLS=10.5s", "in whole seconds"},
		{"a minimum beyond a day", "config.MIN_TIME_BETWEEN_KILLS=1.5d", "config.MIN_TIME_BETWEEN_KILLS 1.5d: want 1d or less"},
		{"a minimum above the mean", "config.MEAN_TIME_BETWEEN_KILLS=60m,config.MIN_TIME_BETWEEN_KILLS=61m", "config.MIN_TIME_BETWEEN_KILLS 61m: want no more than config.MEAN_TIME_BETWEEN_KILLS, 60m"},
		{"a minimum of the mean", "config.MEAN_TIME_BETWEEN_KILLS=60m,config.MIN_TIME_BETWEEN_KILLS=1h", ""},
		{"a minimum of none", "config.MIN_TIME_BETWEEN_KILLS=0d", ""},
		{"a mean of a day and a half", "config.MEAN_TIME_BETWEEN_KILLS=1.5d", ""},
		{"a mean in hours and minutes", "config.MEAN_TIME_BETWEEN_KILLS=1h30m", ""},
		{"hours without an end", "config.HOURS=10:00", "/config/HOURS"},
		{"several hours", `config.HOURS=09:00-12:00\, 13:00-17:00`, ""},
		{"a deadline without a unit", "config.RECOVERY_DEADLINE=x90", "/config/RECOVERY_DEADLINE"},
		{"a deadline of no number", "config.RECOVERY_DEADLINE=.s", "/config/RECOVERY_DEADLINE"},
		{"a deadline of no time", "config.RECOVERY_DEADLINE=0.0s", "config.RECOVERY_DEADLINE 0.0s: want 1s to 24h"},
		{"no time to be late", "config.LATE_GRACE=0s", "config.LATE_GRACE 0s: want 1s to 24h"},
		{"days to be late", "config.LATE_GRACE=48h", "config.LATE_GRACE 48h: want 1s to 24h"},
		{"the shortest and the longest that is waited", "config.LATE_GRACE=0.5s500000000ns,config.RECOVERY_DEADLINE=23h59m60s,config.GRACE_PERIOD=24h", ""},
		{"a moment more than the longest", "config.RECOVERY_DEADLINE=24h1ms", "config.RECOVERY_DEADLINE 24h1ms: want 1s to 24h"},
		{"more than a day to stop", "config.GRACE_PERIOD=25h", "config.GRACE_PERIOD 25h: want 1s to 24h in whole seconds"},
		{"a part of a second to stop", "config.GRACE_PERIOD=0.11m", "config.GRACE_PERIOD 0.11m: want 1s to 24h in whole seconds"},
		{"seconds to stop, as parts of a minute", "config.GRACE_PERIOD=0.05m", ""},
		{"records of an hour", "config.HISTORY=1h", "config.HISTORY 1h: want 48h"},
		{"records of two days", "config.HISTORY=47h60m", ""},
		{"an age beyond what Go reads", "config.MIN_AGE=9999999h", "config.MIN_AGE 9999999h: want 0s to 2562047h"},
		{"an age of none", "config.MIN_AGE=0s", ""},
		{"notifications to nobody", "notifications.config.cluster=prod", "targets"},
		{"a verdict that there is none of", "notifications.config.targets[0].name=chat,notifications.config.targets[0].url=logger://,notifications.config.targets[0].verdicts={Recoverd}", "verdicts/0"},
		{"a target's name that none has", "notifications.config.targets[0].name=Chat,notifications.config.targets[0].url=logger://", "targets/0/name"},
		{"all verdicts", "notifications.config.targets[0].name=chat,notifications.config.targets[0].url=logger://,notifications.config.targets[0].verdicts={" + verdicts + "}", ""},
		{"a deadline of minutes and seconds", "config.RECOVERY_DEADLINE=1m30.5s", ""},
		{"days by numbers", "config.DAYS=1-5", "/config/DAYS"},
		{"days by other names", "config.DAYS=Mon-Foo", "/config/DAYS"},
		{"days in full and in small", `config.DAYS=monday - Thu\, SAT`, ""},
		{"hours after the last", "config.HOURS=25:00-26:00", "/config/HOURS"},
		{"hours until midnight", "config.HOURS=22:30-24:00", ""},
		{"more than all", "config.KILL_MODE=fixed-percent,config.KILL_VALUE=200", "want a percentage from 1 to 100"},
		{"all of them, as a percentage", "config.KILL_MODE=fixed-percent,config.KILL_VALUE=100", ""},
		{"a value of a mode that takes none", "config.KILL_MODE=pdb,config.KILL_VALUE=2", "config.KILL_MODE pdb takes no config.KILL_VALUE"},
		{"alerts of nowhere", `config.HALT_ON_ALERTS=severity="page"`, "wants config.HALT_ON_ALERTS_URL"},
		{"alerts without quotes", "config.HALT_ON_ALERTS=severity=page,config.HALT_ON_ALERTS_URL=http://am:9093/api/v2/alerts", "/config/HALT_ON_ALERTS"},
		{"alerts of a server that lists none", `config.HALT_ON_ALERTS=severity="page",config.HALT_ON_ALERTS_URL=foo`, "/config/HALT_ON_ALERTS_URL"},
		{"alerts of a server's pages", `config.HALT_ON_ALERTS=severity="page",config.HALT_ON_ALERTS_URL=http://am:9093/alerts`, "/config/HALT_ON_ALERTS_URL"},
		{"alerts by several labels, below a path", `config.HALT_ON_ALERTS=severity="page"\,team=~"shop|\\"pay",config.HALT_ON_ALERTS_URL=https://[::1]:9093/am/api/v2/alerts,config.HALT_ON_ALERTS_TOKEN_FILE=/etc/token`, ""},
		{"a token for no alerts", "config.HALT_ON_ALERTS_TOKEN_FILE=/etc/token", "HALT_ON_ALERTS_TOKEN_FILE wants config.HALT_ON_ALERTS"},
		{"no alerts of somewhere", "config.HALT_ON_ALERTS_URL=http://am:9093/api/v2/alerts", "wants config.HALT_ON_ALERTS,"},
		{"namespaces in a set from its end", "config.NAMESPACES=team-[z-a]", "config.NAMESPACES cannot be read"},
		{"a parent's condition", "enabled=true", ""},
		{"an annotation that the chart has itself", `podAnnotations.checksum/config=1`, "/podAnnotations/checksum~1config"},
		{"a label that pods are found by", `podLabels.team=sre,podLabels.app\.kubernetes\.io/name=web`, "/podLabels/app.kubernetes.io~1name"},
		{"a label that the chart has itself", `metrics.rules.labels.helm\.sh/chart=mine`, "/metrics/rules/labels/helm.sh~1chart"},
		{"labels of others", `podLabels.team=sre,podLabels.app\.kubernetes\.io/part-of=shop`, ""},
		{"a calendar of nothing", `ics.party\.ics=`, "/ics/party.ics"},
		{"a calendar by another name", `ics.party\.ics=text,ics.work\.txt=text`, "'work.txt'"},
		{"a calendar by a name that no file has", "ics." + strings.Repeat("a", 250) + `\.ics=text`, "at '/ics'"},
		{"a calendar by as long a name as there is", "ics." + strings.Repeat("a", 249) + `\.ics=text`, ""},
	} {
		t.Run(test.why, func(t *testing.T) {
			out, err := chart(t, "caprice", "caprice", "--set", test.set)
			if (err == nil) != (test.says == "") || !strings.Contains(out, test.says) {
				t.Errorf("helm template --set %s: %v, want it to say %q:\n%s", test.set, err, test.says, out)
			}
		})
	}
}

func TestTheChartTakesATargetWithoutVerdictsForTheMorningAlone(t *testing.T) {
	for more, taken := range map[string]bool{"": true, `, "verdicts": []`: false, `, "verdicts": [], "morning": false`: false, `, "verdicts": [], "morning": true`: true} {
		out, err := chart(t, "caprice", "caprice", "--set-json", `notifications.config.targets=[{"name": "chat", "url": "logger://"`+more+`}]`)
		if (err == nil) != taken || !taken && !strings.Contains(out, "/targets/0") {
			t.Errorf("a target with %q: %v, want it taken: %v\n%s", more, err, taken, out)
		}
	}
}

// What the command line warns of by a variable is what the account's role has.
func TestTheChartSaysWhetherItGrantsEvictions(t *testing.T) {
	for set, want := range map[string]bool{
		"rbac.evict=auto": false, "rbac.evict=false": false, "rbac.evict=true": true, "config.METHOD=evict": true, "config.KILL_MODE=pdb": true,
		"config.METHOD=delete": false, "namespaces={shop}": false, "namespaces={shop},rbac.evict=true": true,
	} {
		out, err := chart(t, "caprice", "caprice", "--set", set)
		says := fmt.Sprintf(`{name: CAPRICE_MAY_EVICT, value: "%t"}`, want)
		if err != nil || !strings.Contains(out, says) || strings.Contains(out, "resources: [pods/eviction]\n") != want {
			t.Errorf("helm template --set %s: %v, want the right to evict granted: %t, and %s", set, err, want, says)
		}
	}
}

// An administrator may have applied the guard, by the same values.
func TestTheChartSaysWhetherPodsWantALabel(t *testing.T) {
	for set, want := range map[string]bool{"guard.requirePodLabel=false": false, "guard.requirePodLabel=true": true, "guard.requirePodLabel=true,guard.enabled=false": true} {
		out, err := chart(t, "caprice", "caprice", "--set", set)
		if says := fmt.Sprintf(`{name: CAPRICE_REQUIRE_POD_LABEL, value: "%t"}`, want); err != nil || !strings.Contains(out, says) {
			t.Errorf("helm template --set %s: %v, want %s", set, err, says)
		}
	}
}

// words are names, and without quotes anything but texts to YAML.
var words = []string{"123", "on", "true", "1e3", "null", "0x1f"}

// everything has the chart make each object that it can, but for those of ics and namespaces.
const everything = "metrics.serviceMonitor.enabled=true,metrics.rules.enabled=true,metrics.dashboard.enabled=true,notifications.config.targets[0].name=chat,notifications.config.targets[0].url=logger://"

func TestWhateverIsAllowedAsANameIsOne(t *testing.T) {
	for i, name := range words {
		t.Run(name, func(t *testing.T) {
			out, err := chart(t, name, name, "--set", everything,
				"--set-string", `namespaces={`+words[(i+1)%len(words)]+`},serviceAccount.name=`+name+`,priorityClassName=`+name+`,ics.party\.ics=text`)
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			found := 0
			for documents := yaml.NewDecoder(strings.NewReader(out)); ; found++ {
				var object yaml.Node
				if err := documents.Decode(&object); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				namesAreTexts(t, "", &object)
			}
			if found < 15 {
				t.Errorf("%d objects, want at least 15", found)
			}
		})
	}
}

// 'kubectl apply' puts what names no namespace into that of the kubeconfig, apart from the rest.
func TestWhateverIsInANamespaceNamesIt(t *testing.T) {
	clusters := []string{"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
	out, err := chart(t, "caprice", "chaos", "--set", everything+`,namespaces={shop},ics.party\.ics=text`)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found := map[string]bool{}
	for documents := yaml.NewDecoder(strings.NewReader(out)); ; {
		var object struct {
			Kind     string
			Metadata struct{ Name, Namespace string }
		}
		if err := documents.Decode(&object); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		want := []string{"chaos"}
		switch {
		case slices.Contains(clusters, object.Kind):
			want = []string{""}
		case object.Kind == "Role" || object.Kind == "RoleBinding":
			want = append(want, "shop")
		}
		if !slices.Contains(want, object.Metadata.Namespace) {
			t.Errorf("%s %s names namespace %q, want %q", object.Kind, object.Metadata.Name, object.Metadata.Namespace, want)
		}
		found[object.Kind] = true
	}
	for _, kind := range append(clusters[2:], "ServiceAccount", "ConfigMap", "Secret", "Deployment", "Pod", "Service", "ServiceMonitor", "PrometheusRule", "Role", "RoleBinding") {
		if !found[kind] {
			t.Errorf("the chart has no %s", kind)
		}
	}
}

// What says where to look has the name that is chosen, and the claims that are the program's keep theirs.
func TestTheRulesSayWhereToLookByWhateverName(t *testing.T) {
	out, err := chart(t, "chaos", "chaos", "--set", "nameOverride=mayhem,metrics.rules.enabled=true", "-s", "templates/metrics.yaml")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for text, want := range map[string]bool{"app.kubernetes.io/name=mayhem": true, "app.kubernetes.io/name=caprice": false, "metadata.name=caprice-claim": true} {
		if strings.Contains(out, text) != want {
			t.Errorf("%s is in the rules: %v, want %v", text, !want, want)
		}
	}
}

// namesAreTexts looks for names, and whatever else has one, below a node.
func namesAreTexts(t *testing.T, path string, node *yaml.Node) {
	t.Helper()
	text := func(at string, value *yaml.Node) {
		if value.Kind == yaml.ScalarNode && value.Style == 0 && slices.Contains(words, value.Value) {
			t.Errorf("%s is %s without quotes, which is no text", at, value.Value)
		}
	}
	for i, child := range node.Content {
		if node.Kind != yaml.MappingNode {
			namesAreTexts(t, path, child)
			continue
		}
		if i%2 == 0 {
			text(path, child)
			continue
		}
		key := node.Content[i-1].Value
		at := path + "." + key
		switch {
		case slices.Contains([]string{"name", "namespace", "serviceAccountName", "priorityClassName", "policyName", "secretName", "image", "value"}, key):
			text(at, child)
		case slices.Contains([]string{"labels", "matchLabels", "annotations", "selector", "resourceNames", "args"}, key):
			for j, value := range child.Content {
				if child.Kind != yaml.MappingNode || j%2 == 1 {
					text(at, value)
				}
			}
		}
		namesAreTexts(t, at, child)
	}
}

func TestTheChartTakesAnImageByItsDigest(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0123abcd", 8)
	out, err := chart(t, "caprice", "caprice", "--set", "image.repository=example/caprice,image.tag=0.2.0,image.digest="+digest)
	if want := `image: "example/caprice@` + digest + `"`; err != nil || strings.Count(out, want) != 2 || strings.Count(out, "image: ") != 2 {
		t.Errorf("%v, want %s of the Deployment and of helm's test:\n%s", err, want, out)
	}
}

// What two releases in a namespace would share has the same names in both, so one object has to have the same name in both
// for Helm to see it.
func TestHelmSeesASecondReleaseInANamespace(t *testing.T) {
	for _, release := range []string{"caprice", "another"} {
		out, err := chart(t, release, "caprice", "--set-string", "fullnameOverride="+release+"-1", "-s", "templates/rbac.yaml")
		if err != nil || strings.Count(out, "\n  name: caprice-self\n") != 2 {
			t.Errorf("%s: %v, want a Role and a RoleBinding caprice-self:\n%s", release, err, out)
		}
	}
}

// An administrator who has applied the roles is told after which changes to do so again.
func TestTheReadmeNamesWhateverChangesTheRoles(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(lab.Root(), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, says, _ := strings.Cut(string(readme), "An administrator applies these once")
	says, _, _ = strings.Cut(says, "A second release in one cluster")
	roles := func(set string) string {
		out, err := chart(t, "caprice", "caprice", "--set", set, "-s", "templates/rbac.yaml")
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return out
	}
	before := roles("namespaces={shop}")
	for set, value := range map[string]string{
		"namespaces={shop,team}": "namespaces", "config.METHOD=evict": "config.METHOD", "config.KILL_MODE=pdb": "config.KILL_MODE", "rbac.evict=true": "rbac",
		"hypotheses.kinds[0].group=apps,hypotheses.kinds[0].resources[0]=controllerrevisions": "hypotheses.kinds", "guard.enabled=false": "guard", "serviceAccount.name=mine": "serviceAccount",
	} {
		if roles("namespaces={shop},"+set) == before {
			t.Errorf("%s leaves the roles as they are", set)
		}
		if !strings.Contains(says, "`"+value+"`") {
			t.Errorf("the README does not say to apply the roles again after a change of %s", value)
		}
	}
	if !strings.Contains(says, "kubectl delete role,rolebinding caprice -n team") || strings.Count(roles("namespaces={team}"), "\n  name: \"caprice\"\n  namespace: \"team\"\n") != 2 {
		t.Errorf("the README does not say how to delete what is in a namespace that was taken out, a Role and a RoleBinding caprice: %s", says)
	}
}

func TestTheNotesSayWhatAnAdministratorHasToApply(t *testing.T) {
	const guard, roles = "has applied templates/guard.yaml anew", "has applied templates/rbac.yaml"
	for _, test := range []struct {
		set  string
		says []string
	}{
		{"replicaCount=1", nil},
		{"guard.enabled=false", []string{guard}},
		{"rbac.create=false", []string{roles}},
		{"guard.enabled=false,rbac.create=false", []string{guard, roles}},
	} {
		out, err := lab.HelmCommand(t.Context(), "", t.TempDir(), "install", "caprice", "helm/caprice", "--dry-run=client", "--set", test.set).CombinedOutput()
		_, notes, found := strings.Cut(string(out), "\nNOTES:\n")
		if err != nil || !found {
			t.Fatalf("%v: %s", err, out)
		}
		for _, text := range []string{guard, roles} {
			if want := slices.Contains(test.says, text); strings.Contains(notes, text) != want {
				t.Errorf("of %s the notes say %q: %v, want %v:\n%s", test.set, text, !want, want, notes)
			}
		}
	}
}

// What a policy of the cluster demands of pods, or keeps from them, it does of helm's test as well.
func TestHelmsTestHasAPodLikeTheDeployments(t *testing.T) {
	const sre, inject, amd64 = `team: sre`, `sidecar.istio.io/inject: "false"`, "kubernetes.io/arch"
	out, err := chart(t, "caprice", "caprice", "--set-string", `podLabels.team=sre,podAnnotations.sidecar\.istio\.io/inject=false`,
		"--set-json", `affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}]}]}}}`)
	for _, want := range []string{sre, inject, amd64, "automountServiceAccountToken: true"} {
		if err != nil || strings.Count(out, want) != 2 {
			t.Errorf("%v, want %s of the Deployment and of helm's test:\n%s", err, want, out)
		}
	}
}

// A plus is in versions, and neither in labels nor in tags.
func TestAVersionWithAPlusIsNoReasonToRefuseAnything(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(lab.Root(), "helm/caprice"))); err != nil {
		t.Fatal(err)
	}
	of, err := os.ReadFile(filepath.Join(dir, "Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	versions := regexp.MustCompile(`(?m)^(version|appVersion): .*$`)
	if err := os.WriteFile(filepath.Join(dir, "Chart.yaml"), versions.ReplaceAll(of, []byte("$1: 0.1.0+build.7")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := lab.HelmCommand(t.Context(), "", t.TempDir(), "template", "caprice", dir).CombinedOutput()
	if err != nil || strings.Contains(string(out), "+build") {
		t.Errorf("%v, want no + in it:\n%s", err, out)
	}
	for _, want := range []string{`helm.sh/chart: "caprice-0.1.0_build.7"`, `app.kubernetes.io/version: "0.1.0_build.7"`, `image: "caprice:0.1.0-build.7"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("want %s in it:\n%s", want, out)
		}
	}
}
