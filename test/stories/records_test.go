package stories

import (
	"encoding/json"
	"testing"
	"time"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

// kills returns all records of kills.
func kills(t *testing.T, l *lab.Lab) []v1alpha1.Kill {
	t.Helper()
	var list v1alpha1.KillList
	if err := json.Unmarshal([]byte(l.Kubectl(t, "", "get", "kills", "-A", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// recordsOf returns the records of a workload by their planned instants, in milliseconds since 1970. There is never a second
// one of the same.
func recordsOf(t *testing.T, l *lab.Lab, workload string) map[int64]v1alpha1.Kill {
	t.Helper()
	records := map[int64]v1alpha1.Kill{}
	for _, k := range kills(t, l) {
		if k.Spec.Workload.Name != workload {
			continue
		}
		if _, twice := records[k.Spec.Planned.UnixMilli()]; twice {
			t.Errorf("%s has two records of %s", workload, k.Spec.Planned)
		}
		records[k.Spec.Planned.UnixMilli()] = k
	}
	return records
}

// open returns the records of kills planned before a time that have not ended.
func open(t *testing.T, l *lab.Lab, before time.Time) (unfinished []v1alpha1.Kill) {
	t.Helper()
	for _, k := range kills(t, l) {
		if k.Status.Phase != v1alpha1.Ended && k.Spec.Planned.Time.Before(before) {
			unfinished = append(unfinished, k)
		}
	}
	return unfinished
}
