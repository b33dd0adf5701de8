// Package probe asks what hypotheses want to know, of the addresses that the operator allows.
package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"

	"caprice/chaos"
)

// most is how many bytes of an answer are read, and of its headers.
const most = 64 << 10

// Prober makes questions of what hypotheses ask for. It refuses what the operator does not allow.
type Prober struct {
	Allowed   Addresses
	Server    Server // the Prometheus of hypotheses that name none
	UserAgent string
}

// request returns how to ask a URL for a hypothesis in a namespace.
func (p *Prober) request(namespace, address string) (*url.URL, *http.Client, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, nil, err
	}
	if u.User != nil {
		return nil, nil, fmt.Errorf("%s: want a URL without a name and a password", u.Redacted())
	}
	by, ok := p.Allowed.match(u, namespace)
	if !ok {
		return nil, nil, fmt.Errorf("%s is not among the addresses that PROBE_URLS allows: %s", address, p.Allowed)
	}
	return u, client(by), nil
}

// send sends a request without a body. The answer's body is the caller's to close.
func (p *Prober) send(ctx context.Context, client *http.Client, method, address string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", p.UserAgent)
	answer, err := client.Do(request)
	var long *url.Error
	if errors.As(err, &long) {
		err = long.Err // without the URL, which may be all that a record has room for
	}
	return answer, err
}

// read reads the body of an answer.
func read(answer *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	if err == nil && len(body) > most {
		err = fmt.Errorf("the answer is longer than %d KiB", most>>10)
	}
	return body, err
}

// wrong is an answer that is as wrong as can be.
func wrong(format string, args ...any) chaos.Answer {
	return chaos.Answer{Value: line(fmt.Sprintf(format, args...)), Off: math.Inf(1)}
}

// mostText is how many characters of what was answered are told.
const mostText = 256

// line returns what a stranger may have written as a line that can be told.
func line(text string) string {
	runes := []rune(chaos.OneLine(text))
	if len(runes) > mostText {
		return string(runes[:mostText-3]) + "..."
	}
	return string(runes)
}
