package chaos

import (
	"context"
	"errors"
)

// What an error says, and what a kill makes of it:
//
//	*Veto         a gate spares the workload: the kill ends as Vetoed
//	*Unknown      whether a halt holds is not known now, or a right to read is missing: it is asked again while there is time, and then the kill
//	              ends as Vetoed
//	*Refusal      the API server has said no, and will again: the kill ends as Failed; asked whether a workload is whole, as NotRecovered
//	ErrDenied     no right to remove any pod: the kill ends, and its other pods are not asked for
//	*missed       it is too late: the kill ends as Missed
//	errLeaseLost  the killer may not lead any more: a kill that was not claimed comes once more, and one that was ends as Abandoned, or is Partial if a pod was removed
//	errCutShort   the killer ends, or leads no more: the same
//	ErrTaken      another attempt has the record: this one leaves it alone
//	ErrAltered    the record is there, but is not as it was written, a *Refusal: the kill ends as Failed, in that record
//	ErrDeclined   the record is not let be written now: it is tried again, for longDeclined if the kill was not even claimed
//	ErrGone       the workload is gone: a kill that removed pods of it ends as NotRecovered, Gone
//	any other     there was no answer, or none to what was asked: it is asked again while there is time, and what was asked for may have been done;
//	              a record is tried as one that is declined where those of other namespaces are written

// Veto is the error of a gate that spares a workload.
type Veto struct {
	Reason  Reason
	Message string
}

func (v *Veto) Error() string { return v.Message }

// Unknown is the error of what is not known now and may be soon, as whether a halt holds. It says for what the workload is spared if that
// stays so.
type Unknown struct{ Veto }

// Refusal is the error of an API server that has answered, and said no.
type Refusal struct{ Err error }

func (r *Refusal) Error() string { return r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }

// ErrDenied is the error of a removal to which Caprice has no right, of whatever pod.
var ErrDenied = errors.New("no right to remove pods")

// missed is the error of a kill that is too late.
type missed struct{ why string }

func (m *missed) Error() string { return m.why }

// unreadable is the error of halts that cannot be read: in the end the workload is spared for it.
type unreadable struct {
	veto Veto
	err  error
}

func (u *unreadable) Error() string { return u.veto.Message }
func (u *unreadable) Unwrap() error { return u.err }

// haltsUnknown returns a veto as it is, and any other error as unreadable.
func haltsUnknown(err error) error {
	var veto *Veto
	var unknown *Unknown
	switch {
	case errors.As(err, &veto):
		return err
	case errors.As(err, &unknown):
		return &unreadable{unknown.Veto, err}
	}
	return &unreadable{Veto{Halted, "whether there is a halt cannot be known: " + err.Error()}, err}
}

// errLeaseLost is the error of a kill whose killer may not lead any more.
var errLeaseLost = errors.New("the lease could not be renewed in time")

// errCutShort is the error of a kill whose killer ends before it has removed all that it was to, or leads no more: it may only have been
// frozen, or its clock was set.
var errCutShort = errors.New("its killer ended, or led no more, before it was through")

// final tells whether asking again would not change the answer: a gate spares, the API server has refused, or it is too late.
func final(err error) bool {
	var veto *Veto
	var refusal *Refusal
	var m *missed
	return errors.As(err, &veto) || errors.As(err, &refusal) || errors.As(err, &m)
}

// late returns err, as missed if the reason for it is that time ran out; of halts that could not be read, the veto that comes of that.
func late(ctx context.Context, err error) error {
	var m *missed
	var unknown *unreadable
	if errors.As(err, &unknown) {
		return &unknown.veto
	}
	var unread *Unknown
	if errors.As(err, &unread) {
		return &Veto{unread.Reason, err.Error()}
	}
	if errors.As(context.Cause(ctx), &m) {
		return &missed{m.why + ": " + err.Error()}
	}
	return err
}
