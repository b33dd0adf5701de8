// +kubebuilder:object:generate=true
// +groupName=caprice.chaos

package v1alpha1

import (
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is what kills, halts and hypotheses are called by in apiVersion.
var GroupVersion = schema.GroupVersion{Group: "caprice.chaos", Version: "v1alpha1"}

// AddToScheme makes them known to a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &Kill{}, &KillList{}, &Halt{}, &HaltList{}, &Hypothesis{}, &HypothesisList{})
	meta.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
