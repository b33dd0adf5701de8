package main

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang/glog"

	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/kubernetes/election"
	"caprice/report"
	"caprice/victims"
)

// readiness is whether Caprice can do its work, and why not. It is a chaos.Halts.
type readiness struct {
	client  *kubernetes.Client
	scope   kubernetes.Scope
	claims  atomic.Pointer[election.Claims]
	synced  atomic.Pointer[kubernetes.Discovery] // set after claims
	metrics *report.Metrics
	leading atomic.Pointer[chaos.Runner] // nil: it does not

	mu      sync.Mutex
	checked bool
	missing string
}

// follows has readiness depend on the claims, and on what discovery has read.
func (r *readiness) follows(claims *election.Claims, discovery *kubernetes.Discovery) {
	r.claims.Store(claims)
	r.synced.Store(discovery)
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
	// One that may stand for election is ready even while it spares namespaces for another installation: otherwise a rollout could
	// never replace it.
	if claims := r.claims.Load(); !claims.MayStand() {
		return claims.Problem()
	}
	return ""
}

// Check returns a veto while a permission is missing: what Caprice cannot do as a whole it does not begin.
func (r *readiness) Check(context.Context, victims.Workload) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.missing != "" {
		return &chaos.Veto{Reason: chaos.Halted, Message: r.missing}
	}
	return nil
}

// complete tells whether permissions have been checked, and none is missing.
func (r *readiness) complete() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.checked && r.missing == ""
}

// waitForPermissions returns true as soon as nothing is missing, false if ctx ends before.
func (r *readiness) waitForPermissions(ctx context.Context) bool {
	for {
		if r.check(ctx); r.complete() {
			return true
		}
		if chaos.Pause(ctx, checkMissing) != nil {
			return false
		}
	}
}

// waitForWorkloads returns true as soon as those that there are have been read, false if ctx ends before.
func (r *readiness) waitForWorkloads(ctx context.Context) bool {
	for !r.synced.Load().Synced() {
		if chaos.Pause(ctx, 50*time.Millisecond) != nil {
			return false
		}
	}
	return true
}

// waitForClaims returns true as soon as no other installation keeps this one from standing for election, false if ctx ends
// before.
func (r *readiness) waitForClaims(ctx context.Context) bool {
	for !r.claims.Load().MayStand() {
		if chaos.Pause(ctx, 50*time.Millisecond) != nil {
			return false
		}
	}
	return true
}

const (
	// checkAll is how often all permissions are asked for, one by one, checkMissing how often while one is missing, and
	// checkTimeout how long that may take.
	checkAll, checkMissing, checkTimeout = 5 * time.Minute, 5 * time.Second, time.Minute
	// lookAtRules is how often the rules are asked for that an account has in a namespace while kills are due, and idleRules how
	// often while none is.
	lookAtRules, idleRules = time.Second, 10 * time.Second
)

// watchPermissions looks whether they are still there: once in a while, as soon as the rules of the account are others than
// before, and when the API server has refused something.
func (r *readiness) watchPermissions(ctx context.Context) {
	often := min(checkAll, lookAtRules*time.Duration(max(1, len(r.scope.Namespaces))))
	look := time.NewTicker(often)
	defer look.Stop()
	rules, checked, looked := "", time.Now(), time.Now()
	refused := checkMissing // how long after a check what is refused is a reason for the next
	for ctx.Err() == nil {
		now, again, byRefusal := rules, checkAll, false
		select {
		case <-ctx.Done():
			continue
		case <-r.client.Refused():
			again, byRefusal = refused, true
		case <-look.C:
			if runner := r.leading.Load(); time.Since(looked) < idleRules && r.complete() && (runner == nil || !runner.Busy(often)) {
				continue
			}
			looked = time.Now()
			if said, err := r.rules(ctx); err == nil {
				now = said
			}
			if !r.complete() {
				again = checkMissing
			}
		}
		if now == rules && time.Since(checked) < again {
			continue
		}
		checked = time.Now()
		if r.check(ctx) {
			rules = now
		}
		switch {
		case !byRefusal, !r.complete():
			refused = checkMissing
		default: // it was no matter of permissions, as in a namespace that is going
			refused = min(2*refused, checkAll)
		}
	}
}

func (r *readiness) rules(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, checkMissing)
	defer cancel()
	return r.client.Rules(ctx, r.scope)
}

// check asks for the permissions, notes and logs a change, and tells whether there was an answer. Where the API server does
// not answer, what was known holds.
func (r *readiness) check(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	missing, err := r.client.Missing(ctx, r.scope)
	if err != nil {
		glog.Warningf("permissions not checked error=%q", err)
		return false
	}
	r.metrics.Lacks(len(missing))
	text := kubernetes.Lacking(missing)
	r.mu.Lock()
	defer r.mu.Unlock()
	if text != r.missing {
		glog.Warningf("permissions changed missing=%q", strings.Join(missing, ", "))
	}
	r.checked, r.missing = true, text
	return true
}
