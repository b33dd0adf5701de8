// Package report tells people what happened, outside the cluster's own objects.
package report

import (
	"fmt"
	"time"

	"github.com/golang/glog"

	"caprice/chaos"
)

// Log writes one line for each step that changed something: a constant message, then key=value. A line about a kill names
// its record.
type Log struct {
	// RecordName returns what the record of a kill is called.
	RecordName func(uid string, planned time.Time) string
}

// Killed logs the death of one pod.
func (l Log) Killed(k chaos.Record, d chaos.Death) {
	glog.Infof("pod killed workload=%s pod=%s uid=%s planned=%s lateness=%s kill=%s", k.Workload, d.Pod.Name, d.Pod.UID, k.Planned.Format(time.RFC3339Nano), d.At.Sub(k.Planned).Round(time.Millisecond), l.kill(k))
}

// Ended logs how a kill ended.
func (l Log) Ended(o chaos.Outcome) {
	glog.Infof("kill ended workload=%s planned=%s verdict=%s reason=%s pods=%d message=%q kill=%s", o.Workload, o.Planned.Format(time.RFC3339Nano), o.Verdict, o.Reason, deaths(o), o.Message, l.kill(o.Record))
}

// Unrecorded logs a kill whose record cannot be written.
func (l Log) Unrecorded(o chaos.Outcome, err error) {
	glog.Warningf("kill not recorded workload=%s planned=%s verdict=%s reason=%s pods=%d error=%q kill=%s", o.Workload, o.Planned.Format(time.RFC3339Nano), o.Verdict, o.Reason, deaths(o), err, l.kill(o.Record))
}

// deaths is how many pods were removed, or in a dry run would have been.
func deaths(o chaos.Outcome) (n int) {
	for _, d := range o.Pods {
		if d.Err == nil {
			n++
		}
	}
	return n
}

// Trouble logs what cannot be done now.
func (Log) Trouble(what string, err error) {
	glog.Warningf("trouble doing=%q error=%q", what, err)
}

// Planned logs how much is planned for a day.
func (Log) Planned(p chaos.DayPlan) {
	glog.Infof("day planned date=%s kills=%d workloads=%d", p.Date, p.Kills, p.Workloads)
}

// kill is where the record is, as in shop/20260304-120000-0123456789abcdef, and who asked for the kill if it is not of the plan.
func (l Log) kill(k chaos.Record) string {
	name := k.Workload.Namespace + "/" + l.RecordName(k.Workload.UID, k.Planned)
	if k.Request != nil {
		name += fmt.Sprintf(" requestedBy=%q", k.Request.By)
	}
	return name
}
