package lab

import (
	"strings"

	"caprice/api/v1alpha1"
)

// Recovery returns the changes with which the first new pod was Ready after a kill, with which the dead ones were gone and as many Ready
// as the Deployment of so many replicas wants, and with which its status said so as well, of those that the audit log has; zero if there
// is none. A controller that takes its time may say of before the kill that all are there.
func Recovery(changes []Change, k v1alpha1.Kill, replicas int) (first, serving, whole Change) {
	dead := map[string]bool{}
	killed := k.Status.ExecutedAt.Time
	for _, d := range k.Status.Pods {
		if d.KilledAt != nil {
			dead[d.Name] = true
			if d.KilledAt.Time.Before(killed) {
				killed = d.KilledAt.Time
			}
		}
	}
	gone, ready, available := 0, replicas-len(dead), 0
	for _, c := range changes {
		if c.Namespace != k.Namespace || c.Name != k.Spec.Workload.Name && !strings.HasPrefix(c.Name, k.Spec.Workload.Name+"-") {
			continue
		}
		after := c.At.After(killed)
		switch {
		case !c.Pod:
			available = c.Available
		case after && c.Gone && dead[c.Name]:
			gone++
		case after && c.Ready && !dead[c.Name]:
			if ready++; first.At.IsZero() {
				first = c
			}
		}
		if !after || gone < len(dead) || ready < replicas {
			continue
		}
		if serving.At.IsZero() {
			serving = c
		}
		if available >= replicas {
			return first, serving, c
		}
	}
	return first, serving, Change{}
}
