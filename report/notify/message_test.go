package notify

import (
	"errors"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"caprice/calendar"
	"caprice/chaos"
	"caprice/victims"
)

func TestTheTextSaysWhatWhereAndWhetherItHealed(t *testing.T) {
	planned := time.Date(2026, 3, 2, 10, 14, 2, 0, time.UTC)
	at := planned.Add(3 * time.Second)
	pods := func(names ...string) (deaths []chaos.Death) {
		for _, name := range names {
			deaths = append(deaths, chaos.Death{Pod: victims.Pod{Name: name}, At: at})
		}
		return append(deaths, chaos.Death{Pod: victims.Pod{Name: "web-spared"}, At: at, Err: errors.New("no")})
	}
	const command = "\nkubectl get kill -n shop 20260302-101402-18fa60d54802f14d -o yaml"
	for _, test := range []struct {
		why  string
		o    chaos.Outcome
		want string
	}{
		{"it healed", chaos.Outcome{Verdict: chaos.Recovered, Pods: pods("web-1"), ExecutedAt: at, Recovery: chaos.Recovery{Whole: at.Add(12345 * time.Millisecond)}},
			"[prod] shop/Deployment/web recovered in 12.3s from the loss of pod web-1 at 11:14:05 CET" + command},
		{"it did not", chaos.Outcome{Verdict: chaos.NotRecovered, Message: "it was not whole within 2m30s", Pods: pods("web-1", "web-2"), ExecutedAt: at},
			"[prod] shop/Deployment/web has NOT recovered from the loss of pods web-1, web-2 at 11:14:05 CET: it was not whole within 2m30s" + command},
		{"three pods", chaos.Outcome{Verdict: chaos.Rehearsed, Pods: pods("a", "b", "c"), ExecutedAt: at},
			"[prod] shop/Deployment/web would have lost pods a, b, c at 11:14:05 CET, and nothing was killed" + command},
		{"a part of many", chaos.Outcome{Verdict: chaos.NotRecovered, Reason: chaos.Partial, Message: "halted", Pods: pods("a", "b", "c", "d"), ExecutedAt: at},
			"[prod] shop/Deployment/web has NOT recovered from the loss of 4 pods, a, b, c and others at 11:14:05 CET (Partial): halted" + command},
		{"a dry run", chaos.Outcome{Record: chaos.Record{DryRun: true}, Verdict: chaos.Rehearsed, Pods: pods("web-1"), ExecutedAt: at},
			"[prod] dry run: shop/Deployment/web would have lost pod web-1 at 11:14:05 CET, and nothing was killed" + command},
		{"it was spared", chaos.Outcome{Verdict: chaos.Vetoed, Reason: chaos.Rollout, Message: "1 of 2 updated"},
			"[prod] shop/Deployment/web was spared at 11:14:02 CET (Rollout): 1 of 2 updated" + command},
		{"it failed", chaos.Outcome{Verdict: chaos.Failed, Message: "forbidden"},
			"[prod] shop/Deployment/web: the kill of 11:14:02 CET ended as Failed: forbidden" + command},
	} {
		test.o.Workload = victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "1"}
		test.o.Planned = planned
		n := &Notifier{cluster: "prod", Zone: zone(t)}
		if got, err := n.message(test.o).Text(); got != test.want || err != nil {
			t.Errorf("%s:\n%s (%v), want\n%s", test.why, got, err, test.want)
		}
	}
	n := &Notifier{}
	n.targets = []*target{{verdicts: chaos.Verdicts}}
	n.targets[0].open()
	open := ended("web", "")
	open.Ended = false
	n.Unrecorded(open, errors.New("no room"))
	n.Unrecorded(ended("web", chaos.Missed), errors.New("no room"))
	if got, err := n.targets[0].waiting[0].data.(Message).Text(); len(n.targets[0].waiting) != 1 || err != nil || got != "shop/Deployment/web: the kill of 00:00:00 UTC ended as Missed: it has no record: no room" {
		t.Errorf("a kill without a record is told %d times, as\n%s (%v)", len(n.targets[0].waiting), got, err)
	}
}

func TestWhatIsTooLongIsCut(t *testing.T) {
	for _, test := range []struct {
		why                string
		pods, runes        int
		names, toldInRunes int
	}{
		{"as much as there is room for", mostPods, mostDetail, mostPods, mostDetail},
		{"one more of each", mostPods + 1, mostDetail + 1, mostPods, mostDetail + len("...")},
	} {
		o := ended("web", chaos.NotRecovered)
		o.Pods, o.Message = make([]chaos.Death, test.pods), strings.Repeat("é", test.runes)
		m := (&Notifier{}).message(o)
		if len(m.Pods) != test.names || m.Killed != test.pods || utf8.RuneCountInString(m.Detail) != test.toldInRunes {
			t.Errorf("%s: told are %d names of %d pods, and %d runes; want %d of %d, and %d", test.why, len(m.Pods), m.Killed, utf8.RuneCountInString(m.Detail), test.names, test.pods, test.toldInRunes)
		}
	}
}

func zone(t *testing.T) *time.Location {
	var z calendar.Zone
	if err := z.UnmarshalText([]byte("Europe/Berlin")); err != nil {
		t.Fatal(err)
	}
	return z.Location()
}

func TestTheMorningSaysHowManyAndNothingElse(t *testing.T) {
	var text strings.Builder
	if err := morning.Execute(&text, Morning{"prod", "2026-03-02", 12, 40, true}); err != nil {
		t.Fatal(err)
	}
	if want := "[prod] dry run: kills planned for 2026-03-02: 12, of 40 workloads that opted in"; text.String() != want {
		t.Errorf("it says %q, want %q", &text, want)
	}
}

// What is promised to whoever reads it by program.
func TestThePageHasTheFieldsAndTheText(t *testing.T) {
	page := manual(t)
	if !strings.Contains(page, "```\n"+standard+"\n```") {
		t.Errorf("it has another text than\n%s", standard)
	}
	named := map[string]bool{"message": true}
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*`) \\|").FindAllStringSubmatch(page[strings.Index(page, "## JSON"):], -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			named[strings.Trim(name, "`")] = true
		}
	}
	for field := range reflect.TypeFor[Message]().Fields() {
		if tag := field.Tag.Get("json"); tag != "-" && !named[tag] {
			t.Errorf("it does not name the field %s", tag)
		}
		delete(named, field.Tag.Get("json"))
	}
	if delete(named, "message"); len(named) > 0 {
		t.Errorf("it names fields that there are not: %v", named)
	}
}

func manual(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/notifications.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
