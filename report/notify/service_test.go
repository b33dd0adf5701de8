package notify

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"caprice/calendar"
	"caprice/chaos"
)

// world is every host that shoutrrr knows, here.
type world struct {
	mu    sync.Mutex
	calls []call
}

type call struct{ host, path, auth, body string }

func (w *world) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	body, err := io.ReadAll(in.Body)
	if err != nil {
		panic(err)
	}
	w.mu.Lock()
	w.calls = append(w.calls, call{in.Host, in.URL.Path, in.Header.Get("Authorization"), string(body)})
	w.mu.Unlock()
	switch {
	case in.Host == "slack.com":
		_, err = io.WriteString(out, `{"ok": true}`)
	case in.Host == "hooks.slack.com":
		_, err = io.WriteString(out, "ok")
	case strings.HasPrefix(in.URL.Path, "/topic"):
		_, err = io.WriteString(out, "{}")
	}
	if err != nil {
		panic(err)
	}
}

// outcome is a kill that did not heal.
func outcome() chaos.Outcome {
	o := ended("web", chaos.NotRecovered)
	o.Message = `it was "not" whole`
	return o
}

// Each URL of the page reaches the host that it is of; those of mail and ntfy are tried below.
func TestEachServiceSends(t *testing.T) {
	w := &world{}
	server := httptest.NewTLSServer(w)
	defer server.Close()
	transport := http.DefaultTransport.(*http.Transport)
	transport.DialTLSContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	defer func() { transport.DialTLSContext = nil; transport.CloseIdleConnections() }()
	n, err := parse(strings.NewReader(examples(t)[1]))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]call{
		"slack":          {host: "hooks.slack.com", path: "/services/A1B2C3D4E/F5G6H7I8J/k1l2m3n4o5p6q7r8s9t0u1v2"},
		"slack-bot":      {host: "slack.com", path: "/api/chat.postMessage", auth: "Bearer xoxb-123456789012-123456789012-k1l2m3n4o5p6q7r8s9t0u1v2"},
		"discord":        {host: "discord.com", path: "/api/webhooks/123456789/abc-DEF_123"},
		"teams":          {host: "example.webhook.office.com"},
		"teams-workflow": {host: "prod-01.example.logic.azure.com:443", path: "/workflows/1/triggers/manual/paths/invoke"},
		"hook":           {host: "hooks.example", path: "/caprice", auth: "Bearer SECRET"},
		"text":           {host: "hooks.example", path: "/text"},
	}
	for _, to := range n.targets {
		w.calls = nil
		if to.name == "mail" || to.name == "ntfy" {
			continue
		}
		to.deliver(t.Context(), t.Context(), letter{to.template, n.message(outcome())})
		if len(w.calls) != 1 || to.sent.Load() != 1 {
			t.Errorf("%s: %d calls, %d sent; want one", to.name, len(w.calls), to.sent.Load())
			continue
		}
		got, like := w.calls[0], want[to.name]
		if got.host != like.host || like.path != "" && got.path != like.path || got.auth != like.auth {
			t.Errorf("%s: called %+v, want %+v", to.name, got, like)
		}
		if to.name != "text" && !json.Valid([]byte(got.body)) || !strings.Contains(got.body, "shop/Deployment/web has NOT recovered") {
			t.Errorf("%s: said %s", to.name, got.body)
		}
	}
}

