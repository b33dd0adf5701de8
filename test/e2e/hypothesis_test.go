//go:build e2e

package e2e

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"caprice/api/v1alpha1"
)

// readyAfter is how long after the second of its start a pod is not asked whether it is ready.
const readyAfter = 4 * time.Second

// serving has a Deployment of two answer at port 8080, and be Ready when it does, some seconds after its start.
func serving(d *apps.Deployment) {
	two := int32(2)
	d.Spec.Replicas = &two
	d.Annotations = map[string]string{"caprice.chaos/recovery-deadline": "20s"}
	d.Spec.Template.Spec.Containers[0].ReadinessProbe = &core.Probe{
		ProbeHandler:        core.ProbeHandler{HTTPGet: &core.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(8080)}},
		InitialDelaySeconds: int32(readyAfter / time.Second), PeriodSeconds: 1,
	}
}

// create creates an object of Caprice's own API in the shop.
func (w *world) create(kinds string, object any) {
	w.Helper()
	body, err := json.Marshal(object)
	if err != nil {
		w.Fatal(err)
	}
	err = w.client.Discovery().RESTClient().Post().AbsPath("/apis/caprice.chaos/v1alpha1/namespaces/"+shop+"/"+kinds).
		SetHeader("Content-Type", "application/json").Body(body).Do(w.Context()).Error()
	if err != nil {
		w.Fatal(err)
	}
}

// ended returns the records of kills in the shop that have a verdict.
func (w *world) ended() []v1alpha1.Kill {
	w.Helper()
	raw, err := w.client.Discovery().RESTClient().Get().AbsPath("/apis/caprice.chaos/v1alpha1/namespaces/" + shop + "/kills").Do(w.Context()).Raw()
	if err != nil {
		w.Fatal(err)
	}
	var list v1alpha1.KillList
	if err := json.Unmarshal(raw, &list); err != nil {
		w.Fatal(err)
	}
	return slices.DeleteFunc(list.Items, func(k v1alpha1.Kill) bool { return k.Status.Phase != v1alpha1.Ended })
}

// with returns the first record with a verdict and a reason.
func with(kills []v1alpha1.Kill, verdict v1alpha1.Verdict, reason string) *v1alpha1.Kill {
	for i := range kills {
		if s := kills[i].Status; s.Verdict == verdict && s.Reason == reason {
			return &kills[i]
		}
	}
	return nil
}

func TestAWebAppBehindAServiceRecoversAndABrokenImageDoesNot(t *testing.T) {
	w := start(t)
	labels := maps.Clone(often)
	labels["app"] = "web"
	w.deploy(shop, "web", labels, serving)
	if _, err := w.client.CoreV1().Services(shop).Create(t.Context(), &core.Service{
		ObjectMeta: meta.ObjectMeta{Name: "web"},
		Spec:       core.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []core.ServicePort{{Port: 8080}}},
	}, meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.install("--set", "config.DRY_RUN=false")
	w.create("hypotheses", map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Hypothesis", "metadata": map[string]any{"name": "web"},
		"spec": map[string]any{
			"workloads": map[string]any{"matchLabels": map[string]any{"app": "web"}},
			// A Service may go on for a moment to a pod that has begun to stop.
			"probes": []any{map[string]any{"name": "serves", "tolerance": "4s", "http": map[string]any{"url": "http://web." + shop + ".svc:8080/healthz"}}},
		},
	})
	var recovered *v1alpha1.Kill
	w.eventually("a kill that it recovers from, with its hypothesis", func() bool {
		kills := w.ended()
		if bad := with(kills, "Disproved", ""); bad != nil {
			t.Fatalf("disproved: %s, %+v", bad.Status.Message, bad.Status.Probes)
		}
		recovered = with(slices.DeleteFunc(kills, func(k v1alpha1.Kill) bool { return len(k.Status.Probes) == 0 }), "Recovered", "")
		return recovered != nil
	})
	s := recovered.Status
	t.Logf("%s: %s after %s, the first new pod Ready after %s; probe %+v", recovered.Name, s.Verdict, s.Recovery.Duration, s.FirstReadyAt.Sub(s.ExecutedAt.Time).Round(time.Millisecond), s.Probes[0])
	if p := s.Probes[0]; !p.Met || p.Samples < 3 || s.RecoveredAt.Sub(s.ExecutedAt.Time) < readyAfter-time.Second {
		t.Errorf("recovered at %s from a kill at %s, probe %+v; want it met in several samples, and no sooner than a new pod can be Ready", s.RecoveredAt, s.ExecutedAt, p)
	}

	killed := w.told(shop, "PodKilled")
	w.eventually("another kill", func() bool { return w.told(shop, "PodKilled") > killed })
	broken := []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"idle","image":"caprice-e2e.invalid/none:none","imagePullPolicy":"Never"}]}}}}`)
	if _, err := w.client.AppsV1().Deployments(shop).Patch(t.Context(), "web", types.StrategicMergePatchType, broken, meta.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	var not *v1alpha1.Kill
	w.eventually("the verdict", func() bool { not = with(w.ended(), "NotRecovered", ""); return not != nil })
	t.Logf("%s: %s: %s", not.Name, not.Status.Verdict, not.Status.Message)
	if !strings.Contains(not.Status.Message, "a rollout or scaling began meanwhile") || w.told(shop, "NotRecovered") != 1 {
		t.Errorf("it says %q, in %d Events; want it to speak of the rollout, in one", not.Status.Message, w.told(shop, "NotRecovered"))
	}
	w.eventually("the next kill to be vetoed for it", func() bool { return with(w.ended(), "Vetoed", "Unacknowledged") != nil })
	w.helm("uninstall", "caprice", "-n", home, "--wait", "--timeout", "2m")
}
