package stories

import (
	"context"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	ours "caprice/kubernetes"
	"caprice/test/lab"
)

// guarded has, for each rule of the guard, pods that it keeps and a twin that it does not.
const guarded = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {caprice.chaos/enabled: "true"}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: out, labels: {caprice.chaos/enabled: "false"}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: vault-eu}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: db1}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: db12}}
---
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: important}, value: 1000000000}
---
{apiVersion: v1, kind: Pod, metadata: {name: bare, namespace: shop, labels: {app: bare}}, spec: {containers: [{name: web, image: web}]}}
`

// owned is a pod whose owner, a namespace, does not control it.
const owned = `{apiVersion: v1, kind: Pod, metadata: {name: owned, namespace: shop, labels: {app: owned}, ownerReferences: [{apiVersion: v1, kind: Namespace, name: shop, uid: UID}]}, spec: {containers: [{name: web, image: web}]}}`

// replicaSet is one of one pod, with more of the pod's metadata and spec.
func replicaSet(namespace, name, labels, annotations, spec string) string {
	return `
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: ` + name + `, namespace: ` + namespace + `}
spec:
  replicas: 1
  selector: {matchLabels: {app: ` + name + `}}
  template:
    metadata: {labels: {app: ` + name + labels + `}, annotations: {` + annotations + `}}
    spec: {containers: [{name: web, image: web}]` + spec + `}
