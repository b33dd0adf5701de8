package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/chaos"
	"caprice/cmd/caprice/kubemonkey"
	"caprice/kubernetes"
	"caprice/kubernetes/manifests"
)

// migrateOptions are the flags of 'caprice migrate kube-monkey'.
type migrateOptions struct {
	release release
	config  string
	files   []string
	all     bool
	part    part
}

// part is what of the translation is printed.
type part string

const (
	everything  part = "all"
	theValues   part = "values"
	theCommands part = "commands"
	differences part = "differences"
	inOneJSON   part = "json"
)

func migrateCommand() *cobra.Command {
	c := &cobra.Command{Use: "migrate", Short: "Translate the settings of another tool into Caprice's", Example: "  caprice migrate kube-monkey --config config.toml"}
	var m migrateOptions
	monkey := &cobra.Command{
		Use:   "kube-monkey --config FILE",
		Short: "Translate kube-monkey's config.toml and labels, and say what differs",
		Long: `Migrate reads kube-monkey's config.toml and prints values for Caprice's chart; with -f, -n or -A it reads the workloads of files,
of a namespace or of all, and prints the commands that opt those in to Caprice which are to kube-monkey. It changes nothing. And
it says what differs: read that before you kill.`,
		Example: `  caprice migrate kube-monkey --config config.toml -o values > values.yaml
  caprice migrate kube-monkey --config config.toml -A
  caprice migrate kube-monkey --config config.toml -f manifests/ -o commands`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			return m.run(c.Context(), c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	m.release.flags(monkey)
	flags := monkey.Flags()
	flags.StringVar(&m.config, "config", "", "kube-monkey's config.toml, as a `file`")
	flags.StringArrayVarP(&m.files, "filename", "f", nil, "`file` or folder with manifests, or - for standard input; may be repeated")
	flags.BoolVarP(&m.all, "all-namespaces", "A", false, "the workloads of all namespaces")
	prints(monkey, oneOf(&m.part, everything, theValues, theCommands, differences, inOneJSON), "which part; json has all, for programs")
	c.AddCommand(monkey)
	return c
}

// translation is what programs read.
type translation struct {
	Values      []kubemonkey.Value `json:"values"`
	Namespaces  []string           `json:"namespaces"` // of the chart; none: it is not confined
	Commands    []string           `json:"commands"`
	Differences []string           `json:"differences"`
}

func (m migrateOptions) run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) error {
	switch {
	case m.config == "":
		return errors.New("--config is empty: want kube-monkey's config.toml")
	case m.all && (len(m.files) > 0 || m.release.asked() != ""):
		return errors.New("-A is all namespaces of a cluster: want neither -f nor -n beside it")
	}
	text, err := os.ReadFile(m.config)
	if err != nil {
		return err
	}
	config, err := kubemonkey.Read(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", m.config, err)
	}
	objects, err := m.objects(ctx, stdin, stderr)
	if err != nil {
		return err
	}
	t := translation{Commands: []string{}}
	t.Values, t.Namespaces, t.Differences = config.Values()
	for _, w := range objects.Workloads {
		command, notes := config.Command(w)
		if command != "" {
			t.Commands = append(t.Commands, command)
		}
		t.Differences = append(t.Differences, notes...)
	}
	if m.part == inOneJSON {
		return json.NewEncoder(stdout).Encode(t)
	}
	_, err = io.WriteString(stdout, t.text(m.part))
	return err
}

// objects reads the workloads that are meant, if any.
func (m migrateOptions) objects(ctx context.Context, stdin io.Reader, stderr io.Writer) (kubernetes.Objects, error) {
	namespace := m.release.asked()
	switch {
	case len(m.files) > 0:
		if namespace == "" {
			namespace = meta.NamespaceDefault
		}
		objects, broken, err := manifests.Read(m.files, stdin, namespace)
		if err == nil {
			err = remark(stderr, broken)
		}
		return objects, err
	case m.all || namespace != "":
		client, err := m.release.client(ctx)
		if err != nil {
			return kubernetes.Objects{}, err
		}
		return client.Objects(ctx, namespace)
	}
	return kubernetes.Objects{}, nil
}

// text writes one part, or all with a line of comment before each.
func (t translation) text(p part) string {
	var b strings.Builder
	title := func(of part, text string) bool {
		if p == everything {
			fmt.Fprintf(&b, "%s# %s\n", map[bool]string{true: "\n"}[b.Len() > 0], text)
		}
		return p == everything || p == of
	}
	if title(theValues, "Values for Caprice's chart") {
		b.WriteString("config:\n")
		for _, v := range t.Values {
			fmt.Fprintf(&b, "  %s: %q\n", v.Name, v.Value)
		}
		if len(t.Namespaces) > 0 {
			fmt.Fprintf(&b, "namespaces: [\"%s\"]\n", strings.Join(t.Namespaces, `", "`))
		}
	}
	if len(t.Commands) > 0 && title(theCommands, "Labels for the workloads") {
		b.WriteString(strings.Join(t.Commands, "\n") + "\n")
	}
	if title(differences, "What differs") {
		mark := ""
		if p == everything {
			mark = "# - "
		}
		for _, d := range t.Differences {
			b.WriteString(mark + chaos.OneLine(d) + "\n")
		}
	}
	return b.String()
}
