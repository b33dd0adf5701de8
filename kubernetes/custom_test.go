package kubernetes

import (
	"net/http"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/victims"
)

// An answer with Retry-After may be of a request that was carried out.
func TestWhatChangesSomethingIsAskedOnce(t *testing.T) {
	requests := map[string]int{}
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests[r.Method]++
		if got := r.Header.Get("Content-Type"); r.Method == http.MethodPost && got != "application/json" {
			t.Errorf("a kill travels as %s, want application/json", got)
		}
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	kills, kill := c.Kills("shop"), &v1alpha1.Kill{ObjectMeta: meta.ObjectMeta{Name: "one"}}
	_, posted := kills.Create(t.Context(), kill, meta.CreateOptions{})
	_, put := kills.Update(t.Context(), kill, meta.UpdateOptions{})
	_, patched := kills.Patch(t.Context(), "one", types.MergePatchType, []byte("{}"), meta.PatchOptions{}, "status")
	deleted := kills.Delete(t.Context(), "one", meta.DeleteOptions{})
	requests["pod"] = -requests[http.MethodDelete]
	pod := (&Cluster{Client: c}).Remove(t.Context(), victims.Pod{Namespace: "shop", Name: "web-1", UID: "1"}, chaos.Removal{Method: victims.Delete})
	if requests["pod"] += requests[http.MethodDelete]; pod == nil || requests["pod"] != 1 {
		t.Errorf("a pod: %d requests, %v; want one, and its error", requests["pod"], pod)
	}
	requests[http.MethodDelete] -= requests["pod"]
	_, read := kills.Get(t.Context(), "one", meta.GetOptions{})
	for method, err := range map[string]error{http.MethodPost: posted, http.MethodPut: put, http.MethodPatch: patched, http.MethodDelete: deleted} {
		if err == nil || requests[method] != 1 {
			t.Errorf("%s: %d requests, %v; want one, and its error", method, requests[method], err)
		}
	}
	if read == nil || requests[http.MethodGet] < 2 {
		t.Errorf("GET: %d requests, %v; want some, since reading again does no harm", requests[http.MethodGet], read)
	}
}
