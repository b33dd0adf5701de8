package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Cluster is a running control plane. It ends with Close, or with this process however that ends.
type Cluster struct {
	Kubeconfig string // of its administrator
	dir        string
	binary     string
	serve      *exec.Cmd
	orders     io.WriteCloser
	answers    *bufio.Reader
	problem    bytes.Buffer
}

// Root is the top of the source tree.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Boot starts a cluster that keeps all it writes in dir, with more of an environment than this process has. TEST_CLUSTER may name
// its binary; otherwise it is built if need be.
func Boot(dir string, env ...string) (*Cluster, error) {
	c := &Cluster{dir: dir, Kubeconfig: filepath.Join(dir, "kubeconfig")}
	var err error
	if c.binary, err = binary(); err != nil {
		return nil, err
	}
	c.serve = exec.Command(c.binary, "serve", "--until-eof", "--dir", dir)
	c.serve.Env, c.serve.Stderr = append(os.Environ(), env...), &c.problem
	if c.orders, err = c.serve.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.serve.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.answers = bufio.NewReader(out)
	if err := c.serve.Start(); err != nil {
		return nil, err
	}
	if err := c.await("ready"); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func binary() (string, error) {
	if path := os.Getenv("TEST_CLUSTER"); path != "" {
		return path, nil
	}
	build := exec.Command(filepath.Join(Root(), "test", "cluster", "build"))
	build.Stderr = os.Stderr
	out, err := build.Output()
	if err != nil {
		return "", fmt.Errorf("building the test cluster: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

func (c *Cluster) await(word string) error {
	if line, err := c.answers.ReadString('\n'); err != nil || line != word+"\n" {
		return fmt.Errorf("the cluster did not say that it is %s", word)
	}
	return nil
}

// Order has the cluster stop, start, pause or resume one of its components, as in "stop etcd", and returns when it has.
func (c *Cluster) Order(order string) error {
	if _, err := io.WriteString(c.orders, order+"\n"); err != nil {
		return err
	}
	return c.await("done")
}

// Close ends the cluster and waits until all its processes are gone.
func (c *Cluster) Close() error {
	_ = c.orders.Close()
	_, _ = io.Copy(io.Discard, c.answers)
	if err := c.serve.Wait(); err != nil {
		return fmt.Errorf("the cluster ended: %w: %s", err, c.problem.String())
	}
	return nil
}

// Kubectl runs kubectl as the administrator, with text on its standard input, and returns what it prints.
func (c *Cluster) Kubectl(ctx context.Context, text string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.binary, append([]string{"kubectl"}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig, "KUBECACHEDIR="+c.dir)
	cmd.Stdin = strings.NewReader(text)
	return output(cmd)
}

// InstallKubectl puts a program kubectl of the cluster's version into a folder.
func (c *Cluster) InstallKubectl(folder string) error {
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' kubectl \"$@\"\n", c.binary)
	return os.WriteFile(filepath.Join(folder, "kubectl"), []byte(script), 0o755)
}

// Helm runs helm as the administrator, in the root of the source tree.
func (c *Cluster) Helm(ctx context.Context, args ...string) (string, error) {
	return output(HelmCommand(ctx, c.Kubeconfig, c.dir, args...))
}

// helm returns the path of helm in go's cache, which it is built into if need be. Asking go each time would cost more than
// what helm does.
var helm = sync.OnceValues(func() (string, error) {
	find := exec.Command("go", "tool", "-n", "-modfile=tools/go.mod", "helm")
	find.Dir, find.Env = Root(), append(os.Environ(), "CGO_ENABLED=0")
	var problem bytes.Buffer
	find.Stderr = &problem
	path, err := find.Output()
	if err != nil {
		return "", fmt.Errorf("building helm: %w\n%s", err, problem.String())
	}
	return strings.TrimSpace(string(path)), nil
})

// HelmCommand is helm in the root of the source tree. It keeps its own files in dir.
func HelmCommand(ctx context.Context, kubeconfig, dir string, args ...string) *exec.Cmd {
	path, err := helm()
	cmd := exec.CommandContext(ctx, path, args...)
	if err != nil {
		cmd.Err = err // what it is run by returns this
	}
	cmd.Dir = Root()
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "HELM_CONFIG_HOME="+dir, "HELM_CACHE_HOME="+dir, "HELM_DATA_HOME="+dir, "KUBECACHEDIR="+dir)
	return cmd
}

// AccountKubeconfig writes a kubeconfig to path that signs in by a token of a service account.
func (c *Cluster) AccountKubeconfig(ctx context.Context, path, namespace, account string) error {
	config, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		return err
	}
	token, err := c.Kubectl(ctx, "", "create", "token", account, "-n", namespace)
	if err != nil {
		return err
	}
	config.AuthInfos = map[string]*api.AuthInfo{account: {Token: strings.TrimSpace(token)}}
	for _, c := range config.Contexts {
		c.AuthInfo, c.Namespace = account, namespace
	}
	return clientcmd.WriteToFile(*config, path)
}

func output(cmd *exec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out), nil
}
