package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"caprice/api/v1alpha1"
	"caprice/calendar"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/kubernetes/halts"
	"caprice/kubernetes/records"
)

// few joins the first few of a list, and says how many more there are.
func few(list []string) string {
	const most = 3
	if n := len(list); n > most {
		list = append(list[:most:most], fmt.Sprintf("and %d more", n-most))
	}
	return strings.Join(list, "; ")
}

type haltEntry struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Stops     string `json:"stops"`
	Reason    string `json:"reason"`
}

// halts notes which hold, as far as whoever asks may see them.
func (st *statusReport) halts(ctx context.Context, p published, now time.Time) {
	orders := halts.Orders{Client: p.client, Scope: p.scope(), Patience: patience}
	list, err := orders.Holding(ctx, atServer(p.client, now))
	if err != nil {
		st.HaltsUnknown = kubernetes.Plain(err).Error()
	}
	for _, h := range list {
		st.Halts = append(st.Halts, haltEntry{h.Namespace, h.Name, stops(&h, p.client.Namespace), chaos.OneLine(h.Spec.Reason)})
	}
}

// halting says which halts hold.
func (st *statusReport) halting() string {
	var named []string
	for _, h := range st.Halts {
		named = append(named, fmt.Sprintf("%s/%s stops %s: %s", h.Namespace, h.Name, h.Stops, h.Reason))
	}
	return cmp.Or(unknownFor(st.HaltsUnknown), few(named), "none")
}

// outcomeEntry is how many kills came to the same.
type outcomeEntry struct {
	Verdict string `json:"verdict"` // empty: they are under way
	Reason  string `json:"reason"`
	Count   int    `json:"count"`
	Killed  int    `json:"killed"` // of how many a pod died
}

// today notes how many kills are planned for the date, in a night's window that of its evening, and what has come of those that were due.
func (st *statusReport) today(ctx context.Context, p published, cal calendar.Calendar, now time.Time) {
	date := cal.WorkingDate(now)
	st.Date = date.String()
	store := records.Store{Client: p.client, Scope: p.scope()}
	list, err := store.On(ctx, date)
	if err != nil {
		st.KillsUnknown = kubernetes.Plain(err).Error()
		st.PlannedUnknown = st.KillsUnknown
		return
	}
	st.Kills = tallies(list)
	if st.Planned, err = plannedFor(ctx, p, cal, date, now); err != nil {
		st.PlannedUnknown = kubernetes.Plain(err).Error()
	}
}

// plannedFor counts the kills of a date on the terms of now.
func plannedFor(ctx context.Context, p published, cal calendar.Calendar, date calendar.Date, now time.Time) (int, error) {
	seed, err := p.seed(ctx)
	if err != nil {
		return 0, err
	}
	scope := p.scope()
	inventory, err := p.client.Inventory(ctx, scope)
	if err != nil {
		return 0, err
	}
	subjects, _ := inventory.Subjects(scope, p.config.terms(cal), now)
	forecast, err := chaos.Predict(seed, chaos.Period{From: date, Days: 1}, subjects)
	return len(forecast.Kills), err
}

// tallies counts kills by what came of them.
func tallies(kills []v1alpha1.Kill) []outcomeEntry {
	all := []outcomeEntry{}
	for _, k := range kills {
		of := func(t outcomeEntry) bool { return t.Verdict == string(k.Status.Verdict) && t.Reason == k.Status.Reason }
		i := slices.IndexFunc(all, of)
		if i < 0 {
			i, all = len(all), append(all, outcomeEntry{Verdict: string(k.Status.Verdict), Reason: k.Status.Reason})
		}
		all[i].Count++
		if k.Status.ExecutedAt != nil && k.Status.Verdict != v1alpha1.Verdict(chaos.Rehearsed) {
			all[i].Killed++
		}
	}
	return all
}

// tallied says what came of the kills of the date.
func (st *statusReport) tallied() string {
	if st.KillsUnknown != "" {
		return unknownFor(st.KillsUnknown)
	}
	killed, spared := 0, 0
	reasons, others := map[string]int{}, map[string]int{}
	for _, t := range st.Kills {
		killed += t.Killed
		switch rest := t.Count - t.Killed; {
		case rest == 0:
		case t.Verdict == string(chaos.Vetoed):
			spared += rest
			reasons[t.Reason] += rest
		default:
			others[cmp.Or(strings.ToLower(t.Verdict), "under way")] += rest
		}
	}
	text := fmt.Sprintf("%d killed, %d spared", killed, spared)
	if spared > 0 {
		text += " (" + counted(reasons) + ")"
	}
	if len(others) > 0 {
		text += ", " + counted(others)
	}
	if st.PlannedUnknown != "" {
		return text + "; how many are planned is not known: " + st.PlannedUnknown
	}
	return fmt.Sprintf("%d planned; %s", st.Planned, text)
}

// counted lists numbers in the order of their names.
func counted(numbers map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		parts = append(parts, fmt.Sprintf("%d %s", numbers[name], name))
	}
	return strings.Join(parts, ", ")
}
