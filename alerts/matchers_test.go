package alerts

import (
	"strings"
	"testing"
)

func TestWhichAlertsMatchersMean(t *testing.T) {
	page := map[string]string{"alertname": "Errors", "severity": "page", "team": "shop", "text": "a\"b\nc,d"}
	for _, test := range []struct {
		why, matchers string
		want          bool
	}{
		{"the label is it", `severity="page"`, true},
		{"the label is another", `severity="ticket"`, false},
		{"it is not that", `severity!="ticket"`, true},
		{"it is what it must not be", `severity!="page"`, false},
		{"it matches", `team=~"shop|pay"`, true},
		{"it matches in part", `team=~"sho"`, false},
		{"one branch matches in part", `team=~"s|hop"`, false},
		{"it does not match what it must not", `team!~"pay.*"`, true},
		{"it matches what it must not", `team!~"s.*"`, false},
		{"both hold", `severity="page",team=~"shop|pay"`, true},
		{"the second does not", `severity="page",team="pay"`, false},
		{"a label that is not there is empty", `cluster=""`, true},
		{"and matches what may be empty", `cluster=~"a?"`, true},
		{"and is not something", `cluster!="a"`, true},
		{"spaces do not count", ` severity = "page" , team =~ "shop" `, true},
		{"a quote, a line break and a comma in a value", `text="a\"b\nc,d"`, true},
		{"a dot that is one", `severity=~"p\\.ge"`, false},
		{"a dot that goes over lines", `text=~".*d"`, true},
	} {
		m := read[Matchers](t, test.matchers)
		if got := m.match(page); got != test.want {
			t.Errorf("%s: %s means the alert: %v, want %v", test.why, test.matchers, got, test.want)
		}
		if again := read[Matchers](t, m.String()); again.String() != m.String() {
			t.Errorf("%s: it reads back as %s", m, again)
		}
	}
}

func TestMatchersThatCannotBeRead(t *testing.T) {
	for _, test := range []struct{ why, matchers, want string }{
		{"no quotes", `severity=page`, "want matchers separated by commas"},
		{"no value", `severity=`, "want matchers"},
		{"no operator", `severity "page"`, "want matchers"},
		{"an operator of another language", `severity=="page"`, "want matchers"},
		{"a name that is none", `se-verity="page"`, "want matchers"},
		{"nothing between commas", `severity="page",,team="a"`, "want matchers"},
		{"a comma at the end", `severity="page",`, "want matchers"},
		{"braces", `{severity="page"}`, "want matchers"},
		{"something behind it", `severity="page" and more`, "want matchers"},
		{"an escape that there is not", `severity=~"\d"`, "want a value quoted as in Go"},
		{"an expression that is none", `team=~"("`, "want a regular expression"},
	} {
		var m Matchers
		if err := m.UnmarshalText([]byte(test.matchers)); err == nil || !strings.Contains(err.Error(), test.want) || m != nil {
			t.Errorf("%s: %v, %v; want %q", test.why, m, err, test.want)
		}
	}
}

func TestAnAddressIsOfAListOfAlerts(t *testing.T) {
	for _, test := range []struct {
		why, address string
		want         string // of the error
	}{
		{"none", "", ""},
		{"of Alertmanager", "http://alertmanager:9093/api/v2/alerts", ""},
		{"of Prometheus behind a path", "https://metrics.example/prometheus/api/v1/alerts", ""},
		{"a base", "http://alertmanager:9093", "want the URL of a list of alerts, as in http://"},
		{"another list", "http://prometheus:9090/api/v1/rules", "want the URL of a list of alerts"},
		{"a slash too many", "http://prometheus:9090/api/v1/alerts/", "want the URL of a list of alerts"},
		{"no scheme", "alertmanager:9093/api/v2/alerts", "want a URL without a query"},
		{"another scheme", "file:///api/v2/alerts", "want a URL without a query"},
		{"no host", "http:///api/v2/alerts", "want a URL without a query"},
		{"a query", "http://alertmanager:9093/api/v2/alerts?active=false", "want a URL without a query"},
		{"a user", "http://kim:secret@alertmanager:9093/api/v2/alerts", "want a URL without a user"},
	} {
		var a Address
		err := a.UnmarshalText([]byte(test.address))
		switch {
		case test.want == "" && (err != nil || a.String() != test.address):
			t.Errorf("%s: %v, it reads back as %q", test.why, err, a)
		case test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want) || a.String() != "" || strings.Contains(err.Error(), "secret")):
			t.Errorf("%s: %v, %q; want %q", test.why, err, a, test.want)
		}
	}
}
