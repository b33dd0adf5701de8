package alerts

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"caprice/chaos"
	"caprice/victims"
)

// read returns what a text is read as.
func read[T any, P interface {
	*T
	UnmarshalText([]byte) error
}](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := P(&value).UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return value
}

// listed is what a server of alerts answers, at the path that ends its URL.
func listed(t *testing.T, path string, answer http.HandlerFunc) *Alerts {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return &Alerts{Address: read[Address](t, server.URL+path), Matchers: read[Matchers](t, `severity="page"`)}
}

const (
	ofAlertmanager = "/prefix/api/v2/alerts"
	ofPrometheus   = "/api/v1/alerts"
)

// says is the answer of a server behind no network.
type says string

func (s says) RoundTrip(*http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	_, _ = answer.WriteString(string(s))
	return answer.Result(), nil
}

func TestAnAlertHaltsChaosWhileItFires(t *testing.T) {
	am := func(severity, state string) string {
		return `{"annotations": {}, "endsAt": "2026-03-04T12:04:00.000Z", "fingerprint": "78b1", "receivers": [{"name": "web"}], "startsAt": "2026-03-04T12:00:00.123Z", "updatedAt": "2026-03-04T12:01:00.000Z", "generatorURL": "",
			"status": {"inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "` + state + `"}, "labels": {"alertname": "Errors", "severity": "` + severity + `"}}`
	}
	prom := func(severity, state string) string {
		return `{"activeAt": "2026-03-04T12:00:00.123Z", "annotations": {}, "labels": {"alertname": "Errors", "severity": "` + severity + `"}, "state": "` + state + `", "value": "1e+00"}`
	}
	of := func(alerts string) string { return `{"status": "success", "data": {"alerts": [` + alerts + `]}}` }
	const halts, one = "-", `alert Errors fires since 2026-03-04T12:00:00Z severity="page"`
	for _, test := range []struct {
		why, path, body string
		want            string // nothing, halts and the message of the veto, or the end of another error
	}{
		{"Alertmanager has none", ofAlertmanager, "[]", ""},
		{"Alertmanager has one", ofAlertmanager, "[" + am("page", "active") + "]", halts + one},
		{"Alertmanager has two", ofAlertmanager, "[" + am("page", "active") + "," + am("page", "active") + "]", halts + one + ", and so do 1 others"},
		{"of a label that is not meant", ofAlertmanager, "[" + am("ticket", "active") + "]", ""},
		{"that is silenced or inhibited", ofAlertmanager, "[" + am("page", "suppressed") + "]", ""},
		{"that Alertmanager has yet to look at", ofAlertmanager, "[" + am("page", "unprocessed") + "]", halts + one},
		{"Alertmanager says null", ofAlertmanager, "null", "want a list of alerts, as Alertmanager has it: there is none"},
		{"Alertmanager answers as Prometheus does", ofAlertmanager, of(""), "cannot unmarshal object into Go value of type []struct"},
		{"Prometheus has none", ofPrometheus, of(""), ""},
		{"Prometheus has one", ofPrometheus, of(prom("page", "firing")), halts + one},
		{"that waits until it has held for long enough", ofPrometheus, of(prom("page", "pending")), ""},
		{"in a state that nobody knows", ofPrometheus, of(prom("page", "blazing")), halts + one},
		{"one of two is meant", ofPrometheus, of(prom("ticket", "firing") + "," + prom("page", "firing")), halts + one},
		{"of two that one asks for all one is away", ofPrometheus, `{"status": "success", "warnings": ["fetch rules from ruler-1: connection refused"], "data": {"alerts": []}}`, "want all alerts, the answer says that it may be partial"},
		{"and it says so in another way", ofPrometheus, `{"status": "success", "isPartial": true, "data": {"alerts": []}}`, "want all alerts, the answer says that it may be partial"},
		{"Prometheus has failed", ofPrometheus, `{"status": "error", "data": {"alerts": []}}`, "as Prometheus has it: there is none"},
		{"Prometheus says nothing of alerts", ofPrometheus, `{"status": "success", "data": {}}`, "as Prometheus has it: there is none"},
		{"an answer that is cut short", ofPrometheus, of("")[:20], "unexpected end of JSON input"},
		{"an answer that is too long", ofPrometheus, of(strings.Repeat(" ", most)), "the answer has more than 4194304 bytes, want less"},
		{"a page for people", ofPrometheus, "<html>", "as Prometheus has it: invalid character '<' looking for beginning of value"},
	} {
		t.Run(test.why, func(t *testing.T) {
			a := &Alerts{Address: read[Address](t, "http://alerts"+test.path), Matchers: read[Matchers](t, `severity="page"`), through: says(test.body)}
			var err error
			synctest.Test(t, func(t *testing.T) { err = a.Check(t.Context(), victims.Workload{}) }) // however long it takes to read
			var veto *chaos.Veto
			want, halted := strings.CutPrefix(test.want, halts)
			switch {
			case want == "" && err != nil, want != "" && err == nil, errors.As(err, &veto) != halted:
				t.Errorf("%v, want %q", err, test.want)
			case halted && (veto.Reason != chaos.Halted || veto.Message != want):
				t.Errorf("%s: %s, want Halted: %s", veto.Reason, veto.Message, want)
			case want != "" && !halted && (!strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "asking for alerts at "+a.Address.String()+": ")):
				t.Errorf("%v, want the URL and %q", err, want)
			}
		})
	}
}

