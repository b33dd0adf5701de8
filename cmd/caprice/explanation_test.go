package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"caprice/calendar"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/test/lab"
	"caprice/victims"
)

func TestWhatIsNotKnownIsNotSaidToPass(t *testing.T) {
	passes, spares, unknown := gateEntry{"Halted", gatePasses, ""}, gateEntry{"MinReplicas", gateSpares, "it wants 1"}, gateEntry{"Contested", gateUnknown, "no answer"}
	for _, test := range []struct {
		why   string
		gates []gateEntry
		want  string
	}{
		{"all pass", []gateEntry{passes, passes}, "No gate spares it now."},
		{"one spares", []gateEntry{unknown, spares, passes}, "A kill now would be vetoed."},
		{"one spares planned kills alone", []gateEntry{{string(chaos.OutsideWindow), gateSpares, "it is Sunday"}, passes}, "A planned kill now would be vetoed. 'caprice kill' goes by the other gates alone, and by freezes."},
		{"and another all", []gateEntry{{string(chaos.TooSoon), gateSpares, ""}, spares}, "A kill now would be vetoed."},
		{"one is not known", []gateEntry{passes, unknown}, "No gate is known to spare it now, and not all are known."},
	} {
		var text strings.Builder
		x := explainReport{OptedIn: true, Gates: test.gates}
		if err := x.print(&text, style{}); err != nil || !strings.HasSuffix(text.String(), test.want+"\n") {
			t.Errorf("%s: %v, it ends in\n%s\nwant %s", test.why, err, text.String(), test.want)
		}
	}
}

func TestWhatTheAPIServerRefusesIsSaidBesideTheGates(t *testing.T) {
	var text strings.Builder
	x := explainReport{OptedIn: true, Refused: "there is no right to evict"}
	const want = "No gate spares it now.\nA kill that no gate spares will fail: there is no right to evict.\n"
	if err := x.print(&text, style{}); err != nil || !strings.HasSuffix(text.String(), want) {
		t.Errorf("%v, it ends in\n%s\nwant %s", err, text.String(), want)
	}
}

func TestExplainHasEachTerm(t *testing.T) {
	var x explainReport
	x.terms(victims.Terms{}, kubernetes.Owned{}, time.Minute)
	for _, key := range victims.Keys {
		shown := slices.ContainsFunc(x.Terms, func(e termEntry) bool { return e.Name == key.Name })
		if known := key.Name != victims.Enabled && key.Name != victims.Notify; shown != known { // those are said elsewhere
			t.Errorf("%s is among the terms: %v, want %v", key.Name, shown, known)
		}
	}
}

func TestExplainSaysHowPodsAreRemovedAndWhoseWordThatIs(t *testing.T) {
	labelled := kubernetes.Owned{Own: victims.Metadata{Labels: map[string]string{victims.Prefix + victims.KillMode: "pdb"}}}
	for _, test := range []struct {
		mode  victims.Mode
		found kubernetes.Owned
		want  termEntry
	}{
		{victims.Fixed, kubernetes.Owned{}, termEntry{victims.KillMethod, "delete", "configuration"}},
		{victims.PDB, labelled, termEntry{victims.KillMethod, "evict", "workload"}},
	} {
		var x explainReport
		x.terms(victims.Terms{Scale: victims.Scale{Mode: test.mode}, Method: victims.Delete}, test.found, time.Minute)
		if !slices.Contains(x.Terms, test.want) {
			t.Errorf("mode %s: the terms are %v, want %v among them", test.mode, x.Terms, test.want)
		}
	}
}

func TestExplainSaysNothingOfAWorkloadThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := lab.InMemory(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprint(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403}`)
		}).Client(t)
		client.Namespace = "caprice"
		found := kubernetes.Owned{Workload: victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "uid"}}
		x := explainReport{OptedIn: true}
		if err := x.examine(t.Context(), subject{published{client: client, config: setting(t)}, calendar.Calendar{}, found}, now); err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := x.print(&text, style{}); err != nil {
			t.Fatal(err)
		}
		for _, wrong := range []string{"expected ", "now ", "TERM", "NEXT WINDOWS", "There is no record", "not known: \n"} {
			if strings.Contains(text.String(), wrong) {
				t.Errorf("it says %q in\n%s", wrong, text.String())
			}
		}
		if !strings.Contains(text.String(), "next kill   not known: its terms could not be read") {
			t.Errorf("it does not say that the next kill is not known:\n%s", text.String())
		}
	})
}
