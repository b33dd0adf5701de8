package kubernetes

import "net/http"

// RequestCounter is told of each request to the API server: its HTTP method and the status code of the answer, 0 if there
// was none. client-go's own hooks are variables of the whole process; this is a part of the client alone.
type RequestCounter interface {
	Requested(method string, code int)
}

// counted tells of each request.
type counted struct {
	http.RoundTripper
	counter RequestCounter
}

// RoundTrip sends a request.
func (c counted) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := c.RoundTripper.RoundTrip(request)
	code := 0
	if err == nil {
		code = answer.StatusCode
	}
	c.counter.Requested(request.Method, code)
	return answer, err
}
