// Package records keeps a record of each kill, an object of kind Kill in the namespace of its workload, and reads and trims them.
package records

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/calendar"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/victims"
)

// Store keeps the records of kills. It is a chaos.Records.
type Store struct {
	Client *kubernetes.Client
	Scope  kubernetes.Scope
	Holder string // this process
	// Others tells whether the records of a namespace are another installation's, if that is known.
	Others func(namespace string) bool
	// Trouble is told of what cannot be done now and is tried again; nil: nobody is.
	Trouble func(error)
	// AcknowledgeAfter is how long a record of a workload that did not recover is kept for somebody to acknowledge it.
	AcknowledgeAfter time.Duration
}

// Claim creates the record, or takes on the one that asks for the kill. Of two that do, the API server takes one. The error is a
// *chaos.Veto if by when it was created the clocks are too far apart to know whether it is time. Where the one that asks was changed
// meanwhile, it sets record.Request.Version to what is there now, for the attempt to ask again.
func (s *Store) Claim(ctx context.Context, record chaos.Record) error {
	there, err := s.create(ctx, record)
	switch {
	case err != nil:
		return err
	case there.Status.Phase == v1alpha1.Ended:
		return chaos.ErrTaken
	case there.Namespace != record.Workload.Namespace || there.Name != v1alpha1.Name(record.Workload.UID, record.Planned) || there.ResourceVersion == "":
		return &chaos.Refusal{Err: errors.New("its record is not kept by its name, and with a version: want no admission webhook that changes kills")}
	}
	if what := s.changed(there, record); what != "" {
		return &chaos.Refusal{Err: fmt.Errorf("%w, %s is another: want no admission webhook that changes kills", chaos.ErrAltered, what)}
	}
	return inDoubt(there, record, time.Now())
}

// inDoubt returns a *chaos.Veto if by the API server's clock a record was claimed at another time than it is by this one.
func inDoubt(there *v1alpha1.Kill, record chaos.Record, now time.Time) error {
	written := there.CreationTimestamp
	if record.Request != nil { // it was created to ask for the kill
		written = meta.Time{}
		for _, f := range there.ManagedFields {
			if f.Time != nil && f.Time.After(written.Time) {
				written = *f.Time
			}
		}
	}
	apart := written.Sub(now.Truncate(time.Second))
	if written.IsZero() || apart.Abs() <= chaos.ClocksApart {
		return nil
	}
	return &chaos.Veto{Reason: chaos.OutsideWindow, Message: "whether it is time is in doubt: " + differ(apart)}
}

// differ says that the API server's clock is ahead of this one by more than they may be apart, or behind it.
func differ(apart time.Duration) string {
	way := "behind"
	if apart > 0 {
		way = "ahead of"
	}
	return fmt.Sprintf("the API server's clock is %s %s this one; want them less than %s apart", apart.Abs(), way, chaos.ClocksApart)
}

// changed returns what of a record that others go by, those who look for it, carry it on or judge it, is not in the object as it
// was written, or nothing. What older definitions of kills do not have is no change.
func (s *Store) changed(there *v1alpha1.Kill, record chaos.Record) string {
	written := newKill(record, s.Holder)
	want, is := written.Spec, there.Spec
	same := []struct {
		what string
		kept bool
	}{
		{"its workload", is.Workload == want.Workload},
		{"when it was planned", is.Planned.UnixMicro() == want.Planned.UnixMicro()},
		{"its date", is.Date == want.Date && there.Labels[v1alpha1.DateLabel] == want.Date},
		{"the label of its workload", there.Labels[v1alpha1.WorkloadUIDLabel] == want.Workload.UID},
		{"whom it is to strike", slices.Equal(is.Targets, want.Targets)},
		{"dryRun", is.DryRun == want.DryRun},
		{"its holder", is.Holder == want.Holder && is.Nonce == want.Nonce},
		{"until when it acts", is.ActBefore.UnixMicro() == want.ActBefore.UnixMicro()},
	}
	for _, f := range same {
		if !f.kept {
			return f.what
		}
	}
	return ""
}

