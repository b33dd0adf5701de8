package kubernetes

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/chaos"
	"caprice/victims"
)

// What stands between, a proxy or a page to sign in, may answer 200 with whatever it has.
func TestAnAnswerThatNoAPIServerWritesIsNone(t *testing.T) {
	w := victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "uid"}
	for _, body := range []string{
		`{}`, `null`, `{"items": null}`, `{"status": "ok"}`, ``, `<html>sign in</html>`,
		`{"kind": "Status", "apiVersion": "v1"}`,
		`{"kind": "PodList", "apiVersion": "v1", "items": []}`,
		`{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a", "resourceVersion": "1"}}`,
		`{"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "web", "uid": "uid", "resourceVersion": "1"}}`,
	} {
		for _, kind := range []string{"application/json", "text/html"} {
			client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", kind)
				_, _ = w.Write([]byte(body))
			}))
			client.Namespace = "caprice"
			cluster := &Cluster{Client: client, Still: true}
			for what, ask := range map[string]func() error{
				"halts":        func() error { _, err := client.Halts("").List(t.Context(), meta.ListOptions{}); return err },
				"budgets":      func() error { _, err := cluster.Budgets(t.Context(), []victims.Pod{{Namespace: "shop"}}); return err },
				"the workload": func() error { _, err := cluster.Workload(t.Context(), w); return err },
				"pods":         func() error { _, err := cluster.Alive(t.Context(), []victims.Pod{{Namespace: "shop"}}); return err },
				"a removal": func() error {
					return cluster.Remove(t.Context(), victims.Pod{Namespace: "shop", Name: "web-1", UID: "1"}, chaos.Removal{})
				},
				"hypotheses": func() error {
					_, err := client.Hypotheses("").List(t.Context(), meta.ListOptions{})
					return err
				},
				"a lease": func() error {
					_, err := client.Leases("caprice").Get(t.Context(), LeaseName, meta.GetOptions{})
					return err
				},
				"metadata": func() error {
					_, err := client.metadataList(t.Context(), resources[victims.Deployment], "shop", meta.ListOptions{})
					return err
				},
				"a namespace":    func() error { _, err := client.getMetadata(t.Context(), namespaces, "", "shop"); return err },
				"the seed":       func() error { _, err := client.Seed(t.Context()); return err },
				"configurations": func() error { _, err := client.Effective(t.Context()); return err },
			} {
				if strings.Contains(body, "ConfigMap") && what == "configurations" {
					continue
				}
				if strings.Contains(body, "resourceVersion") && (what == "metadata" || what == "a namespace") {
					continue // which the API server keeps for objects of each kind
				}
				err := ask()
				var refusal *chaos.Refusal
				if err == nil || errors.As(err, &refusal) {
					t.Errorf("%s by %q as %s: %v, want an error, and none by which the API server says no", what, body, kind, err)
				}
			}
		}
	}
}

// A load balancer whose API server restarts has a page for that.
func TestAPageThatSaysNoIsNoAPIServersWord(t *testing.T) {
	w := victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "uid"}
	for _, code := range []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusUnprocessableEntity} {
		client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such site", code) }))
		client.Namespace = "caprice"
		cluster := &Cluster{Client: client}
		for what, ask := range map[string]func() error{
			"the workload":      func() error { _, err := cluster.Workload(t.Context(), w); return err },
			"how it heals":      func() error { _, err := cluster.look(t.Context(), w, lookPatience); return err },
			"who is alive":      func() error { _, err := cluster.Alive(t.Context(), []victims.Pod{{Namespace: "shop"}}); return err },
			"halts":             func() error { _, err := client.Halts("").List(t.Context(), meta.ListOptions{}); return err },
			"a workload's kind": func() error { _, err := client.Find(t.Context(), "shop", "web"); return err },
			"configurations":    func() error { _, err := client.Effective(t.Context()); return err },
			"the seed":          func() error { _, err := client.Seed(t.Context()); return err },
			"whose a pod is": func() error {
				owner := meta.OwnerReference{Kind: "ReplicaSet", Name: "web-1", UID: "set", Controller: new(true)}
				_, err := owners{client: client, workload: w, known: map[string]bool{}}.control(t.Context(), &core.Pod{ObjectMeta: meta.ObjectMeta{Namespace: "shop", OwnerReferences: []meta.OwnerReference{owner}}})
				return err
			},
			"a removal": func() error {
				return cluster.Remove(t.Context(), victims.Pod{Namespace: "shop", Name: "web-1", UID: "1"}, chaos.Removal{})
			},
		} {
			err := ask()
			var refusal *chaos.Refusal
			var veto *chaos.Veto
			if err == nil || errors.As(err, &refusal) || errors.As(err, &veto) || errors.Is(err, chaos.ErrGone) || errors.Is(err, ErrUnpublished) || Absent(err) {
				t.Errorf("%s, answered by a page with %d: %v, want that it is not known", what, code, err)
			}
		}
	}
}
