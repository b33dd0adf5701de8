package election

import (
	"context"
	"fmt"
	"math"
	"time"

	coordination "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"caprice/calendar"
	"caprice/chaos"
	"caprice/kubernetes"
)

// settledAnnotation of the Lease says until when all that was due is written down. A leader that ends, or cannot write, leaves
// what is planned for later to the next.
const settledAnnotation = "caprice.chaos/settled-until"

// leastHeld and mostHeld bound for how long after a renewal a lease counts as its holder's: somebody may have edited what it says.
const leastHeld, mostHeld = leaseDuration, time.Minute

// take reads the lease, and makes it ours unless another process holds it. One that has not renewed it for as long as it said
// it would hold it does so no more, by this process's clock alone.
func (e *Election) take(ctx context.Context) bool {
	there, err := e.read(ctx)
	switch {
	case kubernetes.Absent(err):
		return !e.anothers() && e.write(ctx, nil) == nil
	case err != nil:
		return false
	}
	if holder(there) != e.identity { // what this process wrote, its answer lost, is no sign of another leader's life
		if e.known == nil || !equality.Semantic.DeepEqual(there.Spec, e.known.Spec) {
			e.since = time.Now()
		}
		e.known = there
	}
	if e.anothers() {
		delete(e.troubles, "write") // the next is told, whatever the last was long ago
		return false
	}
	return e.write(ctx, there) == nil
}

// anothers tells whether another process holds the lease, as it is known.
func (e *Election) anothers() bool {
	if e.known == nil || holder(e.known) == "" || holder(e.known) == e.identity {
		return false
	}
	held := leastHeld
	if said := e.known.Spec.LeaseDurationSeconds; said != nil {
		held = min(max(held, time.Duration(*said)*time.Second), mostHeld)
	}
	return time.Since(e.since) < held
}

func (e *Election) read(ctx context.Context) (*coordination.Lease, error) {
	var there *coordination.Lease
	err := e.ask(ctx, func(ctx context.Context) (err error) {
		there, err = e.leases.Get(ctx, kubernetes.LeaseName, meta.GetOptions{})
		return err
	})
	if !kubernetes.Absent(err) {
		e.note("read", err)
	}
	if err == nil && e.wentBack(there.ResourceVersion) {
		if holder(there) != e.identity && e.past != (chaos.Term{}) { // what is its own says so when it leads
			e.bequeath(ctx, there)
		}
		e.Restored()
	}
	return there, err
}

// wentBack notes the version of the lease in an answer, and tells whether it is older than the last one. Asked for one object, an API
// server never goes back unless it was restored. What leaders settled since then must not become due again, though the restored lease says
// so: the records may be lost.
func (e *Election) wentBack(version string) bool {
	order, err := resourceversion.CompareResourceVersion(version, e.version)
	back := err == nil && order < 0
	if e.version = version; back && e.known != nil {
		e.past = inherited(e.known, time.Now())
		settled := e.left
		if term := e.Term(); term != (chaos.Term{}) { // it has gone on since it wrote the lease
			settled = calendar.Later(settled, e.Settled(term))
		}
		e.past.From, e.past.Alive = calendar.Later(e.past.From, settled), calendar.Later(e.past.Alive, settled)
	}
	return back
}

// bequeath writes into another's lease what is known of before versions went back, for whoever leads next. If somebody is faster,
// that is whoever knows the same.
func (e *Election) bequeath(ctx context.Context, there *coordination.Lease) {
	next, now := there.DeepCopy(), time.Now()
	said := inherited(next, now)
	alive, from := meta.NewMicroTime(calendar.Later(said.Alive, e.past.Alive)), calendar.Later(said.From, e.past.From)
	next.Spec.RenewTime = &alive
	meta.SetMetaDataAnnotation(&next.ObjectMeta, settledAnnotation, from.UTC().Format(time.RFC3339Nano))
	var written *coordination.Lease
	err := e.ask(ctx, func(ctx context.Context) (err error) {
		written, err = e.leases.Update(ctx, next, meta.UpdateOptions{})
		return err
	})
	if !apierrors.IsConflict(err) {
		e.note("write", err)
	}
	if err == nil {
		e.version = written.ResourceVersion
	}
}

// write says in the lease, as it was read, that it is ours from now on; in a new one if there is none.
func (e *Election) write(ctx context.Context, there *coordination.Lease) error {
	next := there.DeepCopy()
	if there == nil {
		next = &coordination.Lease{ObjectMeta: meta.ObjectMeta{Namespace: e.namespace, Name: kubernetes.LeaseName}}
		if e.known != nil && e.known.Annotations[settledAnnotation] != "" {
			next.Annotations = map[string]string{settledAnnotation: e.known.Annotations[settledAnnotation]}
		}
	}
	sent := time.Now()
	if e.Term() != (chaos.Term{}) {
		e.tried = append(e.tried, sent)
	}
	now, seconds := meta.NewMicroTime(sent), int32(leaseDuration/time.Second)
	if s := &next.Spec; holder(next) != e.identity {
		var changes int32
		if before := s.LeaseTransitions; before != nil && *before < math.MaxInt32 {
			changes = *before + 1
		}
		s.AcquireTime, s.LeaseTransitions = &now, &changes
	}
	next.Spec.HolderIdentity, next.Spec.RenewTime, next.Spec.LeaseDurationSeconds = &e.identity, &now, &seconds
	written, err := e.send(ctx, next, there == nil)
	if err != nil {
		return err
	}
	term := inherited(e.known, sent)
	term.From, term.Alive = calendar.Later(term.From, e.past.From), calendar.Later(term.Alive, e.past.Alive)
	e.counts(written, sent, term)
	return nil
}

