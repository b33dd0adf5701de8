package chaos

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

// stage is a world before its first kill.
type stage struct {
	runner  *Runner
	cluster *toy
	halts   *orders
	known   *archive
	terms   *victims.Terms // for which the kill is planned
	at      time.Time      // of the kill
	late    time.Duration  // how late there is a leader
	now     func(*WorkloadState) error
}

// before has a kill of a workload carried out, some time before this one, which has ended or not.
func (s *stage) before(namespace, uid string, ago time.Duration, ended bool) {
	at := s.at.Add(-ago)
	o := Outcome{
		Record:  Record{Workload: victims.Workload{Namespace: namespace, UID: uid}, Planned: at, Date: s.runner.Calendar.Date(at), ActBefore: at},
		Claimed: true, Ended: ended, ExecutedAt: at,
	}
	if s.known.records == nil {
		s.known.records = map[string]Outcome{}
	}
	s.known.records[name(o.Record)] = o
}

// staged is a toy whose workload is seen in another state.
type staged struct {
	*toy
	stage *stage
}

func (c staged) Workload(ctx context.Context, w victims.Workload) (WorkloadState, error) {
	is, err := c.toy.Workload(ctx, w)
	if err == nil {
		if err = c.stage.now(&is); err != nil {
			is.unwatch()
		}
	}
	return is, err
}

// newStage returns a world a minute before its first kill.
func newStage(t *testing.T, changes ...func(*stage)) (*stage, Subject, *notes) {
	t.Helper()
	planner, _, _, same := world(t, 10*time.Minute)
	planner.Set(same)
	r, cluster, told, subject := world(t, 10*time.Minute)
	r.Calendar = subject.Terms.Calendar
	s := &stage{runner: r, cluster: cluster, halts: &orders{}, known: &archive{}, at: planner.agenda.items[0].at, late: -5 * time.Second}
	s.terms = &subject.Terms
	s.now = func(*WorkloadState) error { return nil }
	r.Cluster, r.Records, r.Halts, r.RespectPDB = staged{cluster, s}, s.known, s.halts, true
	time.Sleep(time.Until(s.at) - time.Minute)
	for _, change := range changes {
		change(s)
	}
	cluster.terms = *s.terms
	return s, subject, told
}

// play carries out the first kill, and returns what came of it and how many pods died.
func play(t *testing.T, changes ...func(*stage)) (o Outcome, died int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, subject, told := newStage(t, changes...)
		r, cluster := s.runner, s.cluster
		r.Set(subject)
		time.Sleep(time.Until(s.at) + s.late)
		leading, lose := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { r.WriteStatuses(leading) })
		all.Go(func() { r.Lead(leading, Term{From: s.at.Add(-6 * time.Second), Alive: s.at.Add(-6 * time.Second)}) })
		time.Sleep(30 * time.Second)
		lose()
		all.Wait()
		known, err := s.known.Known(t.Context())
		if err != nil || len(told.outcomes) > len(known) {
			t.Fatalf("told of %+v, recorded %+v, %v", told.outcomes, known, err)
		}
		for _, k := range known {
			if k.Workload == subject.Workload && k.Planned.Equal(s.at) {
				o = k
			}
		}
		died = len(cluster.removed)
	})
	return o, died
}

