package lint

import (
	"math"
	"strings"
	"testing"
	"time"

	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"caprice/kubernetes"
	"caprice/victims"
)

func TestABudgetThatNeverAllowsAKillIsFoundAndItsTwinIsNot(t *testing.T) {
	three := new(int32(3))
	most := func(v intstr.IntOrString) policy.PodDisruptionBudgetSpec {
		return policy.PodDisruptionBudgetSpec{MaxUnavailable: &v}
	}
	least := func(v intstr.IntOrString) policy.PodDisruptionBudgetSpec {
		return policy.PodDisruptionBudgetSpec{MinAvailable: &v}
	}
	for _, test := range []struct {
		why      string
		spec     policy.PodDisruptionBudgetSpec
		replicas *int32
		want     string
	}{
		{"none may be unavailable", most(intstr.FromInt32(0)), three, "maxUnavailable is 0"},
		{"no percent of them may", most(intstr.FromString("0%")), nil, "maxUnavailable is 0%"},
		{"one percent is rounded up", most(intstr.FromString("1%")), three, ""},
		{"all are to be available", least(intstr.FromInt32(3)), three, "leaves none of 3 replicas"},
		{"all but one are", least(intstr.FromInt32(2)), three, ""},
		{"70 percent are rounded up", least(intstr.FromString("70%")), three, "leaves none of 3 replicas"},
		{"and so are 60", least(intstr.FromString("60%")), three, ""},
		{"all are, however many there are", least(intstr.FromString("100%")), nil, "minAvailable is 100%"},
		{"some are, and how many there are is not known", least(intstr.FromInt32(9)), nil, ""},
		{"it says nothing", policy.PodDisruptionBudgetSpec{}, three, ""},
	} {
		if got := never(test.spec, test.replicas); !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: %q, want %q", test.why, got, test.want)
		}
	}
}

func TestAWorkloadThatCannotBeWholeInTimeIsFound(t *testing.T) {
	const deadline = victims.Deadline(150 * time.Second)
	for _, test := range []struct {
		why      string
		kind     victims.Kind
		grace    *int64
		minReady int32
		terms    victims.Terms
		found    bool
	}{
		{"its owner leaves its time to Caprice", victims.StatefulSet, new(int64(600)), 600, victims.Terms{}, false},
		{"as most pods", victims.StatefulSet, nil, 0, victims.Terms{Deadline: deadline}, false},
		{"it drains for long", victims.StatefulSet, new(int64(150)), 0, victims.Terms{Deadline: deadline}, true},
		{"nobody stops them", victims.StatefulSet, new(int64(math.MaxInt64)), 0, victims.Terms{Deadline: deadline}, true},
		{"and not quite so long", victims.StatefulSet, new(int64(149)), 0, victims.Terms{Deadline: deadline}, false},
		{"its pods have to be Ready for long", victims.StatefulSet, nil, 120, victims.Terms{Deadline: deadline}, true},
		{"and not quite so long", victims.StatefulSet, nil, 119, victims.Terms{Deadline: deadline}, false},
		{"its owner has its pods killed sooner", victims.StatefulSet, new(int64(600)), 0, victims.Terms{Deadline: deadline, Grace: victims.GracePeriod(10 * time.Second)}, false},
		{"in the place of a Deployment's another comes at once", victims.Deployment, nil, 149, victims.Terms{Deadline: deadline}, false},
		{"and has to be Ready for too long", victims.Deployment, nil, 150, victims.Terms{Deadline: deadline}, true},
		{"and it drains for too long", victims.Deployment, new(int64(150)), 0, victims.Terms{Deadline: deadline}, true},
	} {
		w := kubernetes.WorkloadObject{Workload: victims.Workload{Kind: test.kind}, MinReady: test.minReady}
		w.Template.Spec.TerminationGracePeriodSeconds = test.grace
		f := &findings{}
		f.recovery(w, test.terms)
		if found := len(f.list) == 1 && f.list[0].Check == "recovery"; found != test.found || len(f.list) > 1 {
			t.Errorf("%s: %+v, want it found: %v", test.why, f.list, test.found)
		}
	}
}

