package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"caprice/chaos"
	"caprice/victims"
)

// Alive returns those of the pods, which share a namespace, that are there under their UIDs and not terminating.
func (c *Cluster) Alive(ctx context.Context, pods []victims.Pod) ([]victims.Pod, error) {
	if len(pods) == 0 {
		return nil, nil
	}
	options := meta.ListOptions{Limit: podsAtOnce}
	if len(pods) == 1 {
		options = meta.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", pods[0].Name).String()}
	}
	there := map[string]bool{}
	for list, err := range c.pages(ctx, pods[0].Namespace, options) {
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			if p := &list.Items[i]; p.DeletionTimestamp == nil {
				there[string(p.UID)] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(pods), func(p victims.Pod) bool { return !there[p.UID] }), nil
}

const (
	// watchFor is how long changes are watched before everything is read anew: a watch may hang and not say so. What is left of
	// chaos.ReadAnew is for the reading.
	watchFor = chaos.ReadAnew - time.Second
	// lookPatience is how long one look may take, and each time that one gets no answer twice that for those that follow, up to
	// mostLookPatience: one that is lost must not take all the time a workload has to heal.
	lookPatience, mostLookPatience = 3 * time.Second, 15 * time.Second
	// A watch that is lost at once is begun anew after a pause, which grows.
	leastPause, mostPause = 100 * time.Millisecond, 5 * time.Second
)

// Follow tells see of each change of a workload and its pods since a snapshot of them, and without a watch since then of how they
// are first. Where watches are lost or get old it looks afresh. It returns nil when see returns true, and otherwise
// chaos.ErrGone if the workload is gone, the last *chaos.Refusal, or an error when ctx ends.
func (c *Cluster) Follow(ctx context.Context, since chaos.Snapshot, see func(chaos.Snapshot) bool) (err error) {
	patience := lookPatience
	for pause := leastPause; ctx.Err() == nil; pause = min(2*pause, mostPause) {
		began, done := time.Now(), false
		watching, _ := since.Watch.(*live)
		if watching == nil {
			since, err = c.look(ctx, since.Workload, patience)
			switch {
			case err == nil:
				watching, _ = since.Watch.(*live)
				done = see(since)
			case errors.Is(err, context.DeadlineExceeded):
				patience = min(2*patience, mostLookPatience)
			}
		}
		if watching != nil && !done {
			done, err = c.watch(ctx, watching, since, see)
		}
		watching.Close()
		if done || errors.Is(err, chaos.ErrGone) {
			return err
		}
		since.Watch = nil
		if time.Since(began) > mostPause {
			pause = leastPause
		}
		_ = chaos.Pause(ctx, pause)
	}
	watching, _ := since.Watch.(*live)
	watching.Close()
	return cmp.Or(err, ctx.Err())
}

// look reads a workload and its pods, and watches the former from there on.
func (c *Cluster) look(ctx context.Context, w victims.Workload, patience time.Duration) (chaos.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	nothing := chaos.Snapshot{WorkloadState: chaos.WorkloadState{Subject: chaos.Subject{Workload: w}}}
	s, watching, err := c.read(ctx, w)
	switch {
	case Absent(err), err == nil && (string(s.UID) != w.UID || s.DeletionTimestamp != nil):
		watching.Close()
		return nothing, chaos.ErrGone
	case err != nil:
		return nothing, Refusal(err)
	}
	state, err := s.state(nothing.Subject)
	if err == nil {
		state.Watch = watching
		var snapshot chaos.Snapshot
		if snapshot, err = c.pods(ctx, state); err == nil {
			return snapshot, nil
		}
	}
	watching.Close()
	return nothing, err
}

// watch tells see of each change since a snapshot. It returns true when see does, and otherwise when watches are lost or old.
func (c *Cluster) watch(ctx context.Context, watching *live, s chaos.Snapshot, see func(chaos.Snapshot) bool) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, watchFor)
	defer cancel()
	pods := c.Client.groups.core.Get().Namespace(s.Namespace).Resource("pods")
	opening, opened := context.WithTimeout(ctx, lookPatience)
	err := watching.follow(opening, pods, s.Selector)
	opened()
	if err != nil {
		return false, Refusal(err)
	}
	own := c.owners(s.Workload)
	for _, p := range s.Pods {
		own.known[p.Owner] = true
	}
	s.Pods = slices.Clone(s.Pods)
	for {
		var err error
		select {
		case e := <-watching.workload.ResultChan():
			s.At = time.Now()
			err = change(&s.WorkloadState, e)
		case e := <-watching.pods.ResultChan():
			s.At = time.Now()
			s.Pods, err = own.change(ctx, s.Pods, e)
		case <-ctx.Done():
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if see(s) {
			return true, nil
		}
	}
}

// change brings the state of a workload up to date.
func change(state *chaos.WorkloadState, e watch.Event) error {
	switch e.Type {
	case watch.Added, watch.Modified:
	case watch.Bookmark:
		return nil
	case watch.Deleted:
		return chaos.ErrGone
	default:
		return ended(e)
	}
	s, err := specOf(e.Object)
	if err != nil {
		return err
	}
	if string(s.UID) != state.UID || s.DeletionTimestamp != nil { // one that is being deleted replaces nothing
		return chaos.ErrGone
	}
	watching := state.Watch
	*state, err = s.state(state.Subject)
	state.Watch = watching
	return err
}

// change brings the pods of a workload up to date.
func (o owners) change(ctx context.Context, pods []victims.Pod, e watch.Event) ([]victims.Pod, error) {
	p, ok := e.Object.(*core.Pod)
	switch {
	case e.Type == watch.Bookmark:
		return pods, nil
	case !ok:
		return pods, ended(e)
	}
	i := slices.IndexFunc(pods, func(known victims.Pod) bool { return known.UID == string(p.UID) })
	if e.Type == watch.Deleted && i >= 0 {
		return slices.Delete(pods, i, i+1), nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	ours, err := o.control(ctx, p)
	switch {
	case err != nil, !ours, e.Type == watch.Deleted:
	case i >= 0:
		pods[i] = victim(p)
	default:
		pods = append(pods, victim(p))
	}
	return pods, Refusal(err)
}
