package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// served returns the address at which serve answers until the test ends.
func served(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		serve(ctx, listener, &readiness{}, prometheus.NewRegistry())
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return listener.Addr().String()
}

func TestWhoAsksHasAnAnswerWhileOthersOnlyKeepConnections(t *testing.T) {
	address := served(t)
	var crowd []net.Conn
	for range mostConnections + 20 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: caprice\r\nX-Long: "); err != nil {
			t.Fatal(err)
		}
		crowd = append(crowd, conn)
	}
	asking := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := asking.Get("http://" + address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	if _ = answer.Body.Close(); answer.StatusCode != http.StatusOK {
		t.Errorf("it says %s", answer.Status)
	}

	// It is closed, and so by now: who says nothing for long has the connection closed as well.
	if err := crowd[0].SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := crowd[0].Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the first of %d connections is open: it says %d bytes, and %v", len(crowd), n, err)
	}
	last := crowd[len(crowd)-1]
	if _, err := fmt.Fprint(last, "x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err = http.ReadResponse(bufio.NewReader(last), nil); err != nil {
		t.Fatalf("the last says %v, want an answer once it has asked", err)
	}
	if _ = answer.Body.Close(); answer.StatusCode != http.StatusOK {
		t.Errorf("the last has %s", answer.Status)
	}
}

// connection is one that is told from others, and whether it was closed.
type connection struct {
	net.Conn
	closed bool
}

func (c *connection) Close() error {
	c.closed = true
	return nil
}

func TestOfACrowdThoseStayThatHadAnAnswerLatelyAndNoMoreThanMayBe(t *testing.T) {
	var c crowd
	var came []*connection
	for range mostConnections {
		came = append(came, &connection{})
		c.note(came[len(came)-1], http.StateNew)
	}
	c.note(came[0], http.StateActive)
	c.note(came[0], http.StateIdle)
	c.note(came[1], http.StateActive)
	c.note(&connection{}, http.StateNew)
	if came[0].closed || !came[1].closed || came[2].closed {
		t.Errorf("closed are the first three: %v, %v, %v; want the second, since the first has just had an answer", came[0].closed, came[1].closed, came[2].closed)
	}
	c.note(came[1], http.StateIdle) // it was being answered when it was closed
	c.note(&connection{}, http.StateNew)
	c.note(came[1], http.StateClosed)
	c.note(&connection{}, http.StateNew)
	if len(c.here) != mostConnections {
		t.Errorf("%d are here, want %d", len(c.here), mostConnections)
	}
}

func TestWhoAsksAtLengthIsRefused(t *testing.T) {
	address := served(t)
	for long, want := range map[int]int{mostHeaders: http.StatusOK, mostHeaders + 1: http.StatusRequestHeaderFieldsTooLarge} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		const begin, end = "GET /healthz HTTP/1.1\r\nHost: caprice\r\nX-Long: ", "\r\n\r\n"
		if _, err := fmt.Fprint(conn, begin, strings.Repeat("x", long-len(begin+end)), end); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _ = answer.Body.Close(); answer.StatusCode != want {
			t.Errorf("with %d bytes of headers it says %s, want %d", long, answer.Status, want)
		}
	}
}
