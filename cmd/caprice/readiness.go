package main

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang/glog"

	"caprice/kubernetes"
)

// readiness is whether Caprice can do its work, and why not.
type readiness struct {
	client *kubernetes.Client
	scope  kubernetes.Scope
	synced atomic.Pointer[kubernetes.Discovery]

	mu      sync.Mutex
	checked bool
	missing string
}

// problem returns why Caprice is not ready, or nothing.
func (r *readiness) problem() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	discovery := r.synced.Load()
	switch {
	case !r.checked:
		return "permissions have not been checked yet"
	case r.missing != "":
		return r.missing
	case discovery == nil || !discovery.Synced():
		return "workloads have not been read yet"
	}
	return ""
}

// waitForPermissions returns true as soon as nothing is missing, false if ctx ends before.
func (r *readiness) waitForPermissions(ctx context.Context) bool {
	for !r.check(ctx) {
		if !wait(ctx, 5*time.Second) {
			return false
		}
	}
	return true
}

// waitForWorkloads returns true as soon as those that there are have been read, false if ctx ends before.
func (r *readiness) waitForWorkloads(ctx context.Context) bool {
	for !r.synced.Load().Synced() {
		if !wait(ctx, 50*time.Millisecond) {
			return false
		}
	}
	return true
}

// watchPermissions looks once a minute whether they are still there.
func (r *readiness) watchPermissions(ctx context.Context) {
	for wait(ctx, time.Minute) {
		r.check(ctx)
	}
}

// check asks for the permissions, notes and logs a change, and tells whether all are there. Where the API server does not
// answer, what was known holds.
func (r *readiness) check(ctx context.Context) bool {
	missing, err := r.client.Missing(ctx, r.scope)
	if err != nil {
		glog.Warningf("permissions not checked error=%q", err)
		return false
	}
	text := ""
	if len(missing) > 0 {
		text = "missing permissions: " + strings.Join(missing, ", ") + "; want a role that grants them"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if text != r.missing {
		glog.Warningf("permissions changed missing=%q", strings.Join(missing, ", "))
	}
	r.checked, r.missing = true, text
	return text == ""
}

func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
