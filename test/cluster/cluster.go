package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"sigs.k8s.io/kwok/kustomize/stage/node/fast"
	heartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	pod "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
)

// Cluster is one control plane with its nodes. All it writes is under Dir; all it listens on is on 127.0.0.1.
type Cluster struct {
	Dir    string
	Nodes  int
	Orders <-chan string // lines for supervisor.order; none if nil
}

func (c Cluster) path(elem ...string) string {
	return filepath.Join(append([]string{c.Dir}, elem...)...)
}

var (
	//go:embed audit-policy.yaml
	auditPolicy string
	//go:embed stages.yaml
	stages string
)

// Serve starts everything, says "ready" once pods can be scheduled, and stays until ctx ends or a component does, carrying
// out orders; to each it says "done". It then stops what it started and leaves Dir as it is.
func (c Cluster) Serve(ctx context.Context, say func(string)) error {
	if err := os.MkdirAll(c.path("log"), 0o755); err != nil {
		return err
	}
	unlock, err := lock(c.Dir)
	if err != nil {
		return err
	}
	defer unlock()

	// What a cluster that was killed left here is not carried on: its certificates are gone with it.
	for _, old := range []string{"etcd", "audit.log", "pki"} {
		if err := os.RemoveAll(c.path(old)); err != nil {
			return err
		}
	}
	ports, release, err := freePorts(3)
	if err != nil {
		return err
	}
	defer release()
	if err := c.writeFiles(ports[0]); err != nil {
		return err
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := supervisor{logs: c.path("log"), ended: cancel, await: func() {}}
	defer s.stop()
	if err := c.boot(ctx, &s, c.commands(ports)); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("the cluster did not come up: %w%s", err, s.lastWords())
	}
	say("ready")
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case line := <-c.Orders:
			if err := s.order(line); err != nil {
				return err
			}
			say("done")
		}
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return fmt.Errorf("%w%s", cause, s.lastWords())
	}
	return nil
}

// commands are the command lines of the components, in the order in which they start.
func (c Cluster) commands(ports []int) [][]string {
	api, etcd, peer := strconv.Itoa(ports[0]), "https://127.0.0.1:"+strconv.Itoa(ports[1]), "https://127.0.0.1:"+strconv.Itoa(ports[2])
	pki := func(name string) string { return c.path("pki", name) }
	return [][]string{
		{
			"etcd", "--name=etcd", "--data-dir=" + c.path("etcd"), "--unsafe-no-fsync", "--socket-reuse-port",
			"--listen-client-urls=" + etcd, "--advertise-client-urls=" + etcd,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=etcd=" + peer,
			"--cert-file=" + pki("server.crt"), "--key-file=" + pki("server.key"),
			"--client-cert-auth", "--trusted-ca-file=" + pki("ca.crt"),
			"--peer-cert-file=" + pki("server.crt"), "--peer-key-file=" + pki("server.key"),
			"--peer-client-cert-auth", "--peer-trusted-ca-file=" + pki("ca.crt"),
			"--quota-backend-bytes=8589934592",
		},
		{
			"kube-apiserver", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port=" + api, "--permit-port-sharing",
			"--endpoint-reconciler-type=none", "--shutdown-delay-duration=0s",
			"--etcd-servers=" + etcd, "--etcd-cafile=" + pki("ca.crt"), "--etcd-certfile=" + pki("etcd-client.crt"), "--etcd-keyfile=" + pki("etcd-client.key"),
			"--tls-cert-file=" + pki("server.crt"), "--tls-private-key-file=" + pki("server.key"), "--client-ca-file=" + pki("ca.crt"),
			"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + pki("sa.pub"), "--service-account-signing-key-file=" + pki("sa.key"),
			"--service-cluster-ip-range=10.0.0.0/16", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
			"--max-requests-inflight=4000", "--max-mutating-requests-inflight=2000",
			"--audit-policy-file=" + c.path("audit-policy.yaml"), "--audit-log-path=" + c.path("audit.log"), "--audit-log-maxsize=1000000", "--audit-log-mode=blocking",
		},
		{
			"kube-controller-manager", "--kubeconfig=" + c.path("kube-controller-manager.kubeconfig"), "--secure-port=0", "--leader-elect=false",
			"--use-service-account-credentials", "--service-account-private-key-file=" + pki("sa.key"), "--root-ca-file=" + pki("ca.crt"),
			"--controllers=*,-nodeipam", "--kube-api-qps=2000", "--kube-api-burst=4000",
			"--concurrent-deployment-syncs=20", "--concurrent-replicaset-syncs=20", "--concurrent-statefulset-syncs=20",
			"--concurrent-daemonset-syncs=10", "--concurrent-gc-syncs=40", "--concurrent-namespace-syncs=20",
			"--node-monitor-grace-period=1h", // a busy machine's outages are long, and no test is about nodes that are given up
		},
		{"kube-scheduler", "--config=" + c.path("kube-scheduler.yaml"), "--secure-port=0"},
		{
			"kwok", "--config=" + c.path("kwok.yaml"), "--kubeconfig=" + c.path("kwok.kubeconfig"), "--manage-all-nodes",
			"--node-lease-duration-seconds=0", // a kwok with leases gives up pods that it lists before it sees that it holds their node's
			"--cidr=10.64.0.1/10", "--node-ip=127.0.0.1",
		},
	}
}

