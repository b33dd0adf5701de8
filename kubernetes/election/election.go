// Package election sees to it that one Caprice acts at a time: one process of an installation, and one installation in a
// namespace.
package election

import (
	"context"
	"errors"
	"sync"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"

	"caprice/chaos"
	"caprice/kubernetes"
)

const (
	leaseDuration = 6 * time.Second
	// renewDeadline is how long after it last sent a renewal that counted a leader goes on to try.
	renewDeadline = 4800 * time.Millisecond
	// renewPeriod is how long after a renewal a leader sends the next, and retryRenewal how long after one that failed.
	renewPeriod  = 2 * time.Second
	retryRenewal = 200 * time.Millisecond
	// retryPeriod is how long a candidate waits before it asks again, and up to retryJitter times that on top of it.
	retryPeriod = 800 * time.Millisecond
	retryJitter = 1.2
	// leaseTimeout is how long one request may take before it is sent again, and mostLeaseTimeout where the API server is slow: as
	// long as a renewal has that is sent in time.
	leaseTimeout, mostLeaseTimeout = 800 * time.Millisecond, renewDeadline - renewPeriod - retryRenewal
	// secondTimeout is how long a leader's request may take after one that was not answered, so that there is time for a third.
	secondTimeout = 1420 * time.Millisecond
	// releaseTimeout is how long a leader that ends may take to give the lease up, or longer where the API server is slow.
	releaseTimeout = time.Second
	// freshness is how long after it sent a renewal a leader may still act: nobody else can have the lease for
	// leaseDuration, less a request's time and what two clocks may differ in their pace.
	freshness = leaseDuration - 1500*time.Millisecond
)

// Election makes one of several processes the leader, by a Lease in Caprice's own namespace. It is a chaos.Lease.
type Election struct {
	// Settled returns until when all that was due is written down, as far as the leader of that term has come.
	Settled func(chaos.Term) time.Time
	// Trouble is told why a request for the lease fails, whenever that is another reason than of the last that read, or wrote.
	Trouble func(error)
	// Restored is called when versions of the lease have gone back: what the API server keeps has been restored from a backup, and
	// watches from versions that are yet to come hear nothing until these have caught up.
	Restored func()

	leases    kubernetes.Leases // of its own namespace
	namespace string
	identity  string
	owner     *core.ObjectReference

	// What the lease said last that is known to count, and since when; the one candidacy at a time reads and writes it.
	known    *coordination.Lease
	since    time.Time
	tried    []time.Time       // when renewals were sent since, whose answers were lost or late
	patience time.Duration     // how long the next request may take; zero: leaseTimeout
	troubles map[string]string // of the last requests that read and wrote
	version  string            // that an answer had last
	past     chaos.Term        // that a leader could have taken over when versions went back; zero: they have not
	left     time.Time         // until when all was settled when this process last ceased to lead

	mu      sync.Mutex
	sent    time.Time  // when the renewal was sent that last made the lease ours; zero: it is not
	renewal string     // the lease's version after that
	foreign string     // the last version heard of in which it is not ours
	heard   time.Time  // when that was
	term    chaos.Term // since it is ours; zero: it is not
}

// Server has the Leases of each namespace, as a *kubernetes.Client does.
type Server interface {
	Leases(namespace string) kubernetes.Leases
}

// New returns an election in a namespace, in which this process goes by the given identity, which nobody else has. The Lease
// goes with its owner, if that is known.
func New(server Server, namespace, identity string, owner *core.ObjectReference) *Election {
	return &Election{leases: server.Leases(namespace), namespace: namespace, identity: identity, owner: owner, Trouble: func(error) {}, Restored: func() {}, troubles: map[string]string{}}
}

// Run stands for election until ctx ends. As the leader it calls lead, and ends the context of that when the lease is lost
// or ctx ends. It gives the lease up, or stands anew, only after lead has returned.
func (e *Election) Run(ctx context.Context, lead func(context.Context, chaos.Term)) {
	released := make(chan struct{}, 1)
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { e.watch(ctx, released) })
	for e.acquire(ctx, released) {
		e.hold(ctx, lead)
	}
}

// acquire asks for the lease until it is ours, and at once when it is given up. It returns false if ctx ends before.
func (e *Election) acquire(ctx context.Context, released <-chan struct{}) bool {
	for ctx.Err() == nil {
		if e.take(context.WithoutCancel(ctx)) { // whose answer is awaited: nobody else would have a lease that is ours unawares
			return true
		}
		select {
		case <-ctx.Done():
		case <-released:
		case <-time.After(wait.Jitter(retryPeriod, retryJitter)):
		}
	}
	return false
}

