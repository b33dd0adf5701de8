package kubernetes

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// answers is a transport that answers with what a handler writes.
type answers http.HandlerFunc

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	a(w, r)
	return w.Result(), nil
}

func TestHowLongAnAnswerMayHaveARequestWait(t *testing.T) {
	for _, test := range []struct{ method, wants, waits string }{
		{http.MethodGet, "1", "1"}, {http.MethodGet, "3600", "5"}, {http.MethodGet, "", ""}, {http.MethodGet, "Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT"},
		{http.MethodPost, "1", ""}, {http.MethodDelete, "3600", ""}, {http.MethodPatch, "0", ""},
	} {
		request := httptest.NewRequest(test.method, "/", nil)
		answer, err := once{answers(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", test.wants) })}.RoundTrip(request)
		if err != nil || answer.Header.Get("Retry-After") != test.waits {
			t.Errorf("%s that is to wait %q waits %q, %v; want %q", test.method, test.wants, answer.Header.Get("Retry-After"), err, test.waits)
		}
	}
}
