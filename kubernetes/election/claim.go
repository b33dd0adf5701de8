package election

import (
	"context"
	"fmt"
	"time"

	coordination "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"caprice/kubernetes"
)

// look reads the claims to all namespaces that are wanted, answers challenges, takes what is free and whose holder is gone,
// and challenges others. One that holds none takes all of its namespaces or none, so that it stops nobody who was first.
// The error says that it has to look again soon.
func (c *Claims) look(ctx context.Context) error {
	wanted, sent := c.wanted(), time.Now()
	claims, err := c.read(ctx, wanted)
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
			held[namespace] = sent
		}
	}
	silent, ask := c.judge(rivals)
	take := ours
	if len(held)+len(ours) > 0 || len(silent) == len(rivals) {
		take = append(append(take, silent...), free...)
	}
	var problem, again error
	for _, claim := range take {
		sent := time.Now()
		err := c.take(ctx, claim)
		faster := apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) // somebody was, and what was read of it is old
		switch {
		case faster && len(held) == 0:
			return c.failed(err)
		case faster:
			problem, again = err, err
		case err != nil:
			problem = err // it may be this namespace's alone: it is being deleted, or has no room
		default:
			held[claim.Namespace] = sent
			delete(others, claim.Namespace)
		}
	}
	for _, claim := range ask {
		c.challenge(ctx, claim)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked, c.held, c.others, c.problem = true, held, others, problem
	return again
}

// failed notes why a look failed. What was known before goes on to hold, and gets old.
func (c *Claims) failed(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problem = err
	return err
}

// read returns the claims by their namespaces.
func (c *Claims) read(ctx context.Context, namespaces []string) (map[string]*coordination.Lease, error) {
	claims := map[string]*coordination.Lease{}
	if !c.scope.Confined() {
		ctx, cancel := context.WithTimeout(ctx, claimTimeout)
		defer cancel()
		only := fields.OneTermEqualSelector(meta.ObjectNameField, kubernetes.ClaimName).String()
		list, err := c.server.Leases(meta.NamespaceAll).List(ctx, meta.ListOptions{FieldSelector: only})
		if err != nil {
			return nil, fmt.Errorf("listing claims: %w", err)
		}
		for i := range list.Items {
			claims[list.Items[i].Namespace] = &list.Items[i]
		}
		return claims, nil
	}
	for _, namespace := range namespaces {
		request, cancel := context.WithTimeout(ctx, claimTimeout)
		claim, err := c.server.Leases(namespace).Get(request, kubernetes.ClaimName, meta.GetOptions{})
		cancel()
		if err == nil {
			claims[namespace] = claim
		} else if !kubernetes.Absent(err) {
			return nil, fmt.Errorf("reading the claim to namespace %s: %w", namespace, err)
		}
	}
	return claims, nil
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
	c.asked[claim.Namespace] = time.Now()
	if changed, err := c.server.Leases(claim.Namespace).Update(ctx, claim, meta.UpdateOptions{}); err == nil {
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
	claims, err := c.read(ctx, c.wanted())
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
