package records

import (
	"cmp"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
	"caprice/calendar"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/victims"
)

// newKill returns the object that a record is kept as, but for what somebody asked for: that stays as it is.
func newKill(r chaos.Record, holder string) *v1alpha1.Kill {
	kill := &v1alpha1.Kill{
		ObjectMeta: meta.ObjectMeta{
			Namespace: r.Workload.Namespace,
			Name:      v1alpha1.Name(r.Workload.UID, r.Planned),
			Labels:    map[string]string{v1alpha1.DateLabel: r.Date.String(), v1alpha1.WorkloadUIDLabel: r.Workload.UID},
		},
		Spec: v1alpha1.KillSpec{
			Workload: v1alpha1.Workload{Kind: string(r.Workload.Kind), Name: r.Workload.Name, UID: r.Workload.UID},
			Planned:  meta.NewMicroTime(r.Planned), Date: r.Date.String(), Mode: string(r.Scale.Mode), Count: int32(len(r.Targets)),
			DryRun: r.DryRun, Method: string(r.Method), Holder: holder, Nonce: r.Nonce, ActBefore: meta.NewMicroTime(r.ActBefore),
			Generation: r.Generation,
		},
	}
	if r.Deadline > 0 {
		kill.Spec.RecoveryDeadline = &meta.Duration{Duration: r.Deadline}
	}
	for _, p := range r.Targets {
		kill.Spec.Targets = append(kill.Spec.Targets, v1alpha1.Target{Name: p.Name, UID: p.UID, Node: p.Node})
	}
	return kill
}

// requestOf returns what a record asks for.
func requestOf(kill *v1alpha1.Kill) *chaos.Request {
	asked := kill.Spec.Request
	q := &chaos.Request{Workload: workloadOf(kill), At: kill.Spec.Planned.Time, By: asked.By, DryRun: asked.DryRun, Version: kill.ResourceVersion}
	if asked.Mode == "" && asked.Value == nil {
		return q
	}
	var value *int
	if asked.Value != nil {
		v := int(*asked.Value)
		value = &v
	}
	q.Scale, q.Problem = victims.ParseScale(asked.Mode, value)
	return q
}

func workloadOf(kill *v1alpha1.Kill) victims.Workload {
	w := kill.Spec.Workload
	return victims.Workload{Kind: victims.Kind(w.Kind), Namespace: kill.Namespace, Name: w.Name, UID: w.UID}
}

// longestError and allErrors bound in bytes what the record of a kill says of one pod that was not removed, and of all: an API server
// keeps no object of more than 1.5 MiB, and the names of thousands of pods take their part.
const longestError, allErrors = 1024, 256 << 10

// newStatus returns the status that says how a kill stands.
func newStatus(o chaos.Outcome) v1alpha1.KillStatus {
	s := v1alpha1.KillStatus{
		Phase: v1alpha1.Executed, Verdict: v1alpha1.Verdict(o.Verdict), Reason: string(o.Reason), Message: kubernetes.Cut(o.Message, 4096),
		ClaimedAt: micro(o.ClaimedAt), ExecutedAt: micro(o.ExecutedAt), FirstReadyAt: micro(o.Recovery.FirstReady), RecoveredAt: micro(o.Recovery.Whole),
		EndedAt: micro(o.EndedAt),
	}
	if o.Ended {
		s.Phase = v1alpha1.Ended
	}
	if len(o.Targets) > 0 {
		s.ReadyBefore = count(o.ReadyBefore)
	}
	for _, d := range o.Pods {
		death := v1alpha1.Death{Name: d.Pod.Name, UID: d.Pod.UID, KilledAt: micro(d.At)}
		if d.Err != nil {
			death.KilledAt, death.Error = nil, kubernetes.Cut(d.Err.Error(), min(longestError, allErrors/len(o.Pods)))
		}
		s.Pods = append(s.Pods, death)
	}
	for _, f := range o.Findings {
		s.Probes = append(s.Probes, v1alpha1.ProbeResult{
			Hypothesis: f.Hypothesis, Probe: f.Probe, Met: f.Met, Worst: kubernetes.Cut(f.Worst, 256), Samples: int32(f.Samples), Since: micro(f.Since),
			WrongFor: meta.Duration{Duration: f.WrongFor.Round(time.Millisecond)},
		})
	}
	if whole := o.Recovery.Whole; !whole.IsZero() {
		s.ReadyAfter = count(o.Recovery.Ready)
		s.Recovery = &meta.Duration{Duration: whole.Sub(o.FirstDeath()).Round(100 * time.Millisecond)}
	}
	return s
}

