// Command caprice kills random pods of workloads that opted in, at random times within working hours.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/golang/glog"
	"github.com/spf13/cobra"

	"caprice/chaos"
)

// version is set by the linker.
var version = "dev"

func main() {
	// glog writes to files otherwise, and aborts where it cannot.
	if err := flag.Set("logtostderr", "true"); err != nil {
		fmt.Fprintln(os.Stderr, "caprice:", err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)               // a second signal ends it at once
	abandon := context.AfterFunc(ctx, func() { // what reads files asks nobody whether it is to end
		time.Sleep(farewell)
		os.Exit(interrupted)
	})
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	c, words := command(name), os.Args[1:]
	if name == completerName {
		words = append([]string{cobra.ShellCompRequestCmd}, words...)
	}
	c.SetArgs(words)
	flush := func() {}
	err := thereIs(c, words)
	found, _, unknown := c.Find(words)
	resident := err == nil && unknown == nil && found.Name() == runName
	if resident {
		abandon()
		flush, err = unhindered()
	}
	if err == nil {
		err = c.ExecuteContext(ctx)
	}
	code := 0
	if err != nil {
		fmt.Fprintln(os.Stderr, "caprice:", chaos.OneLine(strings.ReplaceAll(err.Error(), "\n", "; ")))
		own := coded{}
		switch {
		case errors.As(err, &own):
			code = own.code
		case ctx.Err() != nil && !resident:
			code = interrupted
		default:
			code = 1
		}
	}
	abandon()
	stop()
	glog.Flush()
	flush()
	os.Exit(code)
}

const (
	// farewell is how long a command may take to end when it is told to; that which runs in the cluster as long as it needs.
	farewell = 2 * time.Second
	// interrupted is the exit code of one that is not done by then, as shells have it.
	interrupted = 130
)

// runName is the command that runs in the cluster.
const runName = "run"

// The other names by which kubectl finds the program: as a plugin, and for the words that go on what was typed.
const (
	pluginName    = "kubectl-caprice"
	completerName = "kubectl_complete-caprice"
)

// command returns the command line for a program called by that name.
func command(name string) *cobra.Command {
	root := &cobra.Command{
		Use:   "caprice",
		Short: "Kills random pods of workloads that opted in, at random times within working hours",
		Long: `Caprice kills random pods of workloads that opted in, at random times within working hours.

Commands speak with the cluster of your kubeconfig, and do what they do with your rights. Run uses the cluster that it runs in;
simulate, and check and migrate with files, use none.

Exit code 0 says that it is done, 1 that it is not, or that something is amiss: then the last line of standard error says what,
and what would be right. 130 says that a signal ended it before it was done. Kill has codes of its own for the verdicts.`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(&cobra.Command{
		Use:     runName,
		Short:   "Plan and kill until a signal comes; configured by CAPRICE_ environment variables",
		Example: "  CAPRICE_DRY_RUN=false caprice run",
		Args:    none,
		RunE:    func(c *cobra.Command, _ []string) error { return run(c.Context()) },
	}, &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program, as --version does",
		Example: "  caprice version",
		Args:    none,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s version %s\n", c.Root().DisplayName(), version)
			return err
		},
	}, planCommand(), simulateCommand(), statusCommand(), killCommand(), haltCommand(), resumeCommand(), haltsCommand(), ackCommand(), killsCommand(), explainCommand(), checkCommand(), migrateCommand())
	helpWithCluster(root)
	root.SetFlagErrorFunc(flagError)
	if name == pluginName || name == completerName {
		asPlugin(root)
	}
	return root
}
