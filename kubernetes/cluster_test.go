package kubernetes

import (
	"testing"

	apps "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Each number of a status is another here: of each kind those that are available count, and not those that are merely Ready.
func TestWhatIsReadOfEachKind(t *testing.T) {
	for _, test := range []struct {
		object              runtime.Object
		replicas, available int
		unsaid              bool
	}{
		{&apps.Deployment{Spec: apps.DeploymentSpec{Replicas: new(int32(9))}, Status: apps.DeploymentStatus{Replicas: 8, UpdatedReplicas: 7, ReadyReplicas: 6, AvailableReplicas: 5}}, 9, 5, false},
		{&apps.StatefulSet{Spec: apps.StatefulSetSpec{Replicas: new(int32(9))}, Status: apps.StatefulSetStatus{Replicas: 8, CurrentReplicas: 7, ReadyReplicas: 6, AvailableReplicas: 5}}, 9, 5, false},
		{&apps.DaemonSet{Status: apps.DaemonSetStatus{DesiredNumberScheduled: 9, CurrentNumberScheduled: 8, UpdatedNumberScheduled: 7, NumberReady: 6, NumberAvailable: 5}}, 9, 5, false},
		{&apps.Deployment{}, 0, 0, true},
		{&apps.StatefulSet{}, 0, 0, true},
	} {
		s, err := specOf(test.object)
		if (err != nil) != test.unsaid || s.replicas != test.replicas || s.available != test.available {
			t.Errorf("%T: wants %d, %d available, %v; want %d and %d, and an error: %v", test.object, s.replicas, s.available, err, test.replicas, test.available, test.unsaid)
		}
	}
}
