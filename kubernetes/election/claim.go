package election

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	coordination "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/util/workqueue"

	"caprice/kubernetes"
)

// look reads the claims to all namespaces that are wanted, answers challenges, takes what is free and whose holder is gone,
// and challenges others. One that holds none takes all of its namespaces or none, so that it stops nobody who was first.
// The error says that it has to look again soon.
func (c *Claims) look(ctx context.Context) error {
	wanted := c.wanted()
	claims, asked, err := c.read(ctx, wanted)
	if err != nil {
		return c.failed(err)
	}
	held, others := map[string]time.Time{}, map[string]string{}
	var free, ours, rivals []*coordination.Lease
	for _, namespace := range wanted {
		switch claim := claims[namespace]; {
		case claim == nil:
			free = append(free, &coordination.Lease{ObjectMeta: meta.ObjectMeta{Namespace: namespace, Name: kubernetes.ClaimName}})
		case claimant(claim) != c.home:
			rivals = append(rivals, claim)
			others[namespace] = claimant(claim)
		case claim.Annotations[challenged] != "":
			ours = append(ours, claim)
		default:
			held[namespace] = asked[namespace]
		}
	}
	c.seen(held, others)
	silent, ask := c.judge(rivals)
	take := ours
	if rest := append(silent, free...); len(held)+len(ours) > 0 {
		rand.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] }) // those that do not answer keep no others waiting for ever
		take = append(take, rest...)
	} else if len(silent) == len(rivals) {
		take = rest
	}
	var problem, again error
	taking := c.takeAll(ctx, take, len(held) == 0)
	for i, claim := range take {
		sent, err := taking[i].sent, taking[i].err
		switch {
		case faster(err) && len(held) == 0:
			return c.failed(err)
		case faster(err):
			problem, again = err, err
		case err != nil:
			problem = err // it may be this namespace's alone: it is being deleted, or has no room
		default:
			held[claim.Namespace] = sent
			delete(others, claim.Namespace)
		}
	}
	rand.Shuffle(len(ask), func(i, j int) { ask[i], ask[j] = ask[j], ask[i] })
	challenging, cancel := context.WithTimeout(ctx, lookAtClaims) // what is left is challenged by the next look
	defer cancel()
	workqueue.ParallelizeUntil(challenging, atOnce, len(ask), func(i int) { c.challenge(challenging, ask[i]) })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked, c.held, c.others, c.problem = true, held, others, problem
	return again
}

// seen notes what reading the claims has shown, before anything is taken: that may take as long as the namespaces let it.
func (c *Claims) seen(held map[string]time.Time, others map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.looked { // whoever begins has to take something before it may stand
		return
	}
	maps.Copy(c.held, held)
	for namespace, other := range others {
		c.others[namespace] = other
		delete(c.held, namespace)
	}
}

// taking is when a claim was asked for, and what came of it.
type taking struct {
	sent time.Time
	err  error
}

// atOnce is how many claims are read or taken at the same time.
const atOnce = 16

// takeAll takes claims, many at once: a namespace that does not answer, as by its webhook, is to hold up no other. Of
// one that has none yet the first that it gets comes alone and in the order of names, by which two that begin at once find
// out who was first; with it gone to another the rest is not tried.
func (c *Claims) takeAll(ctx context.Context, claims []*coordination.Lease, alone bool) []taking {
	all := make([]taking, len(claims))
	next := 0
	for ; alone && next < len(claims); next++ {
		all[next] = taking{time.Now(), c.take(ctx, claims[next])}
		if faster(all[next].err) {
			return all
		}
		alone = all[next].err != nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookAtClaims)
	defer cancel()
	for i := next; i < len(claims); i++ {
		all[i].err = fmt.Errorf("claiming namespace %s: others have not answered for %s", claims[i].Namespace, lookAtClaims)
	}
	workqueue.ParallelizeUntil(ctx, atOnce, len(claims)-next, func(n int) {
		all[next+n] = taking{time.Now(), c.take(ctx, claims[next+n])}
	})
	return all
}

// faster tells whether another was, and what was read of a claim is old.
func faster(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }

// failed notes why a look failed. What was known before goes on to hold, and gets old.
func (c *Claims) failed(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problem = err
	return err
}

// read returns the claims by their namespaces, and when each of these was asked for.
func (c *Claims) read(ctx context.Context, namespaces []string) (claims map[string]*coordination.Lease, asked map[string]time.Time, err error) {
	claims, asked = map[string]*coordination.Lease{}, map[string]time.Time{}
	if !c.scope.Confined() {
		for _, namespace := range namespaces {
			asked[namespace] = time.Now()
		}
		ctx, cancel := context.WithTimeout(ctx, claimTimeout)
		defer cancel()
		only := fields.OneTermEqualSelector(meta.ObjectNameField, kubernetes.ClaimName).String()
		list, err := c.server.Leases(meta.NamespaceAll).List(ctx, meta.ListOptions{FieldSelector: only})
		if err != nil {
			return nil, nil, fmt.Errorf("listing claims: %w", err)
		}
		for i := range list.Items {
			claims[list.Items[i].Namespace] = &list.Items[i]
		}
		return claims, asked, nil
	}
	var mu sync.Mutex // guards what is returned
	workqueue.ParallelizeUntil(ctx, atOnce, len(namespaces), func(i int) {
		request, cancel := context.WithTimeout(ctx, claimTimeout)
		defer cancel()
		namespace, sent := namespaces[i], time.Now()
		claim, failed := c.server.Leases(namespace).Get(request, kubernetes.ClaimName, meta.GetOptions{})
		mu.Lock()
		defer mu.Unlock()
		switch asked[namespace] = sent; {
		case failed == nil:
			claims[namespace] = claim
		case !kubernetes.Absent(failed):
			err = fmt.Errorf("reading the claim to namespace %s: %w", namespace, failed)
		}
	})
	if err == nil {
		err = ctx.Err() // then not all were
	}
	return claims, asked, err
}

