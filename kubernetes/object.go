package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	authorization "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Object is an object of any kind that may be read, by its name.
type Object struct {
	Client           *Client
	Namespace        string
	APIVersion, Kind string
	Name             string

	resource atomic.Pointer[string] // what its kind is called in requests, once it is known
}

// apiVersion is what leads to no other path of the API server's.
var apiVersion = regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9][a-z0-9]*$`)

var errNoKind = errors.New("there is no such kind")

// Read reads it afresh.
func (o *Object) Read(ctx context.Context) (any, error) {
	resource, err := o.find(ctx)
	if err != nil {
		return nil, err
	}
	object, err := o.Client.dynamic.Resource(resource).Namespace(o.Namespace).Get(ctx, o.Name, meta.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", o.Kind, o.Name, err)
	}
	return object.Object, nil
}

// Check returns an error if there is no such kind, or Caprice may not read it.
func (o *Object) Check(ctx context.Context) error {
	resource, err := o.find(ctx)
	if errors.Is(err, errNoKind) {
		return err
	}
	if err != nil {
		return nil // it may answer yet
	}
	review := &authorization.SelfSubjectAccessReview{Spec: authorization.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorization.ResourceAttributes{
		Verb: "get", Group: resource.Group, Resource: resource.Resource, Namespace: o.Namespace, Name: o.Name,
	}}}
	answer, err := o.Client.groups.selfSubjectAccessReviews().Create(ctx, review, meta.CreateOptions{})
	if err == nil && !answer.Status.Allowed {
		return fmt.Errorf("no right to get %s: want %s among hypotheses.kinds of the chart", resource.GroupResource(), resource.Resource)
	}
	return nil
}

// find returns what its kind is called in requests.
func (o *Object) find(ctx context.Context) (schema.GroupVersionResource, error) {
	version, err := schema.ParseGroupVersion(o.APIVersion)
	if err != nil || !apiVersion.MatchString(o.APIVersion) {
		return schema.GroupVersionResource{}, fmt.Errorf("%w: apiVersion %q: want group/version, as in apps/v1", errNoKind, o.APIVersion)
	}
	if known := o.resource.Load(); known != nil {
		return version.WithResource(*known), nil
	}
	list, err := o.Client.resources(ctx, version)
	if err != nil && !apierrors.IsNotFound(err) { // of a group that there is not no API server says so in its own words
		return schema.GroupVersionResource{}, fmt.Errorf("looking for kind %s of %s: %w", o.Kind, o.APIVersion, err)
	}
	i := slices.IndexFunc(list.APIResources, func(r meta.APIResource) bool {
		return r.Kind == o.Kind && r.Namespaced && !strings.Contains(r.Name, "/")
	})
	if i < 0 {
		return schema.GroupVersionResource{}, fmt.Errorf("%w %s in %s: want one of objects that have a namespace", errNoKind, o.Kind, o.APIVersion)
	}
	o.resource.Store(&list.APIResources[i].Name)
	return version.WithResource(list.APIResources[i].Name), nil
}
