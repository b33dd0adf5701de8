package chaos

import (
	"container/heap"
	"maps"
	"slices"
	"time"

	"caprice/calendar"
)

// agenda is what is still to come: kills, and the midnights at which to plan another day. It never reads the clock.
type agenda struct {
	seed      Seed
	headStart time.Duration // how long before its instant an item is due
	watermark time.Time     // what is planned up to here has come, even if the clock is set back
	from      time.Time     // what is planned up to here others have settled
	armed     bool          // who opts in from now on has kills from now on
	subjects  map[string]*subject
	census    census // of subjects
	items     items
	lastKills map[string]lastKill // the last of each workload, by UID; what is older than a day or two is forgotten
	swept     time.Time
}

type subject struct {
	Subject
	until time.Time // what is planned for later is off; zero: nothing is
}

// item is a kill of its subject if kill is set, and otherwise the time to plan another date. Of each plan only the next kill
// is an item, and the rest is drawn from it when that has come.
type item struct {
	at      time.Time
	subject *subject
	kill    *Kill
	rest    *drawing
	back    bool // it has come before, and nothing came of it
	date    calendar.Date
}

// off tells whether the item does not count any more.
func (i item) off() bool {
	return !i.subject.until.IsZero() && (i.kill == nil || i.at.After(i.subject.until))
}

// due is a kill to be carried out.
type due struct {
	*subject
	Kill
	request *Request // that it comes from; nil: from the plan
	back    bool     // it has come before, and the lease was not held
	told    *subject // what its workload was told to ask for when it was prepared; nil: nothing was
}

// putBack has a kill come once more, of which nothing came.
func (a *agenda) putBack(k due) {
	heap.Push(&a.items, item{at: k.At, subject: k.subject, kill: &k.Kill, back: true})
}

// set puts a subject on the agenda, in place of what it said of it before. Only kills after now count. Before the
// agenda is armed they count from the workload's creation, since it may have opted in then, or from now, where by our clock that is yet to
// come; and what was said of it before was not all there was to say.
func (a *agenda) set(now time.Time, s Subject) {
	since := now
	if !a.armed {
		since = calendar.Earlier(s.Created, now)
	}
	if old, ok := a.subjects[s.UID]; ok {
		if old.Workload == s.Workload && old.Terms.Same(s.Terms) {
			return
		}
		old.until = a.over(now)
		a.census.add(old.Subject, -1)
	}
	if a.watermark.After(since) {
		since = a.watermark
	}
	if a.subjects == nil {
		a.subjects = make(map[string]*subject)
	}
	entry := &subject{Subject: s}
	a.subjects[s.UID] = entry
	a.census.add(s, 1)
	today := s.Terms.Calendar.Date(now)
	a.plan(entry, today.Add(-1), since) // a window of yesterday may go on into today
	a.plan(entry, today, since)
	a.planTomorrow(entry, today)
	a.tidy()
}

// over returns until when the plan of a subject counts that is none from now on: before the agenda is armed it never did.
func (a *agenda) over(now time.Time) time.Time {
	if a.armed {
		return now
	}
	return time.Unix(0, 0)
}

// drop takes a subject off the agenda.
func (a *agenda) drop(now time.Time, uid string) {
	if s, ok := a.subjects[uid]; ok {
		s.until = a.over(now)
		a.census.add(s.Subject, -1)
		delete(a.subjects, uid)
		a.tidy()
	}
}

// tidy takes out what is off and would otherwise stay until its time had come, as soon as that may be half of all: terms may
// change as often as somebody likes.
func (a *agenda) tidy() {
	const each, few = 4, 100 // items of one subject at most: of three days, and the time to plan another
	if len(a.items) > 2*each*len(a.subjects)+few {
		a.items = slices.DeleteFunc(a.items, item.off)
		heap.Init(&a.items)
	}
}

// lastKill is when a workload was killed last, and of what date's plan.
type lastKill struct {
	at   time.Time     // as it was planned, or later if it came late
	date calendar.Date // of its working day
}

// struckAt returns when a kill strikes that was planned for one instant and is carried out at another: when it was to, unless it is
// late by more than answers take. A plan whose kills are as far apart as may be would have each spared after one that was late otherwise.
func struckAt(planned, done time.Time) time.Time {
	if done.Sub(planned) > patience {
		return done
	}
	return planned
}

// noteKill notes that a workload is killed at an instant, by the plan of a date.
func (a *agenda) noteKill(uid string, at time.Time, date calendar.Date) {
	if a.lastKills == nil {
		a.lastKills = make(map[string]lastKill)
	}
	if at.After(a.lastKills[uid].at) {
		a.lastKills[uid] = lastKill{at, date}
	}
	const day = 24 * time.Hour
	if at.Sub(a.swept) < day {
		return
	}
	a.swept = at
	maps.DeleteFunc(a.lastKills, func(_ string, last lastKill) bool { return at.Sub(last.at) > 2*day })
}

