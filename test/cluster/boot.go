package main

import (
	"context"
	"fmt"
	"time"

	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// boot starts etcd and the API server, then what needs them, gives kwok its rights and nodes, and waits until pods can be
// scheduled.
func (c Cluster) boot(ctx context.Context, s *supervisor, commands [][]string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for _, command := range commands[:2] {
		if err := s.start(command); err != nil {
			return err
		}
	}
	client, err := c.client("kubeconfig")
	if err != nil {
		return err
	}
	kwok, err := c.client("kwok.kubeconfig")
	if err != nil {
		return err
	}
	s.ready = func(ctx context.Context) bool {
		_, err := kwok.CoreV1().Pods("").List(ctx, meta.ListOptions{Limit: 1}) // not from the API server's memory
		return err == nil
	}
	err = until(ctx, "the API server", func() bool {
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil
	})
	if err != nil {
		return err
	}
	if err := grantKwok(ctx, client); err != nil {
		return err
	}
	for _, command := range commands[2:] {
		if err := s.start(command); err != nil {
			return err
		}
	}
	for i := range c.Nodes {
		if _, err := client.CoreV1().Nodes().Create(ctx, node(i), meta.CreateOptions{}); err != nil {
			return err
		}
	}
	return until(ctx, "nodes that take pods", func() bool { return schedulable(ctx, client, c.Nodes) })
}

// client is one that signs in by a kubeconfig of the cluster.
func (c Cluster) client(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.path(kubeconfig))
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return kubernetes.NewForConfig(config)
}

// grantKwok gives kwok the rights of a kubelet on every node, and no more than it uses.
func grantKwok(ctx context.Context, client kubernetes.Interface) error {
	name := meta.ObjectMeta{Name: "kwok"}
	role := &rbac.ClusterRole{ObjectMeta: name, Rules: []rbac.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"nodes", "pods"}, Verbs: []string{"get", "list", "watch", "patch", "update", "delete"}},
		{APIGroups: []string{""}, Resources: []string{"nodes/status", "pods/status"}, Verbs: []string{"patch", "update"}},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch", "update"}},
	}}
	if _, err := client.RbacV1().ClusterRoles().Create(ctx, role, meta.CreateOptions{}); err != nil {
		return err
	}
	_, err := client.RbacV1().ClusterRoleBindings().Create(ctx, &rbac.ClusterRoleBinding{
		ObjectMeta: name,
		RoleRef:    rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "ClusterRole", Name: name.Name},
		Subjects:   []rbac.Subject{{APIGroup: rbac.GroupName, Kind: rbac.UserKind, Name: "kwok"}},
	}, meta.CreateOptions{})
	return err
}

func node(i int) *core.Node {
	name := fmt.Sprintf("node-%d", i)
	return &core.Node{ObjectMeta: meta.ObjectMeta{Name: name, Labels: map[string]string{
		core.LabelHostname:       name,
		core.LabelOSStable:       "linux",
		core.LabelArchStable:     "amd64",
		core.LabelTopologyZone:   fmt.Sprintf("zone-%c", 'a'+i%3),
		core.LabelTopologyRegion: "region",
	}}}
}

// schedulable tells whether all nodes are Ready and untainted and the default namespace has its service account, without
// which it takes no pods.
func schedulable(ctx context.Context, client kubernetes.Interface, want int) bool {
	nodes, err := client.CoreV1().Nodes().List(ctx, meta.ListOptions{})
	if err != nil || len(nodes.Items) != want {
		return false
	}
	for _, n := range nodes.Items {
		ready := false
		for _, condition := range n.Status.Conditions {
			ready = ready || condition.Type == core.NodeReady && condition.Status == core.ConditionTrue
		}
		if !ready || len(n.Spec.Taints) > 0 {
			return false
		}
	}
	_, err = client.CoreV1().ServiceAccounts(meta.NamespaceDefault).Get(ctx, "default", meta.GetOptions{})
	return err == nil
}

func until(ctx context.Context, what string, done func() bool) error {
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(context.Context) (bool, error) { return done(), nil })
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", what, err)
	}
	return nil
}
