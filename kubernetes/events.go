package kubernetes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	core "k8s.io/api/core/v1"
	events "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/victims"
)

// Events posts Kubernetes Events regarding workloads. It never delays a kill: what cannot be posted in time is dropped and
// counted. The name of an Event is a hash of what it is about, so that nothing is told twice, not even after a restart.
type Events struct {
	client   *Client
	instance string
	own      *core.ObjectReference
	queue    chan *events.Event
	dropped  atomic.Int64
}

// NewEvents returns Events that say they come from the given instance. Those about Caprice itself regard own; without it
// there are none.
func NewEvents(client *Client, instance string, own *core.ObjectReference) *Events {
	return &Events{client: client, instance: instance, own: own, queue: make(chan *events.Event, 10_000)}
}

// Deployment returns a reference to the Deployment of that name in Caprice's own namespace.
func (c *Client) Deployment(ctx context.Context, name string) (*core.ObjectReference, error) {
	w := victims.Workload{Kind: victims.Deployment, Namespace: c.Namespace, Name: name}
	s, err := c.get(ctx, w)
	if err != nil {
		return nil, fmt.Errorf("reading Caprice's own Deployment: %w", err)
	}
	w.UID = string(s.UID)
	own := reference(w)
	return &own, nil
}

func reference(w victims.Workload) core.ObjectReference {
	return core.ObjectReference{
		APIVersion: resources[w.Kind].GroupVersion().String(), Kind: string(w.Kind), Namespace: w.Namespace, Name: w.Name, UID: types.UID(w.UID),
	}
}

// lastWords is how long Events are still posted once the process is told to end.
const lastWords = 400 * time.Millisecond

// Run posts until ctx ends, and then for a moment what is left.
func (e *Events) Run(ctx context.Context) {
	posting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, cancel) })()
	for {
		select {
		case event := <-e.queue:
			e.post(posting, event)
			continue
		default:
		}
		select {
		case event := <-e.queue:
			e.post(posting, event)
		case <-ctx.Done():
			return // nothing is left
		}
	}
}

// Dropped is how many Events could not be posted.
func (e *Events) Dropped() int64 { return e.dropped.Load() }

func (e *Events) post(ctx context.Context, event *events.Event) {
	for attempt := range 5 {
		request, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		_, err := e.client.typed.EventsV1().Events(event.Namespace).Create(request, event, meta.CreateOptions{})
		cancel()
		if err == nil || apierrors.IsAlreadyExists(err) {
			return
		}
		if ctx.Err() != nil || apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
			break
		}
		select {
		case <-time.After(time.Duration(attempt+1) * 200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	e.dropped.Add(1)
}

// Killed posts PodKilled.
func (e *Events) Killed(k chaos.Record, d chaos.Death) {
	pod := &core.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: d.Pod.Namespace, Name: d.Pod.Name, UID: types.UID(d.Pod.UID)}
	e.add(reference(k.Workload), "PodKilled", core.EventTypeNormal, pod, d.Pod.UID, fmt.Sprintf("killed pod %s, planned for %s", d.Pod.Name, k.Planned.Format(time.RFC3339)))
}

// Ended posts how a kill ended.
func (e *Events) Ended(o chaos.Outcome) {
	reason, kind, note := string(o.Verdict), core.EventTypeNormal, o.Message
	switch o.Verdict {
	case chaos.Recovered:
		note = fmt.Sprintf("whole again after %s", o.Recovery.Whole.Sub(o.FirstDeath()).Round(100*time.Millisecond))
	case chaos.NotRecovered:
		kind = core.EventTypeWarning
	case chaos.Vetoed:
		reason, note = "KillVetoed", fmt.Sprintf("%s: %s", o.Reason, o.Message)
	case chaos.Rehearsed:
		names := make([]string, 0, len(o.Pods))
		for _, d := range o.Pods {
			if d.Err == nil {
				names = append(names, d.Pod.Name)
			}
		}
		reason, note = "KillRehearsed", "dry run, nothing was killed; it would have been "+strings.Join(names, ", ")
	case chaos.Failed:
		reason, kind = "KillFailed", core.EventTypeWarning
	default:
		reason = "Kill" + reason
	}
	record := &core.ObjectReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Kill", Namespace: o.Workload.Namespace, Name: v1alpha1.Name(o.Workload.UID, o.Planned)}
	e.add(reference(o.Workload), reason, kind, record, o.Planned.UTC().Format(time.RFC3339Nano), fmt.Sprintf("%s, planned for %s", note, o.Planned.Format(time.RFC3339)))
}

// Unrecorded posts nothing: what cannot be written there cannot be told there.
func (e *Events) Unrecorded(chaos.Outcome, error) {}

// Trouble posts nothing: it is about no workload.
func (e *Events) Trouble(string, error) {}

// Invalid posts InvalidTerms, once for each change of what is wrong.
func (e *Events) Invalid(w victims.Workload, err error) {
	e.add(reference(w), "InvalidTerms", core.EventTypeWarning, nil, err.Error(), "spared until this is mended: "+err.Error())
}

// Halted posts ChaosHalted, once for each halt.
func (e *Events) Halted(h v1alpha1.Halt) {
	if e.own != nil {
		e.add(*e.own, "ChaosHalted", core.EventTypeNormal, nil, string(h.UID), fmt.Sprintf("halt %s/%s: %s", h.Namespace, h.Name, h.Spec.Reason))
	}
}

// Resumed posts ChaosResumed, once for each halt.
func (e *Events) Resumed(h v1alpha1.Halt) {
	if e.own != nil {
		e.add(*e.own, "ChaosResumed", core.EventTypeNormal, nil, string(h.UID), fmt.Sprintf("halt %s/%s is over: %s", h.Namespace, h.Name, h.Spec.Reason))
	}
}

// Planned posts DayPlanned, once for each date.
func (e *Events) Planned(p chaos.DayPlan) {
	if e.own != nil {
		e.add(*e.own, "DayPlanned", core.EventTypeNormal, nil, p.Date.String(), fmt.Sprintf("%d kills of %d workloads are planned for %s", p.Kills, p.Workloads, p.Date))
	}
}

func (e *Events) add(regarding core.ObjectReference, reason, kind string, related *core.ObjectReference, about, note string) {
	hash := sha256.Sum256([]byte(string(regarding.UID) + "\x00" + reason + "\x00" + about))
	event := &events.Event{
		ObjectMeta:          meta.ObjectMeta{Namespace: regarding.Namespace, Name: "caprice-" + hex.EncodeToString(hash[:10])},
		EventTime:           meta.NowMicro(),
		ReportingController: "caprice",
		ReportingInstance:   e.instance,
		Action:              "Kill",
		Reason:              reason,
		Type:                kind,
		Note:                cut(note, 1024),
		Related:             related,
		Regarding:           regarding,
	}
	select {
	case e.queue <- event:
	default:
		e.dropped.Add(1)
	}
}
