// Command demo shows the main job on a cluster of its own: it boots one, installs the chart, applies workloads, lets
// Caprice kill with the chart's account for a while, and holds what it did against the API server's audit log.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"caprice/test/lab"
)

const kills = 6 // after so many pods the demo ends

const workloads = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: team, labels: {caprice.chaos/enabled: "true", caprice.chaos/mean-time-between-kills: 15s}}
---
# opted in by its label
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {caprice.chaos/enabled: "true", caprice.chaos/mean-time-between-kills: 12s}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {terminationGracePeriodSeconds: 1, containers: [{name: web, image: web}]}}
---
# opted in by its namespace
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: team}
spec:
  replicas: 3
  selector: {matchLabels: {app: api}}
  template: {metadata: {labels: {app: api}}, spec: {terminationGracePeriodSeconds: 1, containers: [{name: api, image: api}]}}
---
# not opted in
apiVersion: apps/v1
kind: Deployment
metadata: {name: quiet, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: quiet}}
  template: {metadata: {labels: {app: quiet}}, spec: {terminationGracePeriodSeconds: 1, containers: [{name: quiet, image: quiet}]}}
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	err := run(ctx)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "caprice-demo")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	say("Booting a control plane on 127.0.0.1")
	cluster, err := lab.Boot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	d := demo{ctx, cluster, dir}

	say("Installing the chart (helm is built the first time, for about two minutes)")
	if _, err := cluster.Helm(ctx, "install", "caprice", "helm/caprice", "-n", "caprice", "--create-namespace", "--set", "replicaCount=0"); err != nil {
		return err
	}
	say("Applying three Deployments: shop/web opted in by its label, team/api by its namespace, shop/quiet not at all")
	if _, err := d.cluster.Kubectl(d.ctx, workloads, "apply", "-f", "-"); err != nil {
		return err
	}
	for _, w := range []string{"shop web", "team api", "shop quiet"} {
		namespace, name, _ := strings.Cut(w, " ")
		if _, err := d.cluster.Kubectl(d.ctx, "", "rollout", "status", "deploy/"+name, "-n", namespace, "--timeout=60s"); err != nil {
			return err
		}
	}
	quiet, err := d.quiet()
	if err != nil {
		return err
	}

	say("Running Caprice with the chart's account, all day and every day, until it has killed %d pods", kills)
	planned, err := d.caprice()
	if err != nil {
		return err
	}
	return d.conclude(planned, quiet)
}

type demo struct {
	ctx     context.Context
	cluster *lab.Cluster
	dir     string
}

var killed = regexp.MustCompile(`pod killed workload=(\S+) pod=(\S+) .*planned=(\S+)`)

// caprice runs Caprice and returns for each pod that it killed when that was planned.
func (d demo) caprice() (map[string]time.Time, error) {
	account := filepath.Join(d.dir, "account")
	if err := d.cluster.AccountKubeconfig(d.ctx, account, "caprice", "caprice"); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(d.ctx, "build/caprice", "run")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+account, "CAPRICE_LISTEN=127.0.0.1:0", "CAPRICE_DRY_RUN=false", "CAPRICE_DAYS=Mon-Sun", "CAPRICE_HOURS=00:00-24:00", "CAPRICE_MIN_AGE=0s")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	log, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	planned := map[string]time.Time{}
	plan := map[time.Time]bool{}
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if strings.Contains(lines.Text(), "configuration published") {
			if plan, err = d.plan(); err != nil {
				return nil, err
			}
		}
		m := killed.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, m[3])
		if err != nil {
			return nil, err
		}
		if !plan[at.UTC()] {
			return nil, fmt.Errorf("pod %s was killed for %s, which is not in the plan", m[2], at)
		}
		planned[m[2]] = at
		fmt.Printf("  %s  %-22s %s\n", at.Format("15:04:05.000"), m[1], m[2])
		if len(planned) == kills {
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				return nil, err
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("caprice ended: %w", err)
	}
	return planned, nil
}

// plan asks for the plan of today and tomorrow, shows what is next in it, and returns its instants.
func (d demo) plan() (map[time.Time]bool, error) {
	cmd := exec.CommandContext(d.ctx, "build/caprice", "plan", "--days", "2", "-o", "json")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+d.cluster.Kubeconfig)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("caprice plan: %w", err)
	}
	var plan struct {
		Kills []struct {
			Time            time.Time
			Namespace, Name string
			Past            bool
		}
	}
	if err := json.Unmarshal(out, &plan); err != nil {
		return nil, err
	}
	say("caprice plan: the next %d kills", kills)
	instants, shown := map[time.Time]bool{}, 0
	for _, k := range plan.Kills {
		instants[k.Time.UTC()] = true
		if !k.Past && shown < kills {
			shown++
			fmt.Printf("  %s  %s/%s\n", k.Time.Format("15:04:05.000"), k.Namespace, k.Name)
		}
	}
	say("The kills as they happen")
	return instants, nil
}

// conclude shows what is left of it all, and is an error if the audit log says otherwise than Caprice did.
func (d demo) conclude(planned map[string]time.Time, quiet string) error {
	say("kubectl get kills -A")
	records, err := d.cluster.Kubectl(d.ctx, "", "get", "kills", "-A")
	if err != nil {
		return err
	}
	fmt.Print(records)

	say("kubectl get events -A --field-selector reportingComponent=caprice")
	events, err := d.cluster.Kubectl(d.ctx, "", "get", "events", "-A", "--field-selector", "reportingComponent=caprice")
	if err != nil {
		return err
	}
	fmt.Print(events)

	say("Planned, against when the API server's audit log has the DELETE")
	removals, err := d.cluster.Removals()
	if err != nil {
		return err
	}
	for _, r := range removals {
		at, ok := planned[r.Pod]
		if !ok || r.UID == "" || !r.Accepted {
			return fmt.Errorf("the audit log has a removal that was not planned, not held to a UID, or refused: %+v", r)
		}
		delete(planned, r.Pod)
		fmt.Printf("  %s  %s  %+5d ms  %s/%s\n", at.Format("15:04:05.000"), r.At.Format("15:04:05.000"), r.At.Sub(at).Milliseconds(), r.Namespace, r.Pod)
	}
	if len(planned) > 0 {
		return fmt.Errorf("the audit log does not have the removal of %v", planned)
	}
	now, err := d.quiet()
	if err != nil {
		return err
	}
	if now != quiet {
		return fmt.Errorf("shop/quiet did not opt in, and its pods were %q and are %q", quiet, now)
	}
	say("shop/quiet did not opt in and has kept every pod: %s", strings.Join(strings.Fields(now), " "))
	return nil
}

func (d demo) quiet() (string, error) {
	return d.cluster.Kubectl(d.ctx, "", "get", "pods", "-n", "shop", "-l", "app=quiet", "-o", "name")
}

func say(format string, args ...any) { fmt.Printf("\n== "+format+"\n", args...) }
