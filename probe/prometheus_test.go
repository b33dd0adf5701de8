package probe

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"caprice/test/lab"
)

func TestAPrometheusAnswers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, "# TYPE ratio gauge\nratio{shop=\"a\"} 0.5\nratio{shop=\"b\"} 0.75\n# TYPE odd gauge\nodd NaN\n")
	}))
	defer server.Close()
	prometheus := lab.Prometheus(t, fmt.Sprintf("global: {scrape_interval: 1s}\nscrape_configs: [{job_name: shop, static_configs: [{targets: [%q]}]}]", strings.TrimPrefix(server.URL, "http://")))
	p := allowing(t, "")
	if err := p.Server.UnmarshalText([]byte(prometheus)); err != nil {
		t.Fatal(err)
	}
	ask := func(m Prometheus) string {
		q, err := p.Prometheus("shop", m)
		if err != nil {
			return "never: " + err.Error()
		}
		if err := q.(*prometheusQuestion).Check(t.Context()); err != nil {
			return "cannot work: " + err.Error()
		}
		switch a, err := q.Ask(t.Context()); {
		case err != nil:
			return "no answer: " + err.Error()
		case a.Off > 0:
			return "wrong: " + a.Value
		default:
			return "right: " + a.Value
		}
	}
	lab.Eventually(t, "a first scrape", func() bool { return ask(Prometheus{Query: "ratio", Min: "0"}) == "right: 0.5" })
	for _, test := range []struct {
		why  string
		ask  Prometheus
		want string
	}{
		{"in range", Prometheus{Query: `ratio{shop="a"}`, Min: "0.5", Max: "0.5"}, "right: 0.5"},
		{"too little", Prometheus{Query: `ratio{shop="a"}`, Min: "0.6"}, "wrong: 0.5, want 0.6 or more"},
		{"too much", Prometheus{Query: `ratio{shop="a"}`, Max: "0.4"}, "wrong: 0.5, want 0.4 or less"},
		{"too little where too much would be wrong too", Prometheus{Query: `ratio{shop="a"}`, Min: "0.6", Max: "0.8"}, "wrong: 0.5, want 0.6 to 0.8"},
		{"the worst of several counts", Prometheus{Query: "ratio", Max: "0.6"}, "wrong: 0.75, want 0.6 or less"},
		{"also if all are right", Prometheus{Query: "ratio", Min: "0", Max: "1"}, "right: 0.75"},
		{"a scalar", Prometheus{Query: "1 + 1", Min: "2"}, "right: 2"},
		{"a query that needs escapes", Prometheus{Query: `sum(ratio{shop=~"a|b"}) > 1 and on() vector(1)`, Min: "1.25", Max: "1.25"}, "right: 1.25"},
		{"no value", Prometheus{Query: "nothing", Min: "0"}, "wrong: the query has no value, want 0 or more"},
		{"no number", Prometheus{Query: "odd", Min: "0"}, "wrong: NaN, want 0 or more"},
		{"infinity where there is no upper bound", Prometheus{Query: "vector(1/0)", Min: "0"}, "right: +Inf"},
		{"a query that is none", Prometheus{Query: "ratio{", Min: "0"}, "cannot work: Prometheus refuses the query: "},
		{"a query over a time", Prometheus{Query: "ratio[1m]", Min: "0"}, "cannot work: Prometheus refuses the query: it yields a matrix"},
		{"a text", Prometheus{Query: `"text"`, Min: "0"}, "cannot work: Prometheus refuses the query: it yields a string"},
		{"a server that is not allowed", Prometheus{Server: prometheus, Query: "1", Min: "0"}, "never: " + prometheus + " is not among"},
		{"no bound", Prometheus{Query: "1"}, "never: bounds"},
		{"bounds the wrong way round", Prometheus{Query: "1", Min: "2", Max: "1"}, "never: bounds"},
		{"a bound that is no number", Prometheus{Query: "1", Min: "Inf"}, `never: bound "Inf"`},
	} {
		t.Run(test.why, func(t *testing.T) {
			if got := ask(test.ask); !strings.HasPrefix(got, test.want) {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}

	p.Server = Server{}
	if got := ask(Prometheus{Query: "1", Min: "0"}); !strings.HasPrefix(got, "never: there is no Prometheus") {
		t.Errorf("without a server: %s", got)
	}
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	p.Server = Server{u}
	if got := ask(Prometheus{Query: "1", Min: "0"}); !strings.HasPrefix(got, "no answer: asking Prometheus: it answered 200, and not as a Prometheus does") {
		t.Errorf("of a server that is none: %s", got)
	}
}

// What is not in an answer may be what is wrong.
func TestAnAnswerThatIsNotWholeIsNone(t *testing.T) {
	const value = `"data": {"resultType": "vector", "result": [{"metric": {}, "value": [1700000000, "0"]}]}`
	for _, test := range []struct{ why, answer, want string }{
		{"it is whole", `{"status": "success", ` + value + `}`, "<nil> right: 0"},
		{"it says something of the query", `{"status": "success", "warnings": ["PromQL warning: encountered a mix of histograms and floats"], "infos": ["PromQL info: metric might not be a counter"], ` + value + `}`, "<nil> right: 0"},
		{"a store was not asked", `{"status": "success", "warnings": ["receive series from 10.0.0.1: connection refused"], ` + value + `}`, "<nil> no answer: asking Prometheus: the answer may be partial: receive series"},
		{"a storage node was not", `{"status": "success", "isPartial": true, ` + value + `}`, "<nil> no answer: asking Prometheus: the answer is partial"},
		{"a native histogram", `{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "histogram": [1700000000, {"count": "9", "sum": "9"}]}]}}`, "Prometheus refuses the query: it yields histograms, want numbers"},
		{"a series without a value", `{"status": "success", "data": {"resultType": "vector", "result": [{}]}}`, "Prometheus refuses the query: it yields histograms, want numbers"},
		{"lines of a stranger", `{"status": "error", "errorType": "execution", "error": "x\r\nshop is well\n` + strings.Repeat("x", 5000) + `"}`, "<nil> no answer: asking Prometheus: execution: x  shop is well x"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, test.answer) }))
		q, err := allowing(t, "127.0.0.1").Prometheus("shop", Prometheus{Server: server.URL, Query: "up", Max: "0.5"})
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(q.(*prometheusQuestion).Check(t.Context()))
		switch a, err := q.Ask(t.Context()); {
		case err != nil:
			got += " no answer: " + err.Error()
		case a.Off > 0:
			got += " wrong: " + a.Value
		default:
			got += " right: " + a.Value
		}
		if !strings.HasPrefix(got, test.want) || len(got) > 400 {
			t.Errorf("%s: %s, want %s", test.why, got, test.want)
		}
		server.Close()
	}
}

func FuzzBounds(f *testing.F) {
	for _, seed := range []struct {
		least, most string
		value       float64
	}{{"0.99", "", 0.5}, {"", "1e-3", 1}, {"-1", "1", 0}, {"-1", "1", -2}, {"-1", "1", 2}, {"0x10", "", 1}, {"1_0", "", 1}, {"inf", "", 1}, {"2", "1", 1}, {"1e999", "", 1}} {
		f.Add(seed.least, seed.most, seed.value)
	}
	f.Fuzz(func(t *testing.T, least, most string, value float64) {
		b, err := readBounds(least, most)
		if err != nil {
			return
		}
		low, errLow := strconv.ParseFloat(least, 64)
		high, errHigh := strconv.ParseFloat(most, 64)
		right := (errLow != nil || value >= low) && (errHigh != nil || value <= high) && value == value
		if a := b.judge(value); (a.Off <= 0) != right {
			t.Errorf("%g in %q to %q: %+v, want it right: %t", value, least, most, a, right)
		}
	})
}
