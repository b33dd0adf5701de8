package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"caprice/chaos"
)

const (
	leaseName     = "caprice"
	leaseDuration = 6 * time.Second
	renewDeadline = 4 * time.Second
	retryPeriod   = 800 * time.Millisecond
	// leaseTimeout is how long one request may take; then it is sent again.
	leaseTimeout = 800 * time.Millisecond
	// freshness is how long after it sent a renewal a leader may still act: nobody else can have the lease for
	// leaseDuration, less a request's time and what two clocks may differ in their pace.
	freshness = leaseDuration - 1500*time.Millisecond
)

// Election makes one of several processes the leader, by a Lease in Caprice's own namespace. It is a chaos.Lease.
type Election struct {
	// Settled returns until when all that was due is written down, as far as the leader of that term has come.
	Settled func(chaos.Term) time.Time

	client   *Client
	identity string
	owner    *core.ObjectReference

	before *coordination.Lease // what the lease said last that is known to count; the one candidacy at a time reads and writes it

	mu   sync.Mutex
	sent time.Time  // when the renewal was sent that last made the lease ours; zero: it is not
	term chaos.Term // since it is ours; zero: it is not
}

// NewElection returns an election in which this process goes by the given identity, which nobody else has. The Lease goes
// with its owner, if that is known.
func NewElection(client *Client, identity string, owner *core.ObjectReference) *Election {
	return &Election{client: client, identity: identity, owner: owner}
}

// Run stands for election until ctx ends. As the leader it calls lead, and ends the context of that when the lease is lost
// or ctx ends; when ctx ends it gives the lease up only after lead has returned.
func (e *Election) Run(ctx context.Context, lead func(context.Context, chaos.Term)) error {
	released := make(chan struct{}, 1)
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { e.watch(ctx, released) })
	for ctx.Err() == nil {
		if err := e.stand(ctx, released, lead); err != nil {
			return err
		}
	}
	return nil
}

func (e *Election) stand(ctx context.Context, released <-chan struct{}, lead func(context.Context, chaos.Term)) error {
	// The lease is renewed while a leader that was told to end comes to its end.
	standing, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer giveUp()
	waiting.Go(func() { // a candidate that stands anew asks for the lease at once
		for standing.Err() == nil {
			select {
			case <-released:
				if !e.Leading() {
					giveUp()
				}
			case <-standing.Done():
			}
		}
	})
	ended := make(chan struct{})
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            e.lock(),
		LeaseDuration:   leaseDuration,
		RenewDeadline:   renewDeadline,
		RetryPeriod:     retryPeriod,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(holding context.Context) {
				defer close(ended)
				leading, stop := context.WithCancel(holding)
				defer stop()
				defer context.AfterFunc(ctx, stop)()
				var owning sync.WaitGroup
				defer owning.Wait()
				owning.Go(func() { e.own(leading) })
				lead(leading, e.Term())
				if ctx.Err() != nil {
					giveUp()
				}
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() {
		if !e.Leading() {
			giveUp()
		}
	})()
	elector.Run(standing)
	if e.Leading() {
		<-ended
	}
	e.mu.Lock()
	e.sent, e.term = time.Time{}, chaos.Term{}
	e.mu.Unlock()
	return nil
}

// watch tells whenever the lease is given up. It saves the time until a candidate asks again by itself, and no more
// than that depends on it.
func (e *Election) watch(ctx context.Context, released chan<- struct{}) {
	only := meta.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", leaseName).String()}
	for ctx.Err() == nil {
		if w, err := e.client.typed.CoordinationV1().Leases(e.client.Namespace).Watch(ctx, only); err == nil {
			stop := context.AfterFunc(ctx, w.Stop)
			for event := range w.ResultChan() {
				if lease, ok := event.Object.(*coordination.Lease); ok && event.Type == watch.Modified && holder(lease) == "" {
					select {
					case released <- struct{}{}:
					default:
					}
				}
			}
			stop()
			w.Stop()
		}
		select {
		case <-time.After(leaseDuration):
		case <-ctx.Done():
		}
	}
}

// own has the lease go when its owner goes. If that fails it stays, and with it the time of the last leader.
func (e *Election) own(ctx context.Context) {
	if e.owner == nil {
		return
	}
	reference := meta.OwnerReference{APIVersion: e.owner.APIVersion, Kind: e.owner.Kind, Name: e.owner.Name, UID: e.owner.UID}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"ownerReferences": []meta.OwnerReference{reference}}})
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, renewDeadline)
	defer cancel()
	_, _ = e.client.typed.CoordinationV1().Leases(e.client.Namespace).Patch(ctx, leaseName, types.MergePatchType, patch, meta.PatchOptions{})
}

// Held tells whether by now nobody else can have the lease. A suspended machine's monotonic clock stands still, and its wall
// clock may be set: by both it must be fresh.
func (e *Election) Held(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	wall := now.Round(0).Sub(e.sent.Round(0))
	return !e.sent.IsZero() && time.Since(e.sent) < freshness && wall < freshness && wall > -freshness
}

// Term returns what this process leads, zero if it does not.
func (e *Election) Term() chaos.Term {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.term
}

// Leading tells whether this process is the leader, as far as it knows.
func (e *Election) Leading() bool { return e.Term() != (chaos.Term{}) }

func (e *Election) lock() resourcelock.Interface {
	return &resourcelock.LeaseLock{
		LeaseMeta:  meta.ObjectMeta{Namespace: e.client.Namespace, Name: leaseName},
		Client:     &notedLeases{e.client.typed.CoordinationV1(), e},
		LockConfig: resourcelock.ResourceLockConfig{Identity: e.identity},
		Labels:     map[string]string{"app.kubernetes.io/name": "caprice"},
	}
}

// renewed notes a renewal, and the term if it is the first.
func (e *Election) renewed(sent time.Time, term chaos.Term) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sent = sent
	if e.term == (chaos.Term{}) {
		e.term = term
	}
}

// Leader returns who leads in the client's namespace at now, empty if nobody does.
func (c *Client) Leader(ctx context.Context, now time.Time) (string, error) {
	lease, err := c.typed.CoordinationV1().Leases(c.Namespace).Get(ctx, leaseName, meta.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading Lease %s in namespace %s: %w", leaseName, c.Namespace, err)
	}
	if s := lease.Spec; s.HolderIdentity != nil && s.RenewTime != nil && now.Sub(s.RenewTime.Time) < leaseDuration {
		return *s.HolderIdentity, nil
	}
	return "", nil
}
