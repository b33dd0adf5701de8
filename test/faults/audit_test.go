package faults

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

// audit are the removals that the audit log tells of.
type audit map[string][]lab.Removal // by namespace

func (w *world) audit(t *testing.T) audit {
	t.Helper()
	log := audit{}
	for _, r := range w.Removals(t) {
		if (r.Accepted || r.Unclear) && !r.DryRun {
			log[r.Namespace] = append(log[r.Namespace], r)
		}
	}
	return log
}

// violations compares what was planned in a namespace until end with its records, and both with the audit log.
func (log audit) violations(namespace string, planned []entry, records []v1alpha1.Kill, end time.Time) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	type instant struct {
		name string
		at   int64
	}
	of, twice, unclear := map[instant]int{}, map[string]bool{}, map[string]bool{} // the latter by UID
	for _, k := range records {
		of[instant{k.Spec.Workload.Name, k.Spec.Planned.UnixMilli()}]++
	}
	died := map[string]map[string]bool{} // the pods that a record's kill removed, by the names of records
	for _, r := range log[namespace] {
		if r.Accepted && twice[r.UID] {
			say("pod %s was removed twice", r.Pod)
		}
		twice[r.UID] = twice[r.UID] || r.Accepted
		unclear[r.UID] = unclear[r.UID] || r.Unclear
		k, ok := reasonFor(r, records)
		switch {
		case !ok && r.At.Before(end):
			say("pod %s was removed at %s, and no record says why", r.Pod, r.At.Format(time.TimeOnly))
		case ok && r.At.After(k.Spec.ActBefore.Add(time.Second)):
			say("pod %s was removed at %s, which was too late for what was planned for %s", r.Pod, r.At.Format(time.TimeOnly), k.Spec.Planned.Format(time.TimeOnly))
		}
		if died[k.Name] == nil {
			died[k.Name] = map[string]bool{}
		}
		died[k.Name][r.UID] = true
	}
	for _, k := range until(records, end) {
		at := k.Spec.Planned.Time
		if k.Status.Phase != v1alpha1.Ended {
			say("the record of %s is left unfinished in phase %q", at.Format(time.TimeOnly), k.Status.Phase)
		}
		told := map[string]bool{}
		for _, d := range k.Status.Pods {
			told[d.UID] = d.KilledAt != nil
		}
		for _, target := range k.Spec.Targets {
			if died := died[k.Name][target.UID]; died != told[target.UID] && !unclear[target.UID] {
				say("the record of %s (%s) says that pod %s died: %v; the audit log: %v", at.Format(time.TimeOnly), k.Status.Verdict, target.Name, told[target.UID], died)
			}
		}
		if int(k.Spec.Count) != len(k.Spec.Targets) {
			say("the record of %s has %d targets for a count of %d", at.Format(time.TimeOnly), len(k.Spec.Targets), k.Spec.Count)
		}
		for _, other := range records {
			heals := other.Status.RecoveredAt
			if other.Spec.Workload.UID != k.Spec.Workload.UID || !other.Spec.Planned.Time.Before(at) || heals == nil || k.Status.ExecutedAt == nil {
				continue
			}
			if k.Status.ExecutedAt.Time.Before(heals.Time) {
				say("the kill of %s was carried out before the one of %s had healed", at.Format(time.TimeOnly), other.Spec.Planned.Format(time.TimeOnly))
			}
		}
	}
	for _, e := range planned {
		if n := of[instant{e.Name, e.Time.UnixMilli()}]; e.Namespace == namespace && n != 1 {
			say("what was planned for %s %s has %d records", e.Name, e.Time.Format(time.TimeOnly), n)
		}
	}
	return wrong
}

// reasonFor returns the record of the kill that a pod was removed by: a pod that one kill spared, a later one may remove.
func reasonFor(r lab.Removal, records []v1alpha1.Kill) (reason v1alpha1.Kill, ok bool) {
	for _, k := range records {
		targeted := slices.ContainsFunc(k.Spec.Targets, func(p v1alpha1.Target) bool { return p.UID == r.UID })
		if targeted && !k.Spec.Planned.After(r.At.Add(50*time.Millisecond)) && (!ok || k.Spec.Planned.After(reason.Spec.Planned.Time)) {
			reason, ok = k, true
		}
	}
	return reason, ok
}
