package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

const (
	// leastLook is how long a new leader looks at a workload whose time was up before.
	leastLook = 5 * time.Second
	// mostDeadlines is how often in all a workload may have its time to heal, if what its owner wants goes on changing.
	mostDeadlines = 4
)

// healing is how a workload heals from a kill, as far as that was seen.
type healing struct {
	Outcome
	deadline   time.Duration
	until      time.Time            // its time is up
	latest     time.Time            // however often it begins anew
	generation int64                // of the workload; 0: not known
	replicas   int                  // that it wanted; 0: not known
	meanwhile  bool                 // a rollout or a scaling began after the kill
	unwatched  bool                 // since the kill, or since it was seen last, until it was whole
	glimpsed   time.Time            // when it was last
	lacks      string               // to be whole, when it was last seen
	draining   time.Duration        // as much of its time is for the dead ones to stop
	counted    bool                 // its controller has been seen to count what the kill removed
	before     map[string]bool      // the pods that there were before the kill, by their UIDs; nil: not known
	dead       map[string]bool      // those that it removed
	ready      map[string]time.Time // when a pod that came after the kill was first seen to be Ready, by its UID
	believe    func(WorkloadState)  // has somebody find out what its owners believe of it; nil: that has begun, or never will
}

// usuallyStops is how long a pod may take to stop whose owner does not say, in each cluster.
const usuallyStops = 30 * time.Second

// TimeToHeal is how long a workload has to be whole again after a kill. If its owner does not say, it is as long as for any other,
// and by so much longer as its pods may take to stop beyond 30 s, and have to be Ready to count as available; a day at most.
func (r *Runner) TimeToHeal(c WorkloadState) time.Duration {
	if own := time.Duration(c.Terms.Deadline); own > 0 {
		return own
	}
	stops := cmp.Or(time.Duration(c.Terms.Grace), c.Stops)
	return min(r.RecoveryDeadline+max(0, stops-usuallyStops)+c.MinReady, victims.MostPatience)
}

// healingOf returns what a kill and the snapshot before it say of the pods.
func healingOf(o Outcome) *healing {
	h := &healing{Outcome: o, glimpsed: o.ExecutedAt, dead: map[string]bool{}, ready: map[string]time.Time{}}
	for _, d := range o.Pods {
		if d.Err == nil {
			h.dead[d.Pod.UID] = true
		}
	}
	if o.seen.Pods != nil {
		h.before = make(map[string]bool, len(o.seen.Pods))
	}
	for _, p := range o.seen.Pods {
		h.before[p.UID] = true
	}
	return h
}

// newHealing begins to judge a kill: its workload has its time from the last death on, or at least leastLook from now if another
// leader carried it out.
func (r *Runner) newHealing(o Outcome) *healing {
	h := healingOf(o)
	h.deadline, h.generation, h.replicas, h.lacks = o.Deadline, o.Generation, o.seen.Replicas, "it could not be seen"
	if h.deadline == 0 {
		h.deadline = r.RecoveryDeadline
	}
	h.until, h.latest = o.ExecutedAt.Add(h.deadline), o.ExecutedAt.Add(mostDeadlines*h.deadline)
	if h.seen.At.IsZero() { // another leader's
		h.unwatched = true
		soonest := wallNow().Add(leastLook)
		h.until, h.latest = calendar.Later(h.until, soonest), calendar.Later(h.latest, soonest)
	} else if h.seen.Terms.Deadline == 0 {
		h.draining = max(0, h.deadline-r.RecoveryDeadline-h.seen.MinReady)
	}
	return h
}

