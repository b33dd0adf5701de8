// Package alerts stops chaos while an alert of Alertmanager or Prometheus fires.
package alerts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"caprice/chaos"
	"caprice/victims"
)

const (
	// age is how old an answer may be, and patience how long one is waited for. Together they are a little more than a second.
	age      = 400 * time.Millisecond
	patience = 700 * time.Millisecond
	// most is how many bytes an answer may have.
	most = 4 << 20
)

// Alerts are asked for before each pod is removed. Kills that ask at the same time share one answer. It is a chaos.Halts.
type Alerts struct {
	Address   Address
	Matchers  Matchers
	TokenFile string            // of a bearer token, which is read for each request; empty: there is none
	Transport http.RoundTripper // nil: the default one

	once   sync.Once
	turn   chan struct{} // full while somebody asks
	asked  time.Time     // when the answer was asked for
	firing []Alert
	err    error
}

// Alert is one that fires.
type Alert struct {
	Labels map[string]string
	Since  time.Time
}

// Check returns a *chaos.Veto while an alert fires, and any other error if that cannot be known.
func (a *Alerts) Check(ctx context.Context, _ victims.Workload) error {
	firing, err := a.current(ctx)
	if err != nil || len(firing) == 0 {
		return err
	}
	message := a.describe(firing[0])
	if others := len(firing) - 1; others > 0 {
		message += fmt.Sprintf(", and so do %d others", others)
	}
	return &chaos.Veto{Reason: chaos.Halted, Message: message}
}

// describe says that an alert fires, with the labels for which it counts.
func (a *Alerts) describe(alert Alert) string {
	text := fmt.Sprintf("alert %s fires since %s", cmp.Or(alert.Labels["alertname"], "without a name"), alert.Since.UTC().Format(time.RFC3339))
	for _, m := range a.Matchers {
		if value := alert.Labels[m.name]; m.name != "alertname" && value != "" && !strings.Contains(text, " "+m.name+"=") {
			text += fmt.Sprintf(" %s=%q", m.name, value)
		}
	}
	return text
}

// current returns what fired at most age ago, or when it was asked for since the call, however long the answer took: whoever waited
// for it meanwhile is not to wait once more. That there was no answer is shared as well, for age.
func (a *Alerts) current(ctx context.Context) ([]Alert, error) {
	called := time.Now()
	a.once.Do(func() { a.turn = make(chan struct{}, 1) })
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if chaos.Fresh(a.asked, age) || !a.asked.Before(called) && chaos.Fresh(a.asked, patience) {
		return a.firing, a.err
	}
	asked := time.Now()
	firing, err := a.ask(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err // it is whoever asked that has no time left
		}
		asked = time.Now()
	}
	a.asked, a.firing, a.err = asked, firing, err
	return firing, err
}

// ask returns what fires now, in the order of names.
func (a *Alerts) ask(ctx context.Context) ([]Alert, error) {
	within, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %s", patience))
	defer cancel()
	firing, err := a.list(within)
	var sent *url.Error
	if errors.As(err, &sent) { // it would name the URL once more
		err = sent.Err
	}
	if within.Err() != nil {
		err = context.Cause(within)
	}
	if err != nil {
		return nil, fmt.Errorf("asking for alerts at %s: %w", a.Address, err)
	}
	firing = slices.DeleteFunc(firing, func(f Alert) bool { return !a.Matchers.match(f.Labels) })
	slices.SortFunc(firing, func(f, g Alert) int { return strings.Compare(a.describe(f), a.describe(g)) })
	return firing, nil
}

// transport returns how requests are sent: by default by HTTP/1, whose connections end with a request that is not answered. One of
// HTTP/2 is used for all, and where its other end has vanished it takes a quarter of an hour to be noticed.
func (a *Alerts) transport() http.RoundTripper {
	if a.Transport != nil {
		return a.Transport
	}
	return usual
}

// It sets the protocol itself, whatever others have done to http.DefaultTransport.
var usual = func() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	return t
}()

// list returns all alerts that fire, of those that the server has in its answer.
func (a *Alerts) list(ctx context.Context) ([]Alert, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Address.asking(a.Matchers), nil)
	if err != nil {
		return nil, err
	}
	if a.TokenFile != "" {
		token, err := os.ReadFile(a.TokenFile)
		if err != nil {
			return nil, err
		}
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	// Whoever sends us elsewhere is not who was named, and must not have the token.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client := http.Client{Transport: a.transport(), CheckRedirect: stay}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	switch {
	case err != nil:
		return nil, err
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the answer is %s, want 200 OK", answer.Status)
	case len(body) > most:
		return nil, fmt.Errorf("the answer has more than %d bytes, want less", most)
	}
	return a.Address.read(body)
}