// rows are worlds in which a kill is spared, and the smallest change of each with which it is not.
var rows = []struct {
	why    string
	reason Reason
	words  string
	world  func(*stage)
	but    func(*stage)
	unseen bool // by an inspection, to which no plan is due and the leader's memory is not known
}{
	{"a halt holds", Halted, "release day", func(s *stage) { s.halts.haltAt = 1 }, func(s *stage) { s.halts.haltAt = 0 }, false},
	{"whether one does cannot be known", Halted, "cannot be known: no answer", func(s *stage) { s.halts.deafAt = 1 }, func(s *stage) { s.halts.deafAt = 0 }, false},
	{"another Caprice acts on its namespace", Contested, "acts on its namespace", func(s *stage) {
		s.halts.haltAt, s.halts.veto = 1, &Veto{Contested, "another Caprice, in namespace other, acts on its namespace"}
	}, func(s *stage) { s.halts.haltAt = 0 }, false},
	{"whether another Caprice does cannot be known", Contested, "is not known yet", func(s *stage) {
		s.halts.deafAt, s.halts.doubt = 1, &Unknown{Veto{Contested, "whether another Caprice acts on its namespace is not known yet"}}
	}, func(s *stage) { s.halts.awake = 12 }, false}, // 2.75 s later
	{"another workload has its name", OptedOut, "another workload has its name", func(s *stage) {
		s.now = func(c *WorkloadState) error { c.UID = "other"; return nil }
	}, func(s *stage) { s.now = func(*WorkloadState) error { return nil } }, true},
	{"it has opted out", OptedOut, "not opted in any more", func(s *stage) {
		s.now = func(*WorkloadState) error { return &Veto{OptedOut, "it is not opted in any more"} }
	}, func(s *stage) { s.now = func(*WorkloadState) error { return nil } }, false},
	{"two are to die now where it was one", TermsChanged, "its terms have changed", func(s *stage) {
		s.now = func(c *WorkloadState) error { c.Terms.Scale.Value = 2; return nil }
	}, func(s *stage) { s.now = func(c *WorkloadState) error { c.Terms.Scale.Value = 1; return nil } }, true},
	{"its last kill was a millisecond less than its minimum ago", TooSoon, "is less than its min-time-between-kills ago", func(s *stage) {
		s.runner.agenda.noteKill("uid", s.at.Add(-5*time.Minute+time.Millisecond), calendar.Date{})
	}, func(s *stage) { s.runner.agenda.lastKills["uid"] = lastKill{at: s.at.Add(-5 * time.Minute)} }, true},
	{"it comes late, and a freeze has begun", OutsideWindow, "its window has closed meanwhile", func(s *stage) {
		s.late = 3 * time.Second
		s.terms.Calendar.Closed = &calendar.Closed{Masks: calendar.Union(calendar.Mask{Window: calendar.Window{Open: s.at.Add(time.Second), Close: s.at.Add(time.Hour)}, Name: "freeze"})}
	}, func(s *stage) { s.late = -5 * time.Second }, true},
	{"a rollout is under way", Rollout, "it waits", func(s *stage) { s.cluster.rollout = "it waits" }, func(s *stage) { s.cluster.rollout = "" }, false},
	{"a replica is missing", Degraded, "2 replicas are available, it wants 3", func(s *stage) { s.cluster.fewer = 1 }, func(s *stage) { s.cluster.fewer = 0 }, false},
	{"it wants a replica too few", MinReplicas, "it wants 3 replicas", func(s *stage) { s.terms.MinReplicas = 4 }, func(s *stage) { s.terms.MinReplicas = 3 }, false},
	{"its pods are too young", MinAge, "3 too young", func(s *stage) {
		s.runner.MinAge = time.Hour
		for i := range s.cluster.pods {
			s.cluster.pods[i].Created = s.at.Add(-time.Hour + 1)
		}
	}, func(s *stage) { s.cluster.pods[0].Created = s.at.Add(-time.Hour) }, false},
	{"its pods are critical", NoPods, "3 system-critical", func(s *stage) {
		for i := range s.cluster.pods {
			s.cluster.pods[i].Critical = true
		}
	}, func(s *stage) { s.cluster.pods[0].Critical = false }, false},
	{"its pods are static", NoPods, "3 static", func(s *stage) {
		for i := range s.cluster.pods {
			s.cluster.pods[i].Static = true
		}
	}, func(s *stage) { s.cluster.pods[0].Static = false }, false},
	{"its pods lack the label that each wants", NoPods, "3 without the label", func(s *stage) {
		for i := range s.cluster.pods {
			s.cluster.pods[i].Unlabelled = true
		}
	}, func(s *stage) { s.cluster.pods[0].Unlabelled = false }, false},
	{"a PodDisruptionBudget allows none", Disruption, "allows 0 disruptions", func(s *stage) {
		s.cluster.budgets = []Budget{{Name: "web"}}
	}, func(s *stage) { s.cluster.budgets[0].Allowed = 1 }, false},
	{"it has not recovered", Unrecovered, "has not recovered from its last kill", func(s *stage) {
		s.cluster.sick, s.runner.RecoveryDeadline = true, time.Hour
		s.before("shop", "uid", 6*time.Minute, false) // longer than its minimum
	}, func(s *stage) { s.before("shop", "uid", 6*time.Minute, true) }, false},
	{"it did not recover, and nobody has acknowledged that", Unacknowledged, "acknowledge", func(s *stage) {
		s.runner.AcknowledgeAfter = 24 * time.Hour
		s.before("shop", "uid", 6*time.Minute, true)
		for key, o := range s.known.records {
			o.Verdict = NotRecovered
			s.known.records[key] = o
		}
	}, func(s *stage) {
		for _, o := range s.known.records {
			s.known.acknowledge(o.Record)
		}
	}, false},
	{"MAX_UNRECOVERED", OverBudget, "and there are 1 kills in the cluster that have not", func(s *stage) {
		s.cluster.sick, s.runner.Limits.Unrecovered = true, 1
		s.before("team", "other", time.Minute, false)
	}, func(s *stage) { s.runner.Limits.Unrecovered = 2 }, false},
	{"MAX_UNRECOVERED, of one that did not and that nobody has acknowledged", OverBudget, "and there are 1 kills in the cluster that have not", func(s *stage) {
		s.runner.AcknowledgeAfter, s.runner.Limits.Unrecovered = 24*time.Hour, 1
		s.before("team", "other", time.Minute, true)
		for key, o := range s.known.records {
			o.Verdict = NotRecovered
			s.known.records[key] = o
		}
	}, func(s *stage) {
		for _, o := range s.known.records {
			s.known.acknowledge(o.Record)
		}
	}, false},
	{"MAX_UNRECOVERED_PER_NAMESPACE", OverBudget, "and there are 1 kills in its namespace that have not", func(s *stage) {
		s.cluster.sick, s.runner.Limits.UnrecoveredPerNamespace = true, 1
		s.before("shop", "other", time.Minute, false)
		s.before("team", "another", time.Minute, false)
	}, func(s *stage) { s.runner.Limits.UnrecoveredPerNamespace = 2 }, false},
	{"MAX_KILLS_PER_DAY", OverBudget, "and there are 1 kills in the cluster today", func(s *stage) {
		s.runner.Limits.KillsPerDay = 1
		s.before("team", "other", time.Minute, true)
	}, func(s *stage) { s.runner.Limits.KillsPerDay = 2 }, false},
	{"MAX_KILLS_PER_DAY_PER_NAMESPACE", OverBudget, "and there are 1 kills in its namespace today", func(s *stage) {
		s.runner.Limits.KillsPerDayPerNamespace = 1
		s.before("shop", "other", time.Minute, true)
		s.before("team", "another", time.Minute, true)
	}, func(s *stage) { s.runner.Limits.KillsPerDayPerNamespace = 2 }, false},
	{"MIN_TIME_BETWEEN_ANY_KILLS", OverBudget, "MIN_TIME_BETWEEN_ANY_KILLS is 31s, and another kill is 30s away", func(s *stage) {
		s.runner.Limits.BetweenAny = 31 * time.Second
		s.before("team", "other", 30*time.Second, true)
	}, func(s *stage) { s.runner.Limits.BetweenAny = 30 * time.Second }, false},
	{"what its owner believes does not hold", Hypothesis, "hypothesis slo, probe serves: down for", func(s *stage) {
		s.runner.Hypotheses = believe(&service{down: -1})
	}, func(s *stage) { s.runner.Hypotheses = believe(&service{}) }, false},
	{"more would die than a record holds", OverBudget, "2000 are the most that a record holds", func(s *stage) {
		s.terms.Scale = victims.Scale{Mode: victims.KillAll}
		for i := range mostTargets - 2 {
			s.cluster.pods = append(s.cluster.pods, victims.Pod{Name: fmt.Sprint("more-", i), UID: fmt.Sprint("more-", i), Running: true, Ready: true})
		}
	}, func(s *stage) { s.cluster.pods = s.cluster.pods[1:] }, false},
}

