package kubernetes

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"caprice/chaos"
	"caprice/victims"
)

// Sink is told what Discovery finds.
type Sink interface {
	Set(chaos.Subject)
	Drop(uid string)
	// Invalid is called for a workload that opted in on terms that are wrong.
	Invalid(victims.Workload, error)
}

// Discovery finds the workloads that opted in, and follows every change of their terms. It watches metadata alone.
type Discovery struct {
	Client   *Client
	Scope    Scope
	Defaults victims.Terms
	Sink     Sink

	mu         sync.Mutex
	namespaces map[string]victims.Metadata
	workloads  map[string]found // by UID
	departed   map[string]departed
	last       found // of workloads that was told
	watches    map[string]context.CancelFunc
	watched    map[*sightings]bool // what watches have seen that have not ended
	starting   int                 // watches that have yet to begin
	polled     bool                // all namespaces of a confined installation have been read once
	running    sync.WaitGroup
}

type found struct {
	victims.Workload
	victims.Metadata
	selector string // of the watch that found it
	version  string // of the object, when that said what it says
	created  time.Time
}

// departed is what a workload said of who is to be notified before it was gone or opted out: kills of it may have yet to end.
type departed struct {
	names string
	at    time.Time
}

// remembered is for how long that is known, which is longer than kills take to end.
const remembered = 24 * time.Hour

const (
	labelled   = victims.OptIn       // workloads that say something themselves
	unlabelled = "!" + victims.OptIn // the others, of a namespace that opted in
)

// Run follows the cluster until ctx ends.
func (d *Discovery) Run(ctx context.Context) {
	d.mu.Lock()
	d.namespaces, d.workloads, d.departed = map[string]victims.Metadata{}, map[string]found{}, map[string]departed{}
	d.watches, d.watched = map[string]context.CancelFunc{}, map[*sightings]bool{}
	d.mu.Unlock()
	defer d.running.Wait()
	if d.Scope.Confined() {
		for _, namespace := range d.Scope.Namespaces {
			if d.Scope.Contains(namespace) {
				d.watchWorkloads(ctx, namespace, labelled)
			}
		}
		d.pollNamespaces(ctx)
		return
	}
	d.watch(ctx, namespaces, meta.NamespaceAll, "", func(o *meta.PartialObjectMetadata) {
		d.setNamespace(ctx, o.Name, metadataOf(o))
	}, func(o *meta.PartialObjectMetadata) { d.setNamespace(ctx, o.Name, victims.Metadata{}) })
	d.watchWorkloads(ctx, meta.NamespaceAll, labelled)
	<-ctx.Done()
}

// Synced tells whether all that there is when a watch begins has been seen, of each watch. When a namespace comes to opt in, and with it
// a watch of all its workloads, that is not so for a moment.
func (d *Discovery) Synced() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	incomplete := func(s *sightings) bool { return !s.complete.Load() }
	return len(d.watched) > 0 && d.starting == 0 && (d.polled || !d.Scope.Confined()) && !slices.ContainsFunc(slices.Collect(maps.Keys(d.watched)), incomplete)
}

// notify is the label of who is to be notified.
const notify = victims.Prefix + victims.Notify

// Asked returns the label by which a workload, or else its namespace, names who is to be notified. Of one that is gone or opted out
// lately it is the last.
func (d *Discovery) Asked(w victims.Workload) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if names, ok := d.workloads[w.UID].Labels[notify]; ok {
		return names
	}
	if last, ok := d.departed[w.UID]; ok {
		return last.names
	}
	return d.namespaces[w.Namespace].Labels[notify]
}

// forget forgets a workload, but for whom it wanted to be notified.
func (d *Discovery) forget(uid string) {
	if names, ok := d.workloads[uid].Labels[notify]; ok {
		maps.DeleteFunc(d.departed, func(_ string, w departed) bool { return time.Since(w.at) > remembered })
		d.departed[uid] = departed{names, time.Now()}
	}
	delete(d.workloads, uid)
}

// pollNamespaces reads the namespaces of a confined installation, whose role can get them but not watch them.
func (d *Discovery) pollNamespaces(ctx context.Context) {
	for ctx.Err() == nil {
		all := true
		for _, name := range d.Scope.Namespaces {
			// A failure is left to the next round: what is missing readiness names, and each kill reads the namespace afresh.
			if o, err := d.Client.getMetadata(ctx, namespaces, "", name); err == nil {
				d.setNamespace(ctx, name, metadataOf(o))
			} else if !Absent(err) {
				all = false
			}
		}
		d.mu.Lock()
		d.polled = d.polled || all
		d.mu.Unlock()
		_ = chaos.Pause(ctx, 5*time.Second)
	}
}

func (d *Discovery) watchWorkloads(ctx context.Context, namespace, selector string) {
	for _, kind := range victims.Kinds {
		d.watch(ctx, resources[kind], namespace, selector,
			func(o *meta.PartialObjectMetadata) { d.setWorkload(ctx, kind, selector, o) },
			func(o *meta.PartialObjectMetadata) { d.dropWorkload(ctx, selector, string(o.UID)) })
	}
}

