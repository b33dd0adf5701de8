package election

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"

	"caprice/chaos"
	"caprice/kubernetes"
)

// server is a Server.
type server func(namespace string) kubernetes.Leases

func (s server) Leases(namespace string) kubernetes.Leases { return s(namespace) }

// leasesOf has the Leases that client-go's stand-in for an API server keeps.
func leasesOf(set *fake.Clientset) server {
	return func(namespace string) kubernetes.Leases { return set.CoordinationV1().Leases(namespace) }
}

// candidate is an election in which a test takes part.
type candidate struct {
	*Election
	mu      sync.Mutex
	settled time.Time // zero: until now
	terms   []chaos.Term
}

// led returns the terms that the candidate has led.
func (c *candidate) led() []chaos.Term {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.terms)
}

// stands has a candidate stand until stop is called, which gives the lease up.
func stands(server Server, identity string, change ...func(*candidate)) (c *candidate, stop func()) {
	c = &candidate{Election: New(server, "caprice", identity, nil)}
	c.Trouble = func(error) {}
	c.Settled = func(chaos.Term) time.Time {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.settled.IsZero() {
			return time.Now()
		}
		return c.settled
	}
	for _, change := range change {
		change(c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		c.Run(ctx, func(leading context.Context, term chaos.Term) {
			c.mu.Lock()
			c.terms = append(c.terms, term)
			c.mu.Unlock()
			<-leading.Done()
		})
	})
	return c, func() {
		cancel()
		running.Wait()
	}
}

func TestTheNextLeaderBeginsWhereTheLastOneHadSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := leasesOf(fake.NewClientset())
		first, stop := stands(client, "first")
		begin := time.Now()
		time.Sleep(10 * time.Second)
		if terms := first.led(); len(terms) != 1 || !terms[0].First || !terms[0].From.Equal(begin) {
			t.Fatalf("the first leader's terms are %+v, want one from %s on", terms, begin)
		}
		second, stopSecond := stands(client, "second")
		owed := time.Now()
		first.mu.Lock()
		first.settled = owed
		first.mu.Unlock()
		time.Sleep(time.Minute)
		if terms := second.led(); len(terms) > 0 || !first.Held() {
			t.Fatalf("the second leads beside the first: %+v", terms)
		}
		stop()
		ended := time.Now()
		synctest.Wait() // it is told at once, and has not to ask
		terms := second.led()
		if len(terms) != 1 {
			t.Fatalf("the second leader's terms are %+v, want one", terms)
		}
		if got := terms[0]; got.First || !got.From.Equal(owed) || got.Alive.Before(ended.Add(-renewPeriod)) || got.Alive.After(ended) {
			t.Errorf("the second leader's term is %+v; want it from %s on, the first alive until %s", got, owed, ended)
		}
		stopSecond()
	})
}

func TestALeaseThatSaysNothingOfWhatIsSettledSpeaksForItsHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		renewed := meta.NewMicroTime(time.Now().Add(-time.Hour))
		gone, seconds := "gone", int32(leaseDuration/time.Second)
		client := leasesOf(fake.NewClientset(&coordination.Lease{
			ObjectMeta: meta.ObjectMeta{Namespace: "caprice", Name: kubernetes.LeaseName},
			Spec:       coordination.LeaseSpec{HolderIdentity: &gone, RenewTime: &renewed, LeaseDurationSeconds: &seconds},
		}))
		c, stop := stands(client, "next")
		time.Sleep(2 * leaseDuration)
		if want := renewed.Time; len(c.led()) != 1 || c.led()[0].First || !c.led()[0].From.Equal(want) || !c.led()[0].Alive.Equal(want) {
			t.Errorf("the terms are %+v, want one from %s on", c.led(), want)
		}
		stop()
	})
}

// keeper keeps one Lease as an API server does: what was changed since it was read is not written. It may leave requests
// unanswered, before or after it has done what they ask for.
type keeper struct {
	kubernetes.Leases
	deaf    string // whose writes are lost
	mute    int    // how many answers to writes are
	mu      sync.Mutex
	lease   *coordination.Lease
	version int
	fault   func() (lost, unanswered bool)
	took    time.Duration // an answer
	strict  bool          // whose it is may not be changed
	watches []*watch.RaceFreeFakeWatcher
}

