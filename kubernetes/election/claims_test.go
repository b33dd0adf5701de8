package election

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	coordination "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/victims"
)

// cluster keeps claims as an API server does.
type cluster struct {
	mu      sync.Mutex
	version int
	leases  map[string]*coordination.Lease // by namespace
	full    string                         // a namespace that has no room
	busy    string                         // a namespace whose claim somebody changes before whoever has read it can
	hangs   map[string]bool                // namespaces in which nothing is created or changed, nor refused
	takes   time.Duration                  // how long an answer takes; zero: 5 ms
	writes  int
	lists   int // that were asked for
}

// installation is a Caprice that runs in a cluster.
type installation struct {
	*Claims
	away bool // nothing that it asks is answered
	end  func()
}

// claims are the Leases of a namespace, as an installation reaches them. It is a kubernetes.Leases.
type claims struct {
	kubernetes.Leases // watched they are not
	*cluster
	by        *installation
	namespace string
}

var leases = coordination.Resource("leases")

// asked takes the time of a request, and leaves the cluster locked.
func (c claims) asked(ctx context.Context) error {
	select { // others may be faster
	case <-time.After(cmp.Or(c.takes, 5*time.Millisecond)):
	case <-ctx.Done():
	}
	c.mu.Lock()
	if c.by.away {
		return errors.New("connection refused")
	}
	return ctx.Err()
}

func (c claims) List(ctx context.Context, options meta.ListOptions) (*coordination.LeaseList, error) {
	err := c.asked(ctx)
	defer c.mu.Unlock()
	c.lists++
	if err != nil {
		return nil, err
	}
	if options.FieldSelector != "metadata.name="+kubernetes.ClaimName {
		return nil, fmt.Errorf("a list with %q is forbidden", options.FieldSelector)
	}
	list := &coordination.LeaseList{}
	for _, l := range c.leases {
		list.Items = append(list.Items, *l.DeepCopy())
	}
	return list, nil
}

func (c claims) Get(ctx context.Context, name string, _ meta.GetOptions) (*coordination.Lease, error) {
	err := c.asked(ctx)
	defer c.mu.Unlock()
	there, ok := c.leases[c.namespace]
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, apierrors.NewNotFound(leases, name)
	}
	return there.DeepCopy(), nil
}

func (c claims) Create(ctx context.Context, lease *coordination.Lease, _ meta.CreateOptions) (*coordination.Lease, error) {
	return c.write(ctx, lease, func(there bool) error {
		if there {
			return apierrors.NewAlreadyExists(leases, lease.Name)
		}
		return nil
	})
}

func (c claims) Update(ctx context.Context, lease *coordination.Lease, _ meta.UpdateOptions) (*coordination.Lease, error) {
	return c.write(ctx, lease, func(there bool) error {
		switch {
		case !there:
			return apierrors.NewNotFound(leases, lease.Name)
		case lease.ResourceVersion != c.leases[c.namespace].ResourceVersion:
			return apierrors.NewConflict(leases, lease.Name, errors.New("it has changed"))
		}
		return nil
	})
}

func (c claims) write(ctx context.Context, lease *coordination.Lease, allow func(there bool) error) (*coordination.Lease, error) {
	if c.hangs[c.namespace] {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	err := c.asked(ctx)
	defer c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	c.writes++
	switch _, there := c.cluster.leases[c.namespace]; {
	case c.namespace == c.full:
		return nil, apierrors.NewForbidden(leases, lease.Name, errors.New("exceeded quota"))
	case c.namespace == c.busy:
		return nil, apierrors.NewConflict(leases, lease.Name, errors.New("it has changed"))
	default:
		if err := allow(there); err != nil {
			return nil, err
		}
	}
	lease = lease.DeepCopy()
	c.version++
	lease.ResourceVersion = strconv.Itoa(c.version)
	c.leases[c.namespace] = lease
	return lease.DeepCopy(), nil
}

// install runs an installation in a namespace until the test or the installation ends.
func (c *cluster) install(t *testing.T, namespace string, scope kubernetes.Scope, optedIn ...string) *installation {
	i := &installation{}
	i.Claims = NewClaims(server(func(in string) kubernetes.Leases { return claims{cluster: c, by: i, namespace: in} }), namespace, scope)
	i.opt(optedIn...)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		i.Run(ctx, func(problem string) { t.Logf("%s: %s: %q", time.Now().Format(time.TimeOnly), namespace, problem) })
	})
	i.end = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(i.end)
	return i
}

