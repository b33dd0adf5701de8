package lab

import (
	"slices"
	"strings"
	"testing"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
)

// scene is one kill as it should be: planned, recorded, carried out on one of two pods, and healed; and a later one that was vetoed.
type scene struct {
	planned []Planned
	records []v1alpha1.Kill
	log     Audit
}

var noon = time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

func stamp(seconds float64) *meta.MicroTime { return new(meta.NewMicroTime(at(seconds))) }

// record returns the record of a kill of web that was planned for an instant.
func record(name string, seconds float64, pods ...string) v1alpha1.Kill {
	k := v1alpha1.Kill{ObjectMeta: meta.ObjectMeta{Name: name, Namespace: "shop"}, Spec: v1alpha1.KillSpec{Planned: *stamp(seconds), ActBefore: *stamp(seconds + 60), Count: int32(len(pods))}}
	k.Spec.Workload.Name, k.Spec.Workload.UID = "web", "uid"
	k.Status.Phase = v1alpha1.Ended
	for _, pod := range pods {
		k.Spec.Targets = append(k.Spec.Targets, v1alpha1.Target{Name: pod, UID: pod})
		k.Status.Pods = append(k.Status.Pods, v1alpha1.Death{Name: pod, UID: pod, KilledAt: stamp(seconds)})
		k.Status.ExecutedAt = stamp(seconds)
	}
	return k
}

func sound() *scene {
	s := &scene{planned: []Planned{{at(1), "shop", "web"}, {at(20), "shop", "web"}}, records: []v1alpha1.Kill{record("a", 1, "p1"), record("b", 20)}}
	s.records[0].Status.Verdict, s.records[0].Status.RecoveredAt = "Recovered", stamp(5)
	s.records[1].Status.Verdict = "Vetoed"
	s.log = Audit{"shop": []Removal{{Namespace: "shop", Pod: "p1", UID: "p1", At: at(1.01), Accepted: true}}}
	return s
}

func TestEachViolationIsSeenAndItsTwinIsNot(t *testing.T) {
	for _, test := range []struct {
		why    string
		change func(*scene)
		says   string // nothing: it is sound
	}{
		{"all is as it should be", func(*scene) {}, ""},
		{"a pod is removed twice", func(s *scene) { s.log["shop"] = append(s.log["shop"], s.log["shop"][0]) }, "pod p1 was removed twice"},
		{"the second time it was refused", func(s *scene) {
			again := s.log["shop"][0]
			again.Accepted, again.Unclear = false, true
			s.log["shop"] = append(s.log["shop"], again)
		}, ""},
		{"a pod is removed that no record has", func(s *scene) {
			s.log["shop"] = append(s.log["shop"], Removal{Namespace: "shop", Pod: "p2", UID: "p2", At: at(1.02), Accepted: true})
		}, "and no record says why"},
		{"a pod is removed before its kill was planned", func(s *scene) { s.log["shop"][0].At = at(0.5) }, "and no record says why"},
		{"it is removed too late", func(s *scene) { s.log["shop"][0].At = at(63) }, "which was too late for what was planned"},
		{"a record is left open", func(s *scene) { s.records[1].Status.Phase = v1alpha1.Executed }, `left unfinished in phase "Executed"`},
		{"a record tells of a death that was none", func(s *scene) { s.log["shop"] = nil }, "says that pod p1 died: true; the audit log: false"},
		{"a record keeps a death to itself", func(s *scene) { s.records[0].Status.Pods[0].KilledAt = nil }, "says that pod p1 died: false; the audit log: true"},
		{"nobody can tell", func(s *scene) {
			s.records[0].Status.Pods[0].KilledAt = nil
			s.log["shop"][0].Accepted, s.log["shop"][0].Unclear = false, true
		}, ""},
		{"a record tells of a pod that it did not choose", func(s *scene) {
			s.records[0].Status.Pods = append(s.records[0].Status.Pods, v1alpha1.Death{Name: "p3", UID: "p3", KilledAt: stamp(1)})
		}, "tells of pod p3, which is none of its targets"},
		{"a record counts more than it chose", func(s *scene) { s.records[0].Spec.Count = 2 }, "has 1 targets for a count of 2"},
		{"a kill comes before the last has healed", func(s *scene) {
			s.records[1] = record("b", 20, "p2")
			s.records[0].Status.RecoveredAt = stamp(21)
			s.log["shop"] = append(s.log["shop"], Removal{Namespace: "shop", Pod: "p2", UID: "p2", At: at(20.01), Accepted: true})
		}, "was carried out before the one of"},
		{"a planned kill has no record", func(s *scene) { s.records = s.records[:1] }, "has 0 records"},
		{"a planned kill has two", func(s *scene) { s.records = append(s.records, record("c", 20)) }, "has 2 records"},
		{"a kill was not planned", func(s *scene) { s.records = append(s.records, record("c", 7)) }, "which was not planned"},
		{"somebody asked for it", func(s *scene) {
			asked := record("c", 7)
			asked.Spec.Request = &v1alpha1.Request{}
			s.records = append(s.records, asked)
		}, ""},
		{"it was before", func(s *scene) { s.records = append(s.records, record("c", -1)) }, ""},
	} {
		s := sound()
		test.change(s)
		wrong := append(s.log.Violations("shop", s.planned, s.records, at(30)), Unplanned("shop", s.planned, s.records, noon, at(30))...)
		says := func(text string) bool { return strings.Contains(text, test.says) }
		if test.says == "" && len(wrong) > 0 || test.says != "" && !slices.ContainsFunc(wrong, says) {
			t.Errorf("%s: %q, want %q", test.why, wrong, test.says)
		}
	}
}
