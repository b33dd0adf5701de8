// Command caprice kills random pods of workloads that opted in, at random times within working hours.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/golang/glog"
	"github.com/spf13/cobra"
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
	err := command().ExecuteContext(ctx)
	stop()
	glog.Flush()
	if err != nil {
		fmt.Fprintln(os.Stderr, "caprice:", strings.ReplaceAll(err.Error(), "\n", "; "))
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "caprice",
		Short:         "Kills random pods of workloads that opted in, at random times within working hours",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().AddGoFlag(flag.CommandLine.Lookup("v"))
	root.AddCommand(&cobra.Command{
		Use:   "run",
		Short: "Plan and kill until a signal comes; configured by CAPRICE_ environment variables",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return run(c.Context()) },
	}, planCommand(), simulateCommand(), statusCommand())
	return root
}
