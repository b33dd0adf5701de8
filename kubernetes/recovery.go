package kubernetes

import (
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/wait"

	"caprice/chaos"
	"caprice/victims"
)

// Alive returns those of the pods, which share a namespace, that are there under their UIDs and not terminating.
func (c *Cluster) Alive(ctx context.Context, pods []victims.Pod) ([]victims.Pod, error) {
	if len(pods) == 0 {
		return nil, nil
	}
	options := meta.ListOptions{}
	if len(pods) == 1 {
		options.FieldSelector = fields.OneTermEqualSelector("metadata.name", pods[0].Name).String()
	}
	list, err := c.Client.typed.CoreV1().Pods(pods[0].Namespace).List(ctx, options)
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool, len(list.Items))
	for i := range list.Items {
		if p := &list.Items[i]; p.DeletionTimestamp == nil {
			there[string(p.UID)] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(pods), func(p victims.Pod) bool { return !there[p.UID] }), nil
}

// lookAgain is how often a workload is looked at that is to heal.
const lookAgain = time.Second

// lookPatience is how long one look may take: an answer that is lost must not take all the time a workload has to heal.
const lookPatience = 3 * time.Second

// Recovered returns when none of the pods that a kill removed is there any more and the workload is whole with new ones. Its
// error is chaos.ErrGone if the workload is gone, or that of the context.
func (c *Cluster) Recovered(ctx context.Context, o chaos.Outcome) (chaos.Recovery, error) {
	var r chaos.Recovery
	err := wait.PollUntilContextCancel(ctx, lookAgain, true, func(ctx context.Context) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, lookPatience)
		defer cancel()
		s, err := c.Client.get(ctx, o.Workload)
		switch {
		case apierrors.IsNotFound(err), err == nil && string(s.UID) != o.Workload.UID:
			return false, chaos.ErrGone
		case err != nil:
			return false, nil // it may answer yet
		}
		selector, err := meta.LabelSelectorAsSelector(s.selector)
		if err != nil {
			return false, err
		}
		pods, err := c.Pods(ctx, chaos.Condition{Subject: chaos.Subject{Workload: o.Workload}, Selector: selector.String()})
		if err != nil {
			return false, nil
		}
		return healed(&r, s, pods, o, time.Now()), nil
	})
	return r, err
}

// healed notes what is seen of a workload at now, and tells whether it is whole without the pods that a kill removed.
func healed(r *chaos.Recovery, s spec, pods []victims.Pod, o chaos.Outcome, now time.Time) bool {
	dead := make(map[string]bool, len(o.Pods))
	for _, d := range o.Pods {
		dead[d.Pod.UID] = d.Err == nil
	}
	since := o.FirstDeath().Truncate(time.Second) // as the API server counts the age of pods
	ready, remain := 0, false
	for _, p := range pods {
		switch {
		case dead[p.UID]:
			remain = true
		case p.Running && p.Ready && !p.Terminating:
			ready++
			if !p.Created.Before(since) && r.FirstReady.IsZero() {
				r.FirstReady = now
			}
		}
	}
	if remain || ready < s.replicas || s.available < s.replicas || s.rollout != "" {
		return false
	}
	r.Whole, r.Ready = now, ready
	return true
}