// reach gives or takes an installation what it needs to ask the cluster.
func (c *cluster) reach(i *installation, reaches bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i.away = !reaches
}

// opt opts a workload in each of the namespaces in.
func (i *installation) opt(namespaces ...string) {
	for _, n := range namespaces {
		i.Want(victims.Workload{Kind: victims.Deployment, Namespace: n, Name: "web", UID: n})
	}
}

// kills tells whether it would kill in a namespace. Where another acts that is final; otherwise it may be known soon.
func (i *installation) kills(t *testing.T, namespace string) bool {
	t.Helper()
	err := i.Check(t.Context(), victims.Workload{Namespace: namespace})
	var veto *chaos.Veto
	var unknown *chaos.Unknown
	switch {
	case err == nil:
	case errors.As(err, &veto) && veto.Reason == chaos.Contested && i.Others(namespace):
	case errors.As(err, &unknown) && unknown.Reason == chaos.Contested && !i.Others(namespace):
	case errors.As(err, &unknown) && unknown.Reason == chaos.OptedOut && !i.scope.Confined() && !slices.Contains(i.wanted(), namespace):
	default:
		t.Fatalf("%v, want a veto for Contested where another acts, and what may pass elsewhere", err)
	}
	return err == nil
}

// pass lets time go by, and sees to it that never two of the installations would kill in the same namespace.
func pass(t *testing.T, d time.Duration, namespaces []string, all ...*installation) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		synctest.Wait()
		for _, n := range namespaces {
			if by := slices.DeleteFunc(slices.Clone(all), func(i *installation) bool { return !i.kills(t, n) }); len(by) > 1 {
				t.Fatalf("%s and %s would both kill in %s", by[0].home, by[1].home, n)
			}
		}
	}
}

// is holds an installation to what is wanted of it: that it may stand for election, and where it would kill.
func (i *installation) is(t *testing.T, stands bool, kills ...string) {
	t.Helper()
	var would []string
	for _, n := range []string{"shop", "team", "web"} {
		if i.kills(t, n) {
			would = append(would, n)
		}
	}
	if i.MayStand() != stands || !slices.Equal(would, kills) {
		t.Errorf("%s stands: %v, and would kill in %v; want %v, %v. It says %q", i.home, i.MayStand(), would, stands, kills, i.Problem())
	}
}

func (i *installation) says(t *testing.T, want string) {
	t.Helper()
	if got := i.Problem(); got != want && (want == "" || !strings.Contains(got, want)) {
		t.Errorf("%s says %q, want %q", i.home, got, want)
	}
}

var (
	everywhere = kubernetes.Scope{Excluded: []string{"kube-*"}}
	three      = []string{"shop", "team", "web"}
)

func confined(namespaces ...string) kubernetes.Scope { return kubernetes.Scope{Namespaces: namespaces} }

// shops are the names of n namespaces.
func shops(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("shop-%03d", i))
	}
	return names
}

// orphan has an installation end that had the claims to n namespaces, and returns these and a second, which has that to web and wants
// them too.
func (c *cluster) orphan(t *testing.T, n int) (names []string, second *installation) {
	t.Helper()
	names = shops(n)
	first := c.install(t, "one", everywhere, names...)
	pass(t, 10*time.Second, nil, first)
	second = c.install(t, "two", everywhere, "web")
	pass(t, 2*time.Second, nil, second)
	second.opt(names...)
	pass(t, 10*time.Second, nil, first, second)
	first.end()
	return names, second
}

// inBubble runs a test with an empty cluster, in a bubble of time.
func inBubble(t *testing.T, test func(*testing.T, *cluster)) {
	synctest.Test(t, func(t *testing.T) { test(t, &cluster{leases: map[string]*coordination.Lease{}}) })
}

