package main

import (
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

// mostNamed is how many halts are named.
const mostNamed = 3

// halts says which hold, as far as whoever asks may see them.
func (s asking) halts(ctx context.Context, p published, now time.Time) string {
	orders := halts.Orders{Client: p.client, Scope: p.scope(), Patience: patience}
	list, err := orders.Holding(ctx, now)
	if err != nil {
		return "not known: " + kubernetes.Plain(err).Error()
	}
	var named []string
	for _, h := range list {
		named = append(named, fmt.Sprintf("%s/%s stops %s: %s", h.Namespace, h.Name, stops(&h, p.client.Namespace), oneLine(h.Spec.Reason)))
	}
	switch n := len(named); {
	case n == 0:
		return "none"
	case n > mostNamed:
		return fmt.Sprintf("%s; and %d more", strings.Join(named[:mostNamed], "; "), n-mostNamed)
	}
	return strings.Join(named, "; ")
}

// today says how many kills are planned for the date and what has come of those that were due.
func (s asking) today(ctx context.Context, p published, cal calendar.Calendar, now time.Time) string {
	date := cal.Date(now)
	store := records.Store{Client: p.client, Scope: p.scope()}
	list, err := store.On(ctx, date)
	if err != nil {
		return "not known: " + kubernetes.Plain(err).Error()
	}
	text := tallied(list)
	planned, err := plannedFor(ctx, p, cal, date, now)
	if err != nil {
		return text + "; how many are planned is not known to you"
	}
	return fmt.Sprintf("%d planned; %s", planned, text)
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

// tallied counts kills by what came of them, and those that were spared by why.
func tallied(kills []v1alpha1.Kill) string {
	killed, open, spared := 0, 0, 0
	others, reasons := map[string]int{}, map[string]int{}
	for _, k := range kills {
		switch verdict := chaos.Verdict(k.Status.Verdict); {
		case verdict == chaos.Vetoed:
			spared++
			reasons[k.Status.Reason]++
		case k.Status.ExecutedAt != nil && verdict != chaos.Rehearsed:
			killed++
		case verdict == "":
			open++
		default:
			others[strings.ToLower(string(verdict))]++
		}
	}
	text := fmt.Sprintf("%d killed, %d spared", killed, spared)
	if spared > 0 {
		text += " (" + counted(reasons) + ")"
	}
	if open > 0 {
		others["under way"] = open
	}
	if len(others) > 0 {
		text += ", " + counted(others)
	}
	return text
}

// counted lists numbers in the order of their names.
func counted(numbers map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		parts = append(parts, fmt.Sprintf("%d %s", numbers[name], name))
	}
	return strings.Join(parts, ", ")
}
