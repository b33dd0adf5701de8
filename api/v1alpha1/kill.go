// Package v1alpha1 has what people see and order of Caprice in the cluster: kills, halts and hypotheses.
package v1alpha1

import (
	"crypto/sha256"
	"fmt"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The labels of a Kill, so that those of one date or of one workload can be listed and watched alone.
const (
	DateLabel        = "caprice.chaos/date"
	WorkloadUIDLabel = "caprice.chaos/workload-uid"
)

// The annotations of a Kill by which somebody acknowledges that its workload did not recover: who, and what was found. Both
// have to say something.
const (
	AcknowledgedBy      = "caprice.chaos/acknowledged-by"
	AcknowledgedComment = "caprice.chaos/acknowledged-comment"
)

// Phase is how far it has come.
func (k *Kill) Phase() Phase {
	switch {
	case k.Status.Phase != "":
		return k.Status.Phase
	case k.Spec.Holder == "":
		return Requested
	}
	return Claimed
}

// Acknowledged tells whether somebody has acknowledged it.
func (k *Kill) Acknowledged() bool {
	return k.Annotations[AcknowledgedBy] != "" && k.Annotations[AcknowledgedComment] != ""
}

// Name returns the name of the Kill of a workload, by its UID, at a planned instant, which counts in milliseconds: the
// second in UTC, so that kills are listed in their order, and a hash of both. Whoever plans the same kill finds the same
// name, and the API server takes it once.
func Name(uid string, planned time.Time) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", uid, planned.UnixMilli()))
	return fmt.Sprintf("%s-%x", planned.UTC().Format("20060102-150405"), sum[:8])
}

// Kill is the record of one kill of one workload, in the workload's namespace. It is created before anything is deleted: by
// whoever is about to do that, or by somebody who asks for it, and then it gets its holder before anything is deleted.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:selectablefield:JSONPath=`.status.phase`
// +kubebuilder:selectablefield:JSONPath=`.status.verdict`
// +kubebuilder:printcolumn:name="Kind",type=string,priority=1,JSONPath=`.spec.workload.kind`
// +kubebuilder:printcolumn:name="Workload",type=string,JSONPath=`.spec.workload.name`
// +kubebuilder:printcolumn:name="Planned",type=date,JSONPath=`.spec.planned`
// +kubebuilder:printcolumn:name="Verdict",type=string,JSONPath=`.status.verdict`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.reason`
// +kubebuilder:printcolumn:name="Pods",type=integer,JSONPath=`.spec.count`
// +kubebuilder:printcolumn:name="Recovery",type=string,JSONPath=`.status.recovery`
// +kubebuilder:printcolumn:name="Dry run",type=boolean,priority=1,JSONPath=`.spec.dryRun`
// +kubebuilder:printcolumn:name="Requested by",type=string,priority=1,JSONPath=`.spec.request.by`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.message`
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.phase) || oldSelf.status.phase != 'Ended' || has(self.status) && self.status == oldSelf.status",message="a kill that has ended stays as it is"
type Kill struct {
	meta.TypeMeta `json:",inline"`
	// +optional
	meta.ObjectMeta `json:"metadata,omitempty"`

	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf || !has(oldSelf.holder) && has(self.holder) && self.workload == oldSelf.workload && self.planned == oldSelf.planned && has(self.request) && self.request == oldSelf.request",message="the spec of a kill never changes, but that one which is asked for gets a holder"
	// +kubebuilder:validation:XValidation:rule="has(self.holder) ? has(self.nonce) && has(self.actBefore) && has(self.date) : has(self.request) && !has(self.nonce) && !has(self.actBefore) && !has(self.date) && !has(self.targets) && (!has(self.count) || self.count == 0) && !has(self.mode) && !has(self.method) && !has(self.dryRun) && !has(self.generation) && !has(self.recoveryDeadline)",message="want either a holder with nonce, actBefore and date, or a request alone: spec.request says how many are to die, and whether to rehearse it"
	Spec KillSpec `json:"spec"`
	// +optional
	Status KillStatus `json:"status,omitempty"`
}

// KillSpec is what is about to be done, by whom, and until when it may be.
type KillSpec struct {
	// The workload as it was planned.
	Workload Workload `json:"workload"`
	// The instant that was planned, or at which it was asked for, to the millisecond.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1970-01-01T00:00:00Z') && self < timestamp('9000-01-01T00:00:00Z')",message="want an instant from 1970 to 8999"
	Planned meta.MicroTime `json:"planned"`
	// What somebody asked for, in place of what a plan says.
	// +optional
	Request *Request `json:"request,omitempty"`
	// The working day it belongs to, as in 2026-03-04.
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
	// +kubebuilder:validation:MaxLength=10
	Date string `json:"date,omitempty"`
	// How the number of pods was found.
	// +optional
	// +kubebuilder:validation:Enum=fixed;fixed-percent;random-max-percent;kill-all;pdb
	Mode string `json:"mode,omitempty"`
	// How many pods are to be killed.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Count int32 `json:"count"`
	// The API server is asked to rehearse, and nothing dies.
	// +optional
	DryRun bool `json:"dryRun,omitempty"`
	// How pods are removed.
	// +optional
	// +kubebuilder:validation:Enum=delete;evict
	Method string `json:"method,omitempty"`
	// The pods that were chosen, in the order in which they are killed. Caprice chooses 2000 at most, whose outcomes fit
	// into one object.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4000
	Targets []Target `json:"targets,omitempty"`
	// Who created the record or took on what it asks for, and alone may act on it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Holder string `json:"holder,omitempty"`
	// What the holder drew for this attempt. By it the holder knows its own record when the answer to its creation was lost.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Nonce string `json:"nonce,omitempty"`
	// When it is too late to act: from then on nothing is killed by this record.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	ActBefore meta.MicroTime `json:"actBefore,omitzero"`
	// How long the workload has to be whole again. It begins anew with each rollout or scaling that starts meanwhile.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,9})?(ns|us|µs|ms|s|m|h)){1,4}$`
	// +kubebuilder:validation:MaxLength=64
	RecoveryDeadline *meta.Duration `json:"recoveryDeadline,omitempty"`
	// The generation of the workload when the pods were chosen. If it has another later, a rollout or scaling began meanwhile.
	// +optional
	Generation int64 `json:"generation,omitempty"`
}

