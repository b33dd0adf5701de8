package kubernetes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/chaos"
	"caprice/victims"
)

func TestWhatIsReadOfAPod(t *testing.T) {
	is := func(s core.ConditionStatus) core.PodStatus {
		return core.PodStatus{Phase: core.PodRunning, Conditions: []core.PodCondition{{Type: core.PodScheduled, Status: core.ConditionTrue}, {Type: core.PodReady, Status: s}}}
	}
	born := meta.NewTime(time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC))
	for _, test := range []struct {
		why  string
		pod  core.Pod
		want string
	}{
		{"it waits", core.Pod{Status: core.PodStatus{Phase: core.PodPending}}, ""},
		{"it serves", core.Pod{Status: is(core.ConditionTrue)}, "running ready"},
		{"it runs and does not serve", core.Pod{Status: is(core.ConditionFalse)}, "running"},
		{"it runs, and nobody knows if it serves", core.Pod{Status: is(core.ConditionUnknown)}, "running"},
		{"it goes", core.Pod{ObjectMeta: meta.ObjectMeta{DeletionTimestamp: &born}, Status: is(core.ConditionTrue)}, "running ready terminating"},
		{"it was born", core.Pod{ObjectMeta: meta.ObjectMeta{CreationTimestamp: born}}, "born"},
		{"the cluster needs it", core.Pod{Spec: core.PodSpec{PriorityClassName: "system-cluster-critical"}}, "critical"},
		{"its node needs it", core.Pod{Spec: core.PodSpec{PriorityClassName: "system-node-critical"}}, "critical"},
		{"it has the system's lowest priority", core.Pod{Spec: core.PodSpec{Priority: new(int32(2_000_000_000))}}, "critical"},
		{"it has the highest of other priorities", core.Pod{Spec: core.PodSpec{PriorityClassName: "high", Priority: new(int32(1_999_999_999))}}, ""},
		{"it mirrors one of its node", core.Pod{ObjectMeta: meta.ObjectMeta{Annotations: map[string]string{core.MirrorPodAnnotationKey: ""}}}, "static"},
		{"its node owns it", core.Pod{ObjectMeta: meta.ObjectMeta{OwnerReferences: []meta.OwnerReference{{Kind: "StatefulSet"}, {Kind: "Node"}}}}, "static"},
		{"its controller owns it", core.Pod{ObjectMeta: meta.ObjectMeta{OwnerReferences: []meta.OwnerReference{{Kind: "StatefulSet"}}}}, ""},
	} {
		t.Run(test.why, func(t *testing.T) {
			p := victim(&test.pod)
			var got []string
			for _, flag := range []struct {
				word string
				is   bool
			}{{"running", p.Running}, {"ready", p.Ready}, {"terminating", p.Terminating}, {"critical", p.Critical}, {"static", p.Static}, {"born", p.Created.Equal(born.Time)}} {
				if flag.is {
					got = append(got, flag.word)
				}
			}
			if want := fmt.Sprintf("[%s]", test.want); fmt.Sprint(got) != want {
				t.Errorf("it is %v, want %s", got, want)
			}
		})
	}
}

func TestWhichPodsABudgetCovers(t *testing.T) {
	pods := []victims.Pod{{UID: "a", Labels: map[string]string{"app": "web", "zone": "1"}}, {UID: "b", Labels: map[string]string{"app": "web"}}, {UID: "c"}}
	zoned := &meta.LabelSelector{MatchLabels: map[string]string{"app": "web"}, MatchExpressions: []meta.LabelSelectorRequirement{{Key: "zone", Operator: meta.LabelSelectorOpExists}}}
	for _, test := range []struct {
		why      string
		selector *meta.LabelSelector
		want     []string
	}{
		{"those with its label", &meta.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, []string{"a", "b"}},
		{"those with its label that meet its expression too", zoned, []string{"a"}},
		{"all if its selector is empty", &meta.LabelSelector{}, []string{"a", "b", "c"}},
		{"none if it has no selector", nil, nil},
		{"none of those of another app", &meta.LabelSelector{MatchLabels: map[string]string{"app": "db"}}, nil},
	} {
		t.Run(test.why, func(t *testing.T) {
			b := policy.PodDisruptionBudget{ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: "web", Generation: 2}, Spec: policy.PodDisruptionBudgetSpec{Selector: test.selector}}
			b.Status.ObservedGeneration, b.Status.DisruptionsAllowed = 2, 1
			budgets, err := covering([]policy.PodDisruptionBudget{b}, pods)
			if err != nil {
				t.Fatal(err)
			}
			if len(budgets) == 0 && test.want == nil {
				return
			}
			if len(budgets) != 1 || !slices.Equal(budgets[0].Covers, test.want) || budgets[0].String() != "shop/web" || budgets[0].Allowed != 1 || budgets[0].Stale {
				t.Errorf("budgets = %+v, want shop/web for %v", budgets, test.want)
			}
		})
	}
}