// answering is a keeper that answers.
func answering() *keeper {
	return &keeper{took: 10 * time.Millisecond, fault: func() (lost, unanswered bool) { return false, false }}
}

func (k *keeper) do(ctx context.Context, action func() (*coordination.Lease, error)) (*coordination.Lease, error) {
	k.mu.Lock()
	lost, unanswered := k.fault()
	took := k.took
	k.mu.Unlock()
	if lost {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	answers := make(chan answer, 1)
	time.AfterFunc(took/2, func() { // also if nobody waits for it any more
		k.mu.Lock()
		lease, err := action()
		k.mu.Unlock()
		if !unanswered {
			time.AfterFunc(took/2, func() { answers <- answer{lease, err} })
		}
	})
	select {
	case a := <-answers:
		return a.lease, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answer is what a keeper answers.
type answer struct {
	lease *coordination.Lease
	err   error
}

func (k *keeper) keep(lease *coordination.Lease) (*coordination.Lease, error) {
	k.version++
	k.lease = lease.DeepCopy()
	k.lease.ResourceVersion = strconv.Itoa(k.version)
	for _, w := range k.watches {
		w.Modify(k.lease.DeepCopy())
	}
	return k.lease.DeepCopy(), nil
}

// lose has the writes of one be lost from now on.
func (k *keeper) lose(whose string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.deaf = whose
}

// restore has the lease be as it was in a backup, versions and all. Until that is done there are no answers.
func (k *keeper) restore(backup *coordination.Lease) {
	k.mu.Lock()
	answers := k.fault
	k.fault = func() (lost, unanswered bool) { return true, false }
	k.mu.Unlock()
	time.Sleep(2 * leaseDuration)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fault, k.lease = answers, backup.DeepCopy()
	k.version, _ = strconv.Atoi(backup.ResourceVersion)
	for _, w := range k.watches {
		w.Stop()
	}
	k.watches = nil
}

// remove deletes the lease.
func (k *keeper) remove() {
	k.version++
	k.lease.ResourceVersion = strconv.Itoa(k.version)
	for _, w := range k.watches {
		w.Delete(k.lease)
	}
	k.lease = nil
}

// edit changes what the lease says, as people may.
func (k *keeper) edit(change func(*coordination.LeaseSpec)) {
	lease := k.lease.DeepCopy()
	change(&lease.Spec)
	_, _ = k.keep(lease) // it has no error
}

func (k *keeper) Get(ctx context.Context, name string, _ meta.GetOptions) (*coordination.Lease, error) {
	return k.do(ctx, func() (*coordination.Lease, error) {
		if k.lease == nil {
			return nil, apierrors.NewNotFound(coordination.Resource("leases"), name)
		}
		return k.lease.DeepCopy(), nil
	})
}

func (k *keeper) Create(ctx context.Context, lease *coordination.Lease, _ meta.CreateOptions) (*coordination.Lease, error) {
	return k.do(ctx, func() (*coordination.Lease, error) {
		if k.lease != nil {
			return nil, apierrors.NewAlreadyExists(coordination.Resource("leases"), lease.Name)
		}
		return k.keep(lease)
	})
}

func (k *keeper) Update(ctx context.Context, lease *coordination.Lease, _ meta.UpdateOptions) (*coordination.Lease, error) {
	return k.do(ctx, func() (*coordination.Lease, error) {
		if k.strict && !equality.Semantic.DeepEqual(k.lease.OwnerReferences, lease.OwnerReferences) {
			return nil, apierrors.NewForbidden(coordination.Resource("leases"), lease.Name, errors.New("cannot set an ownerRef on a resource you can't delete"))
		}
		if n := lease.Spec.LeaseTransitions; n != nil && *n < 0 {
			return nil, errors.New("spec.leaseTransitions: must be greater than or equal to 0")
		}
		if k.deaf != "" && *lease.Spec.HolderIdentity == k.deaf {
			return nil, errors.New("there is no way through")
		}
		if k.lease == nil || k.lease.ResourceVersion != lease.ResourceVersion {
			return nil, apierrors.NewConflict(coordination.Resource("leases"), lease.Name, errors.New("it has changed"))
		}
		if kept, err := k.keep(lease); k.mute == 0 {
			return kept, err
		}
		k.mute--
		return nil, errors.New("the answer is lost")
	})
}

func (k *keeper) Watch(context.Context, meta.ListOptions) (watch.Interface, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w := watch.NewRaceFreeFake()
	if k.lease != nil {
		w.Add(k.lease.DeepCopy())
	}
	k.watches = append(k.watches, w)
	return w, nil
}

// follows lets time go by in which candidates stand before a keeper, and sees to it that never two of them may act.
func (k *keeper) follows(t *testing.T, d time.Duration, all []*candidate, each func(elapsed time.Duration)) {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < d; time.Sleep(50 * time.Millisecond) {
		synctest.Wait()
		if may := slices.DeleteFunc(slices.Clone(all), func(c *candidate) bool { return !c.Held() }); len(may) > 1 {
			t.Fatalf("after %s both %s and %s may act", time.Since(begin), may[0].identity, may[1].identity)
		}
		k.mu.Lock()
		each(time.Since(begin))
		k.mu.Unlock()
	}
	synctest.Wait() // nobody looks at the keeper while the test does
}

func (k *keeper) server() Server { return server(func(string) kubernetes.Leases { return k }) }

// elect has three candidates stand before a keeper.
func (k *keeper) elect() (all []*candidate, stop func()) {
	var stops []func()
	for _, identity := range []string{"first", "second", "third"} {
		c, stop := stands(k.server(), identity)
		all, stops = append(all, c), append(stops, stop)
	}
	return all, func() {
		for _, stop := range stops {
			stop()
		}
	}
}

func terms(all []*candidate) (n int) {
	for _, c := range all {
		n += len(c.led())
	}
	return n
}

func TestNoTwoMayActWhateverRequestsAreLost(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random, bad := rand.New(rand.NewPCG(seed, 0)), 0.0
			k := &keeper{took: 100 * time.Millisecond, fault: func() (lost, unanswered bool) {
				return random.Float64() < bad, random.Float64() < bad
			}}
			all, stop := k.elect()
			k.follows(t, 10*time.Minute, all, func(elapsed time.Duration) {
				bad = []float64{0, 0.2, 0.6, 1}[int(elapsed/(20*time.Second))%4]
			})
			k.follows(t, 10*time.Second, all, func(time.Duration) { bad = 0 })
			if n := terms(all); n < 5 || !slices.ContainsFunc(all, func(c *candidate) bool { return c.Held() }) {
				t.Errorf("seed %d: after %d terms none leads who may, want more and one that does", seed, n)
			}
			stop()
		})
	}
}

