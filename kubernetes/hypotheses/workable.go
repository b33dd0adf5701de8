package hypotheses

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	conditions "k8s.io/apimachinery/pkg/api/meta"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/kubernetes"
)

// checker is a question that can tell before a kill whether it will ever have an answer.
type checker interface {
	// Check returns why there is none, or nil: also if that cannot be known now.
	Check(context.Context) error
}

const (
	// lookForBeliefs is how often it is looked for hypotheses that have changed, in what is known of them.
	lookForBeliefs = time.Second
	// checkAgain is how often one that has not changed is checked.
	checkAgain = time.Minute
	// checkPatience is how long that may take.
	checkPatience = 5 * time.Second
	// checkers is how many are checked at once.
	checkers = 8
)

// judged is when a hypothesis was checked last, which generation of it, and what was told of it.
type judged struct {
	at         time.Time
	generation int64
	told       string // why it cannot work; empty: nothing
}

// Follow writes into the status of each hypothesis whether it can work, and tells of each that cannot, until ctx ends. What
// cannot be written now is tried again after checkPatience, and told once.
func (b *Beliefs) Follow(ctx context.Context, unworkable func(*v1alpha1.Hypothesis, string)) {
	seen := map[types.UID]judged{}
	for {
		b.mu.Lock()
		all := b.sorted(meta.NamespaceAll)
		b.mu.Unlock()
		all = slices.DeleteFunc(all, func(h belief) bool { return b.Others != nil && b.Others(h.Namespace) })
		there := make(map[types.UID]judged, len(all))
		var mu sync.Mutex
		var checking sync.WaitGroup
		places := make(chan struct{}, checkers)
		for _, h := range all {
			if last, ok := seen[h.UID]; ok && last.generation == h.Generation && time.Since(last.at) < checkAgain {
				mu.Lock()
				there[h.UID] = last
				mu.Unlock()
				continue
			}
			places <- struct{}{}
			checking.Go(func() {
				defer func() { <-places }()
				verdict := judged{time.Now(), h.Generation, seen[h.UID].told}
				if b.judge(ctx, h, &verdict, unworkable) != nil {
					verdict.at = verdict.at.Add(checkPatience - checkAgain)
				}
				mu.Lock()
				defer mu.Unlock()
				there[h.UID] = verdict
			})
		}
		checking.Wait()
		seen = there
		if chaos.Pause(ctx, lookForBeliefs) != nil {
			return
		}
	}
}

// judge checks one hypothesis, writes down what came of it, and tells of it what was not told before.
func (b *Beliefs) judge(ctx context.Context, h belief, verdict *judged, unworkable func(*v1alpha1.Hypothesis, string)) error {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	problem := h.check(ctx)
	condition := meta.Condition{Type: v1alpha1.Ready, Status: meta.ConditionTrue, Reason: "Accepted", Message: "it is asked", ObservedGeneration: h.Generation}
	if problem != "" {
		condition.Status, condition.Reason, condition.Message = meta.ConditionFalse, "CannotWork", kubernetes.Cut(problem, 1024)
	}
	status := h.Status.DeepCopy()
	status.ObservedGeneration = h.Generation
	conditions.SetStatusCondition(&status.Conditions, condition)
	said := equality.Semantic.DeepEqual(*status, h.Status)
	if !said && problem != "" && problem != verdict.told {
		unworkable(h.Hypothesis, problem)
	}
	verdict.told = problem
	if said {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": h.UID}, "status": status}) // of no other of its name
	if err != nil {
		return err
	}
	_, err = b.Client.Hypotheses(h.Namespace).Patch(ctx, h.Name, types.MergePatchType, patch, meta.PatchOptions{}, "status")
	return err
}

// check returns why a hypothesis cannot work, or nothing.
func (h belief) check(ctx context.Context) string {
	if h.problem != "" {
		return h.problem
	}
	for _, p := range h.probes {
		question, ok := p.Question.(checker)
		if !ok {
			continue
		}
		if err := question.Check(ctx); err != nil {
			return fmt.Sprintf("probe %s: %v", p.Name, err)
		}
	}
	return ""
}
