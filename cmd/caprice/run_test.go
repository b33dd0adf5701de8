package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"caprice/kubernetes"
)

// relay passes on what is said between who connects to it and an address, but for connections that came before it was told to be deaf.
type relay struct {
	net.Listener
	to   string
	deaf atomic.Int64 // how many connections are
	came atomic.Int64
}

func (r *relay) run() {
	for {
		conn, err := r.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.to)
		if err != nil {
			_ = conn.Close()
			continue
		}
		n := r.came.Add(1)
		for from, into := range map[net.Conn]net.Conn{conn: server, server: conn} {
			go func() {
				_, _ = io.Copy(passing{into, func() bool { return n > r.deaf.Load() }}, from)
				_, _ = from.Close(), into.Close()
			}()
		}
	}
}

// passing takes all that is written, and passes it on as long as it hears.
type passing struct {
	net.Conn
	hears func() bool
}

func (p passing) Write(b []byte) (int, error) {
	if !p.hears() {
		return len(b), nil
	}
	return p.Conn.Write(b)
}

// As when a load balancer forgets a connection, and tells neither end.
func TestAConnectionThatFallsSilentIsGivenUpForAnother(t *testing.T) {
	for name := range silence {
		t.Setenv(name, "") // so that they are as they were afterwards
	}
	if err := heedSilence(); err != nil {
		t.Fatal(err)
	}
	for name, seconds := range silence {
		if got := os.Getenv(name); got != seconds {
			t.Errorf("%s is %q, want %s", name, got, seconds)
		}
		t.Setenv(name, "1") // it need not take that long here
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "caprice-effective", "resourceVersion": "7"}}`)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	between := &relay{Listener: listener, to: server.Listener.Addr().String()}
	defer func() { _ = between.Close() }()
	go between.run()

	config := &rest.Config{Host: "https://" + between.Addr().String(), TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	client, err := kubernetes.ConnectTo(t.Context(), config, "test")
	if err != nil {
		t.Fatal(err)
	}
	between.deaf.Store(between.came.Load())
	const unheeded = 45 * time.Second // what client-go takes by itself
	ctx, cancel := context.WithTimeout(t.Context(), unheeded/2)
	defer cancel()
	for err = errors.New("not asked"); err != nil && ctx.Err() == nil; {
		asking, done := context.WithTimeout(ctx, 500*time.Millisecond)
		_, err = client.Effective(asking)
		done()
	}
	if err != nil || between.came.Load() < 2 {
		t.Errorf("%v, and there were %d connections; want a second that answers", err, between.came.Load())
	}
}
