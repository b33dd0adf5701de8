package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"caprice/api/v1alpha1"
)

// Planned is a kill of a plan.
type Planned struct {
	Time            time.Time
	Namespace, Name string
}

// Plan has a caprice print the kills that the Caprice of a release has planned from begin until end, a day later at most. They may be of
// the day before, in whose window begin is.
func (c *Cluster) Plan(ctx context.Context, program, release string, begin, end time.Time) (planned []Planned, err error) {
	cmd := exec.CommandContext(ctx, program, "plan", "--release-namespace", release, "--date", begin.UTC().AddDate(0, 0, -1).Format(time.DateOnly), "--days", "3", "-o", "json")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("caprice plan: %w\n%s", err, problem.String())
	}
	var plan struct{ Kills []Planned }
	if err := json.Unmarshal(out, &plan); err != nil {
		return nil, err
	}
	for _, k := range plan.Kills {
		if k.Time.After(begin) && !k.Time.After(end) {
			planned = append(planned, k)
		}
	}
	return planned, nil
}

// Audit are the removals that the audit log tells of, by namespace, without those that were refused or tried.
type Audit map[string][]Removal

// Audit returns what the audit log tells of by now.
func (c *Cluster) Audit() (Audit, error) {
	removals, err := c.Removals()
	log := Audit{}
	for _, r := range removals {
		if (r.Accepted || r.Unclear) && !r.DryRun {
			log[r.Namespace] = append(log[r.Namespace], r)
		}
	}
	return log, err
}

// Violations compares what was planned in a namespace until end with its records, and both with the audit log.
func (log Audit) Violations(namespace string, planned []Planned, records []v1alpha1.Kill, end time.Time) (wrong []string) {
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
	began := map[string]time.Time{}      // when it removed the first
	for _, r := range log[namespace] {
		if r.Accepted && twice[r.UID] {
			say("pod %s was removed twice", r.Pod)
		}
		twice[r.UID] = twice[r.UID] || r.Accepted
		unclear[r.UID] = unclear[r.UID] || r.Unclear
		k, ok := ReasonFor(r, records)
		switch {
		case !ok && r.At.Before(end):
			say("pod %s was removed at %s, and no record says why", r.Pod, r.At.Format(time.TimeOnly))
		case ok && r.At.After(k.Spec.ActBefore.Add(time.Second)):
			say("pod %s was removed at %s, which was too late for what was planned for %s", r.Pod, r.At.Format(time.TimeOnly), k.Spec.Planned.Format(time.TimeOnly))
		}
		if died[k.Name] == nil {
			died[k.Name], began[k.Name] = map[string]bool{}, r.At
		}
		died[k.Name][r.UID] = true
	}
	for _, k := range Until(records, end) {
		at := k.Spec.Planned.Time
		if k.Status.Phase != v1alpha1.Ended {
			say("the record of %s is left unfinished in phase %q", at.Format(time.TimeOnly), k.Status.Phase)
		}
		told := map[string]bool{}
		for _, d := range k.Status.Pods {
			told[d.UID] = d.KilledAt != nil
			if !slices.ContainsFunc(k.Spec.Targets, func(p v1alpha1.Target) bool { return p.UID == d.UID }) {
				say("the record of %s tells of pod %s, which is none of its targets", at.Format(time.TimeOnly), d.Name)
			}
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
			if first, ok := began[k.Name]; ok && first.Before(heals.Time) {
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

// Unplanned returns the records of a namespace that are of no kill which was planned between begin and end, nor of one that somebody
// asked for.
func Unplanned(namespace string, planned []Planned, records []v1alpha1.Kill, begin, end time.Time) (wrong []string) {
	for _, k := range Until(records, end) {
		at := k.Spec.Planned.Time
		of := func(e Planned) bool {
			return e.Namespace == namespace && e.Name == k.Spec.Workload.Name && e.Time.UnixMilli() == at.UnixMilli()
		}
		if at.After(begin) && k.Spec.Request == nil && !slices.ContainsFunc(planned, of) {
			wrong = append(wrong, fmt.Sprintf("there is a record of %s at %s, which was not planned", k.Spec.Workload.Name, at.Format(time.TimeOnly)))
		}
	}
	return wrong
}

// ReasonFor returns the record of the kill that a pod was removed by: a pod that one kill spared, a later one may remove.
func ReasonFor(r Removal, records []v1alpha1.Kill) (reason v1alpha1.Kill, ok bool) {
	for _, k := range records {
		targeted := slices.ContainsFunc(k.Spec.Targets, func(p v1alpha1.Target) bool { return p.UID == r.UID })
		if targeted && !k.Spec.Planned.After(r.At.Add(50*time.Millisecond)) && (!ok || k.Spec.Planned.After(reason.Spec.Planned.Time)) {
			reason, ok = k, true
		}
	}
	return reason, ok
}

// Until returns the records of what was planned until end.
func Until(records []v1alpha1.Kill, end time.Time) []v1alpha1.Kill {
	return slices.DeleteFunc(slices.Clone(records), func(k v1alpha1.Kill) bool { return k.Spec.Planned.After(end) })
}
