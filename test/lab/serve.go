package lab

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// InMemory is an API server behind no network, so that whoever asks it waits in a test's own time: for as long as it takes to return.
type InMemory http.HandlerFunc

// RoundTrip has it answer, in JSON unless it says otherwise.
func (m InMemory) RoundTrip(request *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	answer.Header().Set("Content-Type", "application/json")
	m(answer, request)
	return answer.Result(), nil
}

// Client returns a client of it. What version it is of it says itself.
func (m InMemory) Client(t testing.TB) *kubernetes.Client {
	t.Helper()
	api := InMemory(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/version" {
			m(w, r)
		}
	})
	client, err := kubernetes.ConnectTo(t.Context(), &rest.Config{Host: "http://api", Transport: api}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// Refuse answers as an API server does that says no.
func Refuse(w http.ResponseWriter, code int) {
	status := meta.Status{TypeMeta: meta.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: meta.StatusFailure, Code: int32(code)}
	status.Reason = map[int]meta.StatusReason{http.StatusForbidden: meta.StatusReasonForbidden, http.StatusNotFound: meta.StatusReasonNotFound}[code]
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(status)
}
