package chaos

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

// Record is what is written down of a kill before it is carried out, and of each due kill in the end. There is one for each
// workload and planned instant, however many processes try to write it.
type Record struct {
	Workload    victims.Workload
	Planned     time.Time
	Date        calendar.Date
	Scale       victims.Scale
	Method      victims.Method
	DryRun      bool
	Nonce       string        // of the attempt that writes it
	Targets     []victims.Pod // the chosen pods; none if the kill was spared before
	ReadyBefore int           // pods
	ActBefore   time.Time     // no pod is removed for it later
	Deadline    time.Duration // how long its workload has to heal; 0: the record does not say
	Generation  int64         // of the workload when the pods were chosen; 0: they were not
	Request     *Request      // that it comes from; nil: from the plan
}

// killKey is what tells kills apart. Who asks for one in their namespace may give the UID of a workload of another.
type killKey struct {
	namespace, uid string
	planned        int64 // nanoseconds since 1970
}

func keyOf(w victims.Workload, planned time.Time) killKey {
	return killKey{w.Namespace, w.UID, planned.UnixNano()}
}

func (k due) key() killKey    { return keyOf(k.Workload, k.At) }
func (r Record) key() killKey { return keyOf(r.Workload, r.Planned) }

// Records keeps records where the next leader finds them.
type Records interface {
	// Claim writes the record of a kill that is to be carried out. The error is ErrTaken if another attempt has written it,
	// a *Refusal if it cannot be written, ErrAltered if the API server keeps another than was written, a *Veto if the kill is spared by what
	// came back; after any other it may have been written. It may set Request.Version.
	Claim(context.Context, Record) error
	// WriteStatus writes how a kill stands, into its record or a new one. The error is ErrTaken if the record is another
	// attempt's, a *Refusal if it cannot be written, ErrDeclined if it must not be now.
	WriteStatus(context.Context, Outcome) error
	// Requests calls do for each kill that somebody asks for and no attempt has taken on, those there are and those that come,
	// until ctx ends; several at a time, it may be. The claim of its attempt takes it on. What cannot be followed is followed anew
	// after a while, and trouble is told why.
	Requests(ctx context.Context, do func(Request), trouble func(error))
	// Known returns the kills of the last two days at least, ended or not.
	Known(context.Context) ([]Outcome, error)
	// Of returns the kills of one workload.
	Of(context.Context, victims.Workload) ([]Outcome, error)
	// Open returns all kills that have not ended yet, and those from which a workload did not recover, until that is acknowledged
	// or has been for long enough.
	Open(context.Context) ([]Outcome, error)
	// Acknowledged returns a *Veto if nobody has acknowledged a kill, and any other error if that cannot be known.
	Acknowledged(context.Context, Record) error
}

// mostTargets is how many pods one record holds, whatever they and their nodes are called.
const mostTargets = 2000

// ErrDeclined is the error of a record that the API server does not let be written now, and may later: a right is missing, or
// an admission webhook, a policy or an older definition says no.
var ErrDeclined = errors.New("the record is declined")

// ErrTaken is the error of a record that another attempt at the same kill has written.
var ErrTaken = errors.New("another attempt has this kill")

// ErrAltered is the error of a record that was written, and is not what was written.
var ErrAltered = errors.New("its record is not kept as it was written")

// mostActing is how long after it began a kill may act, however late it may be: so long is it open if whoever carries it out dies.
const mostActing = 10 * time.Minute

// actBefore returns until when a kill may act that is prepared now.
func actBefore(planned, now time.Time, grace time.Duration) time.Time {
	late := min(grace, max(0, now.Sub(planned))) // that may be centuries
	return planned.Add(min(grace, late+mostActing))
}

// rehearses tells whether a kill is only rehearsed.
func (r *Runner) rehearses(k due) bool { return r.DryRun || k.request != nil && k.request.DryRun }

// record is what is known of a kill when it becomes due.
func (r *Runner) record(k due) Record {
	return Record{
		Workload: k.Workload, Planned: k.At, Date: k.Date, Scale: k.Terms.Scale, Method: k.Terms.Removal(), DryRun: r.rehearses(k),
		Nonce: rand.Text(), ActBefore: actBefore(k.At, wallNow(), r.LateGrace), Deadline: cmp.Or(time.Duration(k.Terms.Deadline), r.RecoveryDeadline),
		Request: k.request,
	}
}
