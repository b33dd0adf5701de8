package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd"

	"caprice/kubernetes"
)

// release is the Caprice that a command asks about, and the cluster it is in, which kubectl's flags choose. Whatever a command
// does there, it does with the rights of whoever calls it.
type release struct {
	namespace string // in which Caprice runs
	loading   *clientcmd.ClientConfigLoadingRules
	overrides clientcmd.ConfigOverrides
}

// patience is how long a person waits for an answer about halts.
const patience = 10 * time.Second

// clusterFlag marks the flags that choose the cluster, which the help has in a list of their own.
const clusterFlag = "caprice.chaos/cluster"

func (r *release) flags(c *cobra.Command) {
	r.loading = clientcmd.NewDefaultClientConfigLoadingRules()
	flags := pflag.NewFlagSet("cluster", pflag.ContinueOnError)
	flags.StringVar(&r.loading.ExplicitPath, clientcmd.RecommendedConfigPathFlag, "", "Path to the kubeconfig file to use for CLI requests")
	names := clientcmd.RecommendedConfigOverrideFlags("")
	names.ClusterOverrideFlags.APIServer.ShortName, names.ClusterOverrideFlags.APIServer.Description = "s", "The address and port of the Kubernetes API server" // as kubectl has it
	names.ContextOverrideFlags.ClusterName = clientcmd.FlagInfo{}                                                                                               // --cluster means all of it here
	names.AuthOverrideFlags.Username, names.AuthOverrideFlags.Password = clientcmd.FlagInfo{}, clientcmd.FlagInfo{}                                             // no API server takes them any more
	clientcmd.BindOverrideFlags(&r.overrides, flags, names)
	flags.StringVar(&r.namespace, "release-namespace", "caprice", "namespace in which Caprice runs")
	flags.VisitAll(func(f *pflag.Flag) { f.Annotations = map[string][]string{clusterFlag: {"true"}} })
	c.Flags().AddFlagSet(flags)
	complete(c, "namespace", r.completeNamespaces)
	complete(c, "release-namespace", r.completeNamespaces)
}

// client returns a client that speaks of the release.
func (r *release) client(ctx context.Context) (*kubernetes.Client, error) {
	if r.namespace == "" {
		return nil, errors.New("--release-namespace is empty: want the namespace in which Caprice runs, as in caprice")
	}
	config, err := r.kubeconfig().ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("no usable kubeconfig: want one named by --kubeconfig or KUBECONFIG: %w", kubernetes.Unread(r.loading, err))
	}
	client, err := kubernetes.ConnectTo(ctx, config, "caprice/"+version)
	if err != nil {
		return nil, err
	}
	client.Namespace = r.namespace
	return client, nil
}

// published returns what its leader has published.
func (r *release) published(ctx context.Context) (published, error) {
	client, err := r.client(ctx)
	if err != nil {
		return published{}, err
	}
	return readPublished(ctx, client)
}

// kubeconfig is what the flags and the files that they name say.
func (r *release) kubeconfig() clientcmd.ClientConfig {
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(r.loading, &r.overrides)
}

// here returns the namespace that -n names, or else the kubeconfig.
func (r *release) here() (string, error) {
	namespace, _, err := r.kubeconfig().Namespace()
	return namespace, err
}

// asked returns the namespace that -n names, or nothing.
func (r *release) asked() string { return r.overrides.Context.Namespace }