func TestASlowAPIServerHasALeaderThatStays(t *testing.T) {
	for _, took := range []time.Duration{700 * time.Millisecond, time.Second, 1500 * time.Millisecond, 2200 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			k := answering()
			all, stop := k.elect()
			k.follows(t, 10*time.Second, all, func(time.Duration) {})
			k.follows(t, time.Minute, all, func(time.Duration) { k.took = took })
			before, idle := terms(all), 0
			k.follows(t, 10*time.Minute, all, func(time.Duration) {
				if !slices.ContainsFunc(all, func(c *candidate) bool { return c.Held() }) {
					idle++
				}
			})
			if n := terms(all); n != before || n > 2 || idle > 0 {
				t.Errorf("with answers that take %s there were %d terms and then %d more, and %d times nobody might act; want one or two, no more, and always somebody", took, before, n-before, idle)
			}
			stop()
		})
	}
}

func TestAnAPIServerThatIsSlowNowAndThenKeepsItsLeader(t *testing.T) {
	for _, took := range []time.Duration{900 * time.Millisecond, 1200 * time.Millisecond, 1400 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			k := answering()
			all, stop := k.elect()
			idle := 0
			k.follows(t, 20*time.Minute, all, func(elapsed time.Duration) {
				if k.took = 10 * time.Millisecond; elapsed%time.Minute > 37*time.Second {
					k.took = took
				}
				if elapsed > time.Second && !slices.ContainsFunc(all, func(c *candidate) bool { return c.Held() }) {
					idle++
				}
			})
			if n := terms(all); n != 1 || idle > 0 {
				t.Errorf("with answers that take %s now and then there were %d terms, and %d times nobody might act; want one, and always somebody", took, n, idle)
			}
			stop()
		})
	}
}

