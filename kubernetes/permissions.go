package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorization "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"

	"caprice/api/v1alpha1"
	"caprice/victims"
)

// Missing returns the permissions that Caprice needs within the scope and does not have, as in "delete pods in namespace
// shop", and the definitions if they are missing. It asks the API server for each. To evict is not among them: it is granted or not, and a kill that wants it fails
// without.
func (c *Client) Missing(ctx context.Context, scope Scope) ([]string, error) {
	missing, err := c.without(ctx, scope, func(ctx context.Context, n authorization.ResourceAttributes) (bool, error) {
		review := &authorization.SelfSubjectAccessReview{Spec: authorization.SelfSubjectAccessReviewSpec{ResourceAttributes: &n}}
		answer, err := c.groups.selfSubjectAccessReviews().Create(ctx, review, meta.CreateOptions{})
		if err != nil {
			return false, err
		}
		return answer.Status.Allowed, nil
	})
	if err != nil {
		return nil, err
	}
	// An account may have rights to what is not defined.
	list, err := c.resources(ctx, v1alpha1.GroupVersion)
	switch {
	case apierrors.IsNotFound(err) || err == nil && !defined(list):
		missing = append(missing, definitions)
	case err != nil:
		return nil, fmt.Errorf("asking for the definitions of kills, halts and hypotheses: %w", err)
	}
	return missing, nil
}

// definitions are what is missing where kills, halts or hypotheses are not defined.
const definitions = "the definitions of kills, halts and hypotheses, templates/crds.yaml of the chart"

// Lacking says what Missing found, and what would be right; nothing if it found nothing. No role helps where there are no definitions.
func Lacking(missing []string) string {
	var said []string
	rights := slices.DeleteFunc(slices.Clone(missing), func(m string) bool { return m == definitions })
	if len(rights) > 0 {
		said = append(said, "missing permissions: "+strings.Join(rights, ", ")+"; want a role that grants them")
	}
	if len(rights) < len(missing) {
		said = append(said, errUndefined.Error())
	}
	return strings.Join(said, "; ")
}

// MissingOf is Missing for a service account in Caprice's namespace, asked by somebody else.
func (c *Client) MissingOf(ctx context.Context, account string, scope Scope) ([]string, error) {
	return c.without(ctx, scope, func(ctx context.Context, n authorization.ResourceAttributes) (bool, error) {
		review := &authorization.SubjectAccessReview{Spec: authorization.SubjectAccessReviewSpec{
			User:               "system:serviceaccount:" + c.Namespace + ":" + account,
			Groups:             []string{"system:serviceaccounts", "system:serviceaccounts:" + c.Namespace, "system:authenticated"},
			ResourceAttributes: &n,
		}}
		answer, err := c.groups.subjectAccessReviews().Create(ctx, review, meta.CreateOptions{})
		if err != nil {
			return false, err
		}
		return answer.Status.Allowed, nil
	})
}

