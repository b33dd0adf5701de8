package election

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/victims"
)

const (
	// challenged is the annotation that asks the holder of a claim for a sign of life: who asked, and when.
	challenged = victims.Prefix + "challenged"
	// lookAtClaims is how often claims are looked at, and challenges answered.
	lookAtClaims = 5 * time.Second
	// retryClaims is how soon after a look that failed, or in which another was faster.
	retryClaims = time.Second
	// claimTimeout is how long one request may take.
	claimTimeout = 2 * time.Second
	// claimFreshness is how long a claim counts that was ours and not challenged. Whoever challenges it later takes it after
	// silence, and the difference is more than a removal takes.
	claimFreshness = 15 * time.Second
	// silence is how long after a challenge its holder counts as gone.
	silence = 20 * time.Second
	// suspicion is how long it is given to answer one challenge before its other claims are challenged too.
	suspicion = 8 * time.Second
)

// Claims are the namespaces that this installation acts on, and no other does: in each a Lease names the namespace in which
// its holder is installed. It is a chaos.Halts.
type Claims struct {
	server  Server
	home    string // its own namespace
	scope   kubernetes.Scope
	changed chan struct{}

	mu        sync.Mutex
	workloads map[string]string    // the namespaces of workloads that opted in, by UID
	counted   map[string]int       // how many of them each namespace has
	looked    bool                 // at least once
	held      map[string]time.Time // our namespaces, and when each was known to be ours
	others    map[string]string    // namespaces that another acts on, and its own
	problem   error                // of the last look
	rested    time.Time            // when that ended; zero: one is under way

	standing map[string]standing  // challenges to others, by namespace; like what follows, look's alone
	asked    map[string]time.Time // when this process last challenged each
}

// standing is a challenge that has not been answered.
type standing struct {
	version string // of the claim
	since   time.Time
}

// NewClaims returns the claims of the installation in a namespace, home, to the scope.
func NewClaims(server Server, home string, scope kubernetes.Scope) *Claims {
	return &Claims{server: server, home: home, scope: scope, changed: make(chan struct{}, 1), workloads: map[string]string{}, counted: map[string]int{}, asked: map[string]time.Time{}}
}

// Want tells of a workload that opted in. Its namespace is claimed at once.
func (c *Claims) Want(w victims.Workload) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(w.UID)
	c.workloads[w.UID] = w.Namespace
	c.counted[w.Namespace]++
	if c.held[w.Namespace].IsZero() {
		select {
		case c.changed <- struct{}{}:
		default:
		}
	}
}

// Forget tells that a workload is gone or opted out.
func (c *Claims) Forget(uid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(uid)
}

func (c *Claims) forget(uid string) {
	namespace, there := c.workloads[uid]
	if !there {
		return
	}
	delete(c.workloads, uid)
	if c.counted[namespace]--; c.counted[namespace] == 0 {
		delete(c.counted, namespace)
	}
}

// wanted returns the namespaces to claim, in their order: those that a confined installation is confined to, and of others
// those in which a workload opted in.
func (c *Claims) wanted() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.scope.Confined() {
		return slices.Sorted(maps.Keys(c.counted))
	}
	names := slices.DeleteFunc(slices.Sorted(slices.Values(c.scope.Namespaces)), func(n string) bool { return !c.scope.Contains(n) })
	return slices.Compact(names)
}

// Run claims what is wanted and answers challenges until ctx ends. It calls tell whenever Problem changes.
func (c *Claims) Run(ctx context.Context, tell func(problem string)) {
	told := ""
	for ctx.Err() == nil {
		pause := lookAtClaims
		c.rests(time.Time{})
		if err := c.look(ctx); err != nil {
			pause = retryClaims
		}
		c.rests(time.Now())
		if problem := c.Problem(); problem != told && ctx.Err() == nil {
			tell(problem)
			told = problem
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		case <-c.changed:
		}
	}
}

// rests notes when a look ended, zero when one begins.
func (c *Claims) rests(since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rested = since
}

// hurry has claims looked at now that are old, unless they have just been: a machine that was suspended may have been so while Run
// pauses.
func (c *Claims) hurry() {
	if c.rested.IsZero() || chaos.Fresh(c.rested, retryClaims) {
		return
	}
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// Problem returns which of its namespaces another installation acts on, or of which this is not known.
func (c *Claims) Problem() string {
	wanted := c.wanted()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.looked {
		return c.unknown("whether another Caprice acts on the same namespaces")
	}
	by := map[string][]string{}
	for _, namespace := range slices.Sorted(maps.Keys(c.others)) {
		by[c.others[namespace]] = append(by[c.others[namespace]], namespace)
	}
	var problems []string
	for _, other := range slices.Sorted(maps.Keys(by)) {
		problems = append(problems, fmt.Sprintf("another Caprice, in namespace %s, acts on namespace %s", other, kubernetes.Several(by[other])))
	}
	text := strings.Join(problems, "; ")
	if text != "" {
		text += ": want one of them confined to other namespaces (the chart's namespaces, or config.EXCLUDED_NAMESPACES)"
	}
	if unknown := c.doubtful(wanted); len(unknown) > 0 {
		if text != "" {
			text += "; "
		}
		text += c.unknown("whether another Caprice acts on namespace " + kubernetes.Several(unknown))
	}
	return text
}

// doubtful returns of which of the namespaces it is not known whose they are; of one that stays away, and takes none, none.
func (c *Claims) doubtful(wanted []string) []string {
	if len(c.held) == 0 && len(c.others) > 0 {
		return nil
	}
	return slices.DeleteFunc(wanted, func(n string) bool { return c.others[n] != "" || chaos.Fresh(c.held[n], claimFreshness) })
}

func (c *Claims) unknown(what string) string {
	if c.problem != nil {
		return fmt.Sprintf("%s is not known: %v", what, c.problem)
	}
	return what + " is not known yet"
}

// MayStand tells whether this installation may stand for election: it holds a claim, or nobody else one that it wants. One
// that comes second stays away.
func (c *Claims) MayStand() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.looked && (len(c.held) > 0 || len(c.others) == 0)
}

// Others tells whether another installation acts on the namespace.
func (c *Claims) Others(namespace string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.others[namespace] != ""
}

// Contested returns on how many of its namespaces another installation acts, or may: that is not known.
func (c *Claims) Contested() int {
	wanted := c.wanted()
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.others) + len(c.doubtful(wanted))
}

// Check returns a *chaos.Veto if another installation is known to act on the workload's namespace, and a *chaos.Unknown unless it is known
// to be ours: after a freeze or an outage it is soon, and so where a workload has just opted in. It asks nobody.
func (c *Claims) Check(_ context.Context, w victims.Workload) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch other := c.others[w.Namespace]; {
	case w.Namespace == "": // of nowhere
		return nil
	case other != "":
		return &chaos.Veto{Reason: chaos.Contested, Message: fmt.Sprintf("another Caprice, in namespace %s, acts on its namespace", other)}
	case c.held[w.Namespace].IsZero() && c.counted[w.Namespace] == 0 && !c.scope.Confined(): // and so it is not claimed
		return &chaos.Unknown{Veto: chaos.Veto{Reason: chaos.OptedOut, Message: "no workload of its namespace is known to have opted in: want one that has, on terms that can be read"}}
	case !chaos.Fresh(c.held[w.Namespace], claimFreshness):
		if !c.held[w.Namespace].IsZero() {
			c.hurry()
		}
		return &chaos.Unknown{Veto: chaos.Veto{Reason: chaos.Contested, Message: c.unknown("whether another Caprice acts on its namespace")}}
	}
	return nil
}