func TestOfTwoInstallationsTheSecondStaysAway(t *testing.T) {
	for _, test := range []struct {
		why           string
		first, second kubernetes.Scope
		problem       string
	}{
		{"everywhere, both", everywhere, everywhere, "another Caprice, in namespace one, acts on namespace shop, team, web: want one of them confined to other namespaces (the chart's namespaces, or config.EXCLUDED_NAMESPACES)"},
		{"confined, after everywhere", everywhere, confined("team"), "another Caprice, in namespace one, acts on namespace team: want"},
		{"everywhere, after confined", confined("team"), everywhere, "another Caprice, in namespace one, acts on namespace team: want"},
		{"confined, both, to one that they share", confined("team", "web"), confined("shop", "web"), "another Caprice, in namespace one, acts on namespace web: want"},
	} {
		t.Run(test.why, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *cluster) {
				first := c.install(t, "one", test.first, three...)
				pass(t, time.Second, three, first)
				before := c.writes
				second := c.install(t, "two", test.second, three...)
				second.says(t, "whether another Caprice acts on the same namespaces is not known yet")
				second.is(t, false)
				pass(t, 5*time.Minute, three, first, second)
				second.is(t, false)
				second.says(t, test.problem)
				if got := second.Problem(); strings.Contains(got, "not known") {
					t.Errorf("it says %q, and stays away whatever it knows of the others", got)
				}
				first.says(t, "")
				if !first.MayStand() {
					t.Error("the first does not stand any more")
				}
				if writes := c.writes - before; writes > 150 {
					t.Errorf("%d writes in 5 minutes, want one challenge in five seconds and its answer at most", writes)
				}
				for n, l := range c.leases {
					if by := *l.Spec.HolderIdentity; by != "one" {
						t.Errorf("%s has claimed %s, where the first is", by, n)
					}
				}
				first.end()
				pass(t, time.Minute, three, first, second)
				second.says(t, "")
				if !second.MayStand() || !second.kills(t, "web") && !second.kills(t, "team") {
					t.Error("a minute after the first has ended, the second is not in its place")
				}
			})
		})
	}
}

func TestHundredsOfNamespacesCostNothingAtRestAndChangeHandsWithinAMinute(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		names := shops(300)
		first := c.install(t, "one", everywhere, names...)
		pass(t, 2*time.Second, names, first)
		before := c.writes
		pass(t, time.Minute, nil, first)
		if c.writes != before {
			t.Errorf("%d writes while nobody else is there", c.writes-before)
		}
		second := c.install(t, "two", everywhere, names...)
		pass(t, time.Minute, nil, first, second)
		if writes := c.writes - before; writes > 30 {
			t.Errorf("%d writes in a minute of dispute, want one challenge in five seconds and its answer at most", writes)
		}
		first.end()
		pass(t, time.Minute, names, first, second)
		for _, n := range names {
			if !second.kills(t, n) {
				t.Fatalf("the second does not act on %s", n)
			}
		}
	})
}

func TestOfTwoThatStartAtOnceOneStands(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		all := []*installation{c.install(t, "one", everywhere, three...), c.install(t, "two", everywhere, three...), c.install(t, "three", everywhere, three...)}
		for round := range all {
			pass(t, time.Minute, three, all...)
			stand := slices.DeleteFunc(slices.Clone(all), func(i *installation) bool { return !i.MayStand() })
			if len(stand) != 1 {
				t.Fatalf("in round %d %d stand", round, len(stand))
			}
			stand[0].is(t, true, three...)
			stand[0].end()
			pass(t, 30*time.Second, three, all...) // what it knew goes stale
			all = slices.DeleteFunc(all, func(i *installation) bool { return i == stand[0] })
		}
	})
}

func TestOneThatCannotBeHeardStopsBeforeAnotherTakesItsPlace(t *testing.T) {
	for begins := time.Second; begins < 6*time.Second; begins += 700 * time.Millisecond {
		for falls := 10 * time.Second; falls < 15*time.Second; falls += 700 * time.Millisecond {
			t.Run(fmt.Sprintf("the other begins after %s, it falls silent %s later", begins, falls), func(t *testing.T) {
				inBubble(t, func(t *testing.T, c *cluster) {
					first := c.install(t, "one", everywhere, three...)
					pass(t, begins, three, first)
					second := c.install(t, "two", everywhere, three...)
					pass(t, falls, three, first, second)
					c.reach(first, false)
					pass(t, 16*time.Second, three, first, second)
					first.is(t, true)
					if err := first.Check(t.Context(), victims.Workload{Namespace: "shop"}); !strings.Contains(fmt.Sprint(err), "not known: listing claims: connection refused") {
						t.Errorf("it says %v, want why it does not know", err)
					}
					pass(t, 44*time.Second, three, first, second)
					second.is(t, true, three...)
					c.reach(first, true)
					pass(t, time.Minute, three, first, second)
					first.is(t, false)
					first.says(t, "another Caprice, in namespace two, acts on")
				})
			})
		}
	}
}

