package kubernetes

import (
	"fmt"

	apps "k8s.io/api/apps/v1"
)

// The functions here return what 'kubectl rollout status' would wait for, or nothing, and whether that waits for somebody in its turn,
// maybe for ever. They leave out what it says of workloads that have fewer available replicas than they want, and no old ones: it
// cannot tell a pod that died from a rollout, and such a workload is spared as degraded.

const unobserved = "its controller has not seen its latest spec yet"

func deploymentRollout(o *apps.Deployment) (rollout string, waits bool) {
	want, is := *o.Spec.Replicas, o.Status
	if is.ObservedGeneration < o.Generation {
		return unobserved, false
	}
	for _, c := range is.Conditions {
		if c.Type == apps.DeploymentProgressing && c.Reason == "ProgressDeadlineExceeded" {
			return "it has exceeded its progress deadline", o.Spec.Paused
		}
	}
	switch {
	case is.Replicas > is.UpdatedReplicas: // also while it is paused, with a change that waits
		return old(is.Replicas-is.UpdatedReplicas, is.Replicas), o.Spec.Paused
	case is.AvailableReplicas < is.UpdatedReplicas && is.AvailableReplicas >= want:
		return fmt.Sprintf("%d of %d replicas are available", is.AvailableReplicas, is.UpdatedReplicas), o.Spec.Paused
	}
	return "", false
}

func statefulSetRollout(o *apps.StatefulSet) (rollout string, waits bool) {
	want, is := *o.Spec.Replicas, o.Status
	if is.ObservedGeneration < o.Generation || is.ObservedGeneration == 0 {
		return unobserved, false
	}
	rollout, waits = revisionRollout(o, want)
	if is.Replicas > want { // those that are to go count as available until they are gone
		return fmt.Sprintf("it is scaled down to %d replicas, and has %d", want, is.Replicas), rollout == "" || waits
	}
	return rollout, waits
}

// revisionRollout is what a StatefulSet of so many replicas waits for until these are of the revision that they are to be of.
func revisionRollout(o *apps.StatefulSet, want int32) (rollout string, waits bool) {
	is := o.Status
	pending := is.CurrentRevision != is.UpdateRevision
	if !pending && is.AvailableReplicas < want {
		return "", false
	}
	progress := fmt.Sprintf("%d of %d replicas are updated and not terminating", is.UpdatedReplicas, want)
	rolling := o.Spec.UpdateStrategy.RollingUpdate
	switch {
	case o.Spec.UpdateStrategy.Type == apps.OnDeleteStatefulSetStrategyType: // of which kubectl says nothing
		if is.UpdatedReplicas < want { // pending or not: a revision that was given up leaves others behind
			return progress + "; the others wait for somebody to delete them", true
		}
		return "", false
	case rolling == nil:
		if pending {
			return progress, false
		}
		return "", false
	case rolling.Partition != nil: // replicas below it stay as they are, and the rollout is complete
		want = max(0, want-*rolling.Partition)
		if pending && is.UpdatedReplicas > want {
			return fmt.Sprintf("%d replicas below its partition are updated, and would go back", is.UpdatedReplicas-want), true
		}
	}
	if is.UpdatedReplicas < want {
		return progress, false
	}
	return "", false
}

func daemonSetRollout(o *apps.DaemonSet) (rollout string, waits bool) {
	is := o.Status
	switch {
	case is.ObservedGeneration < o.Generation:
		return unobserved, false
	case is.CurrentNumberScheduled > is.UpdatedNumberScheduled && is.UpdatedNumberScheduled < is.DesiredNumberScheduled:
		return old(is.CurrentNumberScheduled-is.UpdatedNumberScheduled, is.CurrentNumberScheduled), o.Spec.UpdateStrategy.Type == apps.OnDeleteDaemonSetStrategyType
	}
	return "", false
}

func old(n, all int32) string {
	return fmt.Sprintf("%d of %d replicas are of an older revision", n, all)
}
