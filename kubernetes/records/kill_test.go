package records

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"caprice/api/v1alpha1"
	"caprice/calendar"
	"caprice/chaos"
	"caprice/victims"
)

func TestARecordHasRoomForManyPodsThatAreRefused(t *testing.T) {
	for _, test := range []struct{ pods, longest, most int }{{1, 1024, 2500}, {2000, 120, 1500 << 10}} {
		o := chaos.Outcome{Record: chaos.Record{Workload: victims.Workload{Namespace: "shop", Name: "web", UID: "uid"}, Planned: time.Now()}}
		for i := range test.pods {
			p := victims.Pod{Name: fmt.Sprintf("%s-%05d", strings.Repeat("w", 57), i), UID: "4f5e7a3c-0000-4000-8000-000000000000", Node: strings.Repeat("n", 253)}
			o.Targets = append(o.Targets, p)
			o.Pods = append(o.Pods, chaos.Death{Pod: p, At: time.Now(), Err: errors.New(strings.Repeat("it is protected; ", 100))})
		}
		kill := newKill(o.Record, "holder")
		kill.Status = newStatus(o)
		said, err := json.Marshal(kill)
		if shortest := kill.Status.Pods[0].Error; err != nil || len(said) > test.most || len(shortest) < test.longest {
			t.Errorf("of %d pods it has %d bytes, %v, and of each %q; want %d at most, and %d of each", test.pods, len(said), err, shortest, test.most, test.longest)
		}
	}
}

func TestWhatAProbeFoundIsWrittenDown(t *testing.T) {
	at := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	s := newStatus(chaos.Outcome{Ended: true, Verdict: chaos.Disproved, Findings: []chaos.Finding{
		{Hypothesis: "slo", Probe: "serves", Worst: strings.Repeat("x", 300), WrongFor: 1234567 * time.Microsecond, Samples: 3, Since: at},
	}})
	if len(s.Probes) != 1 {
		t.Fatalf("probes are %+v, want one", s.Probes)
	}
	if p := s.Probes[0]; p.Hypothesis != "slo" || p.Probe != "serves" || p.Met || len(p.Worst) != 256 || p.WrongFor.Duration != 1235*time.Millisecond || p.Samples != 3 || !p.Since.Time.Equal(at) {
		t.Errorf("found %+v", p)
	}
}

// What the next leader reads is what the last one wrote. Of a field that is added it has to be said whether a record keeps it.
func TestARecordIsReadAsItWasWritten(t *testing.T) {
	at := func(seconds int) time.Time { return time.Date(2026, time.March, 4, 12, 0, seconds, 5000, time.UTC) }
	pods := []victims.Pod{{Namespace: "shop", Name: "web-1", UID: "p1", Node: "node-1"}, {Namespace: "shop", Name: "web-2", UID: "p2", Node: "node-2"}}
	written := chaos.Outcome{
		Record: chaos.Record{
			Workload: victims.Workload{Kind: victims.StatefulSet, Namespace: "shop", Name: "web", UID: "uid"}, Planned: at(0), Date: calendar.Date{Year: 2026, Month: time.March, Day: 4},
			Scale: victims.Scale{Mode: victims.KillAll}, Method: victims.Evict, DryRun: true, Nonce: "nonce", Targets: pods, ReadyBefore: 3, ActBefore: at(30),
			Deadline: 90 * time.Second, Generation: 7,
		},
		Claimed: true, Ended: true, Verdict: chaos.NotRecovered, Reason: chaos.Partial, Message: "pod web-2: gone",
		Pods:      []chaos.Death{{Pod: victims.Pod{Namespace: "shop", Name: "web-1", UID: "p1"}, At: at(1)}, {Pod: victims.Pod{Namespace: "shop", Name: "web-2", UID: "p2"}, Err: earlierError("gone")}},
		ClaimedAt: at(0), ExecutedAt: at(1), EndedAt: at(9), Recovery: chaos.Recovery{FirstReady: at(5), Whole: at(8)},
	}
	for field := range reflect.TypeFor[chaos.Record]().Fields() {
		if kept := field.Name != "Request"; reflect.ValueOf(written.Record).FieldByIndex(field.Index).IsZero() == kept {
			t.Errorf("what of %s a record keeps is not tried", field.Name)
		}
	}
	kill := newKill(written.Record, "caprice-1")
	kill.Status = newStatus(written)
	kill.Spec.Planned.Time = kill.Spec.Planned.UTC()
	if got := outcomeOf(kill); !reflect.DeepEqual(got, written) {
		t.Errorf("written\n%+v\nread\n%+v", written, got)
	}
}

