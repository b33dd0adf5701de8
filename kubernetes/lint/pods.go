package lint

import (
	"fmt"
	"maps"
	"slices"

	apps "k8s.io/api/apps/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"caprice/kubernetes"
	"caprice/victims"
)

// Eviction says why no pod is evicted on the terms, and what would be right; nothing if it is, or if the terms ask for none.
func (l Linter) Eviction(terms victims.Terms) string {
	if l.MayEvict && !l.RequirePodLabel || terms.Removal() != victims.Evict {
		return ""
	}
	asks, instead := "method evict", "method delete"
	if terms.Scale.Mode == victims.PDB {
		asks, instead = "kill mode pdb evicts", "another kill mode with method delete"
	}
	if l.RequirePodLabel {
		return fmt.Sprintf("%s, and by guard.requirePodLabel the API server refuses every eviction: want %s, or guard.requirePodLabel false and rbac.evict true in the chart's values", asks, instead)
	}
	return fmt.Sprintf("%s, and there is no right to evict: want rbac.evict true in the chart's values, or %s", asks, instead)
}

// refused looks for kills that the API server would refuse.
func (l Linter) refused(f *findings, w kubernetes.WorkloadObject, terms victims.Terms) {
	unlabelled := l.RequirePodLabel && w.Template.Labels[victims.OptIn] != "true"
	if unlabelled {
		f.add(Error, "refused", "each kill will be vetoed: its pod template has no label "+victims.OptIn+`: "true", which by guard.requirePodLabel each pod wants: want it there, beside that of the workload or its namespace`)
	}
	if why := l.Eviction(terms); why != "" {
		will := "each kill will fail: "
		if unlabelled {
			will = "and it would fail: "
		}
		f.add(Error, "refused", will+why)
	}
}

// budgets looks for PodDisruptionBudgets that never allow what the terms ask for.
func (f *findings) budgets(o kubernetes.Objects, in map[int]victims.Terms, respect bool) {
	for _, i := range slices.Sorted(maps.Keys(in)) {
		w, terms := o.Workloads[i], in[i]
		evicts := terms.Removal() == victims.Evict
		if !evicts && !respect {
			continue
		}
		f.at(w.Workload.String(), w.Where)
		var covering []policy.PodDisruptionBudget
		for _, b := range o.Budgets {
			selector, err := meta.LabelSelectorAsSelector(b.Spec.Selector)
			if err == nil && b.Namespace == w.Namespace && selector.Matches(labels.Set(w.Template.Labels)) {
				covering = append(covering, b)
			}
		}
		switch {
		case terms.Scale.Mode == victims.PDB && len(covering) != 1:
			f.add(Error, "budget", fmt.Sprintf("kill mode pdb wants one PodDisruptionBudget for its pods, there are %d", len(covering)))
		case evicts && len(covering) > 1:
			f.add(Error, "budget", fmt.Sprintf("its pods have %d PodDisruptionBudgets, and the API server evicts none that has more than one", len(covering)))
		}
		for _, b := range covering {
			replicas := w.Replicas
			if w.Assumed {
				replicas = nil
			}
			if why := never(b.Spec, replicas); why != "" {
				f.add(Error, "budget", fmt.Sprintf("PodDisruptionBudget %s never allows a kill: %s", b.Name, why))
			}
		}
	}
}

// never says why a budget allows no disruption even while all replicas are healthy, or nothing. Percentages are rounded up, as
// the disruption controller does.
func never(b policy.PodDisruptionBudgetSpec, replicas *int32) string {
	n, known := 0, replicas != nil
	if known {
		n = int(*replicas)
	}
	switch {
	case b.MaxUnavailable != nil:
		if most, err := intstr.GetScaledValueFromIntOrPercent(b.MaxUnavailable, max(1, n), true); err == nil && most == 0 {
			return fmt.Sprintf("maxUnavailable is %s", b.MaxUnavailable)
		}
	case b.MinAvailable != nil && b.MinAvailable.Type == intstr.String && b.MinAvailable.StrVal == "100%":
		return "minAvailable is 100%"
	case b.MinAvailable != nil && known:
		if least, err := intstr.GetScaledValueFromIntOrPercent(b.MinAvailable, n, true); err == nil && least >= n {
			return fmt.Sprintf("minAvailable %s leaves none of %d replicas", b.MinAvailable, n)
		}
	}
	return ""
}

// added are the labels that a controller puts on pods beside those of their template.
var added = map[victims.Kind][]string{
	victims.Deployment:  {apps.DefaultDeploymentUniqueLabelKey},
	victims.StatefulSet: {apps.ControllerRevisionHashLabelKey, apps.StatefulSetPodNameLabel, apps.PodIndexLabel},
	victims.DaemonSet:   {apps.ControllerRevisionHashLabelKey, "pod-template-generation"},
}

// podLabels are those of a workload's pods. Which values its controller makes up is not known.
func podLabels(w kubernetes.WorkloadObject) labels.Set {
	pods := labels.Set{}
	for _, key := range added[w.Kind] {
		pods[key] = ""
	}
	maps.Copy(pods, w.Template.Labels)
	return pods
}

// selectors looks for workloads whose selector takes pods of another. One that has expressions alone is held against all of its
// namespace.
func (f *findings) selectors(o kubernetes.Objects, in map[int]victims.Terms) {
	type pair struct{ namespace, key, value string }
	templates, namespaces := map[pair][]int{}, map[string][]int{}
	pods := make([]labels.Set, len(o.Workloads))
	for i, w := range o.Workloads {
		for key, value := range w.Template.Labels {
			p := pair{w.Namespace, key, value}
			templates[p] = append(templates[p], i)
		}
		namespaces[w.Namespace] = append(namespaces[w.Namespace], i)
		pods[i] = podLabels(w)
	}
	for i, w := range o.Workloads {
		selector, err := meta.LabelSelectorAsSelector(w.Selector)
		if err != nil || selector.Empty() || w.Selector == nil { // of those the API server takes none
			continue
		}
		candidates := namespaces[w.Namespace]
		if same := w.Selector.MatchLabels; len(same) > 0 {
			key := slices.Min(slices.Collect(maps.Keys(same))) // one label is enough to leave out nearly all
			candidates = templates[pair{w.Namespace, key, same[key]}]
		}
		for _, j := range candidates {
			other := o.Workloads[j]
			_, struck := in[i]
			_, otherStruck := in[j]
			if w.Workload == other.Workload || !struck && !otherStruck || !selector.Matches(pods[j]) {
				continue
			}
			f.at(w.Workload.String(), w.Where)
			f.add(Error, "selector", fmt.Sprintf("its selector takes pods of %s too: want labels that only its own pods have", other.Workload))
		}
	}
}
