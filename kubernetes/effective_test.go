package kubernetes

import (
	"errors"
	"net/http"
	"testing"
)

// Whoever asks in the right namespace is not sent to look for another: of one that was never ready its log has the reason.
func TestWhoHasPublishedNothingMayHaveNeverBeenReady(t *testing.T) {
	client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404, "details": {"name": "caprice-effective", "kind": "configmaps"}}`))
	}))
	client.Namespace = "ops"
	const want = "no ConfigMap caprice-effective in namespace ops: want the namespace in which Caprice runs, by --release-namespace; if that is it, Caprice has never been ready there, and its log and /readyz say why"
	if _, err := client.Effective(t.Context()); !errors.Is(err, ErrUnpublished) || err.Error() != want {
		t.Errorf("it is told %q, want %q", err, want)
	}
}
