package kubernetes

import (
	"context"
	"slices"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/chaos"
	"caprice/victims"
)

// Pods reads the pods that match the workload's selector and that it controls, for a Deployment by way of its ReplicaSets.
func (c *Cluster) Pods(ctx context.Context, w chaos.Condition) ([]victims.Pod, error) {
	if w.Selector == "" {
		return nil, nil // it would match every pod of the namespace
	}
	options := meta.ListOptions{LabelSelector: w.Selector}
	owners := map[string]bool{w.UID: true}
	if w.Kind == victims.Deployment {
		sets, err := c.Client.typed.AppsV1().ReplicaSets(w.Namespace).List(ctx, options)
		if err != nil {
			return nil, refusal(err)
		}
		owners = controlled(sets.Items, w.UID)
	}
	list, err := c.Client.typed.CoreV1().Pods(w.Namespace).List(ctx, options)
	if err != nil {
		return nil, refusal(err)
	}
	var pods []victims.Pod
	for i := range list.Items {
		if p := &list.Items[i]; owners[controller(p)] {
			pods = append(pods, victim(p))
		}
	}
	return pods, nil
}

// controlled returns the UIDs of those ReplicaSets that a Deployment controls.
func controlled(sets []apps.ReplicaSet, deployment string) map[string]bool {
	uids := map[string]bool{}
	for i := range sets {
		if controller(&sets[i]) == deployment {
			uids[string(sets[i].UID)] = true
		}
	}
	return uids
}

// controller returns the UID of what controls an object, or nothing.
func controller(o meta.Object) string {
	if owner := meta.GetControllerOfNoCopy(o); owner != nil {
		return string(owner.UID)
	}
	return ""
}

// victim is what Caprice reads of a pod.
func victim(p *core.Pod) victims.Pod {
	return victims.Pod{
		Namespace: p.Namespace, Name: p.Name, UID: string(p.UID), Node: p.Spec.NodeName, Labels: p.Labels, Created: p.CreationTimestamp.Time,
		Running: p.Status.Phase == core.PodRunning, Ready: ready(p), Terminating: p.DeletionTimestamp != nil,
		Critical: critical(p), Static: static(p),
	}
}

func ready(p *core.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == core.PodReady {
			return c.Status == core.ConditionTrue
		}
	}
	return false
}

// systemCritical is the lowest priority that is the system's: those of priority classes that people make end below it.
const systemCritical = 2_000_000_000

// critical tells whether the cluster itself needs the pod.
func critical(p *core.Pod) bool {
	return p.Spec.PriorityClassName == "system-cluster-critical" || p.Spec.PriorityClassName == "system-node-critical" ||
		p.Spec.Priority != nil && *p.Spec.Priority >= systemCritical
}

// static tells whether the pod only mirrors one that its node runs from a file.
func static(p *core.Pod) bool {
	_, mirror := p.Annotations[core.MirrorPodAnnotationKey]
	return mirror || slices.ContainsFunc(p.OwnerReferences, func(o meta.OwnerReference) bool { return o.Kind == "Node" })
}
