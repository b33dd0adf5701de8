package kubernetes

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestWhatNoWorkloadIsCalledIsNotAskedFor(t *testing.T) {
	client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s is asked for", r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "web", "uid": "u", "resourceVersion": "1"}}`)
	}))
	for _, name := range []string{"web/status", "..", "Web", "we b"} {
		want := fmt.Sprintf("name %q: want one that a workload may have, as in deploy/web", name)
		if _, err := client.Find(t.Context(), "shop", "deploy/"+name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