func TestTwoRequestsThatAreLostCostNoLead(t *testing.T) {
	for _, took := range []time.Duration{10 * time.Millisecond, 300 * time.Millisecond, 450 * time.Millisecond} {
		for lost := 1; lost <= 2; lost++ {
			synctest.Test(t, func(t *testing.T) {
				k, left := answering(), 0
				k.took = took
				k.fault = func() (bool, bool) {
					left--
					return left >= 0, false
				}
				c, stop := stands(k.server(), "first")
				idle := 0
				k.follows(t, 10*time.Minute, []*candidate{c}, func(elapsed time.Duration) {
					if elapsed%time.Minute == 10*time.Second {
						left = lost
					}
					if elapsed > 2*time.Second && !c.Held() {
						idle++
					}
				})
				if n := len(c.led()); n != 1 || idle > 10*6 {
					t.Errorf("with answers that take %s, of which %d in a row are lost each minute, there were %d terms, and %d times in ten minutes it might not act; want one term, and 0.3 s a minute at most", took, lost, n, idle)
				}
				stop()
			})
		}
	}
}

func TestALeaseThatIsDeletedIsStillItsLeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := answering()
		all, stop := k.elect()
		deleted := 0
		k.follows(t, time.Minute, all, func(elapsed time.Duration) {
			if elapsed > 10*time.Second && int(elapsed/(5*time.Second)) > deleted {
				deleted = int(elapsed / (5 * time.Second))
				k.remove()
			}
		})
		if n := terms(all); n != 1 {
			t.Errorf("there were %d terms, want one that never ends", n)
		}
		stop()
	})
}

func TestOneWhoseRenewalsAreLostIsFollowedByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := answering()
		all, stop := k.elect()
		k.follows(t, 10*time.Second, all, func(time.Duration) {})
		leader := *k.lease.Spec.HolderIdentity
		k.lose(leader)
		k.follows(t, leaseDuration+4*retryPeriod, all, func(time.Duration) {})
		if now := *k.lease.Spec.HolderIdentity; now == leader || terms(all) != 2 {
			t.Errorf("after %d terms %s has the lease, and %s cannot renew it", terms(all), now, leader)
		}
		if got := k.lease.Spec; *got.LeaseTransitions != 1 || *got.LeaseDurationSeconds != int32(leaseDuration/time.Second) {
			t.Errorf("the lease says %+v", got)
		}
		k.lose("")
		stop()
		if by := *k.lease.Spec.HolderIdentity; by != "" {
			t.Errorf("%s has the lease after all have ended", by)
		}
	})
}

func TestWhyTheLeaseCannotBeWrittenIsToldOnceThoughItCanBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, told := answering(), 0
		_, stop := stands(k.server(), "first", func(c *candidate) { c.Trouble = func(error) { told++ } })
		time.Sleep(5 * time.Second)
		k.lose("first")
		time.Sleep(time.Minute)
		stop()
		if told != 1 {
			t.Errorf("it was told %d times, want once", told)
		}
	})
}

func TestWhyTheLeaseCannotBeWrittenIsToldAnewAfterAnotherHasHeldIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, told := answering(), 0
		k.lose("first")
		_, stop := stands(k.server(), "first", func(c *candidate) { c.Trouble = func(error) { told++ } })
		time.Sleep(5 * time.Second)
		_, end := stands(k.server(), "second")
		time.Sleep(time.Hour)
		if told != 1 {
			t.Errorf("it was told %d times, want once", told)
		}
		end()
		time.Sleep(5 * time.Second)
		stop()
		if told != 2 {
			t.Errorf("after another has held the lease it was told %d times, want once more", told)
		}
	})
}

