package kubernetes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/types"

	"caprice/chaos"
	"caprice/victims"
)

// pod returns one of a ReplicaSet. Its owner's UID is "of " and the name.
func pod(name, set, hash string, change ...func(*core.Pod)) core.Pod {
	p := core.Pod{ObjectMeta: meta.ObjectMeta{
		Namespace: "shop", Name: name, UID: types.UID(name), Labels: map[string]string{apps.DefaultDeploymentUniqueLabelKey: hash},
		OwnerReferences: []meta.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: set, UID: types.UID("of " + set), Controller: new(true)}},
	}, Status: core.PodStatus{Phase: core.PodRunning}}
	for _, c := range change {
		c(&p)
	}
	return p
}

func terminating(p *core.Pod) { p.DeletionTimestamp = new(meta.Now()) }
func failed(p *core.Pod)      { p.Status.Phase = core.PodFailed }
func orphaned(p *core.Pod)    { p.OwnerReferences = nil }
func disowned(p *core.Pod)    { p.OwnerReferences[0].UID = "of one of the name that is gone" }

func TestAReplicaSetIsReadUnlessItIsPlainWhoseItsPodsAre(t *testing.T) {
	var there []core.Pod
	var sets atomic.Int64
	client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if name := path.Base(r.URL.Path); name != "pods" {
			sets.Add(1)
			controller := "another"
			if name == "web-1" || name == "web-2" || name == "own" {
				controller = "web"
			}
			_ = json.NewEncoder(w).Encode(apps.ReplicaSet{TypeMeta: meta.TypeMeta{APIVersion: "apps/v1", Kind: "ReplicaSet"}, ObjectMeta: meta.ObjectMeta{
				Namespace: "shop", Name: name, UID: types.UID("of " + name),
				OwnerReferences: []meta.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: controller, UID: types.UID(controller), Controller: new(true)}},
			}})
			return
		}
		_ = json.NewEncoder(w).Encode(core.PodList{TypeMeta: meta.TypeMeta{APIVersion: "v1", Kind: "PodList"}, ListMeta: meta.ListMeta{ResourceVersion: "1"}, Items: there})
	}))
	c := &Cluster{Client: client}
	for _, test := range []struct {
		why         string
		counted     int
		pods        []core.Pod
		read, found int
	}{
		{"its pods", 2, []core.Pod{pod("a", "web-1", "1"), pod("b", "web-1", "1")}, 0, 2},
		{"one that terminates, and one that has failed, beside those that are counted", 1, []core.Pod{pod("a", "web-1", "1", terminating), pod("b", "web-1", "1"), pod("c", "web-1", "1", failed)}, 0, 3},
		{"its controller counts fewer", 1, []core.Pod{pod("a", "web-1", "1"), pod("b", "web-1", "1")}, 1, 2},
		{"its controller counts more", 3, []core.Pod{pod("a", "web-1", "1"), pod("b", "web-1", "1")}, 1, 2},
		{"none are left but one that terminates", 0, []core.Pod{pod("a", "web-1", "1", terminating)}, 1, 1},
		{"a ReplicaSet of another name", 1, []core.Pod{pod("a", "own", "1")}, 1, 1},
		{"a hash that is not in the name", 1, []core.Pod{pod("a", "web-1", "2")}, 1, 1},
		{"no hash", 1, []core.Pod{pod("a", "web-", "")}, 1, 0},
		{"two ReplicaSets", 2, []core.Pod{pod("a", "web-1", "1"), pod("b", "web-2", "2")}, 2, 2},
		{"another's pod that matches, so that there are more than are counted", 1, []core.Pod{pod("a", "web-1", "1"), pod("b", "web-3", "3")}, 2, 1},
		{"another's pod that makes up for one that is missing", 2, []core.Pod{pod("a", "web-1", "1"), pod("b", "web-3", "3")}, 2, 1},
		{"another's alone, by the name that its controller gives, more than are counted", 1, []core.Pod{pod("a", "web-3", "3"), pod("b", "web-3", "3")}, 1, 0},
		{"those of a ReplicaSet whose name another has by now", 1, []core.Pod{pod("a", "web-1", "1", disowned), pod("b", "web-1", "1", disowned)}, 1, 0},
		{"one that nobody controls", 1, []core.Pod{pod("a", "web-1", "1"), pod("b", "web-1", "1", orphaned)}, 1, 1},
	} {
		there = test.pods
		sets.Store(0)
		w := chaos.WorkloadState{Subject: chaos.Subject{Workload: victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "web"}}, Selector: "app=web", Counted: test.counted}
		snapshot, err := c.Pods(t.Context(), w)
		if read := int(sets.Load()); err != nil || len(snapshot.Pods) != test.found || read != test.read {
			t.Errorf("%s: %d pods, %d ReplicaSets read (%v), want %d and %d", test.why, len(snapshot.Pods), read, err, test.found, test.read)
		}
		w.Kind = victims.StatefulSet
		if snapshot, err := c.Pods(t.Context(), w); err != nil || len(snapshot.Pods) > 0 {
			t.Errorf("%s, of a StatefulSet: %d pods (%v), want none", test.why, len(snapshot.Pods), err)
		}
	}
}

