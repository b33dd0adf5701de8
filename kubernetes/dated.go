package kubernetes

import (
	"net/http"
	"sync/atomic"
	"time"
)

// dated notes of each answer what time it is for whoever sent it.
type dated struct {
	http.RoundTripper
	ahead *atomic.Int64 // nanoseconds by which this process's clock is
}

// RoundTrip sends a request.
func (d dated) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := d.RoundTripper.RoundTrip(request)
	if err == nil {
		if at, unread := http.ParseTime(answer.Header.Get("Date")); unread == nil {
			d.ahead.Store(int64(time.Since(at).Truncate(time.Second)))
		}
	}
	return answer, err
}

// Ahead returns by how much this process's clock was ahead of the API server's when that last answered, to the second and with what the
// answer took; negative if it was behind, 0 if that is not known.
func (c *Client) Ahead() time.Duration { return time.Duration(c.ahead.Load()) }
