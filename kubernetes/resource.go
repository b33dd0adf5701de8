package kubernetes

import (
	"context"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

// Resource reads and writes objects of one resource in one namespace, or in none, with the methods of client-go's gentype. That brings
// along what its fakes are made of, OpenAPI and its schemas among it: a tenth of the program. The errors are the API server's, as
// they come.
type Resource[T kept] struct {
	group     rest.Interface
	namespace string // empty: none
	name      string // as in a path: pods
	one       func() T
}

// kept is what the API server keeps or answers.
type kept interface {
	runtime.Object
	meta.Object
}

func (r *Resource[T]) all(verb *rest.Request) *rest.Request {
	return verb.NamespaceIfScoped(r.namespace, r.namespace != "").Resource(r.name)
}

// only is a request about one object. Without a name it fails before it is sent: it would be about all.
func (r *Resource[T]) only(verb *rest.Request, name string) *rest.Request {
	return r.all(verb).Name(name)
}

// Get reads one object.
func (r *Resource[T]) Get(ctx context.Context, name string, o meta.GetOptions) (T, error) {
	into := r.one()
	err := r.only(r.group.Get(), name).VersionedParams(&o, parameters).Do(ctx).Into(into)
	return into, err
}

// Create writes a new object, and returns it as the API server keeps it.
func (r *Resource[T]) Create(ctx context.Context, object T, o meta.CreateOptions) (T, error) {
	into := r.one()
	err := r.all(r.group.Post()).VersionedParams(&o, parameters).Body(object).Do(ctx).Into(into)
	return into, err
}

// Update writes an object in place of the one that is there, and returns it as the API server keeps it.
func (r *Resource[T]) Update(ctx context.Context, object T, o meta.UpdateOptions) (T, error) {
	into := r.one()
	err := r.only(r.group.Put(), object.GetName()).VersionedParams(&o, parameters).Body(object).Do(ctx).Into(into)
	return into, err
}

// Patch changes an object or a subresource of it, and returns it as the API server keeps it.
func (r *Resource[T]) Patch(ctx context.Context, name string, kind types.PatchType, patch []byte, o meta.PatchOptions, subresources ...string) (T, error) {
	into := r.one()
	err := r.only(r.group.Patch(kind), name).SubResource(subresources...).VersionedParams(&o, parameters).Body(patch).Do(ctx).Into(into)
	return into, err
}

// Delete asks for one object to be deleted.
func (r *Resource[T]) Delete(ctx context.Context, name string, o meta.DeleteOptions) error {
	return r.only(r.group.Delete(), name).Body(&o).Do(ctx).Error()
}

// Watch follows the objects that the options select, until whoever asks stops, ctx ends or the API server ends it.
func (r *Resource[T]) Watch(ctx context.Context, o meta.ListOptions) (watch.Interface, error) {
	o.Watch = true
	return r.all(r.group.Get()).VersionedParams(&o, parameters).Timeout(patienceOf(o)).Watch(watchable(ctx, o))
}

// Collection is a Resource whose objects are listed as well.
type Collection[T kept, L runtime.Object] struct {
	Resource[T]
	many func() L
}

// List reads the objects that the options select.
func (c *Collection[T, L]) List(ctx context.Context, o meta.ListOptions) (L, error) {
	into := c.many()
	err := c.all(c.group.Get()).VersionedParams(&o, parameters).Timeout(patienceOf(o)).Do(ctx).Into(into)
	return into, err
}

// overtime is how much later than the API server was told to end a watch it is ended here, if that has hung as well.
const overtime = 5 * time.Second

// watchable returns a context for a watch with the options, which does not outlast them: a watch that hangs says nothing of it.
func watchable(ctx context.Context, o meta.ListOptions) context.Context {
	if o.TimeoutSeconds == nil {
		return ctx
	}
	ctx, cancel := context.WithTimeout(ctx, patienceOf(o)+overtime)
	context.AfterFunc(ctx, cancel) // when it is over
	return ctx
}

// patienceOf is how long the API server may take by the options; zero: as long as it likes.
func patienceOf(o meta.ListOptions) time.Duration {
	if o.TimeoutSeconds == nil {
		return 0
	}
	return time.Duration(*o.TimeoutSeconds) * time.Second
}
