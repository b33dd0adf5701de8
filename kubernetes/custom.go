package kubernetes

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/gentype"
	"k8s.io/client-go/rest"

	"caprice/api/v1alpha1"
)

type (
	// Kills is the API of kills.
	Kills = gentype.ClientWithList[*v1alpha1.Kill, *v1alpha1.KillList]
	// Halts is the API of halts.
	Halts = gentype.ClientWithList[*v1alpha1.Halt, *v1alpha1.HaltList]
	// Hypotheses is the API of hypotheses.
	Hypotheses = gentype.ClientWithList[*v1alpha1.Hypothesis, *v1alpha1.HypothesisList]
)

// Kills returns the kills of a namespace; of none, those of all, to be listed and watched.
func (c *Client) Kills(namespace string) *Kills {
	return gentype.NewClientWithList("kills", c.custom, c.codec, namespace,
		func() *v1alpha1.Kill { return &v1alpha1.Kill{} }, func() *v1alpha1.KillList { return &v1alpha1.KillList{} })
}

// Halts returns the halts of a namespace; of none, those of all, to be listed and watched.
func (c *Client) Halts(namespace string) *Halts {
	return gentype.NewClientWithList("halts", c.custom, c.codec, namespace,
		func() *v1alpha1.Halt { return &v1alpha1.Halt{} }, func() *v1alpha1.HaltList { return &v1alpha1.HaltList{} })
}

// Hypotheses returns the hypotheses of a namespace; of none, those of all, to be listed and watched.
func (c *Client) Hypotheses(namespace string) *Hypotheses {
	return gentype.NewClientWithList("hypotheses", c.custom, c.codec, namespace,
		func() *v1alpha1.Hypothesis { return &v1alpha1.Hypothesis{} }, func() *v1alpha1.HypothesisList { return &v1alpha1.HypothesisList{} })
}

// customize lets the client speak of kills, halts and hypotheses: in JSON, since API servers have no custom resources in protobuf.
func (c *Client) customize(config *rest.Config) error {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	ours := rest.CopyConfig(config)
	ours.APIPath, ours.GroupVersion = "/apis", &v1alpha1.GroupVersion
	ours.ContentType, ours.AcceptContentTypes = runtime.ContentTypeJSON, ""
	ours.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.RESTClientFor(ours)
	if err != nil {
		return err
	}
	c.custom, c.codec = client, runtime.NewParameterCodec(scheme)
	return nil
}