// see notes what is seen of the workload, and tells whether it is whole without the pods that the kill removed, or has less time than
// was known: when these are gone sooner than they might. If what its owner wants has changed, or how many nodes a DaemonSet is for,
// its time to heal begins anew.
func (h *healing) see(s Snapshot) bool {
	s.At = h.instant(s.At)
	h.unwatched = h.unwatched || s.At.Sub(h.glimpsed) > ReadAnew+lookTimeout
	h.glimpsed = s.At
	if h.believe != nil {
		h.believe(s.WorkloadState)
	}
	if h.generation != 0 && s.Generation != h.generation || h.replicas != 0 && s.Replicas != h.replicas {
		h.meanwhile = true
		h.until = calendar.Earlier(calendar.Later(h.until, s.At.Add(h.deadline)), h.latest)
	}
	h.generation, h.replicas = s.Generation, s.Replicas
	if h.Recovery.FirstReady.IsZero() && slices.ContainsFunc(s.Pods, h.replaces) {
		h.Recovery.FirstReady = s.At
	}
	h.count(s)
	hurried := h.hurry(s)
	if h.lacks = h.lack(s); h.lacks != "" {
		h.unwatched = false
		return hurried
	}
	h.Recovery.Whole, h.Recovery.Ready = s.At, readyOf(s.Pods)
	return true
}

// hurry takes back the time that dead pods had to stop, once they are gone. It tells whether the workload's time is up sooner for that.
func (h *healing) hurry(s Snapshot) bool {
	if h.draining == 0 || h.there(s) > 0 {
		return false
	}
	h.deadline, h.draining = h.deadline-h.draining, 0
	until := s.At.Add(h.deadline)
	if !until.Before(h.until) {
		return false
	}
	h.until = until
	return true
}

// count notes whether the controller knows of the kill, and which pods have become Ready since.
func (h *healing) count(s Snapshot) {
	h.counted = h.counted || h.seen.At.IsZero() || s.Available < s.Replicas || s.At.Sub(h.ExecutedAt) > ReadAnew
	for _, p := range s.Pods {
		if _, known := h.ready[p.UID]; known && !serves(p) {
			delete(h.ready, p.UID)
		} else if !known && h.replaces(p) {
			h.ready[p.UID] = s.At
		}
	}
}

// early tells whether the count of available replicas may still be from before the kill: it has not been seen to fall, and a new pod has
// not been Ready for MinReady yet.
func (h *healing) early(s Snapshot) bool {
	return !h.counted && slices.ContainsFunc(s.Pods, func(p victims.Pod) bool {
		since, ready := h.ready[p.UID]
		return ready && s.At.Sub(since) < s.MinReady
	})
}

// instant returns when something was, by the wall clock as it was when the last pod was removed: if it was set since then, that is
// no part of how long the workload takes.
func (h *healing) instant(t time.Time) time.Time {
	if h.acted.IsZero() {
		return t.Round(0)
	}
	return h.ExecutedAt.Add(t.Sub(h.acted))
}

// left is how long its time to heal still is.
func (h *healing) left() time.Duration { return h.until.Sub(h.instant(time.Now())) }

// replaces tells whether a pod is Ready that came after the kill.
func (h *healing) replaces(p victims.Pod) bool {
	return serves(p) && h.came(p)
}

// came tells whether a pod came after the kill.
func (h *healing) came(p victims.Pod) bool {
	if h.before != nil {
		return !h.before[p.UID]
	}
	born := h.FirstDeath().Truncate(time.Second) // the API server counts the age of pods in seconds, by a clock of its own
	return !p.Created.Before(born)
}

// wants tells whether a pod is one of the replicas that its workload wants. One of a StatefulSet that is scaled down is not when its
// number is too high: it counts as available until it is gone, which may take hours.
func (c WorkloadState) wants(p victims.Pod) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(p.Name, c.Name+"-"))
	return c.Kind != victims.StatefulSet || err != nil || c.First <= n && n < c.First+c.Replicas
}

// serving returns how many of the replicas that a workload wants are Ready and will stay. Which pods of a DaemonSet are misplaced
// nobody says: those that were there before the kill and stay, but do not serve, may be, and as many as are left are among those that do.
func (h *healing) serving(s Snapshot) int {
	ready, idle := 0, 0
	for _, p := range s.Pods {
		switch {
		case !s.wants(p):
		case serves(p):
			ready++
		case !h.came(p) && !p.Terminating:
			idle++
		}
	}
	return ready - max(0, s.Misplaced-idle)
}

