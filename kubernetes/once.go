package kubernetes

import "net/http"

// once has what changes something sent a single time. Where an answer has Retry-After, client-go repeats a request up to ten
// times, also one that was carried out; without that header it leaves it to the caller.
type once struct{ http.RoundTripper }

// RoundTrip sends a request.
func (o once) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := o.RoundTripper.RoundTrip(request)
	if err == nil && request.Method != http.MethodGet {
		answer.Header.Del("Retry-After")
	}
	return answer, err
}

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
