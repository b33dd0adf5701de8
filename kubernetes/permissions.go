package kubernetes

import (
	"context"
	"fmt"
	"strings"

	authorization "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
	"caprice/victims"
)

// Missing returns the permissions that Caprice needs within the scope and does not have, as in "delete pods in namespace
// shop". It asks the API server for each. To evict is not among them: it is granted or not, and a kill that wants it fails
// without.
func (c *Client) Missing(ctx context.Context, scope Scope) ([]string, error) {
	need := []authorization.ResourceAttributes{
		{Verb: "get", Resource: "secrets", Name: seedSecret, Namespace: c.Namespace},
		{Verb: "create", Resource: "secrets", Namespace: c.Namespace},
		{Verb: "patch", Resource: "configmaps", Name: effectiveName, Namespace: c.Namespace},
		{Verb: "create", Resource: "configmaps", Name: effectiveName, Namespace: c.Namespace},
		{Verb: "create", Group: "events.k8s.io", Resource: "events", Namespace: c.Namespace},
		{Verb: "create", Group: "coordination.k8s.io", Resource: "leases", Namespace: c.Namespace},
		{Verb: "get", Group: "coordination.k8s.io", Resource: "leases", Name: leaseName, Namespace: c.Namespace},
		{Verb: "update", Group: "coordination.k8s.io", Resource: "leases", Name: leaseName, Namespace: c.Namespace},
		{Verb: "patch", Group: "coordination.k8s.io", Resource: "leases", Name: leaseName, Namespace: c.Namespace},
	}
	within := scope.within()
	if scope.Confined() {
		need = append(need, halting(c.Namespace)...)
	} else {
		need = append(need, attributes("", "namespaces", "", "get", "list", "watch")...)
	}
	for _, namespace := range within {
		if scope.Confined() {
			need = append(need, attributes("", "namespaces", namespace, "get")...)
		}
		for _, kind := range victims.Kinds {
			need = append(need, attributes("apps", resources[kind].Resource, namespace, "get", "list", "watch")...)
		}
		need = append(need, attributes("apps", "replicasets", namespace, "list")...)
		need = append(need, attributes("", "pods", namespace, "list", "delete")...)
		need = append(need, attributes("policy", "poddisruptionbudgets", namespace, "list")...)
		need = append(need, attributes("events.k8s.io", "events", namespace, "create")...)
		need = append(need, attributes(v1alpha1.GroupVersion.Group, "kills", namespace, "get", "list", "watch", "create", "delete")...)
		need = append(need, attributes(v1alpha1.GroupVersion.Group, "kills/status", namespace, "patch")...)
		need = append(need, halting(namespace)...)
	}
	var missing []string
	for _, n := range need {
		review := &authorization.SelfSubjectAccessReview{Spec: authorization.SelfSubjectAccessReviewSpec{ResourceAttributes: &n}}
		answer, err := c.typed.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, meta.CreateOptions{})
		if err != nil {
			return nil, fmt.Errorf("asking for permissions: %w", err)
		}
		if !answer.Status.Allowed {
			missing = append(missing, describe(n))
		}
	}
	// An account may have rights to what is not defined.
	list, err := c.typed.Discovery().ServerResourcesForGroupVersion(v1alpha1.GroupVersion.String())
	switch {
	case apierrors.IsNotFound(err) || err == nil && len(list.APIResources) == 0:
		missing = append(missing, "the definitions of kills and halts, templates/crds.yaml of the chart")
	case err != nil:
		return nil, fmt.Errorf("asking for the definitions of kills and halts: %w", err)
	}
	return missing, nil
}

func halting(namespace string) []authorization.ResourceAttributes {
	return attributes(v1alpha1.GroupVersion.Group, "halts", namespace, "get", "list", "watch", "delete")
}

func attributes(group, resource, namespace string, verbs ...string) []authorization.ResourceAttributes {
	var list []authorization.ResourceAttributes
	resource, subresource, _ := strings.Cut(resource, "/")
	for _, verb := range verbs {
		list = append(list, authorization.ResourceAttributes{Verb: verb, Group: group, Resource: resource, Subresource: subresource, Namespace: namespace})
	}
	return list
}

func describe(a authorization.ResourceAttributes) string {
	text := a.Verb + " " + a.Resource
	if a.Subresource != "" {
		text += "/" + a.Subresource
	}
	if a.Group != "" {
		text += "." + a.Group
	}
	if a.Name != "" {
		text += " " + a.Name
	}
	if a.Namespace == "" {
		return text + " in all namespaces"
	}
	return strings.TrimSpace(text) + " in namespace " + a.Namespace
}
