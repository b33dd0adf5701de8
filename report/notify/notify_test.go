package notify

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"text/template"
	"time"

	"github.com/golang/glog"

	"caprice/calendar"
	"caprice/chaos"
	"caprice/victims"
)

// secret is in every URL, and must be in no log and no error.
const secret = "S3CR3Tk1l2m3n4o5p6q7r8s9t0"

var logs string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if http.DefaultClient.Timeout != patience {
			fmt.Println("a webhook may hang forever")
			return 1
		}
		http.DefaultClient.Timeout = 3 * time.Second // what is held up for longer is sent again, and a loaded machine holds up
		var err error
		if logs, err = os.MkdirTemp("", "logs"); err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(logs) }()
		if err := flag.Set("log_dir", logs); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

// logged returns everything that was logged by now.
func logged(t *testing.T) string {
	t.Helper()
	glog.Flush()
	files, err := filepath.Glob(filepath.Join(logs, "*.log.INFO.*"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// receiver is a service that takes what it is told to take.
type receiver struct {
	mu     sync.Mutex
	texts  []string // that it took
	asked  int
	answer func(asked int) error // nil: it takes all
}

func (r *receiver) send(text string, _ any) error {
	r.mu.Lock()
	r.asked++
	asked := r.asked
	r.mu.Unlock()
	if r.answer != nil {
		if err := r.answer(asked); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, text)
	return nil
}

// notifier has targets by the names of their receivers, which are told how each kill ended.
func notifier(t *testing.T, receivers map[string]*receiver) *Notifier {
	t.Helper()
	name, err := readTemplate("{{.Name}}", chaos.Verdicts)
	if err != nil {
		t.Fatal(err)
	}
	n := &Notifier{}
	for who, r := range receivers {
		to := &target{name: who, service: r, verdicts: chaos.Verdicts, template: name}
		to.open()
		n.targets = append(n.targets, to)
	}
	return n
}

// running runs it; stop ends it.
func running(t *testing.T, n *Notifier) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { n.Run(ctx) })
	return func() { cancel(); run.Wait() }
}

func (n *Notifier) count(t *testing.T, name string) Count {
	t.Helper()
	for _, c := range n.Counts() {
		if c.Target == name {
			return c
		}
	}
	t.Fatalf("there is no target %s", name)
	return Count{}
}

func ended(name string, v chaos.Verdict) chaos.Outcome {
	return chaos.Outcome{Record: chaos.Record{Workload: victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: name, UID: name}}, Ended: true, Verdict: v}
}

func TestAHangingReceiverDelaysNobodyAndTheOldestGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		good, dead := &receiver{}, &receiver{answer: func(int) error { <-release; return errors.New("too late") }}
		n := notifier(t, map[string]*receiver{"good": good, "dead": dead})
		stop := running(t, n)
		const kills = 20 * 60 * 5 // 20 a second for five minutes
		for i := range kills {
			before := time.Now()
			n.Ended(ended(fmt.Sprint(i), chaos.Recovered))
			if took := time.Since(before); took > 0 {
				t.Fatalf("it took %s to tell of kill %d", took, i)
			}
			time.Sleep(time.Second / 20)
		}
		synctest.Wait()
		if len(good.texts) != kills || good.texts[0] != "0" || good.texts[kills-1] != fmt.Sprint(kills-1) {
			t.Errorf("the other receiver got %d, want all %d in their order", len(good.texts), kills)
		}
		if got := n.count(t, "dead"); got != (Count{Target: "dead", Dropped: kills - room - 1}) || dead.asked != 1 {
			t.Errorf("of the dead receiver's: %+v, asked %d times; want one under way, %d waiting, the rest dropped", got, dead.asked, room)
		}
		for _, to := range n.targets {
			if l, ok := to.next(); to.name == "dead" && (!ok || l.data.(Message).Name != fmt.Sprint(kills-room)) {
				t.Errorf("the one that has waited longest is %v, want %d", l.data, kills-room)
			}
		}
		stop()
		close(release)
	})
}

