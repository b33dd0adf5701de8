package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/calendar"
	"caprice/test/lab"
)

func TestTheServerSelectsByVerdict(t *testing.T) {
	verdicts := []v1alpha1.Verdict{"", "Recovered", "NotRecovered", "Vetoed"}
	for _, test := range []struct {
		why   string
		asked []string
		old   bool // it selects by no fields
		want  []string
		sent  int
	}{
		{"all", nil, false, []string{"k0", "k1", "k2", "k3"}, 4},
		{"one", []string{"NotRecovered"}, false, []string{"k2"}, 1},
		{"the same twice", []string{"NotRecovered", "NotRecovered"}, false, []string{"k2"}, 1},
		{"open or vetoed", []string{"Vetoed", "Open"}, false, []string{"k0", "k3"}, 2},
		{"an old server", []string{"NotRecovered"}, true, []string{"k2"}, 4},
	} {
		sent, lists := 0, 0
		client := lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			selector := r.URL.Query().Get("fieldSelector")
			if test.old && selector != "" {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				_ = json.NewEncoder(w).Encode(meta.Status{TypeMeta: meta.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: meta.StatusFailure, Reason: meta.StatusReasonBadRequest, Code: http.StatusBadRequest})
				return
			}
			lists++
			list := v1alpha1.KillList{TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "KillList"}, ListMeta: meta.ListMeta{ResourceVersion: fmt.Sprint(lists)}}
			for i, verdict := range verdicts {
				if selector == "" || selector == "status.verdict="+string(verdict) || selector == "status.phase!=Ended" && verdict == "" {
					name := fmt.Sprintf("k%d", i)
					list.Items = append(list.Items, v1alpha1.Kill{ObjectMeta: meta.ObjectMeta{Name: name, UID: types.UID(name)}, Status: v1alpha1.KillStatus{Verdict: verdict}})
				}
			}
			sent += len(list.Items)
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(list)
		}))
		h := history{all: true, verdicts: test.asked}
		kills, version, err := h.read(t.Context(), client, time.Now())
		var names []string
		for _, k := range kills {
			names = append(names, k.Name)
		}
		if err != nil || !slices.Equal(names, test.want) || sent != test.sent {
			t.Errorf("%s: %v of %d that were sent (%v), want %v of %d", test.why, names, sent, err, test.want, test.sent)
		}
		if version != "1" { // what came about between two lists may be in neither
			t.Errorf("%s: a watch goes on after list %s of %d, want it after the first", test.why, version, lists)
		}
	}
}

func TestWhichKillsAreMeant(t *testing.T) {
	web, db := v1alpha1.Workload{Kind: "Deployment", Name: "web"}, v1alpha1.Workload{Kind: "StatefulSet", Name: "web"}
	for _, test := range []struct {
		why  string
		h    history
		kill v1alpha1.Workload
		ago  time.Duration
		want bool
	}{
		{"all", history{}, web, 1000 * time.Hour, true},
		{"one of the last day", history{since: 24 * time.Hour}, web, 23 * time.Hour, true},
		{"one of the day before", history{since: 24 * time.Hour}, web, 25 * time.Hour, false},
		{"one that is yet to come", history{since: 24 * time.Hour}, web, -time.Hour, true},
		{"one of that kind", history{workload: "deploy/web"}, web, 0, true},
		{"one of another kind", history{workload: "deploy/web"}, db, 0, false},
		{"one of any kind", history{workload: "web"}, db, 0, true},
		{"one of another name", history{workload: "db"}, db, 0, false},
	} {
		wanted, err := test.h.wanted(now)
		if err != nil {
			t.Fatal(err)
		}
		kill := &v1alpha1.Kill{Spec: v1alpha1.KillSpec{Workload: test.kill, Planned: meta.NewMicroTime(now.Add(-test.ago))}}
		if got := wanted(kill); got != test.want {
			t.Errorf("%s is meant: %t, want %t", test.why, got, test.want)
		}
	}
}

// A day begins up to 14 hours before that of UTC and 12 after it, and a night may be of the day before.
func TestTheDaysThatTheServerSelectsHaveEachKillOfTheTime(t *testing.T) {
	from, to := now.Add(-time.Hour), now.Add(6*time.Hour)
	selected := dates(from, to)
	for offset := -12; offset <= 14; offset++ {
		c := calendar.Calendar{Zone: calendar.ZoneOf(time.FixedZone("", offset*3600))}
		if err := errors.Join(c.Days.UnmarshalText([]byte("Mon-Sun")), c.Hours.UnmarshalText([]byte("06:00-05:00"))); err != nil {
			t.Fatal(err)
		}
		for at := from; !at.After(to); at = at.Add(30 * time.Minute) {
			if date := c.WorkingDate(at).String(); !strings.Contains(selected, date) {
				t.Errorf("at UTC%+d a kill at %s is of %s, and selected is %s", offset, at, date, selected)
			}
		}
	}
	for _, test := range []struct {
		since time.Duration
		want  int // requests
	}{{0, 1}, {time.Hour, 2}, {31 * 24 * time.Hour, 2}, {365 * 24 * time.Hour, 1}} {
		h := history{since: test.since}
		var selectors []string
		for _, options := range h.selections(now) {
			selectors = append(selectors, options.LabelSelector)
		}
		if len(selectors) != test.want || test.want == 2 && !slices.Contains(selectors, "!"+v1alpha1.DateLabel) {
			t.Errorf("since %s ago it asks for %q, want %d requests, and of several one for what nobody has taken on", test.since, selectors, test.want)
		}
	}
}
