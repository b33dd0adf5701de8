package halts

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/kubernetes"
)

const (
	// lookAgain is how often halts are looked at to tell people of them. Kills ask by themselves.
	lookAgain = 10 * time.Second
	// keepExpired is how long a halt stays that has expired, so that people find it.
	keepExpired = time.Hour
	// cleanTimeout is how long deleting them may take each time: where that hangs, as by a webhook, people are told of others all the same.
	cleanTimeout = 5 * time.Second
)

// Follow tells of each halt when it begins to hold and when it does so no more, and deletes those that have long expired,
// until ctx ends. What cannot be read or deleted now is left to the next round.
func (o *Orders) Follow(ctx context.Context, began, ended func(v1alpha1.Halt)) {
	holding := map[string]v1alpha1.Halt{} // by UID
	over := map[types.UID]time.Time{}
	for {
		if halts, err := o.list(ctx); err == nil {
			holding = o.compare(holding, halts, time.Now(), began, ended)
			o.clean(ctx, halts, over, time.Now())
		}
		if chaos.Pause(ctx, lookAgain) != nil {
			return
		}
	}
}

// compare tells of the difference between the halts that held and those that do, and returns the latter.
func (o *Orders) compare(held map[string]v1alpha1.Halt, halts []v1alpha1.Halt, now time.Time, began, ended func(v1alpha1.Halt)) map[string]v1alpha1.Halt {
	holding := map[string]v1alpha1.Halt{}
	for _, h := range halts {
		if !o.inForce(&h, now) {
			continue
		}
		holding[string(h.UID)] = h
		if _, ok := held[string(h.UID)]; !ok {
			began(h)
		}
	}
	for _, uid := range slices.Sorted(maps.Keys(held)) {
		if _, ok := holding[uid]; !ok {
			ended(held[uid])
		}
	}
	return holding
}

// clean deletes halts that have been seen to be expired for long, each time that somebody looked. Since when they are is in
// over: by how much they are would be the clock's word alone, and one that was ahead for a moment must cost no halt; nor must one that
// is by that of the API server. Where one cannot be deleted, its namespace is left to the next round.
func (o *Orders) clean(ctx context.Context, halts []v1alpha1.Halt, over map[types.UID]time.Time, now time.Time) {
	if o.Client.Ahead().Abs() > chaos.ClocksApart {
		return
	}
	there, old := make(map[types.UID]bool, len(halts)), map[string][]v1alpha1.Halt{}
	for _, h := range halts {
		there[h.UID] = h.Expired(now)
		if !there[h.UID] {
			continue
		}
		since, known := over[h.UID]
		if !known {
			over[h.UID] = now
		}
		if known && now.Sub(since) >= keepExpired && h.DeletionTimestamp == nil {
			old[h.Namespace] = append(old[h.Namespace], h)
		}
	}
	maps.DeleteFunc(over, func(uid types.UID, _ time.Time) bool { return !there[uid] })
	ctx, cancel := context.WithTimeout(ctx, cleanTimeout)
	defer cancel()
	var deleting sync.WaitGroup
	for namespace, halts := range old { // at once: all of them together have but that time
		deleting.Go(func() {
			for _, h := range halts {
				err := o.Client.Halts(namespace).Delete(ctx, h.Name, meta.DeleteOptions{Preconditions: &meta.Preconditions{UID: &h.UID}})
				if err != nil && !kubernetes.Absent(err) {
					return
				}
			}
		})
	}
	deleting.Wait()
}
