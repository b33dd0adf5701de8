package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/golang/glog"

	"caprice/alerts"
	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/kubernetes/halts"
	"caprice/report"
	"caprice/victims"
)

// halters are all who may stop chaos. Of what they say the last is the freshest when a pod is removed.
type halters []chaos.Halts

// Check returns the first error.
func (h halters) Check(ctx context.Context, w victims.Workload) error {
	for _, one := range h {
		if err := one.Check(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// crier tells people that chaos is halted, and that it goes on.
type crier struct {
	events  *kubernetes.Events
	metrics *report.Metrics
}

// order tells a halt from what it was before somebody changed it, as its end: one that is over may hold again. One that was changed while
// it holds is told of once more by who leads next.
func order(h v1alpha1.Halt) string { return fmt.Sprintf("%s/%d", h.UID, h.Generation) }

func (c crier) halted(h v1alpha1.Halt) {
	glog.Infof("chaos halted halt=%s/%s reason=%q", h.Namespace, h.Name, h.Spec.Reason)
	c.metrics.Halted(+1)
	c.events.Halted(order(h), fmt.Sprintf("halt %s/%s: %s", h.Namespace, h.Name, h.Spec.Reason))
}

func (c crier) resumed(h v1alpha1.Halt) {
	glog.Infof("chaos resumed halt=%s/%s", h.Namespace, h.Name)
	c.metrics.Halted(-1)
	c.events.Resumed(order(h), fmt.Sprintf("halt %s/%s is over: %s", h.Namespace, h.Name, h.Spec.Reason))
}

func (c crier) alarmed(cause alerts.Cause) {
	glog.Infof("chaos halted cause=%q", cause.Why)
	c.metrics.Halted(+1)
	c.events.Halted(cause.ID, cause.Why)
}

func (c crier) calmed(cause alerts.Cause) {
	glog.Infof("chaos resumed cause=%q", cause.Why)
	c.metrics.Halted(-1)
	c.events.Resumed(cause.ID, "this is over: "+cause.Why)
}

// follow tells of each halt, and of each alert if there are any that halt, until ctx ends.
func (c crier) follow(ctx context.Context, orders *halts.Orders, alarms *alerts.Alerts) {
	var both sync.WaitGroup
	both.Go(func() { orders.Follow(ctx, c.halted, c.resumed) })
	if alarms != nil {
		both.Go(func() { alarms.Follow(ctx, c.alarmed, c.calmed) })
	}
	both.Wait()
}
