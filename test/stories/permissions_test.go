package stories

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	rbac "k8s.io/api/rbac/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

// right is one that the chart grants, in whatever role and of whatever name.
type right struct{ verb, group, resource string }

func (r right) String() string {
	if r.group != "" {
		return fmt.Sprintf("%s %s.%s ", r.verb, r.resource, r.group)
	}
	return fmt.Sprintf("%s %s ", r.verb, r.resource)
}

// rightsIn returns what rules grant, each once.
func rightsIn(rules []rbac.PolicyRule) (rights []right) {
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					if r := (right{verb, group, resource}); !slices.Contains(rights, r) {
						rights = append(rights, r)
					}
				}
			}
		}
	}
	return rights
}

// without returns the rules less one right.
func without(rules []rbac.PolicyRule, gone right) (left []rbac.PolicyRule) {
	for _, rule := range rules {
		for _, r := range rightsIn([]rbac.PolicyRule{rule}) {
			if r != gone {
				left = append(left, rbac.PolicyRule{Verbs: []string{r.verb}, APIGroups: []string{r.group}, Resources: []string{r.resource}, ResourceNames: rule.ResourceNames})
			}
		}
	}
	return left
}

// Each right is taken in the moment in which the one before is given back, so that at no time all are there.
func TestEachRightThatIsTakenIsNamedAndUntilItIsBackNothingDies(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	build(t, l)
	roles, clusterRoles := l.Client.RbacV1().Roles("caprice"), l.Client.RbacV1().ClusterRoles()
	self, err := roles.Get(t.Context(), "caprice-self", meta.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	everywhere, err := clusterRoles.Get(t.Context(), "caprice-caprice", meta.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	grant := func(gone right) {
		t.Helper()
		r, c := self.DeepCopy(), everywhere.DeepCopy()
		r.Rules, c.Rules = without(r.Rules, gone), without(c.Rules, gone)
		r.ResourceVersion, c.ResourceVersion = "", ""
		if _, err := roles.Update(t.Context(), r, meta.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := clusterRoles.Update(t.Context(), c, meta.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	c := start(t, account, "CAPRICE_DRY_RUN=false")
	killed := func() int { return c.logged("pod killed workload=shop/Deployment/web") }
	lab.Eventually(t, "a kill", func() bool { return killed() > 0 })

	rights := rightsIn(append(slices.Clone(self.Rules), everywhere.Rules...))
	rights = slices.DeleteFunc(rights, func(r right) bool { return r.resource == "horizontalpodautoscalers" }) // of hypotheses.kinds: one that cannot ask spares
	if len(rights) < 35 {
		t.Fatalf("the chart grants %d rights, want at least 35: %v", len(rights), rights)
	}
	var begin time.Time
	said := ""
	for _, gone := range rights {
		grant(gone)
		lab.Eventually(t, "a readiness that names no right but "+gone.String(), func() bool {
			code, body := c.ready(t)
			said = body
			named := strings.Split(strings.TrimSuffix(strings.TrimPrefix(body, "missing permissions: "), "; want a role that grants them\n"), ", ")
			return code == http.StatusServiceUnavailable && !slices.ContainsFunc(named, func(n string) bool { return !strings.HasPrefix(n, gone.String()) })
		})
		if begin.IsZero() { // a removal is sent no later than a second after the look that it goes by, which may have been just before
			begin = time.Now().Add(time.Second)
		}
	}
	end := time.Now()
	grant(right{})
	lab.Eventually(t, "readiness once all is given back", func() bool { code, _ := c.ready(t); return code == http.StatusOK })
	before := killed()
	lab.Eventually(t, "a kill once all is given back", func() bool { return killed() > before })
	t.Logf("%d rights were taken within %s; the last answer: %s", len(rights), end.Sub(begin), said)

	due := 0
	for _, at := range instants(t, l, time.Now(), "shop", "web") {
		if at.Before(begin) || at.After(end) {
			continue
		}
		due++
		lab.Eventually(t, "a record of the kill of "+at.String(), func() bool {
			k, ok := recordsOf(t, l, "web")[at.UnixMilli()]
			return ok && k.Status.Phase == v1alpha1.Ended && k.Status.ExecutedAt == nil
		})
	}
	c.stop(t)
	for _, r := range l.Removals(t) {
		if r.At.After(begin) && r.At.Before(end) {
			t.Errorf("pod %s/%s was removed %s after the first right was taken, accepted: %v", r.Namespace, r.Pod, r.At.Sub(begin)+time.Second, r.Accepted)
		}
	}
	if due == 0 || c.logged("reason=Halted") == 0 {
		t.Errorf("%d kills were due meanwhile, and %d spared: want some", due, c.logged("reason=Halted"))
	}
}
