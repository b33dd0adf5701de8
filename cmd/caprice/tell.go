package main

import (
	"github.com/golang/glog"

	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/kubernetes/election"
	"caprice/report"
	"caprice/victims"
)

// reporters are several, each of which is told.
type reporters []chaos.Reporter

func (all reporters) Killed(k chaos.Record, d chaos.Death) {
	for _, r := range all {
		r.Killed(k, d)
	}
}

func (all reporters) Unrecorded(o chaos.Outcome, err error) {
	for _, r := range all {
		r.Unrecorded(o, err)
	}
}

func (all reporters) Trouble(what string, err error) {
	for _, r := range all {
		r.Trouble(what, err)
	}
}

func (all reporters) Planned(p chaos.DayPlan) {
	for _, r := range all {
		r.Planned(p)
	}
}

func (all reporters) Ended(o chaos.Outcome) {
	for _, r := range all {
		r.Ended(o)
	}
}

// sink passes on what discovery finds.
type sink struct {
	*chaos.Runner
	events  *kubernetes.Events
	claims  *election.Claims
	metrics *report.Metrics
}

func (s sink) Set(subject chaos.Subject) {
	s.claims.Want(subject.Workload)
	s.metrics.OptedIn(subject.Workload)
	s.Runner.Set(subject)
	s.metrics.Workloads(s.Subjects())
}

func (s sink) Drop(uid string) {
	s.claims.Forget(uid)
	s.Runner.Drop(uid)
	s.metrics.Workloads(s.Subjects())
}

func (s sink) Invalid(w victims.Workload, err error) {
	glog.Warningf("invalid terms workload=%s error=%q", w, err)
	s.events.Invalid(w, err)
}
