package kubernetes

import (
	"fmt"

	apps "k8s.io/api/apps/v1"
)

// The functions here return what 'kubectl rollout status' would wait for, or nothing. They leave out what it says of
// workloads that have fewer available replicas than they want, and no old ones: it cannot tell a pod that died from a
// rollout, and such a workload is spared as degraded.

const unobserved = "its controller has not seen its latest spec yet"

// observed tells whether a controller has seen the latest spec.
func observed(seen, latest int64) bool { return seen >= latest && seen > 0 }

func deploymentRollout(o *apps.Deployment) string {
	want, is := *o.Spec.Replicas, o.Status
	if is.ObservedGeneration < o.Generation {
		return unobserved
	}
	for _, c := range is.Conditions {
		if c.Type == apps.DeploymentProgressing && c.Reason == "ProgressDeadlineExceeded" {
			return "it has exceeded its progress deadline"
		}
	}
	switch {
	case is.Replicas > is.UpdatedReplicas: // also while it is paused, with a change that waits
		return old(is.Replicas-is.UpdatedReplicas, is.Replicas)
	case is.AvailableReplicas < is.UpdatedReplicas && is.AvailableReplicas >= want:
		return fmt.Sprintf("%d of %d replicas are available", is.AvailableReplicas, is.UpdatedReplicas)
	}
	return ""
}

func statefulSetRollout(o *apps.StatefulSet) string {
	want, is := *o.Spec.Replicas, o.Status
	if is.ObservedGeneration < o.Generation || is.ObservedGeneration == 0 {
		return unobserved
	}
	if is.Replicas > want { // those that are to go count as available until they are gone
		return fmt.Sprintf("it is scaled down to %d replicas, and has %d", want, is.Replicas)
	}
	pending := is.CurrentRevision != is.UpdateRevision
	if !pending && is.AvailableReplicas < want {
		return ""
	}
	progress := fmt.Sprintf("%d of %d replicas are updated and not terminating", is.UpdatedReplicas, want)
	rolling := o.Spec.UpdateStrategy.RollingUpdate
	switch {
	case o.Spec.UpdateStrategy.Type == apps.OnDeleteStatefulSetStrategyType: // of which kubectl says nothing
		if is.UpdatedReplicas < want { // pending or not: a revision that was given up leaves others behind
			return progress + "; the others wait for somebody to delete them"
		}
		return ""
	case rolling == nil:
		if pending {
			return progress
		}
		return ""
	case rolling.Partition != nil: // replicas below it stay as they are, and the rollout is complete
		want = max(0, want-*rolling.Partition)
		if pending && is.UpdatedReplicas > want {
			return fmt.Sprintf("%d replicas below its partition are updated, and would go back", is.UpdatedReplicas-want)
		}
	}
	if is.UpdatedReplicas < want {
		return progress
	}
	return ""
}

func daemonSetRollout(o *apps.DaemonSet) string {
	is := o.Status
	switch {
	case is.ObservedGeneration < o.Generation:
		return unobserved
	case is.CurrentNumberScheduled > is.UpdatedNumberScheduled && is.UpdatedNumberScheduled < is.DesiredNumberScheduled:
		return old(is.CurrentNumberScheduled-is.UpdatedNumberScheduled, is.CurrentNumberScheduled)
	}
	return ""
}

func old(n, all int32) string {
	return fmt.Sprintf("%d of %d replicas are of an older revision", n, all)
}
