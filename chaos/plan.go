// Package chaos plans kills, carries them out and says what came of them. It knows the world by small interfaces alone.
package chaos

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

// streamKey begins the key of every random stream. Whatever changes the numbers drawn from a stream, or the use made of
// them, must change it.
const streamKey = "caprice/v1"

// Seed is the secret that the plan is a function of: owners cannot predict their kills, operators can replay them.
type Seed [32]byte

// PlanKey tells plans of other seeds and other versions of the plan apart. It does not betray the seed.
func (s Seed) PlanKey() string {
	sum := sha256.Sum256(append([]byte(streamKey+" fingerprint"), s[:]...))
	return streamKey + "/" + hex.EncodeToString(sum[:6])
}

// Subject is a workload that opted in, and the terms it did so on.
type Subject struct {
	victims.Workload
	Terms   victims.Terms
	Created time.Time // the workload, to the second, rounded down: nothing that was planned before is due; zero: nobody has said
}

// Kill is one entry of the plan.
type Kill struct {
	At   time.Time     // to the millisecond
	Date calendar.Date // of the working day it belongs to
	draw [2]uint64
}

// Random returns the source from which the kill's pods are drawn. It is the same at each call.
func (k Kill) Random() rand.Source { return rand.NewPCG(k.draw[0], k.draw[1]) }

// Plan returns the kills of a subject on one day, in order. It depends on nothing but its arguments: of the subject, on
// its UID and pace; of the day, on its date, windows and masks.
//
// The kills are a stationary renewal process (Cox, Renewal Theory, 1962, chapters 2 and 5) in the time inside the windows.
// With m the mean and c the minimum of the subject's pace, gaps between kills are c + Exp(m-c). The first kill follows
// the equilibrium distribution of such a gap: with probability c/m it is uniform on [0, c), otherwise it is at
// c + Exp(m-c). Then the expected number of kills on a day of length W is exactly W/m, for every 0 <= c <= m. Kills
// that a mask hides are left out, and no other is touched: of an open time of V outside the masks, V/m are expected.
func Plan(seed Seed, day calendar.Day, s Subject) (kills []Kill) {
	d := draw(seed, day, s)
	for kill, ok := d.next(); ok; kill, ok = d.next() {
		kills = append(kills, kill)
	}
	return kills
}

// drawing is the plan of a subject for one day, kill by kill: of a day with thousands of them, a few hundred bytes.
type drawing struct {
	stream        *stream // nil: nothing is planned
	day           calendar.Day
	length        time.Duration // of the day's windows
	mean, minimum time.Duration
	open          time.Duration // of the next kill, in the time inside the windows
}

// draw returns the plan of a subject for one day, at its beginning.
func draw(seed Seed, day calendar.Day, s Subject) drawing {
	d := drawing{day: day, length: day.Length()}
	d.mean, d.minimum = s.Terms.Pace.In(d.length)
	if d.length <= 0 || d.mean <= 0 {
		return d
	}
	d.stream = newStream(seed, s.UID, day.Date)
	d.open = time.Duration(d.stream.uniform() * float64(d.mean)) // less than the minimum with probability c/m, and then uniform
	if d.open >= d.minimum {
		d.open = d.gap()
	}
	return d
}

// gap draws how long it is from one kill to the next. Beyond the day it does not matter how long, and it may be more than a
// Duration holds.
func (d *drawing) gap() time.Duration {
	more := d.stream.exponential() * float64(d.mean-d.minimum)
	if more >= float64(d.length) {
		return d.length
	}
	return d.minimum + time.Duration(more)
}

// over tells whether nothing is left to be drawn.
func (d *drawing) over() bool { return d.stream == nil || d.open >= d.length }

// next returns the next kill, false if there is none.
func (d *drawing) next() (Kill, bool) {
	for !d.over() {
		kill := Kill{At: d.day.At(d.open.Truncate(time.Millisecond)), Date: d.day.Date, draw: [2]uint64{d.stream.Uint64(), d.stream.Uint64()}}
		d.open += d.gap()
		if !d.day.Masked(kill.At) { // left out only now, so that a mask moves no other kill
			return kill, true
		}
	}
	return Kill{}, false
}

// stream is a source of random numbers of its own for one workload and date. What it yields is the same on every
// architecture: integers from a specified generator, and floating-point operations that cannot be fused.
type stream struct{ rand.ChaCha8 }

func newStream(seed Seed, uid string, date calendar.Date) *stream {
	key := make([]byte, 0, 128) // SHA-256 over parts that cannot run into each other: all but the last have a fixed length
	key = append(key, streamKey...)
	key = append(key, seed[:]...)
	key = binary.BigEndian.AppendUint32(key, uint32(date.Year))
	key = append(key, byte(date.Month), byte(date.Day))
	key = append(key, uid...)
	var s stream
	s.Seed(sha256.Sum256(key))
	return &s
}

// uniform returns a number from [0, 1).
func (s *stream) uniform() float64 { return float64(s.Uint64()>>11) * 0x1p-53 }

// exponential returns an exponentially distributed number with mean 1, by comparisons alone: von Neumann, Various
// Techniques Used in Connection with Random Digits, 1951. It needs no logarithm, whose last bit differs between machines.
func (s *stream) exponential() float64 {
	for whole := 0.0; ; whole++ {
		first := s.uniform()
		descending := 1
		for last := first; ; descending++ {
			u := s.uniform()
			if u >= last {
				break
			}
			last = u
		}
		if descending%2 == 1 {
			return whole + first
		}
	}
}