func TestATemplateWhosePodsWouldBeRefusedIsFoundAndItsTwinIsNot(t *testing.T) {
	for _, test := range []struct {
		why    string
		wanted bool
		labels map[string]string
		found  bool
	}{
		{"no label, and none is wanted", false, nil, false},
		{"none, and one is wanted", true, nil, true},
		{"the one that is wanted", true, map[string]string{victims.OptIn: "true"}, false},
		{"the label, and another value", true, map[string]string{victims.OptIn: "false"}, true},
	} {
		w := kubernetes.WorkloadObject{}
		w.Template.Labels = test.labels
		f := &findings{}
		Linter{RequirePodLabel: test.wanted}.refused(f, w, victims.Terms{})
		if found := len(f.list) == 1 && f.list[0].Check == "refused"; found != test.found || len(f.list) > 1 {
			t.Errorf("%s: %+v, want it found: %v", test.why, f.list, test.found)
		}
	}
}

func TestASelectorThatTakesPodsOfAnotherIsFoundAndItsTwinIsNot(t *testing.T) {
	app := func(name string) map[string]string { return map[string]string{"app": name} }
	expression := func(key string, operator meta.LabelSelectorOperator, values ...string) *meta.LabelSelector {
		return &meta.LabelSelector{MatchExpressions: []meta.LabelSelectorRequirement{{Key: key, Operator: operator, Values: values}}}
	}
	of := func(kind victims.Kind, namespace string, selector *meta.LabelSelector, labels map[string]string) kubernetes.WorkloadObject {
		w := kubernetes.WorkloadObject{Workload: victims.Workload{Kind: kind, Namespace: namespace, Name: labels["app"]}, Selector: selector}
		w.Template.Labels = labels
		return w
	}
	labelled := func(namespace, name string) kubernetes.WorkloadObject {
		return of(victims.Deployment, namespace, &meta.LabelSelector{MatchLabels: app(name)}, app(name))
	}
	api, web := labelled("shop", "api"), of(victims.StatefulSet, "shop", expression("app", "In", "web"), app("web"))
	for _, test := range []struct {
		why      string
		selector *meta.LabelSelector
		other    kubernetes.WorkloadObject
		struck   []int
		found    bool
	}{
		{"by a label", &meta.LabelSelector{MatchLabels: app("api")}, api, []int{0}, true},
		{"by none of its labels", &meta.LabelSelector{MatchLabels: app("web")}, api, []int{0}, false},
		{"by expressions alone", expression("app", "In", "web", "api"), api, []int{0}, true},
		{"that opted in itself", expression("app", "In", "web", "api"), api, []int{1}, true},
		{"neither of which opted in", expression("app", "In", "web", "api"), api, nil, false},
		{"by expressions that leave it out", expression("app", "NotIn", "api"), api, []int{0}, false},
		{"of another namespace", expression("app", "In", "web", "api"), labelled("team", "api"), []int{0}, false},
		{"by the lack of a label", expression("tier", "DoesNotExist"), api, []int{0}, true},
		{"by the lack of one that its controller adds", expression("pod-template-hash", "DoesNotExist"), api, []int{0}, false},
		{"and another's does not", expression("pod-template-hash", "DoesNotExist"), web, []int{0}, true},
		{"by nothing, which the API server refuses", &meta.LabelSelector{}, api, []int{0}, false},
		{"by what cannot be read", expression("app", "Near"), api, []int{0}, false},
		{"that is itself, a second time in the files", expression("app", "Exists"), of(victims.DaemonSet, "shop", expression("app", "Exists"), app("one")), []int{0}, false},
	} {
		in := map[int]victims.Terms{}
		for _, i := range test.struck {
			in[i] = victims.Terms{}
		}
		f := &findings{}
		f.selectors(kubernetes.Objects{Workloads: []kubernetes.WorkloadObject{of(victims.DaemonSet, "shop", test.selector, app("one")), test.other}}, in)
		if found := len(f.list) == 1 && f.list[0].Check == "selector" && f.list[0].Object == "shop/DaemonSet/one"; found != test.found || len(f.list) > 1 {
			t.Errorf("%s: %+v, want it found: %v", test.why, f.list, test.found)
		}
	}
}
