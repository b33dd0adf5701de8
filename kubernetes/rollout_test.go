package kubernetes

import (
	"testing"

	apps "k8s.io/api/apps/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// told is what a rollout waits for, and that it waits for somebody.
func told(rollout string, waits bool) string {
	if waits {
		rollout += " (waits)"
	}
	return rollout
}

func TestADeploymentsRolloutIsJudgedAsKubectlDoes(t *testing.T) {
	for _, test := range []struct {
		why    string
		change func(*apps.Deployment)
		want   string
	}{
		{"three of three", func(*apps.Deployment) {}, ""},
		{"its spec has not been seen", func(o *apps.Deployment) { o.Generation++ }, unobserved},
		{"it took too long", func(o *apps.Deployment) {
			o.Status.Conditions = []apps.DeploymentCondition{{Type: apps.DeploymentProgressing, Reason: "ProgressDeadlineExceeded"}}
		}, "it has exceeded its progress deadline"},
		{"it progressed in time", func(o *apps.Deployment) {
			o.Status.Conditions = []apps.DeploymentCondition{{Type: apps.DeploymentProgressing, Reason: "NewReplicaSetAvailable"}}
		}, ""},
		{"a new replica beside three old ones", func(o *apps.Deployment) { o.Status.Replicas, o.Status.UpdatedReplicas = 4, 1 }, "3 of 4 replicas are of an older revision"},
		{"all are new, and one is old", func(o *apps.Deployment) { o.Status.Replicas = 4 }, "1 of 4 replicas are of an older revision"},
		{"more than it wants, and not all of them available", func(o *apps.Deployment) { o.Status.Replicas, o.Status.UpdatedReplicas = 5, 5 }, "3 of 5 replicas are available"},
		{"it is paused, and nothing has changed", func(o *apps.Deployment) { o.Spec.Paused = true }, ""},
		{"it is paused, with a change that waits", func(o *apps.Deployment) { o.Spec.Paused, o.Status.UpdatedReplicas = true, 0 }, "3 of 3 replicas are of an older revision (waits)"},
		{"a pod died, which is no rollout", func(o *apps.Deployment) {
			o.Status.Replicas, o.Status.UpdatedReplicas, o.Status.AvailableReplicas = 2, 2, 2
		}, ""},
	} {
		t.Run(test.why, func(t *testing.T) {
			o := &apps.Deployment{
				ObjectMeta: meta.ObjectMeta{Generation: 7},
				Spec:       apps.DeploymentSpec{Replicas: new(int32(3))},
				Status:     apps.DeploymentStatus{ObservedGeneration: 7, Replicas: 3, UpdatedReplicas: 3, AvailableReplicas: 3},
			}
			test.change(o)
			if got := told(deploymentRollout(o)); got != test.want {
				t.Errorf("it waits for %q, want %q", got, test.want)
			}
		})
	}
}

func TestAStatefulSetsRolloutIsJudgedAsKubectlDoes(t *testing.T) {
	onDelete := apps.StatefulSetUpdateStrategy{Type: apps.OnDeleteStatefulSetStrategyType}
	for _, test := range []struct {
		why    string
		change func(*apps.StatefulSet)
		want   string
	}{
		{"three of three", func(*apps.StatefulSet) {}, ""},
		{"its spec has not been seen", func(o *apps.StatefulSet) { o.Generation++ }, unobserved},
		{"it has never been seen", func(o *apps.StatefulSet) { o.Generation, o.Status.ObservedGeneration = 0, 0 }, unobserved},
		{"two of three are updated", func(o *apps.StatefulSet) { o.Status.UpdateRevision, o.Status.UpdatedReplicas = "b", 2 }, "2 of 3 replicas are updated and not terminating"},
		{"it goes back, and one is of the revision that is given up", func(o *apps.StatefulSet) { o.Status.UpdatedReplicas = 2 }, "2 of 3 replicas are updated and not terminating"},
		{"those above its partition are updated", func(o *apps.StatefulSet) {
			o.Spec.UpdateStrategy.RollingUpdate.Partition = new(int32(2))
			o.Status.UpdateRevision, o.Status.UpdatedReplicas = "b", 1
		}, ""},
		{"one above its partition is not updated", func(o *apps.StatefulSet) {
			o.Spec.UpdateStrategy.RollingUpdate.Partition = new(int32(1))
			o.Status.UpdateRevision, o.Status.UpdatedReplicas = "b", 1
		}, "1 of 3 replicas are updated and not terminating"},
		{"a canary was stopped by raising the partition", func(o *apps.StatefulSet) {
			o.Spec.UpdateStrategy.RollingUpdate.Partition = new(int32(3))
			o.Status.UpdateRevision, o.Status.UpdatedReplicas = "b", 2
		}, "2 replicas below its partition are updated, and would go back (waits)"},
		{"its partition is beyond its replicas, and none is updated", func(o *apps.StatefulSet) {
			o.Spec.UpdateStrategy.RollingUpdate.Partition = new(int32(5))
			o.Status.UpdateRevision, o.Status.UpdatedReplicas = "b", 0
		}, ""},
		{"it is scaled down, and those that are to go count as available", func(o *apps.StatefulSet) {
			o.Status.Replicas, o.Status.UpdatedReplicas, o.Status.AvailableReplicas = 5, 5, 4
		}, "it is scaled down to 3 replicas, and has 5 (waits)"},
		{"it is scaled down in a rollout", func(o *apps.StatefulSet) {
			o.Status.Replicas, o.Status.UpdateRevision, o.Status.UpdatedReplicas = 5, "b", 1
		}, "it is scaled down to 3 replicas, and has 5"},
		{"it goes on its own way, and one is not updated", func(o *apps.StatefulSet) {
			o.Spec.UpdateStrategy = apps.StatefulSetUpdateStrategy{Type: "Recreate"}
			o.Status.UpdateRevision, o.Status.UpdatedReplicas = "b", 2
		}, "2 of 3 replicas are updated and not terminating"},
		{"without a partition, another revision is wanted", func(o *apps.StatefulSet) {
			o.Spec.UpdateStrategy.RollingUpdate = nil
			o.Status.UpdateRevision = "b"
		}, "3 of 3 replicas are updated and not terminating"},
		{"without a partition, all are of the one revision", func(o *apps.StatefulSet) { o.Spec.UpdateStrategy.RollingUpdate = nil }, ""},
		{"a pod died, which is no rollout", func(o *apps.StatefulSet) { o.Status.UpdatedReplicas, o.Status.AvailableReplicas = 2, 2 }, ""},
		{"a pod died in a rollout", func(o *apps.StatefulSet) {
			o.Status.UpdateRevision, o.Status.UpdatedReplicas, o.Status.AvailableReplicas = "b", 2, 2
		}, "2 of 3 replicas are updated and not terminating"},
		{"OnDelete, and nothing is pending", func(o *apps.StatefulSet) { o.Spec.UpdateStrategy = onDelete }, ""},
		{"OnDelete, and a revision is pending", func(o *apps.StatefulSet) {
			o.Spec.UpdateStrategy, o.Status.UpdateRevision, o.Status.UpdatedReplicas = onDelete, "b", 0
		}, "0 of 3 replicas are updated and not terminating; the others wait for somebody to delete them (waits)"},
		{"OnDelete, and it is scaled down", func(o *apps.StatefulSet) { o.Spec.UpdateStrategy, o.Status.Replicas = onDelete, 4 }, "it is scaled down to 3 replicas, and has 4 (waits)"},
		{"OnDelete, and its spec has not been seen", func(o *apps.StatefulSet) {
			o.Spec.UpdateStrategy, o.Generation, o.Status.UpdatedReplicas = onDelete, 8, 2
		}, unobserved},
		{"OnDelete, and one is left that waits", func(o *apps.StatefulSet) {
			o.Spec.UpdateStrategy, o.Status.UpdateRevision, o.Status.UpdatedReplicas = onDelete, "b", 2
		}, "2 of 3 replicas are updated and not terminating; the others wait for somebody to delete them (waits)"},
		{"OnDelete, and one is of a revision that was given up", func(o *apps.StatefulSet) {
			o.Spec.UpdateStrategy, o.Status.UpdatedReplicas = onDelete, 2
		}, "2 of 3 replicas are updated and not terminating; the others wait for somebody to delete them (waits)"},
		{"OnDelete, and a pod died", func(o *apps.StatefulSet) {
			o.Spec.UpdateStrategy, o.Status.UpdatedReplicas, o.Status.AvailableReplicas = onDelete, 2, 2
		}, ""},
		{"OnDelete, and somebody has deleted them all", func(o *apps.StatefulSet) { o.Spec.UpdateStrategy, o.Status.UpdateRevision = onDelete, "b" }, ""},
	} {
		t.Run(test.why, func(t *testing.T) {
			o := &apps.StatefulSet{
				ObjectMeta: meta.ObjectMeta{Generation: 7},
				Spec: apps.StatefulSetSpec{Replicas: new(int32(3)), UpdateStrategy: apps.StatefulSetUpdateStrategy{
					Type: apps.RollingUpdateStatefulSetStrategyType, RollingUpdate: &apps.RollingUpdateStatefulSetStrategy{Partition: new(int32)}}},
				Status: apps.StatefulSetStatus{ObservedGeneration: 7, Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3, AvailableReplicas: 3, CurrentRevision: "a", UpdateRevision: "a"},
			}
			test.change(o)
			if got := told(statefulSetRollout(o)); got != test.want {
				t.Errorf("it waits for %q, want %q", got, test.want)
			}
		})
	}
}

func TestADaemonSetsRolloutIsJudgedAsKubectlDoes(t *testing.T) {
	for _, test := range []struct {
		why    string
		change func(*apps.DaemonSet)
		want   string
	}{
		{"three of three", func(*apps.DaemonSet) {}, ""},
		{"its spec has not been seen", func(o *apps.DaemonSet) { o.Generation++ }, unobserved},
		{"two of three are updated", func(o *apps.DaemonSet) { o.Status.UpdatedNumberScheduled = 2 }, "1 of 3 replicas are of an older revision"},
		{"a node has no pod, which is no rollout", func(o *apps.DaemonSet) {
			o.Status.CurrentNumberScheduled, o.Status.UpdatedNumberScheduled, o.Status.NumberAvailable = 2, 2, 2
		}, ""},
		{"OnDelete, and nothing is pending", func(o *apps.DaemonSet) { o.Spec.UpdateStrategy.Type = apps.OnDeleteDaemonSetStrategyType }, ""},
		{"OnDelete, and a revision is pending", func(o *apps.DaemonSet) {
			o.Spec.UpdateStrategy.Type, o.Status.UpdatedNumberScheduled = apps.OnDeleteDaemonSetStrategyType, 0
		}, "3 of 3 replicas are of an older revision (waits)"},
	} {
		t.Run(test.why, func(t *testing.T) {
			o := &apps.DaemonSet{
				ObjectMeta: meta.ObjectMeta{Generation: 7},
				Spec:       apps.DaemonSetSpec{UpdateStrategy: apps.DaemonSetUpdateStrategy{Type: apps.RollingUpdateDaemonSetStrategyType}},
				Status:     apps.DaemonSetStatus{ObservedGeneration: 7, DesiredNumberScheduled: 3, CurrentNumberScheduled: 3, UpdatedNumberScheduled: 3, NumberAvailable: 3},
			}
			test.change(o)
			if got := told(daemonSetRollout(o)); got != test.want {
				t.Errorf("it waits for %q, want %q", got, test.want)
			}
		})
	}
}

// Whatever 'kubectl rollout status' waits for is spared, as a rollout or as degraded, and nothing else is, but for a StatefulSet that is
// scaled down or whose canary was stopped: docs/decisions/gates.md. What it says is written out here from its source; a status counts no
// more available replicas than there are.
func TestNothingIsSparedThatKubectlCallsFinishedNorTheOtherWayRound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := func(what string) int32 { return rapid.Int32Range(0, 3).Draw(t, what) }
		want, all, generation := n("want"), n("all"), int64(n("generation"))
		updated, available := min(n("updated"), all), min(n("available"), all)
		revision := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "revision")

		d := &apps.Deployment{Spec: apps.DeploymentSpec{Replicas: &want}, Status: apps.DeploymentStatus{ObservedGeneration: 1, Replicas: all, UpdatedReplicas: updated, AvailableReplicas: available}}
		s := &apps.StatefulSet{Spec: apps.StatefulSetSpec{Replicas: &want}, Status: apps.StatefulSetStatus{ObservedGeneration: 1, Replicas: all, UpdatedReplicas: updated, ReadyReplicas: available, AvailableReplicas: available, CurrentRevision: "a", UpdateRevision: revision}}
		partition := n("partition")
		s.Spec.UpdateStrategy = apps.StatefulSetUpdateStrategy{Type: apps.RollingUpdateStatefulSetStrategyType, RollingUpdate: &apps.RollingUpdateStatefulSetStrategy{Partition: &partition}}
		a := &apps.DaemonSet{Status: apps.DaemonSetStatus{ObservedGeneration: 1, DesiredNumberScheduled: want, CurrentNumberScheduled: all, UpdatedNumberScheduled: updated, NumberAvailable: available}}
		d.Generation, s.Generation, a.Generation = generation, generation, generation

		seen, degraded := generation <= 1, available < want
		stopped := revision != "a" && updated > max(0, want-partition)
		for _, c := range []struct {
			kind, rollout string
			finished      bool
		}{
			{"Deployment", told(deploymentRollout(d)), seen && updated >= want && all <= updated && available >= updated},
			{"StatefulSet", told(statefulSetRollout(s)), seen && available >= want && updated >= want-partition && all <= want && !stopped},
			{"DaemonSet", told(daemonSetRollout(a)), seen && updated >= want && available >= want},
		} {
			if spared := c.rollout != "" || degraded; spared == c.finished {
				t.Errorf("%s: kubectl calls it finished: %v; it waits for %q, degraded: %v", c.kind, c.finished, c.rollout, degraded)
			}
		}
	})
}
