package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What an argument has to be.
const (
	aWorkload = "KIND/NAME, as in deploy/web"
	aKill     = "the name of a kill, as 'caprice kills' has it"
)

// one returns what looks at the argument of a command that takes one.
func one(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return fmt.Errorf("no argument: want %s", what)
		case 1:
			return nil
		}
		return fmt.Errorf("%d arguments: want %s", len(args), what)
	}
}

// oneOrNone returns what looks at the arguments of a command that takes one at most.
func oneOrNone(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return one(what+", or none")(c, args)
	}
}

// none looks at the arguments of a command that takes none.
func none(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case c.HasSubCommands():
		return unknown(c, args[0])
	}
	return fmt.Errorf("argument %q: want none, '%s --help' has the flags", args[0], c.CommandPath())
}

// unknown is the error of a word that is no command.
func unknown(of *cobra.Command, word string) error {
	of.SuggestionsMinimumDistance = 2 // letters that are wrong
	if meant := of.SuggestionsFor(word); len(meant) > 0 {
		return fmt.Errorf("unknown command %q of %s: did you mean %s?", word, of.CommandPath(), strings.Join(meant, " or "))
	}
	return fmt.Errorf("unknown command %q of %s: want one that '%s --help' has", word, of.CommandPath(), of.CommandPath())
}

// thereIs returns an error if words name a command that there is not: of most of these cobra would print the help, and say that all
// is well.
func thereIs(root *cobra.Command, words []string) error {
	if len(words) > 0 && strings.HasPrefix(words[0], cobra.ShellCompRequestCmd) {
		return nil // a shell asks what may follow
	}
	root.InitDefaultVersionFlag()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd(words...)
	c, rest, _ := root.Find(words) // its error is that of the words that are left
	if c.Name() == "help" {
		c, rest, _ = root.Find(rest)
	}
	if c.Runnable() {
		return nil
	}
	_ = c.ParseFlags(rest) // what is wrong with flags cobra says
	if left := c.Flags().Args(); len(left) > 0 {
		return unknown(c, left[0])
	}
	return nil
}

// flagError says what would be right where the library says how it failed.
func flagError(c *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	var valueless *pflag.ValueRequiredError
	var missing *pflag.NotExistError
	switch {
	case errors.As(err, &valueless):
		return fmt.Errorf("--%s has no value: want one that '%s --help' has", valueless.GetFlag().Name, c.CommandPath())
	case errors.As(err, &missing):
		return fmt.Errorf("%w: want one that '%s --help' has", err, c.CommandPath())
	case !errors.As(err, &invalid):
		return err
	}
	want := ""
	var number *strconv.NumError
	switch f := invalid.GetFlag(); {
	case f.Value.Type() == "duration":
		want = "hours, minutes or seconds, as in 48h or 1h30m"
	case f.Value.Type() == "bool":
		want = "true or false"
	case errors.As(err, &number):
		want = "a whole number"
	default:
		return err
	}
	text, _, _ := strings.Cut(err.Error(), " flag: ")
	return fmt.Errorf("%s flag: want %s", text, want)
}