// watch follows the metadata of objects, for as long as ctx.
func (d *Discovery) watch(ctx context.Context, resource schema.GroupVersionResource, namespace, selector string, set, drop func(*meta.PartialObjectMetadata)) {
	lister := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o meta.ListOptions) (runtime.Object, error) {
			o.LabelSelector = selector
			return d.Client.metadataList(ctx, resource, namespace, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o meta.ListOptions) (watch.Interface, error) {
			o.LabelSelector = selector
			return d.Client.metadata.Resource(resource).Namespace(namespace).Watch(watchable(ctx, o), o)
		},
	}, d.Client.metadata)
	s := &sightings{set: set, drop: drop}
	d.mu.Lock()
	d.watched[s] = true
	d.mu.Unlock()
	d.running.Go(func() {
		cache.NewReflectorWithOptions(lister, &meta.PartialObjectMetadata{}, s, cache.ReflectorOptions{}).RunWithContext(ctx)
		d.mu.Lock()
		delete(d.watched, s)
		d.mu.Unlock()
	})
}

// setNamespace notes what a namespace says, watches all its workloads while it opts them in, and looks at those again that
// are known.
func (d *Discovery) setNamespace(ctx context.Context, name string, m victims.Metadata) {
	if !d.Scope.Contains(name) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if old := d.namespaces[name]; maps.Equal(old.Labels, m.Labels) && maps.Equal(old.Annotations, m.Annotations) {
		return
	}
	if d.namespaces[name] = m; len(m.Labels)+len(m.Annotations) == 0 {
		delete(d.namespaces, name)
	}
	stop, watched := d.watches[name]
	switch in := m.Labels[victims.OptIn] == "true"; {
	case in && !watched:
		watch, stop := context.WithCancel(ctx)
		d.watches[name] = stop
		d.starting++
		d.running.Go(func() {
			d.watchWorkloads(watch, name, unlabelled)
			d.mu.Lock()
			d.starting--
			d.mu.Unlock()
		})
	case !in && watched:
		stop()
		delete(d.watches, name)
	}
	var within []string // UIDs
	for uid, w := range d.workloads {
		if w.Namespace == name {
			within = append(within, uid)
		}
	}
	slices.Sort(within)
	for _, uid := range within {
		w := d.workloads[uid]
		d.tell(w)
		if w.selector == unlabelled && d.watches[name] == nil {
			d.forget(uid) // nobody tells of it from now on
		}
	}
}

// setWorkload notes what a workload says, unless that comes from a watch that was stopped meanwhile: nobody would tell when
// the workload goes. Nor what it said before: of the two watches between which it moves with its label, one may be behind.
func (d *Discovery) setWorkload(ctx context.Context, kind victims.Kind, selector string, o *meta.PartialObjectMetadata) {
	if !d.Scope.Contains(o.Namespace) {
		return
	}
	w := found{victims.Workload{Kind: kind, Namespace: o.Namespace, Name: o.Name, UID: string(o.UID)}, metadataOf(o), selector, o.ResourceVersion, o.CreationTimestamp.Time}
	d.mu.Lock()
	defer d.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	if old, ok := d.workloads[w.UID]; ok && (maps.Equal(old.Labels, w.Labels) && maps.Equal(old.Annotations, w.Annotations) || before(w.version, old.version)) {
		return
	}
	if maps.Equal(d.last.Labels, w.Labels) && maps.Equal(d.last.Annotations, w.Annotations) {
		w.Metadata = d.last.Metadata // most say what others say: it is kept once
	}
	if d.last.Namespace == w.Namespace {
		w.Namespace = d.last.Namespace
	}
	delete(d.departed, w.UID)
	d.workloads[w.UID], d.last = w, w
	d.tell(w)
}

// before tells whether a version of an object is known to come before another.
func before(version, than string) bool {
	order, err := resourceversion.CompareResourceVersion(version, than)
	return err == nil && order < 0
}

// dropWorkload forgets a workload that has left a watch, unless another has it by now: one that gets or loses the label
// moves, and the watch it moves to may be told first.
func (d *Discovery) dropWorkload(ctx context.Context, selector, uid string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ctx.Err() == nil && d.workloads[uid].selector == selector {
		d.forget(uid)
		d.Sink.Drop(uid)
	}
}

func (d *Discovery) tell(w found) {
	terms, err := ReadTerms(w.Metadata, d.namespaces[w.Namespace], d.Defaults, time.Now())
	switch {
	case err == nil:
		d.Sink.Set(chaos.Subject{Workload: w.Workload, Terms: terms, Created: w.created})
	case errors.Is(err, victims.ErrOptedOut):
		d.Sink.Drop(w.UID)
	default:
		d.Sink.Drop(w.UID)
		d.Sink.Invalid(w.Workload, err)
	}
}
