// Package hypotheses knows what owners believe of their workloads, objects of kind Hypothesis, and says of each whether it can work.
package hypotheses

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/kubernetes"
)

// Beliefs knows the hypotheses of the scope from a watch, so that a kill reads nothing to learn that there are none. It is a
// chaos.Hypotheses.
type Beliefs struct {
	Client   *kubernetes.Client
	Scope    kubernetes.Scope
	Honoured []string // globs of the namespaces whose hypotheses are asked
	// Others tells whether the hypotheses of a namespace are another installation's, if that is known.
	Others func(namespace string) bool
	// Question makes a question of a probe of a hypothesis in that namespace; its error says why it cannot be asked.
	Question func(namespace string, p *v1alpha1.Probe) (chaos.Question, error)

	mu       sync.Mutex
	held     map[types.UID]belief
	synced   []cache.InformerSynced
	answered map[string]time.Time // when a watch last began, by the namespace that it is of
}

// belief is a hypothesis, ready to be asked.
type belief struct {
	*v1alpha1.Hypothesis
	selector labels.Selector // nil: it cannot be told which workloads it is about
	probes   []chaos.Probe
	problem  string // why it cannot be asked
}

const (
	// watchBeliefs is how long one watch of hypotheses lasts before the API server is asked for the next.
	watchBeliefs = time.Minute
	// deaf is for how long no watch may have begun: an older one may have died without a word.
	deaf = watchBeliefs + 15*time.Second
)

// Run follows the hypotheses until ctx ends.
func (b *Beliefs) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held, b.answered = map[types.UID]belief{}, map[string]time.Time{}
	for _, namespace := range b.Scope.Within() {
		informer := cache.NewSharedIndexInformer(b.source(namespace), &v1alpha1.Hypothesis{}, 0, cache.Indexers{})
		if err := informer.SetTransform(slim); err != nil {
			return // only of an informer that has begun
		}
		handler, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(o any) { b.set(o.(*v1alpha1.Hypothesis)) },
			UpdateFunc: func(before, o any) {
				if old, now := before.(*v1alpha1.Hypothesis), o.(*v1alpha1.Hypothesis); old.UID != now.UID {
					b.drop(old) // it went, and another of its name came, while nobody watched
				}
				b.set(o.(*v1alpha1.Hypothesis))
			},
			DeleteFunc: func(o any) {
				if unknown, ok := o.(cache.DeletedFinalStateUnknown); ok {
					o = unknown.Obj
				}
				b.drop(o.(*v1alpha1.Hypothesis))
			},
		})
		if err != nil {
			return // only of an informer that has ended
		}
		b.synced = append(b.synced, handler.HasSynced)
		running.Go(func() { informer.RunWithContext(ctx) })
	}
}

// slim takes out what nobody asks for.
func slim(o any) (any, error) {
	if h, ok := o.(*v1alpha1.Hypothesis); ok {
		h.ManagedFields, h.Annotations = nil, nil
	}
	return o, nil
}

// source lists and watches the hypotheses of a namespace, and notes each watch that begins.
func (b *Beliefs) source(namespace string) *cache.ListWatch {
	client := b.Client.Hypotheses(namespace)
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options meta.ListOptions) (runtime.Object, error) {
			return client.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options meta.ListOptions) (watch.Interface, error) {
			seconds := int64(watchBeliefs / time.Second)
			options.TimeoutSeconds = &seconds
			begin := time.Now()
			w, err := client.Watch(ctx, options)
			if err == nil {
				b.mu.Lock()
				b.answered[namespace] = begin
				b.mu.Unlock()
			}
			return w, err
		},
	}
}

// current returns the hypotheses of a namespace in the order of their names, read afresh if the watch may be behind.
func (b *Beliefs) current(ctx context.Context, namespace string) ([]belief, error) {
	b.mu.Lock()
	held, synced := b.sorted(namespace), b.live()
	b.mu.Unlock()
	if synced {
		return held, nil
	}
	list, err := b.Client.Hypotheses(namespace).List(ctx, meta.ListOptions{})
	if err != nil {
		return nil, err
	}
	held = nil
	for i := range list.Items {
		held = append(held, b.read(&list.Items[i]))
	}
	return held, nil
}

// live tells whether the watch has them as they are now.
func (b *Beliefs) live() bool {
	if len(b.synced) == 0 || slices.ContainsFunc(b.synced, func(s cache.InformerSynced) bool { return !s() }) {
		return false
	}
	for _, namespace := range b.Scope.Within() {
		if !chaos.Fresh(b.answered[namespace], deaf) {
			return false
		}
	}
	return true
}

// Probes returns what is asked of a workload.
func (b *Beliefs) Probes(ctx context.Context, now chaos.WorkloadState) ([]chaos.Probe, error) {
	held, err := b.current(ctx, now.Namespace)
	if err != nil {
		return nil, fmt.Errorf("whether there is a hypothesis cannot be known: %w", err)
	}
	var probes []chaos.Probe
	for _, h := range held {
		if h.selector != nil && !h.selector.Matches(labels.Set(now.Labels)) {
			continue
		}
		if h.problem != "" {
			return nil, fmt.Errorf("hypothesis %s cannot work: %s", h.Name, h.problem)
		}
		probes = append(probes, h.probes...)
	}
	return probes, nil
}

// sorted returns the hypotheses of a namespace, or of all, by namespace and name.
func (b *Beliefs) sorted(namespace string) []belief {
	var some []belief
	for _, h := range b.held {
		if namespace == meta.NamespaceAll || h.Namespace == namespace {
			some = append(some, h)
		}
	}
	slices.SortFunc(some, func(x, y belief) int {
		return cmp.Or(cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Name, y.Name))
	})
	return some
}

func (b *Beliefs) set(h *v1alpha1.Hypothesis) {
	if !b.Scope.Contains(h.Namespace) {
		return
	}
	held := b.read(h)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held[h.UID] = held
}

func (b *Beliefs) drop(h *v1alpha1.Hypothesis) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.held, h.UID)
}

// Problem returns why a hypothesis that a file has would be refused or could not be asked, or nothing. It asks nobody.
func (b *Beliefs) Problem(h *v1alpha1.Hypothesis) string {
	if err := h.Check(); err != nil {
		return err.Error()
	}
	if !b.Scope.Contains(h.Namespace) {
		return "" // nobody asks it
	}
	return b.read(h).problem
}

// read makes a hypothesis ready to be asked.
func (b *Beliefs) read(h *v1alpha1.Hypothesis) belief {
	read := belief{Hypothesis: h}
	if !kubernetes.Matched(b.Honoured, h.Namespace) {
		read.problem = "its namespace is not one of those that PROBE_NAMESPACES allows"
	}
	selector, err := meta.LabelSelectorAsSelector(&h.Spec.Workloads)
	if err != nil {
		read.problem = fmt.Sprintf("spec.workloads cannot be read, so it may be about any: %v", err)
		return read
	}
	read.selector = selector
	for i := range h.Spec.Probes {
		p := &h.Spec.Probes[i]
		question, err := b.Question(h.Namespace, p)
		if err != nil && read.problem == "" {
			read.problem = fmt.Sprintf("probe %s: %v", p.Name, err)
		}
		read.probes = append(read.probes, chaos.Probe{
			Hypothesis: h.Name, Name: p.Name, Question: question, During: p.During == nil || *p.During,
			Interval: p.Interval.Or(time.Second), Timeout: p.Timeout.Or(time.Second), Tolerance: p.Tolerance.Or(0),
		})
	}
	return read
}