// without returns those of the permissions that are needed which are not allowed.
func (c *Client) without(ctx context.Context, scope Scope, allowed func(context.Context, authorization.ResourceAttributes) (bool, error)) (missing []string, err error) {
	needs := c.needs(scope)
	has := make([]bool, len(needs))
	err = together(ctx, len(needs), func(ctx context.Context, i int) (err error) {
		has[i], err = allowed(ctx, needs[i])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("asking for permissions: %w", err)
	}
	for i, n := range needs {
		if !has[i] {
			missing = append(missing, describe(n))
		}
	}
	return missing, nil
}

// needs are the permissions that Caprice needs within the scope.
func (c *Client) needs(scope Scope) []authorization.ResourceAttributes {
	need := []authorization.ResourceAttributes{
		{Verb: "get", Resource: "secrets", Name: seedSecret, Namespace: c.Namespace},
		{Verb: "create", Resource: "secrets", Namespace: c.Namespace},
		{Verb: "get", Resource: "configmaps", Name: effectiveName, Namespace: c.Namespace},
		{Verb: "patch", Resource: "configmaps", Name: effectiveName, Namespace: c.Namespace},
		{Verb: "create", Resource: "configmaps", Name: effectiveName, Namespace: c.Namespace},
		{Verb: "create", Group: "events.k8s.io", Resource: "events", Namespace: c.Namespace},
		{Verb: "create", Group: "coordination.k8s.io", Resource: "leases", Namespace: c.Namespace},
		{Verb: "get", Group: "coordination.k8s.io", Resource: "leases", Name: LeaseName, Namespace: c.Namespace},
		{Verb: "update", Group: "coordination.k8s.io", Resource: "leases", Name: LeaseName, Namespace: c.Namespace},
		{Verb: "watch", Group: "coordination.k8s.io", Resource: "leases", Name: LeaseName, Namespace: c.Namespace},
	}
	within := scope.Within()
	if scope.Confined() {
		need = append(need, halting(c.Namespace)...)
	} else {
		need = append(need, attributes("", "namespaces", "", "get", "list", "watch")...)
	}
	need = append(need, claiming(scope)...)
	for _, namespace := range within {
		if scope.Confined() {
			need = append(need, attributes("", "namespaces", namespace, "get")...)
		}
		for _, kind := range victims.Kinds {
			need = append(need, attributes("apps", resources[kind].Resource, namespace, "get", "list", "watch")...)
		}
		need = append(need, attributes("apps", "replicasets", namespace, "get")...)
		need = append(need, attributes("", "pods", namespace, "list", "watch", "delete")...)
		need = append(need, attributes("policy", "poddisruptionbudgets", namespace, "list")...)
		need = append(need, attributes("events.k8s.io", "events", namespace, "create")...)
		need = append(need, attributes(v1alpha1.GroupVersion.Group, "kills", namespace, "get", "list", "watch", "create", "patch", "delete")...)
		need = append(need, attributes(v1alpha1.GroupVersion.Group, "kills/status", namespace, "patch")...)
		need = append(need, attributes(v1alpha1.GroupVersion.Group, "hypotheses", namespace, "list", "watch")...)
		need = append(need, attributes(v1alpha1.GroupVersion.Group, "hypotheses/status", namespace, "patch")...)
		need = append(need, halting(namespace)...)
	}
	return need
}

// Rules returns what the API server says of the account's rights where it acts, as a text that is another when they are. It is
// one request for each namespace, and says less than Missing: not all that grants rights has rules to show.
func (c *Client) Rules(ctx context.Context, scope Scope) (string, error) {
	asked := []string{c.Namespace}
	if scope.Confined() {
		asked = append(asked, scope.Namespaces...)
	}
	of := make([][]string, len(asked))
	err := together(ctx, len(asked), func(ctx context.Context, i int) error {
		review := &authorization.SelfSubjectRulesReview{Spec: authorization.SelfSubjectRulesReviewSpec{Namespace: asked[i]}}
		answer, err := c.groups.selfSubjectRulesReviews().Create(ctx, review, meta.CreateOptions{})
		if err != nil {
			return err
		}
		for _, rule := range answer.Status.ResourceRules {
			of[i] = append(of[i], fmt.Sprintln(asked[i], rule.Verbs, rule.APIGroups, rule.Resources, rule.ResourceNames))
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("asking for rules: %w", err)
	}
	rules := slices.Concat(of...)
	slices.Sort(rules)
	return strings.Join(rules, ""), nil
}

// atOnce is how many questions about permissions are asked at the same time: a confined account has some thirty for each namespace.
const atOnce = 16

// together asks n questions, many at once, until all are answered or one fails. It returns the first error.
func together(ctx context.Context, n int, ask func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workqueue.ParallelizeUntil(ctx, atOnce, n, func(i int) {
		if err := ask(ctx, i); err != nil {
			cancel(err)
		}
	})
	return context.Cause(ctx)
}

// defined tells whether the API server has all three.
func defined(list *meta.APIResourceList) bool {
	for _, name := range []string{"kills", "halts", "hypotheses"} {
		if !slices.ContainsFunc(list.APIResources, func(r meta.APIResource) bool { return r.Name == name }) {
			return false
		}
	}
	return true
}

func halting(namespace string) []authorization.ResourceAttributes {
	return attributes(v1alpha1.GroupVersion.Group, "halts", namespace, "list", "delete")
}

func claiming(scope Scope) (need []authorization.ResourceAttributes) {
	const group = "coordination.k8s.io"
	read := "list" // of the whole cluster, by the name
	if scope.Confined() {
		read = "get"
	}
	for _, namespace := range scope.Within() {
		need = append(need, attributes(group, "leases", namespace, "create")...)
		for _, verb := range []string{read, "update"} {
			need = append(need, authorization.ResourceAttributes{Verb: verb, Group: group, Resource: "leases", Name: ClaimName, Namespace: namespace})
		}
	}
	return need
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