func TestAWebhookGetsAllFields(t *testing.T) {
	w := &world{}
	server := httptest.NewServer(w)
	defer server.Close()
	n, err := parse(strings.NewReader(fmt.Sprintf(`
cluster: prod
targets:
  - {name: hook, url: "generic+%s/hook?template=json&messagekey=text&$from=caprice&title=no", morning: true, template: "{{.Name}}"}
  - {name: topic, url: "ntfy://me:pass@%s/topic?disabletls=yes"}
`, server.URL, server.Listener.Addr())))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 2, 10, 14, 2, 0, time.UTC)
	o := outcome()
	o.Planned, o.ExecutedAt, o.Verdict, o.Recovery.Whole = at, at, chaos.Recovered, at.Add(1500*time.Millisecond)
	o.Pods = []chaos.Death{{At: at}}
	o.Pods[0].Pod.Name = "web-1"
	hook, topic := n.targets[0], n.targets[1]
	hook.deliver(t.Context(), t.Context(), letter{hook.template, n.message(o)})
	n.Planned(chaos.DayPlan{Date: calendar.Date{Year: 2026, Month: 3, Day: 2}, Kills: 3, Workloads: 4})
	l, _ := hook.next()
	hook.deliver(t.Context(), t.Context(), l)
	topic.deliver(t.Context(), t.Context(), letter{topic.template, n.message(o)})
	for i, want := range []string{
		`{"cluster":"prod","detail":"it was \"not\" whole","dryRun":false,"executedAt":"2026-03-02T10:14:02Z","from":"caprice","killed":1,"kind":"Deployment","name":"web","namespace":"shop","planned":"2026-03-02T10:14:02Z","pods":["web-1"],"reason":"","record":"20260302-101402-0b500ad8091f8060","recoverySeconds":1.5,"text":"web","verdict":"Recovered"}`,
		`{"cluster":"prod","date":"2026-03-02","dryRun":false,"from":"caprice","kills":3,"text":"[prod] kills planned for 2026-03-02: 3, of 4 workloads that opted in","workloads":4}`,
		"[prod] shop/Deployment/web recovered in 1.5s from the loss of pod web-1 at 10:14:02 UTC: it was \"not\" whole\nkubectl get kill -n shop 20260302-101402-0b500ad8091f8060 -o yaml",
	} {
		if i >= len(w.calls) || w.calls[i].body != want {
			t.Errorf("call %d of %d is\n%+v, want\n%s", i, len(w.calls), w.calls, want)
		}
	}
}

// At first they treat their callers badly. Of what is answered with 200 the rest does not matter.
func TestRoughReceiversAndNoLogOfTheirURLs(t *testing.T) {
	release := make(chan struct{})
	var mu sync.Mutex
	var flood atomic.Int64 // bytes
	took, asked := map[string][]string{}, map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		how := strings.Split(in.URL.Path, "/")[1]
		body, err := io.ReadAll(in.Body)
		if err != nil {
			return
		}
		mu.Lock()
		asked[how]++
		first := asked[how] == 1
		mu.Unlock()
		switch {
		case how == "gone":
			http.Error(out, "no "+in.URL.String(), http.StatusNotFound)
			return
		case how == "dead":
			<-release
			return
		case !first:
		case how == "ill":
			http.Error(out, "no "+in.URL.String(), http.StatusInternalServerError)
			return
		case how == "hangs":
			<-release
			return
		case how == "cut":
			panic(http.ErrAbortHandler)
		}
		mu.Lock()
		took[how] = append(took[how], string(body))
		mu.Unlock()
		switch {
		case how == "slow" && first:
			out.(http.Flusher).Flush()
			<-release
		case how == "floods":
			for err == nil {
				var n int
				n, err = out.Write(make([]byte, 1<<20))
				flood.Add(int64(n))
			}
		}
	}))
	defer server.Close()
	defer close(release)

	kinds := []string{"well", "ill", "hangs", "slow", "floods", "cut", "gone", "dead", "nowhere"}
	file := "targets:\n"
	for _, how := range kinds {
		address := server.URL
		if how == "nowhere" {
			address = "http://127.0.0.1:1"
		}
		file += fmt.Sprintf("  - {name: %s, url: \"generic+%s/%s/%s?@Authorization=%s\", template: \"{{.Name}}\"}\n", how, address, how, secret, secret)
	}
	n, err := parse(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, n)
	const kills = 20
	var want []string
	for i := range kills {
		o := outcome()
		o.Workload.Name = fmt.Sprint(i)
		n.Ended(o)
		want = append(want, o.Workload.Name)
	}
	deadline := time.Now().Add(time.Minute)
	for _, how := range kinds[:6] {
		for n.count(t, how).Sent < kills && time.Now().Before(deadline) {
			time.Sleep(20 * time.Millisecond)
		}
		mu.Lock()
		if got := fmt.Sprint(took[how]); got != fmt.Sprint(want) || asked[how] < kills {
			t.Errorf("%s: took %s of %d asked, want %s: %+v", how, got, asked[how], want, n.count(t, how))
		}
		mu.Unlock()
	}
	for n.count(t, "gone").Failed < kills && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	if n := flood.Load(); n > kills*mostAnswer*100 { // most of it is what sockets hold
		t.Errorf("of %d answers %d bytes were read", kills, n)
	}
	for _, how := range []string{"dead", "nowhere"} {
		if c := n.count(t, how); c.Sent != 0 || c.Failed+c.Dropped != kills {
			t.Errorf("%s: %+v, want %d that were not sent", how, c, kills)
		}
	}
	all := logged(t)
	for _, line := range []string{
		`notification failed target=gone attempts=1 error="404 Not Found"`,
		"notifications ended target=well sent=20 failed=0 dropped=0",
		"notifications ended target=gone sent=0 failed=20 dropped=0",
	} {
		if !strings.Contains(all, line) {
			t.Errorf("the log has no line %s", line)
		}
	}
	if strings.Contains(all, secret) || strings.Contains(all, "127.0.0.1") {
		t.Errorf("the log has a URL or a token:\n%s", all)
	}
}

