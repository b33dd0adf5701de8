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

	mu       sync.Mutex
	told     time.Time                  // when Lost was, last
	declined map[string][]*events.Event // those that wait, of namespaces of which one was not taken, on which somebody insists
	waiting  int                        // how many these are
}

// DropCounter is told of each Event that could not be posted.
type DropCounter interface{ Dropped() }

// NewEvents returns Events that say they come from the given instance. Those about Caprice itself regard own; without it
// there are none.
func NewEvents(client *Client, instance string, own *core.ObjectReference, counter DropCounter) *Events {
	return &Events{Lost: func(error) {}, client: client, instance: instance, own: own, counter: counter, queue: make(chan *events.Event, 10_000), declined: map[string][]*events.Event{}}
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
	// posters is how many are posted at once: one after the other they fall behind where an API server takes its time.
	posters = 8
	// mostPosts is how often an Event is tried to be posted: for postTimeout, twice that, four times and so on, since an API server
	// that is slow answers no sooner if it is asked again; and after postPause, twice that, three times and so on.
	mostPosts, postTimeout, postPause = 5, 500 * time.Millisecond, 200 * time.Millisecond
)

// Run posts until ctx ends, and then for a moment what is left.
func (e *Events) Run(ctx context.Context) {
	posting, cancel := chaos.Outliving(ctx, lastWords)
	defer cancel()
	var working sync.WaitGroup
	defer working.Wait()
	for range posters {
		working.Go(func() {
			e.work(ctx, posting, func(namespace string) { working.Go(func() { e.insist(posting, namespace) }) })
		})
	}
}

// work posts one Event after the other, each once. Where one is not taken, somebody insists on it and on what comes after it in its
// namespace, so that one whose webhook hangs, say, keeps nobody else's waiting.
func (e *Events) work(ctx, posting context.Context, insist func(namespace string)) {
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
		if e.waits(event, false) {
			continue
		}
		switch err := e.post(posting, event, postTimeout); {
		case err == nil:
		case hopeless(posting, err):
			e.drop(err)
		case !e.waits(event, true):
			insist(event.Namespace)
		}
	}
}

// waits has an Event wait behind others of its namespace on which somebody insists. If there are none it returns false, and has it wait all
// the same if it was not taken. For one too many it drops it.
func (e *Events) waits(event *events.Event, declined bool) bool {
	e.mu.Lock()
	waiting, behind := e.declined[event.Namespace]
	full := (behind || declined) && e.waiting >= cap(e.queue)
	if (behind || declined) && !full {
		e.declined[event.Namespace] = append(waiting, event)
		e.waiting++
	}
	e.mu.Unlock()
	if full {
		e.drop(errQueueFull)
	}
	return behind || full
}

// insist posts the Events of a namespace that were not taken at once, one after the other, until none waits.
func (e *Events) insist(ctx context.Context, namespace string) {
	for pause := postPause; ; pause = 0 { // the first has just been declined
		e.mu.Lock()
		waiting := e.declined[namespace]
		if len(waiting) == 0 {
			delete(e.declined, namespace)
			e.mu.Unlock()
			return
		}
		e.declined[namespace] = waiting[1:]
		e.waiting--
		e.mu.Unlock()
		e.repost(ctx, waiting[0], pause)
	}
}

// repost posts an Event that was not taken at once, or others before it were not, after a pause.
func (e *Events) repost(ctx context.Context, event *events.Event, pause time.Duration) {
	var err error
	for attempt, timeout := 1, 2*postTimeout; attempt < mostPosts; attempt, timeout = attempt+1, 2*timeout {
		_ = chaos.Pause(ctx, pause)
		if err = e.post(ctx, event, timeout); err == nil {
			return
		}
		if hopeless(ctx, err) {
			break
		}
		pause = time.Duration(attempt+1) * postPause
	}
	e.drop(err)
}

// post tries to post an Event once.
func (e *Events) post(ctx context.Context, event *events.Event, timeout time.Duration) error {
	request, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := e.client.groups.eventsIn(event.Namespace).Create(request, event, meta.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
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
