package kubernetes

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/victims"
)

func TestWhatBudgetsAllowIsReadForEachKillAndThatThereAreNoneIsNot(t *testing.T) {
	var requests atomic.Int64
	client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		list := policy.PodDisruptionBudgetList{TypeMeta: meta.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudgetList"}, ListMeta: meta.ListMeta{ResourceVersion: "1"}}
		if strings.Contains(r.URL.Path, "/namespaces/shop/") {
			list.Items = []policy.PodDisruptionBudget{{
				ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: policy.PodDisruptionBudgetSpec{Selector: &meta.LabelSelector{}},
			}}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(list)
	}))
	c := &Cluster{Client: client}
	for _, test := range []struct {
		why, namespace string
		covered, asked int64
	}{
		{"a namespace without budgets", "quiet", 0, 1},
		{"the same at once", "quiet", 0, 0},
		{"one with a budget", "shop", 1, 1},
		{"the same at once, since it may allow less by now", "shop", 1, 1},
	} {
		before := requests.Load()
		budgets, err := c.Budgets(t.Context(), []victims.Pod{{Namespace: test.namespace, UID: "1"}})
		if asked := requests.Load() - before; err != nil || int64(len(budgets)) != test.covered || asked != test.asked {
			t.Errorf("%s: %d budgets from %d requests (%v), want %d from %d", test.why, len(budgets), asked, err, test.covered, test.asked)
		}
	}
}