// mailServer takes mails, and passes on what it is told. It calls hears for each line before it answers.
func mailServer(t *testing.T, greeting string, hears ...func(line string)) (address string, said <-chan string) {
	t.Helper()
	return fussyMailServer(t, greeting, nil, hears...)
}

// fussyMailServer answers some lines in its own way, as many servers do: after an address that it has refused it wants to hear of no
// other sender.
func fussyMailServer(t *testing.T, greeting string, refuses func(line string) string, hears ...func(line string)) (address string, said <-chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	mails := make(chan string, 10)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_, _ = io.WriteString(conn, greeting)
				var mail strings.Builder
				for lines, data, refused := bufio.NewScanner(conn), false, false; lines.Scan(); {
					line := lines.Text()
					mail.WriteString(line + "\n")
					for _, hear := range hears {
						hear(line)
					}
					answer := "250 ok\r\n"
					switch {
					case data && line != ".":
						continue
					case data:
						data = false
					case refused && strings.HasPrefix(line, "MAIL FROM"):
						answer = "503 nested MAIL command\r\n"
					case refuses != nil && refuses(line) != "":
						refused, answer = true, refuses(line)+"\r\n"
					case line == "DATA":
						data, answer = true, "354 go on\r\n"
					case line == "QUIT":
						answer = "221 bye\r\n"
						mails <- mail.String()
					}
					_, _ = io.WriteString(conn, answer)
				}
			}()
		}
	}()
	return listener.Addr().String(), mails
}

func TestMailHasItsFirstLineAsSubject(t *testing.T) {
	address, said := mailServer(t, "220 hello\r\n")
	s, err := read("smtp://" + address + "/?from=caprice@example.com&to=sre@example.com,kim@example.com&subject=no&starttls=no")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.send("web did not recover\nlook there", nil); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"sre", "kim"} {
		mail := <-said
		for _, want := range []string{"MAIL FROM:<caprice@example.com>", "RCPT TO:<" + to + "@example.com>", "\nSubject: web did not recover\n", "\n\nweb did not recover\nlook there\n"} {
			if !strings.Contains(mail, want) {
				t.Errorf("the mail to %s has no %q:\n%s", to, want, mail)
			}
		}
	}
	address, _ = mailServer(t, "554 not you, "+secret+"\r\n")
	if s, err = read("smtp://" + address + "/?from=caprice@example.com&to=sre@example.com"); err != nil {
		t.Fatal(err)
	}
	if why, final := cause(s.send("web", nil)); why != "mail server's answer 554" || !final {
		t.Errorf("a server that refuses: %q, final %t", why, final)
	}
}

func TestAnAddressThatIsRefusedKeepsNoMailFromOthers(t *testing.T) {
	for _, test := range []struct {
		why, answer string
		asked       int // for the address that is refused
	}{
		{"for good", "550 no such user", 1}, {"for now", "452 mailbox full", attempts},
	} {
		for _, bad := range []string{"a", "b", "c"} {
			t.Run(test.why+" "+bad, func(t *testing.T) {
				var asked atomic.Int64
				address, said := fussyMailServer(t, "220 hello\r\n", func(line string) string {
					if line != "RCPT TO:<"+bad+"@example.com>" {
						return ""
					}
					return test.answer
				}, func(line string) {
					if line == "RCPT TO:<"+bad+"@example.com>" {
						asked.Add(1)
					}
				})
				n, err := parse(strings.NewReader("targets: [{name: mail, url: \"smtp://" + address + "/?from=x@example.com&to=a@example.com,b@example.com,c@example.com&starttls=no\"}]"))
				if err != nil {
					t.Fatal(err)
				}
				to := n.targets[0]
				var by service = to.service
				for range test.asked {
					err := by.send("web did not recover", nil)
					if some := (*undelivered)(nil); errors.As(err, &some) {
						by = some.rest
					}
				}
				got := map[string]int{}
				for range test.asked + 2 {
					mail := <-said
					if !strings.Contains(mail, "\nDATA\n") {
						continue
					}
					for _, who := range []string{"a", "b", "c"} {
						got[who] += strings.Count(mail, "RCPT TO:<"+who+"@example.com>")
					}
				}
				if len(said) > 0 || got[bad] != 0 || got["a"]+got["b"]+got["c"] != 2 || int(asked.Load()) != test.asked {
					t.Errorf("mails to %v and %d more, the bad one asked for %d times; want one to each other, and %d", got, len(said), asked.Load(), test.asked)
				}
			})
		}
	}
}

