package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	core "k8s.io/api/core/v1"
	events "k8s.io/api/events/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"

	"caprice/api/v1alpha1"
	"caprice/kubernetes"
	"caprice/report"
	"caprice/test/lab"
)

// The API server takes each name once.
func TestAHaltThatIsExtendedIsToldOfAgain(t *testing.T) {
	var mu sync.Mutex
	var told []string
	names := map[string]int{}
	scheme := runtime.NewScheme()
	if err := events.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	codecs := serializer.NewCodecFactory(scheme)
	ctx, all := context.WithTimeout(t.Context(), time.Minute)
	defer all()
	client := lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		object, _, err := codecs.UniversalDeserializer().Decode(body, nil, nil)
		if err != nil {
			t.Error(err)
			return
		}
		event := object.(*events.Event)
		event.TypeMeta, event.ResourceVersion = meta.TypeMeta{APIVersion: "events.k8s.io/v1", Kind: "Event"}, "1"
		mu.Lock()
		defer mu.Unlock()
		if told = append(told, event.Reason); len(told) == 5 {
			all()
		}
		names[event.Name]++
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(event)
	}))
	metrics := report.NewMetrics(prometheus.NewRegistry(), "test")
	c := crier{kubernetes.NewEvents(client, "test", &core.ObjectReference{Kind: "Deployment", Namespace: "caprice", Name: "caprice", UID: "own"}, metrics), metrics}
	halt := v1alpha1.Halt{ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: "pause", UID: "uid", Generation: 1}, Spec: v1alpha1.HaltSpec{Reason: "release day"}}
	c.halted(halt)
	c.resumed(halt)
	halt.Generation = 2 // it has another end
	c.halted(halt)
	c.resumed(halt)
	c.halted(halt) // by who leads next
	c.events.Run(ctx)
	slices.Sort(told)
	if want := []string{"ChaosHalted", "ChaosHalted", "ChaosHalted", "ChaosResumed", "ChaosResumed"}; !slices.Equal(told, want) || len(names) != 4 {
		t.Errorf("told %v by %d names, want %v by 4", told, len(names), want)
	}
}
