package notify

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
	"time"

	"caprice/api/v1alpha1"
	"caprice/chaos"
)

// Message is what a template and a webhook know of a kill that has ended.
type Message struct {
	Cluster         string        `json:"cluster"` // as the file calls it
	Verdict         chaos.Verdict `json:"verdict"`
	Reason          chaos.Reason  `json:"reason"` // of a veto, or Partial
	Detail          string        `json:"detail"` // the record's message
	Kind            string        `json:"kind"`   // of the workload
	Namespace       string        `json:"namespace"`
	Name            string        `json:"name"`
	Planned         time.Time     `json:"planned"`
	ExecutedAt      *time.Time    `json:"executedAt"`      // when the last pod was removed, or in a dry run would have been; null: none was
	Recovery        time.Duration `json:"-"`               // for templates
	RecoverySeconds *float64      `json:"recoverySeconds"` // null: it did not recover
	Killed          int           `json:"killed"`          // pods; in a dry run, that would have been
	Pods            []string      `json:"pods"`            // their names, the first hundred
	Record          string        `json:"record"`          // the name of the Kill; empty: it has none
	DryRun          bool          `json:"dryRun"`
}

// Morning is what a webhook knows of a day that begins.
type Morning struct {
	Cluster   string `json:"cluster"`
	Date      string `json:"date"`
	Kills     int    `json:"kills"`
	Workloads int    `json:"workloads"`
	DryRun    bool   `json:"dryRun"`
}

const (
	mostPods   = 100  // names in a message
	mostInText = 3    // and in a text
	mostDetail = 1000 // runes
)

// message says what came of a kill.
func (n *Notifier) message(o chaos.Outcome) Message {
	m := Message{
		Cluster: n.cluster, Verdict: o.Verdict, Reason: o.Reason, Detail: cut(o.Message),
		Kind: string(o.Workload.Kind), Namespace: o.Workload.Namespace, Name: cut(o.Workload.Name),
		Planned: n.local(o.Planned), Pods: []string{}, Record: v1alpha1.Name(o.Workload.UID, o.Planned), DryRun: o.DryRun,
	}
	for _, d := range o.Pods {
		if d.Err != nil {
			continue
		}
		if m.Killed++; m.Killed <= mostPods {
			m.Pods = append(m.Pods, d.Pod.Name)
		}
	}
	if !o.ExecutedAt.IsZero() {
		at := n.local(o.ExecutedAt)
		m.ExecutedAt = &at
	}
	if whole := o.Recovery.Whole; !whole.IsZero() {
		m.Recovery = whole.Sub(o.FirstDeath()).Round(100 * time.Millisecond)
		seconds := m.Recovery.Seconds()
		m.RecoverySeconds = &seconds
	}
	return m
}

func (n *Notifier) local(t time.Time) time.Time {
	if n.Zone == nil {
		return t.UTC()
	}
	return t.In(n.Zone)
}

// Workload returns namespace/Kind/name.
func (m Message) Workload() string { return m.Namespace + "/" + m.Kind + "/" + m.Name }

// At returns when pods were removed, or should have been, as people say it.
func (m Message) At() string {
	if m.ExecutedAt != nil {
		return m.ExecutedAt.Format("15:04:05 MST")
	}
	return m.Planned.Format("15:04:05 MST")
}

// Victims returns the pods in a few words.
func (m Message) Victims() string {
	switch {
	case m.Killed == 1:
		return "pod " + m.Pods[0]
	case m.Killed > mostInText:
		return fmt.Sprintf("%d pods, %s and others", m.Killed, strings.Join(m.Pods[:mostInText], ", "))
	default:
		return "pods " + strings.Join(m.Pods, ", ")
	}
}

// Command returns where to look, empty if there is no record.
func (m Message) Command() string {
	if m.Record == "" {
		return ""
	}
	return fmt.Sprintf("kubectl get kill -n %s %s -o yaml", m.Namespace, m.Record)
}

// standard is the text of a target without a template of its own; docs/notifications.md has it as an example.
const standard = `{{with .Cluster}}[{{.}}] {{end}}{{if .DryRun}}dry run: {{end}}{{.Workload}}
{{- if eq .Verdict "Recovered"}} recovered in {{.Recovery}} from the loss of {{.Victims}} at {{.At}}
{{- else if eq .Verdict "NotRecovered"}} has NOT recovered from the loss of {{.Victims}} at {{.At}}
{{- else if eq .Verdict "Rehearsed"}} would have lost {{.Victims}} at {{.At}}, and nothing was killed
{{- else if eq .Verdict "Vetoed"}} was spared at {{.At}}
{{- else}}: the kill of {{.At}} ended as {{.Verdict}}
{{- end}}{{with .Reason}} ({{.}}){{end}}{{with .Detail}}: {{.}}{{end}}
{{- with .Command}}
{{.}}{{end}}`

var usualText = template.Must(template.New("usual").Parse(standard))

// Text returns the text of a target without a template of its own.
func (m Message) Text() (string, error) {
	var text strings.Builder
	err := usualText.Execute(&text, m)
	return text.String(), err
}

var morning = template.Must(template.New("morning").Parse(
	`{{with .Cluster}}[{{.}}] {{end}}{{if .DryRun}}dry run: {{end}}kills planned for {{.Date}}: {{.Kills}}, of {{.Workloads}} workloads that opted in`))

// Text returns the text of a target without a template of its own.
func (m Morning) Text() (string, error) {
	var text strings.Builder
	err := morning.Execute(&text, m)
	return text.String(), err
}

// functions are what templates have besides Go's own.
var functions = template.FuncMap{"json": func(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}}

// cut makes a line of what others wrote, and shortens it where it is too long to be told.
func cut(text string) string {
	runes := []rune(chaos.OneLine(text))
	if len(runes) > mostDetail {
		return string(runes[:mostDetail]) + "..."
	}
	return string(runes)
}
