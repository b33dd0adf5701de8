package kubernetes

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"path"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"caprice/chaos"
	"caprice/victims"
)

// Each number of a status is another here: of each kind those that are available count, and not those that are merely Ready.
func TestWhatIsReadOfEachKind(t *testing.T) {
	for _, test := range []struct {
		object              runtime.Object
		replicas, available int
		misplaced           int
		unsaid              bool
	}{
		{&apps.Deployment{Spec: apps.DeploymentSpec{Replicas: new(int32(9))}, Status: apps.DeploymentStatus{Replicas: 8, UpdatedReplicas: 7, ReadyReplicas: 6, AvailableReplicas: 5}}, 9, 5, 0, false},
		{&apps.StatefulSet{Spec: apps.StatefulSetSpec{Replicas: new(int32(9))}, Status: apps.StatefulSetStatus{Replicas: 8, CurrentReplicas: 7, ReadyReplicas: 6, AvailableReplicas: 5}}, 9, 5, 0, false},
		{&apps.DaemonSet{Status: apps.DaemonSetStatus{DesiredNumberScheduled: 9, CurrentNumberScheduled: 8, UpdatedNumberScheduled: 7, NumberReady: 6, NumberAvailable: 5, NumberMisscheduled: 4}}, 9, 5, 4, false},
		{&apps.Deployment{}, 0, 0, 0, true},
		{&apps.StatefulSet{}, 0, 0, 0, true},
	} {
		s, err := specOf(test.object)
		if (err != nil) != test.unsaid || s.says.Replicas != test.replicas || s.says.Available != test.available || s.says.Misplaced != test.misplaced {
			t.Errorf("%T: wants %d, %d available, %d misplaced, %v; want %d, %d and %d, and an error: %v", test.object, s.says.Replicas, s.says.Available, s.says.Misplaced, err, test.replicas, test.available, test.misplaced, test.unsaid)
		}
	}
}

func TestHowLongPodsMayTakeIsReadOfEachKind(t *testing.T) {
	never := core.PodTemplateSpec{Spec: core.PodSpec{TerminationGracePeriodSeconds: new(int64(math.MaxInt64))}}
	drains := core.PodTemplateSpec{Spec: core.PodSpec{TerminationGracePeriodSeconds: new(int64(300))}}
	for _, test := range []struct {
		object          runtime.Object
		stops, minReady time.Duration
	}{
		{&apps.Deployment{Spec: apps.DeploymentSpec{Replicas: new(int32(1)), MinReadySeconds: 45, Template: drains}}, 5 * time.Minute, 45 * time.Second},
		{&apps.StatefulSet{Spec: apps.StatefulSetSpec{Replicas: new(int32(1)), MinReadySeconds: 45, Template: drains}}, 5 * time.Minute, 45 * time.Second},
		{&apps.DaemonSet{Spec: apps.DaemonSetSpec{MinReadySeconds: 45, Template: drains}}, 5 * time.Minute, 45 * time.Second},
		{&apps.DaemonSet{}, 30 * time.Second, 0},
		{&apps.DaemonSet{Spec: apps.DaemonSetSpec{Template: never}}, 24 * time.Hour, 0},
	} {
		s, err := specOf(test.object)
		if err != nil {
			t.Fatal(err)
		}
		s.selector = &meta.LabelSelector{}
		if c, err := s.state(chaos.Subject{}); err != nil || c.Stops != test.stops || c.MinReady != test.minReady {
			t.Errorf("%T: its pods may take %s to stop and %s to count, %v; want %s and %s", test.object, c.Stops, c.MinReady, err, test.stops, test.minReady)
		}
	}
}

func TestAStatefulSetsNumbersAreRead(t *testing.T) {
	for _, test := range []struct {
		ordinals *apps.StatefulSetOrdinals
		want     int
	}{{nil, 0}, {&apps.StatefulSetOrdinals{Start: 5}, 5}} {
		s, err := specOf(&apps.StatefulSet{Spec: apps.StatefulSetSpec{Replicas: new(int32(3)), Ordinals: test.ordinals}})
		if err != nil {
			t.Fatal(err)
		}
		s.selector = &meta.LabelSelector{}
		if c, err := s.state(chaos.Subject{}); err != nil || c.First != test.want {
			t.Errorf("its first replica is %d, %v; want %d", c.First, err, test.want)
		}
	}
}

// What stands between may answer of a namespace as well, and leave out that it has opted out.
func TestAnAnswerWithoutAVersionIsNoNamespace(t *testing.T) {
	for metadata, kept := range map[string]bool{`{"name": "shop"}`: false, `{"name": "shop", "resourceVersion": "7"}`: true, `{"name": "shop", "uid": "1"}`: true} {
		c := &Cluster{Still: true, Client: serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if path.Base(r.URL.Path) == "web" {
				_, _ = fmt.Fprint(w, theDeployment)
				return
			}
			_, _ = fmt.Fprintf(w, `{"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": %s}`, metadata)
		}))}
		_, err := c.Workload(t.Context(), victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web"})
		var veto *chaos.Veto // since nobody has opted it in
		if err == nil || errors.As(err, &veto) != kept {
			t.Errorf("by %s: %v, want it taken for the namespace: %v", metadata, err, kept)
		}
	}
}
