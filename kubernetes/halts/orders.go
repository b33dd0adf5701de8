// Package halts reads orders to stop, objects of kind Halt, and tells of them.
package halts

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/victims"
)

const (
	// mostAge is how old an answer about halts may be, from when it was asked for, and so how long one is waited for. With the
	// time of a removal it stays under the second in which a halt takes effect, but for an API server that needs longer than the
	// rest for that.
	mostAge = 700 * time.Millisecond
	// renewal is how old an answer gets before the next is asked for, while the one that is there still holds.
	renewal = 200 * time.Millisecond
)

// Orders reads halts. Kills that ask at the same time share one answer. It is a chaos.Halts.
type Orders struct {
	Client   *kubernetes.Client
	Scope    kubernetes.Scope
	Patience time.Duration    // how long an answer is waited for; zero: as short as kills need
	Now      func() time.Time // by which halts end; nil: this process's clock

	mu   sync.Mutex
	last *question // that was answered; asked when it failed, if it did
	next *question // that is being answered
}

// question is what halts there are, and the answer once there is one.
type question struct {
	asked    time.Time
	answered chan struct{} // closed when it is
	halts    []v1alpha1.Halt
	err      error
}

// Check returns a *chaos.Veto if a halt is known that holds for the workload, and otherwise any other error if not all can be read.
func (o *Orders) Check(ctx context.Context, w victims.Workload) error {
	halts, err := o.current(ctx)
	for i := range halts {
		if h := &halts[i]; o.holds(h, w) {
			return &chaos.Veto{Reason: chaos.Halted, Message: fmt.Sprintf("halt %s/%s: %s", h.Namespace, h.Name, h.Spec.Reason)}
		}
	}
	return err
}

// Holding returns all halts in the scope that hold at a time; with an error, those of namespaces that can be read.
func (o *Orders) Holding(ctx context.Context, now time.Time) ([]v1alpha1.Halt, error) {
	halts, err := o.list(ctx)
	return slices.DeleteFunc(halts, func(h v1alpha1.Halt) bool { return !o.inForce(&h, now) }), err
}

// inForce tells whether a halt has not expired, and is where this installation goes by it.
func (o *Orders) inForce(h *v1alpha1.Halt, now time.Time) bool {
	return !h.Expired(now) && (h.StopsAll(o.Client.Namespace) || o.Scope.Contains(h.Namespace))
}

// holds tells whether a halt stops kills of a workload.
func (o *Orders) holds(h *v1alpha1.Halt, w victims.Workload) bool {
	now := time.Now
	if o.Now != nil {
		now = o.Now
	}
	switch {
	case h.Expired(now()):
		return false
	case h.StopsAll(o.Client.Namespace):
		return true
	case h.Spec.Workload == nil:
		return h.Namespace == w.Namespace
	}
	return h.Namespace == w.Namespace && h.Spec.Workload.Kind == string(w.Kind) && h.Spec.Workload.Name == w.Name
}

// current returns the halts as they were at most mostAge ago, or as they are. That there is no answer is shared as well, for a
// moment: each of many kills that wait in turn would wait for its own. An answer is replaced while it still holds, so that where
// there are many kills few of them wait.
func (o *Orders) current(ctx context.Context) ([]v1alpha1.Halt, error) {
	o.mu.Lock()
	last, holds, young := o.last, false, false
	if last != nil {
		young = chaos.Fresh(last.asked, renewal)
		holds = young || last.err == nil && chaos.Fresh(last.asked, mostAge)
	}
	if !young && o.next == nil {
		o.next = &question{asked: time.Now(), answered: make(chan struct{})}
		go o.answer(context.WithoutCancel(ctx), o.next) // it ends within its patience, and nothing waits for it but whoever asks
	}
	next := o.next
	o.mu.Unlock()
	if holds {
		return last.halts, last.err
	}
	select {
	case <-next.answered:
		return next.halts, next.err
	case <-ctx.Done():
		return nil, fmt.Errorf("listing halts: %w", context.Cause(ctx))
	}
}

func (o *Orders) answer(ctx context.Context, q *question) {
	q.halts, q.err = o.list(ctx)
	if q.err != nil {
		q.asked = time.Now()
	}
	o.mu.Lock()
	o.last, o.next = q, nil
	o.mu.Unlock()
	close(q.answered)
}

func (o *Orders) list(ctx context.Context) ([]v1alpha1.Halt, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(o.Patience, mostAge))
	defer cancel()
	namespaces := o.Scope.Within()
	if o.Scope.Confined() && !slices.Contains(namespaces, o.Client.Namespace) {
		namespaces = append([]string{o.Client.Namespace}, namespaces...)
	}
	lists, errs := make([][]v1alpha1.Halt, len(namespaces)), make([]error, len(namespaces))
	var listing sync.WaitGroup
	for i, namespace := range namespaces { // at once: all of them together have but that time
		listing.Go(func() {
			list, err := o.Client.Halts(namespace).List(ctx, meta.ListOptions{})
			if errs[i] = err; err == nil {
				lists[i] = list.Items
			}
		})
	}
	listing.Wait()
	var failed error
	for _, err := range errs {
		if err != nil {
			failed = fmt.Errorf("listing halts: %w", err)
			break
		}
	}
	return slices.Concat(lists...), failed
}
