package lint

import (
	"math"
	"strings"
	"testing"
	"time"

	policy "k8s.io/api/policy/v1"
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
