// Package alerts stops chaos while an alert of Alertmanager or Prometheus fires.
package alerts

import (
	"cmp"
	"context"
	"encoding/json"
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
	// lingers is how long an alert counts that is not listed any more, unless its server says that it is silenced or inhibited:
	// Alertmanager knows of none after a restart until Prometheus sends them again, each minute by default.
	lingers = 2 * time.Minute
)

// Alerts are asked for before each pod is removed. Kills that ask at the same time share one answer. It is a chaos.Halts.
type Alerts struct {
	Address   Address
	Matchers  Matchers
	Lingers   time.Duration // how long an alert counts that is not listed any more; zero: two minutes, which a test on a real server cannot wait
	TokenFile string        // of a bearer token, which is read for each request; empty: there is none

	through http.RoundTripper // what sends requests, in tests; nil: usual

	once   sync.Once
	turn   chan struct{} // full while somebody asks
	asked  time.Time     // when the answer was asked for
	firing []Alert
	err    error

	mu    sync.Mutex
	seen  map[string]sighting // what fired lately, by their keys
	tried time.Time           // when somebody asked last, answered or not
}

// Alert is one that fires.
type Alert struct {
	Labels map[string]string
	Since  time.Time
	state  state
	unsaid bool // it fired, and is not listed any more
}

// key tells an alert from others, whoever lists it.
func (a Alert) key() string {
	labels, _ := json.Marshal(a.Labels) // texts have no errors; the names are in their order
	return string(labels)
}

// state is what an alert's server says of it.
type state int

const (
	fires state = iota
	waits       // until it has held for long enough
	off         // silenced, inhibited, or over
)

// sighting is an alert that fired, and since when its server has listed it no more; zero: it has not.
type sighting struct {
	Alert
	missing time.Time
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
	how := "fires"
	if alert.unsaid {
		how = fmt.Sprintf("is not listed any more, for less than %s, and fired", cmp.Or(a.Lingers, lingers))
	}
	text := fmt.Sprintf("alert %s %s since %s", cmp.Or(alert.Labels["alertname"], "without a name"), how, alert.Since.UTC().Format(time.RFC3339))
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
	a.mu.Lock()
	if !chaos.Fresh(a.tried, cmp.Or(a.Lingers, lingers)) { // nobody has asked for long, as where another led
		a.seen = nil
	}
	a.tried = time.Now()
	a.mu.Unlock()
	within, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %s", patience))
	defer cancel()
	listed, err := a.list(within)
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
	firing := a.remember(slices.DeleteFunc(listed, func(l Alert) bool { return !a.Matchers.match(l.Labels) }))
	slices.SortFunc(firing, func(f, g Alert) int { return strings.Compare(a.describe(f), a.describe(g)) })
	return firing, nil
}

// remember returns which alerts fire of those that are listed, and which of those that fired a moment ago may fire still: their server
// says nothing of them, or that they wait, as after its restart.
func (a *Alerts) remember(listed []Alert) (firing []Alert) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil {
		a.seen = map[string]sighting{}
	}
	now, limit := time.Now(), cmp.Or(a.Lingers, lingers)
	said := map[string]bool{}
	for _, l := range listed {
		key := l.key()
		_, fired := a.seen[key]
		if said[key] = true; l.state == fires || l.state == waits && fired {
			a.seen[key] = sighting{Alert: l}
			firing = append(firing, l)
		} else {
			delete(a.seen, key)
		}
	}
	for key, s := range a.seen {
		if said[key] {
			continue
		}
		if s.missing.IsZero() {
			s.missing, s.unsaid = now, true
			a.seen[key] = s
		}
		if chaos.Fresh(s.missing, limit) {
			firing = append(firing, s.Alert)
		} else {
			delete(a.seen, key)
		}
	}
	return firing
}

// transport returns how requests are sent: by default by HTTP/1, whose connections end with a request that is not answered. One of
// HTTP/2 is used for all, and where its other end has vanished it takes a quarter of an hour to be noticed.
func (a *Alerts) transport() http.RoundTripper {
	if a.through != nil {
		return a.through
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

// list returns all alerts that the server has in its answer.
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
