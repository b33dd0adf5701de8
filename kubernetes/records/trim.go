package records

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/kubernetes"
)

// Keep says which records are kept. Those of kills that have not ended, and those that somebody has yet to look at, always are.
type Keep struct {
	Since  time.Time // none of a kill that was planned before
	Always time.Time // all of kills that were planned since then
	Most   int       // as many of the youngest in between as make so many in all, but for those without a date; 0: no limit
}

const (
	// deleteTimeout is how long one record may take to be deleted, as by a slow webhook, and hastyTimeout where there was no answer for
	// so long as mostInVain in all: there may be hundreds of namespaces where none comes.
	deleteTimeout, hastyTimeout = 10 * time.Second, 2 * time.Second
	mostInVain                  = time.Minute
)

// Trim deletes the records that are not to be kept, and returns how many, also with an error. A namespace where one cannot be deleted it
// leaves alone, and goes on with the others. What it does not look at it knows by metadata alone.
func (s *Store) Trim(ctx context.Context, keep Keep) (trimmed int, err error) {
	days, err := s.days(ctx)
	if err != nil {
		return 0, err
	}
	if ahead := s.Client.Ahead(); ahead.Abs() > chaos.ClocksApart { // what is old is the clock's word
		return 0, errors.New(differ(-ahead))
	}
	excess := -keep.Most // how many dated ones are too many: what nobody has taken on has no date, and must not push out what was done
	for day, records := range days {
		if day != "" {
			excess += records
		}
	}
	if keep.Most == 0 {
		excess = 0
	}
	refused := map[string]error{} // the first of each namespace
	within, vain := deleteTimeout, time.Duration(0)
	for _, day := range slices.Sorted(maps.Keys(days)) {
		last := keep.Since
		if day != "" && excess > 0 {
			last = keep.Always
		}
		if day > last.UTC().AddDate(0, 0, 1).Format(time.DateOnly) {
			break // in no zone is it of before
		}
		old, err := s.before(ctx, day, last)
		if err != nil {
			return trimmed, errors.Join(err, joined(refused))
		}
		for _, kill := range old {
			if excess <= 0 && !kill.planned.Before(keep.Since) {
				break
			}
			if refused[kill.namespace] == nil {
				err := s.remove(ctx, kill, within)
				if errors.Is(err, errSilent) {
					vain += within
				}
				if vain >= mostInVain {
					within = hastyTimeout
				}
				switch {
				case err == nil:
					trimmed++
				case kubernetes.Absent(err):
				case ctx.Err() != nil:
					return trimmed, err
				default:
					refused[kill.namespace] = err
				}
			}
			if day != "" {
				excess-- // also where it stays, or it would push out what others have
			}
		}
	}
	return trimmed, joined(refused)
}

// errSilent is the error of a deletion that is not answered in time.
var errSilent = errors.New("no answer")

// remove deletes a record within a time. Its error is errSilent if that is over.
func (s *Store) remove(ctx context.Context, r record, within time.Duration) error {
	request, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := s.Client.Kills(r.namespace).Delete(request, r.name, meta.DeleteOptions{Preconditions: &meta.Preconditions{UID: &r.uid}})
	if err != nil && request.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w within %s", errSilent, within)
	}
	return err
}

// joined returns why records cannot be deleted, by their namespaces, of the first few and with how many more there are; nil: all can be.
func joined(refused map[string]error) error {
	const told = 3
	var errs []error
	for _, namespace := range slices.Sorted(maps.Keys(refused)) {
		if len(errs) == told && len(refused) > told+1 {
			errs = append(errs, fmt.Errorf("and so in %d more namespaces", len(refused)-told))
			break
		}
		errs = append(errs, fmt.Errorf("deleting a record in namespace %s: %w", namespace, refused[namespace]))
	}
	return errors.Join(errs...)
}

// days returns how many records there are of each working day, by its label; of none are those without. Those that are being deleted, and
// have a finalizer that somebody has yet to take out, do not count.
func (s *Store) days(ctx context.Context) (map[string]int, error) {
	days := map[string]int{}
	for _, namespace := range s.Scope.Within() {
		err := s.Client.ListMetadata(ctx, v1alpha1.GroupVersion.WithResource("kills"), namespace, "", func(o *meta.PartialObjectMetadata) {
			if s.mine(o.Namespace) && o.DeletionTimestamp == nil {
				days[o.Labels[v1alpha1.DateLabel]]++
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return days, nil
}

// record is what it takes to delete one.
type record struct {
	namespace, name string
	uid             types.UID
	planned         time.Time
}

// before returns those records of a day that may go of kills that were planned before a time, the oldest first.
func (s *Store) before(ctx context.Context, day string, last time.Time) (old []record, err error) {
	selector := v1alpha1.DateLabel + "=" + day
	if day == "" {
		selector = "!" + v1alpha1.DateLabel
	}
	err = s.each(ctx, meta.ListOptions{LabelSelector: selector}, func(kill *v1alpha1.Kill) error {
		planned := kill.Spec.Planned.Time
		if created := kill.CreationTimestamp.Time; !created.IsZero() && created.Before(planned) { // somebody may ask for a kill in years, and is refused
			planned = created
		}
		if kill.Status.Phase == v1alpha1.Ended && kill.DeletionTimestamp == nil && planned.Before(last) && !s.suffers(kill) {
			old = append(old, record{kill.Namespace, kill.Name, kill.UID, planned})
		}
		return nil
	})
	slices.SortFunc(old, func(a, b record) int { return a.planned.Compare(b.planned) })
	return old, err
}
