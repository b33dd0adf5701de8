package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"caprice/kubernetes"
	"caprice/victims"
)

// completion offers the words with which an argument or the value of a flag can go on.
type completion = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// complete has a flag completed. That fails only for a flag that there is not.
func complete(c *cobra.Command, flag string, by completion) {
	if err := c.RegisterFlagCompletionFunc(flag, by); err != nil {
		panic(err)
	}
}

// forWhom says what a flag for how to answer is about.
const forWhom = "for people or for programs"

// prints gives a command the flag that says how it answers, whose values are those of its type.
func prints(c *cobra.Command, how pflag.Value, usage string) {
	c.Flags().VarP(how, "output", "o", usage)
	complete(c, "output", words(strings.Split(how.Type(), "|")...))
}

// words completes to fixed words.
func words(list ...string) completion {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return list, cobra.ShellCompDirectiveNoFileComp
	}
}

// live completes to names that a cluster has, and to nothing if it does not say them soon.
func (r *release) live(c *cobra.Command, names func(ctx context.Context, client *kubernetes.Client, namespace string) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(c.Context(), 3*time.Second)
	defer cancel()
	client, err := r.client(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	namespace, err := r.here()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	list, err := names(ctx, client, namespace)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}

func (r *release) completeNamespaces(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return r.live(c, func(ctx context.Context, client *kubernetes.Client, _ string) ([]string, error) {
		return client.NamesOfNamespaces(ctx)
	})
}

// completeWorkload offers kinds, and the names of a kind once that is there, to a command of one workload.
func (r *release) completeWorkload(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	word, _, named := strings.Cut(begun, "/")
	kind, err := kubernetes.KindOf(word)
	if !named || err != nil {
		var kinds []string
		for _, kind := range victims.Kinds {
			kinds = append(kinds, strings.ToLower(string(kind))+"/")
		}
		return kinds, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	return r.live(c, func(ctx context.Context, client *kubernetes.Client, namespace string) ([]string, error) {
		names, err := client.NamesOfKind(ctx, kind, namespace)
		return prefixed(word+"/", names), err
	})
}

// completeKill offers kills to a command of one.
func (r *release) completeKill(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return r.live(c, func(ctx context.Context, client *kubernetes.Client, namespace string) ([]string, error) {
		return client.NamesOfKills(ctx, namespace)
	})
}

func prefixed(prefix string, names []string) []string {
	names = slices.Clone(names)
	for i := range names {
		names[i] = prefix + names[i]
	}
	return names
}
