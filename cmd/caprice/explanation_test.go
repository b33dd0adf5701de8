package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
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

// What decides is what kills go by, and what it says to do is pasted and does it.
func TestWhetherAWorkloadIsOptedInIsAsKillsHaveItAndSoIsWhatToDo(t *testing.T) {
	defaults := setting(t).terms(calendar.Calendar{})
	optedIn := func(own, whole map[string]string) bool {
		_, err := victims.ReadTerms(victims.Metadata{Labels: own}, victims.Metadata{Labels: whole}, defaults)
		return err == nil
	}
	says := func(value string) map[string]string {
		if value == "" {
			return nil
		}
		return map[string]string{victims.OptIn: value}
	}
	scope := kubernetes.Scope{Excluded: []string{"kube-*"}}
	for _, own := range []string{"", "true", "false", "yes"} {
		for _, whole := range []string{"", "true", "false", "yes"} {
			found := kubernetes.Owned{Own: victims.Metadata{Labels: says(own)}, OfNamespace: victims.Metadata{Labels: says(whole)}}
			x := explainReport{Namespace: "shop", Kind: "Deployment", Name: "web"}
			x.optIn(found, scope)
			if want := optedIn(says(own), says(whole)); x.OptedIn != want || x.By == "" {
				t.Errorf("its label is %q and that of its namespace %q: it is opted in %q: %t, want %t", own, whole, x.By, x.OptedIn, want)
			}
			if x.OptedIn {
				continue
			}
			if wins := strings.HasSuffix(x.By, "which wins"); wins != (whole == "false") {
				t.Errorf("its label is %q and that of its namespace %q: it is not opted in since %s", own, whole, x.By)
			}
			for command := range strings.SplitSeq(x.Do, " && ") {
				switch command {
				case "kubectl label namespace shop " + victims.OptIn + "-":
					whole = ""
				case "kubectl label deployment web -n shop --overwrite " + victims.OptIn + "=true":
					own = "true"
				case "kubectl label deployment web -n shop " + victims.OptIn + "=true":
					if own != "" {
						t.Errorf("its label is %q, and kubectl would not overwrite it", own)
					}
					own = "true"
				default:
					t.Errorf("its label is %q and that of its namespace %q: it says to do %q", own, whole, command)
				}
			}
			if !optedIn(says(own), says(whole)) {
				t.Errorf("after %s it is not opted in", x.Do)
			}
		}
	}
	x := explainReport{Namespace: "kube-system", Kind: "Deployment", Name: "dns"}
	if x.optIn(kubernetes.Owned{Own: victims.Metadata{Labels: says("true")}}, scope); x.OptedIn || x.Do != "" {
		t.Errorf("where Caprice does not act it is opted in: %t, or could be: %s", x.OptedIn, x.Do)
	}
}

func TestExplainLooksAhead(t *testing.T) {
	workload := chaos.Subject{Workload: victims.Workload{UID: "uid"}, Terms: victims.Terms{Pace: victims.Pace{Mean: victims.Span{Time: 20 * time.Minute}}}}
	c := &workload.Terms.Calendar
	if err := errors.Join(c.Days.UnmarshalText([]byte("Mon-Fri")), c.Hours.UnmarshalText([]byte("22:00-05:00"))); err != nil {
		t.Fatal(err)
	}
	night := time.Date(2026, time.March, 7, 1, 0, 0, 0, time.UTC) // of Friday
	var x explainReport
	x.windows(*c, night)
	opens := make([]string, len(x.Windows))
	for i, w := range x.Windows {
		opens[i] = strings.TrimSuffix(w.Open, "T22:00:00Z")
	}
	if want := "[2026-03-06 2026-03-09 2026-03-10 2026-03-11 2026-03-12 2026-03-13 2026-03-16 2026-03-17 2026-03-18 2026-03-19]"; x.Closed != "" || fmt.Sprint(opens) != want {
		t.Errorf("it is closed: %q, and the windows open on %v at 22:00, want it open and those of %s", x.Closed, opens, want)
	}
	seed := chaos.Seed{7}
	x.next(seed, workload, night)
	want := ""
	for _, k := range chaos.Plan(seed, c.Day(calendar.Date{Year: 2026, Month: time.March, Day: 6}), workload) {
		if want == "" && k.At.After(night) {
			want = k.At.Format(time.RFC3339)
		}
	}
	if x.Next != want || want == "" {
		t.Errorf("the next kill is at %s, want that of the same night, %s", x.Next, want)
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

func TestExplainGoesByTheClockOfTheCluster(t *testing.T) {
	found := kubernetes.Owned{Workload: victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "uid"}}
	for _, ahead := range []time.Duration{0, 3 * time.Hour, -3 * time.Hour} { // of the API server's, this machine's
		for left, want := range map[time.Duration]string{time.Hour: gateSpares, -time.Hour: gatePasses} {
			cluster := time.Now().Add(-ahead)
			client := lab.InMemory(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", cluster.UTC().Format(http.TimeFormat))
				const list = `{"kind": "HaltList", "apiVersion": "caprice.chaos/v1alpha1", "metadata": {"resourceVersion": "1"}, "items": [%s]}`
				halt := fmt.Sprintf(`{"metadata": {"namespace": "shop", "name": "release"}, "spec": {"reason": "release day", "until": %q}}`, cluster.Add(left).UTC().Format(time.RFC3339))
				switch {
				case strings.HasSuffix(r.URL.Path, "/namespaces/shop/halts"):
					_, _ = fmt.Fprintf(w, list, halt)
				case strings.HasSuffix(r.URL.Path, "/halts"):
					_, _ = fmt.Fprintf(w, list, "")
				case strings.HasSuffix(r.URL.Path, "/deployments/caprice"): // so that nobody knows of its permissions
					lab.Refuse(w, http.StatusForbidden)
				default:
					lab.Refuse(w, http.StatusNotFound)
				}
			}).Client(t)
			client.Namespace = "caprice"
			x := explainReport{OptedIn: true}
			if err := x.examine(t.Context(), subject{published{client: client, config: setting(t, "DEPLOYMENT=caprice")}, calendar.Calendar{}, found}, time.Now()); err != nil {
				t.Fatal(err)
			}
			if halted := x.Gates[0]; halted.Gate != string(chaos.Halted) || halted.Answer != want {
				t.Errorf("of a halt that ends in %s, %s off the cluster's clock, the first gate is %+v, want that Halted %s", left, ahead, halted, want)
			}
		}
	}
}

