package lab

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestPrometheusAnswers(t *testing.T) {
	url := Prometheus(t, "global: {scrape_interval: 1s}")
	answer, err := http.Get(url + "/-/healthy")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("%s/-/healthy says %d %s (%v), want 200", url, answer.StatusCode, said, err)
	}
	if said := Promtool(t, "# HELP up Whether.\n# TYPE up gauge\nup 1\n", "check", "metrics"); strings.TrimSpace(said) != "" {
		t.Errorf("promtool says of a metric that is as it should be: %s", said)
	}
}
