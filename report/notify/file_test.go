package notify

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"caprice/calendar"
	"caprice/chaos"
)

func TestAFileThatIsWrongGetsOneLineWithoutSecrets(t *testing.T) {
	good := "url: ntfy://me:" + secret + "@127.0.0.1/topic"
	for _, test := range []struct{ why, file, want string }{
		{"nothing", "", "want YAML with targets"},
		{"no targets", "cluster: " + secret, "no targets: want one or more"},
		{"a URL alone", "slack://" + secret + "@webhook", "line 1: want a mapping of cluster, targets"},
		{"no YAML", "targets: [" + secret, "want YAML with targets"},
		{"an alias", "targets: [*" + secret + "]", "want YAML with targets"},
		{"an unknown key", secret + ": 1", "line 1: unknown key: want cluster, targets"},
		{"two documents", "targets: []\n---\n" + secret, "want one YAML document and no more"},
		{"a target that is a URL", "targets:\n- slack://" + secret + "@webhook", "target 1: line 2: want a mapping of name, url"},
		{"no name", "targets:\n- " + good, "target 1: name: want up to 32 small letters"},
		{"a URL in place of a name", "targets:\n- {name: " + secret + "}", "target 1: name: want up to 32 small letters"},
		{"two of one name", "targets:\n- {name: a, \"url\": \"ntfy://127.0.0.1/a\"}\n- {name: a, \"url\": \"ntfy://" + secret + "/a\"}", "target a: name: want one that no other"},
		{"an unknown key of a target", "targets:\n- name: sre\n  " + good + "\n  " + secret + ": 1", "target sre: line 4: unknown key: want name, url, verdicts"},
		{"a key twice", "targets:\n- name: sre\n  " + good + "\n  " + good, "target sre: line 4: want a mapping of name, url"},
		{"a switch that is none", "targets:\n- name: sre\n  " + good + "\n  morning: " + secret, "target sre: line 4: want a mapping of name, url"},
		{"an unknown verdict", "targets:\n- name: sre\n  " + good + "\n  verdicts: [Recovered, " + secret + "]", "target sre: verdict 2: want one of Recovered, NotRecovered, Disproved, Vetoed"},
		{"no verdict and no morning", "targets:\n- name: sre\n  " + good + "\n  verdicts: []", "target sre: verdicts: want one or more, or none and morning true"},
		{"no verdict and a template of kills", "targets:\n- name: sre\n  " + good + "\n  verdicts: []\n  morning: true\n  template: \"{{.Verdict}}\"", "target sre: template: want one that has .Text"},
		{"no URL", "targets:\n- name: sre", "target sre: url: want a URL that begins with discord://, generic://"},
		{"an unknown service", "targets:\n- {name: sre, url: \"" + secret + "://a\"}", "target sre: url: want a URL that begins with discord://, generic://"},
		{"a URL that is none", "targets:\n- {name: sre, url: \"slack://%zz" + secret + "\"}", "target sre: url: want a URL that begins with discord://, generic://"},
		{"the webhook itself", "targets:\n- {name: sre, url: \"https://hooks.slack.com/services/A/B/" + secret + "\"}", "target sre: url: want a URL that begins with discord://, generic://"},
		{"a token that is none", "targets:\n- {name: sre, url: \"slack://hook:" + secret + "@webhook\"}", "target sre: url: want it as in slack://hook:A1B2C3D4E-F5G6H7I8J-k1l2m3n4o5p6q7r8s9t0u1v2@webhook, whose parts are those of the webhook's URL after services/: twice 9 capitals and digits or more, and 24 letters and digits or more; see docs/notifications.md"},
		{"mail to nobody", "targets:\n- {name: sre, url: \"smtp://me:" + secret + "@host/?from=a@b\"}", "target sre: url: want it as in smtp://USER:PASSWORD@HOST:587/?from=A@HOST&to=B@HOST"},
		{"mail to an empty address", "targets:\n- {name: sre, url: \"smtp://me:" + secret + "@host/?from=a@b&to=\"}", "target sre: url: want it as in smtp://USER:PASSWORD@HOST:587/?from=A@HOST&to=B@HOST"},
		{"mail to two of them", "targets:\n- {name: sre, url: \"smtp://me:" + secret + "@host/?from=a@b&to=,\"}", "target sre: url: want it as in smtp://"},
		{"mail to a blank", "targets:\n- {name: sre, url: \"smtp://me:" + secret + "@host/?from=a@b&to=%20\"}", "target sre: url: want it as in smtp://"},
		{"mail to somebody and an empty address", "targets:\n- {name: sre, url: \"smtp://me:" + secret + "@host/?from=a@b&to=c@d,\"}", "target sre: url: want it as in smtp://"},
		{"a webhook without a host", "targets:\n- {name: sre, url: \"generic+https:/" + secret + "\"}", "target sre: url: want it as in generic+https://HOST/PATH"},
		{"a service that is no webhook", "targets:\n- {name: sre, url: \"slack+https://" + secret + "\"}", "target sre: url: want it as in slack://"},
		{"another's template", "targets:\n- {name: sre, url: \"generic+https://host/?template=" + secret + "\"}", "target sre: url: want template=json in it, or no template"},
		{"a template that is none", "targets:\n- name: sre\n  " + good + "\n  template: \"{{" + secret + "\"", "target sre: template: line 1: want a Go template"},
		{"a field that there is not", "targets:\n- name: sre\n  " + good + "\n  template: \"a\\n{{." + secret + "}}\"", "target sre: template: line 2: want fields and methods"},
	} {
		_, err := parse(strings.NewReader(test.file))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", test.why, err, test.want)
			continue
		}
		if strings.Contains(strings.ToLower(err.Error()), strings.ToLower(secret[:8])) {
			t.Errorf("%s: the error has what the file says: %v", test.why, err)
		}
	}
}

