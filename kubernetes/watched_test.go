package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"caprice/victims"
)

// watched is an API server without workloads, which counts the watches that there are.
type watched struct {
	mu         sync.Mutex
	open       map[string]int               // by namespace and label selector
	behind     bool                         // watches that begin are not told that they have seen all
	namespaces map[string]map[string]string // their labels
	failing    map[string]bool              // those that cannot be read
}

func (a *watched) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	typed := meta.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadata"}
	if !r.URL.Query().Has("watch") {
		name := path.Base(r.URL.Path)
		a.mu.Lock()
		labels, there := a.namespaces[name]
		failing := a.failing[name]
		a.mu.Unlock()
		switch {
		case failing:
			w.WriteHeader(http.StatusInternalServerError)
		case !there:
			w.WriteHeader(http.StatusNotFound)
			_ = json.NewEncoder(w).Encode(meta.Status{TypeMeta: meta.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: meta.StatusFailure, Reason: meta.StatusReasonNotFound, Code: http.StatusNotFound})
		default:
			_ = json.NewEncoder(w).Encode(meta.PartialObjectMetadata{TypeMeta: typed, ObjectMeta: meta.ObjectMeta{Name: name, ResourceVersion: "7", Labels: labels}})
		}
		return
	}
	key := path.Base(path.Dir(r.URL.Path)) + " " + r.URL.Query().Get("labelSelector")
	a.mu.Lock()
	a.open[key]++
	behind := a.behind
	a.mu.Unlock()
	if !behind {
		all := meta.ObjectMeta{ResourceVersion: "7", Annotations: map[string]string{meta.InitialEventsAnnotationKey: "true"}}
		_ = json.NewEncoder(w).Encode(map[string]any{"type": "BOOKMARK", "object": meta.PartialObjectMetadata{TypeMeta: typed, ObjectMeta: all}})
	}
	w.(http.Flusher).Flush()
	<-r.Context().Done()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open[key]--; a.open[key] == 0 {
		delete(a.open, key)
	}
}

// say changes what there is.
func (a *watched) say(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// watches lists those that there are, each with how many: one for each kind.
func (a *watched) watches() (all []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(a.open)) {
		all = append(all, fmt.Sprintf("%s: %d", key, a.open[key]))
	}
	return all
}

// Readiness waits for it, and before that nothing that is unknown is said not to be there.
func TestDiscoveryIsSyncedOnceAllThatThereIsHasBeenSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := map[string]string{victims.OptIn: "true"}, map[string]string{victims.OptIn: "false"}
		api := &watched{open: map[string]int{}, namespaces: map[string]map[string]string{"shop": out, "kube-system": in}, failing: map[string]bool{"shop": true}}
		d := &Discovery{Client: &Client{}, Scope: Scope{Namespaces: []string{"shop", "gone", "kube-system"}, Excluded: []string{"kube-*"}}, Sink: &subjects{}}
		if err := d.Client.connect(&rest.Config{Host: "http://api", Transport: inMemory{api}}, "test"); err != nil {
			t.Fatal(err)
		}
		if d.Synced() || (&Discovery{}).Synced() {
			t.Error("it is synced before it has begun")
		}
		ctx, end := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { d.Run(ctx) })
		const some, all = "[gone caprice.chaos/enabled: 3 shop caprice.chaos/enabled: 3]", "[gone caprice.chaos/enabled: 3 shop !caprice.chaos/enabled: 3 shop caprice.chaos/enabled: 3]"
		for _, step := range []struct {
			why    string
			change func()
			synced bool
			open   string
		}{
			{"a namespace cannot be read", func() {}, false, some},
			{"each was read, or is not there", func() { api.failing["shop"] = false }, true, some},
			{"one could be read once", func() { api.failing["shop"] = true }, true, some},
			{"one has opted in, and its other workloads are not known yet", func() { api.failing["shop"], api.namespaces["shop"], api.behind = false, in, true }, false, all},
			{"it opted out", func() { api.namespaces["shop"], api.behind = out, false }, true, some},
			{"it opted in anew, and all its workloads are known", func() { api.namespaces["shop"] = in }, true, all},
			{"it says something else beside", func() { api.namespaces["shop"] = map[string]string{victims.OptIn: "true", notify: "sre"} }, true, all},
		} {
			api.say(step.change)
			time.Sleep(6 * time.Second) // namespaces are read every five
			synctest.Wait()
			if got := fmt.Sprint(api.watches()); d.Synced() != step.synced || got != step.open {
				t.Errorf("%s: synced %v, by watches %s, want %v and %s", step.why, d.Synced(), got, step.synced, step.open)
			}
		}
		d.setNamespace(ctx, "gone", victims.Metadata{Labels: in})
		if d.Synced() {
			t.Error("it is synced while watches have yet to begin")
		}
		end()
		if running.Wait(); len(api.watches()) > 0 {
			t.Errorf("once it has ended there are watches %s", api.watches())
		}
	})
}
