package kubernetes

import (
	"context"
	"fmt"

	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"caprice/chaos"
	"caprice/victims"
)

// Budgets reads the PodDisruptionBudgets that cover some of these pods, which share a namespace. That there are none in it,
// kills share that ask within moments; where there are some, each reads what they allow now.
func (c *Cluster) Budgets(ctx context.Context, pods []victims.Pod) ([]chaos.Budget, error) {
	namespace, asked := pods[0].Namespace, false
	read := func(ctx context.Context) ([]policy.PodDisruptionBudget, error) {
		asked = true
		list, err := c.Client.groups.budgets(namespace).List(ctx, meta.ListOptions{})
		if err != nil {
			return nil, err
		}
		return list.Items, nil
	}
	list, err := c.budgets.ask(ctx, namespace, read)
	if err == nil && len(list) > 0 && !asked {
		list, err = read(ctx)
	}
	if err != nil {
		return nil, Unreadable(err)
	}
	return covering(list, pods)
}

// covering returns those of the budgets that cover some of the pods: with an empty selector all of them, without one none.
func covering(list []policy.PodDisruptionBudget, pods []victims.Pod) ([]chaos.Budget, error) {
	var budgets []chaos.Budget
	for _, b := range list {
		selector, err := meta.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil {
			return nil, &chaos.Veto{Reason: chaos.Disruption, Message: fmt.Sprintf("whether PodDisruptionBudget %s covers its pods cannot be told: %v", b.Name, err)}
		}
		budget := chaos.Budget{
			Namespace: b.Namespace, Name: b.Name,
			Allowed: int(b.Status.DisruptionsAllowed), Stale: b.Status.ObservedGeneration < b.Generation,
		}
		for _, p := range pods {
			if selector.Matches(labels.Set(p.Labels)) {
				budget.Covers = append(budget.Covers, p.UID)
			}
		}
		if len(budget.Covers) > 0 {
			budgets = append(budgets, budget)
		}
	}
	return budgets, nil
}
