package notify

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"text/template"
	"time"

	"github.com/golang/glog"

	"caprice/chaos"
)

const (
	// room is how many notifications wait for a target; the oldest goes when another comes.
	room = 1000
	// attempts is how often one is sent before it is given up, if the target may yet take it.
	attempts = 5
	// pause is how long the second attempt waits, more or less; each other twice as long as that before.
	pause = time.Second
)

// service is what sends a text, with data for those who take it.
type service interface {
	send(text string, data any) error
}

// escaper is a service whose texts have more in them than text.
type escaper interface {
	escape(text string) string
}

// undelivered is the error of a service that has sent to some of those that it sends to: rest sends to the others.
type undelivered struct {
	rest service
	err  error
}

func (u *undelivered) Error() string { return u.err.Error() }
func (u *undelivered) Unwrap() error { return u.err }

// letter is a notification that is yet to be written.
type letter struct {
	template *template.Template
	data     any
}

// target is a place to notify, with a queue of its own: none waits for another.
type target struct {
	name      string
	service   service
	verdicts  []chaos.Verdict
	morning   bool
	byLabel   bool
	template  *template.Template
	ofMorning *template.Template

	jitter  *rand.Rand
	wake    chan struct{}
	mu      sync.Mutex
	waiting []letter
	full    bool // it dropped some and has not caught up since

	sent, failed, dropped atomic.Int64
}

// open makes a target ready to be added to.
func (t *target) open() {
	t.jitter = rand.New(rand.NewChaCha8(sha256.Sum256([]byte(t.name))))
	t.wake = make(chan struct{}, 1)
}

// add has a letter sent. It never waits: where there is no room, the oldest goes.
func (t *target) add(l letter) {
	t.mu.Lock()
	if len(t.waiting) == room {
		t.waiting = t.waiting[1:]
		t.dropped.Add(1)
		if !t.full {
			glog.Warningf("notifications dropped target=%s waiting=%d", t.name, room)
		}
		t.full = true
	}
	t.waiting = append(t.waiting, l)
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// next takes out the letter that has waited longest.
func (t *target) next() (letter, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.full = false
		return letter{}, false
	}
	l := t.waiting[0]
	t.waiting = t.waiting[1:]
	return l, true
}

// run sends until ctx ends, and then what is left until sending ends.
func (t *target) run(ctx, sending context.Context) {
	for {
		l, ok := t.next()
		switch {
		case ok && sending.Err() != nil:
			t.dropped.Add(1)
		case ok:
			t.deliver(ctx, sending, l)
		case ctx.Err() != nil:
			return // nothing is left
		default:
			select {
			case <-t.wake:
			case <-ctx.Done():
			}
		}
	}
}

// deliver sends a letter, again and again while that may help, until sending ends: once ctx has ended, one more time.
func (t *target) deliver(ctx, sending context.Context, l letter) {
	var text strings.Builder
	if err := l.template.Execute(&text, l.data); err != nil {
		glog.Warningf("notification not written by its template target=%s error=%q", t.name, line(err)+"want what each verdict has")
		text.Reset()
		if err := usualText.Execute(&text, l.data); err != nil {
			t.failed.Add(1)
			return
		}
	}
	by := t.service
	for attempt, wait := 1, pause; ; attempt, wait = attempt+1, 2*wait {
		err := t.send(sending, by, text.String(), l.data)
		if err == nil {
			t.sent.Add(1)
			return
		}
		if some := (*undelivered)(nil); errors.As(err, &some) {
			by = some.rest
		}
		if sending.Err() == nil {
			why, final := cause(err)
			if final || attempt == attempts {
				t.failed.Add(1)
				glog.Warningf("notification failed target=%s attempts=%d error=%q", t.name, attempt, why)
				return
			}
			if ctx.Err() != nil {
				t.dropped.Add(1)
				return
			}
			_ = chaos.Pause(ctx, wait/2+time.Duration(t.jitter.Int64N(int64(wait))))
		}
		if sending.Err() != nil {
			t.dropped.Add(1)
			return
		}
	}
}

// send waits for an answer or the end. Not every service can be told to stop, and one that hangs then is left behind: there
// is never more than this one of a target.
func (t *target) send(ctx context.Context, by service, text string, data any) error {
	answer := make(chan error, 1)
	go func() { answer <- safely(by, text, data) }()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// safely sends: what others wrote must not end Caprice.
func safely(s service, text string, data any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return s.send(text, data)
}
