package kubernetes

import (
	"io"
	"net/http"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWhichAnswersAreAReasonToLookAtPermissions(t *testing.T) {
	for _, test := range []struct {
		why    string
		answer http.HandlerFunc
		noted  bool
	}{
		{"there is no right", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Forbidden", http.StatusForbidden) }, true},
		{"there is no such halt", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}`)
		}, false},
		{"there are no definitions", http.NotFound, true}, // as the API server says of a path that it does not know
		{"the API server fails", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", http.StatusInternalServerError) }, false},
	} {
		client := serve(t, test.answer)
		if _, err := client.Halts("shop").Get(t.Context(), "release", meta.GetOptions{}); err == nil {
			t.Errorf("%s, and it has no error", test.why)
		}
		noted := false
		select {
		case <-client.Refused():
			noted = true
		default:
		}
		if noted != test.noted {
			t.Errorf("%s: it is noted: %v, want %v", test.why, noted, test.noted)
		}
	}
}
