package kubernetes

import (
	"reflect"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/victims"
)

func TestWhoIsAskedForIsTheWorkloadsWordOrItsNamespaces(t *testing.T) {
	says := func(names string) victims.Metadata {
		return victims.Metadata{Labels: map[string]string{victims.Prefix + victims.Notify: names}}
	}
	d := &Discovery{
		namespaces: map[string]victims.Metadata{"shop": says("shop-team"), "quiet": {}},
		workloads:  map[string]found{"1": {Metadata: says("web.sre")}, "2": {}, "3": {Metadata: says("")}},
	}
	for _, test := range []struct{ why, namespace, uid, want string }{
		{"the workload itself", "shop", "1", "web.sre"},
		{"its namespace", "shop", "2", "shop-team"},
		{"the workload wants nobody", "shop", "3", ""},
		{"the workload is gone", "shop", "4", "shop-team"},
		{"neither", "quiet", "2", ""},
		{"an unknown namespace", "gone", "4", ""},
	} {
		if got := d.Asked(victims.Workload{Namespace: test.namespace, UID: test.uid}); got != test.want {
			t.Errorf("%s: %q, want %q", test.why, got, test.want)
		}
	}
}

func TestLittleIsKeptOfAnObjectThatIsWatched(t *testing.T) {
	o := stripped(&meta.PartialObjectMetadata{ObjectMeta: meta.ObjectMeta{
		Namespace: "shop", Name: "web", UID: "1", ResourceVersion: "7",
		Labels:        map[string]string{"app": "web", victims.Prefix + victims.Enabled: "true"},
		Annotations:   map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "all of it", victims.Prefix + "days": "Mon"},
		ManagedFields: []meta.ManagedFieldsEntry{{Manager: "kubectl"}},
	}})
	want := meta.ObjectMeta{
		Namespace: "shop", Name: "web", UID: "1", ResourceVersion: "7",
		Labels: map[string]string{victims.Prefix + victims.Enabled: "true"}, Annotations: map[string]string{victims.Prefix + "days": "Mon"},
	}
	if !reflect.DeepEqual(o.ObjectMeta, want) {
		t.Errorf("kept is %+v, want %+v", o.ObjectMeta, want)
	}
}