func TestAMailThatWasTakenIsNotSentAgainWhateverIsSaidToItsEnd(t *testing.T) {
	address, _ := fussyMailServer(t, "220 hello\r\n", func(line string) string {
		if line == "QUIT" {
			return "500 what"
		}
		return ""
	})
	s, err := read("smtp://" + address + "/?from=a@example.com&to=b@example.com&starttls=no")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.send("web", nil); err != nil {
		t.Errorf("%v, want it taken", err)
	}
}

func TestAnAddressWhoseMailHangsHasNobodyElseGetTheirsTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs, well, hanging := &stuck{release: make(chan struct{})}, &stuck{release: make(chan struct{})}, new(atomic.Int64)
		close(well.release)
		var by service = mails{each: []service{&bounded{well, hanging}, &bounded{hangs, hanging}, &bounded{well, hanging}}}
		for try := range 3 {
			some := (*undelivered)(nil)
			if err := by.send("web", nil); !errors.As(err, &some) {
				t.Fatalf("%v, want one that is to be tried again", err)
			}
			if by = some.rest; well.begun.Load() != 2 || hangs.begun.Load() != int64(try+1) {
				t.Errorf("try %d: %d mails where all is well, want 2; %d of the one that hangs", try+1, well.begun.Load(), hangs.begun.Load())
			}
		}
		close(hangs.release)
	})
}

func TestALongMailHasLinesThatMayBeSent(t *testing.T) {
	address, said := mailServer(t, "220 hello\r\n")
	s, err := read("smtp://" + address + "/?from=a@example.com&to=b@example.com&starttls=no")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.send(strings.Repeat("word ", 500)+strings.Repeat("ü", 1000), nil); err != nil {
		t.Fatal(err)
	}
	mail := <-said
	for line := range strings.Lines(mail) {
		if len(line) > 998 || !utf8.ValidString(line) {
			t.Errorf("a line has %d octets: %.60q", len(line), line)
		}
	}
	if n := strings.Count(mail, "ü"); n != 1000 {
		t.Errorf("of 1000 letters %d are left", n)
	}
}

// What a stranger answered to a probe ends up in a record, and so here.
func TestNobodyElseWritesInANotification(t *testing.T) {
	const text = "x\r\u202eBcc: boss@example.com\n<!channel> @everyone <img src=x> & [so](https://on)"
	n, err := parse(strings.NewReader(`
targets:
  - {name: slack, url: "slack://hook:A1B2C3D4E-F5G6H7I8J-k1l2m3n4o5p6q7r8s9t0u1v2@webhook"}
  - {name: discord, url: "discord://abc-DEF_123@123456789"}
  - {name: teams, url: "teams://11111111-4444-4444-8444-cccccccccccc@22222222-4444-4444-8444-cccccccccccc/33333333012222222222333333333344/44444444-4444-4444-8444-cccccccccccc/V2ESyij_gAljSoUQHvZoZYzlpAoAXExyOl26dlf1xHEx05?host=example.webhook.office.com"}
  - {name: html, url: "smtp://127.0.0.1/?from=a@example.com&to=b@example.com&usehtml=yes"}
  - {name: mail, url: "smtp://127.0.0.1/?from=a@example.com&to=b@example.com"}
  - {name: hook, url: "generic+https://hooks.example/x?template=json"}
`))
	if err != nil {
		t.Fatal(err)
	}
	o := outcome()
	o.Message, o.Workload.Name = text, text // who asks for a kill says of which workload
	n.Ended(o)
	for i, want := range []string{
		"x  Bcc: boss@example.com &lt;!channel&gt; @everyone &lt;img src=x&gt; &amp; [so](https://on)",
		"x  Bcc: boss@\u200bexample.com <!channel> @\u200beveryone <img src=x> & \\[so](https://on)",
		"x  Bcc: boss@example.com &lt;!channel&gt; @everyone &lt;img src=x&gt; &amp; \\[so](https://on)",
		"x  Bcc: boss@example.com &lt;!channel&gt; @everyone &lt;img src=x&gt; &amp; [so](https://on)",
		"x  Bcc: boss@example.com <!channel> @everyone <img src=x> & [so](https://on)",
		"x  Bcc: boss@example.com <!channel> @everyone <img src=x> & [so](https://on)",
	} {
		l, _ := n.targets[i].next()
		if m := l.data.(Message); m.Detail != want || m.Name != want {
			t.Errorf("%s is told %q of %q, want %q of both", n.targets[i].name, m.Detail, m.Name, want)
		}
	}
}