// noteKills notes those kills that records tell of and that struck.
func (a *agenda) noteKills(known []Outcome) {
	for _, o := range known {
		if !o.DryRun && o.executed() {
			a.noteKill(o.Workload.UID, struckAt(o.Planned, o.ExecutedAt), o.Date)
		}
	}
}

// tooSoon tells whether a kill at an instant is nearer to the workload's last one of the day than its minimum. Within one plan that
// cannot be, unless kills come late; after a change of terms it can. From one before the day's hours, since these were others then or somebody asked for it, all
// time counts; a minimum as long as the day leaves one kill in it, whenever that was.
func (a *agenda) tooSoon(k due, at time.Time) bool {
	last, ok := a.lastKills[k.UID]
	if !ok {
		return false
	}
	first, second := last.at, at
	if second.Before(first) { // of several that are late the later one may be faster
		first, second = second, first
	}
	day := k.Terms.Calendar.Day(k.Date)
	_, minimum := k.Terms.Pace.In(day.Length())
	switch minimum = minimum.Truncate(time.Millisecond); {
	case len(day.Windows) == 0:
		return false
	case !first.Before(day.Windows[0].Open):
		return day.Elapsed(second)-day.Elapsed(first) < minimum
	}
	return last.date == k.Date && (second.Sub(first) < minimum || minimum >= day.Length().Truncate(time.Millisecond))
}

// subscribed returns all subjects in the order of their UIDs.
func (a *agenda) subscribed() []Subject {
	subjects := make([]Subject, 0, len(a.subjects))
	for _, uid := range slices.Sorted(maps.Keys(a.subjects)) {
		subjects = append(subjects, a.subjects[uid].Subject)
	}
	return subjects
}

// takeOver begins a term in which what is planned after an instant is to be settled.
func (a *agenda) takeOver(from time.Time) {
	a.from = from
	a.reach(from)
}

// reach raises the watermark: what is planned for earlier has come.
func (a *agenda) reach(t time.Time) {
	if t.After(a.watermark) {
		a.watermark = t
	}
}

// next returns the kills that are due at now, late ones too, and when to ask again; without anything to come, wake is zero.
// It is a function of now, the watermark and the plan: each kill comes exactly once, however the clock jumps, and none that
// lies between the watermark and now is left out.
func (a *agenda) next(now time.Time) (kills []due, wake time.Time) {
	since := a.watermark
	a.reach(now)
	for len(a.items) > 0 {
		first := a.items[0]
		if !first.off() && now.Before(first.at.Add(-a.headStart)) {
			return kills, first.at.Add(-a.headStart)
		}
		heap.Pop(&a.items)
		switch {
		case first.off():
		case first.kill == nil:
			date := first.date
			if eve := first.subject.Terms.Calendar.Date(since).Add(-1); date.Before(eve) {
				date = eve // what was planned for days before has come, while this process stood by: their windows have ended
			}
			a.plan(first.subject, date, since) // where the clock has jumped over days, these are due as well
			a.planTomorrow(first.subject, date)
		case first.back && first.at.After(a.from), first.at.After(since):
			kills = append(kills, due{subject: first.subject, Kill: *first.kill, back: first.back})
			fallthrough
		default:
			a.push(first.subject, first.rest, since)
		}
	}
	return kills, time.Time{}
}

func (a *agenda) plan(s *subject, date calendar.Date, since time.Time) {
	d := draw(a.seed, s.Terms.Calendar.Day(date), s.Subject)
	a.push(s, &d, since)
}

// push puts the first kill after an instant on the agenda of what is still to be drawn.
func (a *agenda) push(s *subject, rest *drawing, since time.Time) {
	if rest == nil {
		return
	}
	for kill, ok := rest.next(); ok; kill, ok = rest.next() {
		if kill.At.After(since) {
			if rest.over() {
				rest = nil // it is the most that is kept of a workload
			}
			heap.Push(&a.items, item{at: kill.At, subject: s, kill: &kill, rest: rest})
			return
		}
	}
}

// planTomorrow has the day after the given one planned well before it begins.
func (a *agenda) planTomorrow(s *subject, date calendar.Date) {
	tomorrow := date.Add(1)
	heap.Push(&a.items, item{at: s.Terms.Calendar.Midnight(tomorrow).Add(-time.Minute), subject: s, date: tomorrow})
}

// items is a heap, the earliest first.
type items []item

func (h items) Len() int           { return len(h) }
func (h items) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h items) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *items) Push(x any)        { *h = append(*h, x.(item)) }

func (h *items) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = item{}
	*h = (*h)[:last]
	return x
}
