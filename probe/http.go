package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"caprice/chaos"
)

// HTTP is a request and what its answer should be.
type HTTP struct {
	URL, Method string
	Least, Most int           // status, both ends in
	MaxLatency  time.Duration // 0: any
	Path        string        // JSONPath of a field; empty: none
	Equals      string        // what that should be
}

// HTTP makes a question of a request for a hypothesis in a namespace.
func (p *Prober) HTTP(namespace string, h HTTP) (chaos.Question, error) {
	u, client, err := p.request(namespace, h.URL)
	if err != nil {
		return nil, err
	}
	q := &httpQuestion{HTTP: h, prober: p, client: client}
	q.URL = u.String()
	if h.Path != "" {
		q.field, err = newField(h.Path, h.Equals)
	}
	return q, err
}

type httpQuestion struct {
	HTTP
	prober *Prober
	client *http.Client
	field  *field
}

// slow is an answer's time that is as far from what is right as can be: no answer is waited for that long.
const slow = time.Minute

// Ask sends the request.
func (q *httpQuestion) Ask(ctx context.Context) (chaos.Answer, error) {
	begin := time.Now()
	answer, err := q.prober.send(ctx, q.client, q.Method, q.URL)
	if err != nil {
		return chaos.Answer{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	var body []byte
	if q.field != nil {
		if body, err = read(answer); err != nil {
			return chaos.Answer{}, fmt.Errorf("%s: %w", q.URL, err)
		}
	}
	took := time.Since(begin)
	switch {
	case answer.StatusCode < q.Least || answer.StatusCode > q.Most:
		return wrong("answered %d, want %d to %d", answer.StatusCode, q.Least, q.Most), nil
	case q.field != nil:
		var content any
		if err := json.Unmarshal(body, &content); err != nil {
			return wrong("answered %d, want JSON: %v", answer.StatusCode, err), nil
		}
		if a := q.field.compare(content); a.Off > 0 {
			return a, nil
		}
	}
	within := slow
	if q.MaxLatency > 0 {
		within = q.MaxLatency
	}
	a := chaos.Answer{Value: fmt.Sprintf("%d in %s", answer.StatusCode, took.Round(time.Millisecond/10)), Off: (took - within).Seconds()}
	if a.Off > 0 {
		a.Value += fmt.Sprintf(", want it within %s", within)
	}
	return a, nil
}
