package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"caprice/calendar"
	"caprice/test/lab"
)

func TestANightIsOfTheDayOnWhichItBegan(t *testing.T) {
	var cal calendar.Calendar
	if err := errors.Join(cal.Days.UnmarshalText([]byte("Mon-Fri")), cal.Hours.UnmarshalText([]byte("22:00-02:00")), cal.Zone.UnmarshalText([]byte("Asia/Tokyo"))); err != nil {
		t.Fatal(err)
	}
	for now, want := range map[string]string{
		"2026-03-06T23:00:00+09:00": "2026-03-06",
		"2026-03-07T01:00:00+09:00": "2026-03-06", // still Friday's
		"2026-03-07T03:00:00+09:00": "2026-03-07",
	} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		asked := map[string]bool{}
		client := lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/kills") {
				asked[r.URL.Query().Get("labelSelector")] = true
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprint(w, `{"apiVersion": "caprice.chaos/v1alpha1", "kind": "KillList", "metadata": {"resourceVersion": "1"}, "items": []}`)
		}))
		var st statusReport
		st.today(t.Context(), published{client: client}, cal, at)
		if st.Date != want || len(asked) != 1 || !asked["caprice.chaos/date="+want] || st.KillsUnknown != "" {
			t.Errorf("at %s it is about %s, and asks for kills of %v, %q: want those of %s", now, st.Date, asked, st.KillsUnknown, want)
		}
	}
}