// create creates the record, or makes the one its own that asks for the kill. It returns the one that is there if it is this
// attempt's: then only the answer was lost.
func (s *Store) create(ctx context.Context, record chaos.Record) (*v1alpha1.Kill, error) {
	kill := newKill(record, s.Holder)
	there, err := s.send(ctx, kill, record.Request)
	if apierrors.IsAlreadyExists(err) || record.Request != nil && apierrors.IsConflict(err) { // created, it conflicts with nothing but its quota
		there, err = s.Client.Kills(kill.Namespace).Get(ctx, kill.Name, meta.GetOptions{})
		switch {
		case err != nil:
		case record.Request != nil && there.Phase() == v1alpha1.Requested: // somebody has changed something else of it
			record.Request.Version = there.ResourceVersion
			return nil, errChanged
		case there.Spec.Nonce != kill.Spec.Nonce:
			return nil, chaos.ErrTaken
		}
	}
	return there, unwritable(err)
}

// send creates a record, or changes the one that asks for the kill, as it was read, into it.
func (s *Store) send(ctx context.Context, kill *v1alpha1.Kill, request *chaos.Request) (*v1alpha1.Kill, error) {
	kills := s.Client.Kills(kill.Namespace)
	if request == nil {
		return kills.Create(ctx, kill, meta.CreateOptions{})
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": request.Version, "labels": kill.Labels}, "spec": kill.Spec})
	if err != nil {
		return nil, err
	}
	return kills.Patch(ctx, kill.Name, types.MergePatchType, patch, meta.PatchOptions{})
}

// WriteStatus writes the status of a kill, and the record as well unless it was claimed. Written twice it stays the same.
func (s *Store) WriteStatus(ctx context.Context, o chaos.Outcome) error {
	if !o.Claimed {
		if _, err := s.create(ctx, o.Record); err != nil {
			return err
		}
	}
	status := newStatus(o)
	patch, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	name, kills := v1alpha1.Name(o.Workload.UID, o.Planned), s.Client.Kills(o.Workload.Namespace)
	written, err := kills.Patch(ctx, name, types.MergePatchType, patch, meta.PatchOptions{}, "status")
	switch {
	case err == nil:
		return kept(written.Status, status)
	case apierrors.IsInvalid(err):
		there, unread := kills.Get(ctx, name, meta.GetOptions{})
		switch {
		case unread != nil:
			return unwritable(unread)
		case there.Status.Phase == v1alpha1.Ended:
			return chaos.ErrTaken // in another way, and then its status never changes
		}
	}
	return unwritable(err)
}

// kept returns a chaos.ErrDeclined if a status came back without something by which leaders go: then it may not have been kept, as where
// the definition of kills is another, or something stands between.
func kept(is, written v1alpha1.KillStatus) error {
	switch {
	case is.Phase != written.Phase:
		return declined{fmt.Errorf("the answer has phase %q: want %q, as it was written", is.Phase, written.Phase)}
	case is.Verdict != written.Verdict:
		return declined{fmt.Errorf("the answer has verdict %q: want %q, as it was written", is.Verdict, written.Verdict)}
	case (is.ExecutedAt == nil) != (written.ExecutedAt == nil) || len(is.Pods) != len(written.Pods):
		return declined{errors.New("the answer has not when pods were removed, or which: want them as they were written")}
	}
	return nil
}

// unwritable marks the errors after which a record cannot be written: its namespace is gone or about to be, or has no room.
// All others may pass. Those by which the API server has said no are marked as well, but for one that does not know the credentials. What stands between says nothing.
func unwritable(err error) error {
	if kubernetes.Unsaid(err) {
		return err
	}
	full := apierrors.IsForbidden(err) && (apierrors.HasStatusCause(err, core.NamespaceTerminatingCause) || exceedsQuota(err))
	if full || kubernetes.Absent(err) || apierrors.IsRequestEntityTooLargeError(err) {
		return &chaos.Refusal{Err: err}
	}
	if again := (*chaos.Refusal)(nil); errors.As(kubernetes.Refusal(err), &again) {
		return declined{err}
	}
	return err
}

// declined is a chaos.ErrDeclined.
type declined struct{ error }

func (d declined) Is(target error) bool { return target == chaos.ErrDeclined }
func (d declined) Unwrap() error        { return d.error }

// Requests calls do for each kill that somebody asks for and nobody has taken on, those there are and those that come, until
// ctx ends. It ends one that has another name than its workload and instant give, by which nobody could tell whether the kill was done:
// that one is missed. A namespace that cannot be followed keeps nobody from the others: it is tried again for itself.
func (s *Store) Requests(ctx context.Context, do func(chaos.Request), trouble func(error)) {
	var following sync.WaitGroup
	defer following.Wait()
	for _, namespace := range s.Scope.Within() {
		following.Go(func() {
			for pause := leastRefollow; ctx.Err() == nil; pause = min(2*pause, mostRefollow) {
				began := time.Now()
				if err := s.requests(ctx, namespace, do); err != nil && ctx.Err() == nil {
					trouble(err)
				}
				if time.Since(began) > mostRefollow {
					pause = leastRefollow
				}
				_ = chaos.Pause(ctx, pause)
			}
		})
	}
}

// leastRefollow is how long after it could not be followed a namespace is for the first time, then twice as long, up to mostRefollow.
const leastRefollow, mostRefollow = time.Second, 15 * time.Second

// errChanged is the error of a request that is another than was read, and still nobody's.
var errChanged = errors.New("it was changed meanwhile")

// unclaimed selects records without a date, which each record gets from its holder.
const unclaimed = "!" + v1alpha1.DateLabel

func (s *Store) requests(ctx context.Context, namespace string, do func(chaos.Request)) error {
	var ending sync.WaitGroup
	defer ending.Wait()
	ctx, end := context.WithCancel(ctx)
	defer end()
	misnamed, turns := map[types.UID]bool{}, make(chan struct{}, mostEnding)
	var theirs sync.Map // namespaces of another installation in which somebody asks
	ending.Go(func() {
		for chaos.Pause(ctx, lookAtTheirs) == nil {
			for namespace := range theirs.Range {
				if s.mine(namespace.(string)) { // by now: what is asked for there is listed anew
					end()
				}
			}
		}
	})
	ask := func(kill *v1alpha1.Kill, gone bool) error {
		if s.Scope.Contains(kill.Namespace) && !s.mine(kill.Namespace) {
			theirs.Store(kill.Namespace, true)
		}
		if gone || !s.mine(kill.Namespace) || kill.Phase() != v1alpha1.Requested {
			delete(misnamed, kill.UID)
			return nil
		}
		if name := v1alpha1.Name(kill.Spec.Workload.UID, kill.Spec.Planned.Time); kill.Name != name {
			if !misnamed[kill.UID] {
				misnamed[kill.UID] = true
				ending.Go(func() { s.endMisnamed(ctx, kill, name, turns) })
			}
			return nil
		}
		do(*requestOf(kill))
		return nil
	}
	list, err := s.Client.Kills(namespace).List(ctx, meta.ListOptions{LabelSelector: unclaimed})
	if err != nil {
		return fmt.Errorf("listing kills: %w", err)
	}
	for i := range list.Items {
		_ = ask(&list.Items[i], false) // it has no error
	}
	return Follow(ctx, s.Client, namespace, unclaimed, list.ResourceVersion, ask)
}

const (
	// lookAtTheirs is how long it takes until what is asked for in a namespace is heard that was another installation's.
	lookAtTheirs = 5 * time.Second
	// endAgain is how long after it could not be ended a kill that nobody will take on is ended again.
	endAgain = time.Minute
	// mostEnding is how many of these are ended at once.
	mostEnding = 4
)

// endMisnamed ends a kill that nobody will take on since it should have that name, and says so. It tries until that is done or ctx ends.
func (s *Store) endMisnamed(ctx context.Context, kill *v1alpha1.Kill, name string, turns chan struct{}) {
	now := meta.NowMicro()
	patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"uid": kill.UID}, "status": v1alpha1.KillStatus{ // texts and times have no errors
		Phase: v1alpha1.Ended, Verdict: v1alpha1.Verdict(chaos.Missed), EndedAt: &now,
		Message: fmt.Sprintf("its name is not that of a kill of this workload at this instant: want %s, or caprice kill, which finds it", name),
	}})
	for ctx.Err() == nil {
		select {
		case turns <- struct{}{}:
		case <-ctx.Done():
			return
		}
		err := s.end(ctx, kill, patch)
		<-turns
		if err == nil {
			return
		}
		if s.Trouble != nil && ctx.Err() == nil {
			s.Trouble(fmt.Errorf("ending kill %s/%s, whose name is wrong: %w", kill.Namespace, kill.Name, err))
		}
		_ = chaos.Pause(ctx, endAgain)
	}
}

