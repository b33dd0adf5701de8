package v1alpha1

import (
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Hypothesis says what has to hold for workloads before a kill, while they recover and after. If it does not hold before, they
// are spared; if a kill breaks it, the verdict is Disproved.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,path=hypotheses,singular=hypothesis
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Hypothesis struct {
	meta.TypeMeta `json:",inline"`
	// +optional
	meta.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec HypothesisSpec `json:"spec"`
	// +optional
	Status HypothesisStatus `json:"status,omitempty"`
}

// HypothesisSpec is of whom it is believed, and what.
type HypothesisSpec struct {
	// The workloads of its namespace that it is about, by their own labels. Empty: all.
	// +optional
	Workloads meta.LabelSelector `json:"workloads,omitempty"`
	// What is asked. All of them have to be met.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	Probes []Probe `json:"probes"`
}

// Probe is one question. Before a kill its answer has to be right at once.
//
// +kubebuilder:validation:XValidation:rule="[has(self.http), has(self.prometheus), has(self.kubernetes)].filter(x, x).size() == 1",message="want exactly one of http, prometheus and kubernetes"
type Probe struct {
	// What records and Events call it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="want small letters, digits and dashes, as in error-rate"
	Name string `json:"name"`
	// Asked from the first death to the verdict too. Otherwise before and after alone.
	// +optional
	// +kubebuilder:default=true
	During *bool `json:"during,omitempty"`
	// How often it is asked.
	// +optional
	// +kubebuilder:default="1s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('200ms') && duration(self) <= duration('1m')",message="want a duration of 200ms to 1m, as in 1s"
	Interval Duration `json:"interval,omitempty"`
	// How long an answer is waited for. It is shorter than the two seconds in which a kill is prepared.
	// +optional
	// +kubebuilder:default="1s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1ms') && duration(self) <= duration('1500ms')",message="want a duration of 1ms to 1500ms, as in 1s"
	Timeout Duration `json:"timeout,omitempty"`
	// For how long in all it may be wrong, from the first death on. An answer that does not come is wrong.
	// +optional
	// +kubebuilder:default="0s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) <= duration('1h')",message="want a duration of 0s to 1h, as in 5s"
	Tolerance Duration `json:"tolerance,omitempty"`
	// +optional
	HTTP *HTTPProbe `json:"http,omitempty"`
	// +optional
	Prometheus *PrometheusProbe `json:"prometheus,omitempty"`
	// +optional
	Kubernetes *KubernetesProbe `json:"kubernetes,omitempty"`
}

// Duration is a time as in 1s or 1.5m.
// +kubebuilder:validation:MaxLength=20
type Duration string

// Or returns the duration, or another if there is none: the API server has refused what cannot be read.
func (d Duration) Or(other time.Duration) time.Duration {
	if parsed, err := time.ParseDuration(string(d)); err == nil {
		return parsed
	}
	return other
}

// HTTPProbe sends a request without a body, and follows no redirects.
//
// +kubebuilder:validation:XValidation:rule="has(self.jsonPath) == has(self.equals)",message="want jsonPath and equals, or neither"
// +kubebuilder:validation:XValidation:rule="!has(self.jsonPath) || !has(self.method) || self.method != 'HEAD'",message="an answer to HEAD has no body: want another method with jsonPath"
type HTTPProbe struct {
	// Where it is sent. The operator says which URLs are allowed, by PROBE_URLS.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != ''",message="want a URL, as in http://web.shop.svc:8080/healthz"
	URL string `json:"url"`
	// +optional
	// +kubebuilder:default=GET
	// +kubebuilder:validation:Enum=GET;HEAD;OPTIONS;POST
	Method string `json:"method,omitempty"`
	// The answers that are right. Without it, 200 to 299.
	// +optional
	// +kubebuilder:default={min: 200, max: 299}
	Status *StatusRange `json:"status,omitempty"`
	// How long the answer may take.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1ms') && duration(self) <= duration('1500ms')",message="want a duration of 1ms to 1500ms, as in 300ms"
	MaxLatency Duration `json:"maxLatency,omitempty"`
	// A field of the answer, which is JSON of 64 KiB at most, as in {.status}.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	JSONPath string `json:"jsonPath,omitempty"`
	// What that field has to be, as text.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Equals *string `json:"equals,omitempty"`
}

// StatusRange is a range of status codes, both ends in.
//
// +kubebuilder:validation:XValidation:rule="self.min <= self.max",message="want min to be max or less"
type StatusRange struct {
	// +kubebuilder:validation:Minimum=100
	// +kubebuilder:validation:Maximum=599
	Min int32 `json:"min"`
	// +kubebuilder:validation:Minimum=100
	// +kubebuilder:validation:Maximum=599
	Max int32 `json:"max"`
}

// PrometheusProbe asks a Prometheus for the value of a query. If there are several, all have to be in range, and if there is
// none, it is not met. Bounds are decimal numbers in text: floating point does not survive every JSON, and a quantity would
// take 5m for five thousandths.
//
// +kubebuilder:validation:XValidation:rule="has(self.min) || has(self.max)",message="want min, max or both"
// +kubebuilder:validation:XValidation:rule="!has(self.min) || !has(self.max) || double(self.min) <= double(self.max)",message="want min to be max or less"
type PrometheusProbe struct {
	// An expression with an instant value.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query string `json:"query"`
	// The least that is right.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$')",message="want a number in quotes, as in \"0.99\""
	Min *string `json:"min,omitempty"`
	// The most that is right.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$')",message="want a number in quotes, as in \"0.99\""
	Max *string `json:"max,omitempty"`
	// The server, if it is not that of PROMETHEUS_URL. The operator says which are allowed, by PROBE_URLS.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != ''",message="want a URL, as in http://prometheus.monitoring.svc:9090"
	Server string `json:"server,omitempty"`
}

// KubernetesProbe reads a field of an object in the Hypothesis's own namespace, of the kinds that the chart grants.
type KubernetesProbe struct {
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9][a-z0-9]*$')",message="want group/version, as in apps/v1"
	APIVersion string `json:"apiVersion"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self != 'Secret'",message="records would tell what is in a Secret: want another kind"
	Kind string `json:"kind"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// The field, as in {.status.readyReplicas}.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	JSONPath string `json:"jsonPath"`
	// What it has to be, as text.
	// +kubebuilder:validation:MaxLength=256
	Equals string `json:"equals"`
}

// Ready is the condition of a Hypothesis that can be asked. While it is False, the workloads that it is about are spared.
const Ready = "Ready"

// HypothesisStatus is whether it can be asked.
type HypothesisStatus struct {
	// The generation that the conditions are about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []meta.Condition `json:"conditions,omitempty"`
}

// HypothesisList is a list of hypotheses.
//
// +kubebuilder:object:root=true
type HypothesisList struct {
	meta.TypeMeta `json:",inline"`
	meta.ListMeta `json:"metadata,omitempty"`
	Items         []Hypothesis `json:"items"`
}
