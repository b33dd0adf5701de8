package kubernetes

import (
	"context"
	"iter"
	"slices"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/chaos"
	"caprice/victims"
)

// podsAtOnce is how many pods are read at once of a workload that has more: whole pods take some 20 kB each, and what is kept of them
// a twentieth of that.
const podsAtOnce = 500

// Pods reads the pods that match the workload's selector and that it controls, for a Deployment by way of its ReplicaSets.
func (c *Cluster) Pods(ctx context.Context, w chaos.WorkloadState) (chaos.Snapshot, error) {
	snapshot, err := c.pods(ctx, w)
	return snapshot, Unreadable(err)
}

// pods is Pods; its error is a *chaos.Refusal where the API server says no.
func (c *Cluster) pods(ctx context.Context, w chaos.WorkloadState) (chaos.Snapshot, error) {
	snapshot := chaos.Snapshot{WorkloadState: w}
	if w.Selector == "" {
		return snapshot, nil // it would match every pod of the namespace
	}
	options := meta.ListOptions{LabelSelector: w.Selector}
	if max(w.Replicas, w.Counted) > podsAtOnce {
		options.Limit = podsAtOnce
	}
	own := c.owners(w.Workload)
	for pods, err := range c.pages(ctx, w.Namespace, options) {
		if err != nil {
			return snapshot, err
		}
		if snapshot.At.IsZero() { // what follows is of the same version
			snapshot.At = time.Now()
			if watching, _ := w.Watch.(*live); watching != nil {
				watching.since = pods.ResourceVersion
			}
			if set, plain := plainly(w, pods.Items); plain && pods.Continue == "" {
				own.known[set] = true
			}
		}
		for i := range pods.Items {
			p := &pods.Items[i]
			switch ours, err := own.control(ctx, p); {
			case err != nil:
				return snapshot, Refusal(err)
			case ours:
				v := victim(p)
				v.Unlabelled = c.RequirePodLabel && p.Labels[victims.OptIn] != "true"
				snapshot.Pods = append(snapshot.Pods, v)
			}
		}
	}
	return snapshot, nil
}

// pages reads the pods of a namespace that the options select, page by page where these have a limit. An error is the last.
func (c *Cluster) pages(ctx context.Context, namespace string, o meta.ListOptions) iter.Seq2[*core.PodList, error] {
	return func(yield func(*core.PodList, error) bool) {
		for {
			pods, err := c.Client.groups.pods(namespace).List(ctx, o)
			if err != nil {
				yield(nil, Refusal(err))
				return
			}
			if !yield(pods, nil) || pods.Continue == "" {
				return
			}
			o.Continue = pods.Continue
		}
	}
}

// plainly returns the UID of a Deployment's only ReplicaSet where two witnesses say that all pods that match its selector are of
// it, so that it need not be read: all are of one that has the name that the Deployment's controller gives, and there are as many
// as that controller counts, which counts those of its ReplicaSets alone. Pods that are about to go it does not count.
func plainly(w chaos.WorkloadState, pods []core.Pod) (set string, plain bool) {
	count := 0
	for i := range pods {
		p := &pods[i]
		owner, hash := meta.GetControllerOfNoCopy(p), p.Labels[apps.DefaultDeploymentUniqueLabelKey]
		if w.Kind != victims.Deployment || owner == nil || owner.Kind != "ReplicaSet" || hash == "" || owner.Name != w.Name+"-"+hash || set != "" && set != string(owner.UID) {
			return "", false
		}
		set = string(owner.UID)
		if p.DeletionTimestamp == nil && p.Status.Phase != core.PodSucceeded && p.Status.Phase != core.PodFailed {
			count++
		}
	}
	return set, count > 0 && count == w.Counted
}

// owners are what controls the pods of a workload: itself, or the ReplicaSets that it controls.
type owners struct {
	client   *Client
	workload victims.Workload
	known    map[string]bool // by UID, whether it is one of them
}

func (c *Cluster) owners(w victims.Workload) owners {
	return owners{c.Client, w, map[string]bool{w.UID: true}}
}

// control tells whether they control the pod. It reads a ReplicaSet once that it does not know.
func (o owners) control(ctx context.Context, p *core.Pod) (bool, error) {
	owner := meta.GetControllerOfNoCopy(p)
	if owner == nil {
		return false, nil
	}
	ours, known := o.known[string(owner.UID)]
	if known || o.workload.Kind != victims.Deployment || owner.Kind != "ReplicaSet" {
		return ours, nil
	}
	set, err := o.client.groups.replicaSets(p.Namespace).Get(ctx, owner.Name, meta.GetOptions{})
	if err != nil && !Absent(err) {
		return false, err
	}
	ours = err == nil && set.UID == owner.UID && controller(set) == o.workload.UID
	o.known[string(owner.UID)] = ours
	return ours, nil
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
		Critical: critical(p), Static: static(p), Owner: controller(p),
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
