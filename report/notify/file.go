package notify

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"go.yaml.in/yaml/v3"

	"caprice/chaos"
)

// usual are the verdicts of a target that names none: somebody should have a look.
var usual = []chaos.Verdict{chaos.NotRecovered, chaos.Disproved, chaos.Failed}

// entry is a target as the file has it.
type entry struct {
	Name, URL, Template string
	Verdicts            []chaos.Verdict
	Morning             bool
	ByLabel             bool `yaml:"byLabel"`
}

// The keys that there are.
var (
	fileKeys  = []string{"cluster", "targets"}
	entryKeys = []string{"name", "url", "verdicts", "morning", "byLabel", "template"}
)

// Read reads targets from a file. Its error is one line that names the target and says what would be right, and has nothing
// of what the file says, any of which may be a secret in the wrong place.
func Read(path string) (*Notifier, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	n, err := parse(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return n, nil
}

func parse(r io.Reader) (*Notifier, error) {
	var document, more yaml.Node
	decoder := yaml.NewDecoder(r)
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("%swant YAML with targets", line(err))
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("want one YAML document and no more")
	}
	var file struct {
		Cluster string
		Targets []yaml.Node
	}
	if err := strict(document.Content[0], fileKeys, &file); err != nil {
		return nil, err
	}
	if len(file.Targets) == 0 {
		return nil, errors.New("no targets: want one or more")
	}
	n := &Notifier{cluster: file.Cluster}
	for i := range file.Targets {
		t, err := readTarget(&file.Targets[i])
		if err == nil && slices.ContainsFunc(n.targets, func(other *target) bool { return other.name == t.name }) {
			err = errors.New("name: want one that no other target has")
		}
		if err != nil {
			who := fmt.Sprint(i + 1)
			if t.name != "" {
				who = t.name
			}
			return nil, fmt.Errorf("target %s: %w", who, err)
		}
		n.targets = append(n.targets, t)
	}
	return n, nil
}

// namePattern is what a name is: a label's value holds several with dots between.
var namePattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$`)

// readTarget reads a target. Where that fails, what is returned has its name if it has one.
func readTarget(node *yaml.Node) (*target, error) {
	t := &target{name: nameIn(node)}
	var e entry
	if err := strict(node, entryKeys, &e); err != nil {
		return t, err
	}
	if t.name == "" {
		return t, errors.New("name: want up to 32 small letters, digits and -, as in shop-team")
	}
	t.verdicts, t.morning, t.byLabel = e.Verdicts, e.Morning, e.ByLabel
	switch {
	case t.verdicts == nil:
		t.verdicts = usual
	case len(t.verdicts) == 0 && !t.morning:
		return t, errors.New("verdicts: want one or more, or none and morning true: it would be told of nothing")
	}
	for i, v := range t.verdicts {
		if !slices.Contains(chaos.Verdicts, v) {
			return t, fmt.Errorf("verdict %d: want one of %s", i+1, join(chaos.Verdicts))
		}
	}
	var err error
	if t.service, err = read(e.URL); err != nil {
		return t, fmt.Errorf("url: %w; see docs/notifications.md", err)
	}
	if e.Template == "" {
		e.Template = standard
	}
	if t.template, err = readTemplate(e.Template, t.verdicts); err != nil {
		return t, fmt.Errorf("template: %w", err)
	}
	t.ofMorning = morning
	if writesMornings(t.template) {
		t.ofMorning = t.template
	} else if len(t.verdicts) == 0 && e.Template != standard {
		return t, errors.New("template: want one that has .Text, since it is of the morning alone")
	}
	t.open()
	return t, nil
}

// nameIn returns the name of a target, empty if it has none that is one.
func nameIn(node *yaml.Node) string {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if name := node.Content[i+1].Value; node.Content[i].Value == "name" && namePattern.MatchString(name) {
			return name
		}
	}
	return ""
}

// readTemplate reads a template, and tries it by each of the verdicts that it is for.
func readTemplate(text string, verdicts []chaos.Verdict) (*template.Template, error) {
	t, err := template.New("it").Funcs(functions).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%swant a Go template", line(err))
	}
	now := time.Now()
	none := Message{Pods: []string{}, Planned: now}
	some := Message{Killed: 1, Pods: []string{"pod"}, Planned: now, ExecutedAt: &now}
	whole := some
	whole.RecoverySeconds = new(float64)
	for _, v := range verdicts {
		examples := []Message{none} // of what ends before a pod dies
		switch v {
		case chaos.Recovered:
			examples = []Message{whole}
		case chaos.NotRecovered, chaos.Rehearsed:
			examples = []Message{some}
		case chaos.Disproved:
			examples = []Message{some, whole}
		}
		for _, example := range examples {
			example.Verdict = v
			if err := t.Execute(io.Discard, example); err != nil {
				return nil, fmt.Errorf("%swant fields and methods of docs/notifications.md alone, and of %s what it has", line(err), v)
			}
		}
	}
	return t, nil
}

// writesMornings tells whether a template for kills writes the text of a morning too.
func writesMornings(t *template.Template) bool {
	var text strings.Builder
	example := Morning{Date: "2026-03-02"}
	usual, err := example.Text()
	return err == nil && t.Execute(&text, example) == nil && strings.Contains(text.String(), usual)
}

// strict decodes a mapping that has no other keys than those.
func strict(node *yaml.Node, keys []string, into any) error {
	if node.Kind == yaml.MappingNode {
		for i := 0; i < len(node.Content); i += 2 {
			if key := node.Content[i]; !slices.Contains(keys, key.Value) {
				return fmt.Errorf("line %d: unknown key: want %s", key.Line, strings.Join(keys, ", "))
			}
		}
	}
	if err := node.Decode(into); err != nil || node.Kind != yaml.MappingNode {
		return fmt.Errorf("%swant a mapping of %s", line(err), strings.Join(keys, ", "))
	}
	return nil
}

var linePattern = regexp.MustCompile(`(?:line |it:)([0-9]+)`)

// line says in which line an error of YAML or a template is. The rest of it quotes what is wrong.
func line(err error) string {
	if err == nil {
		return ""
	}
	if m := linePattern.FindStringSubmatch(err.Error()); m != nil {
		return "line " + m[1] + ": "
	}
	return ""
}

func join(verdicts []chaos.Verdict) string {
	names := make([]string, len(verdicts))
	for i, v := range verdicts {
		names[i] = string(v)
	}
	return strings.Join(names, ", ")
}
