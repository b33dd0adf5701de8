// Package notify tells people who do not look at the cluster what came of kills, by chat, mail or webhook. It never delays a
// kill, and what it logs names a target and never its URL.
package notify

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang/glog"

	"caprice/chaos"
	"caprice/victims"
)

// Notifier tells targets how kills ended, and those that want to know what a day has in store. It is a chaos.Reporter. Its
// exported fields are set before Run and not changed.
type Notifier struct {
	DryRun bool
	Zone   *time.Location                // of the times in texts
	Asked  func(victims.Workload) string // the label that names targets; none is asked for if nil

	cluster string
	targets []*target
}

// Count is what became of a target's notifications.
type Count struct {
	Target  string
	Sent    int64 // it took them
	Failed  int64 // it refused them, or did not answer, until they were given up
	Dropped int64 // others came before they could be sent, or the end
}

// Counts returns the counts of all targets, in the order of the file.
func (n *Notifier) Counts() []Count {
	counts := make([]Count, len(n.targets))
	for i, t := range n.targets {
		counts[i] = Count{t.name, t.sent.Load(), t.failed.Load(), t.dropped.Load()}
	}
	return counts
}

// lastWords is how long notifications are still sent once the process is told to end.
const lastWords = time.Second

// Run sends until ctx ends, and then for a moment what is left.
func (n *Notifier) Run(ctx context.Context) {
	sending, cancel := chaos.Outliving(ctx, lastWords)
	defer cancel()
	var running sync.WaitGroup
	for _, t := range n.targets {
		running.Go(func() { t.run(ctx, sending) })
	}
	running.Wait()
	for _, c := range n.Counts() {
		glog.Infof("notifications ended target=%s sent=%d failed=%d dropped=%d", c.Target, c.Sent, c.Failed, c.Dropped)
	}
}

// Ended tells how a kill ended.
func (n *Notifier) Ended(o chaos.Outcome) { n.tell(o.Workload, n.message(o)) }

// Unrecorded tells how a kill ended that has no record. One that has not ended yet has no verdict, which nobody wants to know.
func (n *Notifier) Unrecorded(o chaos.Outcome, err error) {
	m := n.message(o)
	m.Record, m.Detail = "", cut(strings.TrimPrefix(m.Detail+"; it has no record: "+err.Error(), "; "))
	n.tell(o.Workload, m)
}

// Killed tells nothing: the kill has yet to end.
func (n *Notifier) Killed(chaos.Record, chaos.Death) {}

// Trouble tells nothing: it is about no workload.
func (n *Notifier) Trouble(string, error) {}

// Planned tells how much is planned for a day, and neither for whom nor when.
func (n *Notifier) Planned(p chaos.DayPlan) {
	for _, t := range n.targets {
		if t.morning {
			t.add(letter{t.ofMorning, Morning{n.cluster, p.Date.String(), p.Kills, p.Workloads, n.DryRun}})
		}
	}
}

func (n *Notifier) tell(w victims.Workload, m Message) {
	var asked []string
	if n.Asked != nil {
		asked = strings.FieldsFunc(n.Asked(w), func(r rune) bool { return r == '.' })
	}
	for _, name := range asked {
		if !slices.ContainsFunc(n.targets, func(t *target) bool { return t.name == name }) {
			glog.Warningf("notification target unknown target=%q workload=%s", name, w)
		}
	}
	for _, t := range n.targets {
		if slices.Contains(t.verdicts, m.Verdict) && (!t.byLabel || slices.Contains(asked, t.name)) {
			told := m
			if e, ok := t.service.(escaper); ok {
				told.Detail, told.Name = e.escape(m.Detail), e.escape(m.Name)
			}
			t.add(letter{t.template, told})
		}
	}
}