// counts notes that the lease is ours by a renewal that was sent then.
func (e *Election) counts(lease *coordination.Lease, sent time.Time, term chaos.Term) {
	e.renewed(sent, lease.ResourceVersion, term)
	e.known, e.since, e.tried = lease, sent, nil
}

// counted notes the renewal that a leader's own lease tells of, whose answer was lost or late. It returns false if there is none.
func (e *Election) counted(there *coordination.Lease) bool {
	for _, sent := range e.tried {
		if renewed := there.Spec.RenewTime; renewed != nil && renewed.UnixMicro() == sent.UnixMicro() {
			e.counts(there, sent, e.Term())
			return true
		}
	}
	return false
}

// release gives the lease up. If that fails, others wait until it has not been renewed for long.
func (e *Election) release(ctx context.Context) {
	e.disown()
	ctx, cancel := context.WithTimeout(ctx, max(releaseTimeout, e.patience))
	defer cancel()
	free := func(there *coordination.Lease) error {
		next, now, seconds, nobody := there.DeepCopy(), meta.NowMicro(), int32(1), ""
		next.Spec.HolderIdentity, next.Spec.RenewTime, next.Spec.LeaseDurationSeconds = &nobody, &now, &seconds
		_, err := e.send(ctx, next, false)
		return err
	}
	if err := free(e.known); !apierrors.IsConflict(err) {
		return
	}
	if there, err := e.read(ctx); err == nil && holder(there) == e.identity {
		_ = free(there) // send has told why it failed
	}
}

// send creates or updates the lease, and has it say how far its leader has come and whose it is.
func (e *Election) send(ctx context.Context, lease *coordination.Lease, create bool) (sent *coordination.Lease, err error) {
	meta.SetMetaDataLabel(&lease.ObjectMeta, "app.kubernetes.io/name", "caprice")
	if o := e.owner; o != nil {
		lease.OwnerReferences = []meta.OwnerReference{{APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Name, UID: o.UID}}
	}
	if term := e.Term(); term != (chaos.Term{}) {
		meta.SetMetaDataAnnotation(&lease.ObjectMeta, settledAnnotation, e.Settled(term).UTC().Format(time.RFC3339Nano))
	}
	err = e.ask(ctx, func(ctx context.Context) (err error) {
		if create {
			sent, err = e.leases.Create(ctx, lease, meta.CreateOptions{})
		} else {
			sent, err = e.leases.Update(ctx, lease, meta.UpdateOptions{})
		}
		return err
	})
	if apierrors.IsForbidden(err) && !create {
		e.owner = nil // an API server may let only those name an owner who may delete the lease; without one it stays
	}
	if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !kubernetes.Absent(err) { // those say that somebody was faster
		e.note("write", err)
	}
	if err == nil && e.wentBack(sent.ResourceVersion) {
		e.Restored()
	}
	return sent, err
}

// ask sends a request for the lease, which may take twice as long as the last one took, answered or not; a leader's, after one that was
// not, secondTimeout at most.
func (e *Election) ask(ctx context.Context, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, max(leaseTimeout, e.patience))
	defer cancel()
	sent := time.Now()
	err := request(ctx)
	e.patience = min(2*time.Since(sent), mostLeaseTimeout)
	if ctx.Err() != nil && e.Term() != (chaos.Term{}) {
		e.patience = min(e.patience, secondTimeout)
	}
	return err
}

// note tells of an error of a request, once until the next that does the same succeeds or fails otherwise.
func (e *Election) note(does string, err error) {
	trouble := ""
	if err != nil {
		trouble = err.Error()
	}
	if trouble != "" && trouble != e.troubles[does] {
		e.Trouble(err)
	}
	e.troubles[does] = trouble
}

// inherited returns the term of a leader that took the lease over at now, by what it said before; nil: there was none.
func inherited(before *coordination.Lease, now time.Time) chaos.Term {
	if before == nil {
		return chaos.Term{First: true, From: now, Alive: now}
	}
	term := chaos.Term{From: now, Alive: now}
	if renewed := before.Spec.RenewTime; renewed != nil && renewed.Time.Before(now) { // another's clock may be ahead
		term.From, term.Alive = renewed.Time, renewed.Time
	}
	if settled, err := time.Parse(time.RFC3339Nano, before.Annotations[settledAnnotation]); err == nil && settled.Before(term.From) {
		term.From = settled
	}
	return term
}

func holder(lease *coordination.Lease) string {
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// Leader returns who leads in Caprice's namespace, empty if nobody does. A lease that is not fresh by this machine's clock, which
// may be wrong, is watched until it is renewed, for as long as it holds.
func Leader(ctx context.Context, server Server, namespace string) (string, error) {
	var last *coordination.LeaseSpec
	for begin := time.Now(); ; {
		lease, err := server.Leases(namespace).Get(ctx, kubernetes.LeaseName, meta.GetOptions{})
		if kubernetes.Absent(err) {
			return "", nil
		}
		if err != nil {
			return "", fmt.Errorf("reading Lease %s in namespace %s: %w", kubernetes.LeaseName, namespace, err)
		}
		now := lease.Spec
		switch {
		case holder(lease) == "" || now.RenewTime == nil:
			return "", nil
		case last == nil && chaos.Fresh(now.RenewTime.Time, leaseDuration) && !now.RenewTime.After(time.Now()), last != nil && !now.RenewTime.Equal(last.RenewTime):
			return holder(lease), nil
		case time.Since(begin) > leaseDuration:
			return "", nil
		}
		last = &now
		if err := chaos.Pause(ctx, lookAtLease); err != nil {
			return "", err
		}
	}
}

// lookAtLease is how often a lease is looked at that is not fresh.
const lookAtLease = 500 * time.Millisecond
