package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/report"
	"caprice/test/lab"
)

// As in a namespace that is going, where nothing can be made any more.
func TestWhatIsRefusedAgainAndAgainForNoLackOfPermissionsIsSeldomLookedInto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks atomic.Int64
		var denied atomic.Bool
		client := lab.InMemory(func(w http.ResponseWriter, r *http.Request) {
			switch path := r.URL.Path; {
			case strings.HasSuffix(path, "/selfsubjectaccessreviews"):
				checks.Add(1)
				_, _ = fmt.Fprintf(w, `{"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "status": {"allowed": %t}}`, !denied.Load())
			case strings.HasSuffix(path, "/selfsubjectrulesreviews"):
				_, _ = fmt.Fprint(w, `{"kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1", "status": {}}`)
			case strings.HasSuffix(path, "/v1alpha1"):
				_, _ = fmt.Fprint(w, `{"kind": "APIResourceList", "apiVersion": "v1", "resources": [{"name": "kills"}, {"name": "halts"}, {"name": "hypotheses"}]}`)
			default:
				w.WriteHeader(http.StatusForbidden)
				_, _ = fmt.Fprint(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403}`)
			}
		}).Client(t)
		client.Namespace = "caprice"
		ready := &readiness{client: client, metrics: report.NewMetrics(prometheus.NewRegistry(), "dev")}
		if !ready.waitForPermissions(t.Context()) || !ready.complete() {
			t.Fatal("permissions are missing: " + ready.problem())
		}
		all := checks.Swap(0)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { ready.watchPermissions(ctx) })
		running.Go(func() {
			for chaos.Pause(ctx, time.Second) == nil {
				_, _ = client.Leases("going").Get(ctx, kubernetes.ClaimName, meta.GetOptions{})
			}
		})
		time.Sleep(30 * time.Minute)
		if looked := checks.Load() / all; looked < 6 || looked > 14 {
			t.Errorf("all permissions were asked for %d times in half an hour, want it to be seldom", looked)
		}
		denied.Store(true)
		time.Sleep(checkAll + time.Second)
		if ready.complete() {
			t.Errorf("%s after permissions were taken none is missing", checkAll)
		}
		stop()
		running.Wait()
	})
}

// No role helps where kills, halts and hypotheses are not defined.
func TestWhatIsMissingIsSaidWithWhatWouldBeRight(t *testing.T) {
	const rights, definitions = "update leases.coordination.k8s.io caprice in namespace caprice", "the cluster has no definitions of kills, halts and hypotheses: want templates/crds.yaml of the chart applied"
	for _, test := range []struct {
		why             string
		denied, defined bool
		want            string
	}{
		{"nothing is", false, true, ""},
		{"a right is", true, true, "missing permissions: " + rights + "; want a role that grants them"},
		{"the definitions are", false, false, definitions},
		{"both are", true, false, "missing permissions: " + rights + "; want a role that grants them; " + definitions},
	} {
		client := lab.InMemory(func(w http.ResponseWriter, r *http.Request) {
			switch path := r.URL.Path; {
			case strings.HasSuffix(path, "/selfsubjectaccessreviews"):
				review, _ := io.ReadAll(r.Body)
				lacks := strings.Contains(string(review), "update") && !strings.Contains(string(review), kubernetes.ClaimName)
				_, _ = fmt.Fprintf(w, `{"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "status": {"allowed": %t}}`, !test.denied || !lacks)
			case strings.HasSuffix(path, "/v1alpha1") && test.defined:
				_, _ = fmt.Fprint(w, `{"kind": "APIResourceList", "apiVersion": "v1", "resources": [{"name": "kills"}, {"name": "halts"}, {"name": "hypotheses"}]}`)
			default:
				w.WriteHeader(http.StatusNotFound)
				_, _ = fmt.Fprint(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}`)
			}
		}).Client(t)
		client.Namespace = "caprice"
		ready := &readiness{client: client, metrics: report.NewMetrics(prometheus.NewRegistry(), "dev")}
		if !ready.check(t.Context()) || ready.missing != test.want {
			t.Errorf("%s: %q, want %q", test.why, ready.missing, test.want)
		}
	}
}