func TestABudgetIsStaleUntilItsSpecHasBeenSeen(t *testing.T) {
	b := policy.PodDisruptionBudget{ObjectMeta: meta.ObjectMeta{Generation: 2}, Spec: policy.PodDisruptionBudgetSpec{Selector: &meta.LabelSelector{}}}
	b.Status.ObservedGeneration = 1
	if budgets, err := covering([]policy.PodDisruptionBudget{b}, []victims.Pod{{UID: "a"}}); err != nil || len(budgets) != 1 || !budgets[0].Stale {
		t.Errorf("budgets = %+v, %v, want a stale one", budgets, err)
	}
	b.Spec.Selector.MatchExpressions = []meta.LabelSelectorRequirement{{Key: "app", Operator: "Near"}}
	var veto *chaos.Veto
	if _, err := covering([]policy.PodDisruptionBudget{b}, nil); !errors.As(err, &veto) || veto.Reason != chaos.Disruption {
		t.Errorf("with a selector that nobody understands the error is %v, want a veto", err)
	}
}

func TestAWorkloadThatGoesIsSpared(t *testing.T) {
	gone := meta.Now()
	terms := victims.Terms{Pace: victims.Pace{Mean: victims.Span{Days: 2}}, Scale: victims.Scale{Mode: victims.Fixed, Value: 1}}
	if err := errors.Join(terms.Calendar.Days.UnmarshalText([]byte("Mon-Fri")), terms.Calendar.Hours.UnmarshalText([]byte("10:00-16:00")), terms.Calendar.Zone.UnmarshalText([]byte("UTC"))); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		why    string
		change func(*spec, *meta.PartialObjectMetadata)
		want   string
	}{
		{"nothing is being deleted", func(*spec, *meta.PartialObjectMetadata) {}, ""},
		{"it is being deleted", func(s *spec, _ *meta.PartialObjectMetadata) { s.DeletionTimestamp = &gone }, "OptedOut: it is being deleted"},
		{"its namespace is being deleted", func(_ *spec, n *meta.PartialObjectMetadata) { n.DeletionTimestamp = &gone }, "OptedOut: its namespace is being deleted"},
		{"it has opted out", func(s *spec, _ *meta.PartialObjectMetadata) { s.Labels = nil }, "OptedOut: it is not opted in now: want the label"},
		{"its terms cannot be read", func(s *spec, _ *meta.PartialObjectMetadata) { s.Labels[victims.Prefix+victims.KillMode] = "some" }, "TermsChanged: "},
	} {
		t.Run(test.why, func(t *testing.T) {
			c := Cluster{Defaults: terms}
			s := spec{ObjectMeta: meta.ObjectMeta{UID: "uid", Labels: map[string]string{labelled: "true"}}, selector: &meta.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, says: chaos.WorkloadState{Replicas: 3, Available: 2, Rollout: "it waits"}}
			namespace := &meta.PartialObjectMetadata{}
			test.change(&s, namespace)
			got, err := c.judge(victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web"}, s, namespace)
			var veto *chaos.Veto
			switch {
			case test.want != "":
				if !errors.As(err, &veto) || !strings.HasPrefix(fmt.Sprintf("%s: %s", veto.Reason, veto.Message), test.want) {
					t.Errorf("error = %v, want a veto that says %s", err, test.want)
				}
			case err != nil || got.UID != "uid" || got.Replicas != 3 || got.Available != 2 || got.Rollout != "it waits" || got.Selector != "app=web":
				t.Errorf("state = %+v, %v", got, err)
			}
		})
	}
}
