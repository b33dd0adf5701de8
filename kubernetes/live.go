package kubernetes

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

// live are the watch of a workload, from when it was read on, and that of its pods, which is opened when somebody follows them.
type live struct {
	workload, pods watch.Interface
	since          string // the version of the pods that were read
	stop           []context.CancelFunc
}

// Close ends them; of none it does nothing.
func (l *live) Close() {
	if l == nil {
		return
	}
	for _, stop := range l.stop {
		stop()
	}
}

// begin reads the object that a request and options name, and watches it from there on, within ctx; the watch outlives ctx. An
// API server that has them is asked for a watch that begins with what there is, and any other for a list and then for a watch.
func (c *Client) begin(ctx context.Context, request func() *rest.Request, options meta.ListOptions) (found []runtime.Object, watching *live, err error) {
	if !c.plainWatches.Load() {
		all := options
		all.Watch, all.AllowWatchBookmarks, all.SendInitialEvents = true, true, new(true)
		all.ResourceVersionMatch = meta.ResourceVersionMatchNotOlderThan
		from, stop, err := open(ctx, request(), all)
		if err == nil {
			if found, err = initial(ctx, from); err == nil {
				return found, &live{workload: from, stop: []context.CancelFunc{stop}}, nil
			}
			stop()
		}
		switch {
		case apierrors.IsInvalid(err):
			c.plainWatches.Store(true) // it has no such watches
		case !apierrors.IsInternalError(err): // which is said where etcd is too old for them, or its version is not known yet
			return nil, nil, err
		}
	}
	list, err := request().VersionedParams(&options, parameters).Do(ctx).Get()
	if err != nil {
		return nil, nil, err
	}
	if found, err = apimeta.ExtractList(list); err != nil {
		return nil, nil, err
	}
	items, err := apimeta.ListAccessor(list)
	if err != nil {
		return nil, nil, err
	}
	options.Watch, options.ResourceVersion = true, items.GetResourceVersion()
	from, stop, err := open(ctx, request(), options)
	if err != nil {
		return nil, nil, err
	}
	return found, &live{workload: from, stop: []context.CancelFunc{stop}}, nil
}

// follow watches the pods of a selector from when they were read on. To begin with it takes no longer than ctx, which the watch
// outlives.
func (l *live) follow(ctx context.Context, pods *rest.Request, selector string) error {
	from, stop, err := open(ctx, pods, meta.ListOptions{Watch: true, LabelSelector: selector, ResourceVersion: l.since})
	if err == nil {
		l.pods, l.stop = from, append(l.stop, stop)
	}
	return err
}

// open begins a watch within ctx that outlives it.
func open(ctx context.Context, request *rest.Request, options meta.ListOptions) (watch.Interface, context.CancelFunc, error) {
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	opening := context.AfterFunc(ctx, stop)
	from, err := request.VersionedParams(&options, parameters).Watch(watching)
	if !opening() {
		if err == nil {
			from.Stop()
		}
		err = context.Cause(ctx) // and not that of the watch, which was stopped for it
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return from, func() { stop(); from.Stop() }, nil
}

// initial returns what a watch begins with.
func initial(ctx context.Context, from watch.Interface) (found []runtime.Object, err error) {
	for {
		select {
		case e := <-from.ResultChan():
			switch e.Type {
			case watch.Added:
				found = append(found, e.Object)
			case watch.Bookmark:
				o, err := apimeta.Accessor(e.Object)
				if err != nil {
					return nil, err
				}
				if o.GetAnnotations()[meta.InitialEventsAnnotationKey] == "true" {
					return found, nil
				}
			default:
				return nil, ended(e)
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// ended is why a watch has, by its last event.
func ended(e watch.Event) error {
	if e.Type == watch.Error {
		return fmt.Errorf("the watch ended: %w", apierrors.FromObject(e.Object))
	}
	return errors.New("the watch ended")
}
