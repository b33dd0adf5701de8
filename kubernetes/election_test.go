package kubernetes

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	coordination "k8s.io/api/coordination/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"caprice/chaos"
)

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
func stands(client *Client, identity string) (c *candidate, stop func()) {
	c = &candidate{Election: NewElection(client, identity, nil)}
	c.Settled = func(chaos.Term) time.Time {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.settled.IsZero() {
			return time.Now()
		}
		return c.settled
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		_ = c.Run(ctx, func(leading context.Context, term chaos.Term) {
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
		client := &Client{Namespace: "caprice", typed: fake.NewClientset()}
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
		if terms := second.led(); len(terms) > 0 || !first.Held(time.Now()) {
			t.Fatalf("the second leads beside the first: %+v", terms)
		}
		stop()
		ended := time.Now()
		synctest.Wait() // it is told at once, and has not to ask
		terms := second.led()
		if len(terms) != 1 {
			t.Fatalf("the second leader's terms are %+v, want one", terms)
		}
		if got := terms[0]; got.First || !got.From.Equal(owed) || got.Alive.Before(ended.Add(-retryPeriod)) || got.Alive.After(ended) {
			t.Errorf("the second leader's term is %+v; want it from %s on, the first alive until %s", got, owed, ended)
		}
		stopSecond()
	})
}

func TestALeaseThatSaysNothingOfWhatIsSettledSpeaksForItsHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		renewed := meta.NewMicroTime(time.Now().Add(-time.Hour))
		gone, seconds := "gone", int32(leaseDuration/time.Second)
		client := &Client{Namespace: "caprice", typed: fake.NewClientset(&coordination.Lease{
			ObjectMeta: meta.ObjectMeta{Namespace: "caprice", Name: leaseName},
			Spec:       coordination.LeaseSpec{HolderIdentity: &gone, RenewTime: &renewed, LeaseDurationSeconds: &seconds},
		})}
		c, stop := stands(client, "next")
		time.Sleep(2 * leaseDuration)
		if want := renewed.Time; len(c.led()) != 1 || c.led()[0].First || !c.led()[0].From.Equal(want) || !c.led()[0].Alive.Equal(want) {
			t.Errorf("the terms are %+v, want one from %s on", c.led(), want)
		}
		stop()
	})
}