func TestExplainSaysWhetherAPermissionIsMissing(t *testing.T) {
	const (
		none      = `{"kind": "HaltList", "apiVersion": "caprice.chaos/v1alpha1", "metadata": {"resourceVersion": "1"}, "items": []}`
		one       = `{"kind": "HaltList", "apiVersion": "caprice.chaos/v1alpha1", "metadata": {"resourceVersion": "1"}, "items": [{"metadata": {"namespace": "shop", "name": "release"}, "spec": {"reason": "release day"}}]}`
		alerts    = "HALT_ON_ALERTS=severity=\"page\" HALT_ON_ALERTS_URL=http://prometheus/api/v1/alerts"
		missing   = "missing permissions: delete pods in all namespaces; want a role that grants them"
		unknown   = "no halt holds, and whether a permission is missing is not known: "
		elsewhere = "no halt holds, and whether an alert does the leader asks http://prometheus/api/v1/alerts"
	)
	for _, test := range []struct {
		why, variables, halts, forbidden, lacks string
		answer, says                            string
		asks                                    bool
	}{
		{"none is", "", none, "", "", gatePasses, "", true},
		{"one is", "", none, "", "delete pods", gateSpares, missing, true},
		{"in one of its namespaces", "NAMESPACES=shop,team", none, "", "delete pods team", gateSpares, "missing permissions: delete pods in namespace team; want a role that grants them", true},
		{"whoever calls may not ask for them", "", none, "subjectaccessreviews", "", gatePasses, "", true},
		{"nor whose they are", "DEPLOYMENT=caprice", none, "deployments/caprice", "", gatePasses, "", false},
		{"nobody knows whose they are", "DEPLOYMENT=caprice", none, "", "", gateUnknown, unknown, false},
		{"a halt holds anyway", "", one, "", "delete pods", gateSpares, "halt shop/release: release day", false},
		{"halts cannot be read, and none is", "", "", "halts", "", gateUnknown, "listing halts: ", true},
		{"halts cannot be read, and one is", "", "", "halts", "delete pods", gateSpares, missing, true},
		{"the leader asks for alerts, and none is", alerts, none, "", "", gateUnknown, elsewhere, true},
		{"the leader asks for alerts, and one is", alerts, none, "", "delete pods", gateSpares, missing, true},
	} {
		t.Run(test.why, func(t *testing.T) {
			var asked atomic.Bool
			client := lab.InMemory(func(w http.ResponseWriter, r *http.Request) {
				review, halts := strings.HasSuffix(r.URL.Path, "/subjectaccessreviews"), strings.HasSuffix(r.URL.Path, "/namespaces/shop/halts")
				asked.CompareAndSwap(false, review)
				switch {
				case test.forbidden != "" && strings.HasSuffix(r.URL.Path, test.forbidden):
					lab.Refuse(w, http.StatusForbidden)
				case review:
					body, err := io.ReadAll(r.Body)
					has := err != nil || test.lacks == ""
					for word := range strings.FieldsSeq(test.lacks) {
						has = has || !strings.Contains(string(body), word)
					}
					_, _ = fmt.Fprintf(w, `{"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "status": {"allowed": %v}}`, has)
				case halts:
					_, _ = fmt.Fprint(w, test.halts)
				case strings.HasSuffix(r.URL.Path, "/halts"):
					_, _ = fmt.Fprint(w, none)
				default:
					lab.Refuse(w, http.StatusNotFound)
				}
			}).Client(t)
			client.Namespace = "caprice"
			found := kubernetes.Owned{Workload: victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "uid"}}
			x := explainReport{OptedIn: true}
			if err := x.examine(t.Context(), subject{published{client: client, config: setting(t, strings.Fields(test.variables)...)}, calendar.Calendar{}, found}, now); err != nil {
				t.Fatal(err)
			}
			halted, contested := x.Gates[0], x.Gates[1]
			if halted.Gate != string(chaos.Halted) || halted.Answer != test.answer || !strings.HasPrefix(halted.Why, test.says) || (halted.Why == "") != (test.says == "") {
				t.Errorf("its first gate is %+v, want that Halted %s: %s", halted, test.answer, test.says)
			}
			if asked.Load() != test.asks {
				t.Errorf("permissions were asked for: %v, want %v", asked.Load(), test.asks)
			}
			if known := test.forbidden != "halts" && test.variables != alerts; known && contested != (gateEntry{string(chaos.Contested), gatePasses, ""}) {
				t.Errorf("its second gate is %+v, want that Contested passes", contested)
			}
		})
	}
}
