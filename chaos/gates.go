package chaos

import (
	"cmp"
	"fmt"

	"caprice/calendar"
	"caprice/victims"
)

// gates compares a workload as it is now with what was planned for it.
func gates(k due, now WorkloadState) error {
	switch {
	case now.UID != k.UID:
		return &Veto{OptedOut, "another workload has its name now"}
	case !now.Terms.Same(k.Terms) && k.request == nil:
		return &Veto{TermsChanged, "its terms have changed since this kill was planned"}
	}
	return cmp.Or(rolledOut(now), replicated(now))
}

// replicated returns an error if the workload wants too few replicas.
func replicated(now WorkloadState) error {
	if now.Replicas < now.Terms.MinReplicas {
		return &Veto{MinReplicas, fmt.Sprintf("it wants %d replicas, its terms ask for at least %d", now.Replicas, now.Terms.MinReplicas)}
	}
	return nil
}

// rolledOut returns an error while a rollout is under way.
func rolledOut(now WorkloadState) error {
	if now.Rollout != "" {
		return &Veto{Rollout, "a rollout has to finish first: " + now.Rollout}
	}
	return nil
}

// whole returns an error unless as many replicas are available as the workload wants. What its controller says may be of a
// moment ago, and may count pods that terminate; so the pods that were just read have a say too.
func whole(now WorkloadState, pods []victims.Pod) error {
	if now.Misplaced > 0 { // they would not come back, and hide that others are missing
		return &Veto{Degraded, fmt.Sprintf("%d of its pods are on nodes that it is not for any more: want them gone, or the taints of these nodes tolerated", now.Misplaced)}
	}
	if available := min(now.Available, readyOf(pods)); available < now.Replicas {
		return &Veto{Degraded, fmt.Sprintf("%d replicas are available, it wants %d", available, now.Replicas)}
	}
	return nil
}

// readyOf returns how many of the pods are Ready and will stay.
func readyOf(pods []victims.Pod) int {
	ready := 0
	for _, p := range pods {
		if serves(p) {
			ready++
		}
	}
	return ready
}

// serves tells whether a pod is Ready and will stay.
func serves(p victims.Pod) bool { return p.Running && p.Ready && !p.Terminating }

// eligible returns the pods that may die by a kill; its error says why there are none.
func (r *Runner) eligible(k due, pods []victims.Pod) ([]victims.Pod, error) {
	at := calendar.Later(k.At, wallNow()) // a pod is as old as it will be when the kill is due, or is by now if that is later
	candidates, left := victims.Candidates(pods, k.Terms.Scale.Mode, at.Add(-r.MinAge))
	switch {
	case len(candidates) > 0:
		return candidates, nil
	case left[victims.TooYoung] > 0:
		return nil, &Veto{MinAge, fmt.Sprintf("none of its %d pods may die: %s; want one that is %s old", len(pods), left, r.MinAge)}
	case left[victims.Unlabelled] > 0:
		return nil, &Veto{NoPods, fmt.Sprintf("none of its %d pods may die: %s; want that in its pod template, by guard.requirePodLabel of the chart", len(pods), left)}
	case len(pods) > 0:
		return nil, &Veto{NoPods, fmt.Sprintf("none of its %d pods may die: %s; want one that is Running and Ready", len(pods), left)}
	default:
		return nil, &Veto{NoPods, "it has no pods: want one that is Running and Ready"}
	}
}
