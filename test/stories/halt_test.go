package stories

import (
	"strings"
	"testing"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/test/lab"
)

func TestAHaltHoldsUntilItIsOver(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	build(t, l)
	c := start(t, account, "CAPRICE_DRY_RUN=false", "CAPRICE_DEPLOYMENT=caprice")
	web, db := "pod killed workload=shop/Deployment/web", "pod killed workload=team/StatefulSet/db"
	lab.Eventually(t, "kills of both", func() bool { return c.logged(web) > 0 && c.logged(db) > 0 })

	l.Kubectl(t, `
apiVersion: caprice.chaos/v1alpha1
kind: Halt
metadata: {name: release, namespace: shop}
spec: {reason: release day}
`, "create", "-f", "-")
	lab.Eventually(t, "vetoes of the one", func() bool { return c.logged("workload=shop/Deployment/web") > 0 && c.logged("reason=Halted") >= 2 })
	lab.Eventually(t, "word of the halt", func() bool { return c.logged("chaos halted halt=shop/release") == 1 })
	before := c.logged(db)
	lab.Eventually(t, "kills of the other", func() bool { return c.logged(db) > before })
	over := time.Now()
	l.Kubectl(t, "", "delete", "halt", "release", "-n", "shop")
	before = c.logged(web)
	lab.Eventually(t, "kills of both again", func() bool { return c.logged(web) > before })
	lab.Eventually(t, "word that it is over", func() bool { return c.logged("chaos resumed halt=shop/release") == 1 }) // which comes by a look of its own
	c.stop(t)
	records := kills(t, l)
	nothingDied(t, l, records, spared(t, records, "release day"), over, "shop")
	list, err := l.Client.EventsV1().Events("caprice").List(t.Context(), meta.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	for _, e := range list.Items {
		if strings.Contains(e.Note, "release day") {
			told[e.Reason]++
		}
	}
	if told["ChaosHalted"] != 1 || told["ChaosResumed"] != 1 {
		t.Errorf("Events say %v, want that chaos was halted and resumed, once each", told)
	}
}
