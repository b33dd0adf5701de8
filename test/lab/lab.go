// Package lab gives a test a real control plane of its own, and reads from its audit log what was really done.
package lab

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Lab is a cluster for one test, which fails where the cluster does.
type Lab struct {
	*Cluster
	Client kubernetes.Interface
}

// Start boots a cluster that ends with the test.
func Start(t *testing.T) *Lab {
	t.Helper()
	c, err := Boot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return &Lab{c, client}
}

// Kubectl runs kubectl as the administrator, with text on its standard input, and returns what it prints.
func (l *Lab) Kubectl(t *testing.T, text string, args ...string) string {
	t.Helper()
	out, err := l.Cluster.Kubectl(t.Context(), text, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Helm runs helm as the administrator and returns what it prints.
func (l *Lab) Helm(t *testing.T, args ...string) string {
	t.Helper()
	out, err := l.Cluster.Helm(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// KubeconfigOf returns a kubeconfig that signs in by a token of a service account.
func (l *Lab) KubeconfigOf(t *testing.T, namespace, account string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := l.AccountKubeconfig(t.Context(), path, namespace, account); err != nil {
		t.Fatal(err)
	}
	return path
}

// Order has the cluster stop, start, pause or resume one of its components, as in "stop etcd".
func (l *Lab) Order(t *testing.T, order string) {
	t.Helper()
	if err := l.Cluster.Order(order); err != nil {
		t.Fatal(err)
	}
}

// Removals returns all requests to remove a pod that people and programs made.
func (l *Lab) Removals(t *testing.T) []Removal {
	t.Helper()
	removals, err := l.Cluster.Removals()
	if err != nil {
		t.Fatal(err)
	}
	return removals
}

// Changes returns when pods became Ready and were gone, and what the status of Deployments said.
func (l *Lab) Changes(t *testing.T) []Change {
	t.Helper()
	changes, err := l.Cluster.Changes()
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// Requests returns how often people asked by the command line of Caprice for something without a name.
func (l *Lab) Requests(t *testing.T, verb, resource string) int {
	t.Helper()
	n, err := l.Cluster.Requests(verb, resource)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Eventually waits until done returns true. It gives up after five minutes: an API server may take two to find an etcd that
// was away.
func Eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s did not come about", what)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
