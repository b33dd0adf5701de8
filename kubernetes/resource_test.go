package kubernetes

import (
	"fmt"
	"net/http"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
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
