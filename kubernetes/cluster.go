package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"caprice/chaos"
	"caprice/victims"
)

// Cluster reads workloads and pods afresh, what goes for a namespace for 2 s, and removes pods. It is a chaos.Cluster.
type Cluster struct {
	Client          *Client
	Defaults        victims.Terms
	RequirePodLabel bool // a pod wants the label victims.OptIn "true" itself
	Still           bool // what is read is not watched, since nobody follows it

	namespaces recent[*meta.PartialObjectMetadata]
	budgets    recent[[]policy.PodDisruptionBudget]
}

// spec is what Caprice reads of any kind of workload.
type spec struct {
	meta.ObjectMeta
	selector *meta.LabelSelector
	says     chaos.WorkloadState // what each kind says in its own way; the rest state fills in
}

var errUnsaid = errors.New("it says nothing of replicas: want the API server's own answer")

// specOf is the one place that reads the kinds.
func specOf(object runtime.Object) (spec, error) {
	switch o := object.(type) {
	case *apps.Deployment:
		if o.Spec.Replicas == nil {
			return spec{}, errUnsaid
		}
		rollout, waits := deploymentRollout(o)
		return spec{
			ObjectMeta: o.ObjectMeta, selector: o.Spec.Selector,
			says: chaos.WorkloadState{
				Replicas: int(*o.Spec.Replicas), Available: int(o.Status.AvailableReplicas), Counted: podsOf(o), Rollout: rollout, Waits: waits,
				Stops: Stops(o.Spec.Template), MinReady: seconds(o.Spec.MinReadySeconds),
			},
		}, nil
	case *apps.StatefulSet:
		if o.Spec.Replicas == nil {
			return spec{}, errUnsaid
		}
		first := 0
		if o.Spec.Ordinals != nil {
			first = int(o.Spec.Ordinals.Start)
		}
		rollout, waits := statefulSetRollout(o)
		return spec{
			ObjectMeta: o.ObjectMeta, selector: o.Spec.Selector,
			says: chaos.WorkloadState{
				Replicas: int(*o.Spec.Replicas), Available: int(o.Status.AvailableReplicas), First: first, Rollout: rollout, Waits: waits,
				Stops: Stops(o.Spec.Template), MinReady: seconds(o.Spec.MinReadySeconds),
			},
		}, nil
	case *apps.DaemonSet:
		rollout, waits := daemonSetRollout(o)
		return spec{
			ObjectMeta: o.ObjectMeta, selector: o.Spec.Selector,
			says: chaos.WorkloadState{
				Replicas: int(o.Status.DesiredNumberScheduled), Available: int(o.Status.NumberAvailable), Misplaced: int(o.Status.NumberMisscheduled),
				Rollout: rollout, Waits: waits, Stops: Stops(o.Spec.Template), MinReady: seconds(o.Spec.MinReadySeconds),
			},
		}, nil
	default:
		return spec{}, fmt.Errorf("%T is no kind that can opt in", object)
	}
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

// Stops returns how long pods of a template may take to stop, a day at most: more means that nobody stops them.
func Stops(t core.PodTemplateSpec) time.Duration {
	if s := t.Spec.TerminationGracePeriodSeconds; s != nil {
		return time.Duration(min(*s, int64(victims.MostPatience/time.Second))) * time.Second
	}
	return core.DefaultTerminationGracePeriodSeconds * time.Second
}

// podsOf returns how many pods a Deployment's controller counts that are of its ReplicaSets, zero while it says that it cannot get
// on with these: then its count may be of before.
func podsOf(o *apps.Deployment) int {
	for _, c := range o.Status.Conditions {
		if c.Type == apps.DeploymentProgressing && c.Status == core.ConditionFalse {
			return 0
		}
	}
	return int(o.Status.Replicas)
}

// workloads asks for the workloads of a kind in a namespace.
func (c *Client) workloads(w victims.Workload) *rest.Request {
	return c.groups.apps.Get().Namespace(w.Namespace).Resource(resources[w.Kind].Resource)
}

// get reads a workload.
func (c *Client) get(ctx context.Context, w victims.Workload) (spec, error) {
	o, err := c.workloads(w).Name(w.Name).Do(ctx).Get()
	if err != nil {
		return spec{}, err
	}
	return specOf(o)
}

// named takes the workload alone out of those of its kind and namespace.
func named(w victims.Workload) meta.ListOptions {
	return meta.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", w.Name).String()}
}

// read reads a workload, and watches it from there on unless nobody follows it.
func (c *Cluster) read(ctx context.Context, w victims.Workload) (spec, *live, error) {
	if c.Still {
		s, err := c.Client.get(ctx, w)
		return s, nil, err
	}
	found, watching, err := c.Client.begin(ctx, func() *rest.Request { return c.Client.workloads(w) }, named(w))
	if err != nil {
		return spec{}, nil, err
	}
	if len(found) == 0 {
		watching.Close()
		return spec{}, nil, apierrors.NewNotFound(resources[w.Kind].GroupResource(), w.Name)
	}
	s, err := specOf(found[0])
	if err != nil {
		watching.Close()
	}
	return s, watching, err
}

// denial is a refusal for want of a right, a chaos.ErrDenied. The API server says so in words alone.
type denial struct{ error }

func (d denial) Is(target error) bool { return target == chaos.ErrDenied }
func (d denial) Unwrap() error        { return d.error }

var denialMessage = regexp.MustCompile(`cannot (create|delete) resource`)

// Workload reads a workload afresh, and its namespace: kills in one namespace share what was read of that for 2 s. Its errors are
// those of chaos.Cluster.
func (c *Cluster) Workload(ctx context.Context, w victims.Workload) (state chaos.WorkloadState, err error) {
	s, watching, err := c.read(ctx, w)
	if Absent(err) {
		return chaos.WorkloadState{}, &chaos.Veto{Reason: chaos.OptedOut, Message: "it has been deleted"}
	}
	if err != nil {
		return chaos.WorkloadState{}, Unreadable(err)
	}
	defer func() {
		if err != nil {
			watching.Close()
		}
	}()
	namespace, err := c.namespaces.ask(ctx, w.Namespace, func(ctx context.Context) (*meta.PartialObjectMetadata, error) {
		return c.Client.getMetadata(ctx, namespaces, "", w.Namespace)
	})
	if err != nil {
		return chaos.WorkloadState{}, fmt.Errorf("namespace %s: %w", w.Namespace, Unreadable(err))
	}
	if state, err = c.judge(w, s, namespace); err == nil && watching != nil {
		state.Watch = watching
	}
	return state, err
}

// judge says what state a workload is in, by what was read of it and its namespace.
func (c *Cluster) judge(w victims.Workload, s spec, namespace *meta.PartialObjectMetadata) (chaos.WorkloadState, error) {
	switch {
	case s.DeletionTimestamp != nil:
		return chaos.WorkloadState{}, &chaos.Veto{Reason: chaos.OptedOut, Message: "it is being deleted"}
	case namespace.DeletionTimestamp != nil:
		return chaos.WorkloadState{}, &chaos.Veto{Reason: chaos.OptedOut, Message: "its namespace is being deleted"}
	}
	terms, err := ReadTerms(victims.Metadata{Labels: ours(s.Labels), Annotations: ours(s.Annotations)}, metadataOf(namespace), c.Defaults, time.Now())
	switch {
	case errors.Is(err, victims.ErrOptedOut):
		return chaos.WorkloadState{}, &chaos.Veto{Reason: chaos.OptedOut, Message: `it is not opted in now: want the label ` + victims.OptIn + ` "true" on it or its namespace, and "false" on neither`}
	case err != nil:
		return chaos.WorkloadState{}, &chaos.Veto{Reason: chaos.TermsChanged, Message: err.Error()}
	}
	w.UID = string(s.UID)
	return s.state(chaos.Subject{Workload: w, Terms: terms})
}

// state says what state a workload is in.
func (s spec) state(subject chaos.Subject) (chaos.WorkloadState, error) {
	selector, err := meta.LabelSelectorAsSelector(s.selector)
	if err != nil {
		return chaos.WorkloadState{}, err
	}
	state := s.says
	state.Subject, state.Labels, state.Selector, state.Generation = subject, s.Labels, selector.String(), s.Generation
	return state, nil
}

// removed returns an error unless an answer says that the pod is removed. Which it then is, the API server says when it is asked.
func removed(answer runtime.Object, pod types.UID) error {
	switch x := answer.(type) {
	case *core.Pod:
		if x.UID != pod {
			return fmt.Errorf("the answer is about the pod with UID %q: want that of %s", x.UID, pod)
		}
	case *meta.Status: // of success, as any other is an error
	default:
		return fmt.Errorf("the answer is a %T: want the pod, or a status", answer)
	}
	return nil
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
	client := c.Client.groups.core
	request, body := client.Delete(), runtime.Object(&options)
	if how.Method == victims.Evict {
		request = client.Post().SubResource("eviction").VersionedParams(&meta.CreateOptions{DryRun: options.DryRun}, parameters) // by which webhooks know
		body = &policy.Eviction{ObjectMeta: meta.ObjectMeta{Namespace: p.Namespace, Name: p.Name}, DeleteOptions: &options}
	}
	answer, err := request.Namespace(p.Namespace).Resource("pods").Name(p.Name).Body(body).Do(ctx).Get()
	if err == nil {
		return removed(answer, uid)
	}
	if apierrors.HasStatusCause(err, policy.DisruptionBudgetCause) {
		return &chaos.Veto{Reason: chaos.Disruption, Message: err.Error()}
	}
	if (apierrors.IsUnauthorized(err) || apierrors.IsTooManyRequests(err)) && !Unsaid(err) { // which is never done late, as what was not answered may be
		return &chaos.Refusal{Err: err}
	}
	if !apierrors.IsForbidden(err) || !denialMessage.MatchString(err.Error()) {
		return Refusal(err)
	}
	if how.Method == victims.Evict {
		err = fmt.Errorf("there is no right to evict, want rbac.evict true in the chart's values: %w", err)
	}
	return Refusal(denial{err})
}