// Alertmanager lists nothing after a restart until Prometheus sends it again, and Prometheus as pending what fired before its own.
func TestAnAlertThatIsNotListedAnyMoreFiresForAMomentStill(t *testing.T) {
	of := func(state string) string {
		if state == "" {
			return `{"status": "success", "data": {"alerts": []}}`
		}
		return `{"status": "success", "data": {"alerts": [{"activeAt": "2026-03-04T12:00:00Z", "labels": {"alertname": "Errors", "severity": "page"}, "state": "` + state + `"}]}}`
	}
	const fires = `alert Errors fires since 2026-03-04T12:00:00Z severity="page"`
	const nobody = "nobody can tell"
	const fired = `alert Errors is not listed any more, for less than 2m0s, and fired since 2026-03-04T12:00:00Z severity="page"`
	synctest.Test(t, func(t *testing.T) {
		a := &Alerts{Address: read[Address](t, "http://alerts"+ofPrometheus), Matchers: read[Matchers](t, `severity="page"`)}
		for _, test := range []struct {
			wait time.Duration
			says string
			want string
		}{
			{0, "pending", ""}, {time.Second, "firing", fires}, {time.Second, "", fired}, {2*time.Minute - 2*time.Second, "", fired}, {2 * time.Second, "", ""},
			{time.Second, "firing", fires}, {time.Second, "", fired}, {time.Second, "pending", fires}, {time.Minute, "pending", fires}, {time.Minute, "pending", fires},
			{time.Second, "", fired}, {time.Second, "firing", fires}, {time.Second, "inactive", ""}, {time.Second, "pending", ""},
			// However long nobody answers in between, the two minutes begin with the first answer that does not list it.
			{time.Second, "firing", fires}, {time.Minute, nobody, nobody}, {time.Minute, nobody, nobody}, {time.Minute, nobody, nobody}, {time.Minute, "pending", fires},
			{time.Minute, nobody, nobody}, {time.Minute, nobody, nobody}, {time.Minute, nobody, nobody}, {time.Minute, "", fired}, {time.Minute, "", fired}, {time.Minute, "", ""},
			// But where nobody asked, as while another led, nothing is known of it.
			{time.Second, "firing", fires}, {time.Hour, "", ""}, {time.Second, "firing", fires}, {time.Hour, "pending", ""},
		} {
			time.Sleep(test.wait)
			a.through = says(of(test.says))
			if test.says == nobody {
				a.through = says(nobody)
			}
			got := ""
			var veto *chaos.Veto
			if err := a.Check(t.Context(), victims.Workload{}); errors.As(err, &veto) {
				got = veto.Message
			} else if err != nil {
				got = nobody
			}
			if got != test.want {
				t.Errorf("it says %q after %s: %q, want %q", test.says, test.wait, got, test.want)
			}
		}
	})
}

func TestAlertsWhoseLabelsReadAlikeAreTwo(t *testing.T) {
	one, other := map[string]string{"a": "b c:d"}, map[string]string{"a": "b", "c": "d"}
	a := &Alerts{}
	a.remember([]Alert{{Labels: one, state: fires}})
	if firing := a.remember([]Alert{{Labels: other, state: off}}); len(firing) != 1 || !maps.Equal(firing[0].Labels, one) {
		t.Errorf("the other is silenced, and %v fire, want the one that is not listed any more", firing)
	}
}

func TestWhoeverIsAskedKnowsWhatForAndByWhom(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var asked *http.Request
	a := listed(t, ofAlertmanager, func(w http.ResponseWriter, r *http.Request) {
		asked = r
		_, _ = io.WriteString(w, "[]")
	})
	a.Matchers, a.TokenFile = read[Matchers](t, `severity="page",team=~"shop|pay"`), token
	if err := a.Check(t.Context(), victims.Workload{}); err != nil {
		t.Fatal(err)
	}
	query := asked.URL.Query()
	if filters := strings.Join(query["filter"], " "); filters != `severity="page" team=~"shop|pay"` || query.Get("silenced") != "true" || query.Get("inhibited") != "true" {
		t.Errorf("asked for %s", asked.URL)
	}
	if got := asked.Header.Get("Authorization"); got != "Bearer secret" {
		t.Errorf("asked by %q, want the token", got)
	}
	a.TokenFile += "s"
	a.asked = time.Time{}
	if err := a.Check(t.Context(), victims.Workload{}); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("without a token that is wanted: %v", err)
	}
}

