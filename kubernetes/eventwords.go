package kubernetes

import (
	core "k8s.io/api/core/v1"

	"caprice/chaos"
)

// EventWord is what an Event is called, and what it is about.
type EventWord struct {
	Reason, Type       string
	Regarding, Related string // in words
	When               string
}

var (
	podKilled         = EventWord{"PodKilled", core.EventTypeNormal, "workload", "pod", "a pod was killed; the note names the record"}
	invalidTerms      = EventWord{"InvalidTerms", core.EventTypeWarning, "workload", "", "the owner's labels or annotations are wrong: when that is found or they change, and by each new leader; each mistake at most once in an hour"}
	invalidHypothesis = EventWord{"InvalidHypothesis", core.EventTypeWarning, "Hypothesis", "", "a Hypothesis cannot work: when that is found, or why changes; its status says it as long as it holds"}
	chaosHalted       = EventWord{"ChaosHalted", core.EventTypeNormal, "Caprice's Deployment", "", "a halt begins to hold, or an alert to fire"}
	chaosResumed      = EventWord{"ChaosResumed", core.EventTypeNormal, "Caprice's Deployment", "", "a halt or an alert is over"}
	dayPlanned        = EventWord{"DayPlanned", core.EventTypeNormal, "Caprice's Deployment", "", "a working day opens: how many kills are planned"}
)

// endings are what the end of a kill is called: a Warning is what somebody has to look after.
var endings = map[chaos.Verdict]EventWord{
	chaos.Recovered:    {"Recovered", core.EventTypeNormal, "workload", "record", "the workload is whole again"},
	chaos.NotRecovered: {"NotRecovered", core.EventTypeWarning, "workload", "record", "it was not in time"},
	chaos.Disproved:    {"Disproved", core.EventTypeWarning, "workload", "record", "it is whole again, and a hypothesis about it broke"},
	chaos.Vetoed:       {"KillVetoed", core.EventTypeNormal, "workload", "record", "the workload was spared; the note begins with the reason, one of those below"},
	chaos.Missed:       {"KillMissed", core.EventTypeNormal, "workload", "record", "it could not be done in time, and is not caught up"},
	chaos.Rehearsed:    {"KillRehearsed", core.EventTypeNormal, "workload", "record", "a dry run: the API server would have done it"},
	chaos.Failed:       {"KillFailed", core.EventTypeWarning, "workload", "record", "the API server refused it, or did not answer"},
	chaos.Abandoned:    {"KillAbandoned", core.EventTypeNormal, "workload", "record", "its killer ended, or lost the lease, before it acted"},
}

// EventWords returns all there are, in the order in which people want to read them.
func EventWords() []EventWord {
	words := []EventWord{podKilled}
	for _, v := range chaos.Verdicts {
		words = append(words, endings[v])
	}
	return append(words, invalidTerms, invalidHypothesis, chaosHalted, chaosResumed, dayPlanned)
}