func TestEachReasonSparesAndItsTwinDoesNot(t *testing.T) {
	for _, row := range rows {
		t.Run(row.why, func(t *testing.T) {
			o, died := play(t, row.world)
			if o.Verdict != Vetoed || o.Reason != row.reason || !strings.Contains(o.Message, row.words) || died > 0 {
				t.Errorf("%d pods died, verdict %q, reason %q, message %q; want it spared for %q, %q", died, o.Verdict, o.Reason, o.Message, row.reason, row.words)
			}
			if o, died := play(t, row.world, row.but); died == 0 || o.Verdict == Vetoed {
				t.Errorf("its twin: %d pods died, verdict %q, reason %q, message %q; want it killed", died, o.Verdict, o.Reason, o.Message)
			}
		})
	}
	t.Run("it is later than LATE_GRACE", func(t *testing.T) {
		for late, want := range map[time.Duration]Verdict{time.Minute + time.Millisecond: Missed, time.Minute: Recovered} {
			if o, died := play(t, func(s *stage) { s.late = late }); o.Verdict != want || (died > 0) != (want == Recovered) {
				t.Errorf("%s late: %d pods died, verdict %q, message %q; want %s", late, died, o.Verdict, o.Message, want)
			}
		}
	})
}

// What 'caprice explain' says is what a kill goes by.
func TestAnInspectionSaysWhatSpares(t *testing.T) {
	for _, row := range rows {
		if row.unseen {
			continue
		}
		t.Run(row.why, func(t *testing.T) {
			var veto *Veto // or an error, where it says that it does not know
			if err := inspect(t, row.reason, row.world); err == nil || errors.As(err, &veto) && !strings.Contains(err.Error(), row.words) {
				t.Errorf("gate %s says %v, want %q", row.reason, err, row.words)
			}
			if err := inspect(t, row.reason, row.world, row.but); errors.As(err, &veto) {
				t.Errorf("its twin: gate %s says %v, want that it passes", row.reason, err)
			}
		})
	}
}

