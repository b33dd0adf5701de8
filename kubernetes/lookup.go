package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	authentication "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"caprice/api/v1alpha1"
	"caprice/victims"
)

// Owned is a workload, and what its owner and that of its namespace wrote on them.
type Owned struct {
	victims.Workload
	Own, OfNamespace victims.Metadata
}

// Find returns the workload that people call deploy/web, or web if only one kind has that name. It reads that one object of
// each kind that may be meant, and its namespace.
func (c *Client) Find(ctx context.Context, namespace, name string) (Owned, error) {
	w, named, err := ParseWorkload(namespace, name)
	if err != nil {
		return Owned{}, err
	}
	kinds := victims.Kinds
	if named {
		kinds = []victims.Kind{w.Kind}
	}
	if name = w.Name; name == "" {
		return Owned{}, errors.New("a workload without a name: want one as in deploy/web")
	}
	if len(validation.IsDNS1123Subdomain(name)) > 0 { // in a request it would lead elsewhere
		return Owned{}, fmt.Errorf("name %q: want one that a workload may have, as in deploy/web", name)
	}
	var found []Owned
	for _, kind := range kinds {
		o, err := c.getMetadata(ctx, resources[kind], namespace, name)
		if Absent(err) {
			continue
		}
		if err != nil {
			return Owned{}, Plain(err)
		}
		found = append(found, Owned{Workload: victims.Workload{Kind: kind, Namespace: namespace, Name: name, UID: string(o.UID)}, Own: metadataOf(o)})
	}
	switch len(found) {
	case 0:
		return Owned{}, fmt.Errorf("no %s %s in namespace %s: want one of 'kubectl get deploy,sts,ds -n %s'", either(kinds), name, namespace, namespace)
	case 1:
	default:
		return Owned{}, fmt.Errorf("%s is a %s in namespace %s: want %s/%s or %s/%s", name, both(found), namespace,
			strings.ToLower(string(found[0].Kind)), name, strings.ToLower(string(found[1].Kind)), name)
	}
	o, err := c.getMetadata(ctx, namespaces, "", namespace)
	if err != nil {
		return Owned{}, Plain(err)
	}
	found[0].OfNamespace = metadataOf(o)
	return found[0], nil
}

func either(kinds []victims.Kind) string {
	if len(kinds) == 1 {
		return string(kinds[0])
	}
	return "Deployment, StatefulSet or DaemonSet"
}

func both(found []Owned) string {
	var kinds []string
	for _, o := range found {
		kinds = append(kinds, string(o.Kind))
	}
	return strings.Join(kinds, " and a ")
}

// Me returns the name by which the API server knows whoever asks.
func (c *Client) Me(ctx context.Context) (string, error) {
	review, err := c.groups.selfSubjectReviews().Create(ctx, &authentication.SelfSubjectReview{}, meta.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("asking the API server who you are: %w", err)
	}
	return review.Status.UserInfo.Username, nil
}

// Known returns an error if there is no namespace of that name. Whoever may not ask is told nothing.
func (c *Client) Known(ctx context.Context, namespace string) error {
	_, err := c.getMetadata(ctx, namespaces, "", namespace)
	if apierrors.IsForbidden(err) && !Unsaid(err) {
		return nil
	}
	return Plain(err)
}

// NamesOfKind returns the names of the workloads of a kind.
func (c *Client) NamesOfKind(ctx context.Context, kind victims.Kind, namespace string) ([]string, error) {
	return c.names(ctx, resources[kind], namespace)
}

// NamesOfNamespaces returns the names of all namespaces.
func (c *Client) NamesOfNamespaces(ctx context.Context) ([]string, error) {
	return c.names(ctx, namespaces, "")
}

// NamesOfKills returns the names of the kills of a namespace, the latest first.
func (c *Client) NamesOfKills(ctx context.Context, namespace string) ([]string, error) {
	names, err := c.names(ctx, v1alpha1.GroupVersion.WithResource("kills"), namespace)
	slices.Reverse(names)
	return names, err
}

// NamesOfHalts returns the names of the halts of a namespace.
func (c *Client) NamesOfHalts(ctx context.Context, namespace string) ([]string, error) {
	return c.names(ctx, v1alpha1.GroupVersion.WithResource("halts"), namespace)
}

func (c *Client) names(ctx context.Context, resource schema.GroupVersionResource, namespace string) ([]string, error) {
	var names []string
	err := c.ListMetadata(ctx, resource, namespace, "", func(o *meta.PartialObjectMetadata) { names = append(names, o.Name) })
	return names, err
}

// Account returns the name of the service account of a Deployment in Caprice's namespace; of none, what the chart calls it.
func (c *Client) Account(ctx context.Context, deployment string) (string, error) {
	const ours = "caprice"
	if deployment == "" {
		return ours, nil
	}
	o, err := c.groups.deployments(c.Namespace).Get(ctx, deployment, meta.GetOptions{})
	if err != nil {
		return ours, err
	}
	return o.Spec.Template.Spec.ServiceAccountName, nil
}
