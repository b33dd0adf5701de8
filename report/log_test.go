package report

import (
	"errors"
	"flag"
	"io"
	"os"
	"regexp"
	"testing"
	"time"

	"caprice/calendar"
	"caprice/chaos"
	"caprice/victims"
)

// logged returns what is written to standard error.
func logged(t *testing.T, do func()) string {
	t.Helper()
	if err := flag.Set("logtostderr", "true"); err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = write
	do()
	os.Stderr = stderr
	_ = write.Close()
	text, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEachStepIsOneLine(t *testing.T) {
	log := Log{RecordName: func(uid string, _ time.Time) string { return "20260304-120000-" + uid }}
	record := chaos.Record{Workload: web, Planned: noon}
	vetoed := anOutcome(chaos.Vetoed, chaos.Rollout)
	vetoed.Message = "a rollout has to finish first:\n\"two lines\""
	partial, failed := executed(chaos.Recovered, time.Second, time.Second), anOutcome(chaos.Failed, "")
	failed.Pods = partial.Pods[:1]
	for _, test := range []struct {
		why  string
		do   func()
		want string
	}{
		{"a pod died", func() {
			log.Killed(record, chaos.Death{Pod: victims.Pod{Name: "web-1", UID: "1"}, At: noon.Add(1234567 * time.Nanosecond)})
		},
			`I pod killed workload=shop/Deployment/web pod=web-1 uid=1 planned=2026-03-04T12:00:00Z lateness=1ms kill=shop/20260304-120000-uid-of-web`},
		{"one that somebody has asked for", func() {
			asked := record
			asked.Request = &chaos.Request{By: "jane@example.com"}
			log.Killed(asked, chaos.Death{Pod: victims.Pod{Name: "web-1", UID: "1"}, At: noon})
		},
			`I pod killed workload=shop/Deployment/web pod=web-1 uid=1 planned=2026-03-04T12:00:00Z lateness=0s kill=shop/20260304-120000-uid-of-web requestedBy="jane@example.com"`},
		{"a kill ended", func() { log.Ended(vetoed) },
			`I kill ended workload=shop/Deployment/web planned=2026-03-04T12:00:00Z verdict=Vetoed reason=Rollout pods=0 message="a rollout has to finish first:\n\"two lines\"" kill=shop/20260304-120000-uid-of-web`},
		{"one of two pods was removed", func() { log.Ended(partial) },
			`I kill ended workload=shop/Deployment/web planned=2026-03-04T12:00:00Z verdict=Recovered reason= pods=1 message="" kill=shop/20260304-120000-uid-of-web`},
		{"none was, and its record could not be written", func() { log.Unrecorded(failed, errors.New("no room")) },
			`W kill not recorded workload=shop/Deployment/web planned=2026-03-04T12:00:00Z verdict=Failed reason= pods=0 error="no room" kill=shop/20260304-120000-uid-of-web`},
		{"a record could not be written", func() { log.Unrecorded(anOutcome(chaos.Missed, ""), errors.New("no\nroom")) },
			`W kill not recorded workload=shop/Deployment/web planned=2026-03-04T12:00:00Z verdict=Missed reason= pods=0 error="no\nroom" kill=shop/20260304-120000-uid-of-web`},
		{"something cannot be done now", func() { log.Trouble("reading records and halts", errors.New("no answer")) },
			`W trouble doing="reading records and halts" error="no answer"`},
		{"a day opens", func() {
			log.Planned(chaos.DayPlan{Date: calendar.Date{Year: 2026, Month: time.March, Day: 4}, Kills: 7, Workloads: 3})
		},
			`I day planned date=2026-03-04 kills=7 workloads=3`},
	} {
		t.Run(test.why, func(t *testing.T) {
			got := regexp.MustCompile(`(?m)^([IW])\d{4} .*?\] `).ReplaceAllString(logged(t, test.do), "$1 ")
			if got != test.want+"\n" {
				t.Errorf("it logs\n%swant\n%s", got, test.want)
			}
		})
	}
}