func TestWhatIsNotTakenIsTriedAgain(t *testing.T) {
	for _, test := range []struct {
		why    string
		answer func(int) error
		asked  int
		within time.Duration
		want   Count
	}{
		{"it is taken", nil, 1, 0, Count{Sent: 1}},
		{"at the third time", func(n int) error { return until(3, n, errors.New("502 Bad Gateway")) }, 3, 5 * time.Second, Count{Sent: 1}},
		{"never", func(int) error { return errors.New("connection refused") }, attempts, 23 * time.Second, Count{Failed: 1}},
		{"never, as it says", func(int) error { return errors.New("oh: 404 Not Found") }, 1, 0, Count{Failed: 1}},
		{"later, as it says", func(n int) error { return until(2, n, errors.New("429 Too Many Requests")) }, 2, 2 * time.Second, Count{Sent: 1}},
		{"what takes it goes mad", func(int) error { panic("mad") }, attempts, 23 * time.Second, Count{Failed: 1}},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &receiver{answer: test.answer}
				n := notifier(t, map[string]*receiver{"it": r})
				defer running(t, n)()
				n.Ended(ended("web", chaos.Recovered))
				time.Sleep(test.within)
				synctest.Wait()
				test.want.Target = "it"
				if got := n.count(t, "it"); got != test.want || r.asked != test.asked {
					t.Errorf("asked %d times, then %+v; want %d and %+v", r.asked, got, test.asked, test.want)
				}
			})
		})
	}
}

// until returns an error before the n-th time.
func until(n, time int, err error) error {
	if time < n {
		return err
	}
	return nil
}

func TestTheEndWaitsAMomentAndNoLonger(t *testing.T) {
	for _, test := range []struct {
		why    string
		answer func(chan struct{}) error
		takes  time.Duration
		want   Count
		asked  int
	}{
		{"what waits is sent", func(chan struct{}) error { time.Sleep(lastWords / 4); return nil }, 3 * lastWords / 4, Count{Sent: 3}, 3},
		{"a receiver that hangs is left behind", func(release chan struct{}) error { <-release; return nil }, lastWords, Count{Dropped: 3}, 1},
		{"one that refuses is asked no more", func(chan struct{}) error { return errors.New("503 Service Unavailable") }, 0, Count{Dropped: 3}, 3},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				r := &receiver{answer: func(int) error { return test.answer(release) }}
				n := notifier(t, map[string]*receiver{"it": r})
				for i := range 3 {
					n.Ended(ended(fmt.Sprint(i), chaos.Recovered))
				}
				began := time.Now()
				running(t, n)()
				test.want.Target = "it"
				synctest.Wait()
				if got := n.count(t, "it"); time.Since(began) != test.takes || got != test.want || r.asked != test.asked {
					t.Errorf("it took %s, asked %d times and left %+v, want %s, %d and %+v", time.Since(began), r.asked, got, test.takes, test.asked, test.want)
				}
				close(release)
			})
		})
	}
}

func TestWhatWaitsWhileAReceiverIsAwayIsSentAtTheEndIfItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var back atomic.Bool
		n := notifier(t, map[string]*receiver{"it": {answer: func(int) error {
			if !back.Load() {
				return errors.New("503 Service Unavailable")
			}
			return nil
		}}})
		for i := range 20 {
			n.Ended(ended(fmt.Sprint(i), chaos.Recovered))
		}
		stop := running(t, n)
		time.Sleep(4 * time.Second) // in the longest pause of the first
		back.Store(true)
		stop()
		if got := n.count(t, "it"); got.Sent != 20 {
			t.Errorf("%+v, want all sent", got)
		}
	})
}

// A target that is down for a day is one line of the log, and not one for each kill.
func TestThatOthersWereDroppedIsLoggedOnceUntilATargetHasCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		n := notifier(t, map[string]*receiver{"brimming": {answer: func(int) error {
			for !up.Load() {
				time.Sleep(time.Second)
			}
			return nil
		}}})
		defer running(t, n)()
		dropped := func() int { return strings.Count(logged(t), "notifications dropped target=brimming ") }
		before := dropped() // by an earlier run of this test
		for _, lines := range []int{1, 2} {
			for range room + 10 {
				n.Ended(ended("web", chaos.Recovered))
			}
			if got := dropped() - before; got != lines {
				t.Errorf("it is logged %d times, want %d", got, lines)
			}
			up.Store(true)
			time.Sleep(2 * time.Second)
			up.Store(false)
		}
	})
}

