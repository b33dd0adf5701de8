package kubernetes

import (
	"context"

	coordination "k8s.io/api/coordination/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// What Leases are called: LeaseName makes a leader, in Caprice's own namespace, and ClaimName says whose a namespace is, in each.
const (
	LeaseName = "caprice"
	ClaimName = "caprice-claim"
)

// Leases are the Leases of a namespace.
type Leases interface {
	Get(context.Context, string, meta.GetOptions) (*coordination.Lease, error)
	List(context.Context, meta.ListOptions) (*coordination.LeaseList, error)
	Create(context.Context, *coordination.Lease, meta.CreateOptions) (*coordination.Lease, error)
	Update(context.Context, *coordination.Lease, meta.UpdateOptions) (*coordination.Lease, error)
	Watch(context.Context, meta.ListOptions) (watch.Interface, error)
}

// Leases returns the Leases of a namespace; of none, those of all, to be listed and watched.
func (c *Client) Leases(namespace string) Leases {
	return listerOf[coordination.Lease, coordination.LeaseList](c.groups.coordination, "leases", namespace)
}
