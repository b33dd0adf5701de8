package election

import (
	"testing"
	"time"

	coordination "k8s.io/api/coordination/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/chaos"
)

// A removal takes a second at most, and two clocks differ in their pace.
func TestALeaderStopsBeforeAnotherMayBegin(t *testing.T) {
	const removal, pace = time.Second, 500 * time.Millisecond
	if last := freshness + removal + pace; last > leaseDuration || leastHeld < leaseDuration {
		t.Errorf("who does not renew acts until %s, and another may have its lease after %s", last, min(leastHeld, leaseDuration))
	}
	if last := claimFreshness + claimTimeout + removal + pace; last > silence {
		t.Errorf("who does not hear of its claims acts until %s, and another takes them after %s of silence", last, silence)
	}
	if last := renewDeadline + leaseTimeout; last > leaseDuration {
		t.Errorf("it tries to renew until %s, and holds for %s", last, leaseDuration)
	}
}

func TestForHowLongALeaseIsAnothers(t *testing.T) {
	for _, test := range []struct {
		why     string
		holder  string
		seconds int32 // that it says; 0: none
		ago     time.Duration
		held    bool
	}{
		{"it is nobody's", "", 6, 0, false},
		{"it is ours", "me", 6, 0, false},
		{"it says 6 s", "other", 6, 5900 * time.Millisecond, true},
		{"which are over", "other", 6, 6100 * time.Millisecond, false},
		{"it says nothing", "other", 0, 5900 * time.Millisecond, true},
		{"somebody has it say a second", "other", 1, 5900 * time.Millisecond, true},
		{"somebody has it say a day", "other", 86400, 59 * time.Second, true},
		{"for a minute at most", "other", 86400, 61 * time.Second, false},
	} {
		lease := &coordination.Lease{Spec: coordination.LeaseSpec{HolderIdentity: &test.holder}}
		if test.seconds > 0 {
			lease.Spec.LeaseDurationSeconds = &test.seconds
		}
		e := &Election{identity: "me", known: lease, since: time.Now().Add(-test.ago)}
		if held := e.anothers(); held != test.held {
			t.Errorf("%s, %s after it was renewed: it is another's: %v, want %v", test.why, test.ago, held, test.held)
		}
	}
}

func TestWhatATermInherits(t *testing.T) {
	now := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	at := func(ago time.Duration) time.Time { return now.Add(-ago) }
	if term := inherited(nil, now); term != (chaos.Term{First: true, From: now, Alive: now}) {
		t.Errorf("of no lease it inherits %+v", term)
	}
	for _, test := range []struct {
		why              string
		renewed          time.Duration // ago
		settled          string
		wantFrom, wanted time.Duration // From and Alive, ago
	}{
		{"all is settled but the last moments", 10 * time.Second, at(20 * time.Second).Format(time.RFC3339Nano), 20 * time.Second, 10 * time.Second},
		{"it says nothing of that", 10 * time.Second, "", 10 * time.Second, 10 * time.Second},
		{"nor anything that can be read", 10 * time.Second, "yesterday", 10 * time.Second, 10 * time.Second},
		{"it says that more is settled than its leader lived for", 10 * time.Second, at(-time.Hour).Format(time.RFC3339Nano), 10 * time.Second, 10 * time.Second},
		{"its leader's clock was ahead", -time.Hour, "", 0, 0},
	} {
		renewed := meta.NewMicroTime(at(test.renewed))
		lease := &coordination.Lease{ObjectMeta: meta.ObjectMeta{Annotations: map[string]string{settledAnnotation: test.settled}}, Spec: coordination.LeaseSpec{RenewTime: &renewed}}
		if term := inherited(lease, now); term.First || !term.From.Equal(at(test.wantFrom)) || !term.Alive.Equal(at(test.wanted)) {
			t.Errorf("%s: %+v, want it from %s ago, and the last to have lived until %s ago", test.why, term, test.wantFrom, test.wanted)
		}
	}
}