func TestTwoThatWaitDoNotTakeOneAnothersChallengesForSilence(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		first := c.install(t, "one", everywhere, "shop")
		pass(t, time.Second, three, first)
		second := c.install(t, "two", everywhere, "shop")
		pass(t, 3*time.Second, three, first, second)
		third := c.install(t, "three", everywhere, "shop")
		pass(t, 10*time.Minute, three, first, second, third)
		first.is(t, true, "shop")
		second.is(t, false)
		third.is(t, false)
	})
}

func TestAReplicaAnswersForTheOther(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		first := c.install(t, "one", everywhere, three...)
		standby := c.install(t, "one", everywhere, three...)
		pass(t, 2*time.Second, three, first)
		second := c.install(t, "two", everywhere, three...)
		pass(t, time.Minute, three, second, first)
		first.end()
		pass(t, 5*time.Minute, three, second, standby)
		standby.is(t, true, three...)
		standby.says(t, "")
		second.is(t, false)
	})
}

func TestAfterAnOutageItGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		first := c.install(t, "one", everywhere, three...)
		pass(t, time.Second, three, first)
		c.reach(first, false)
		pass(t, time.Hour, three, first)
		first.is(t, true)
		c.reach(first, true)
		pass(t, 2*retryClaims, three, first)
		first.is(t, true, three...)
	})
}

// As if the machine had been suspended, which no test can do: its timers stand still meanwhile.
func TestAClaimThatIsFoundToBeOldIsLookedAtAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		i := c.install(t, "one", everywhere, three...)
		pass(t, lookAtClaims+2*retryClaims, three, i)
		i.mu.Lock()
		i.held["shop"] = time.Now().Add(-claimFreshness)
		i.mu.Unlock()
		i.is(t, true, "team", "web")
		time.Sleep(100 * time.Millisecond)
		i.is(t, true, three...)

		time.Sleep(2 * lookAtClaims)
		c.reach(i, false)
		time.Sleep(claimFreshness + lookAtClaims)
		c.mu.Lock()
		before := c.lists
		c.mu.Unlock()
		for range 600 {
			i.is(t, true)
			time.Sleep(100 * time.Millisecond)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if asked := c.lists - before; asked > 65 {
			t.Errorf("claims were looked at %d times in a minute of an outage, want once a second", asked)
		}
	})
}

func TestANamespaceThatOptsInLaterIsClaimedAtOnceOrSparedAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		first := c.install(t, "one", everywhere, "shop")
		second := c.install(t, "two", confined("team"))
		pass(t, time.Second, three, first, second)
		first.is(t, true, "shop")
		first.opt("web", "team")
		pass(t, 100*time.Millisecond, three, first, second)
		first.is(t, true, "shop", "web")
		first.says(t, "another Caprice, in namespace two, acts on namespace team: want")
		if n := first.Contested(); n != 1 {
			t.Errorf("another acts on %d of its namespaces, want 1", n)
		}
		second.is(t, true, "team")
		pass(t, 5*time.Minute, three, first, second)
		first.is(t, true, "shop", "web")
		second.is(t, true, "team")

		again := c.install(t, "one", everywhere, three...) // a restart of one that was there first
		pass(t, time.Second, three, second, again)
		again.is(t, true, "shop", "web")
	})
}

func TestAClaimThatIsNotWantedAnyMoreIsAnothers(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		first := c.install(t, "one", everywhere, three...)
		pass(t, time.Second, three, first)
		second := c.install(t, "two", confined("team"))
		pass(t, time.Minute, three, first, second)
		second.is(t, false)
		first.Forget("team")
		pass(t, time.Minute, three, first, second)
		first.is(t, true, "shop", "web")
		second.is(t, true, "team")
	})
}