func TestNobodyIsFollowedElsewhere(t *testing.T) {
	var strangers atomic.Int32
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		strangers.Add(1)
		_, _ = io.WriteString(w, "[]")
	}))
	defer stranger.Close()
	a := listed(t, ofAlertmanager, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, stranger.URL+ofAlertmanager, http.StatusTemporaryRedirect)
	})
	if err := a.Check(t.Context(), victims.Workload{}); err == nil || !strings.HasSuffix(err.Error(), "the answer is 307 Temporary Redirect, want 200 OK") || strangers.Load() > 0 {
		t.Errorf("%v, and %d requests to the stranger", err, strangers.Load())
	}
}

// What stands between may answer for a server: with a part of what it has, or with something that it has made of that.
func TestAnAnswerThatIsNotOKIsNone(t *testing.T) {
	for _, code := range []int{http.StatusCreated, http.StatusNonAuthoritativeInfo, http.StatusPartialContent, http.StatusServiceUnavailable} {
		a := listed(t, ofAlertmanager, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, "[]")
		})
		if err := a.Check(t.Context(), victims.Workload{}); err == nil || !strings.HasSuffix(err.Error(), ", want 200 OK") {
			t.Errorf("%d: %v, want an error", code, err)
		}
	}
}

// slow is a server that takes a while for each answer, and fails if it is told to.
type slow struct {
	mu    sync.Mutex
	asked int
	takes time.Duration
	fires string
	down  bool
}

func (s *slow) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.asked++
	takes, fires, down := s.takes, s.fires, s.down
	s.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if down {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`[` + fires + `]`))}, nil
}

func (s *slow) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// together has many ask at the same time, and returns how many were answered that nothing fires and how long that took.
func together(a *Alerts, n int) (calm int, took time.Duration) {
	begin := time.Now()
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if a.Check(context.Background(), victims.Workload{}) == nil {
				mu.Lock()
				calm++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return calm, time.Since(begin)
}

func TestAnAnswerIsSharedAndSoonTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{takes: 300 * time.Millisecond}
		a := &Alerts{Address: read[Address](t, "http://am/api/v2/alerts"), Matchers: read[Matchers](t, `severity="page"`), through: s}
		for _, test := range []struct {
			why    string
			wait   time.Duration
			change func()
			calm   int
			took   time.Duration
			asked  int
		}{
			{"a hundred share one answer", 0, func() {}, 100, 300 * time.Millisecond, 1},
			{"it is 399 ms old", 99 * time.Millisecond, func() { s.fires = `{"labels": {"severity": "page"}}` }, 100, 0, 1},
			{"it is 400 ms old, and an alert fires", time.Millisecond, func() {}, 0, 300 * time.Millisecond, 2},
			{"it is silenced", 400 * time.Millisecond, func() { s.fires = `{"labels": {"severity": "page"}, "status": {"state": "suppressed"}}` }, 100, 300 * time.Millisecond, 3},
			{"one that is older when it comes is shared by who waited for it", 400 * time.Millisecond, func() { s.takes = 600 * time.Millisecond }, 100, 600 * time.Millisecond, 4},
			{"and by nobody who comes then", 0, func() {}, 100, 600 * time.Millisecond, 5},
			{"that there is no answer is shared too", 400 * time.Millisecond, func() { s.takes = time.Hour }, 0, 700 * time.Millisecond, 6},
			{"for a while", 399 * time.Millisecond, func() { s.takes = 0 }, 0, 0, 6},
			{"and not for longer", time.Millisecond, func() {}, 100, 0, 7},
			{"nobody is there", 400 * time.Millisecond, func() { s.down = true }, 0, 0, 8},
		} {
			time.Sleep(test.wait)
			s.set(test.change)
			calm, took := together(a, 100)
			if calm != test.calm || took != test.took || s.asked != test.asked {
				t.Errorf("%s: %d of 100 may go on after %s, %d requests so far; want %d, %s, %d", test.why, calm, took, s.asked, test.calm, test.took, test.asked)
			}
		}
		err := a.Check(t.Context(), victims.Workload{})
		if err == nil || err.Error() != "asking for alerts at http://am/api/v2/alerts: connection refused" {
			t.Errorf("nobody is there: %v", err)
		}
		s.set(func() { s.takes, s.down = time.Hour, false })
		time.Sleep(age)
		if err := a.Check(t.Context(), victims.Workload{}); err == nil || !strings.HasSuffix(err.Error(), ": no answer within 700ms") {
			t.Errorf("without an answer: %v", err)
		}
	})
}

func TestWhoHasNoTimeLeftSparesNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{takes: 300 * time.Millisecond}
		a := &Alerts{Address: read[Address](t, "http://am/api/v2/alerts"), Matchers: read[Matchers](t, `severity="page"`), through: s}
		hurry, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := a.Check(hurry, victims.Workload{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("in a hurry: %v", err)
		}
		if err := a.Check(t.Context(), victims.Workload{}); err != nil {
			t.Errorf("right after: %v", err)
		}
	})
}
