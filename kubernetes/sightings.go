package kubernetes

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// sightings are what a watch has seen that are still there. They pass on what comes, changes and goes, and keep of each object
// its name alone: a cluster may have tens of thousands. They are the store of a reflector.
type sightings struct {
	set, drop func(*meta.PartialObjectMetadata)
	complete  atomic.Bool // all that there was at the start has been passed on
	mu        sync.Mutex  // guards names
	names     map[types.UID]string
}

// Add passes on what has come.
func (s *sightings) Add(object any) error {
	o, err := metadataIn(object)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(o)
	return nil
}

func (s *sightings) add(o *meta.PartialObjectMetadata) {
	if s.names == nil {
		s.names = map[types.UID]string{}
	}
	if _, known := s.names[o.UID]; !known {
		s.names[o.UID] = o.Name
	}
	s.set(o)
}

// Update passes on what has changed.
func (s *sightings) Update(object any) error { return s.Add(object) }

// Delete passes on what has gone.
func (s *sightings) Delete(object any) error {
	o, err := metadataIn(object)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.names, o.UID)
	s.drop(o)
	return nil
}

// Replace passes on all that is there, and what has gone unseen.
func (s *sightings) Replace(objects []any, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	there := make(map[types.UID]bool, len(objects))
	for _, object := range objects {
		o, err := metadataIn(object)
		if err != nil {
			return err
		}
		there[o.UID] = true
	}
	for _, uid := range slices.SortedFunc(maps.Keys(s.names), func(a, b types.UID) int { return cmp.Compare(s.names[a], s.names[b]) }) {
		if name := s.names[uid]; !there[uid] {
			delete(s.names, uid)
			s.drop(&meta.PartialObjectMetadata{ObjectMeta: meta.ObjectMeta{Name: name, UID: uid}})
		}
	}
	for _, object := range objects {
		o, _ := metadataIn(object) // it was tried above
		s.add(o)
	}
	s.complete.Store(true)
	return nil
}

// Resync does nothing: whatever is told is told at once.
func (s *sightings) Resync() error { return nil }

// Transformer has a reflector keep no more of objects than Caprice reads, while it gathers those that there are.
func (s *sightings) Transformer() cache.TransformFunc {
	return func(object any) (any, error) {
		o, err := metadataIn(object)
		if err != nil {
			return object, nil // a reflector says itself what it does not expect
		}
		return stripped(o), nil
	}
}

// stripped is what Caprice reads of an object: little beside what kubectl apply leaves on it.
func stripped(o *meta.PartialObjectMetadata) *meta.PartialObjectMetadata {
	return &meta.PartialObjectMetadata{ObjectMeta: meta.ObjectMeta{
		Namespace: o.Namespace, Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion, CreationTimestamp: o.CreationTimestamp,
		Labels: ours(o.Labels), Annotations: ours(o.Annotations),
	}}
}

func metadataIn(object any) (*meta.PartialObjectMetadata, error) {
	o, ok := object.(*meta.PartialObjectMetadata)
	if !ok {
		return nil, fmt.Errorf("%T has no metadata alone", object)
	}
	return o, nil
}
