package kubernetes

import (
	"errors"

	apps "k8s.io/api/apps/v1"
	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	events "k8s.io/api/events/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"caprice/api/v1alpha1"
)

// scheme has the types that Caprice speaks of. That of client-go's typed clients, and of all that imports them, has every type
// that there is: it would make up a third of the program, and of the memory that it takes.
var (
	scheme     = newScheme()
	codecs     = serializer.NewCodecFactory(scheme)
	parameters = runtime.NewParameterCodec(scheme)
)

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	meta.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	for _, add := range []func(*runtime.Scheme) error{
		core.AddToScheme, apps.AddToScheme, policy.AddToScheme, events.AddToScheme, coordination.AddToScheme, authentication.AddToScheme, authorization.AddToScheme,
		v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err) // two types of one name
		}
	}
	return scheme
}

// groups are the clients of the API groups that Caprice uses.
type groups struct {
	core, apps, policy, events, coordination, authentication, authorization rest.Interface
	custom                                                                  rest.Interface // Caprice's own
}

// newGroups returns clients of one API server that share its connections.
func newGroups(config *rest.Config) (g groups, err error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return g, err
	}
	var errs []error
	group := func(version schema.GroupVersion) rest.Interface {
		one := rest.CopyConfig(config)
		if version == v1alpha1.GroupVersion { // API servers have no custom resources in protobuf
			one.ContentType, one.AcceptContentTypes = runtime.ContentTypeJSON, ""
		}
		one.APIPath, one.GroupVersion, one.NegotiatedSerializer = "/apis", &version, credible{codecs.WithoutConversion()}
		switch version {
		case core.SchemeGroupVersion:
			one.APIPath = "/api"
		case authentication.SchemeGroupVersion, authorization.SchemeGroupVersion: // whose answers nobody keeps
			one.NegotiatedSerializer = codecs.WithoutConversion()
		}
		c, err := rest.RESTClientForConfigAndClient(one, client)
		errs = append(errs, err)
		return c
	}
	g = groups{
		core: group(core.SchemeGroupVersion), apps: group(apps.SchemeGroupVersion), policy: group(policy.SchemeGroupVersion), events: group(events.SchemeGroupVersion),
		coordination: group(coordination.SchemeGroupVersion), authentication: group(authentication.SchemeGroupVersion), authorization: group(authorization.SchemeGroupVersion),
		custom: group(v1alpha1.GroupVersion),
	}
	return g, errors.Join(errs...)
}

// object is a pointer to a T that the API server keeps or answers.
type object[T any] interface {
	*T
	kept
}

// objectList is a pointer to a T that the API server answers with objects.
type objectList[T any] interface {
	*T
	runtime.Object
}

// clientOf returns a client of a resource whose objects are read and written one by one.
func clientOf[T any, P object[T]](group rest.Interface, resource, namespace string) *Resource[P] {
	return &Resource[P]{group, namespace, resource, func() P { return new(T) }}
}

// listerOf returns a client of a resource that is listed as well.
func listerOf[T, L any, P object[T], Q objectList[L]](group rest.Interface, resource, namespace string) *Collection[P, Q] {
	return &Collection[P, Q]{Resource[P]{group, namespace, resource, func() P { return new(T) }}, func() Q { return new(L) }}
}

func (g groups) pods(namespace string) *Collection[*core.Pod, *core.PodList] {
	return listerOf[core.Pod, core.PodList](g.core, "pods", namespace)
}

func (g groups) namespaces() *Collection[*core.Namespace, *core.NamespaceList] {
	return listerOf[core.Namespace, core.NamespaceList](g.core, "namespaces", meta.NamespaceNone)
}

func (g groups) secrets(namespace string) *Resource[*core.Secret] {
	return clientOf[core.Secret](g.core, "secrets", namespace)
}

func (g groups) configMaps(namespace string) *Resource[*core.ConfigMap] {
	return clientOf[core.ConfigMap](g.core, "configmaps", namespace)
}

func (g groups) deployments(namespace string) *Collection[*apps.Deployment, *apps.DeploymentList] {
	return listerOf[apps.Deployment, apps.DeploymentList](g.apps, "deployments", namespace)
}

func (g groups) statefulSets(namespace string) *Collection[*apps.StatefulSet, *apps.StatefulSetList] {
	return listerOf[apps.StatefulSet, apps.StatefulSetList](g.apps, "statefulsets", namespace)
}

func (g groups) daemonSets(namespace string) *Collection[*apps.DaemonSet, *apps.DaemonSetList] {
	return listerOf[apps.DaemonSet, apps.DaemonSetList](g.apps, "daemonsets", namespace)
}

func (g groups) replicaSets(namespace string) *Resource[*apps.ReplicaSet] {
	return clientOf[apps.ReplicaSet](g.apps, "replicasets", namespace)
}

func (g groups) budgets(namespace string) *Collection[*policy.PodDisruptionBudget, *policy.PodDisruptionBudgetList] {
	return listerOf[policy.PodDisruptionBudget, policy.PodDisruptionBudgetList](g.policy, "poddisruptionbudgets", namespace)
}

func (g groups) eventsIn(namespace string) *Resource[*events.Event] {
	return clientOf[events.Event](g.events, "events", namespace)
}

func (g groups) selfSubjectReviews() *Resource[*authentication.SelfSubjectReview] {
	return clientOf[authentication.SelfSubjectReview](g.authentication, "selfsubjectreviews", meta.NamespaceNone)
}

func (g groups) selfSubjectAccessReviews() *Resource[*authorization.SelfSubjectAccessReview] {
	return clientOf[authorization.SelfSubjectAccessReview](g.authorization, "selfsubjectaccessreviews", meta.NamespaceNone)
}

func (g groups) subjectAccessReviews() *Resource[*authorization.SubjectAccessReview] {
	return clientOf[authorization.SubjectAccessReview](g.authorization, "subjectaccessreviews", meta.NamespaceNone)
}

func (g groups) selfSubjectRulesReviews() *Resource[*authorization.SelfSubjectRulesReview] {
	return clientOf[authorization.SelfSubjectRulesReview](g.authorization, "selfsubjectrulesreviews", meta.NamespaceNone)
}
