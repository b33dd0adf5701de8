package kubernetes

import (
	"testing"

	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"caprice/victims"
)

func TestWhatBudgetsAllowIsReadForEachKillAndThatThereAreNoneIsNot(t *testing.T) {
	set := fake.NewClientset(&policy.PodDisruptionBudget{
		ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: policy.PodDisruptionBudgetSpec{Selector: &meta.LabelSelector{}},
	})
	c := &Cluster{Client: &Client{typed: set}}
	for _, test := range []struct {
		why, namespace string
		covered, asked int
	}{
		{"a namespace without budgets", "quiet", 0, 1},
		{"the same at once", "quiet", 0, 0},
		{"one with a budget", "shop", 1, 1},
		{"the same at once, since it may allow less by now", "shop", 1, 1},
	} {
		set.ClearActions()
		budgets, err := c.Budgets(t.Context(), []victims.Pod{{Namespace: test.namespace, UID: "1"}})
		if asked := len(set.Actions()); err != nil || len(budgets) != test.covered || asked != test.asked {
			t.Errorf("%s: %d budgets from %d requests (%v), want %d from %d", test.why, len(budgets), asked, err, test.covered, test.asked)
		}
	}
}
