package main

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"

	"caprice/kubernetes"
)

func TestAStartEndsWhereItsOwnDeploymentMayStillAnswer(t *testing.T) {
	for _, test := range []struct {
		code  int
		known bool
		ends  bool
	}{
		{http.StatusOK, true, false}, {http.StatusNotFound, false, false}, {http.StatusForbidden, false, false}, {http.StatusServiceUnavailable, false, true},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Path == "/version" {
				return
			}
			w.WriteHeader(test.code)
			_, _ = w.Write([]byte(`{"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "caprice", "uid": "1", "resourceVersion": "1"}, "spec": {"replicas": 1}}`))
		}))
		defer server.Close()
		client, err := kubernetes.ConnectTo(t.Context(), &rest.Config{Host: server.URL}, "test")
		if err != nil {
			t.Fatal(err)
		}
		client.Namespace = "caprice"
		own, err := own(t.Context(), client, "caprice")
		if (err != nil) != test.ends || (own != nil) != test.known {
			t.Errorf("%d: %v, %v; want it to end the start: %v, and to be known: %v", test.code, own, err, test.ends, test.known)
		}
	}
}

func TestTheConfigurationIsPublishedUntilItIs(t *testing.T) {
	var patches atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPatch && patches.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write([]byte(`{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "caprice-effective", "resourceVersion": "1"}}`))
	}))
	defer server.Close()
	client, err := kubernetes.ConnectTo(t.Context(), &rest.Config{Host: server.URL}, "test")
	if err != nil {
		t.Fatal(err)
	}
	client.Namespace = "caprice"
	(&controller{client: client}).publish(t.Context()) // which returns when it is done
	if n := patches.Load(); n != 2 {
		t.Errorf("published by %d requests, of which the first failed; want 2", n)
	}
}
