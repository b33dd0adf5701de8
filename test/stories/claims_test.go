package stories

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"caprice/test/lab"
)

// ready returns what /readyz answers, 0 as long as there is nobody to answer.
func (c *caprice) ready(t *testing.T) (code int, body string) {
	t.Helper()
	c.mu.Lock()
	m := regexp.MustCompile(`listening address=(\S+)`).FindStringSubmatch(c.log.String())
	c.mu.Unlock()
	if m == nil {
		return 0, ""
	}
	answer, err := http.Get("http://" + m[1] + "/readyz")
	if err != nil {
		return 0, ""
	}
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(said)
}

// removalsBy counts the pods that an account, in a namespace by its own name, has removed, or tried to, by namespace.
func removalsBy(t *testing.T, l *lab.Lab, account string) map[string]int {
	t.Helper()
	count := map[string]int{}
	for _, r := range l.Removals(t) {
		if r.User == "system:serviceaccount:"+account+":"+account {
			count[r.Namespace]++
		}
	}
	return count
}

func TestOfTwoInstallationsTheSecondIsNotReadyAndSaysWhy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		why, first, second string // the namespaces that each is confined to, if any
		says               string
		crashes            bool
		killsIn            string // the second, in the end
	}{
		{"everywhere after everywhere", "", "", "another Caprice, in namespace one, acts on namespace shop, team: want one of them confined", false, "shop"},
		{"confined after everywhere", "", "shop", "another Caprice, in namespace one, acts on namespace shop: want one of them confined", true, "shop"},
		{"confined after confined to one of two", "team", "shop,team", "another Caprice, in namespace one, acts on namespace team: want one of them confined", true, "shop"},
	} {
		t.Run(test.why, func(t *testing.T) {
			t.Parallel()
			l := lab.Start(t)
			build(t, l)
			release := func(namespace, confined string, values ...string) *caprice {
				args := append([]string{"install", "caprice", "helm/caprice", "-n", namespace, "--create-namespace", "--set", "replicaCount=0,fullnameOverride=" + namespace}, values...)
				env := []string{"CAPRICE_DRY_RUN=false", "CAPRICE_EXCLUDED_NAMESPACES=kube-*,one,two"}
				if confined != "" {
					args, env = append(args, "--set", "namespaces={"+confined+"}"), append(env, "CAPRICE_NAMESPACES="+confined)
				}
				l.Helm(t, args...)
				return start(t, l.KubeconfigOf(t, namespace, namespace), env...)
			}
			first := release("one", test.first)
			lab.Eventually(t, "a kill of the first", func() bool { return first.logged("pod killed") > 0 })
			second := release("two", test.second, "--set", "crds.install=false")
			lab.Eventually(t, "a second that says why it is not ready", func() bool {
				code, says := second.ready(t)
				return code == http.StatusServiceUnavailable && strings.Contains(says, test.says)
			})
			claims := l.Kubectl(t, "", "get", "leases", "-A", "--field-selector", "metadata.name=caprice-claim", "-l", "app.kubernetes.io/name=caprice", "-o", "custom-columns=NAMESPACE:.metadata.namespace,HOLDER:.spec.holderIdentity", "--no-headers")
			if strings.Contains(claims, "two") || !regexp.MustCompile(`team +one`).MatchString(claims) {
				t.Errorf("the claims are\n%swant all to be the first's", claims)
			}
			before := first.logged("pod killed")
			lab.Eventually(t, "more kills of the first, while its claims are challenged and answered", func() bool {
				return first.logged("pod killed") > before+3
			})
			if code, says := first.ready(t); code != http.StatusOK {
				t.Errorf("the first is not ready: %s", says)
			}
			if done := removalsBy(t, l, "two"); len(done) > 0 || second.logged("armed workloads=") == 0 || second.logged("leading lastAlive=") > 0 {
				t.Errorf("the second has removed %v and leads %d times, want it to know the workloads and stay away", done, second.logged("leading lastAlive="))
			}
			ended := time.Now()
			if test.crashes {
				_ = first.cmd.Process.Kill()
			} else {
				first.stop(t)
			}
			lab.Eventually(t, "the second's readiness", func() bool { code, _ := second.ready(t); return code == http.StatusOK })
			t.Logf("the second was ready %s after the first ended", time.Since(ended).Round(time.Second))
			lab.Eventually(t, "a kill of the second", func() bool { return removalsBy(t, l, "two")[test.killsIn] > 0 })
			second.stop(t)
		})
	}
}

func TestAnotherInNamespacesThatOptInLaterSparesThemAlone(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	build(t, l)
	l.Kubectl(t, "", "label", "namespace", "team", "caprice.chaos/enabled-")
	account := install(t, l)
	c := start(t, account, "CAPRICE_DRY_RUN=false")
	lab.Eventually(t, "a kill", func() bool { return c.logged("pod killed workload=shop/") > 0 })
	l.Kubectl(t, `{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: caprice-claim, namespace: team}, spec: {holderIdentity: elsewhere}}`, "create", "-f", "-")
	ended := make(chan struct{})
	answering := make(chan struct{})
	go func() { // what the other does
		defer close(ended)
		for {
			select {
			case <-answering:
				return
			case <-time.After(time.Second):
				_, _ = l.Cluster.Kubectl(t.Context(), "", "annotate", "lease/caprice-claim", "-n", "team", "caprice.chaos/challenged-")
			}
		}
	}()
	l.Kubectl(t, "", "label", "namespace", "team", "caprice.chaos/enabled=true")
	lab.Eventually(t, "a veto", func() bool {
		return strings.Contains(l.Kubectl(t, "", "get", "kills", "-n", "team"), "Contested")
	})
	if code, says := c.ready(t); code != http.StatusOK { // or no new configuration would ever take its place
		t.Errorf("it is not ready: %d %s", code, says)
	}
	if c.logged("another Caprice, in namespace elsewhere, acts on namespace team") == 0 {
		t.Error("its log does not say whose namespace team is")
	}
	before := c.logged("pod killed workload=shop/")
	lab.Eventually(t, "a kill elsewhere", func() bool { return c.logged("pod killed workload=shop/") > before })
	if done := removalsBy(t, l, "caprice"); done["team"] > 0 {
		t.Errorf("it removed %d pods where another acts", done["team"])
	}
	close(answering)
	<-ended
	lab.Eventually(t, "a kill where the other is gone", func() bool { return c.logged("pod killed workload=team/") > 0 })
	c.stop(t)
}
