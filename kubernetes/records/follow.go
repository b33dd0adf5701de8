package records

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"caprice/api/v1alpha1"
	"caprice/kubernetes"
)

// watchFor is how long one watch lasts before the next goes on from where it has come, as one may hang and not say so: half of the
// minute for which a kill that somebody asks for waits, unless LATE_GRACE says otherwise. That is one request, and nothing is read anew.
const watchFor = 30 * time.Second

// Follow calls do for each kill of a namespace that comes, changes or goes since the list of that version, if the label selector
// takes it; one that it takes no more counts as gone. It returns nil when ctx ends, and otherwise the error of do
// or why it cannot go on. Of no namespace means of all.
func Follow(ctx context.Context, client *kubernetes.Client, namespace, selector, version string, do func(kill *v1alpha1.Kill, gone bool) error) error {
	kills := client.Kills(namespace)
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, version, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options meta.ListOptions) (watch.Interface, error) {
			options.LabelSelector, options.TimeoutSeconds = selector, new(int64(watchFor/time.Second))
			return kills.Watch(ctx, options)
		},
	})
	if err != nil {
		return kubernetes.Plain(err)
	}
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		switch o := event.Object.(type) {
		case *v1alpha1.Kill:
			if err := do(o, event.Type == watch.Deleted); err != nil {
				return err
			}
		case *meta.Status:
			return kubernetes.Plain(apierrors.FromObject(o))
		}
	}
	return nil
}