// inspect inspects the workload at the instant of its first kill, and returns what one gate answers. Each gate has to.
func inspect(t *testing.T, gate Reason, changes ...func(*stage)) (answer error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, subject, _ := newStage(t, changes...)
		time.Sleep(time.Until(s.at))
		i := s.runner.Inspect(t.Context(), subject.Workload)
		answers := map[Reason]error{}
		for _, a := range i.Answers {
			if _, twice := answers[a.Gate]; twice {
				t.Errorf("gate %s answers twice", a.Gate)
			}
			answers[a.Gate] = a.Err
		}
		answer = answers[gate]
		for _, reason := range Vetoes {
			if _, asked := answers[reason]; !asked && answers[OptedOut] == nil {
				t.Errorf("it says nothing of %s", reason)
			}
		}
	})
	return answer
}

// A reason that is added needs a row. Partial and Gone spare nobody.
func TestEachReasonHasARow(t *testing.T) {
	reasons, err := constants("verdict.go", "Reason")
	if err != nil || len(reasons) < 14 {
		t.Fatalf("reasons %v, %v, want them all", reasons, err)
	}
	have := map[Reason]bool{Partial: true, Gone: true}
	for _, row := range rows {
		have[row.reason] = true
	}
	for _, reason := range reasons {
		if !have[Reason(reason)] {
			t.Errorf("reason %s has no row of a world in which it spares and of its twin", reason)
		}
	}
}

// constants returns the values of all constants of a type in a file.
func constants(path, of string) (values []string, err error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return nil, err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == of {
			for _, v := range spec.Values {
				text, wrong := strconv.Unquote(v.(*ast.BasicLit).Value)
				values, err = append(values, text), errors.Join(err, wrong)
			}
		}
		return true
	})
	return values, err
}
