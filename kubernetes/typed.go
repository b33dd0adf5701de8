package kubernetes

import (
	"errors"

	apps "k8s.io/client-go/kubernetes/typed/apps/v1"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorization "k8s.io/client-go/kubernetes/typed/authorization/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	core "k8s.io/client-go/kubernetes/typed/core/v1"
	events "k8s.io/client-go/kubernetes/typed/events/v1"
	policy "k8s.io/client-go/kubernetes/typed/policy/v1"
	"k8s.io/client-go/rest"
)

// typed are the groups of client-go's clients that Caprice uses. All of them together, as in client-go's Clientset, which is one
// too, would make up a third of the program.
type typed interface {
	CoreV1() core.CoreV1Interface
	AppsV1() apps.AppsV1Interface
	PolicyV1() policy.PolicyV1Interface
	EventsV1() events.EventsV1Interface
	CoordinationV1() coordination.CoordinationV1Interface
	AuthenticationV1() authentication.AuthenticationV1Interface
	AuthorizationV1() authorization.AuthorizationV1Interface
}

type groups struct {
	core           *core.CoreV1Client
	apps           *apps.AppsV1Client
	policy         *policy.PolicyV1Client
	events         *events.EventsV1Client
	coordination   *coordination.CoordinationV1Client
	authentication *authentication.AuthenticationV1Client
	authorization  *authorization.AuthorizationV1Client
}

func (g *groups) CoreV1() core.CoreV1Interface                               { return g.core }
func (g *groups) AppsV1() apps.AppsV1Interface                               { return g.apps }
func (g *groups) PolicyV1() policy.PolicyV1Interface                         { return g.policy }
func (g *groups) EventsV1() events.EventsV1Interface                         { return g.events }
func (g *groups) CoordinationV1() coordination.CoordinationV1Interface       { return g.coordination }
func (g *groups) AuthenticationV1() authentication.AuthenticationV1Interface { return g.authentication }
func (g *groups) AuthorizationV1() authorization.AuthorizationV1Interface    { return g.authorization }

// newGroups returns clients of one API server that share its connections.
func newGroups(config *rest.Config) (*groups, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	var g groups
	errs := make([]error, 7)
	g.core, errs[0] = core.NewForConfigAndClient(config, client)
	g.apps, errs[1] = apps.NewForConfigAndClient(config, client)
	g.policy, errs[2] = policy.NewForConfigAndClient(config, client)
	g.events, errs[3] = events.NewForConfigAndClient(config, client)
	g.coordination, errs[4] = coordination.NewForConfigAndClient(config, client)
	g.authentication, errs[5] = authentication.NewForConfigAndClient(config, client)
	g.authorization, errs[6] = authorization.NewForConfigAndClient(config, client)
	return &g, errors.Join(errs...)
}
