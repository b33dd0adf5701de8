package stories

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/test/lab"
)

// command runs a command of Caprice and returns what it prints.
func command(t *testing.T, kubeconfig string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("caprice %s: %v\n%s", strings.Join(args, " "), err, problem.String())
	}
	return string(out)
}

// instants returns when the plan of two days, the first of which is that of from, has kills of a workload.
func instants(t *testing.T, l *lab.Lab, from time.Time, namespace, name string) []time.Time {
	t.Helper()
	var plan struct {
		Kills []struct {
			Time            time.Time
			Namespace, Name string
		}
	}
	if err := json.Unmarshal([]byte(command(t, l.Kubeconfig, "plan", "--date", from.UTC().Format(time.DateOnly), "--days", "2", "-o", "json")), &plan); err != nil {
		t.Fatal(err)
	}
	var at []time.Time
	for _, k := range plan.Kills {
		if k.Namespace == namespace && k.Name == name {
			at = append(at, k.Time)
		}
	}
	return at
}

// Every kill of the plan has one record, and what the records say was done is what the audit log has, no more and no less.
func TestThePlanOfTheMorningIsTheRecordAndTheAuditLogOfTheNight(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	build(t, l)
	l.Kubectl(t, "", "label", "deploy/web", "-n", "shop", "--overwrite", "caprice.chaos/kill-mode=fixed")
	first := start(t, account, "CAPRICE_DRY_RUN=false")
	lab.Eventually(t, "its configuration", func() bool { return first.logged("configuration published") == 1 })
	begin := time.Now()
	morning := map[string][]time.Time{"web": instants(t, l, begin, "shop", "web"), "db": instants(t, l, begin, "team", "db")}

	kills := func(c *caprice) int { return c.logged("pod killed") }
	lab.Eventually(t, "four kills", func() bool { return kills(first) >= 4 })
	first.stop(t)
	second := start(t, account, "CAPRICE_DRY_RUN=false") // it knows nothing of the first
	lab.Eventually(t, "four more", func() bool { return kills(second) >= 4 })
	end := time.Now()
	lab.Eventually(t, "records that have ended", func() bool { return len(open(t, l, end)) == 0 })
	second.stop(t)

	removed := map[string]int{}
	for _, r := range l.Removals(t) {
		removed[r.UID]++
	}
	for name, planned := range morning {
		records := recordsOf(t, l, name)
		for _, at := range planned {
			if at.Before(begin) || at.After(end) {
				continue
			}
			k, ok := records[at.UnixMilli()]
			if !ok {
				t.Errorf("%s: planned for %s, and there is no record of it", name, at)
			}
			for _, death := range k.Status.Pods {
				if died := death.KilledAt != nil; died != (removed[death.UID] == 1) {
					t.Errorf("%s: the record of %s says that pod %s died: %v; the audit log has %d removals of it", name, at, death.Name, died, removed[death.UID])
				}
				delete(removed, death.UID)
			}
			delete(records, at.UnixMilli())
		}
		for _, k := range records {
			if at := k.Spec.Planned.Time; at.After(begin) && at.Before(end) {
				t.Errorf("%s: there is a record of %s, which was not planned", name, at)
			}
			for _, death := range k.Status.Pods {
				delete(removed, death.UID)
			}
		}
	}
	for uid, n := range removed {
		t.Errorf("pod %s was removed %d times, and no record says so", uid, n)
	}
	if night := instants(t, l, begin, "shop", "web"); !slices.EqualFunc(night, morning["web"], time.Time.Equal) {
		t.Errorf("in the morning the plan was %v, at night it is %v", morning["web"], night)
	}
}

func TestThePlanCanBeSeenByWhoeverMayReadTheSeed(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	build(t, l)
	cmd := exec.Command(program, "plan")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+l.Kubeconfig)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "no ConfigMap caprice-effective in namespace caprice: want") {
		t.Errorf("before Caprice has run, plan says %v: %s", err, out)
	}

	c := start(t, account, "CAPRICE_DEPLOYMENT=caprice", "CAPRICE_TIME_ZONE=Asia/Tokyo")
	lab.Eventually(t, "the day's plan", func() bool { return c.logged("day planned") == 1 && c.logged("configuration published") == 1 })
	lab.Eventually(t, "an Event on its own Deployment", func() bool {
		list, err := l.Client.EventsV1().Events("caprice").List(t.Context(), meta.ListOptions{FieldSelector: "reason=DayPlanned"})
		return err == nil && len(list.Items) == 1 && list.Items[0].Regarding.Name == "caprice"
	})
	one, two := command(t, l.Kubeconfig, "plan", "--date", "2030-03-04"), command(t, l.Kubeconfig, "plan", "--date", "2030-03-04")
	if one != two || strings.Count(one, "\n") < 1000 || !strings.Contains(one, "2030-03-04T00:") || !strings.Contains(one, "+09:00") {
		t.Errorf("two processes say\n%.500s\nand\n%.500s", one, two)
	}
	if status := command(t, l.Kubeconfig, "status"); !strings.Contains(status, "dry run") || !strings.Contains(status, "Mon-Sun 00:00-24:00 in Asia/Tokyo") {
		t.Errorf("status says\n%s", status)
	}
	c.stop(t)
	if owner := l.Kubectl(t, "", "get", "configmap", "caprice-effective", "-n", "caprice", "-o", "jsonpath={.metadata.ownerReferences[*].name}"); owner != "caprice" {
		t.Errorf("what it publishes is owned by %q, and so stays when the chart is uninstalled", owner)
	}

	l.Kubectl(t, "", "create", "serviceaccount", "owner", "-n", "shop")
	l.Kubectl(t, "", "create", "rolebinding", "owner", "-n", "caprice", "--clusterrole=view", "--serviceaccount=shop:owner")
	cmd = exec.Command(program, "plan")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+l.KubeconfigOf(t, "shop", "owner"))
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "the seed, Secret caprice-seed in namespace caprice:") || strings.Count(string(out), "\n") != 1 {
		t.Errorf("without the right to read the seed, plan says %v: %s", err, out)
	}
}
