package test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"caprice/test/lab"
)

// read reads a YAML file.
func read(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// alertStories are the tests of promtool.
type alertStories struct {
	Tests []struct {
		Rules []struct {
			Alertname string
			Want      []any `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	}
}

func TestEachAlertFiresIsOverAndSaysWhatToDo(t *testing.T) {
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Labels      struct{ Severity string }
				Annotations struct {
					Summary, Description string
					RunbookURL           string `yaml:"runbook_url"`
				}
			}
		}
	}
	read(t, "../helm/caprice/files/rules.yaml", &rules)
	var stories, weeks alertStories
	read(t, "alerts_test.yaml", &stories)
	read(t, "alerts_week_test.yaml", &weeks)
	stories.Tests = append(stories.Tests, weeks.Tests...)
	runbook, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	const all = 9 // a word that is misspelt would have the loop below find nothing
	found := 0
	for _, rule := range rules.Groups[0].Rules {
		found++
		fires, over := false, false
		for _, story := range stories.Tests {
			fired := false
			for _, at := range story.Rules {
				if at.Alertname == rule.Alert {
					fired = fired || len(at.Want) > 0
					over = over || fired && len(at.Want) == 0
				}
			}
			fires = fires || fired
		}
		if !fires || !over {
			t.Errorf("the tests have %s fire: %t, and be over after that: %t", rule.Alert, fires, over)
		}
		if !strings.Contains(string(runbook), "\n## "+rule.Alert+"\n") || rule.Annotations.RunbookURL != "docs/runbook.md#"+strings.ToLower(rule.Alert) {
			t.Errorf("%s has no section in docs/runbook.md, or %s is not it", rule.Alert, rule.Annotations.RunbookURL)
		}
		if rule.Labels.Severity == "" || rule.Annotations.Summary == "" || !strings.Contains(rule.Annotations.Description, "kubectl ") {
			t.Errorf("%s says %+v, want a severity, a summary and what to do", rule.Alert, rule)
		}
	}
	if found != all {
		t.Errorf("%d alerts, want %d", found, all)
	}
	lab.Promtool(t, "", "check", "rules", "../helm/caprice/files/rules.yaml")
	t.Log(lab.Promtool(t, "", "test", "rules", "alerts_test.yaml", "alerts_week_test.yaml"))
}

func TestEachMetricIsInAPanelOrAnAlert(t *testing.T) {
	var texts []string
	for _, path := range []string{"../docs/metrics.md", "../helm/caprice/files/dashboard.json", "../helm/caprice/files/rules.yaml"} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	metrics := regexp.MustCompile("(?m)^\\| `(caprice_[a-z_]+)`").FindAllStringSubmatch(texts[0], -1)
	for _, m := range metrics {
		if name := m[1]; !strings.Contains(texts[1]+texts[2], name) && name != "caprice_build_info" {
			t.Errorf("%s is in no panel and no alert", name)
		}
	}
	if len(metrics) < 10 {
		t.Errorf("docs/metrics.md has %d metrics, want at least 10", len(metrics))
	}
}
