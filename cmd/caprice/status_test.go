package main

import (
	"slices"
	"testing"

	"caprice/calendar"
)

func TestStatusSaysWhatIsNotKnownAndWhenItOpens(t *testing.T) {
	c := calendar.Calendar{}
	if err := c.Days.UnmarshalText([]byte("Mon-Fri")); err != nil {
		t.Fatal(err)
	}
	if err := c.Hours.UnmarshalText([]byte("14:00-16:00")); err != nil {
		t.Fatal(err)
	}
	var closed statusReport
	closed.window(c, now)
	for _, test := range []struct {
		why       string
		st        statusReport
		row, want string
	}{
		{"nobody leads", statusReport{}, "leader", "nobody"},
		{"who leads is not known", statusReport{LeaderUnknown: "no answer"}, "leader", "not known: no answer"},
		{"there are no others", statusReport{}, "others", "none"},
		{"whether there are others is not known", statusReport{OthersUnknown: "no answer"}, "others", "not known: no answer"},
		{"it kills", statusReport{}, "mode", "live: it kills"},
		{"it rehearses", statusReport{DryRun: true}, "mode", "dry run: it rehearses and kills nothing"},
		{"it is closed", closed, "now", "closed now: " + closed.Closed + ", opens 2026-03-04T14:00:00Z"},
		{"it never opens", statusReport{Closed: "a freeze"}, "now", "closed now: a freeze"},
		{"it is open", statusReport{Closes: "2026-03-04T16:00:00Z"}, "now", "open until 2026-03-04T16:00:00Z"},
		{"it may do all", statusReport{}, "permissions", "all there"},
		{"it may not do all", statusReport{Missing: []permission{{"delete pods"}}}, "permissions", "missing: delete pods"},
	} {
		rows := test.st.rows(true)
		i := slices.IndexFunc(rows, func(row []string) bool { return row[0] == test.row })
		if i < 0 || rows[i][1] != test.want {
			t.Errorf("%s: it says %v, want %s %s", test.why, rows, test.row, test.want)
		}
	}
}
