// Package kubernetes turns API objects into victims, and the death of victims into API requests.
package kubernetes

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Client is how Caprice talks to the API server.
type Client struct {
	Namespace string // its own
	InCluster bool   // it speaks with the account of the pod it runs in
	typed     kubernetes.Interface
	metadata  metadata.Interface
	custom    rest.Interface // of kills and halts
	codec     runtime.ParameterCodec
}

// namespaceFile tells a pod its namespace.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// Connect returns a client of the cluster this process runs in, and elsewhere of the one that KUBECONFIG names. It has
// spoken to the API server; an error says which, and what is wrong.
func Connect(ctx context.Context, userAgent string) (*Client, error) {
	c := &Client{}
	config, err := c.config()
	if err != nil {
		return nil, err
	}
	if err := c.connect(config, userAgent); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := c.typed.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Error(); err != nil {
		return nil, fmt.Errorf("no answer from the API server at %s: want one that runs; KUBECONFIG chooses which: %w", config.Host, err)
	}
	return c, nil
}

// connect makes the clients of all that Caprice speaks of.
func (c *Client) connect(config *rest.Config, userAgent string) (err error) {
	config.UserAgent = userAgent
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return once{next} })
	// Kills come in bursts that the client must not spread out; the API server's own fairness is the limit.
	config.QPS = -1
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON

	if c.typed, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if c.metadata, err = metadata.NewForConfig(config); err != nil {
		return err
	}
	return c.customize(config)
}

// config returns how to reach the API server, and notes whose account that is.
func (c *Client) config() (*rest.Config, error) {
	if config, err := rest.InClusterConfig(); err == nil {
		namespace, err := os.ReadFile(namespaceFile)
		if err != nil {
			return nil, fmt.Errorf("reading the pod's own namespace: %w", err)
		}
		c.Namespace, c.InCluster = strings.TrimSpace(string(namespace)), true
		return config, nil
	}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil)
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("not in a cluster, and no usable kubeconfig: want one named by KUBECONFIG: %w", err)
	}
	c.Namespace, _, err = loader.Namespace()
	return config, err
}