// there returns how many of the pods that the kill removed are still there.
func (h *healing) there(s Snapshot) int {
	there := 0
	for _, p := range s.Pods {
		if h.dead[p.UID] {
			there++
		}
	}
	return there
}

// lack returns what a workload lacks to be whole without the pods that the kill removed.
func (h *healing) lack(s Snapshot) string {
	switch there, available := h.there(s), min(s.Available, h.serving(s)); {
	case there > 0:
		return fmt.Sprintf("%d of the pods that were killed are still there", there)
	case s.Rollout != "" && !s.Waits:
		return "a rollout has to finish: " + s.Rollout
	case available < s.Replicas:
		return fmt.Sprintf("%d of %d replicas are available", available, s.Replicas)
	case h.early(s):
		return fmt.Sprintf("a new pod has to be Ready for %s to be available", s.MinReady)
	}
	return ""
}

// whole tells whether it was.
func (h *healing) whole() bool { return !h.Recovery.Whole.IsZero() }

// follow watches the workload until it is whole or its time is up. Before it says that, it looks afresh. Its error is
// ErrGone, a *Refusal if it may not look, or that of ctx.
func (r *Runner) follow(ctx context.Context, h *healing) error {
	since := h.seen
	since.Workload = h.Workload
	for within := lookTimeout; ; {
		deadline, cancel := context.WithTimeout(ctx, h.left())
		err := r.Cluster.Follow(deadline, since, h.see)
		cancel()
		if h.whole() || errors.Is(err, ErrGone) || ctx.Err() != nil {
			return err
		}
		since.Watch = nil
		if h.left() > 0 { // it began anew, or what is known of its pods had to be read again
			_ = Pause(ctx, repeat)
			continue
		}
		if err = r.lookOnce(ctx, since, h, within); h.whole() || errors.Is(err, ErrGone) || ctx.Err() != nil {
			return err
		}
		var refusal *Refusal
		seen := err == nil || errors.As(err, &refusal)
		if seen && h.left() <= 0 {
			return err
		}
		if !seen {
			h.unwatched = true
			r.troubles.tell(r.Report, "looking whether workloads are whole", fmt.Errorf("%s: %w", h.Workload, err))
			within = min(2*within, mostLookTimeout)
			_ = Pause(ctx, time.Second)
		}
	}
}

// lookOnce looks at the workload as it is now.
func (r *Runner) lookOnce(ctx context.Context, since Snapshot, h *healing, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return r.Cluster.Follow(ctx, since, func(s Snapshot) bool {
		h.see(s)
		return true
	})
}

// verdict returns the kill as it ended, by what was seen and the error of watching it.
func (h *healing) verdict(err error) Outcome {
	o := h.Outcome
	o.Ended, o.Verdict = true, Recovered
	var problem string
	var refusal *Refusal
	switch {
	case h.whole():
	case errors.Is(err, ErrGone):
		o.Verdict, o.Reason, problem = NotRecovered, Gone, err.Error()
	case errors.As(err, &refusal):
		o.Verdict, problem = NotRecovered, "whether it is whole cannot be known: "+err.Error()
	default:
		o.Verdict, problem = NotRecovered, fmt.Sprintf("it was not whole within %s: %s", h.until.Sub(h.ExecutedAt).Round(time.Second), h.lacks)
	}
	changed, idle, unwatched := "", "", ""
	if h.meanwhile {
		changed = "a rollout or scaling began meanwhile"
	}
	if h.whole() && h.replicas == 0 {
		idle = "it wants no replicas any more, so that none had to come"
	}
	if o.Recovery.Unwatched = h.unwatched && h.whole(); o.Recovery.Unwatched {
		unwatched = "nobody could look for a while, and then it was whole: it may have been so before"
	}
	o.Message = sentences(problem, changed, idle, unwatched, o.Message)
	return o
}

// sentences joins those that say something.
func sentences(all ...string) string {
	text := ""
	for _, s := range all {
		if s != "" && text != "" {
			text += "; "
		}
		text += s
	}
	return text
}
