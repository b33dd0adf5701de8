package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/kubernetes/election"
	"caprice/kubernetes/halts"
	"caprice/kubernetes/hypotheses"
	"caprice/kubernetes/records"
	"caprice/victims"
)

// runner asks gates as the one that kills does, with the rights of whoever calls.
func (s subject) runner(known chaos.Records) *chaos.Runner {
	r := s.config.runner(chaos.Seed{}, s.cal)
	r.Cluster = &kubernetes.Cluster{Client: s.client, Defaults: s.config.terms(s.cal), RequirePodLabel: bool(s.config.RequirePodLabel), Still: true}
	orders := &halts.Orders{Client: s.client, Scope: kubernetes.Scope{Namespaces: []string{s.found.Namespace}}, Patience: patience, Now: func() time.Time { return atServer(s.client, time.Now()) }}
	stops := halters{orders, claimed{s.client}}
	if s.config.alerts() != nil {
		stops = append(stops, leaders(s.config.HaltOnAlertsURL.String()))
	}
	r.Halts = stops
	r.Records = known
	r.Hypotheses = &hypotheses.Beliefs{Client: s.client, Scope: s.config.scope(s.client.Namespace), Honoured: s.config.ProbeNamespaces, Question: questions{s.client, s.config.prober()}.ask}
	return r
}

// claimed says whether another Caprice acts on a namespace. It is a chaos.Halts.
type claimed struct{ client *kubernetes.Client }

func (c claimed) Check(ctx context.Context, w victims.Workload) error {
	other, err := election.Claimant(ctx, c.client, w.Namespace)
	if err == nil && other != "" && other != c.client.Namespace {
		return &chaos.Veto{Reason: chaos.Contested, Message: fmt.Sprintf("another Caprice, in namespace %s, acts on its namespace", other)}
	}
	return err
}

// leaders is where the leader asks for alerts: from elsewhere it may not be reached. It is a chaos.Halts.
type leaders string

func (l leaders) Check(context.Context, victims.Workload) error {
	return fmt.Errorf("no halt holds, and whether an alert does the leader asks %s", string(l))
}

// halted is what gate Halted says, and that a permission is missing: the leader spares all then. Of that whoever may not ask is told
// nothing.
func (s subject) halted(ctx context.Context, said error) error {
	var veto *chaos.Veto
	if errors.As(said, &veto) {
		return said
	}
	_, missing, err := s.missing(ctx)
	switch {
	case len(missing) > 0:
		return &chaos.Veto{Reason: chaos.Halted, Message: kubernetes.Lacking(missing)}
	case err != nil && said == nil && !apierrors.IsForbidden(err):
		return fmt.Errorf("no halt holds, and whether a permission is missing is not known: %w", err)
	}
	return said
}

// visible are the records that whoever asks may see: all, or else those of the workload's namespace.
type visible struct {
	*records.Store
	namespace string
	hidden    error // why those of other namespaces are not known
}

// Known returns the kills of the last days.
func (v *visible) Known(ctx context.Context) ([]chaos.Outcome, error) {
	return v.read(ctx, (*records.Store).Known)
}

// Open returns the kills that have not ended, or that nobody has acknowledged.
func (v *visible) Open(ctx context.Context) ([]chaos.Outcome, error) {
	return v.read(ctx, (*records.Store).Open)
}

func (v *visible) read(ctx context.Context, kills func(*records.Store, context.Context) ([]chaos.Outcome, error)) ([]chaos.Outcome, error) {
	all, err := kills(v.Store, ctx)
	if err == nil || len(v.Scope.Namespaces) == 1 && v.Scope.Namespaces[0] == v.namespace {
		return all, err
	}
	v.hidden = err
	return kills(&records.Store{Client: v.Client, Scope: kubernetes.Scope{Namespaces: []string{v.namespace}}, AcknowledgeAfter: v.AcknowledgeAfter}, ctx)
}

func gateOf(a chaos.GateAnswer) gateEntry {
	var veto *chaos.Veto
	switch {
	case a.Err == nil:
		return gateEntry{string(a.Gate), gatePasses, ""}
	case errors.As(a.Err, &veto):
		return gateEntry{string(a.Gate), gateSpares, veto.Message}
	case errors.Is(a.Err, chaos.ErrUnasked):
		return gateEntry{string(a.Gate), gateUnasked, a.Err.Error()}
	}
	return gateEntry{string(a.Gate), gateUnknown, kubernetes.Plain(a.Err).Error()}
}
