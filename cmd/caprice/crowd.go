package main

import (
	"net"
	"net/http"
	"slices"
	"sync"
)

// mostConnections is how many may ask this process something at once. Each takes some 30 kB, a request's headers among them.
const mostConnections = 100

// crowd closes the connection that came, or had an answer, first where there would be too many. Who asks has an answer at once, unless so
// many come meanwhile; who opens many and says nothing, or little, takes little memory, and keeps no probe of the kubelet from its answer.
type crowd struct {
	mu   sync.Mutex
	here []net.Conn // in the order in which they came, or had an answer
}

// note is told how a connection stands.
func (c *crowd) note(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.Index(c.here, conn)
	if state == http.StateActive || at < 0 && state != http.StateNew { // it may have been closed while it was answered
		return
	}
	if at >= 0 {
		c.here = slices.Delete(c.here, at, at+1)
	}
	if state == http.StateNew && len(c.here) == mostConnections {
		_ = c.here[0].Close() // and its state changes
		c.here = slices.Delete(c.here, 0, 1)
	}
	if state == http.StateNew || state == http.StateIdle { // which has had an answer
		c.here = append(c.here, conn)
	}
}