// claimant returns whose a claim is. One that says nothing is another's, until its challenge has gone unanswered.
func claimant(claim *coordination.Lease) string {
	if by := claim.Spec.HolderIdentity; by != nil && *by != "" {
		return *by
	}
	return "?"
}

// take makes a claim ours, as it was read, or says that it still is.
func (c *Claims) take(ctx context.Context, claim *coordination.Lease) error {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	now := meta.NowMicro()
	if claimant(claim) != c.home {
		claim.Spec.AcquireTime = &now
	}
	claim.Spec.HolderIdentity, claim.Spec.RenewTime = &c.home, &now
	meta.SetMetaDataLabel(&claim.ObjectMeta, "app.kubernetes.io/name", "caprice")
	delete(claim.Annotations, challenged)
	leases := c.server.Leases(claim.Namespace)
	var err error
	if claim.ResourceVersion == "" {
		_, err = leases.Create(ctx, claim, meta.CreateOptions{})
	} else {
		_, err = leases.Update(ctx, claim, meta.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("claiming namespace %s: %w", claim.Namespace, err)
	}
	return nil
}

// challenge asks the holder of a claim for a sign of life. Where that fails it is left to the next look.
func (c *Claims) challenge(ctx context.Context, claim *coordination.Lease) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	meta.SetMetaDataAnnotation(&claim.ObjectMeta, challenged, fmt.Sprintf("%s by %s", time.Now().UTC().Format(time.RFC3339Nano), c.home))
	asked := time.Now()
	changed, err := c.server.Leases(claim.Namespace).Update(ctx, claim, meta.UpdateOptions{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[claim.Namespace] = asked
	if err == nil {
		c.standing[claim.Namespace] = standing{changed.ResourceVersion, time.Now()}
	}
}

// judge returns which of others' claims nobody has answered for, and which to challenge now. A holder is asked for one claim
// at a time, in turn, since it may have hundreds; it is asked for the others too once it seems to be gone. Whoever it was
// that challenged a claim, it counts that it is as it was when that was seen first.
func (c *Claims) judge(rivals []*coordination.Lease) (silent, ask []*coordination.Lease) {
	now, still := time.Now(), map[string]standing{}
	waiting := map[string]time.Duration{} // for an answer, by holder
	next := map[string]*coordination.Lease{}
	for _, claim := range rivals {
		if claim.Annotations[challenged] == "" {
			if best := next[claimant(claim)]; best == nil || c.asked[claim.Namespace].Before(c.asked[best.Namespace]) {
				next[claimant(claim)] = claim
			}
			continue
		}
		s := c.standing[claim.Namespace]
		if s.version != claim.ResourceVersion {
			s = standing{claim.ResourceVersion, now}
		}
		still[claim.Namespace] = s
		if age := now.Sub(s.since); age >= silence {
			silent = append(silent, claim)
		} else {
			waiting[claimant(claim)] = max(waiting[claimant(claim)], age, 1)
		}
	}
	c.standing = still
	for _, claim := range rivals {
		age := waiting[claimant(claim)]
		if claim.Annotations[challenged] == "" && (age >= suspicion || age == 0 && claim == next[claimant(claim)]) {
			ask = append(ask, claim)
		}
	}
	return silent, ask
}

// Others returns which namespaces of a scope other installations act on than the one in namespace home, and in which namespace each of
// them is installed.
func Others(ctx context.Context, server Server, home string, scope kubernetes.Scope) (map[string]string, error) {
	c := NewClaims(server, home, scope)
	claims, _, err := c.read(ctx, c.wanted())
	if err != nil {
		return nil, err
	}
	others := map[string]string{}
	for namespace, claim := range claims {
		if by := claimant(claim); by != home && scope.Contains(namespace) {
			others[namespace] = by
		}
	}
	return others, nil
}

// Claimant returns in which namespace the Caprice is installed that acts on a namespace, empty if none does.
func Claimant(ctx context.Context, server Server, namespace string) (string, error) {
	claim, err := server.Leases(namespace).Get(ctx, kubernetes.ClaimName, meta.GetOptions{})
	switch {
	case kubernetes.Absent(err):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("reading the claim to namespace %s: %w", namespace, err)
	}
	return claimant(claim), nil
}
