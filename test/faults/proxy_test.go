package faults

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
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
	mute         fault = "mute"         // it is answered, and nothing more is said; of a watch alone
	partitioned  fault = "partitioned"  // from it on nothing of this process is answered, and a standby takes over
)

var all = []fault{refused, lost, conflict, throttled, broken, hangs, killedBefore, killedAfter, partitioned}

// request is what a request asks for, as in "delete pods", and of which object's namespace.
type request struct {
	what      string
	namespace string // that a namespaced object is in, or that it is
	last      bool   // the record of a kill that has ended
}

// proxy stands between one process and the API server.
type proxy struct {
	mu       sync.Mutex // guards process, meet and delay
	process  *process
	meet     func(request) fault
	delay    time.Duration // before a pod is deleted
	cut      atomic.Bool   // nothing is answered
	watches  watches
	server   *httptest.Server
	upstream *httputil.ReverseProxy
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
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	var real *api.Cluster
	for _, real = range config.Clusters {
	}
	target, err := url.Parse(real.Server)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(real.CertificateAuthorityData) {
		t.Fatal("the kubeconfig has no certificate of the cluster's authority")
	}
	quiet := log.New(io.Discard, "", 0)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	p := &proxy{meet: func(request) fault { return none }}
	p.upstream = &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1,
		ErrorLog:      quiet,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p.server = httptest.NewUnstartedServer(p)
	p.server.EnableHTTP2, p.server.Config.ErrorLog = true, quiet
	p.server.StartTLS()
	t.Cleanup(func() {
		p.server.CloseClientConnections()
		p.server.Close()
		transport.CloseIdleConnections()
	})
	real.Server = p.server.URL
	real.CertificateAuthorityData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
	for _, c := range config.Contexts {
		c.Namespace = namespace
	}
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
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
	if query := r.URL.Query(); query.Has("watch") || query.Has("resourceVersion") {
		watching, end := context.WithCancel(r.Context())
		defer end()
		if p.watches.begin(end) {
			panic(http.ErrAbortHandler)
		}
		r = r.WithContext(watching)
	}
	asked := asks(r)
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
		p.upstream.ServeHTTP(httptest.NewRecorder(), r)
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
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		hang()
	case killedBefore:
		process.kill()
		panic(http.ErrAbortHandler)
	case killedAfter:
		p.upstream.ServeHTTP(httptest.NewRecorder(), r)
		process.kill()
		panic(http.ErrAbortHandler)
	case partitioned:
		p.cut.Store(true)
		hang()
	}
}

// watches are those that go through a proxy, and the lists with which they begin, unless they are cut.
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
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	watches := r.URL.Query().Has("watch")
	if r.URL.Query().Has("resourceVersion") && !watches || len(parts) < 3 {
		return request{}
	}
	if parts = parts[2:]; strings.HasPrefix(r.URL.Path, "/apis/") {
		parts = parts[1:]
	}
	var asked request
	if len(parts) >= 2 && parts[0] == "namespaces" {
		asked.namespace = parts[1]
		if len(parts) >= 3 {
			parts = parts[2:]
		}
	}
	if len(parts) == 0 {
		return request{}
	}
	verb := map[string]string{"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete", "PUT": "update"}[r.Method]
	switch {
	case watches:
		verb = "watch"
	case verb == "get" && len(parts) == 1:
		verb = "list"
	}
	asked.what = verb + " " + parts[0]
	if len(parts) == 3 {
		asked.what += "/" + parts[2]
	}
	if verb == "patch" {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		asked.last = bytes.Contains(body, []byte(`"phase":"Ended"`))
	}
	return asked
}