// Request is a kill that somebody asks for.
type Request struct {
	// Who asks, by the name that the API server knows them by. The chart's policy holds it to that.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	By string `json:"by"`
	// How the number of pods is found, in place of what the workload's terms say.
	// +optional
	// +kubebuilder:validation:Enum=fixed;fixed-percent;random-max-percent;kill-all;pdb
	Mode string `json:"mode,omitempty"`
	// A number of pods for mode fixed, a percentage for the percents.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Value *int32 `json:"value,omitempty"`
	// Nothing is to die: the API server is asked to rehearse.
	// +optional
	DryRun bool `json:"dryRun,omitempty"`
}

// Workload is whom a kill strikes.
type Workload struct {
	// +kubebuilder:validation:Enum=Deployment;StatefulSet;DaemonSet
	Kind string `json:"kind"`
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// It tells the workload from another of the same name, before or after it.
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	UID string `json:"uid"`
}

// Target is one pod that was chosen.
type Target struct {
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid"`
	// The node it ran on.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Node string `json:"node,omitempty"`
}

// Phase is how far a kill has come.
// +kubebuilder:validation:Enum=Requested;Claimed;Executed;Ended
type Phase string

// The phases. The API server takes no status with a creation: a record whose status has none is Requested while it has no
// holder, and Claimed then.
const (
	Requested Phase = "Requested" // somebody asks for it, and nobody has taken it on
	Claimed   Phase = "Claimed"   // it may be acted upon, until actBefore
	Executed  Phase = "Executed"  // its pods were removed, and the recovery is awaited
	Ended     Phase = "Ended"     // it has its verdict
)

// Verdict is what came of a kill, in the words of package chaos.
// +kubebuilder:validation:Enum=Recovered;NotRecovered;Disproved;Vetoed;Missed;Rehearsed;Failed;Abandoned
type Verdict string

// KillStatus is what has become of it.
type KillStatus struct {
	// +optional
	Phase Phase `json:"phase,omitempty"`
	// Exactly one, when it has ended.
	// +optional
	Verdict Verdict `json:"verdict,omitempty"`
	// Why the workload was spared, or why the kill is not whole.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`
	// The reason in a sentence.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Message string `json:"message,omitempty"`
	// What happened to each target that was asked for.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4000
	Pods []Death `json:"pods,omitempty"`
	// When the record was known to be written, before anything was done.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	ClaimedAt *meta.MicroTime `json:"claimedAt,omitempty"`
	// When the last pod was removed, or in a dry run would have been.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	ExecutedAt *meta.MicroTime `json:"executedAt,omitempty"`
	// When the first new pod was ready.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	FirstReadyAt *meta.MicroTime `json:"firstReadyAt,omitempty"`
	// When the workload was whole again.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	RecoveredAt *meta.MicroTime `json:"recoveredAt,omitempty"`
	// When it had its verdict.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	EndedAt *meta.MicroTime `json:"endedAt,omitempty"`
	// How long it took to be whole from the first pod's death on. Tables show it, and cannot subtract.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^-?([0-9]{1,5}(\.[0-9]{1,9})?(ns|us|µs|ms|s|m|h)){1,4}$`
	// +kubebuilder:validation:MaxLength=64
	Recovery *meta.Duration `json:"recovery,omitempty"`
	// How many of the workload's pods were ready just before.
	// +optional
	ReadyBefore *int32 `json:"readyBefore,omitempty"`
	// How many were when it ended.
	// +optional
	ReadyAfter *int32 `json:"readyAfter,omitempty"`
	// What became of the hypotheses about the workload.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	Probes []ProbeResult `json:"probes,omitempty"`
}

// ProbeResult is what one probe of a hypothesis found, from the first death to the verdict.
type ProbeResult struct {
	// +kubebuilder:validation:MaxLength=253
	Hypothesis string `json:"hypothesis"`
	// +kubebuilder:validation:MaxLength=63
	Probe string `json:"probe"`
	// It was wrong for no longer than its tolerance, and right in the end.
	Met bool `json:"met"`
	// The worst answer, or why there was none.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Worst string `json:"worst,omitempty"`
	// For how long in all it was wrong.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^-?([0-9]{1,5}(\.[0-9]{1,9})?(ns|us|µs|ms|s|m|h)){1,4}$`
	// +kubebuilder:validation:MaxLength=64
	WrongFor meta.Duration `json:"wrongFor"`
	// How often it was asked.
	// +kubebuilder:validation:Minimum=0
	Samples int32 `json:"samples"`
	// From when on. Where that is not the first death, a new leader took over, and what was found before is lost.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	Since *meta.MicroTime `json:"since,omitempty"`
}

// Death is what happened to one target: it was killed (in a dry run: would have been), or there is an error.
type Death struct {
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid"`
	// When the API server was asked.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	KilledAt *meta.MicroTime `json:"killedAt,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Error string `json:"error,omitempty"`
}

// KillList is a list of kills.
//
// +kubebuilder:object:root=true
type KillList struct {
	meta.TypeMeta `json:",inline"`
	meta.ListMeta `json:"metadata,omitempty"`
	Items         []Kill `json:"items"`
}
