package main

import (
	"github.com/golang/glog"

	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/kubernetes/election"
	"caprice/report"
	"caprice/victims"
)

// tell passes on to several reporters.
type tell []chaos.Reporter

func (t tell) Killed(k chaos.Record, d chaos.Death) {
	for _, r := range t {
		r.Killed(k, d)
	}
}

func (t tell) Unrecorded(o chaos.Outcome, err error) {
	for _, r := range t {
		r.Unrecorded(o, err)
	}
}

func (t tell) Trouble(what string, err error) {
	for _, r := range t {
		r.Trouble(what, err)
	}
}

func (t tell) Planned(p chaos.DayPlan) {
	for _, r := range t {
		r.Planned(p)
	}
}

func (t tell) Ended(o chaos.Outcome) {
	for _, r := range t {
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