// end patches a kill that nobody has taken on so that it ends. It has no error where that kill is not there any more, or somebody has.
func (s *Store) end(ctx context.Context, kill *v1alpha1.Kill, patch []byte) error {
	kills := s.Client.Kills(kill.Namespace)
	_, err := kills.Patch(ctx, kill.Name, types.MergePatchType, patch, meta.PatchOptions{}, "status")
	if err == nil {
		return nil
	}
	there, unread := kills.Get(ctx, kill.Name, meta.GetOptions{})
	if kubernetes.Absent(unread) || unread == nil && (there.UID != kill.UID || there.Phase() != v1alpha1.Requested) {
		return nil
	}
	return err
}

// Known returns the kills of the last two days at least, by the dates of whatever zone; those that removed nothing without their message,
// targets and pods.
func (s *Store) Known(ctx context.Context) ([]chaos.Outcome, error) {
	today := calendar.Calendar{}.Date(time.Now())
	var dates []string
	for day := -3; day <= 1; day++ {
		dates = append(dates, today.Add(day).String())
	}
	var known []chaos.Outcome
	selector := fmt.Sprintf("%s in (%s)", v1alpha1.DateLabel, strings.Join(dates, ","))
	err := s.each(ctx, meta.ListOptions{LabelSelector: selector}, func(kill *v1alpha1.Kill) error {
		o := outcomeOf(kill)
		if removedNothing(kill) { // nobody counts by the rest, and there may be many
			o.Message, o.Targets, o.Pods = "", nil, nil
		}
		known = append(known, o)
		return nil
	})
	return known, err
}