func TestThatAKillWasInferredIsReadFromItsRecord(t *testing.T) {
	at := time.Date(2026, time.March, 4, 12, 0, 0, 123456000, time.UTC)
	for _, test := range []struct {
		why               string
		claimed, executed time.Duration // after it was planned
		inferred          bool
	}{
		{"it struck on time", -time.Second, time.Microsecond, false},
		{"it struck late", time.Second, 1002 * time.Millisecond, false},
		{"it may have struck on time", -time.Second, 0, true},
		{"it may have struck late", time.Second, time.Second, true},
	} {
		pod := victims.Pod{Namespace: "shop", Name: "web-1", UID: "p1"}
		o := chaos.Outcome{
			Record:    chaos.Record{Workload: victims.Workload{Namespace: "shop", Name: "web", UID: "uid"}, Planned: at, Targets: []victims.Pod{pod}},
			ClaimedAt: at.Add(test.claimed), ExecutedAt: at.Add(test.executed), Pods: []chaos.Death{{Pod: pod, At: at.Add(test.executed)}},
		}
		kill := newKill(o.Record, "caprice-1")
		kill.Status = newStatus(o)
		if got := outcomeOf(kill).Inferred; got != test.inferred {
			t.Errorf("%s: it is inferred: %v, want %v", test.why, got, test.inferred)
		}
	}
}

func TestARecordThatWasCreatedLongAfterItCouldActIsRestored(t *testing.T) {
	noon := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		why      string
		created  time.Duration // after it could act
		phase    v1alpha1.Phase
		restored bool
	}{
		{"it is claimed", -time.Minute, "", false},
		{"it was missed in an outage", time.Hour, "", false},
		{"a tool has created it anew", time.Hour + time.Second, "", true},
		{"and with its status of then", time.Hour + time.Second, v1alpha1.Executed, true},
		{"it has ended", time.Hour + time.Second, v1alpha1.Ended, false},
	} {
		kill := newKill(chaos.Record{ActBefore: noon}, "h")
		kill.CreationTimestamp.Time, kill.Status.Phase = noon.Add(test.created), test.phase
		if got := outcomeOf(kill).Restored; got != test.restored {
			t.Errorf("%s: it was restored: %v, want %v", test.why, got, test.restored)
		}
	}
}

func TestWhatIsAskedForIsReadWhole(t *testing.T) {
	for _, test := range []struct {
		why     string
		asked   v1alpha1.Request
		want    chaos.Request
		problem bool
	}{
		{"as its owner has it", v1alpha1.Request{By: "kim"}, chaos.Request{By: "kim"}, false},
		{"rehearsed", v1alpha1.Request{By: "kim", DryRun: true}, chaos.Request{By: "kim", DryRun: true}, false},
		{"a mode without a value", v1alpha1.Request{Mode: "kill-all"}, chaos.Request{Scale: victims.Scale{Mode: victims.KillAll}}, false},
		{"a mode and its value", v1alpha1.Request{Mode: "fixed-percent", Value: new(int32(50))}, chaos.Request{Scale: victims.Scale{Mode: victims.FixedPercent, Value: 50}}, false},
		{"a mode that wants one", v1alpha1.Request{Mode: "fixed-percent"}, chaos.Request{Scale: victims.Scale{Mode: victims.FixedPercent}}, true},
		{"a value of no mode", v1alpha1.Request{Value: new(int32(2))}, chaos.Request{}, true},
	} {
		kill := &v1alpha1.Kill{Spec: v1alpha1.KillSpec{Request: &test.asked}}
		got := requestOf(kill)
		if got.By != test.want.By || got.DryRun != test.want.DryRun || got.Scale != test.want.Scale || (got.Problem != nil) != test.problem {
			t.Errorf("%s: %+v, want %+v, and a problem: %v", test.why, got, test.want, test.problem)
		}
	}
}
