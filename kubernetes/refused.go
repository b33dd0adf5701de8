package kubernetes

import (
	"net/http"
	"strings"

	"caprice/api/v1alpha1"
)

// refused notes answers that say that something is forbidden, or that the cluster does not know kills, halts or hypotheses, as where
// their definitions have been deleted.
type refused struct {
	http.RoundTripper
	noted chan<- struct{}
}

// RoundTrip sends a request.
func (r refused) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := r.RoundTripper.RoundTrip(request)
	if err == nil && (answer.StatusCode == http.StatusForbidden || answer.StatusCode == http.StatusNotFound && ofOurs(request) && plain(answer)) {
		select {
		case r.noted <- struct{}{}:
		default:
		}
	}
	return answer, err
}

// ofOurs tells whether a request is about kills, halts or hypotheses.
func ofOurs(request *http.Request) bool {
	return strings.Contains(request.URL.Path, "/apis/"+v1alpha1.GroupVersion.Group+"/")
}

// plain tells whether an answer is no object, as that of an API server that does not know a path.
func plain(answer *http.Response) bool {
	return strings.HasPrefix(answer.Header.Get("Content-Type"), "text/plain")
}