func TestPodsWithoutTheLabelAreToldWhereEachWantsIt(t *testing.T) {
	labelled := func(value string) core.Pod {
		return pod("web-"+value, "web", "", func(p *core.Pod) { p.Labels[victims.OptIn], p.OwnerReferences[0].UID = value, "web" })
	}
	there := []core.Pod{labelled("true"), labelled("false"), pod("web-", "web", "", func(p *core.Pod) { p.OwnerReferences[0].UID = "web" })}
	client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(core.PodList{TypeMeta: meta.TypeMeta{APIVersion: "v1", Kind: "PodList"}, ListMeta: meta.ListMeta{ResourceVersion: "1"}, Items: there})
	}))
	w := chaos.WorkloadState{Subject: chaos.Subject{Workload: victims.Workload{Kind: victims.StatefulSet, Namespace: "shop", Name: "web", UID: "web"}}, Selector: "app=web"}
	for _, required := range []bool{false, true} {
		c := &Cluster{Client: client, RequirePodLabel: required}
		snapshot, err := c.Pods(t.Context(), w)
		if err != nil || len(snapshot.Pods) != len(there) {
			t.Fatalf("%d pods (%v), want %d", len(snapshot.Pods), err, len(there))
		}
		for _, p := range snapshot.Pods {
			if want := required && p.Name != "web-true"; p.Unlabelled != want {
				t.Errorf("the label is required: %v, and pod %s lacks it: %v, want %v", required, p.Name, p.Unlabelled, want)
			}
		}
	}
}

func TestThousandsOfPodsAreReadPageByPage(t *testing.T) {
	const replicas = 2*podsAtOnce + 7
	var asked []string
	client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		asked = append(asked, query.Get("limit")+" from "+query.Get("continue"))
		from, _ := strconv.Atoi(query.Get("continue"))
		limit, err := strconv.Atoi(query.Get("limit"))
		if err != nil {
			limit = replicas
		}
		list := core.PodList{TypeMeta: meta.TypeMeta{APIVersion: "v1", Kind: "PodList"}, ListMeta: meta.ListMeta{ResourceVersion: "7"}}
		for i := from; i < min(from+limit, replicas); i++ {
			list.Items = append(list.Items, pod(fmt.Sprint("web-", i), "web", "", func(p *core.Pod) { p.OwnerReferences[0].UID = "web" }))
		}
		if from+limit < replicas {
			list.Continue = strconv.Itoa(from + limit)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(list)
	}))
	c := &Cluster{Client: client}
	w := chaos.WorkloadState{Subject: chaos.Subject{Workload: victims.Workload{Kind: victims.StatefulSet, Namespace: "shop", Name: "web", UID: "web"}}, Selector: "app=web", Watch: &live{}}
	want := []string{"500 from ", "500 from 500", "500 from 1000"}
	for _, wanted := range []int{replicas, podsAtOnce} {
		asked, w.Replicas = nil, wanted
		snapshot, err := c.Pods(t.Context(), w)
		if err != nil || len(snapshot.Pods) != replicas || snapshot.Pods[replicas-1].Name != fmt.Sprint("web-", replicas-1) || w.Watch.(*live).since != "7" {
			t.Errorf("%d pods from version %s (%v), want all %d from 7", len(snapshot.Pods), w.Watch.(*live).since, err, replicas)
		}
		if wanted > podsAtOnce && !slices.Equal(asked, want) || wanted == podsAtOnce && len(asked) != 1 {
			t.Errorf("of one that wants %d it asked for %q", wanted, asked)
		}
		asked = nil
		alive, err := c.Alive(t.Context(), []victims.Pod{snapshot.Pods[3], snapshot.Pods[replicas-1], {Namespace: "shop", UID: "gone"}})
		if err != nil || len(alive) != 2 || !slices.Equal(asked, want) {
			t.Errorf("%d are alive (%v), asked for %q; want two, of three pages", len(alive), err, asked)
		}
	}
}

func TestADeploymentThatCannotGetOnCountsNoPods(t *testing.T) {
	for status, want := range map[core.ConditionStatus]int{core.ConditionTrue: 3, core.ConditionUnknown: 3, core.ConditionFalse: 0} {
		d := &apps.Deployment{Spec: apps.DeploymentSpec{Replicas: new(int32(3))}, Status: apps.DeploymentStatus{
			Replicas: 3, Conditions: []apps.DeploymentCondition{{Type: apps.DeploymentProgressing, Status: status}},
		}}
		if s, err := specOf(d); err != nil || s.says.Counted != want {
			t.Errorf("where Progressing is %s it counts %d pods (%v), want %d", status, s.says.Counted, err, want)
		}
	}
}

// What a kill reads of a workload of ten pods, as an API server sends it; the server's part is to write bytes.
func BenchmarkPodsOfAWorkload(b *testing.B) {
	var list core.PodList
	for i := range 10 {
		list.Items = append(list.Items, pod(fmt.Sprint("web-", i), "web-1", "1", func(p *core.Pod) {
			p.Spec.Containers = []core.Container{{Name: "web", Image: "web", Env: []core.EnvVar{{Name: "MODE", Value: "production"}}}}
			p.Status.Conditions = []core.PodCondition{{Type: core.PodReady, Status: core.ConditionTrue}}
		}))
	}
	encoder := codecs.EncoderForVersion(protobuf.NewSerializer(scheme, scheme), core.SchemeGroupVersion)
	text, err := runtime.Encode(encoder, &list)
	if err != nil {
		b.Fatal(err)
	}
	client := serve(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
		_, _ = w.Write(text)
	}))
	c := &Cluster{Client: client}
	w := chaos.WorkloadState{Subject: chaos.Subject{Workload: victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "web"}}, Selector: "app=web", Counted: 10}
	b.ReportAllocs()
	for b.Loop() {
		if snapshot, err := c.Pods(b.Context(), w); err != nil || len(snapshot.Pods) != 10 {
			b.Fatalf("%d pods, %v", len(snapshot.Pods), err)
		}
	}
}
