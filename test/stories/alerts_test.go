package stories

import (
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"caprice/test/lab"
)

// alerting tells whether an alert fires.
func alerting(t *testing.T, prometheus, alert string) bool {
	t.Helper()
	fires := series(t, prometheus, `ALERTS{alertstate="firing", alertname="`+alert+`"}`)
	return len(fires) > 0
}

// chartRules writes the alerts of the chart as its operator would, with shorter times: of the last minutes instead of hours,
// and for seconds instead of a day.
func chartRules(t *testing.T) string {
	t.Helper()
	out, err := lab.HelmCommand(t.Context(), "", t.TempDir(), "template", "helm/caprice", "--set", "metrics.rules.enabled=true", "-s", "templates/metrics.yaml").Output()
	if err != nil {
		t.Fatal(err)
	}
	var rule struct {
		Kind string
		Spec any
	}
	if err := yaml.Unmarshal(out, &rule); err != nil || rule.Kind != "PrometheusRule" {
		t.Fatalf("the chart has %q, %v", out, err)
	}
	b, err := yaml.Marshal(rule.Spec)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	text := strings.NewReplacer("[1h]", "[20s]", "[10m]", "[10s]", "for: 1d", "for: 5s").Replace(string(b))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAlertsFireAndAreOver(t *testing.T) {
	t.Parallel()
	rules := chartRules(t)
	l := lab.Start(t)
	account := install(t, l)
	l.Kubectl(t, "", "create", "namespace", "shop")
	// Its dead pods linger for longer than it has to recover.
	slow := strings.NewReplacer("NAME", "slow", "PRIORITY", "", "200ms", "20s").Replace(sparable)
	l.Kubectl(t, slow, "apply", "-f", "-")
	l.Kubectl(t, "", "rollout", "status", "-n", "shop", "deploy/slow", "--timeout=60s")

	c := start(t, account, "CAPRICE_DRY_RUN=false", "CAPRICE_RECOVERY_DEADLINE=5s")
	scraped := prometheus(t, c.address(t), rules)
	fires := func(alert string) {
		lab.Eventually(t, alert, func() bool { return alerting(t, scraped, alert) })
		t.Logf("%s fires: %v", alert, series(t, scraped, `ALERTS{alertname="`+alert+`"}`))
	}
	over := func(alert string) {
		lab.Eventually(t, "the end of "+alert, func() bool { return !alerting(t, scraped, alert) })
		t.Logf("%s is over", alert)
	}
	fires("CapriceNotRecovered")
	if c.logged("verdict=NotRecovered") == 0 {
		t.Error("it fires, and nothing has not recovered")
	}
	l.Kubectl(t, "", "label", "deploy/slow", "-n", "shop", "--overwrite", "caprice.chaos/enabled=false")
	over("CapriceNotRecovered")

	if alerting(t, scraped, "CapriceHalted") {
		t.Error("without a halt it fires")
	}
	l.Kubectl(t, strings.ReplaceAll(halt, "shop", "caprice"), "create", "-f", "-")
	fires("CapriceHalted")
	l.Kubectl(t, "", "delete", "halt", "release", "-n", "caprice")
	over("CapriceHalted")
	for _, alert := range []string{"CapriceNoLeader", "CapriceNoPlan", "CapriceMissingPermissions", "CapriceContested", "CapriceSpares"} {
		if alerting(t, scraped, alert) {
			t.Errorf("%s fires, and all is well", alert)
		}
	}
	c.stop(t)
}

func TestTheChartsMonitorFindsItsPods(t *testing.T) {
	out, err := lab.HelmCommand(t.Context(), "", t.TempDir(), "template", "caprice", "helm/caprice", "--set",
		"metrics.serviceMonitor.enabled=true,metrics.serviceMonitor.labels.release=prometheus,metrics.rules.enabled=true,metrics.rules.runbook=https://example.com/runbook.md,metrics.dashboard.enabled=true").Output()
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Kind     string
		Metadata struct{ Labels map[string]string }
		Data     map[string]string
		Spec     struct {
			Selector struct {
				MatchLabels map[string]string `yaml:"matchLabels"`
				Plain       map[string]string `yaml:",inline"`
			}
			Ports []struct {
				TargetPort string `yaml:"targetPort"`
			}
			Endpoints []struct {
				Port        string
				HonorLabels bool `yaml:"honorLabels"`
			}
			Groups []any
		}
	}
	objects := map[string]object{}
	for documents := yaml.NewDecoder(strings.NewReader(string(out))); ; {
		var raw yaml.Node
		if err := documents.Decode(&raw); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		var o object
		if raw.Decode(&o) == nil && (o.Kind != "ConfigMap" || o.Metadata.Labels["grafana_dashboard"] == "1") {
			objects[o.Kind] = o
		}
	}
	monitor, service, pods := objects["ServiceMonitor"], objects["Service"], objects["Deployment"]
	for key, value := range monitor.Spec.Selector.MatchLabels {
		if service.Metadata.Labels[key] != value {
			t.Errorf("the monitor looks for %s=%s, and the Service has %v", key, value, service.Metadata.Labels)
		}
	}
	if !slices.Equal(slices.Sorted(maps.Keys(service.Spec.Selector.Plain)), slices.Sorted(maps.Keys(pods.Spec.Selector.MatchLabels))) || len(service.Spec.Selector.Plain) == 0 {
		t.Errorf("the Service looks for %v, and the Deployment has pods with %v", service.Spec.Selector.Plain, pods.Spec.Selector.MatchLabels)
	}
	if monitor.Metadata.Labels["release"] != "prometheus" || len(monitor.Spec.Endpoints) != 1 || !monitor.Spec.Endpoints[0].HonorLabels || monitor.Spec.Endpoints[0].Port != "http" {
		t.Errorf("the monitor is %+v", monitor)
	}
	if len(objects["PrometheusRule"].Spec.Groups) != 1 || !strings.Contains(string(out), "runbook_url: https://example.com/runbook.md#capricehalted") {
		t.Error("the rules are not there, or do not point to the runbook")
	}
	var shown dashboard
	if err := json.Unmarshal([]byte(objects["ConfigMap"].Data["caprice.json"]), &shown); err != nil || shown.UID != "caprice" {
		t.Errorf("the dashboard is %+v, %v", shown, err)
	}
	plain, err := lab.HelmCommand(t.Context(), "", t.TempDir(), "template", "caprice", "helm/caprice").Output()
	if err != nil || strings.Contains(string(plain), "monitoring.coreos.com") || strings.Contains(string(plain), "grafana") {
		t.Errorf("without being asked the chart wants what not each cluster has (%v)", err)
	}
}
