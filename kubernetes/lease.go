package kubernetes

import (
	"context"
	"time"

	coordination "k8s.io/api/coordination/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	client "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"caprice/chaos"
)

// settledAnnotation of the Lease says until when all that was due is written down. A leader that ends, or cannot write, leaves
// what is planned for later to the next.
const settledAnnotation = "caprice.chaos/settled-until"

// notedLeases are the leases of client-go's lock. They tell the election what was read and sent, and have the Lease say
// how far its leader has come.
type notedLeases struct {
	client.LeasesGetter
	election *Election
}

// Leases returns those of a namespace.
func (n *notedLeases) Leases(namespace string) client.LeaseInterface {
	return &noted{n.LeasesGetter.Leases(namespace), n}
}

type noted struct {
	client.LeaseInterface
	*notedLeases
}

// Get reads the lease.
func (n *noted) Get(ctx context.Context, name string, options meta.GetOptions) (*coordination.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	lease, err := n.LeaseInterface.Get(ctx, name, options)
	if e := n.election; err == nil && (e.before == nil || holder(lease) != e.identity) {
		e.before = lease.DeepCopy() // what this process wrote, its answer lost, is no sign of another leader's life
	}
	return lease, err
}

// Create creates the lease.
func (n *noted) Create(ctx context.Context, lease *coordination.Lease, options meta.CreateOptions) (*coordination.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	sent := time.Now()
	lease, err := n.LeaseInterface.Create(ctx, lease, options)
	if err == nil {
		n.election.renewed(sent, chaos.Term{First: true, From: sent, Alive: sent})
		n.election.before = lease.DeepCopy()
	}
	return lease, err
}

// Update takes, renews or releases the lease.
func (n *noted) Update(ctx context.Context, lease *coordination.Lease, options meta.UpdateOptions) (*coordination.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	sent := time.Now()
	if term := n.election.Term(); term != (chaos.Term{}) {
		meta.SetMetaDataAnnotation(&lease.ObjectMeta, settledAnnotation, n.election.Settled(term).UTC().Format(time.RFC3339Nano))
	}
	if holder(lease) != n.election.identity {
		n.election.renewed(time.Time{}, chaos.Term{}) // from now on somebody else may have it
		return n.LeaseInterface.Update(ctx, lease, options)
	}
	lease, err := n.LeaseInterface.Update(ctx, lease, options)
	if err == nil {
		n.election.renewed(sent, inherited(n.election.before, sent))
		n.election.before = lease.DeepCopy()
	}
	return lease, err
}

// inherited returns the term of a leader that took the lease over at now, by what it said before.
func inherited(before *coordination.Lease, now time.Time) chaos.Term {
	term := chaos.Term{From: now, Alive: now}
	if before == nil {
		return term
	}
	if renewed := before.Spec.RenewTime; renewed != nil && renewed.Time.Before(now) { // another's clock may be ahead
		term.From, term.Alive = renewed.Time, renewed.Time
	}
	if settled, err := time.Parse(time.RFC3339Nano, before.Annotations[settledAnnotation]); err == nil && settled.Before(term.From) {
		term.From = settled
	}
	return term
}

func holder(lease *coordination.Lease) string {
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}
