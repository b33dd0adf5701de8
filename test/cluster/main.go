// Command cluster runs a real Kubernetes control plane on 127.0.0.1 for tests and demonstrations: etcd, the API server,
// the controller manager and the scheduler as they are shipped, and kwok in place of kubelets.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

const usage = `usage: cluster COMMAND [--dir DIR]

  up         start a cluster in DIR and return when it is ready
  down       end it and remove DIR
  kubeconfig print the path of its administrator's kubeconfig
  serve      start a cluster and stay in the foreground until a signal comes;
             with --until-eof, or until standard input ends: its lines then are
             orders such as "stop etcd", "start etcd", "pause kube-apiserver",
             "resume kube-apiserver"
  kubectl    kubectl, of the cluster's version

Flags of up and serve:
  --dir DIR  where everything it writes goes (default build/cluster)
  --nodes N  how many nodes to have, over three zones (default 3)
`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	name, args := os.Args[1], os.Args[2:]
	if run, ok := components[name]; ok {
		os.Args = append([]string{name}, args...)
		followParent()
		run()
		return
	}
	if err := command(name, args); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func command(name string, args []string) error {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	dir := flags.String("dir", "build/cluster", "")
	var c Cluster
	var untilEOF bool
	if name == "up" || name == "serve" {
		flags.IntVar(&c.Nodes, "nodes", 3, "")
	}
	if name == "serve" {
		flags.BoolVar(&untilEOF, "until-eof", false, "")
	}
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, usage)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s: unexpected argument %q\n%s", name, flags.Arg(0), usage)
	}
	var err error
	if c.Dir, err = filepath.Abs(*dir); err != nil {
		return err
	}

	switch name {
	case "up":
		return up(c)
	case "down":
		return down(c.Dir)
	case "kubeconfig":
		path := filepath.Join(c.Dir, "kubeconfig")
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("no cluster in %s: start one with 'up'", c.Dir)
		}
		fmt.Println(path)
		return nil
	case "serve":
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		if untilEOF {
			orders := make(chan string)
			c.Orders = orders
			go func() {
				for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
					orders <- lines.Text()
				}
				stop()
			}()
		}
		return c.Serve(ctx, func(word string) { fmt.Println(word) })
	default:
		return fmt.Errorf("unknown command %q\n%s", name, usage)
	}
}
