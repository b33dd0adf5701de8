package probe

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// allowing returns a Prober that may ask these addresses.
func allowing(t *testing.T, addresses string) *Prober {
	t.Helper()
	p := &Prober{UserAgent: "test"}
	if err := p.Allowed.UnmarshalText([]byte(addresses)); err != nil {
		t.Fatal(err)
	}
	return p
}

// told asks once, for a second at most, and returns in words what came of it.
func told(t *testing.T, p *Prober, h HTTP) string {
	t.Helper()
	if h.Most == 0 {
		h.Least, h.Most = 200, 299
	}
	q, err := p.HTTP("shop", h)
	if err != nil {
		return "never: " + err.Error()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	switch a, err := q.Ask(ctx); {
	case err != nil:
		return "no answer: " + err.Error()
	case a.Off > 0:
		return "wrong: " + a.Value
	default:
		return "right: " + a.Value
	}
}

func TestWhatAnAnswerIsWorth(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	var credentials atomic.Bool
	mux := http.NewServeMux()
	release := make(chan struct{})
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) {
		credentials.CompareAndSwap(false, r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "")
		w.Header().Set("Set-Cookie", "a=b")
		_, _ = fmt.Fprintf(w, `{"status": "ok", "ready": 3, "ratio": 0.5, "on": true, "none": null, "method": %q, "list": [{"name": "a", "up": "yes"}, {"name": "b", "up": "no"}]}`, r.Method)
	})
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", http.StatusServiceUnavailable) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) { time.Sleep(100 * time.Millisecond) })
	mux.HandleFunc("/hangs", func(_ http.ResponseWriter, _ *http.Request) { <-release })
	mux.HandleFunc("/stalls", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"status":`))
		_ = http.NewResponseController(w).Flush()
		<-release
	})
	mux.HandleFunc("/huge", func(w http.ResponseWriter, r *http.Request) {
		for line := []byte(`"` + strings.Repeat("x", 1<<20)); r.Context().Err() == nil; {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/headers", func(w http.ResponseWriter, _ *http.Request) {
		for i := range 200 {
			w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 1<<10))
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	defer close(release)
	p := allowing(t, "http://127.0.0.1")

	for _, test := range []struct {
		why  string
		ask  HTTP
		want string
	}{
		{"it is as it should be", HTTP{URL: "/ok"}, "right: 200 in "},
		{"a field is", HTTP{URL: "/ok", Path: "{.status}", Equals: "ok"}, "right: 200 in "},
		{"a field without braces is", HTTP{URL: "/ok", Path: ".ready", Equals: "3"}, "right: 200 in "},
		{"a number is as people write it", HTTP{URL: "/ok", Path: "{.ratio}", Equals: "0.5"}, "right: "},
		{"so is true", HTTP{URL: "/ok", Path: "{.on}", Equals: "true"}, "right: "},
		{"and null", HTTP{URL: "/ok", Path: "{.none}", Equals: "null"}, "right: "},
		{"an element of a list is", HTTP{URL: "/ok", Path: `{.list[?(@.name=="a")].up}`, Equals: "yes"}, "right: "},
		{"the method is what was asked for", HTTP{URL: "/ok", Method: "POST", Path: "{.method}", Equals: "POST"}, "right: "},
		{"a field is something else", HTTP{URL: "/ok", Path: "{.status}", Equals: "down"}, `wrong: {.status} is "ok", want "down"`},
		{"a field is not there", HTTP{URL: "/ok", Path: "{.state}", Equals: "ok"}, `wrong: {.state}: there is no such field, want "ok"`},
		{"there are two", HTTP{URL: "/ok", Path: "{.list[*].up}", Equals: "yes"}, `wrong: {.list[*].up}: there are 2 such fields, want "yes"`},
		{"it is no JSON", HTTP{URL: "/broken", Least: 503, Most: 503, Path: "{.status}", Equals: "ok"}, "wrong: answered 503, want JSON"},
		{"the status is wrong", HTTP{URL: "/broken"}, "wrong: answered 503, want 200 to 299"},
		{"that status is what is wanted", HTTP{URL: "/broken", Least: 500, Most: 503}, "right: 503 in "},
		{"a redirect is an answer", HTTP{URL: "/away"}, "wrong: answered 302, want 200 to 299"},
		{"it is too slow", HTTP{URL: "/slow", MaxLatency: 20 * time.Millisecond}, "wrong: 200 in "},
		{"it is quick enough", HTTP{URL: "/slow", MaxLatency: time.Second}, "right: 200 in "},
		{"it hangs", HTTP{URL: "/hangs"}, "no answer: "},
		{"it stalls where nobody reads", HTTP{URL: "/stalls"}, "right: 200 in "},
		{"it stalls in its body", HTTP{URL: "/stalls", Path: "{.status}", Equals: "ok"}, "no answer: "},
		{"it never ends where nobody reads", HTTP{URL: "/huge"}, "right: "},
		{"it never ends", HTTP{URL: "/huge", Path: "{.status}", Equals: "ok"}, "no answer: " + server.URL + "/huge: the answer is longer than 64 KiB"},
		{"its headers are too long", HTTP{URL: "/headers"}, "no answer: net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded 65536 bytes"},
	} {
		t.Run(test.why, func(t *testing.T) {
			test.ask.URL = server.URL + test.ask.URL
			if got := told(t, p, test.ask); !strings.HasPrefix(got, test.want) {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
	if n := elsewhere.Load(); n > 0 {
		t.Errorf("a redirect was followed %d times", n)
	}
	if credentials.Load() {
		t.Error("a cookie or a credential was sent")
	}
}

func TestAServerThatSendsItsHeadersSlowlyIsNotWaitedFor(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_, err := c.Write([]byte("HTTP/1.1 200 OK\r\n"))
				for ; err == nil; _, err = c.Write([]byte("X-Slow: yes\r\n")) {
					time.Sleep(50 * time.Millisecond)
				}
			}()
		}
	}()
	if got := told(t, allowing(t, "http://127.0.0.1"), HTTP{URL: "http://" + listener.Addr().String()}); !strings.HasPrefix(got, "no answer: ") {
		t.Errorf("%s, want no answer", got)
	}
}

func TestWhereTheOperatorLetsNobodyAskNobodyIsAsked(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ why, allowed, url, want string }{
		{"the address is named", "127.0.0.1", server.URL, "right"},
		{"the address is, after a glob that covers it", "*,127.0.0.1", server.URL, "right"},
		{"the address is, as IPv4 in IPv6", "[::ffff:127.0.0.1]", "http://[::ffff:127.0.0.1]:" + port, "right"},
		{"the host itself is", "localhost", "http://localhost:" + port, "right"},
		{"a glob does not name it", "*", server.URL, "no answer: dial tcp 127.0.0.1:" + port + ": address 127.0.0.1 is of the host itself, and refused"},
		{"nor a name that comes to mean it", "*", "http://localhost:" + port, "no answer: dial tcp "},
		{"nor does the name of another", "127.0.0.2,*", server.URL, "no answer: dial tcp "},
		{"IPv4 in IPv6 is no way round", "*", "http://[::ffff:127.0.0.1]:" + port, "no answer: dial tcp "},
		{"link-local", "*", "http://169.254.169.254/latest/meta-data", "no answer: dial tcp 169.254.169.254:80: address 169.254.169.254 is link-local, and refused"},
		{"link-local in IPv6", "*", "http://[fe80::1%25lo]:" + port, "no answer: dial tcp "},
		{"other clouds", "*", "http://100.100.100.200", "no answer: dial tcp 100.100.100.200:80: address 100.100.100.200 is where clouds keep secrets, and refused"},
		{"a host that is not listed", "*.{namespace}.svc", server.URL, "never: " + server.URL + " is not among the addresses that PROBE_URLS allows: *.{namespace}.svc"},
		{"a password", "127.0.0.1", "http://user:secret@127.0.0.1:" + port, "never: http://user:xxxxx@127.0.0.1:" + port + ": want a URL without a name and a password"},
	} {
		t.Run(test.why, func(t *testing.T) {
			before := asked.Load()
			if got := told(t, allowing(t, test.allowed), HTTP{URL: test.url}); !strings.HasPrefix(got, test.want) {
				t.Errorf("%s, want %s", got, test.want)
			}
			if reached := asked.Load() > before; reached != (test.want == "right") {
				t.Errorf("the server was asked: %t", reached)
			}
		})
	}
	if client(address{}).Transport.(*http.Transport).Proxy != nil {
		t.Error("a proxy of the environment's would be asked")
	}
}
