package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	policy "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	selector            *meta.LabelSelector
	replicas, available int
	rollout             string // what it waits for
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
		return spec{o.ObjectMeta, o.Spec.Selector, int(*o.Spec.Replicas), int(o.Status.AvailableReplicas), deploymentRollout(o)}, nil
	case victims.StatefulSet:
		o, err := apps.StatefulSets(w.Namespace).Get(ctx, w.Name, options)
		if err != nil {
			return spec{}, err
		}
		return spec{o.ObjectMeta, o.Spec.Selector, int(*o.Spec.Replicas), int(o.Status.AvailableReplicas), statefulSetRollout(o)}, nil
	case victims.DaemonSet:
		o, err := apps.DaemonSets(w.Namespace).Get(ctx, w.Name, options)
		if err != nil {
			return spec{}, err
		}
		return spec{o.ObjectMeta, o.Spec.Selector, int(o.Status.DesiredNumberScheduled), int(o.Status.NumberAvailable), daemonSetRollout(o)}, nil
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
	return c.judge(w, s, namespace)
}

// judge says what condition a workload is in, by what was read of it and its namespace.
func (c *Cluster) judge(w victims.Workload, s spec, namespace *meta.PartialObjectMetadata) (chaos.Condition, error) {
	switch {
	case s.DeletionTimestamp != nil:
		return chaos.Condition{}, &chaos.Veto{Reason: chaos.OptedOut, Message: "it is being deleted"}
	case namespace.DeletionTimestamp != nil:
		return chaos.Condition{}, &chaos.Veto{Reason: chaos.OptedOut, Message: "its namespace is being deleted"}
	}
	terms, err := readTerms(victims.Metadata{Labels: ours(s.Labels), Annotations: ours(s.Annotations)}, metadataOf(namespace), c.Defaults, time.Now())
	switch {
	case errors.Is(err, victims.ErrOptedOut):
		return chaos.Condition{}, &chaos.Veto{Reason: chaos.OptedOut, Message: "it is not opted in any more"}
	case err != nil:
		return chaos.Condition{}, &chaos.Veto{Reason: chaos.TermsChanged, Message: err.Error()}
	}
	selector, err := meta.LabelSelectorAsSelector(s.selector)
	if err != nil {
		return chaos.Condition{}, err
	}
	w.UID = string(s.UID)
	return chaos.Condition{
		Subject:  chaos.Subject{Workload: w, Terms: terms},
		Replicas: s.replicas, Available: s.available, Rollout: s.rollout, Selector: selector.String(),
	}, nil
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
	err := request.Namespace(p.Namespace).Resource("pods").Name(p.Name).Body(body).Do(ctx).Error()
	if apierrors.HasStatusCause(err, policy.DisruptionBudgetCause) {
		return &chaos.Veto{Reason: chaos.Disruption, Message: err.Error()}
	}
	return refusal(err)
}