func TestWhatALeaderWroteItselfIsNoSignOfTheLastOnesLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		died := meta.NewMicroTime(time.Now().Add(-time.Hour))
		k := answering()
		k.mute = 3
		k.lease = &coordination.Lease{
			ObjectMeta: meta.ObjectMeta{Namespace: "caprice", Name: kubernetes.LeaseName, ResourceVersion: "0"},
			Spec:       coordination.LeaseSpec{HolderIdentity: new("gone"), RenewTime: &died, LeaseDurationSeconds: new(int32(6))},
		}
		c, stop := stands(k.server(), "next")
		time.Sleep(4 * leaseDuration)
		synctest.Wait()
		if got := c.led(); len(got) != 1 || !got[0].Alive.Equal(died.Time) || k.mute != 0 {
			t.Errorf("its terms are %+v, want one, the last leader alive until %s", got, died)
		}
		stop()
	})
}

func TestALeaseThatIsCreatedAnewSaysWhatTheLastOneSaidIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := answering()
		settled := time.Now().Add(-time.Hour)
		k.lease = &coordination.Lease{
			ObjectMeta: meta.ObjectMeta{
				Namespace: "caprice", Name: kubernetes.LeaseName, ResourceVersion: "0",
				Annotations: map[string]string{settledAnnotation: settled.UTC().Format(time.RFC3339Nano)},
			},
			Spec: coordination.LeaseSpec{HolderIdentity: new("gone"), RenewTime: new(meta.NowMicro()), LeaseDurationSeconds: new(int32(6))},
		}
		e := New(k.server(), "caprice", "next", nil)
		if e.take(t.Context()) {
			t.Fatal("it takes another's lease")
		}
		k.remove()
		time.Sleep(leaseDuration)
		if !e.take(t.Context()) {
			t.Fatal("it does not take a lease that is gone and was not renewed")
		}
		if term := inherited(k.lease, time.Now()); !term.From.Equal(settled) { // should it end right now
			t.Errorf("what is due counts for the next leader from %s on, want from %s", term.From, settled)
		}
	})
}

func TestWhateverPeopleDoToTheLeaseNoTwoMayAct(t *testing.T) {
	for _, test := range []struct {
		what        string
		do          func(*keeper)
		least, most int // terms
	}{
		{"it is deleted, and one comes that has never seen it", (*keeper).remove, 1, 2},
		{"it says that nobody has it", func(k *keeper) { k.edit(func(s *coordination.LeaseSpec) { s.HolderIdentity = new("") }) }, 2, 2},
		{"it says that another has it", func(k *keeper) { k.edit(func(s *coordination.LeaseSpec) { s.HolderIdentity = new("jane") }) }, 2, 2},
		{"it has changed hands as often as can be counted", func(k *keeper) {
			k.edit(func(s *coordination.LeaseSpec) {
				s.HolderIdentity, s.LeaseTransitions = new(""), new(int32(math.MaxInt32))
			})
		}, 2, 2},
		{"it is said to be had for a second", func(k *keeper) { k.edit(func(s *coordination.LeaseSpec) { s.LeaseDurationSeconds = new(int32(1)) }) }, 1, 1},
		{"another had it and gave it up", func(k *keeper) {
			k.edit(func(s *coordination.LeaseSpec) { s.HolderIdentity = new("jane") })
			k.edit(func(s *coordination.LeaseSpec) { s.HolderIdentity = new("") })
		}, 2, 2},
	} {
		for delay := range 20 { // since the last renewal
			synctest.Test(t, func(t *testing.T) {
				k := answering()
				all, stop := k.elect()
				k.follows(t, 10*time.Second+time.Duration(delay)*100*time.Millisecond, all, func(time.Duration) {})
				k.mu.Lock()
				test.do(k)
				k.mu.Unlock()
				late, stopLate := stands(k.server(), "late")
				all = append(all, late)
				k.follows(t, 20*time.Second, all, func(time.Duration) {})
				if n := terms(all); n < test.least || n > test.most || !slices.ContainsFunc(all, func(c *candidate) bool { return c.Held() }) {
					t.Errorf("%s: there were %d terms, want %d to %d and one who may act", test.what, n, test.least, test.most)
				}
				stop()
				stopLate()
			})
		}
	}
}