// hold leads until ctx ends or the lease is lost. While a leader comes to its end that was told to, its lease is renewed.
func (e *Election) hold(ctx context.Context, lead func(context.Context, chaos.Term)) {
	leading, stop := context.WithCancel(ctx)
	renewing, ended := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer ended()
		lead(leading, e.Term())
	}()
	if e.renew(renewing) {
		e.release(context.WithoutCancel(ctx))
	}
	stop()
	<-renewing.Done()
	e.left = e.Settled(e.Term())
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sent, e.term = time.Time{}, chaos.Term{}
}

// renew renews the lease until ctx ends, and then returns true. It returns false if the lease is lost: it could not be renewed
// in time, or somebody else has had it, and what they did this term knows nothing of.
func (e *Election) renew(ctx context.Context) bool {
	for {
		inTime, cancel := context.WithDeadline(ctx, e.since.Add(renewDeadline))
		renewed := e.renewOnce(inTime)
		cancel()
		if !renewed {
			return ctx.Err() != nil
		}
	}
}

// renewOnce renews the lease once. It returns false if ctx ends before, or another has had it.
func (e *Election) renewOnce(ctx context.Context) bool {
	for pause := time.Until(e.since.Add(renewPeriod)); ; pause = retryRenewal {
		if chaos.Pause(ctx, pause) != nil {
			return false
		}
		switch err := e.write(ctx, e.known); {
		case err == nil:
			return true
		case !apierrors.IsConflict(err) && !kubernetes.Absent(err) && !errors.Is(err, context.DeadlineExceeded), ctx.Err() != nil:
			continue
		}
		switch there, err := e.read(ctx); {
		case kubernetes.Absent(err) && e.write(ctx, nil) == nil:
			return true
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil && e.write(ctx, e.known) == nil: // at once: there is little time left
			return true
		case err != nil:
		case holder(there) != e.identity:
			e.disown()
			return false
		case e.counted(there), e.write(ctx, there) == nil:
			return true
		}
	}
}

// watch has candidates ask for the lease as soon as it is given up, and a leader stop as soon as somebody deletes the lease or
// writes another holder into it. How soon that is depends on it, and nothing else.
func (e *Election) watch(ctx context.Context, released chan<- struct{}) {
	only := meta.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", kubernetes.LeaseName).String()}
	for ctx.Err() == nil {
		if w, err := e.leases.Watch(ctx, only); err == nil {
			stop := context.AfterFunc(ctx, w.Stop)
			for event := range w.ResultChan() {
				lease, ok := event.Object.(*coordination.Lease)
				if !ok {
					continue
				}
				if event.Type == watch.Deleted || holder(lease) != e.identity {
					e.disownAt(lease.ResourceVersion)
				}
				if event.Type == watch.Modified && holder(lease) == "" {
					select {
					case released <- struct{}{}:
					default:
					}
				}
			}
			stop()
			w.Stop()
		}
		_ = chaos.Pause(ctx, leaseDuration)
	}
}

// Held tells whether by now nobody else can have the lease. A suspended machine's monotonic clock stands still, and its wall
// clock may be set: by both it must be fresh.
func (e *Election) Held() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return chaos.Fresh(e.sent, freshness)
}

// Term returns what this process leads, zero if it does not.
func (e *Election) Term() chaos.Term {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.term
}

// renewed notes a renewal, and the term if it is the first. If it was heard meanwhile that the lease is not ours any more, that
// counts. One that was sent after that was heard has found it ours again, whatever its version: versions go back where what the API
// server keeps is restored from a backup.
func (e *Election) renewed(sent time.Time, version string, term chaos.Term) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sent, e.renewal = sent, version; !sent.After(e.heard) && later(e.foreign, version) {
		e.sent = time.Time{}
	}
	if e.term == (chaos.Term{}) {
		e.term = term
	}
}

// disown notes that from now on somebody else may have the lease.
func (e *Election) disown() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sent = time.Time{}
}

// disownAt notes that in a version of the lease somebody else may have it, unless it became ours later.
func (e *Election) disownAt(version string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.foreign, e.heard = version, time.Now(); later(version, e.renewal) {
		e.sent = time.Time{}
	}
}

// later tells whether a version of the lease is later than another, or may be. Without one there is none.
func later(version, than string) bool {
	order, err := resourceversion.CompareResourceVersion(version, than)
	return version != "" && (err != nil || order > 0)
}
