// Package victims says who may die: workloads, what their owners asked for, and which of their pods are chosen.
package victims

import (
	"fmt"
	"time"
)

// Kind is a kind of workload.
type Kind string

// The kinds of workloads that can opt in. Kinds lists them all.
const (
	Deployment  Kind = "Deployment"
	StatefulSet Kind = "StatefulSet"
	DaemonSet   Kind = "DaemonSet"
)

// Kinds are all kinds of workloads, in the order in which people see them.
var Kinds = []Kind{Deployment, StatefulSet, DaemonSet}

// Workload is one object that keeps pods running. UID tells it from another of the same name, before or after it.
type Workload struct {
	Kind      Kind
	Namespace string
	Name      string
	UID       string
}

// String returns namespace/Kind/name.
func (w Workload) String() string { return fmt.Sprintf("%s/%s/%s", w.Namespace, w.Kind, w.Name) }

// Pod is one pod as it was read.
type Pod struct {
	Namespace   string
	Name        string
	UID         string
	Node        string
	Created     time.Time
	Running     bool // its phase is Running
	Ready       bool
	Terminating bool
	Critical    bool   // of a system-critical priority
	Static      bool   // its node made it, from a file
	Unlabelled  bool   // it has no label OptIn "true" itself, and wants one
	Owner       string // the UID of what controls it
	Labels      map[string]string
}

// Method is how a pod is removed.
type Method string

// A deleted pod goes in any case; an eviction is refused where a PodDisruptionBudget does not allow it.
const (
	Delete Method = "delete"
	Evict  Method = "evict"
)

// UnmarshalText reads delete or evict.
func (m *Method) UnmarshalText(b []byte) error {
	switch method := Method(b); method {
	case Delete, Evict:
		*m = method
		return nil
	default:
		return fmt.Errorf("method %q: want delete or evict", b)
	}
}

// GracePeriod is how long a pod gets to stop, in whole seconds, one to MostPatience. Zero leaves it to the pod.
type GracePeriod time.Duration

// UnmarshalText reads a duration, as in 30s. Nothing leaves it to the pod.
func (g *GracePeriod) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*g = 0
		return nil
	}
	d, err := time.ParseDuration(string(b))
	if err != nil || d < time.Second || d > MostPatience || d%time.Second != 0 {
		return fmt.Errorf("grace period %q: want whole seconds, 1s to 24h, as in 30s", b)
	}
	*g = GracePeriod(d)
	return nil
}

// String returns the duration, or nothing where it is left to the pod.
func (g GracePeriod) String() string {
	if g == 0 {
		return ""
	}
	return time.Duration(g).String()
}

// Deadline is how long a workload has to be whole again after a kill, a second to MostPatience. Zero leaves it to the cluster.
type Deadline time.Duration

// MostPatience is the longest time that anything about a kill is waited for.
const MostPatience = 24 * time.Hour

// UnmarshalText reads a duration, as in 2m30s.
func (d *Deadline) UnmarshalText(b []byte) error {
	parsed, err := time.ParseDuration(string(b))
	if err != nil || parsed < time.Second || parsed > MostPatience {
		return fmt.Errorf("recovery deadline %q: want a duration of 1s to 24h, as in 2m30s", b)
	}
	*d = Deadline(parsed)
	return nil
}