func TestNobodyIsFollowedElsewhere(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, code) }))
		s, err := read("generic+" + server.URL + "/?template=json&@X-Api-Key=" + secret)
		if err != nil {
			t.Fatal(err)
		}
		err = s.send("web", Message{})
		if err == nil {
			t.Fatalf("%d: it counts as sent", code)
		}
		if why, final := cause(err); why != "redirected elsewhere" || !final {
			t.Errorf("%d: %s, final: %v; want it redirected, and final", code, why, final)
		}
		server.Close()
	}
	if n := elsewhere.Load(); n > 0 {
		t.Errorf("the other was asked %d times", n)
	}
}

func TestDiscordIsAskedOnceForEachTry(t *testing.T) {
	for _, code := range []int{429, 500, 503} {
		var asked atomic.Int64
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.Header().Set("Retry-After", "45")
			w.WriteHeader(code)
		}))
		transport := http.DefaultTransport.(*http.Transport)
		transport.DialTLSContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, network, server.Listener.Addr().String())
		}
		s, err := read("discord://abc-DEF_123@123456789")
		if err != nil {
			t.Fatal(err)
		}
		err = s.send("web", nil)
		if why, final := cause(err); err == nil || final || asked.Load() != 1 || !strings.HasPrefix(why, fmt.Sprint(code)) {
			t.Errorf("%d: %v, told as %q, final: %v, asked %d times; want it told, and once", code, err, why, final, asked.Load())
		}
		transport.DialTLSContext = nil
		transport.CloseIdleConnections()
		server.Close()
	}
}

