package faults

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/test/lab"
)

// fault is what befalls one request.
type fault string

const (
	none         fault = ""
	refused      fault = "refused"      // the connection breaks before the API server sees it
	lost         fault = "lost answer"  // it is done, and the connection breaks
	conflict     fault = "409"          // it is refused as a conflict
	throttled    fault = "429"          // it is to be sent again after a second
	broken       fault = "500"          // the API server fails
	hangs        fault = "hangs"        // it is never answered, nor done
	killedBefore fault = "kill -9"      // the process dies, and nothing is done
	killedAfter  fault = "done+kill -9" // it is done, and the process dies before it knows
	mute         fault = "mute"         // it begins with what there is, and nothing more is said; of a watch alone
	partitioned  fault = "partitioned"  // from it on nothing of this process is answered, and a standby takes over
)

var all = []fault{refused, lost, conflict, throttled, broken, hangs, killedBefore, killedAfter, partitioned}

// fails tells whether it is one request alone that a fault befalls, and the process goes on.
func (f fault) fails() bool {
	return slices.Contains([]fault{refused, lost, conflict, throttled, broken, hangs}, f)
}

// request is what a request asks for, as in "delete pods", and of which object's namespace.
type request struct {
	what      string
	namespace string // that a namespaced object is in, or that it is
	last      bool   // the record of a kill that has ended
}

// proxy stands between one process and the API server.
type proxy struct {
	*lab.Proxy
	mu       sync.Mutex // guards process, meet and delay
	process  *process
	meet     func(request) fault
	delay    time.Duration // before a pod is deleted
	cut      atomic.Bool   // nothing is answered
	watches  watches
	upstream http.Handler
}

// set changes what requests meet from now on.
func (p *proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// newProxy starts a proxy of the API server of a kubeconfig and writes another to path, which leads through it.
func newProxy(t *testing.T, kubeconfig, path, namespace string) *proxy {
	t.Helper()
	p := &proxy{meet: func(request) fault { return none }}
	var err error
	p.Proxy, err = lab.NewProxy(kubeconfig, path, namespace, func(upstream http.Handler) http.Handler {
		p.upstream = upstream
		return p
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hang := func() {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	if p.cut.Load() {
		hang()
	}
	w = &severed{w, r.Context(), &p.cut}
	asked := asks(r)
	ofAKill := asked.namespace != "" && (asked.what == "watch pods" || asked.what == "watch deployments")
	if query := r.URL.Query(); !ofAKill && (query.Has("watch") || query.Has("resourceVersion")) {
		watching, end := context.WithCancel(r.Context())
		defer end()
		if p.watches.begin(end) {
			panic(http.ErrAbortHandler)
		}
		r = r.WithContext(watching)
	}
	p.mu.Lock()
	process, meet, delay := p.process, p.meet, p.delay
	p.mu.Unlock()
	if delay > 0 && asked.what == "delete pods" {
		time.Sleep(delay)
	}
	switch meet(asked) {
	case none:
		p.upstream.ServeHTTP(w, r)
	case refused:
		panic(http.ErrAbortHandler)
	case lost:
		p.carryOut(r)
		panic(http.ErrAbortHandler)
	case conflict:
		deny(w, http.StatusConflict, "Conflict")
	case throttled:
		w.Header().Set("Retry-After", "1")
		deny(w, http.StatusTooManyRequests, "TooManyRequests")
	case broken:
		deny(w, http.StatusInternalServerError, "InternalError")
	case hangs:
		hang()
	case mute:
		p.upstream.ServeHTTP(&muted{ResponseWriter: w, over: r.URL.Query().Get("sendInitialEvents") != "true"}, r)
	case killedBefore:
		process.kill()
		panic(http.ErrAbortHandler)
	case killedAfter:
		defer process.kill() // also where a watch that is given up panics
		p.carryOut(r)
		panic(http.ErrAbortHandler)
	case partitioned:
		p.cut.Store(true)
		hang()
	}
}

// severed is an answer of which no more comes once its proxy is cut off: what watches would tell is held up, and they end when it is not any more.
type severed struct {
	http.ResponseWriter
	ctx context.Context
	cut *atomic.Bool
}

func (s *severed) Write(b []byte) (int, error) {
	if !s.cut.Load() {
		return s.ResponseWriter.Write(b)
	}
	for s.cut.Load() && s.ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
	}
	panic(http.ErrAbortHandler)
}

// Unwrap is by what an answer is flushed.
func (s *severed) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// carryOut has the API server do what it is asked, and nobody get its answer. A watch is given up as soon as it has begun.
func (p *proxy) carryOut(r *http.Request) {
	ctx, end := context.WithCancel(r.Context())
	defer end()
	var answer http.ResponseWriter = httptest.NewRecorder()
	if r.URL.Query().Has("watch") {
		answer = begun{answer, end}
	}
	p.upstream.ServeHTTP(answer, r.WithContext(ctx))
}

// begun ends what is answered as soon as an answer begins.
type begun struct {
	http.ResponseWriter
	end func()
}

func (b begun) WriteHeader(code int) {
	b.ResponseWriter.WriteHeader(code)
	b.end()
}

// muted passes on what a watch begins with, if it begins with what there is, and nothing that comes after that.
type muted struct {
	http.ResponseWriter
	said bytes.Buffer
	over bool
}

func (m *muted) Write(p []byte) (int, error) {
	if m.over {
		return len(p), nil
	}
	m.said.Write(p)
	m.over = bytes.Contains(m.said.Bytes(), []byte(meta.InitialEventsAnnotationKey))
	return m.ResponseWriter.Write(p)
}

// Unwrap lets what is written be flushed.
func (m *muted) Unwrap() http.ResponseWriter { return m.ResponseWriter }

// watches are those that go through a proxy and belong to no kill, and the lists with which they begin, unless they are cut.
type watches struct {
	mu    sync.Mutex
	ended bool
	ends  []func()
}

// begin notes how a watch is ended, and tells whether it must not begin.
func (w *watches) begin(end func()) (never bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends = append(w.ends, end)
	return w.ended
}

// cut ends all watches, and lets none begin until they are mended.
func (w *watches) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	for _, end := range w.ends {
		end()
	}
	w.ends = nil
}

func (w *watches) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = false
}

// deny answers as the API server does.
func deny(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":"a fault","code":%d}`, reason, code)
}

// asks reads from a request what it asks for. Of one that belongs to no kill what is empty, a list before a watch of all
// workloads or a question for the version, or it is of no object in a namespace in which pods are killed.
func asks(r *http.Request) request {
	asked := lab.Asks(r)
	if r.URL.Query().Has("resourceVersion") && asked.Verb != "watch" || asked.Verb == "" {
		return request{}
	}
	last := false
	if asked.Verb == "patch" {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		last = bytes.Contains(body, []byte(`"phase":"Ended"`))
	}
	return request{what: asked.Verb + " " + asked.Resource, namespace: asked.Namespace, last: last}
}
