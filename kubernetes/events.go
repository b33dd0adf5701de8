package kubernetes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
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
	// Lost is told why an Event was dropped, once a minute at most.
	Lost func(error)

	client   *Client
	instance string
	own      *core.ObjectReference
	queue    chan *events.Event
	counter  DropCounter
	dropped  atomic.Int64

	mu        sync.Mutex
	told      time.Time       // when Lost was, last
	declining map[string]bool // the namespaces whose last Event was not taken
}

// DropCounter is told of each Event that could not be posted.
type DropCounter interface{ Dropped() }

// NewEvents returns Events that say they come from the given instance. Those about Caprice itself regard own; without it
// there are none.
func NewEvents(client *Client, instance string, own *core.ObjectReference, counter DropCounter) *Events {
	return &Events{Lost: func(error) {}, client: client, instance: instance, own: own, counter: counter, queue: make(chan *events.Event, 10_000), declining: map[string]bool{}}
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

var errQueueFull = errors.New("too many wait to be posted")

const (
	// lastWords is how long Events are still posted once the process is told to end.
	lastWords = 400 * time.Millisecond
	// posters is how many are posted at once: one after the other they fall behind where an API server takes its time. As many besides
	// are tried again.
	posters = 4
	// mostPosts is how often an Event is tried to be posted: for postTimeout, twice that, four times and so on, since an API server
	// that is slow answers no sooner if it is asked again; and after postPause, twice that, three times and so on.
	mostPosts, postTimeout, postPause = 5, 500 * time.Millisecond, 200 * time.Millisecond
)

// Run posts until ctx ends, and then for a moment what is left.
func (e *Events) Run(ctx context.Context) {
	posting, cancel := chaos.Outliving(ctx, lastWords)
	defer cancel()
	again := make(chan *events.Event, cap(e.queue))
	var working, insisting sync.WaitGroup
	for range posters {
		working.Go(func() { e.work(ctx, posting, again) })
		insisting.Go(func() {
			for event := range again {
				e.insist(posting, event)
			}
		})
	}
	working.Wait()
	close(again)
	insisting.Wait()
}

// work posts one Event after the other, each once. What is not taken is to be tried again by others, and so is what comes after it in its
// namespace: where a webhook hangs, say, it keeps nobody else's waiting.
func (e *Events) work(ctx, posting context.Context, again chan<- *events.Event) {
	for {
		var event *events.Event
		select {
		case event = <-e.queue:
		default:
			select {
			case event = <-e.queue:
			case <-ctx.Done():
				return // nothing is left
			}
		}
		err := errDeclines
		if !e.declines(event.Namespace) {
			if err = e.post(posting, event, postTimeout); err == nil {
				continue
			}
		}
		if hopeless(posting, err) {
			e.drop(err)
			continue
		}
		select {
		case again <- event:
		default:
			e.drop(err)
		}
	}
}

// insist posts an Event that was not taken at once.
func (e *Events) insist(ctx context.Context, event *events.Event) {
	var err error
	for attempt, timeout := 1, 2*postTimeout; attempt < mostPosts; attempt, timeout = attempt+1, 2*timeout {
		_ = chaos.Pause(ctx, time.Duration(attempt)*postPause)
		if err = e.post(ctx, event, timeout); err == nil {
			return
		}
		if hopeless(ctx, err) {
			break
		}
	}
	e.drop(err)
}

// post tries to post an Event once, and notes whether its namespace takes Events.
func (e *Events) post(ctx context.Context, event *events.Event, timeout time.Duration) error {
	request, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := e.client.groups.eventsIn(event.Namespace).Create(request, event, meta.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		err = nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil && !hopeless(ctx, err) {
		e.declining[event.Namespace] = true
	} else {
		delete(e.declining, event.Namespace)
	}
	return err
}

var errDeclines = errors.New("others of its namespace have not been taken")

// declines tells whether the last Event of a namespace was not taken.
func (e *Events) declines(namespace string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.declining[namespace]
}

// hopeless tells whether it is in vain to try again.
func hopeless(ctx context.Context, err error) bool {
	return ctx.Err() != nil || apierrors.IsForbidden(err) || Absent(err) || apierrors.IsInvalid(err)
}

// Dropped is how many Events could not be posted.
func (e *Events) Dropped() int64 { return e.dropped.Load() }

// lostAgain is how long after it was told of what was lost Lost is told again.
const lostAgain = time.Minute

func (e *Events) drop(why error) {
	e.dropped.Add(1)
	e.counter.Dropped()
	e.mu.Lock()
	again := time.Since(e.told) >= lostAgain
	if again {
		e.told = time.Now()
	}
	e.mu.Unlock()
	if again {
		e.Lost(why)
	}
}

// Killed posts PodKilled.
func (e *Events) Killed(k chaos.Record, d chaos.Death) {
	pod := &core.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: d.Pod.Namespace, Name: d.Pod.Name, UID: types.UID(d.Pod.UID)}
	note := fmt.Sprintf("killed pod %s, %s, kill %s", d.Pod.Name, origin(k), v1alpha1.Name(k.Workload.UID, k.Planned))
	e.add(podKilled, reference(k.Workload), pod, d.Pod.UID, note)
}

// origin says where a kill comes from.
func origin(k chaos.Record) string {
	if k.Request != nil {
		return "requested by " + k.Request.By
	}
	return "planned for " + k.Planned.Format(time.RFC3339)
}

// Ended posts how a kill ended.
func (e *Events) Ended(o chaos.Outcome) {
	note := o.Message
	switch o.Verdict {
	case chaos.Recovered:
		note = fmt.Sprintf("whole again after %s", o.Recovery.Whole.Sub(o.FirstDeath()).Round(100*time.Millisecond))
		if o.Message != "" {
			note += ": " + o.Message
		}
	case chaos.Vetoed:
		note = fmt.Sprintf("%s: %s", o.Reason, o.Message)
	case chaos.Rehearsed:
		names := make([]string, 0, len(o.Pods))
		for _, d := range o.Pods {
			if d.Err == nil {
				names = append(names, d.Pod.Name)
			}
		}
		note = "dry run, nothing was killed; it would have been " + strings.Join(names, ", ")
	}
	record := &core.ObjectReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Kill", Namespace: o.Workload.Namespace, Name: v1alpha1.Name(o.Workload.UID, o.Planned)}
	word, ok := endings[o.Verdict]
	if !ok { // rather a word without a row in the README than no Event
		word = EventWord{Reason: string(o.Verdict), Type: core.EventTypeWarning}
	}
	e.add(word, reference(o.Workload), record, o.Planned.UTC().Format(time.RFC3339Nano), fmt.Sprintf("%s, %s", note, origin(o.Record)))
}

// Unrecorded posts nothing: what cannot be written there cannot be told there.
func (e *Events) Unrecorded(chaos.Outcome, error) {}

// Trouble posts nothing: it is about no workload.
func (e *Events) Trouble(string, error) {}

// Invalid posts InvalidTerms, each mistake once as long as the API server keeps its Event.
func (e *Events) Invalid(w victims.Workload, err error) {
	e.add(invalidTerms, reference(w), nil, err.Error(), "spared until this is mended: "+err.Error())
}

// Unworkable posts InvalidHypothesis, for each reason once as long as the API server keeps its Event.
func (e *Events) Unworkable(h *v1alpha1.Hypothesis, problem string) {
	about := core.ObjectReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Hypothesis", Namespace: h.Namespace, Name: h.Name, UID: h.UID}
	e.add(invalidHypothesis, about, nil, problem, "the workloads it is about are spared until this is mended: "+problem)
}

// Halted posts ChaosHalted, once for each cause.
func (e *Events) Halted(cause, note string) {
	if e.own != nil {
		e.add(chaosHalted, *e.own, nil, cause, note)
	}
}

// Resumed posts ChaosResumed, once for each cause.
func (e *Events) Resumed(cause, note string) {
	if e.own != nil {
		e.add(chaosResumed, *e.own, nil, cause, note)
	}
}

// Planned posts DayPlanned, once for each date.
func (e *Events) Planned(p chaos.DayPlan) {
	if e.own != nil {
		e.add(dayPlanned, *e.own, nil, p.Date.String(), fmt.Sprintf("kills planned for %s: %d, of %d workloads that opted in", p.Date, p.Kills, p.Workloads))
	}
}

func (e *Events) add(word EventWord, regarding core.ObjectReference, related *core.ObjectReference, about, note string) {
	hash := sha256.Sum256([]byte(string(regarding.UID) + "\x00" + word.Reason + "\x00" + about))
	event := &events.Event{
		ObjectMeta:          meta.ObjectMeta{Namespace: regarding.Namespace, Name: "caprice-" + hex.EncodeToString(hash[:10])},
		EventTime:           meta.NowMicro(),
		ReportingController: "caprice",
		ReportingInstance:   e.instance,
		Action:              "Kill",
		Reason:              word.Reason,
		Type:                word.Type,
		Note:                Cut(note, 1024),
		Related:             related,
		Regarding:           regarding,
	}
	select {
	case e.queue <- event:
	default:
		e.drop(errQueueFull)
	}
}
