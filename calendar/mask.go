package calendar

import (
	"cmp"
	"slices"
	"sort"
	"strings"
	"time"
)

// Mask is a time when nobody is killed whatever the windows say, and the name of what closes it.
type Mask struct {
	Window
	Name string
}

// Masks is a set of masks. The zero Masks is empty.
type Masks struct {
	list []Mask // in order, none empty and none overlapping another
}

// Union returns the set of the given masks, which may come in any order, overlap and be empty. Where two overlap, the one
// that opens first gives its name.
func Union(masks ...Mask) Masks {
	masks = slices.Clone(masks)
	slices.SortFunc(masks, func(a, b Mask) int {
		return cmp.Or(a.Open.Compare(b.Open), b.Close.Compare(a.Close), strings.Compare(a.Name, b.Name))
	})
	var list []Mask
	for _, m := range masks {
		if n := len(list); n > 0 && m.Open.Before(list[n-1].Close) {
			m.Open = list[n-1].Close
		}
		if m.Open.Before(m.Close) {
			list = append(list, m)
		}
	}
	return Masks{list}
}

// within returns those that overlap a window, in order.
func (m Masks) within(w Window) []Mask {
	first := sort.Search(len(m.list), func(i int) bool { return m.list[i].Close.After(w.Open) })
	rest := m.list[first:]
	return rest[:sort.Search(len(rest), func(i int) bool { return !rest[i].Open.Before(w.Close) })]
}

// at returns the one that t lies in.
func (m Masks) at(t time.Time) (Mask, bool) {
	if found := m.within(Window{t, t.Add(1)}); len(found) > 0 {
		return found[0], true
	}
	return Mask{}, false
}

// cut returns what is left of a window outside the masks, in order.
func (m Masks) cut(w Window) []Window {
	var open []Window
	for _, mask := range m.within(w) {
		if w.Open.Before(mask.Open) {
			open = append(open, Window{w.Open, mask.Open})
		}
		w.Open = mask.Close
	}
	if w.Open.Before(w.Close) {
		open = append(open, w)
	}
	return open
}

// Closed is what a whole cluster observes, whoever's calendar it is.
type Closed struct {
	// Holidays are dates on which no window opens, in each calendar's own zone, and their names.
	Holidays map[Date]string
	// Masks are freezes and the like. They hide instants of windows and change nothing else.
	Masks Masks
}
