package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"caprice/chaos"
	"caprice/victims"
)

// Cluster reads workloads and pods afresh, and removes pods. It is a chaos.Cluster.
type Cluster struct {
	Client   *Client
	Defaults victims.Terms
}

// spec is what Caprice reads of any kind of workload.
type spec struct {
	meta.ObjectMeta
	replicas int
	selector *meta.LabelSelector
}

// get is the one place that reads the kinds.
func (c *Client) get(ctx context.Context, w victims.Workload) (spec, error) {
	apps, options := c.typed.AppsV1(), meta.GetOptions{}
	switch w.Kind {
	case victims.Deployment:
		o, err := apps.Deployments(w.Namespace).Get(ctx, w.Name, options)
		if err != nil {
			return spec{}, err
		}
		return spec{o.ObjectMeta, int(*o.Spec.Replicas), o.Spec.Selector}, nil
	case victims.StatefulSet:
		o, err := apps.StatefulSets(w.Namespace).Get(ctx, w.Name, options)
		if err != nil {
			return spec{}, err
		}
		return spec{o.ObjectMeta, int(*o.Spec.Replicas), o.Spec.Selector}, nil
	case victims.DaemonSet:
		o, err := apps.DaemonSets(w.Namespace).Get(ctx, w.Name, options)
		if err != nil {
			return spec{}, err
		}
		return spec{o.ObjectMeta, int(o.Status.DesiredNumberScheduled), o.Spec.Selector}, nil
	default:
		return spec{}, fmt.Errorf("kind %q is none that can opt in", w.Kind)
	}
}

// refusal marks an error of the API server's that asking again does not change.
func refusal(err error) error {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return err
	}
	switch code := status.Status().Code; {
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code < 400, code >= 500:
		return err
	}
	return &chaos.Refusal{Err: err}
}

// Workload reads a workload and its namespace.
func (c *Cluster) Workload(ctx context.Context, w victims.Workload) (chaos.Condition, error) {
	s, err := c.Client.get(ctx, w)
	if apierrors.IsNotFound(err) {
		return chaos.Condition{}, &chaos.Veto{Reason: chaos.OptedOut, Message: "it has been deleted"}
	}
	if err != nil {
		return chaos.Condition{}, refusal(err)
	}
	namespace, err := c.Client.metadata.Resource(namespaces).Get(ctx, w.Namespace, meta.GetOptions{})
	if err != nil {
		return chaos.Condition{}, fmt.Errorf("namespace %s: %w", w.Namespace, refusal(err))
	}
	terms, err := readTerms(victims.Metadata{Labels: ours(s.Labels), Annotations: ours(s.Annotations)}, metadataOf(namespace), c.Defaults, time.Now())
	switch {
	case errors.Is(err, victims.ErrOptedOut):
		return chaos.Condition{}, &chaos.Veto{Reason: chaos.OptedOut, Message: "it is not opted in any more"}
	case err != nil:
		return chaos.Condition{}, &chaos.Veto{Reason: chaos.TermsChanged, Message: err.Error()}
	}
	w.UID = string(s.UID)
	return chaos.Condition{Subject: chaos.Subject{Workload: w, Terms: terms}, Replicas: s.replicas}, nil
}

// Pods reads the pods that match the workload's selector and that it controls, for a Deployment by way of its ReplicaSets.
func (c *Cluster) Pods(ctx context.Context, w victims.Workload) ([]victims.Pod, error) {
	s, err := c.Client.get(ctx, w)
	if err != nil {
		return nil, refusal(err)
	}
	selector, err := meta.LabelSelectorAsSelector(s.selector)
	if err != nil {
		return nil, refusal(err)
	}
	if selector.Empty() || string(s.UID) != w.UID {
		return nil, nil // it would match every pod of the namespace, or those of another workload of the same name
	}
	options := meta.ListOptions{LabelSelector: selector.String()}
	owners := map[types.UID]bool{s.UID: true}
	if w.Kind == victims.Deployment {
		sets, err := c.Client.typed.AppsV1().ReplicaSets(w.Namespace).List(ctx, options)
		if err != nil {
			return nil, refusal(err)
		}
		owners = map[types.UID]bool{}
		for _, set := range sets.Items {
			if meta.IsControlledBy(&set, &s) {
				owners[set.UID] = true
			}
		}
	}
	list, err := c.Client.typed.CoreV1().Pods(w.Namespace).List(ctx, options)
	if err != nil {
		return nil, refusal(err)
	}
	var pods []victims.Pod
	for _, p := range list.Items {
		if owner := meta.GetControllerOfNoCopy(&p); owner == nil || !owners[owner.UID] {
			continue
		}
		pods = append(pods, victims.Pod{
			Namespace: p.Namespace, Name: p.Name, UID: string(p.UID), Labels: p.Labels,
			Running: p.Status.Phase == core.PodRunning, Ready: ready(&p), Terminating: p.DeletionTimestamp != nil,
		})
	}
	return pods, nil
}

func ready(p *core.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == core.PodReady {
			return c.Status == core.ConditionTrue
		}
	}
	return false
}

// Allowed reads how many disruptions the one budget of these pods, which share a namespace, allows.
func (c *Cluster) Allowed(ctx context.Context, pods []victims.Pod) (int, error) {
	list, err := c.Client.typed.PolicyV1().PodDisruptionBudgets(pods[0].Namespace).List(ctx, meta.ListOptions{})
	if err != nil {
		return 0, refusal(err)
	}
	var budgets []policy.PodDisruptionBudget
	for _, b := range list.Items {
		selector, err := meta.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil {
			return 0, fmt.Errorf("selector of PodDisruptionBudget %s: %w", b.Name, err)
		}
		for _, p := range pods {
			if selector.Matches(labels.Set(p.Labels)) {
				budgets = append(budgets, b)
				break
			}
		}
	}
	if len(budgets) != 1 {
		return 0, &chaos.Veto{Reason: chaos.Disruption, Message: fmt.Sprintf("kill mode pdb wants one PodDisruptionBudget for its pods, there are %d", len(budgets))}
	}
	b := budgets[0]
	if b.Status.ObservedGeneration < b.Generation {
		return 0, nil // its status is of an older spec
	}
	return int(b.Status.DisruptionsAllowed), nil
}

// Remove is the one call that changes pods. The UID precondition makes the API server refuse it for any other pod of the
// name, and nothing here repeats it.
func (c *Cluster) Remove(ctx context.Context, p victims.Pod, how chaos.Removal) error {
	uid := types.UID(p.UID)
	options := meta.DeleteOptions{Preconditions: &meta.Preconditions{UID: &uid}}
	if how.Grace > 0 {
		seconds := int64(time.Duration(how.Grace) / time.Second)
		options.GracePeriodSeconds = &seconds
	}
	if how.DryRun {
		options.DryRun = []string{meta.DryRunAll}
	}
	client := c.Client.typed.CoreV1().RESTClient()
	request, body := client.Delete(), runtime.Object(&options)
	if how.Method == victims.Evict {
		request = client.Post().SubResource("eviction")
		body = &policy.Eviction{ObjectMeta: meta.ObjectMeta{Namespace: p.Namespace, Name: p.Name}, DeleteOptions: &options}
	}
	err := request.Namespace(p.Namespace).Resource("pods").Name(p.Name).Body(body).MaxRetries(0).Do(ctx).Error()
	if apierrors.HasStatusCause(err, policy.DisruptionBudgetCause) {
		return &chaos.Veto{Reason: chaos.Disruption, Message: err.Error()}
	}
	return err
}
