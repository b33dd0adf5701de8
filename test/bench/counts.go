package main

import (
	"io"
	"maps"
	"net/http"
	"sync"

	"caprice/test/lab"
)

// traffic is what requests of one sort came to.
type traffic struct {
	Requests      int
	Accepted      int   // of these, answered with 200 to 299
	Read, Written int64 // bytes of their bodies, as they went over the wire
}

// counts count the requests that go through a proxy, by verb and resource.
type counts struct {
	upstream http.Handler
	mu       sync.Mutex
	sorts    map[string]traffic
}

// ServeHTTP passes a request on.
func (c *counts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sort := "other"
	if asked := lab.Asks(r); asked.Verb != "" {
		sort = asked.Verb + " " + asked.Resource
	}
	c.add(sort, traffic{Requests: 1})
	r.Body = countedBody{r.Body, func(n int) { c.add(sort, traffic{Written: int64(n)}) }}
	c.upstream.ServeHTTP(countedWriter{w, func(t traffic) { c.add(sort, t) }}, r)
}

func (c *counts) add(sort string, t traffic) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sorts == nil {
		c.sorts = map[string]traffic{}
	}
	c.sorts[sort] = c.sorts[sort].plus(t)
}

func (t traffic) plus(o traffic) traffic {
	return traffic{t.Requests + o.Requests, t.Accepted + o.Accepted, t.Read + o.Read, t.Written + o.Written}
}

func (t traffic) minus(o traffic) traffic {
	return traffic{t.Requests - o.Requests, t.Accepted - o.Accepted, t.Read - o.Read, t.Written - o.Written}
}

// now returns what has been counted so far.
func (c *counts) now() map[string]traffic {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.sorts)
}

// since returns what has been counted since an earlier count.
func (c *counts) since(before map[string]traffic) map[string]traffic {
	now := c.now()
	for sort, t := range now {
		if now[sort] = t.minus(before[sort]); now[sort] == (traffic{}) {
			delete(now, sort)
		}
	}
	return now
}

type countedBody struct {
	io.ReadCloser
	add func(int)
}

func (b countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.add(n)
	return n, err
}

type countedWriter struct {
	http.ResponseWriter
	add func(traffic)
}

func (w countedWriter) WriteHeader(code int) {
	if code >= http.StatusOK && code < http.StatusMultipleChoices {
		w.add(traffic{Accepted: 1})
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w countedWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.add(traffic{Read: int64(n)})
	return n, err
}

// Unwrap lets what is written be flushed.
func (w countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