// writeFiles writes what the components read before they start.
func (c Cluster) writeFiles(port int) error {
	server := "https://127.0.0.1:" + strconv.Itoa(port)
	if err := writePKI(c.path("pki")); err != nil {
		return err
	}
	for name, user := range map[string]string{
		"kubeconfig":                         "admin",
		"kube-controller-manager.kubeconfig": "kube-controller-manager",
		"kube-scheduler.kubeconfig":          "kube-scheduler",
		"kwok.kubeconfig":                    "kwok",
	} {
		if err := writeKubeconfig(c.path(name), server, c.path("pki"), user); err != nil {
			return err
		}
	}
	plain, annotated := "matchExpressions:\n", "matchExpressions:\n    - {key: '.metadata.annotations[\"cluster.test/ready-after\"]', operator: DoesNotExist}\n"
	if !strings.Contains(pod.DefaultPodReady, plain) {
		return errors.New("kwok's stage pod-ready has changed: it has no matchExpressions to add to")
	}
	kwok := []string{
		"apiVersion: config.kwok.x-k8s.io/v1alpha1\nkind: KwokConfiguration\noptions: {podPlayStageParallelism: 32, podsOnNodeSyncParallelism: 4, nodePlayStageParallelism: 4}\n",
		fast.DefaultNodeInit, heartbeat.DefaultNodeHeartbeatWithLease,
		strings.Replace(pod.DefaultPodReady, plain, annotated, 1), pod.DefaultPodComplete, stages,
	}
	for name, text := range map[string]string{
		"audit-policy.yaml": auditPolicy,
		"kwok.yaml":         strings.Join(kwok, "\n---\n"),
		"kube-scheduler.yaml": "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nleaderElection: {leaderElect: false}\n" +
			"clientConnection: {kubeconfig: " + strconv.Quote(c.path("kube-scheduler.kubeconfig")) + ", qps: 2000, burst: 4000}\n",
	} {
		if err := os.WriteFile(c.path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// freePorts reserves n ports on 127.0.0.1 until release is called. They are bound and shared, but nobody listens: a
// component that shares ports too can bind them, and the kernel gives them to nobody else meanwhile.
func freePorts(n int) (ports []int, release func(), err error) {
	var held []int
	release = func() {
		for _, fd := range held {
			_ = unix.Close(fd)
		}
	}
	for range n {
		fd, port, err := bindFree()
		if err != nil {
			release()
			return nil, nil, fmt.Errorf("reserving a port: %w", err)
		}
		held, ports = append(held, fd), append(ports, port)
	}
	return ports, release, nil
}

func bindFree() (fd, port int, err error) {
	syscall.ForkLock.RLock() // no child inherits it between its creation and its mark
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return 0, 0, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return 0, 0, errors.Join(err, unix.Close(fd))
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, 0, errors.Join(err, unix.Close(fd))
	}
	address, err := unix.Getsockname(fd)
	if err != nil {
		return 0, 0, errors.Join(err, unix.Close(fd))
	}
	return fd, address.(*unix.SockaddrInet4).Port, nil
}

// lock holds Dir for this process; a second cluster in the same folder is refused.
func lock(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("a cluster already runs in %s", dir)
	}
	if err = f.Truncate(0); err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("writing who runs in %s: %w", dir, err)
	}
	return func() { _ = f.Close() }, nil
}
