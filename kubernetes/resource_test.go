package kubernetes

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/victims"
)

// A request without a name would be about all objects of a namespace.
func TestNothingIsAskedOfAnObjectWithoutAName(t *testing.T) {
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusTeapot)
	}))
	kills := c.Kills("shop")
	_, got := kills.Get(t.Context(), "", meta.GetOptions{})
	_, updated := kills.Update(t.Context(), &v1alpha1.Kill{}, meta.UpdateOptions{})
	_, patched := kills.Patch(t.Context(), "", types.MergePatchType, []byte("{}"), meta.PatchOptions{}, "status")
	deleted := kills.Delete(t.Context(), "", meta.DeleteOptions{})
	for i, err := range []error{got, updated, patched, deleted} {
		if err == nil {
			t.Errorf("request %d has no error", i)
		}
	}
}

func TestEachRequestGoesWhereItsObjectIs(t *testing.T) {
	var asked []string
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.RequestURI())
		w.WriteHeader(http.StatusTeapot)
	}))
	kills, kill := c.Kills("shop"), &v1alpha1.Kill{ObjectMeta: meta.ObjectMeta{Name: "one"}}
	_, _ = kills.Get(t.Context(), "one", meta.GetOptions{})
	_, _ = kills.Create(t.Context(), kill, meta.CreateOptions{DryRun: []string{meta.DryRunAll}})
	_, _ = kills.Update(t.Context(), kill, meta.UpdateOptions{})
	_, _ = kills.Patch(t.Context(), "one", types.MergePatchType, []byte("{}"), meta.PatchOptions{}, "status")
	_ = kills.Delete(t.Context(), "one", meta.DeleteOptions{})
	_, _ = kills.List(t.Context(), meta.ListOptions{LabelSelector: "a=b", TimeoutSeconds: new(int64(7))})
	_, _ = c.Kills("").Watch(t.Context(), meta.ListOptions{ResourceVersion: "5"})
	const at = "/apis/caprice.chaos/v1alpha1/namespaces/shop/kills"
	want := []string{
		"GET " + at + "/one", "POST " + at + "?dryRun=All", "PUT " + at + "/one", "PATCH " + at + "/one/status", "DELETE " + at + "/one",
		"GET " + at + "?labelSelector=a%3Db&timeout=7s&timeoutSeconds=7", "GET /apis/caprice.chaos/v1alpha1/kills?resourceVersion=5&watch=true",
	}
	if fmt.Sprint(asked) != fmt.Sprint(want) {
		t.Errorf("asked\n%q, want\n%q", asked, want)
	}
}

// The one request that removes a pod is about that pod alone, and says what its owner and the configuration have said.
func TestARemovalNamesThePodByItsUID(t *testing.T) {
	for _, test := range []struct {
		how  chaos.Removal
		want string
	}{
		{chaos.Removal{Method: victims.Delete}, `DELETE /api/v1/namespaces/shop/pods/web-1 {"preconditions":{"uid":"p1"}}`},
		{chaos.Removal{Method: victims.Delete, Grace: victims.GracePeriod(30 * time.Second), DryRun: true}, `DELETE /api/v1/namespaces/shop/pods/web-1 {"gracePeriodSeconds":30,"preconditions":{"uid":"p1"},"dryRun":["All"]}`},
		{chaos.Removal{Method: victims.Evict, DryRun: true}, `POST /api/v1/namespaces/shop/pods/web-1/eviction {"preconditions":{"uid":"p1"},"dryRun":["All"]}`},
	} {
		for answered, uid := range map[string]types.UID{"that pod": "p1", "another of its name": "p2"} {
			var asked string
			c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var options meta.DeleteOptions
				b, _ := io.ReadAll(r.Body)
				object, _, err := codecs.UniversalDeserializer().Decode(b, nil, nil)
				if err != nil {
					t.Error(err)
				}
				switch o := object.(type) {
				case *meta.DeleteOptions:
					options = *o
				case *policy.Eviction:
					options = *o.DeleteOptions
				}
				options.TypeMeta = meta.TypeMeta{}
				said, _ := json.Marshal(options)
				asked = fmt.Sprintf("%s %s %s", r.Method, r.URL.Path, said)
				w.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(w).Encode(core.Pod{TypeMeta: meta.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: meta.ObjectMeta{Name: "web-1", UID: uid, ResourceVersion: "1"}})
			}))
			err := (&Cluster{Client: c}).Remove(t.Context(), victims.Pod{Namespace: "shop", Name: "web-1", UID: "p1"}, test.how)
			if asked != test.want || (err == nil) != (uid == "p1") {
				t.Errorf("asked %s, and answered of %s: %v; want %s", asked, answered, err, test.want)
			}
		}
	}
}

// A workload without a selector would have every pod of its namespace.
func TestNoPodIsReadOfAWorkloadWithoutASelector(t *testing.T) {
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusTeapot)
	}))
	snapshot, err := (&Cluster{Client: c}).Pods(t.Context(), chaos.WorkloadState{Subject: chaos.Subject{Workload: victims.Workload{Kind: victims.StatefulSet, Namespace: "shop", Name: "web"}}})
	if err != nil || len(snapshot.Pods) > 0 {
		t.Errorf("%v, %v; want none", snapshot.Pods, err)
	}
}
