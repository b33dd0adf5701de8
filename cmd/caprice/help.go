package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagsOf returns those of a command that choose the cluster, or the others of its own.
func flagsOf(c *cobra.Command, cluster bool) *pflag.FlagSet {
	chosen := pflag.NewFlagSet(c.Name(), pflag.ContinueOnError)
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, is := f.Annotations[clusterFlag]; is == cluster {
			chosen.AddFlag(f)
		}
	})
	return chosen
}

// helpWithCluster has the help list the flags that choose the cluster by themselves, since they are the same everywhere.
func helpWithCluster(root *cobra.Command) {
	root.SetUsageFunc(func(c *cobra.Command) error { return usage(c, c.OutOrStderr()) })
}

func usage(c *cobra.Command, w io.Writer) error {
	var text strings.Builder
	part := func(title, body string) {
		if body = strings.TrimRight(body, "\n"); body != "" {
			fmt.Fprintf(&text, "\n%s:\n%s\n", title, body)
		}
	}
	var lines []string
	if c.Runnable() {
		lines = append(lines, "  "+c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		lines = append(lines, "  "+c.CommandPath()+" [command]")
	}
	part("Usage", strings.Join(lines, "\n"))
	part("Examples", c.Example)
	part("Commands", commandsOf(c))
	part("Flags", flagsOf(c, false).FlagUsages())
	part("Flags that choose the cluster, as of kubectl", flagsOf(c, true).FlagUsages())
	part("Flags of every command", c.InheritedFlags().FlagUsages())
	_, err := io.WriteString(w, strings.TrimLeft(text.String(), "\n"))
	return err
}

func commandsOf(c *cobra.Command) string {
	var lines strings.Builder
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			fmt.Fprintf(&lines, "  %-12s %s\n", sub.Name(), sub.Short)
		}
	}
	return lines.String()
}

// asPlugin has the help speak of 'kubectl caprice'.
func asPlugin(root *cobra.Command) {
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl caprice"}
	for _, c := range descendants(root) {
		c.Example = strings.ReplaceAll(c.Example, " caprice ", " kubectl caprice ")
		c.Long = strings.ReplaceAll(c.Long, "'caprice ", "'kubectl caprice ")
	}
}

func descendants(c *cobra.Command) (all []*cobra.Command) {
	for _, sub := range c.Commands() {
		all = append(append(all, sub), descendants(sub)...)
	}
	return all
}
