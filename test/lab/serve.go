package lab

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/client-go/rest"

	"caprice/kubernetes"
)

// Serve has a handler stand for an API server until the test ends, and returns a client of it.
func Serve(t testing.TB, api http.Handler) *kubernetes.Client {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /version", func(http.ResponseWriter, *http.Request) {}) // it answers
	mux.Handle("/", api)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	client, err := kubernetes.ConnectTo(t.Context(), &rest.Config{Host: server.URL}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return client
}
