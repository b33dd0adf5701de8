package v1alpha1

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Check returns what the API server would refuse of a hypothesis that has been read from a file, in the words of the rules of
// hypothesis.go. That a field is missing which may be empty it cannot tell.
func (h *Hypothesis) Check() error {
	if n := len(h.Spec.Probes); n < 1 || n > 20 {
		return fmt.Errorf("spec.probes has %d: want 1 to 20", n)
	}
	seen := map[string]bool{}
	for i, p := range h.Spec.Probes {
		if seen[p.Name] {
			return fmt.Errorf("probe %s is there twice: want each name once", p.Name)
		}
		seen[p.Name] = true
		for _, r := range p.rules() {
			if !r.kept {
				return fmt.Errorf("probe %d, %s: %s", i+1, r.what, r.want)
			}
		}
	}
	return nil
}

// rule is what a field has to be.
type rule struct {
	kept       bool
	what, want string
}

func is(kept bool, field, value, want string) rule {
	return rule{kept, fmt.Sprintf("%s %q", field, value), want}
}

func long(field, value string, least, most int) rule {
	length := utf8.RuneCountInString(value)
	return rule{length >= least && length <= most, fmt.Sprintf("%s of %d characters", field, length), fmt.Sprintf("want %d to %d", least, most)}
}

var (
	namePattern     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	durationPattern = regexp.MustCompile(`^([0-9]+([.][0-9]+)?(ms|s|m|h))+$`)
	numberPattern   = regexp.MustCompile(`^-?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$`)
	versionPattern  = regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9][a-z0-9]*$`)
)

func (p *Probe) rules() []rule {
	asks := 0
	rules := []rule{
		is(namePattern.MatchString(p.Name), "name", p.Name, "want small letters, digits and dashes, as in error-rate"),
		long("name", p.Name, 1, 63),
		is(p.Interval.within(200*time.Millisecond, time.Minute), "interval", string(p.Interval), "want a duration of 200ms to 1m, as in 1s"),
		is(p.Timeout.within(time.Millisecond, 1500*time.Millisecond), "timeout", string(p.Timeout), "want a duration of 1ms to 1500ms, as in 1s"),
		is(p.Tolerance.within(0, time.Hour), "tolerance", string(p.Tolerance), "want a duration of 0s to 1h, as in 5s"),
	}
	if p.HTTP != nil {
		asks++
		rules = append(rules, p.HTTP.rules()...)
	}
	if p.Prometheus != nil {
		asks++
		rules = append(rules, p.Prometheus.rules()...)
	}
	if p.Kubernetes != nil {
		asks++
		rules = append(rules, p.Kubernetes.rules()...)
	}
	return append([]rule{is(asks == 1, "name", p.Name, "want exactly one of http, prometheus and kubernetes")}, rules...)
}

func (p *HTTPProbe) rules() []rule {
	s := StatusRange{200, 299}
	if p.Status != nil {
		s = *p.Status
	}
	status := fmt.Sprintf("%d to %d", s.Min, s.Max)
	return []rule{
		is(isURL(p.URL), "url", p.URL, "want a URL, as in http://web.shop.svc:8080/healthz"),
		long("url", p.URL, 1, 2048),
		is(slices.Contains([]string{"", "GET", "HEAD", "OPTIONS", "POST"}, p.Method), "method", p.Method, "want GET, HEAD, OPTIONS or POST"),
		is(min(s.Min, s.Max) >= 100 && max(s.Min, s.Max) <= 599, "status", status, "want 100 to 599"),
		is(s.Min <= s.Max, "status", status, "want min to be max or less"),
		is(p.MaxLatency.within(time.Millisecond, 1500*time.Millisecond), "maxLatency", string(p.MaxLatency), "want a duration of 1ms to 1500ms, as in 300ms"),
		is((p.JSONPath != "") == (p.Equals != nil), "jsonPath", p.JSONPath, "want jsonPath and equals, or neither"),
		is(p.JSONPath == "" || p.Method != "HEAD", "jsonPath", p.JSONPath, "an answer to HEAD has no body: want another method with jsonPath"),
		long("jsonPath", p.JSONPath, 0, 1024),
		long("equals", or(p.Equals), 0, 256),
	}
}

func (p *PrometheusProbe) rules() []rule {
	least, most := or(p.Min), or(p.Max)
	low, _ := strconv.ParseFloat(least, 64) // what is none, the rules above this one's refuse
	high, _ := strconv.ParseFloat(most, 64)
	return []rule{
		long("query", p.Query, 1, 4096),
		is(p.Min != nil || p.Max != nil, "query", p.Query, "want min, max or both"),
		is(p.Min == nil || numberPattern.MatchString(least), "min", least, `want a number in quotes, as in "0.99"`),
		is(p.Max == nil || numberPattern.MatchString(most), "max", most, `want a number in quotes, as in "0.99"`),
		is(p.Min == nil || p.Max == nil || low <= high, "min", least, "want min to be max or less"),
		long("min", least, 0, 32),
		long("max", most, 0, 32),
		is(p.Server == "" || isURL(p.Server), "server", p.Server, "want a URL, as in http://prometheus.monitoring.svc:9090"),
		long("server", p.Server, 0, 2048),
	}
}

func (p *KubernetesProbe) rules() []rule {
	return []rule{
		is(versionPattern.MatchString(p.APIVersion), "apiVersion", p.APIVersion, "want group/version, as in apps/v1"),
		long("apiVersion", p.APIVersion, 1, 317),
		is(p.Kind != "Secret", "kind", p.Kind, "records would tell what is in a Secret: want another kind"),
		long("kind", p.Kind, 1, 63),
		long("name of the object", p.Name, 1, 253),
		long("jsonPath", p.JSONPath, 1, 1024),
		long("equals", p.Equals, 0, 256),
	}
}

// within tells whether a duration is from least to most, both in. One that is not there is the default.
func (d Duration) within(least, most time.Duration) bool {
	parsed, err := time.ParseDuration(string(d))
	return d == "" || err == nil && durationPattern.MatchString(string(d)) && parsed >= least && parsed <= most
}

func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func or(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