func TestATemplateIsTriedByWhatItIsToldOf(t *testing.T) {
	for _, test := range []struct{ why, template, verdicts, want string }{
		{"the pod that died", "{{index .Pods 0}}", "[NotRecovered, Disproved, Recovered]", ""},
		{"the pod that died, where none may have", "{{index .Pods 0}}", "[NotRecovered, Vetoed]", "target sre: template: line 1: want fields and methods of docs/notifications.md alone, and of Vetoed what it has"},
		{"when it died, by default", `{{.ExecutedAt.Format \"15:04\"}}`, "", "line 1: want fields and methods of docs/notifications.md alone, and of Failed what it has"},
		{"when it died, if it did", `{{with .ExecutedAt}}{{.Format \"15:04\"}}{{end}}`, "", ""},
		{"how long it took", `{{.Recovery}} {{.RecoverySeconds}}`, "[Recovered]", ""},
	} {
		_, err := parse(strings.NewReader("targets: [{name: sre, url: \"generic+https://hooks.example/\", verdicts: " + test.verdicts + ", template: \"" + test.template + "\"}]"))
		if got := fmt.Sprint(err); test.want == "" && err != nil || !strings.Contains(got, test.want) {
			t.Errorf("%s: %v, want %q", test.why, err, test.want)
		}
	}
}

func TestATemplateOfTheTextWritesTheMorningToo(t *testing.T) {
	for template, want := range map[string]string{
		`{"text": {{json .Text}}}`: `{"text": "kills planned for 2026-03-02: 3, of 4 workloads that opted in"}`,
		`{{.Workload}} {{.Text}}`:  "kills planned for 2026-03-02: 3, of 4 workloads that opted in",
		"something happened":       "kills planned for 2026-03-02: 3, of 4 workloads that opted in",
	} {
		n, err := parse(strings.NewReader("targets: [{name: sre, url: \"generic+https://hooks.example/\", morning: true, template: '" + template + "'}]"))
		if err != nil {
			t.Fatal(err)
		}
		n.Planned(chaos.DayPlan{Date: calendar.Date{Year: 2026, Month: 3, Day: 2}, Kills: 3, Workloads: 4})
		l, _ := n.targets[0].next()
		var text strings.Builder
		if err := l.template.Execute(&text, l.data); err != nil || text.String() != want {
			t.Errorf("%s: %q, %v, want %q", template, text.String(), err, want)
		}
	}
}

// examples returns the files of docs/notifications.md.
func examples(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(manual(t), -1) {
		files = append(files, block[1])
	}
	if len(files) != 2 {
		t.Fatalf("the page has %d files, want two", len(files))
	}
	return files
}

func TestThePagesFilesAreRight(t *testing.T) {
	services := map[string]bool{}
	for _, file := range examples(t) {
		if _, err := parse(strings.NewReader(file)); err != nil {
			t.Errorf("%v:\n%s", err, file)
		}
		for name := range known {
			if regexp.MustCompile(`url: "?` + name + `[:+]`).MatchString(file) {
				services[name] = true
			}
		}
	}
	if len(services) != len(known) {
		t.Errorf("it has examples of %v alone", services)
	}
}
