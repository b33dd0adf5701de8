package chaos

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"caprice/victims"
)

// denying is a cluster in which there is no right to remove pods.
type denying struct {
	*toy
	asked int
}

func (c *denying) Remove(context.Context, victims.Pod, Removal) error {
	c.asked++
	return &Refusal{fmt.Errorf("%w: want it granted", ErrDenied)}
}

func TestWithoutTheRightAKillFailsAtItsFirstPod(t *testing.T) {
	cluster := &denying{}
	o, _ := play(t, func(s *stage) {
		s.terms.Scale = victims.Scale{Mode: victims.KillAll}
		cluster.toy = s.cluster
		s.runner.Cluster = cluster
	})
	if o.Verdict != Failed || !strings.Contains(o.Message, "want it granted") || cluster.asked != 1 || len(o.Targets) != 3 {
		t.Errorf("verdict %q, message %q, %d requests for %d pods; want Failed and one request for three", o.Verdict, o.Message, cluster.asked, len(o.Targets))
	}
}

func TestALeaderThatCannotReadHaltsSparesAndWritesItDown(t *testing.T) {
	o, died := play(t, func(s *stage) { s.halts.deafAt, s.late = 1, -10*time.Second })
	if o.Verdict != Vetoed || o.Reason != Halted || died > 0 {
		t.Errorf("verdict %q, reason %q, %d pods died; want Vetoed, Halted", o.Verdict, o.Reason, died)
	}
}