`
}

func TestTheServerRefusesWhatMustNotDie(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := clientOf(t, install(t, l, "--set", "rbac.evict=true", "--set", `config.EXCLUDED_NAMESPACES=kube-*\, vault-*\,db?`))
	nodes, err := l.Client.CoreV1().Nodes().List(t.Context(), meta.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	node := ", nodeName: " + nodes.Items[0].Name
	l.Kubectl(t, guarded+
		replicaSet("shop", "web", "", "", "")+replicaSet("shop", "asked", `, caprice.chaos/enabled: "true"`, "", "")+
		replicaSet("kube-system", "dns", "", "", "")+replicaSet("caprice", "near", "", "", "")+replicaSet("out", "web", "", "", "")+
		replicaSet("vault-eu", "web", "", "", "")+replicaSet("db1", "web", "", "", "")+replicaSet("db12", "web", "", "", "")+
		replicaSet("shop", "critical", "", "", ", priorityClassName: system-cluster-critical")+replicaSet("shop", "important", "", "", ", priorityClassName: important")+
		replicaSet("shop", "mirror", "", "kubernetes.io/config.mirror: hash", node)+replicaSet("shop", "node", "", "", node)+
		replicaSet("shop", "caprice", ", app.kubernetes.io/name: caprice", "", "")+replicaSet("shop", "other", ", app.kubernetes.io/name: web", "", ""),
		"apply", "-f", "-")
	shop := l.Kubectl(t, "", "get", "namespace", "shop", "-o", "jsonpath={.metadata.uid}")
	l.Kubectl(t, strings.ReplaceAll(owned, "UID", shop), "apply", "-f", "-")
	pods := podsByApp(t, l, 16)

	lab.Eventually(t, "the guard", func() bool { return rehearse(t.Context(), account, "kube-system", pods["kube-system/dns"]) != nil })
	for _, test := range []struct {
		why, pod string
		evicted  string // what the answer to an eviction has
		deleted  string
	}{
		{"a pod of a namespace that takes part", "shop/web", "", ""},
		{"a namespace of the cluster's own", "kube-system/dns", "namespace kube-system is excluded", "namespace kube-system is excluded"},
		{"Caprice's own namespace", "caprice/near", "namespace caprice is excluded", "namespace caprice is excluded"},
		{"a namespace excluded by a star", "vault-eu/web", "namespace vault-eu is excluded", "namespace vault-eu is excluded"},
		{"and by a question mark", "db1/web", "namespace db1 is excluded", "namespace db1 is excluded"},
		{"which is one character, not two", "db12/web", "", ""},
		{"a namespace that is opted out", "out/web", "namespace out is opted out", "namespace out is opted out"},
		{"a pod without a controller", "shop/bare", "", "no controller"},
		{"a pod whose owner is no controller", "shop/owned", "", "no controller"},
		{"a pod of critical priority", "shop/critical", "", "critical to the cluster"},
		{"one of the highest that people may give", "shop/important", "", ""},
		{"a static pod", "shop/mirror", "", "static pod"},
		{"a pod on the same node", "shop/node", "", ""},
		{"a pod of Caprice", "shop/caprice", "", "is Caprice itself"},
		{"a pod of another name", "shop/other", "", ""},
	} {
		t.Run(test.why, func(t *testing.T) {
			namespace, _, _ := strings.Cut(test.pod, "/")
			answered(t, "deletion", rehearse(t.Context(), account, namespace, pods[test.pod]), test.deleted)
			answered(t, "eviction", evict(t.Context(), account, namespace, pods[test.pod]), test.evicted)
			answered(t, "deletion by somebody else", rehearse(t.Context(), l.Client, namespace, pods[test.pod]), "")
		})
	}

	// The chart grants no right to evict beside it, so that it comes from elsewhere.
	l.Kubectl(t, "", "create", "clusterrole", "evict", "--verb=create", "--resource=pods/eviction")
	l.Kubectl(t, "", "create", "clusterrolebinding", "evict", "--clusterrole=evict", "--serviceaccount=caprice:caprice")
	l.Helm(t, "upgrade", "caprice", "helm/caprice", "-n", "caprice", "--reuse-values", "--set", "guard.requirePodLabel=true,rbac.evict=auto")
	lab.Eventually(t, "the guard of labels", func() bool { return rehearse(t.Context(), account, "shop", pods["shop/web"]) != nil })
	answered(t, "deletion without label", rehearse(t.Context(), account, "shop", pods["shop/web"]), "not opted in by itself")
	answered(t, "deletion with label", rehearse(t.Context(), account, "shop", pods["shop/asked"]), "")
	answered(t, "eviction with label", evict(t.Context(), account, "shop", pods["shop/asked"]), "does not show the pod's labels")
	answered(t, "eviction by somebody else", evict(t.Context(), l.Client, "shop", pods["shop/asked"]), "")

	l.Helm(t, "upgrade", "caprice", "helm/caprice", "-n", "caprice", "--reuse-values", "--set", "guard.enabled=false")
	lab.Eventually(t, "no guard, once it is switched off", func() bool { return rehearse(t.Context(), account, "out", pods["out/web"]) == nil })
}

// Helm finds its releases by their labels, and the API server fills in the tokens of accounts.
func TestTheAccountCreatesItsSeedAndNoOtherSecret(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	caprice := clientOf(t, account)
	release := map[string]string{"owner": "helm", "name": "caprice", "status": "deployed", "version": "2"}
	token := map[string]string{core.ServiceAccountNameKey: "default"}
	rehearse := func(client kubernetes.Interface, s core.Secret) error {
		_, err := client.CoreV1().Secrets("caprice").Create(t.Context(), &s, meta.CreateOptions{DryRun: []string{meta.DryRunAll}})
		return err
	}
	lab.Eventually(t, "the guard", func() bool { return rehearse(caprice, core.Secret{ObjectMeta: meta.ObjectMeta{Name: "other"}}) != nil })
	for _, test := range []struct {
		why     string
		secret  core.Secret
		refused bool
	}{
		{"the seed", core.Secret{ObjectMeta: meta.ObjectMeta{Name: "caprice-seed", Labels: map[string]string{"app.kubernetes.io/name": "caprice"}}}, false},
		{"the seed without labels", core.Secret{ObjectMeta: meta.ObjectMeta{Name: "caprice-seed"}, Type: core.SecretTypeOpaque}, false},
		{"a Secret of another name", core.Secret{ObjectMeta: meta.ObjectMeta{Name: "caprice-seeds"}}, true},
		{"one whose name the server completes", core.Secret{ObjectMeta: meta.ObjectMeta{GenerateName: "caprice-seed"}}, true},
		{"a release of Helm's", core.Secret{ObjectMeta: meta.ObjectMeta{Name: "sh.helm.release.v1.caprice.v2", Labels: release}, Type: "helm.sh/release.v1"}, true},
		{"one by the name of the seed", core.Secret{ObjectMeta: meta.ObjectMeta{Name: "caprice-seed", Labels: release}}, true},
		{"a token of an account", core.Secret{ObjectMeta: meta.ObjectMeta{Name: "token", Annotations: token}, Type: core.SecretTypeServiceAccountToken}, true},
		{"one by the name of the seed, which the account may read", core.Secret{ObjectMeta: meta.ObjectMeta{Name: "caprice-seed", Annotations: token}, Type: core.SecretTypeServiceAccountToken}, true},
	} {
		want := ""
		if test.refused {
			want = "want the name caprice-seed, type Opaque and no label owner"
		}
		answered(t, test.why, rehearse(caprice, test.secret), want)
		answered(t, test.why+", by somebody else", rehearse(l.Client, test.secret), "")
	}

	config, err := clientcmd.BuildConfigFromFlags("", account)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ours.ConnectTo(t.Context(), config, "test")
	if err != nil {
		t.Fatal(err)
	}
	client.Namespace = "caprice"
	if _, err := client.Seed(t.Context()); err != nil {
		t.Errorf("Caprice's own creation of its seed: %v", err)
	}
}

// podsByApp returns the names of the pods by namespace and label app, when there are as many as are wanted.
func podsByApp(t *testing.T, l *lab.Lab, want int) map[string]string {
	t.Helper()
	names := map[string]string{}
	lab.Eventually(t, "the pods", func() bool {
		list, err := l.Client.CoreV1().Pods(meta.NamespaceAll).List(t.Context(), meta.ListOptions{LabelSelector: "app"})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list.Items {
			names[p.Namespace+"/"+p.Labels["app"]] = p.Name
		}
		return len(names) == want
	})
	return names
}

func clientOf(t *testing.T, kubeconfig string) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// rehearse asks for the deletion of a pod as a dry run, which admission judges as it does a real one.
func rehearse(ctx context.Context, client kubernetes.Interface, namespace, pod string) error {
	return client.CoreV1().Pods(namespace).Delete(ctx, pod, meta.DeleteOptions{DryRun: []string{meta.DryRunAll}})
}

func evict(ctx context.Context, client kubernetes.Interface, namespace, pod string) error {
	return client.PolicyV1().Evictions(namespace).Evict(ctx, &policy.Eviction{
		ObjectMeta:    meta.ObjectMeta{Namespace: namespace, Name: pod},
		DeleteOptions: &meta.DeleteOptions{DryRun: []string{meta.DryRunAll}},
	})
}

// answered holds an answer to what is wanted of it: nothing, or an error with a text.
func answered(t *testing.T, what string, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}