// restoredAfter is how long after its kill could act a record is created that is one of a backup: those of kills come before, those of
// what was missed or spared soon after, by two clocks.
const restoredAfter = time.Hour

// outcomeOf returns what a record says.
func outcomeOf(kill *v1alpha1.Kill) chaos.Outcome {
	o := chaos.Outcome{
		Record: chaos.Record{
			Workload: workloadOf(kill),
			Planned:  kill.Spec.Planned.Time, Scale: victims.Scale{Mode: victims.Mode(kill.Spec.Mode)}, Method: victims.Method(kill.Spec.Method),
			DryRun: kill.Spec.DryRun, Nonce: kill.Spec.Nonce, ActBefore: kill.Spec.ActBefore.Time, Generation: kill.Spec.Generation,
		},
		Claimed: true, Ended: kill.Status.Phase == v1alpha1.Ended, Verdict: chaos.Verdict(kill.Status.Verdict), Reason: chaos.Reason(kill.Status.Reason),
		Message: kill.Status.Message, ExecutedAt: instant(kill.Status.ExecutedAt), EndedAt: instant(kill.Status.EndedAt),
		Recovery: chaos.Recovery{FirstReady: instant(kill.Status.FirstReadyAt), Whole: instant(kill.Status.RecoveredAt)},
	}
	o.Restored = !o.Ended && kill.CreationTimestamp.After(o.ActBefore.Add(restoredAfter))
	if kill.Spec.Request != nil {
		o.Request = requestOf(kill)
	}
	if kill.Spec.RecoveryDeadline != nil {
		o.Deadline = kill.Spec.RecoveryDeadline.Duration
	}
	if len(kill.Spec.Targets) > 0 { // it was claimed to be carried out
		o.ClaimedAt = cmp.Or(instant(kill.Status.ClaimedAt), kill.CreationTimestamp.Time)
	}
	o.Inferred = !o.DryRun && !o.ExecutedAt.IsZero() && o.ExecutedAt.Equal(calendar.Later(o.Planned, o.ClaimedAt)) // to the microsecond: so it is written then
	var date calendar.Date
	if date.UnmarshalText([]byte(kill.Spec.Date)) == nil {
		o.Date = date
	}
	if kill.Status.ReadyBefore != nil {
		o.ReadyBefore = int(*kill.Status.ReadyBefore)
	}
	for _, t := range kill.Spec.Targets {
		o.Targets = append(o.Targets, victims.Pod{Namespace: kill.Namespace, Name: t.Name, UID: t.UID, Node: t.Node})
	}
	for _, d := range kill.Status.Pods {
		death := chaos.Death{Pod: victims.Pod{Namespace: kill.Namespace, Name: d.Name, UID: d.UID}}
		if d.KilledAt != nil {
			death.At = d.KilledAt.Time
		} else {
			death.Err = earlierError(d.Error)
		}
		o.Pods = append(o.Pods, death)
	}
	return o
}

// earlierError is an error that a record tells of.
type earlierError string

func (e earlierError) Error() string { return string(e) }

func micro(t time.Time) *meta.MicroTime {
	if t.IsZero() {
		return nil
	}
	m := meta.NewMicroTime(t)
	return &m
}

// instant returns the time, zero if there is none.
func instant(t *meta.MicroTime) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

func count(n int) *int32 {
	n32 := int32(n)
	return &n32
}