// removedNothing tells whether a kill has ended and removed nothing, so that no leader counts by it.
func removedNothing(kill *v1alpha1.Kill) bool {
	return kill.Status.Phase == v1alpha1.Ended && (kill.Status.ExecutedAt == nil || chaos.Verdict(kill.Status.Verdict) == chaos.Rehearsed)
}

// Of returns the kills of one workload.
func (s *Store) Of(ctx context.Context, w victims.Workload) ([]chaos.Outcome, error) {
	kills, err := Of(ctx, s.Client, w)
	if err != nil {
		return nil, fmt.Errorf("listing kills of %s: %w", w, err)
	}
	of := make([]chaos.Outcome, len(kills))
	for i := range kills {
		of[i] = outcomeOf(&kills[i])
	}
	return of, nil
}

// On returns the records of one working day.
func (s *Store) On(ctx context.Context, date calendar.Date) (kills []v1alpha1.Kill, err error) {
	err = s.each(ctx, meta.ListOptions{LabelSelector: v1alpha1.DateLabel + "=" + date.String()}, func(kill *v1alpha1.Kill) error {
		kills = append(kills, *kill)
		return nil
	})
	return kills, err
}

// Open returns all kills that have not ended, and those from which a workload did not recover, until somebody acknowledges that or
// AcknowledgeAfter has passed.
func (s *Store) Open(ctx context.Context) ([]chaos.Outcome, error) {
	var open []chaos.Outcome
	for _, question := range []struct {
		fields string
		is     func(*v1alpha1.Kill) bool // since not every API server selects
	}{
		{PhaseField + "!=" + string(v1alpha1.Ended), func(kill *v1alpha1.Kill) bool { return kill.Status.Phase != v1alpha1.Ended }},
		{VerdictField + "=" + string(chaos.NotRecovered), s.suffers},
	} {
		err := s.each(ctx, meta.ListOptions{FieldSelector: question.fields}, func(kill *v1alpha1.Kill) error {
			if question.is(kill) {
				open = append(open, outcomeOf(kill))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return open, nil
}

// What kills can be selected by on the server.
const PhaseField, VerdictField = "status.phase", "status.verdict"

// suffers tells whether somebody has yet to acknowledge that a workload did not recover.
func (s *Store) suffers(kill *v1alpha1.Kill) bool {
	ended := instant(kill.Status.EndedAt)
	gone := kill.Status.Reason == string(chaos.Gone)
	return kill.Status.Verdict == v1alpha1.Verdict(chaos.NotRecovered) && !gone && !kill.Acknowledged() && time.Now().Before(ended.Add(s.AcknowledgeAfter))
}

// Acknowledged returns a *chaos.Veto if nobody has acknowledged a kill. One whose record was deleted needs no acknowledgement.
func (s *Store) Acknowledged(ctx context.Context, record chaos.Record) error {
	name, namespace := v1alpha1.Name(record.Workload.UID, record.Planned), record.Workload.Namespace
	kill, err := s.Client.Kills(namespace).Get(ctx, name, meta.GetOptions{})
	if kubernetes.Absent(err) {
		return nil
	}
	if err != nil {
		return kubernetes.Unreadable(err)
	}
	otherwise := kill.Status.Phase == v1alpha1.Ended && kill.Status.Verdict != v1alpha1.Verdict(chaos.NotRecovered) // another leader has seen it whole
	if otherwise || kill.Acknowledged() {
		return nil
	}
	return &chaos.Veto{Reason: chaos.Unacknowledged, Message: fmt.Sprintf("it did not recover from kill %s; to acknowledge that: caprice ack %s -n %s --comment WHAT", name, name, namespace)}
}

// Pages lists the records of some namespaces that the options take, page by page, until an error. An API server that cannot select by
// their fields yet (before Kubernetes 1.31) lists all.
func Pages(ctx context.Context, client *kubernetes.Client, namespaces []string, options meta.ListOptions) iter.Seq2[*v1alpha1.KillList, error] {
	return func(yield func(*v1alpha1.KillList, error) bool) {
		options := options
		options.Limit = 500
		for _, namespace := range namespaces {
			for more := true; more; more = options.Continue != "" {
				page, err := client.Kills(namespace).List(ctx, options)
				if apierrors.IsBadRequest(err) && options.FieldSelector != "" {
					options.FieldSelector = ""
					page, err = client.Kills(namespace).List(ctx, options)
				}
				if !yield(page, err) || err != nil {
					return
				}
				options.Continue = page.Continue
			}
		}
	}
}

// each calls do for all records of the scope that the options take and that somebody has taken on or ended.
func (s *Store) each(ctx context.Context, options meta.ListOptions, do func(*v1alpha1.Kill) error) error {
	for page, err := range Pages(ctx, s.Client, s.Scope.Within(), options) {
		if err != nil {
			return fmt.Errorf("listing kills: %w", err)
		}
		for i := range page.Items {
			if kill := &page.Items[i]; (kill.Spec.Holder != "" || kill.Status.Phase == v1alpha1.Ended) && s.mine(kill.Namespace) {
				if err := do(kill); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// mine tells whether the records of a namespace are this installation's.
func (s *Store) mine(namespace string) bool {
	return s.Scope.Contains(namespace) && (s.Others == nil || !s.Others(namespace))
}

// exceedsQuota tells whether a ResourceQuota leaves no room. The API server says so in words alone.
func exceedsQuota(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && strings.Contains(status.Status().Message, "exceeded quota")
}

// Of returns all records of a workload.
func Of(ctx context.Context, client *kubernetes.Client, w victims.Workload) ([]v1alpha1.Kill, error) {
	list, err := client.Kills(w.Namespace).List(ctx, meta.ListOptions{LabelSelector: v1alpha1.WorkloadUIDLabel + "=" + w.UID})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}
