package kubernetes

import (
	"net/http"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWhichAnswersAreAReasonToLookAtPermissions(t *testing.T) {
	for _, test := range []struct {
		why   string
		code  int
		ask   func(*Client) error
		noted bool
	}{
		{"there is no right", http.StatusForbidden, func(c *Client) error { _, err := c.Effective(t.Context()); return err }, true},
		{"there is no such object", http.StatusNotFound, func(c *Client) error { _, err := c.Effective(t.Context()); return err }, false},
		{"there are no such definitions", http.StatusNotFound, func(c *Client) error { _, err := c.Halts("").List(t.Context(), meta.ListOptions{}); return err }, true},
		{"the API server fails", http.StatusInternalServerError, func(c *Client) error { _, err := c.Halts("").List(t.Context(), meta.ListOptions{}); return err }, false},
	} {
		client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "404 page not found", test.code) }))
		client.Namespace = "caprice"
		if err := test.ask(client); err == nil {
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