func TestOneThatMayNotSayWhoseTheLeaseIsLeadsAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := answering()
		k.strict = true
		k.lease = &coordination.Lease{ObjectMeta: meta.ObjectMeta{Namespace: "caprice", Name: kubernetes.LeaseName, ResourceVersion: "0"}}
		var told []error
		c, stop := stands(k.server(), "next", func(c *candidate) {
			c.owner = &core.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "caprice", UID: "its"}
			c.Trouble = func(err error) { told = append(told, err) }
		})
		time.Sleep(leaseDuration)
		synctest.Wait()
		if !c.Held() || len(told) != 1 {
			t.Errorf("it may act: %v, and told of %v; want it to, and one error", c.Held(), told)
		}
		k.lose("next")
		time.Sleep(renewPeriod + 3*retryRenewal) // in which it tries again and again
		synctest.Wait()
		if len(told) != 2 {
			t.Errorf("told of %v; want one more error", told)
		}
		k.lose("")
		stop()
	})
}

// Each way by itself: a leader that renews its lease must not wait for the watch, nor one that watches for its renewal.
func TestALeaderMayActUntilItHearsThatItsLeaseIsNotItsOwn(t *testing.T) {
	watches := func(ctx context.Context, e *Election) { e.watch(ctx, nil) }
	renews := func(ctx context.Context, e *Election) { e.renewOnce(ctx) }
	another := func(k *keeper) { k.edit(func(s *coordination.LeaseSpec) { s.HolderIdentity = new("jane") }) }
	for _, test := range []struct {
		why    string
		hears  func(context.Context, *Election)
		change func(*keeper)
	}{
		{"it is deleted, says the watch", watches, (*keeper).remove},
		{"another has it, says the watch", watches, another},
		{"another has it, says its renewal", renews, another},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := answering()
			e := New(k.server(), "caprice", "first", nil)
			e.Trouble, e.Settled = func(error) {}, func(chaos.Term) time.Time { return time.Now() }
			if !e.take(t.Context()) || !e.Held() {
				t.Fatal("it does not lead")
			}
			go test.hears(t.Context(), e)
			synctest.Wait()
			k.mu.Lock()
			test.change(k)
			k.mu.Unlock()
			time.Sleep(renewPeriod + 2*k.took)
			if e.Held() {
				t.Errorf("%s, and it may still act", test.why)
			}
		})
	}
}

