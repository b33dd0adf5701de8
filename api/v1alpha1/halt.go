package v1alpha1

import (
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RequestedBy is the annotation of a Halt that says who ordered it. The chart's policy holds it to who did.
const RequestedBy = "caprice.chaos/requested-by"

// Halt is an order to stop. While there is one, nothing is killed in its namespace, or of the one workload that it names. In
// Caprice's own namespace it stops everything.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.reason`
// +kubebuilder:printcolumn:name="Until",type=string,JSONPath=`.spec.until`
// +kubebuilder:printcolumn:name="Kind",type=string,priority=1,JSONPath=`.spec.workload.kind`
// +kubebuilder:printcolumn:name="Workload",type=string,JSONPath=`.spec.workload.name`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Halt struct {
	meta.TypeMeta `json:",inline"`
	// +optional
	meta.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec HaltSpec `json:"spec"`
}

// Expired tells whether it holds no more at a time.
func (h *Halt) Expired(now time.Time) bool {
	return h.Spec.Until != nil && !now.Before(h.Spec.Until.Time)
}

// StopsAll tells whether it stops everything that the Caprice in a namespace does, whatever it names: no workload of that namespace is
// ever killed, so that somebody meant another.
func (h *Halt) StopsAll(own string) bool { return h.Namespace == own }

// HaltSpec is what stops, why, and until when.
type HaltSpec struct {
	// What those read who ask why nothing is killed.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason"`
	// When chaos goes on by itself. Without it, when the halt is deleted.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	Until *meta.Time `json:"until,omitempty"`
	// The one workload that is spared. Without it, the whole namespace is. In Caprice's own namespace it says nothing: any halt
	// stops everything there.
	// +optional
	Workload *HaltedWorkload `json:"workload,omitempty"`
}

// HaltedWorkload is a workload by its name, whichever object bears it.
type HaltedWorkload struct {
	// +kubebuilder:validation:Enum=Deployment;StatefulSet;DaemonSet
	Kind string `json:"kind"`
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// HaltList is a list of halts.
//
// +kubebuilder:object:root=true
type HaltList struct {
	meta.TypeMeta `json:",inline"`
	meta.ListMeta `json:"metadata,omitempty"`
	Items         []Halt `json:"items"`
}
