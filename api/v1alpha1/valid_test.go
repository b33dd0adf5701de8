package v1alpha1

import (
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Check has the rules of the definition once more, since what evaluates those is larger than all of Caprice. So each of their
// messages has to be that of a case here, and each of their patterns one of Check's.
func TestAHypothesisOfAFileIsRefusedAsTheAPIServerRefusesIt(t *testing.T) {
	definition, err := os.ReadFile("../../helm/caprice/files/crds/caprice.chaos_hypotheses.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd any
	if err := yaml.Unmarshal(definition, &crd); err != nil {
		t.Fatal(err)
	}
	rules := map[string]string{}
	messages(crd, rules)
	unseen := maps.Clone(rules)
	for _, test := range []struct{ why, probes, want string }{
		{"all there is", "{name: a, during: false, interval: 1.5s, timeout: 1s, tolerance: 1h, http: {url: 'http://a', method: POST, status: {min: 200, max: 204}, maxLatency: 300ms, jsonPath: '{.a}', equals: ''}}," +
			"{name: b, prometheus: {query: up, min: '-1', max: '1e0', server: 'http://p:9090'}}, {name: c, kubernetes: {apiVersion: apps/v1, kind: Deployment, name: a, jsonPath: '{.a}', equals: a}}", ""},
		{"letters of two bytes", "{name: a, kubernetes: {apiVersion: v1, kind: Pod, name: a, jsonPath: '{.a}', equals: " + strings.Repeat("ä", 200) + "}}", ""},
		{"no probe", "", "spec.probes has 0: want 1 to 20"},
		{"two of a name", "{name: a, http: {url: 'http://a'}}, {name: a, http: {url: 'http://a'}}", "probe a is there twice: want each name once"},
		{"a name with a space", "{name: a b, http: {url: 'http://a'}}", `probe 1, name "a b": want small letters, digits and dashes, as in error-rate`},
		{"a name too long", "{name: " + strings.Repeat("a", 64) + ", http: {url: 'http://a'}}", "probe 1, name of 64 characters: want 1 to 63"},
		{"nothing to ask", "{name: a}", `probe 1, name "a": want exactly one of http, prometheus and kubernetes`},
		{"two things to ask", "{name: a, http: {url: 'http://a'}, prometheus: {query: up, min: '1'}}", "want exactly one of http, prometheus and kubernetes"},
		{"too often", "{name: a, interval: 100ms, http: {url: 'http://a'}}", `interval "100ms": want a duration of 200ms to 1m, as in 1s`},
		{"a duration that is none", "{name: a, interval: soon, http: {url: 'http://a'}}", `interval "soon": want a duration of 200ms to 1m, as in 1s`},
		{"a timeout that would delay a kill", "{name: a, timeout: 2s, http: {url: 'http://a'}}", "want a duration of 1ms to 1500ms, as in 1s"},
		{"a tolerance below zero", "{name: a, tolerance: -1s, http: {url: 'http://a'}}", "want a duration of 0s to 1h, as in 5s"},
		{"a latency that no answer may have", "{name: a, http: {url: 'http://a', maxLatency: 2s}}", "want a duration of 1ms to 1500ms, as in 300ms"},
		{"a URL that is none", "{name: a, http: {url: web}}", "want a URL, as in http://web.shop.svc:8080/healthz"},
		{"a method that changes things", "{name: a, http: {url: 'http://a', method: DELETE}}", "want GET, HEAD, OPTIONS or POST"},
		{"a status that there is not", "{name: a, http: {url: 'http://a', status: {min: 200, max: 600}}}", "want 100 to 599"},
		{"statuses the wrong way round", "{name: a, http: {url: 'http://a', status: {min: 300, max: 200}}}", `status "300 to 200": want min to be max or less`},
		{"a path without a value", "{name: a, http: {url: 'http://a', jsonPath: '{.a}'}}", "want jsonPath and equals, or neither"},
		{"a path in no body", "{name: a, http: {url: 'http://a', method: HEAD, jsonPath: '{.a}', equals: a}}", "an answer to HEAD has no body: want another method with jsonPath"},
		{"no query", "{name: a, prometheus: {max: '1'}}", "query of 0 characters: want 1 to 4096"},
		{"a range without bounds", "{name: a, prometheus: {query: up}}", "want min, max or both"},
		{"a bound that is no number", "{name: a, prometheus: {query: up, min: '5m'}}", `want a number in quotes, as in "0.99"`},
		{"bounds the wrong way round", "{name: a, prometheus: {query: up, min: '2', max: '1e0'}}", `min "2": want min to be max or less`},
		{"a server that is no URL", "{name: a, prometheus: {query: up, min: '2', server: 'p:9090'}}", "want a URL, as in http://prometheus.monitoring.svc:9090"},
		{"a path that leads elsewhere", "{name: a, kubernetes: {apiVersion: ../metrics, kind: Pod, name: a, jsonPath: '{.a}', equals: a}}", "want group/version, as in apps/v1"},
		{"a Secret", "{name: a, kubernetes: {apiVersion: v1, kind: Secret, name: a, jsonPath: '{.data.a}', equals: a}}", "records would tell what is in a Secret: want another kind"},
		{"an object without a name", "{name: a, kubernetes: {apiVersion: v1, kind: Pod, jsonPath: '{.data.a}', equals: a}}", "name of the object of 0 characters: want 1 to 253"},
	} {
		var h Hypothesis
		if err := yaml.UnmarshalStrict([]byte("{spec: {probes: ["+test.probes+"]}}"), &h); err != nil {
			t.Fatalf("%s: %v", test.why, err)
		}
		got := ""
		if err := h.Check(); err != nil {
			got = err.Error()
		}
		if !strings.HasSuffix(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: %q, want %q", test.why, got, test.want)
		}
		for message := range unseen {
			if strings.HasSuffix(got, ": "+message) {
				delete(unseen, message)
			}
		}
	}
	for message := range unseen {
		t.Errorf("the API server says %q, and no case here does", message)
	}
	source, err := os.ReadFile("valid.go")
	if err != nil {
		t.Fatal(err)
	}
	patterns := 0
	for _, rule := range rules {
		for _, pattern := range regexp.MustCompile(`self\.matches\('([^']+)'\)`).FindAllStringSubmatch(rule, -1) {
			if patterns++; !strings.Contains(string(source), pattern[1]) {
				t.Errorf("the API server goes by %s, and Check does not", pattern[1])
			}
		}
	}
	if len(rules) < 10 || patterns < 5 {
		t.Errorf("the definition has %d rules and %d patterns, want more", len(rules), patterns)
	}
}

// messages collects the rules of a definition by their messages.
func messages(of any, into map[string]string) {
	switch x := of.(type) {
	case []any:
		for _, one := range x {
			messages(one, into)
		}
	case map[string]any:
		if text, ok := x["message"].(string); ok {
			if rule, ok := x["rule"].(string); ok {
				into[text] = rule
			}
		}
		for _, one := range x {
			messages(one, into)
		}
	}
}