// Since the backup another has led, or what it says is of one that is gone by now. Whoever hears of the restore goes on, or ends.
func TestOneLeadsWhereTheAPIServerIsRestoredFromABackup(t *testing.T) {
	for _, test := range []struct {
		of, whose string // the backup says, and it is by then
		ends      bool
	}{
		{"first", "first", false}, {"first", "second", false}, {"gone", "first", false}, {"gone", "second", false},
		{"first", "first", true}, {"first", "second", true}, {"gone", "first", true}, {"gone", "second", true}, {"", "first", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := answering()
			var told atomic.Int64
			both, end := context.WithCancel(context.Background())
			tells := func(c *candidate) {
				c.Restored = func() {
					if told.Add(1); test.ends {
						end()
					}
				}
			}
			first, stop := stands(k.server(), "first", tells)
			time.Sleep(20 * time.Second)
			second, stopSecond := stands(k.server(), "second", tells)
			context.AfterFunc(both, stop)
			context.AfterFunc(both, stopSecond)
			time.Sleep(100 * time.Second)
			k.mu.Lock()
			backup := k.lease.DeepCopy()
			k.mu.Unlock()
			backup.Spec.HolderIdentity = &test.of
			if test.whose == "second" {
				k.lose("first")
				time.Sleep(30 * time.Second)
				k.lose("")
			}
			time.Sleep(time.Hour)
			if first.Held() == second.Held() || first.Held() != (test.whose == "first") {
				t.Fatalf("the first may act: %v, the second: %v; want the %s to", first.Held(), second.Held(), test.whose)
			}
			if told.Load() > 0 {
				t.Error("versions have gone back before there was a restore")
			}
			lost := time.Now()
			k.restore(backup)
			candidates, stopNext := []*candidate{first, second}, func() {}
			if test.ends {
				k.follows(t, 10*time.Second, candidates, func(time.Duration) {})
				var next *candidate
				next, stopNext = stands(k.server(), "next")
				candidates = append(candidates, next)
			}
			k.follows(t, time.Minute, candidates, func(time.Duration) {})
			if told.Load() == 0 || !test.ends && told.Load() != 2 {
				t.Errorf("%d of two say that versions have gone back", told.Load())
			}
			leading := slices.DeleteFunc(candidates, func(c *candidate) bool { return !c.Held() })
			if len(leading) != 1 || !test.ends && test.of == "first" && leading[0] != first {
				t.Fatalf("a minute after the restore of a lease that was the %s's by then, and the %s's before, %d may act, or not the one whose it is", test.whose, test.of, len(leading))
			}
			term, least := leading[0].Term(), lost.Add(-2*renewPeriod)
			if term.From.Before(least) || term.Alive.Before(least) {
				t.Errorf("after the restore of a lease that was the %s's by then, and the %s's before, what is due counts for the %s from %s on, a leader alive until %s; want both after %s: until then it was settled", test.whose, test.of, leading[0].identity, term.From, term.Alive, least)
			}
			end()
			for _, stop := range []func(){stop, stopSecond, stopNext} {
				stop()
			}
		})
	}
}

func TestACandidateDoesNotWaitForEverToSayWhatItKnowsAfterARestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, asked := answering(), 0
		k.fault = func() (lost, unanswered bool) { asked++; return asked > 1, false } // it can be read, and not written
		theirs := &coordination.Lease{Spec: coordination.LeaseSpec{HolderIdentity: new("theirs"), RenewTime: new(meta.NowMicro())}}
		restored, _ := k.keep(theirs) // it has no error
		e := New(k.server(), "caprice", "first", nil)
		e.version, e.known, e.since = "9", restored, time.Now()
		begin := time.Now()
		if e.take(t.Context()) || asked != 2 || time.Since(begin) > 2*mostLeaseTimeout {
			t.Errorf("after %s and %d requests it goes on, want it to have asked twice, and given up within %s", time.Since(begin), asked, 2*mostLeaseTimeout)
		}
	})
}

// What it settled after it last wrote the lease nobody else can say.
func TestWhatALeaderSettledLastIsNotDueAgainAfterARestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := answering()
		c, stop := stands(k.server(), "first")
		time.Sleep(20 * time.Second)
		k.mu.Lock()
		backup := k.lease.DeepCopy()
		k.mu.Unlock()
		backup.Spec.HolderIdentity = new("")
		time.Sleep(renewPeriod / 2) // since it was renewed
		k.mu.Lock()
		k.edit(func(s *coordination.LeaseSpec) { s.HolderIdentity = new("jane") })
		k.mu.Unlock()
		lost := time.Now()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if c.Held() || c.Term() != (chaos.Term{}) {
			t.Fatal("it leads on")
		}
		k.restore(backup)
		time.Sleep(2 * leaseDuration)
		synctest.Wait()
		if term := c.Term(); !c.Held() || term.From.Before(lost) {
			t.Errorf("it may act: %v, and what is due counts from %s on; want it to, from %s", c.Held(), term.From, lost)
		}
		stop()
	})
}

func TestWhatALeaderSettledSinceItLastRenewedIsNotDueAgainAfterAQuickRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := answering()
		_, stop := stands(k.server(), "first")
		time.Sleep(20 * time.Second)
		k.mu.Lock()
		backup := k.lease.DeepCopy()
		k.mu.Unlock()
		backup.Spec.HolderIdentity = new("theirs") // who led then, and is gone
		time.Sleep(10*time.Second + renewPeriod/2) // it was renewed a while ago
		restored := time.Now()
		k.mu.Lock()
		k.lease = backup
		k.version, _ = strconv.Atoi(backup.ResourceVersion)
		k.mu.Unlock()
		time.Sleep(renewPeriod)
		k.mu.Lock()
		said := k.lease.Annotations[settledAnnotation]
		k.mu.Unlock()
		if settled, err := time.Parse(time.RFC3339Nano, said); err != nil || settled.Before(restored) {
			t.Errorf("the Lease says that what was due until %s is settled (%v), want until %s at least", said, err, restored)
		}
		stop()
	})
}