func TestDiscordIsAskedOnceWhereNobodyListens(t *testing.T) {
	asked := 0
	transport := http.DefaultTransport.(*http.Transport)
	transport.DialTLSContext = func(context.Context, string, string) (net.Conn, error) {
		asked++
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	defer func() { transport.DialTLSContext = nil }()
	s, err := read("discord://abc-DEF_123@123456789")
	if err != nil {
		t.Fatal(err)
	}
	err = s.send("web", nil)
	if why, final := cause(err); err == nil || final || why != "nobody listens" || asked != 1 {
		t.Errorf("%v, told as %q, final: %v, asked %d times; want it told, and once", err, why, final, asked)
	}
}

// What somebody has to change is not tried again, in whatever words each service says so.
func TestWhatIsRevokedIsGivenUpAtOnce(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		switch r.Host {
		case "hooks.slack.com":
			w.WriteHeader(http.StatusNotFound)
			_, err = io.WriteString(w, "no_service")
		case "slack.com":
			_, err = io.WriteString(w, `{"ok": false, "error": "token_revoked"}`)
		case "ntfy.example":
			w.WriteHeader(http.StatusForbidden)
			_, err = io.WriteString(w, `{"code": 40301, "http": 403, "error": "forbidden"}`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
		if err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	transport := http.DefaultTransport.(*http.Transport)
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	transport.DialTLSContext = dial
	defer func() { transport.DialTLSContext = nil; transport.CloseIdleConnections() }()
	for address, want := range map[string]string{
		"slack://hook:A1B2C3D4E-F5G6H7I8J-k1l2m3n4o5p6q7r8s9t0u1v2@webhook":           "Slack's answer no_service",
		"slack://xoxb:123456789012-123456789012-k1l2m3n4o5p6q7r8s9t0u1v2@C0123456789": "Slack's answer token_revoked",
		"discord://abc-DEF_123@123456789":                                             "404 Not Found",
		"generic+https://hooks.example/x?template=json":                               "404 Not Found",
		"ntfy://me:pass@ntfy.example/topic":                                           "403 Forbidden",
	} {
		s, err := read(address)
		if err != nil {
			t.Fatal(err)
		}
		err = s.send("web", Message{})
		if err == nil {
			t.Fatalf("%s: it counts as sent", address)
		}
		if why, final := cause(err); why != want || !final {
			t.Errorf("%s: %v, told as %q, final: %v; want %q, and final", address, err, why, final, want)
		}
	}
}

func TestAMailServerThatHangsHoldsUpNoEnd(t *testing.T) {
	address, _ := mailServer(t, "")
	n, err := parse(strings.NewReader("targets: [{name: mail, url: \"smtp://" + address + "/?from=a@example.com&to=b@example.com\"}]"))
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, n)
	for range 20 {
		n.Ended(outcome())
	}
	stop()
	if c := n.count(t, "mail"); c.Dropped != 20 {
		t.Errorf("%+v, want all dropped", c)
	}
}

// One may hang still while the next is sent.
func TestMailsBesideEachOtherShareNothing(t *testing.T) {
	const mails = 3
	var begun sync.WaitGroup
	begun.Add(mails)
	address, said := mailServer(t, "220 hello\r\n", func(line string) {
		if strings.HasPrefix(line, "MAIL FROM") { // the boundary is drawn by then, and not written yet
			begun.Done()
			begun.Wait()
		}
	})
	s, err := read("smtp://" + address + "/?from=a@example.com&to=b@example.com&starttls=no&usehtml=yes")
	if err != nil {
		t.Fatal(err)
	}
	var sending sync.WaitGroup
	for range mails {
		sending.Go(func() {
			if err := s.send("web", nil); err != nil {
				t.Error(err)
			}
		})
	}
	sending.Wait()
	boundaries := map[string]bool{}
	for range mails {
		mail := <-said
		_, boundary, _ := strings.Cut(mail, "boundary=")
		boundary = strings.Trim(strings.Fields(boundary)[0], `"`)
		boundaries[boundary] = true
		if n := strings.Count(mail, "--"+boundary); n != 3 { // of two parts, and the end
			t.Errorf("its boundary comes %d times, want 3:\n%s", n, mail)
		}
	}
	if len(boundaries) != mails {
		t.Errorf("%d boundaries of %d mails, want one of each", len(boundaries), mails)
	}
}

// stuck is a service that answers nothing until it is released.
type stuck struct {
	release chan struct{}
	begun   atomic.Int64
}

func (s *stuck) send(string, any) error {
	s.begun.Add(1)
	<-s.release
	return nil
}

func TestWhatHangsForeverIsGivenUpAndGoesOnOnceItAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, err := parse(strings.NewReader("targets: [{name: mail, url: \"smtp://127.0.0.1/?from=a@example.com&to=b@example.com\"}]"))
		if err != nil {
			t.Fatal(err)
		}
		s := &stuck{release: make(chan struct{})}
		n.targets[0].service.(mails).each[0].(*bounded).service = s
		stop := running(t, n)
		const kills = 3
		for range kills {
			n.Ended(outcome())
		}
		time.Sleep(time.Hour)
		if c := n.count(t, "mail"); c.Failed != kills || s.begun.Load() != mostHanging {
			t.Errorf("%+v, sent %d times; want %d given up after %d hung", c, s.begun.Load(), kills, mostHanging)
		}
		close(s.release)
		time.Sleep(time.Second)
		n.Ended(outcome())
		time.Sleep(time.Second)
		if c := n.count(t, "mail"); c.Sent != 1 {
			t.Errorf("%+v, want one sent once it answers", c)
		}
		stop()
	})
}

func TestOfAnAnswerOfNtfyNoMoreIsReadThanItIsWorth(t *testing.T) {
	var flood atomic.Int64 // bytes
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		for {
			n, err := out.Write(make([]byte, 1<<20))
			if flood.Add(int64(n)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	s, err := read("ntfy://" + strings.TrimPrefix(server.URL, "http://") + "/topic?scheme=http")
	if err != nil {
		t.Fatal(err)
	}
	_ = s.send("web", nil) // what comes is no JSON
	server.Close()
	if n := flood.Load(); n == 0 || n > 100*mostAnswer { // most of it is what sockets hold
		t.Errorf("%d bytes of the answer were taken", n)
	}
}
