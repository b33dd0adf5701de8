package stories

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"caprice/api/v1alpha1"
	"caprice/chaos"
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

// spared returns when the first kill had been spared for a cause: whatever was planned for later must know of it.
func spared(t *testing.T, records []v1alpha1.Kill, cause string) (known time.Time) {
	t.Helper()
	for _, k := range records {
		if at := k.Status.EndedAt; k.Status.Reason == string(chaos.Halted) && strings.Contains(k.Status.Message, cause) && (known.IsZero() || at.Time.Before(known)) {
			known = at.Time
		}
	}
	if known.IsZero() {
		t.Fatalf("no kill was spared for %q", cause)
	}
	return known
}

// nothingDied checks that no pod was removed from namespaces by a kill that was planned between begin and end.
func nothingDied(t *testing.T, l *lab.Lab, records []v1alpha1.Kill, begin, end time.Time, namespaces ...string) {
	t.Helper()
	for _, r := range l.Removals(t) {
		k, ok := lab.ReasonFor(r, records)
		if at := k.Spec.Planned.Time; slices.Contains(namespaces, r.Namespace) && ok && at.After(begin) && at.Before(end) {
			t.Errorf("pod %s/%s was removed by a kill of %s, between %s and %s", r.Namespace, r.Pod, at, begin, end)
		}
	}
}
