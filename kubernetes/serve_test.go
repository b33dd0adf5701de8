package kubernetes

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/client-go/rest"
)

// serve has a handler stand for an API server until the test ends, and returns a client of it.
func serve(t testing.TB, api http.Handler) *Client {
	t.Helper()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	client := &Client{}
	if err := client.connect(&rest.Config{Host: server.URL}, "test"); err != nil {
		t.Fatal(err)
	}
	return client
}
