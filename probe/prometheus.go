package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"caprice/chaos"
)

// Prometheus is a query and the range in which its values should be.
type Prometheus struct {
	Server   string // empty: the operator's
	Query    string
	Min, Max string // decimal numbers; empty: no bound
}

// Prometheus makes a question of a query for a hypothesis in a namespace.
func (p *Prober) Prometheus(namespace string, m Prometheus) (chaos.Question, error) {
	bounds, err := readBounds(m.Min, m.Max)
	if err != nil {
		return nil, err
	}
	q := &prometheusQuestion{prober: p, bounds: bounds}
	var server *url.URL
	switch {
	case m.Server != "":
		server, q.client, err = p.request(namespace, m.Server)
	case p.Server.URL == nil:
		err = errors.New("there is no Prometheus: want server in the probe, or PROMETHEUS_URL")
	default:
		server, q.client = p.Server.URL, client(p.Server.address())
	}
	if err != nil {
		return nil, err
	}
	server = server.JoinPath("api/v1/query")
	server.RawQuery = url.Values{"query": {m.Query}}.Encode()
	q.url = server.String()
	return q, nil
}

type prometheusQuestion struct {
	prober *Prober
	client *http.Client
	url    string
	bounds bounds
}

// errBadQuery is the error of a query that Prometheus does not understand.
var errBadQuery = errors.New("Prometheus refuses the query")

// Ask has the query evaluated now.
func (q *prometheusQuestion) Ask(ctx context.Context) (chaos.Answer, error) {
	values, err := q.query(ctx)
	if err != nil {
		return chaos.Answer{}, err
	}
	if len(values) == 0 {
		return wrong("the query has no value, want %s", q.bounds), nil
	}
	worst := q.bounds.judge(values[0])
	for _, v := range values[1:] {
		if a := q.bounds.judge(v); a.Off > worst.Off {
			worst = a
		}
	}
	return worst, nil
}

// Check returns an error if Prometheus does not understand the query.
func (q *prometheusQuestion) Check(ctx context.Context) error {
	if _, err := q.query(ctx); errors.Is(err, errBadQuery) {
		return err
	}
	return nil
}

// query returns the values of the query.
func (q *prometheusQuestion) query(ctx context.Context) ([]float64, error) {
	answer, err := q.prober.send(ctx, q.client, http.MethodGet, q.url)
	if err != nil {
		return nil, fmt.Errorf("asking Prometheus: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := read(answer)
	if err != nil {
		return nil, fmt.Errorf("asking Prometheus: %w", err)
	}
	var said struct {
		Status, ErrorType, Error string
		Warnings                 []string
		IsPartial                bool // as VictoriaMetrics says it
		Data                     struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	switch err := json.Unmarshal(body, &said); {
	case err != nil || said.Status == "":
		return nil, fmt.Errorf("asking Prometheus: it answered %d, and not as a Prometheus does", answer.StatusCode)
	case said.ErrorType == "bad_data":
		return nil, fmt.Errorf("%w: %s", errBadQuery, line(said.Error))
	case said.Status != "success":
		return nil, fmt.Errorf("asking Prometheus: %s: %s", line(said.ErrorType), line(said.Error))
	case said.IsPartial:
		return nil, errors.New("asking Prometheus: the answer is partial")
	}
	for _, warning := range said.Warnings {
		if !strings.HasPrefix(warning, "PromQL ") { // those are about the query, and others about what is not in the answer
			return nil, fmt.Errorf("asking Prometheus: the answer may be partial: %s", line(warning))
		}
	}
	return readValues(said.Data.ResultType, said.Data.Result)
}

// sample is a value as Prometheus has it in JSON: the time, and a number in text.
type sample float64

// UnmarshalJSON reads a sample.
func (s *sample) UnmarshalJSON(b []byte) error {
	var at float64
	var text string
	if err := json.Unmarshal(b, &[]any{&at, &text}); err != nil {
		return err
	}
	value, err := strconv.ParseFloat(text, 64)
	*s = sample(value)
	return err
}

func readValues(kind string, result json.RawMessage) ([]float64, error) {
	switch kind {
	case "scalar":
		var s sample
		err := json.Unmarshal(result, &s)
		return []float64{float64(s)}, err
	case "vector":
		var series []struct{ Value *sample }
		if err := json.Unmarshal(result, &series); err != nil {
			return nil, err
		}
		values := make([]float64, len(series))
		for i, s := range series {
			if s.Value == nil {
				return nil, fmt.Errorf("%w: it yields histograms, want numbers, as by histogram_quantile", errBadQuery)
			}
			values[i] = float64(*s.Value)
		}
		return values, nil
	}
	return nil, fmt.Errorf("%w: it yields a %s, want a number or numbers of now", errBadQuery, kind)
}

// bounds are the range in which values should be, both ends in.
type bounds struct{ min, max float64 }

func readBounds(least, most string) (bounds, error) {
	b := bounds{math.Inf(-1), math.Inf(1)}
	for _, end := range []struct {
		text string
		into *float64
	}{{least, &b.min}, {most, &b.max}} {
		if end.text == "" {
			continue
		}
		value, err := strconv.ParseFloat(end.text, 64)
		if err != nil || strings.Trim(end.text, "-+.0123456789eE") != "" {
			return b, fmt.Errorf("bound %q: want a number, as in 0.99", end.text)
		}
		*end.into = value
	}
	if b.min > b.max || least == "" && most == "" {
		return b, fmt.Errorf("bounds %q and %q: want min, max or both, and min to be max or less", least, most)
	}
	return b, nil
}

// String returns the range as people say it.
func (b bounds) String() string {
	switch {
	case math.IsInf(b.min, -1):
		return number(b.max) + " or less"
	case math.IsInf(b.max, 1):
		return number(b.min) + " or more"
	}
	return number(b.min) + " to " + number(b.max)
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// judge says how far a value is from the range. What is no number is as far as can be.
func (b bounds) judge(value float64) chaos.Answer {
	off := math.Inf(-1)
	if !math.IsInf(b.min, 0) {
		off = b.min - value
	}
	if !math.IsInf(b.max, 0) {
		off = max(off, value-b.max)
	}
	switch {
	case math.IsNaN(value):
		return wrong("%s, want %s", number(value), b)
	case off > 0:
		return chaos.Answer{Value: fmt.Sprintf("%s, want %s", number(value), b), Off: off}
	}
	return chaos.Answer{Value: number(value), Off: off}
}
