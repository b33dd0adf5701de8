package kubernetes

import "net/http"

// refused notes answers that say that something is forbidden.
type refused struct {
	http.RoundTripper
	noted chan<- struct{}
}

// RoundTrip sends a request.
func (r refused) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := r.RoundTripper.RoundTrip(request)
	if err == nil && answer.StatusCode == http.StatusForbidden {
		select {
		case r.noted <- struct{}{}:
		default:
		}
	}
	return answer, err
}
