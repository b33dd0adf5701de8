// Package kubernetes turns API objects into victims, and the death of victims into API requests.
package kubernetes

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Client is how Caprice talks to the API server.
type Client struct {
	Namespace string // its own
	InCluster bool   // it speaks with the account of the pod it runs in
	groups    groups
	metadata  metadata.Interface
	dynamic   dynamic.Interface
	counter   RequestCounter // nil: nobody counts
	refused   chan struct{}
	ahead     atomic.Int64 // see Ahead

	plainWatches atomic.Bool // the API server has no watches that begin with what there is
}

// Refused has something whenever the API server has refused a request since it was last looked at, or does not know kills, halts or
// hypotheses: a permission or a definition may be missing.
func (c *Client) Refused() <-chan struct{} { return c.refused }

// What a pod is told of itself: its namespace, and by which token its account signs in.
const (
	namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
	tokenFile     = "/var/run/secrets/kubernetes.io/serviceaccount/token"
)

// Connect returns a client of the cluster this process runs in, and elsewhere of the one that KUBECONFIG names. It has
// spoken to the API server; an error says which, and what is wrong. A counter, if there is one, is told of each request.
func Connect(ctx context.Context, userAgent string, counter RequestCounter) (*Client, error) {
	c := &Client{counter: counter}
	config, err := c.config()
	if err != nil {
		return nil, err
	}
	// Inside a cluster bytes are cheaper than to pack and unpack them, and each watch would have a window of its own.
	config.DisableCompression = true
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return c, c.reach(ctx, config, userAgent)
}

// connectTimeout is how long the API server may take for its first answer.
const connectTimeout = 10 * time.Second

// ConnectTo is Connect for a cluster and user that somebody chose. Its own namespace it does not know. A program that has people sign in
// may take its time for that.
func ConnectTo(ctx context.Context, config *rest.Config, userAgent string) (*Client, error) {
	c := &Client{InCluster: config.BearerTokenFile == tokenFile}
	if config.ExecProvider == nil {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, connectTimeout)
		defer cancel()
	}
	return c, c.reach(ctx, config, userAgent)
}

// reach makes the clients, and sees that the API server answers.
func (c *Client) reach(ctx context.Context, config *rest.Config, userAgent string) error {
	if err := c.connect(config, userAgent); err != nil {
		return err
	}
	err := c.groups.core.Get().AbsPath("/version").Do(ctx).Error()
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &untrusted):
		return fmt.Errorf("the certificate of the API server at %s is not trusted: want the kubeconfig to have the authority that signed it: %w", config.Host, err)
	case apierrors.IsUnauthorized(err) && c.InCluster:
		return fmt.Errorf("the API server at %s does not take the account's token: want one that has not expired, of an account that it knows: %w", config.Host, err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the API server at %s does not take the credentials: want a kubeconfig whose user it knows: %w", config.Host, err)
	case err != nil:
		return fmt.Errorf("no answer from the API server at %s: want one that runs; KUBECONFIG chooses which: %w", config.Host, err)
	}
	return nil
}

// connect makes the clients of all that Caprice speaks of.
func (c *Client) connect(config *rest.Config, userAgent string) (err error) {
	config.UserAgent = userAgent
	c.refused = make(chan struct{}, 1)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return refused{once{dated{next, &c.ahead}}, c.refused} })
	if c.counter != nil {
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return counted{next, c.counter} })
	}
	// Kills come in bursts that the client must not spread out; the API server's own fairness is the limit.
	config.QPS = -1
	config.WarningHandlerWithContext = &warnings{}
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON

	if c.groups, err = newGroups(config); err != nil {
		return err
	}
	if c.metadata, err = metadata.NewForConfig(config); err != nil {
		return err
	}
	c.dynamic, err = dynamic.NewForConfig(config)
	return err
}

// resources returns what the API server has of a group and version.
func (c *Client) resources(ctx context.Context, version schema.GroupVersion) (*meta.APIResourceList, error) {
	root := "/apis/"
	if version.Group == "" {
		root = "/api/"
	}
	var list meta.APIResourceList
	err := c.groups.core.Get().AbsPath(root + version.String()).Do(ctx).Into(&list)
	return &list, err
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
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil)
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("not in a cluster, and no usable kubeconfig: want one named by KUBECONFIG: %w", Unread(rules, err))
	}
	c.Namespace, _, err = loader.Namespace()
	return config, err
}

// Unread returns the error of a kubeconfig that is not there, in place of one that says that nothing has been configured.
func Unread(rules *clientcmd.ClientConfigLoadingRules, err error) error {
	if !clientcmd.IsEmptyConfig(err) {
		return err
	}
	for _, file := range rules.GetLoadingPrecedence() {
		if _, missing := os.Stat(file); missing != nil {
			return missing
		}
	}
	return err
}
