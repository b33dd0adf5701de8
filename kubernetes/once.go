package kubernetes

import (
	"net/http"
	"strconv"
)

// once has what changes something sent a single time. Where an answer has Retry-After, client-go repeats a request up to ten
// times, also one that was carried out; without that header it leaves it to the caller. What reads is repeated, and waits no
// longer than mostAfter before it is, whatever the answer wants.
type once struct{ http.RoundTripper }

const mostAfter = 5 // seconds

// RoundTrip sends a request.
func (o once) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := o.RoundTripper.RoundTrip(request)
	if err != nil {
		return answer, err
	}
	const after = "Retry-After"
	if request.Method != http.MethodGet {
		answer.Header.Del(after)
	} else if seconds, err := strconv.Atoi(answer.Header.Get(after)); err == nil && seconds > mostAfter {
		answer.Header.Set(after, strconv.Itoa(mostAfter))
	}
	return answer, nil
}