func TestANamespaceWithoutRoomForAClaimIsSparedAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		c.full = "shop"
		first := c.install(t, "one", everywhere, three...)
		pass(t, time.Minute, three, first)
		first.is(t, true, "team", "web")
		if err := first.Check(t.Context(), victims.Workload{Namespace: "shop"}); !strings.Contains(fmt.Sprint(err), "exceeded quota") {
			t.Errorf("it says %v, want why it cannot claim shop", err)
		}
		first.says(t, "whether another Caprice acts on namespace shop is not known: claiming namespace shop: ")
		if n := first.Contested(); n != 1 {
			t.Errorf("of %d of its namespaces it is not known whose they are, want 1", n)
		}
		c.mu.Lock()
		c.full = ""
		c.mu.Unlock()
		pass(t, 2*lookAtClaims, three, first)
		first.is(t, true, three...)
		if n := first.Contested(); n != 0 {
			t.Errorf("of %d of its namespaces it is not known whose they are, want none", n)
		}
	})
}

func TestBesideAnothersNamespaceOneIsToldOfThatNobodyCanClaim(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		c.full = "web"
		second := c.install(t, "two", confined("team"))
		pass(t, time.Second, three, second)
		first := c.install(t, "one", everywhere, "shop")
		pass(t, time.Second, three, first, second)
		first.opt("web", "team")
		pass(t, time.Minute, three, first, second)
		first.is(t, true, "shop")
		first.says(t, "another Caprice, in namespace two, acts on namespace team: want")
		first.says(t, "; whether another Caprice acts on namespace web is not known: claiming namespace web: ")
		if n := first.Contested(); n != 2 {
			t.Errorf("%d of its namespaces are another's or may be, want 2", n)
		}
	})
}

func TestNamespacesThatDoNotAnswerKeepNoOtherWaiting(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		c.hangs = map[string]bool{}
		names := []string{"shop"}
		for n := range 40 {
			name := fmt.Sprintf("deaf-%02d", n)
			c.hangs[name] = true
			names = append(names, name)
		}
		i := c.install(t, "one", everywhere, "shop")
		pass(t, lookAtClaims, nil, i)
		i.opt(names...)
		pass(t, 2*lookAtClaims, nil, i)
		for range 300 {
			if !i.kills(t, "shop") {
				t.Fatal("it would not kill in shop, whose claim it has, since others do not answer")
			}
			pass(t, time.Second, nil, i)
		}
		i.opt("web")
		pass(t, time.Minute, nil, i)
		if !i.kills(t, "web") {
			t.Error("a namespace that opts in beside those that do not answer is not claimed within a minute")
		}
	})
}

func TestOneThatDoesNotAnswerKeepsNoOtherFromChangingHands(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		names, second := c.orphan(t, 40)
		c.mu.Lock()
		c.hangs = map[string]bool{names[0]: true}
		c.mu.Unlock()
		pass(t, time.Minute, nil, second)
		for _, n := range names[1:] {
			if !second.kills(t, n) {
				t.Errorf("after a minute it does not act on %s", n)
			}
		}
	})
}

func TestThoseThatDoNotAnswerAChallengeKeepNoClaimFromBeingKnown(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		names, second := c.orphan(t, 200)
		pass(t, lookAtClaims, nil, second)
		c.mu.Lock()
		c.hangs = map[string]bool{}
		for _, n := range names {
			c.hangs[n] = c.leases[n].Annotations[challenged] == "" // where one can be challenged, so that its holder is suspected
		}
		c.mu.Unlock()
		for range 120 {
			pass(t, time.Second, nil, second)
			if !second.kills(t, "web") {
				t.Fatal("it would not kill in web, whose claim it has, since others do not answer")
			}
		}
	})
}

func TestClaimsToHundredsOfNamespacesDoNotGetOldWhereAnswersTakeLong(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		names := shops(200)
		c.takes = 300 * time.Millisecond
		i := c.install(t, "one", confined(names...))
		pass(t, 30*time.Second, nil, i)
		for range 60 {
			for _, n := range names {
				if !i.kills(t, n) {
					t.Fatalf("it would not kill in %s: %s", n, i.Problem())
				}
			}
			pass(t, time.Second, nil, i)
		}
	})
}