// Those that have had it are not sent it once more.
func TestWhatSomeHaveTakenIsTriedAgainWithTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rest := &receiver{}
		all := &receiver{answer: func(int) error { return &undelivered{rest, errors.New("451 Try Again Later")} }}
		n := notifier(t, map[string]*receiver{"it": all})
		defer running(t, n)()
		n.Ended(ended("web", chaos.Recovered))
		time.Sleep(2 * time.Second)
		if got := n.count(t, "it"); got.Sent != 1 || all.asked != 1 || rest.asked != 1 {
			t.Errorf("%+v, and all were sent it %d times, the others %d; want it sent, once to each", got, all.asked, rest.asked)
		}
	})
}

func TestATextThatItsTemplateCannotWriteIsTheUsualOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		n := notifier(t, map[string]*receiver{"it": r})
		n.targets[0].template = template.Must(template.New("it").Parse("Dear {{index .Pods 0}}"))
		defer running(t, n)()
		o := ended("web", chaos.Missed)
		want, err := n.message(o).Text()
		if err != nil {
			t.Fatal(err)
		}
		n.Ended(o)
		synctest.Wait()
		if fmt.Sprint(r.texts) != fmt.Sprint([]string{want}) {
			t.Errorf("sent is %q, want %q alone", r.texts, want)
		}
	})
}

func TestWhoIsToldOfWhat(t *testing.T) {
	n, err := parse(strings.NewReader(`
targets:
  - {name: sre, url: "ntfy://127.0.0.1/sre", morning: true}
  - {name: all, url: "ntfy://127.0.0.1/all", verdicts: [Recovered, Vetoed, Rehearsed]}
  - {name: shop-team, url: "ntfy://127.0.0.1/shop", verdicts: [Recovered, NotRecovered], byLabel: true}
  - {name: team-x, url: "ntfy://127.0.0.1/x", verdicts: [NotRecovered], byLabel: true, morning: true}
  - {name: early, url: "ntfy://127.0.0.1/early", verdicts: [], morning: true}
`))
	if err != nil {
		t.Fatal(err)
	}
	label := ""
	n.Asked = func(victims.Workload) string { return label }
	for _, test := range []struct {
		why     string
		label   string
		verdict chaos.Verdict
		want    string
	}{
		{"who names no verdicts is told of bad ones", "", chaos.NotRecovered, "sre"},
		{"and of failures", "", chaos.Failed, "sre"},
		{"and of no good ones", "", chaos.Recovered, "all"},
		{"nobody wants to know", "", chaos.Missed, ""},
		{"the owner names one besides", "shop-team", chaos.NotRecovered, "sre shop-team"},
		{"which wants good ones too", "shop-team", chaos.Recovered, "all shop-team"},
		{"the owner names two", "shop-team.team-x", chaos.NotRecovered, "sre shop-team team-x"},
		{"one that there is not", "shop-taem", chaos.NotRecovered, "sre"},
		{"one that is told anyway, once", "sre", chaos.NotRecovered, "sre"},
		{"dots alone", "..", chaos.Vetoed, "all"},
		{"one that wants no verdicts", "early", chaos.Failed, "sre"},
	} {
		label = test.label
		n.Ended(ended("web", test.verdict))
		var told []string
		for _, to := range n.targets {
			for range to.waiting {
				told = append(told, to.name)
			}
			to.waiting = nil
		}
		if got := strings.Join(told, " "); got != test.want {
			t.Errorf("%s: %s with label %q is told to %q, want %q", test.why, test.verdict, test.label, got, test.want)
		}
	}
	n.Planned(chaos.DayPlan{Date: calendar.Date{Year: 2026, Month: 3, Day: 2}, Kills: 12, Workloads: 40})
	for _, to := range n.targets {
		if wants := to.name == "sre" || to.name == "team-x" || to.name == "early"; (len(to.waiting) == 1) != wants {
			t.Errorf("in the morning %s is told %d times", to.name, len(to.waiting))
		}
	}
	if !strings.Contains(logged(t), `notification target unknown target="shop-taem" workload=shop/Deployment/web`) {
		t.Error("a name that there is not is not logged")
	}
}

// docs/notifications.md promises them.
func TestAReceiverHasTenSecondsAndAMailAMinute(t *testing.T) {
	if patience > 10*time.Second || longest > time.Minute {
		t.Errorf("an answer is waited for %s, a mail %s", patience, longest)
	}
}
