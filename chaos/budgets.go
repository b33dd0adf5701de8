package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"caprice/victims"
)

// Budget is a PodDisruptionBudget as it was just read.
type Budget struct {
	Namespace, Name string
	Allowed         int      // how many disruptions it allows now
	Stale           bool     // its status, and so Allowed, is of an older spec
	Covers          []string // the UIDs of those of the pods in question that it covers
}

// String returns namespace/name.
func (b Budget) String() string { return b.Namespace + "/" + b.Name }

// of returns how many of the pods the budget covers.
func (b Budget) of(pods []victims.Pod) int {
	n := 0
	for _, p := range pods {
		if slices.Contains(b.Covers, p.UID) {
			n++
		}
	}
	return n
}

// permit returns an error unless the budget allows n disruptions.
func (b Budget) permit(n int) error {
	switch {
	case b.Stale:
		return &Veto{Disruption, fmt.Sprintf("the status of PodDisruptionBudget %s is of an older spec: want it brought up to date", b.Name)}
	case b.Allowed < n:
		return &Veto{Disruption, fmt.Sprintf("PodDisruptionBudget %s allows %d disruptions now, this kill needs %d", b.Name, b.Allowed, n)}
	}
	return nil
}

// choice is whom a kill strikes. Until it is released, no other kill strikes under the same PodDisruptionBudgets.
type choice struct {
	read    time.Time // when its workload was about to be
	pods    []victims.Pod
	probes  []Probe
	seen    Snapshot
	release func()
	guarded bool // by a budget that the API server does not ask
}

// choosePods says whom of the candidates the kill strikes, if their budgets allow it and a record holds as many.
func (r *Runner) choosePods(ctx context.Context, k due, candidates []victims.Pod) (choice, error) {
	chosen, err := r.chooseWithinBudgets(ctx, k, candidates)
	if err == nil && len(chosen.pods) > mostTargets {
		chosen.release()
		return choice{}, &Veto{OverBudget, fmt.Sprintf("it would kill %d pods, and %d are the most that a record holds", len(chosen.pods), mostTargets)}
	}
	return chosen, err
}

func (r *Runner) chooseWithinBudgets(ctx context.Context, k due, candidates []victims.Pod) (choice, error) {
	scale, method := k.Terms.Scale, k.Terms.Removal()
	if method == victims.Delete && !r.RespectPDB {
		return choice{pods: scale.Choose(candidates, 0, k.Random()), release: func() {}}, nil
	}
	turn := r.reserved.now() // before they are read
	budgets, err := r.Cluster.Budgets(ctx, candidates)
	if err != nil {
		return choice{}, fmt.Errorf("reading the PodDisruptionBudgets: %w", err)
	}
	if len(budgets) > 0 && r.adoptedIn(k.Namespace) {
		return choice{}, &Veto{Disruption, "a kill in its namespace that an earlier leader left open has to end first"}
	}
	allowed := 0
	if scale.Mode == victims.PDB {
		if allowed, err = disruptions(budgets, candidates); err != nil {
			return choice{}, err
		}
	}
	chosen := scale.Choose(candidates, allowed, k.Random())
	budgets = slices.DeleteFunc(budgets, func(b Budget) bool { return b.of(chosen) == 0 })
	if method == victims.Delete {
		err = permit(budgets, chosen)
	} else {
		err = evictable(budgets, chosen)
	}
	if err != nil {
		return choice{}, err
	}
	release, err := r.reserved.hold(turn, budgets)
	return choice{pods: chosen, release: release, guarded: method == victims.Delete}, err
}

// permitted returns a veto unless the budgets of the targets allow it that they are deleted: since they were chosen somebody may have
// drained a node, or made a budget. While they cannot be read it asks again until the given time.
func (r *Runner) permitted(ctx context.Context, targets []victims.Pod, until time.Time) error {
	for {
		request, cancel := context.WithTimeout(ctx, requestTimeout)
		budgets, err := r.Cluster.Budgets(request, targets)
		cancel()
		switch {
		case err == nil:
			budgets = slices.DeleteFunc(slices.Clone(budgets), func(b Budget) bool { return b.of(targets) == 0 })
			return permit(budgets, targets)
		case ctx.Err() != nil:
			return ctx.Err()
		case final(err):
			return err
		case !wallNow().Add(repeat).Before(until):
			veto := Veto{Disruption, "whether its PodDisruptionBudgets still allow it cannot be known: " + err.Error()}
			if unread := (*Unknown)(nil); errors.As(err, &unread) {
				veto.Reason = unread.Reason
			}
			return &veto
		}
		_ = Pause(ctx, repeat)
	}
}

// disruptions returns how many disruptions the one budget of the candidates allows, at least one.
func disruptions(budgets []Budget, candidates []victims.Pod) (int, error) {
	if len(budgets) != 1 {
		return 0, &Veto{Disruption, fmt.Sprintf("kill mode pdb wants one PodDisruptionBudget for its pods, there are %d", len(budgets))}
	}
	b := budgets[0]
	if n := b.of(candidates); n < len(candidates) {
		return 0, &Veto{Disruption, fmt.Sprintf("kill mode pdb wants PodDisruptionBudget %s to cover all its %d candidates, it covers %d", b.Name, len(candidates), n)}
	}
	return b.Allowed, b.permit(1)
}

// permit returns an error unless each budget allows the pods that it covers to be deleted. The API server does not ask it.
func permit(budgets []Budget, chosen []victims.Pod) error {
	for _, b := range budgets {
		if err := b.permit(b.of(chosen)); err != nil {
			return err
		}
	}
	return nil
}

// evictable returns an error if a pod has several budgets, since the API server does not evict it then. Whether the one
// budget of a pod allows its eviction the API server finds out.
func evictable(budgets []Budget, chosen []victims.Pod) error {
	for _, p := range chosen {
		covering := slices.DeleteFunc(slices.Clone(budgets), func(b Budget) bool { return !slices.Contains(b.Covers, p.UID) })
		if len(covering) > 1 {
			return &Veto{Disruption, fmt.Sprintf("pod %s has %d PodDisruptionBudgets, and the API server evicts none that has more than one", p.Name, len(covering))}
		}
	}
	return nil
}