func TestAClaimThatSomebodyChangesAllTheTimeIsOneNamespaceAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{leases: map[string]*coordination.Lease{}}
		i := c.install(t, "caprice", kubernetes.Scope{}, "bank", "shop")
		time.Sleep(2 * lookAtClaims)
		c.mu.Lock()
		c.busy = "shop"
		c.leases["shop"].Annotations = map[string]string{challenged: "somebody"}
		c.mu.Unlock()
		time.Sleep(2 * claimFreshness)
		if err := i.Check(t.Context(), victims.Workload{Namespace: "bank"}); err != nil {
			t.Errorf("in bank: %v, want it to be ours", err)
		}
		if i.kills(t, "shop") {
			t.Error("it would kill in shop, whose claim it cannot say is its own")
		}
	})
}

func TestAClaimThatSaysNothingIsAnothersUntilNobodyAnswersForIt(t *testing.T) {
	for why, holder := range map[string]*string{"no holder": nil, "an empty one": new("")} {
		t.Run(why, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *cluster) {
				c.leases["shop"] = &coordination.Lease{ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: kubernetes.ClaimName, ResourceVersion: "0"}, Spec: coordination.LeaseSpec{HolderIdentity: holder}}
				i := c.install(t, "one", confined("shop"))
				pass(t, silence, three, i)
				i.is(t, false)
				i.says(t, "another Caprice, in namespace ?, acts on namespace shop: want")
				pass(t, 2*lookAtClaims, three, i)
				i.is(t, true, "shop")
			})
		})
	}
}

func TestWhereNothingOptedInThatIsWhatSpares(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		first := c.install(t, "one", everywhere, "shop")
		pass(t, time.Minute, three, first)
		var unknown *chaos.Unknown
		if err := first.Check(t.Context(), victims.Workload{Namespace: "web"}); !errors.As(err, &unknown) || unknown.Reason != chaos.OptedOut {
			t.Errorf("%v, want that nothing there has opted in, as far as is known", err)
		}
		first.opt("web")
		pass(t, time.Second, three, first)
		first.is(t, true, "shop", "web")
	})
}

func TestANamespaceIsWantedWhileAWorkloadInItOptsIn(t *testing.T) {
	in := func(namespace, uid string) victims.Workload { return victims.Workload{Namespace: namespace, UID: uid} }
	c := NewClaims(nil, "", kubernetes.Scope{})
	for _, step := range []struct {
		why  string
		do   func()
		want []string
	}{
		{"two opt in", func() { c.Want(in("shop", "web")); c.Want(in("shop", "api")) }, []string{"shop"}},
		{"one changes its terms", func() { c.Want(in("shop", "web")) }, []string{"shop"}},
		{"it opts out", func() { c.Forget("web") }, []string{"shop"}},
		{"it does once more", func() { c.Forget("web") }, []string{"shop"}},
		{"one in another opts in", func() { c.Want(in("bank", "db")) }, []string{"bank", "shop"}},
		{"the last of the first opts out", func() { c.Forget("api") }, []string{"bank"}},
		{"and the last of all", func() { c.Forget("db") }, nil},
	} {
		if step.do(); !slices.Equal(c.wanted(), step.want) {
			t.Errorf("%s: %v are wanted, want %v", step.why, c.wanted(), step.want)
		}
	}
}

func BenchmarkWantedNamespaces(b *testing.B) {
	claims := NewClaims(nil, "", kubernetes.Scope{})
	for i := range 20_000 {
		claims.Want(victims.Workload{UID: fmt.Sprintf("%036d", i), Namespace: fmt.Sprint("shop-", i%20)})
	}
	b.ReportAllocs()
	for b.Loop() {
		claims.wanted()
	}
}

func TestAHolderAnswersAChallengeBeforeItsOtherClaimsAreChallengedAndStopsBeforeTheyAreTaken(t *testing.T) {
	const removal = 2 * time.Second // and what is looked at before it
	if answered := lookAtClaims + claimTimeout; answered > suspicion {
		t.Errorf("a challenge is answered after %s at most, and its holder suspected after %s", answered, suspicion)
	}
	if lookAtClaims > 5*time.Second {
		t.Errorf("claims are looked at each %s, want five seconds at most", lookAtClaims)
	}
	if last := claimFreshness + removal; last > silence {
		t.Errorf("a holder that hears nothing kills for %s, and its claim is taken after %s", last, silence)
	}
}