func TestWhatIsHeardOfTheLeaseCountsByItsVersion(t *testing.T) {
	e := &Election{identity: "first"}
	for _, step := range []struct {
		why, version string
		ours         bool
		sent         time.Duration // ago
		held         bool
	}{
		{"it is written", "9", true, 0, true},
		{"a version of before is heard of late", "8", false, 0, true},
		{"another has it", "11", false, 0, false},
		{"the answer to what was written before that comes after it", "10", true, time.Second, false},
		{"it is ours again", "12", true, 0, true},
		{"it has a version that is none", "x", false, 0, false},
		{"it is ours again", "13", true, 0, true},
		{"another has it again", "14", false, 0, false},
		{"versions have gone back, and it is ours", "3", true, 0, true},
		{"another has it there", "4", false, 0, false},
	} {
		if step.ours {
			e.renewed(time.Now().Add(-step.sent), step.version, chaos.Term{})
		} else {
			e.disownAt(step.version)
		}
		if held := e.Held(); held != step.held {
			t.Errorf("%s: it may act: %v, want %v", step.why, held, step.held)
		}
	}
}

func TestWhoLeadsIsToldWhateverTheClockOfWhoAsks(t *testing.T) {
	for _, test := range []struct {
		why    string
		ahead  time.Duration // of the leader's clock, as this one sees it
		since  time.Duration // its last renewal was so long ago
		alive  bool          // it renews it each 2 s
		holder string
		want   string
		within time.Duration
	}{
		{"clocks agree", 0, time.Second, true, "one", "one", 0},
		{"clocks agree, and it is dead", 0, time.Minute, false, "one", "", leaseDuration + time.Second},
		{"it has given it up", 0, time.Second, false, "", "", 0},
		{"this clock is ahead", -time.Hour, time.Second, true, "one", "one", 3 * time.Second},
		{"this clock is behind", time.Hour, time.Second, true, "one", "one", 3 * time.Second},
		{"this clock is a little behind, and it is dead", 5 * time.Second, 3 * time.Second, false, "one", "", leaseDuration + time.Second},
		{"this clock is behind, and it is dead", time.Hour, time.Minute, false, "one", "", leaseDuration + time.Second},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				set := fake.NewClientset()
				client := leasesOf(set)
				renewed := meta.NewMicroTime(time.Now().Add(test.ahead - test.since))
				lease := &coordination.Lease{ObjectMeta: meta.ObjectMeta{Name: kubernetes.LeaseName, Namespace: "caprice"}, Spec: coordination.LeaseSpec{HolderIdentity: &test.holder, RenewTime: &renewed}}
				if _, err := client.Leases("caprice").Create(t.Context(), lease, meta.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
				var renewing sync.WaitGroup
				ctx, end := context.WithCancel(t.Context())
				renewing.Go(func() {
					renew := time.NewTicker(renewPeriod)
					defer renew.Stop()
					for test.alive {
						select {
						case <-renew.C:
						case <-ctx.Done():
							return
						}
						renewed := meta.NewMicroTime(time.Now().Add(test.ahead))
						next := lease.DeepCopy()
						next.Spec.RenewTime = &renewed
						if _, err := client.Leases("caprice").Update(ctx, next, meta.UpdateOptions{}); err != nil {
							t.Error(err)
						}
					}
				})
				begin := time.Now()
				got, err := Leader(t.Context(), client, "caprice")
				if took := time.Since(begin); err != nil || got != test.want || took > test.within {
					t.Errorf("%q leads, %v, after %s; want %q within %s", got, err, took, test.want, test.within)
				}
				end()
				renewing.Wait()
			})
		})
	}
}
