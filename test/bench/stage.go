package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

// stage is a cluster with the chart installed, and a way to it that counts.
type stage struct {
	options
	dir      string
	cluster  *lab.Cluster
	client   client.Interface // the administrator's
	counts   counts
	proxy    *lab.Proxy
	direct   string // a kubeconfig of the chart's account
	account  string // and one through the proxy
	standing time.Duration
	youngest time.Time // the day of the youngest records that are measured
}

func newStage(ctx context.Context, o options) (s *stage, err error) {
	s = &stage{options: o}
	if s.dir, err = os.MkdirTemp("", "caprice-bench"); err != nil {
		return nil, err
	}
	say("Booting a control plane on 127.0.0.1, and installing the chart")
	if s.cluster, err = lab.Boot(s.dir, s.collector()...); err == nil {
		err = s.install(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// seed makes the plan the same for the same workloads.
const seed = "caprice is measured by this seed"

// collector is the environment by which the control plane collects garbage a quarter as often as it would: a fifth of what its
// API server did for a kill was that, and the two cores of a small machine have enough to do. Where memory is measured it is as ever.
func (s *stage) collector() []string {
	if s.options.records > 0 {
		return nil
	}
	return []string{"GOGC=400"}
}

func (s *stage) install(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", s.cluster.Kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.ContentType = -1, runtime.ContentTypeProtobuf
	if s.client, err = client.NewForConfig(config); err != nil {
		return err
	}
	if _, err := s.cluster.Helm(ctx, "install", "caprice", "helm/caprice", "-n", "caprice", "--create-namespace", "--set", "replicaCount=0"); err != nil {
		return err
	}
	secret := &core.Secret{ObjectMeta: meta.ObjectMeta{Name: "caprice-seed"}, Data: map[string][]byte{"seed": []byte(seed)}}
	if _, err := s.client.CoreV1().Secrets("caprice").Create(ctx, secret, meta.CreateOptions{}); err != nil {
		return err
	}
	s.direct = filepath.Join(s.dir, "direct")
	if err := s.cluster.AccountKubeconfig(ctx, s.direct, "caprice", "caprice"); err != nil {
		return err
	}
	s.account = filepath.Join(s.dir, "account")
	s.proxy, err = lab.NewProxy(s.direct, s.account, "caprice", func(upstream http.Handler) http.Handler {
		s.counts.upstream = upstream
		return &s.counts
	})
	return err
}

func (s *stage) close() error {
	if s.proxy != nil {
		s.proxy.Close()
	}
	var err error
	if s.cluster != nil {
		err = s.cluster.Close()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// creators is how many objects are created at once.
const creators = 32

// many does something for each n below a count, as many at once as there are creators, until all is done or something fails.
func many(ctx context.Context, count int, do func(context.Context, int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next atomic.Int64
	var doing sync.WaitGroup
	for range creators {
		doing.Go(func() {
			for n := int(next.Add(1)) - 1; n < count && ctx.Err() == nil; n = int(next.Add(1)) - 1 {
				if err := do(ctx, n); err != nil {
					stop(err)
				}
			}
		})
	}
	doing.Wait()
	return context.Cause(ctx)
}

// load creates the workloads, and waits until all their pods are available.
func (s *stage) load(ctx context.Context) error {
	begin := time.Now()
	say("Creating %d Deployments of %d pods in %d namespaces, of which %d opt in", s.workloads, s.pods, s.namespaces, s.subjects())
	for n := range s.namespaces {
		space := &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: namespace(n)}}
		if _, err := s.client.CoreV1().Namespaces().Create(ctx, space, meta.CreateOptions{}); err != nil {
			return err
		}
	}
	err := many(ctx, s.workloads, func(ctx context.Context, n int) error {
		_, err := s.client.AppsV1().Deployments(namespace(n%s.namespaces)).Create(ctx, s.deployment(n), meta.CreateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	for {
		whole, err := s.whole(ctx)
		if err != nil {
			return err
		}
		if whole == s.workloads {
			break
		}
		if err := pause(ctx, 3*time.Second); err != nil {
			return fmt.Errorf("%d of %d Deployments were whole: %w", whole, s.workloads, err)
		}
	}
	s.standing = time.Since(begin)
	fmt.Printf("  all pods are available after %s\n", s.standing.Round(time.Second))
	return nil
}

func namespace(n int) string { return fmt.Sprintf("load-%03d", n) }

func (s *stage) deployment(n int) *apps.Deployment {
	name := fmt.Sprintf("web-%05d", n)
	labels, own := map[string]string{"app": name}, map[string]string{"app": name}
	if n < s.subjects() {
		own["caprice.chaos/enabled"] = "true"
	}
	return &apps.Deployment{
		ObjectMeta: meta.ObjectMeta{Name: name, Labels: own},
		Spec: apps.DeploymentSpec{
			Replicas: new(int32(s.pods)), Selector: &meta.LabelSelector{MatchLabels: labels},
			Template: core.PodTemplateSpec{
				ObjectMeta: meta.ObjectMeta{Labels: labels, Annotations: map[string]string{"cluster.test/stops-after": "500ms"}},
				Spec:       core.PodSpec{Containers: []core.Container{{Name: "web", Image: "web"}}},
			},
		},
	}
}

// whole returns how many Deployments have all their replicas.
func (s *stage) whole(ctx context.Context) (n int, err error) {
	list, err := s.client.AppsV1().Deployments("").List(ctx, meta.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return 0, err
	}
	for i := range list.Items {
		if int(list.Items[i].Status.AvailableReplicas) == s.pods {
			n++
		}
	}
	return n, nil
}

// records returns all records of kills.
func (s *stage) records(ctx context.Context) (kills []v1alpha1.Kill, err error) {
	for more := ""; ; {
		raw, err := s.client.Discovery().RESTClient().Get().AbsPath("/apis/caprice.chaos/v1alpha1/kills").
			Param("limit", "1000").Param("continue", more).Do(ctx).Raw()
		if err != nil {
			return nil, err
		}
		var page v1alpha1.KillList
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, err
		}
		kills = append(kills, page.Items...)
		if more = page.Continue; more == "" {
			return kills, nil
		}
	}
}

// patience is for how long kills may be under way after their instant: their recovery deadline, begun anew, and what it takes to write down.
const patience = 90 * time.Second

// ended waits until all kills that were planned between two times have ended, or should have, and returns all records.
func (s *stage) ended(ctx context.Context, begin, end time.Time) (kills []v1alpha1.Kill, err error) {
	open := func(k v1alpha1.Kill) bool {
		return !k.Spec.Planned.Time.Before(begin) && !k.Spec.Planned.After(end) && k.Status.Phase != v1alpha1.Ended
	}
	for {
		if err := pause(ctx, settled); err != nil {
			return nil, err
		}
		if kills, err = s.records(ctx); err != nil || !slices.ContainsFunc(kills, open) || time.Since(end) > patience {
			return kills, err
		}
	}
}

// pause waits for a while, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func say(format string, args ...any) { fmt.Printf("\n== "+format+"\n", args...) }
