package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

func TestAHaltHoldsByTheClockOfTheCluster(t *testing.T) {
	now := time.Date(2026, time.March, 4, 10, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		why     string
		clock   time.Duration // of the API server, ahead of this machine's
		hold    time.Duration
		want    string
		patches int
	}{
		{"until it is resumed", time.Hour, 0, "", 0},
		{"both have the same time", 3 * time.Second, time.Hour, "2026-03-04T11:00:01Z", 0},
		{"this machine's is behind", 2 * time.Hour, time.Hour, "2026-03-04T13:00:01Z", 1},
		{"this machine's is ahead", -2 * time.Hour, time.Hour, "2026-03-04T09:00:01Z", 1},
	} {
		patches := 0
		var halt v1alpha1.Halt
		client := lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := json.NewDecoder(r.Body).Decode(&halt); err != nil {
				t.Error(err)
			}
			if r.Method == http.MethodPatch {
				patches++
			} else {
				halt.CreationTimestamp, halt.ResourceVersion = meta.NewTime(now.Add(test.clock)), "1"
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(halt)
		}))
		order := &v1alpha1.Halt{TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Halt"}, ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: "halt-1", UID: "u1"}}
		given, err := haltOptions{hold: test.hold}.give(t.Context(), client, order, now)
		if err != nil {
			t.Fatalf("%s: %v", test.why, err)
		}
		until := ""
		if given.Spec.Until != nil {
			until = given.Spec.Until.UTC().Format(time.RFC3339)
		}
		if until != test.want || patches != test.patches {
			t.Errorf("%s: it holds until %q after %d patches, want %q after %d", test.why, until, patches, test.want, test.patches)
		}
	}
}

func TestWhetherAHaltIsOverIsForTheClockOfTheCluster(t *testing.T) {
	for _, ahead := range []time.Duration{0, 3 * time.Hour, -3 * time.Hour} { // of the API server's, this machine's
		cluster := time.Now().Add(-ahead)
		list := v1alpha1.HaltList{TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "HaltList"}, ListMeta: meta.ListMeta{ResourceVersion: "1"}}
		for name, left := range map[string]time.Duration{"holds": time.Hour, "over": -time.Hour} {
			list.Items = append(list.Items, v1alpha1.Halt{
				ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: name, CreationTimestamp: meta.NewTime(cluster.Add(-2*time.Hour - 30*time.Second))},
				Spec:       v1alpha1.HaltSpec{Reason: "release day", Until: &meta.Time{Time: cluster.Add(left)}},
			})
		}
		client := lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			list := list
			if strings.Contains(r.URL.Path, "/namespaces/caprice/") {
				list.Items = nil
			}
			w.Header().Set("Date", cluster.UTC().Format(http.TimeFormat))
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(list)
		}))
		client.Namespace = "caprice"
		if _, err := client.Halts("shop").List(t.Context(), meta.ListOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, column := range haltColumns(client, time.Now()) {
			for i := range list.Items {
				h, said := &list.Items[i], column.cell(&list.Items[i])
				if column.name == "Until" && (said == "over") != (h.Name == "over") || column.name == "Age" && said != "120m" {
					t.Errorf("%s ahead: of %q it says %s %s", ahead, h.Name, column.name, said)
				}
			}
		}
		var st statusReport
		if st.halts(t.Context(), published{client: client}, time.Now()); len(st.Halts) != 1 || st.Halts[0].Name != "holds" {
			t.Errorf("%s ahead: status has %+v %s, want the one that holds", ahead, st.Halts, st.HaltsUnknown)
		}
		var out strings.Builder
		if err := (resumeOptions{}).left(t.Context(), client, "shop", time.Now(), &out); err != nil || out.String() != "halt/holds in namespace shop still holds: release day\n" {
			t.Errorf("%s ahead: of what is left it says %q, %v", ahead, out.String(), err)
		}
	}
}
