package kubernetes

import (
	"testing"

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
