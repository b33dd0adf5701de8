package records

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"caprice/api/v1alpha1"
	"caprice/calendar"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/test/lab"
	"caprice/victims"
)

// ledger is an API server that has kills and can select by their fields or, if it is old, cannot.
type ledger struct {
	kills   []v1alpha1.Kill
	old     bool
	page    int // most kills in one answer; 0: all
	listed  int // kills that were sent
	deleted []string
	gone    []string // kills that somebody deletes between a list and what follows
	ended   func(name string)
	mu      sync.Mutex // held while it answers
}

func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	selector := r.URL.Query().Get("fieldSelector")
	switch {
	case r.Method == http.MethodDelete && slices.Contains(l.gone, path.Base(r.URL.Path)):
		lab.Refuse(w, http.StatusNotFound)
		return
	case r.Method == http.MethodDelete:
		l.deleted = append(l.deleted, path.Base(r.URL.Path))
		_, _ = fmt.Fprint(w, `{"kind": "Status", "apiVersion": "v1", "status": "Success"}`)
		return
	case r.Method == http.MethodPatch && path.Base(r.URL.Path) == "status":
		i := slices.IndexFunc(l.kills, func(k v1alpha1.Kill) bool { return k.Name == path.Base(path.Dir(r.URL.Path)) })
		if i < 0 || slices.Contains(l.gone, l.kills[i].Name) {
			lab.Refuse(w, http.StatusNotFound)
			return
		}
		if err := json.NewDecoder(r.Body).Decode(&l.kills[i]); err != nil {
			panic(err)
		}
		_ = json.NewEncoder(w).Encode(l.kills[i])
		l.ended(l.kills[i].Name)
		return
	case path.Base(r.URL.Path) != "kills":
		for _, k := range l.kills {
			if k.Name == path.Base(r.URL.Path) {
				_ = json.NewEncoder(w).Encode(k)
				return
			}
		}
		lab.Refuse(w, http.StatusNotFound)
		return
	case l.old && selector != "":
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "BadRequest", "message": "field label not supported: status.phase", "code": 400}`)
		return
	}
	list := v1alpha1.KillList{TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "KillList"}, ListMeta: meta.ListMeta{ResourceVersion: "1"}}
	wanted, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		panic(err)
	}
	if strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadata") {
		list.TypeMeta = meta.TypeMeta{APIVersion: meta.SchemeGroupVersion.String(), Kind: "PartialObjectMetadataList"}
	}
	for _, k := range l.kills {
		if !wanted.Matches(labels.Set(k.Labels)) || slices.Contains(l.deleted, k.Name) {
			continue
		}
		if selector == "" || selector == "status.phase!=Ended" && k.Status.Phase != v1alpha1.Ended || selector == "status.verdict=NotRecovered" && k.Status.Verdict == "NotRecovered" {
			list.Items = append(list.Items, k)
		}
	}
	if l.page > 0 {
		begin, _ := strconv.Atoi(r.URL.Query().Get("continue"))
		if list.Items = list.Items[begin:]; len(list.Items) > l.page {
			list.Items, list.Continue = list.Items[:l.page], strconv.Itoa(begin+l.page)
		}
	}
	l.listed += len(list.Items)
	_ = json.NewEncoder(w).Encode(list)
}

// kill is the record of one that ended so many days ago.
func (l *ledger) kill(uid string, verdict v1alpha1.Verdict, days int, annotations ...string) chaos.Record {
	at := time.Now().AddDate(0, 0, -days).Truncate(time.Millisecond)
	k := v1alpha1.Kill{
		TypeMeta:   meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Kill"},
		ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: v1alpha1.Name(uid, at), ResourceVersion: "1", Annotations: map[string]string{}, Labels: map[string]string{v1alpha1.DateLabel: at.UTC().Format(time.DateOnly)}},
		Spec:       v1alpha1.KillSpec{Workload: v1alpha1.Workload{Kind: "Deployment", Name: uid, UID: uid}, Planned: meta.NewMicroTime(at), Date: "2026-03-04", Holder: "h"},
		Status:     v1alpha1.KillStatus{Phase: v1alpha1.Ended, Verdict: verdict, EndedAt: micro(at)},
	}
	if verdict == "" {
		k.Status = v1alpha1.KillStatus{Phase: v1alpha1.Executed}
	}
	for i, text := range annotations {
		k.Annotations[[]string{v1alpha1.AcknowledgedBy, v1alpha1.AcknowledgedComment}[i]] = text
	}
	l.kills = append(l.kills, k)
	return chaos.Record{Workload: victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: uid, UID: uid}, Planned: at}
}

// ask adds a kill that somebody asks for, of a workload by that UID, and that nobody has taken on.
func (l *ledger) ask(uid string) *v1alpha1.Kill {
	l.kill(uid, "", 0)
	k := &l.kills[len(l.kills)-1]
	k.Labels, k.Status, k.Spec.Holder, k.Spec.Date, k.Spec.Request = nil, v1alpha1.KillStatus{}, "", "", &v1alpha1.Request{By: "jane"}
	return k
}

// records returns what keeps records on the server, where a workload is spared for 20 days.
func (l *ledger) records(t *testing.T) *Store {
	t.Helper()
	return &Store{Client: lab.Serve(t, l), AcknowledgeAfter: 20 * 24 * time.Hour}
}

// sharing returns what keeps records in a cluster where namespaces kube-* are excluded and theirs is another installation's.
func (l *ledger) sharing(t *testing.T) *Store {
	t.Helper()
	records := l.records(t)
	records.Scope = kubernetes.Scope{Excluded: []string{"kube-*"}}
	records.Others = func(namespace string) bool { return namespace == "theirs" }
	return records
}

// uids returns whose the kills are.
func uids(kills []chaos.Outcome) (of []string) {
	for _, o := range kills {
		of = append(of, o.Workload.UID)
	}
	return of
}

func TestWhatSomebodyHasYetToLookAfter(t *testing.T) {
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("an API server that cannot select by fields: %t", old), func(t *testing.T) {
			l := &ledger{old: old}
			l.kill("healed", "Recovered", 5)
			l.kill("open", "", 5)
			l.kill("fallen", "NotRecovered", 5)
			l.kill("acknowledged", "NotRecovered", 5, "kim", "its nodes were gone")
			l.kill("half-acknowledged", "NotRecovered", 5, "kim")
			l.kill("long-fallen", "NotRecovered", 25)
			l.ask("asked for")
			l.ask("claimed").Spec.Holder = "h"
			open, err := l.records(t).Open(t.Context())
			want, sent := "[open claimed fallen half-acknowledged]", 7
			if old {
				sent = 16
			}
			if got := uids(open); err != nil || fmt.Sprint(got) != want || l.listed != sent {
				t.Errorf("%v (%v), of %d that were sent; want %s of %d", got, err, l.listed, want, sent)
			}
		})
	}
}

func TestEachPageOfManyKillsIsRead(t *testing.T) {
	l := &ledger{page: 2}
	for _, uid := range []string{"a", "b", "c", "d", "e"} {
		l.kill(uid, "Recovered", 1)
	}
	known, err := l.records(t).Known(t.Context())
	if got, want := uids(known), "[a b c d e]"; err != nil || fmt.Sprint(got) != want || l.listed != 5 {
		t.Errorf("%v (%v), of %d that were sent; want %s, each once", got, err, l.listed, want)
	}
}

// In the bubble it is midnight in Greenwich: two days ago were three in the west, and in the east it is tomorrow.
func TestTheKillsOfTheLastTwoDaysAreKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		for days := -2; days <= 4; days++ {
			l.kill(fmt.Sprint(days), "Recovered", days)
		}
		known, err := l.records(t).Known(t.Context())
		if got, want := uids(known), "[-1 0 1 2 3]"; err != nil || fmt.Sprint(got) != want {
			t.Errorf("those of %v days ago are known (%v), want %s", got, err, want)
		}
	})
}

// There may be thousands that a tenant of no pods has.
func TestOfKillsThatRemovedNothingNoMoreIsKnownThanLeadersCountBy(t *testing.T) {
	for verdict, slim := range map[v1alpha1.Verdict]bool{"Vetoed": true, "Missed": true, "Rehearsed": true, "Failed": true, "Abandoned": true, "Recovered": false, "": false} {
		l := &ledger{}
		key := l.kill("web", verdict, 0)
		kill := &l.kills[0]
		kill.Spec.Targets, kill.Status.Message = []v1alpha1.Target{{Name: "web-1", UID: "1"}}, "why"
		kill.Status.Pods = []v1alpha1.Death{{Name: "web-1", UID: "1"}}
		if verdict == "Recovered" || verdict == "Rehearsed" {
			kill.Status.ExecutedAt = micro(key.Planned)
		}
		known, err := l.records(t).Known(t.Context())
		if err != nil || len(known) != 1 || known[0].Workload.UID != "web" || !known[0].Planned.Equal(key.Planned) {
			t.Fatalf("%s: %+v is known (%v), want its workload and instant", verdict, known, err)
		}
		if o := known[0]; slim != (len(o.Targets) == 0 && len(o.Pods) == 0 && o.Message == "") || string(o.Verdict) != string(verdict) {
			t.Errorf("%s: %+v is known, want it without its pods: %v", verdict, o, slim)
		}
	}
}

func TestRecordsOfOtherNamespacesAreLeftAlone(t *testing.T) {
	l := &ledger{}
	today := calendar.Calendar{}.Date(l.kill("ours", "", 0).Planned)
	for uid, namespace := range map[string]string{"excluded": "kube-system", "another's": "theirs"} {
		l.kill(uid, "", 0)
		l.kills[len(l.kills)-1].Namespace = namespace
	}
	records := l.sharing(t)
	known, unknown := records.Known(t.Context())
	open, unopened := records.Open(t.Context())
	on, unread := records.On(t.Context(), today)
	if err := errors.Join(unknown, unopened, unread); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(uids(known), uids(open), len(on)), "[ours] [ours] 1"; got != want || on[0].Namespace != "shop" {
		t.Errorf("known, open and on their day are %s, want %s", got, want)
	}
}

func TestWhatNobodyHasTakenOnIsAskedFor(t *testing.T) {
	l := &ledger{}
	l.ask("taken on").Spec.Holder = "h"
	l.ask("over").Status.Phase = v1alpha1.Ended
	l.ask("misnamed").Name = "by-hand"
	l.ask("misnamed and gone").Name = "gone-meanwhile"
	l.gone = []string{"gone-meanwhile"}
	l.ask("excluded").Namespace = "kube-system"
	l.ask("another's").Namespace = "theirs"
	l.ask("asked for")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	l.ended = func(name string) {
		if name == "by-hand" {
			stop() // it ends with what it follows
		}
	}
	var got []string
	l.sharing(t).Requests(ctx, func(q chaos.Request) { got = append(got, q.Workload.UID+" by "+q.By) }, func(err error) { t.Error(err) })
	if want := "[asked for by jane]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	for _, k := range l.kills {
		if k.Name == "by-hand" && (k.Status.Phase != v1alpha1.Ended || k.Status.Verdict != "Missed" || !strings.Contains(k.Status.Message, "want "+v1alpha1.Name("misnamed", k.Spec.Planned.Time))) {
			t.Errorf("of what is misnamed its record says %+v, want what its name should be", k.Status)
		}
	}
}

func TestAMisnamedRequestThatCannotBeEndedKeepsNoOtherWaiting(t *testing.T) {
	at := meta.NewMicroTime(time.Now().Truncate(time.Millisecond))
	asked := func(namespace, name string) v1alpha1.Kill {
		return v1alpha1.Kill{
			TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Kill"}, ObjectMeta: meta.ObjectMeta{Namespace: namespace, Name: name, UID: "u", ResourceVersion: "5"},
			Spec: v1alpha1.KillSpec{Workload: v1alpha1.Workload{Kind: "Deployment", Name: "web", UID: "uid"}, Planned: at, Request: &v1alpha1.Request{By: "jane"}},
		}
	}
	tried := make(chan struct{})
	var once sync.Once
	records := &Store{Scope: kubernetes.Scope{Namespaces: []string{"shop", "team"}}, Client: lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		list := v1alpha1.KillList{TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "KillList"}, ListMeta: meta.ListMeta{ResourceVersion: "7"}}
		switch {
		case r.Method == http.MethodPatch:
			once.Do(func() { close(tried) })
			lab.Refuse(w, http.StatusForbidden)
			return
		case path.Base(r.URL.Path) != "kills":
			_ = json.NewEncoder(w).Encode(asked("shop", "by-hand"))
			return
		case r.URL.Query().Get("watch") != "":
			<-r.Context().Done()
			return
		case strings.Contains(r.URL.Path, "/shop/"):
			list.Items = append(list.Items, asked("shop", "by-hand"), asked("shop", v1alpha1.Name("uid", at.Time)))
		default: // once the other was tried in vain
			<-tried
			list.Items = append(list.Items, asked("team", v1alpha1.Name("uid", at.Time)))
		}
		_ = json.NewEncoder(w).Encode(list)
	}))}
	ctx, stop := context.WithTimeout(t.Context(), endAgain/4)
	defer stop()
	var mu sync.Mutex
	found := map[string]bool{}
	records.Requests(ctx, func(q chaos.Request) {
		mu.Lock()
		defer mu.Unlock()
		if ctx.Err() == nil {
			found[q.Workload.Namespace] = true
		}
		if len(found) == 2 {
			stop()
		}
	}, func(error) {})
	if len(found) != 2 {
		t.Errorf("found are requests in %v before that is tried again, want those in both", found)
	}
}

// A leader may lead for months, and each that it remembers takes memory.
func TestAMisnamedRequestThatIsOverIsForgotten(t *testing.T) {
	for why, over := range map[string]string{"it is gone": "DELETED", "it has ended": "MODIFIED"} {
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
		defer stop()
		asked := v1alpha1.Kill{
			TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Kill"}, ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: "by-hand", UID: "u"},
			Spec: v1alpha1.KillSpec{Workload: v1alpha1.Workload{Kind: "Deployment", Name: "web", UID: "uid"}, Planned: meta.NewMicroTime(time.Now()), Request: &v1alpha1.Request{By: "jane"}},
		}
		ended := asked
		ended.Status.Phase = v1alpha1.Ended
		var ends, watches atomic.Int64
		records := &Store{Client: lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			switch {
			case r.Method == http.MethodPatch:
				_ = json.NewEncoder(w).Encode(asked)
				if ends.Add(1) == 2 {
					stop()
				}
			case r.URL.Query().Get("watch") == "":
				_ = json.NewEncoder(w).Encode(v1alpha1.KillList{TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "KillList"}, ListMeta: meta.ListMeta{ResourceVersion: "7"}})
			case watches.Add(1) == 1:
				for i, event := range []string{"ADDED", over, "ADDED"} {
					kill := asked
					if i == 1 {
						kill = ended
					}
					kill.ResourceVersion = fmt.Sprint(8 + i)
					_ = json.NewEncoder(w).Encode(map[string]any{"type": event, "object": kill})
				}
			default:
				<-r.Context().Done()
			}
		}))}
		records.Requests(ctx, func(chaos.Request) { t.Error("it is asked for, by another name") }, func(error) {})
		if ends.Load() != 2 {
			t.Errorf("%s, and comes again: it was ended %d times, want twice", why, ends.Load())
		}
	}
}

func TestWhoAcknowledgesSaysWhoAndWhat(t *testing.T) {
	l := &ledger{}
	for _, test := range []struct {
		why          string
		record       chaos.Record
		acknowledged bool
	}{
		{"nobody has", l.kill("a", "NotRecovered", 1), false},
		{"nobody says what was found", l.kill("b", "NotRecovered", 1, "kim"), false},
		{"nobody says who", l.kill("c", "NotRecovered", 1, "", "its nodes were gone"), false},
		{"somebody has", l.kill("d", "NotRecovered", 1, "kim", "its nodes were gone"), true},
		{"it has not ended", l.kill("e", "", 1), false},
		{"another leader has seen it whole", l.kill("g", "Recovered", 1), true},
		{"the record was deleted", chaos.Record{Workload: victims.Workload{Namespace: "shop", UID: "f"}, Planned: time.Now()}, true},
	} {
		err := l.records(t).Acknowledged(t.Context(), test.record)
		if veto, ok := err.(*chaos.Veto); (err == nil) != test.acknowledged || err != nil && (!ok || veto.Reason != chaos.Unacknowledged) {
			t.Errorf("%s: %v, want it to be acknowledged: %t", test.why, err, test.acknowledged)
		}
	}
}

func TestWhatCannotBeReadIsNotAcknowledged(t *testing.T) {
	for code, refused := range map[int]bool{http.StatusForbidden: true, http.StatusInternalServerError: false} {
		records := &Store{Client: lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { lab.Refuse(w, code) }))}
		err := records.Acknowledged(t.Context(), chaos.Record{Workload: victims.Workload{Namespace: "shop", UID: "uid"}, Planned: time.Now()})
		var refusal *chaos.Refusal
		if err == nil || errors.As(err, &refusal) != refused {
			t.Errorf("answered %d: %v, want an error, a refusal: %t", code, err, refused)
		}
	}
}

func TestAKillIsSparedWhereClocksAreApart(t *testing.T) {
	for _, test := range []struct {
		apart time.Duration // of the API server's clock, ahead
		asked bool          // by somebody, long ago
		words string        // none: it is claimed
	}{
		{0, false, ""}, {50 * time.Second, false, ""}, {-50 * time.Second, false, ""},
		{time.Hour, false, "the API server's clock is 1h0m"}, {-time.Hour, false, "s behind this one; want them less than 1m0s apart"},
		{0, true, ""}, {-time.Hour, true, "s behind this one"},
	} {
		records := &Store{Holder: "h", Client: lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var kill v1alpha1.Kill
			if err := json.NewDecoder(r.Body).Decode(&kill); err != nil {
				t.Error(err)
			}
			kill.TypeMeta = meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Kill"}
			there := meta.NewTime(time.Now().Add(test.apart))
			kill.Namespace, kill.Name = "shop", path.Base(r.URL.Path)
			if !test.asked {
				kill.Name = v1alpha1.Name(kill.Spec.Workload.UID, kill.Spec.Planned.Time)
			}
			kill.CreationTimestamp, kill.ResourceVersion = there, "1"
			if test.asked {
				kill.CreationTimestamp = meta.NewTime(there.Add(-3 * time.Hour))
				kill.ManagedFields = []meta.ManagedFieldsEntry{{Manager: "kubectl", Time: &kill.CreationTimestamp}, {Manager: "caprice", Time: &there}}
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(kill)
		}))}
		record := chaos.Record{Workload: victims.Workload{Namespace: "shop", UID: "uid"}, Planned: time.Now(), Nonce: "nonce"}
		if test.asked {
			record.Request = &chaos.Request{Version: "1"}
		}
		err := records.Claim(t.Context(), record)
		var veto *chaos.Veto
		if vetoed := errors.As(err, &veto); vetoed != (test.words != "") || vetoed && (veto.Reason != chaos.OutsideWindow || !strings.Contains(veto.Message, test.words)) || !vetoed && err != nil {
			t.Errorf("%s ahead, asked for: %t: %v, want %q", test.apart, test.asked, err, test.words)
		}
	}
}

// The API server answers so where several at once count what a quota allows.
func TestARecordIsWrittenLaterWhereItsQuotaIsBusy(t *testing.T) {
	records := &Store{Client: lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := meta.Status{Code: 404, Reason: meta.StatusReasonNotFound, Message: "there is no such kill"}
		if r.Method == http.MethodPost {
			status = meta.Status{Code: 409, Reason: meta.StatusReasonConflict, Message: "the object has been modified", Details: &meta.StatusDetails{Kind: "resourcequotas", Name: "kills"}}
		}
		status.TypeMeta, status.Status = meta.TypeMeta{Kind: "Status", APIVersion: "v1"}, meta.StatusFailure
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(status.Code))
		_ = json.NewEncoder(w).Encode(status)
	}))}
	record := chaos.Record{Workload: victims.Workload{Namespace: "shop", UID: "uid"}, Planned: time.Now()}
	for what, err := range map[string]error{
		"a claim": records.Claim(t.Context(), record), "an outcome": records.WriteStatus(t.Context(), chaos.Outcome{Record: record, Ended: true, Verdict: chaos.Missed}),
	} {
		var refusal *chaos.Refusal
		if err == nil || errors.As(err, &refusal) {
			t.Errorf("%s: %v, want an error after which it is tried again", what, err)
		}
	}
}

// A load balancer whose API server restarts has a page for that.
func TestAPageThatSaysNoIsNoAPIServersWord(t *testing.T) {
	record := chaos.Record{Workload: victims.Workload{Namespace: "shop", UID: "uid"}, Planned: time.Now(), Nonce: "nonce"}
	for _, code := range []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusTooManyRequests} {
		records := &Store{Client: lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such site", code) }))}
		for what, err := range map[string]error{
			"a claim":               records.Claim(t.Context(), record),
			"an outcome":            records.WriteStatus(t.Context(), chaos.Outcome{Record: record, Claimed: true, Ended: true, Verdict: chaos.Recovered}),
			"an outcome of no kill": records.WriteStatus(t.Context(), chaos.Outcome{Record: record, Ended: true, Verdict: chaos.Missed}),
		} {
			var refusal *chaos.Refusal
			if err == nil || errors.As(err, &refusal) || errors.Is(err, chaos.ErrDeclined) {
				t.Errorf("%s is answered by a page with %d: %v, want it to be no answer", what, code, err)
			}
		}
		var refusal *chaos.Refusal
		if err := records.Acknowledged(t.Context(), record); err == nil || errors.As(err, &refusal) {
			t.Errorf("whether a kill is acknowledged is answered by a page with %d: %v, want that it is not known", code, err)
		}
	}
}

func TestWhichRecordsMayBeWrittenLater(t *testing.T) {
	for _, test := range []struct {
		why      string
		status   meta.Status
		refused  bool // for good
		declined bool // for now
	}{
		{"a webhook says no", meta.Status{Code: 403, Reason: meta.StatusReasonForbidden, Message: `admission webhook "labels.example" denied the request: want label team`}, false, true},
		{"a webhook says no in its own way", meta.Status{Code: 400, Reason: meta.StatusReasonBadRequest, Message: `admission webhook "labels.example" denied the request`}, false, true},
		{"the account has no right", meta.Status{Code: 403, Reason: meta.StatusReasonForbidden, Message: `kills is forbidden: User "caprice" cannot create resource "kills"`}, false, true},
		{"a policy says no", meta.Status{Code: 422, Reason: meta.StatusReasonInvalid, Message: `kills "x" is forbidden: ValidatingAdmissionPolicy 'quiet' with binding 'quiet' denied request: no`}, false, true},
		{"the definition has no such verdict", meta.Status{Code: 422, Reason: meta.StatusReasonInvalid, Message: `Kill "x" is invalid: status.verdict: Unsupported value: "Disproved"`}, false, true},
		{"there is no room", meta.Status{Code: 403, Reason: meta.StatusReasonForbidden, Message: `kills "x" is forbidden: exceeded quota: kills`}, true, false},
		{"the namespace is gone", meta.Status{Code: 404, Reason: meta.StatusReasonNotFound}, true, false},
		{"a webhook cannot be asked", meta.Status{Code: 500, Reason: meta.StatusReasonInternalError, Message: "failed calling webhook"}, false, false},
		{"the API server has too much to do", meta.Status{Code: 429, Reason: meta.StatusReasonTooManyRequests}, false, false},
	} {
		records := &Store{Client: lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			test.status.TypeMeta, test.status.Status = meta.TypeMeta{Kind: "Status", APIVersion: "v1"}, meta.StatusFailure
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(int(test.status.Code))
			_ = json.NewEncoder(w).Encode(test.status)
		}))}
		record := chaos.Record{Workload: victims.Workload{Namespace: "shop", UID: "uid"}, Planned: time.Now()}
		for _, claimed := range []bool{false, true} {
			err := records.WriteStatus(t.Context(), chaos.Outcome{Record: record, Claimed: claimed, Ended: true})
			var refusal *chaos.Refusal
			if refused, declined := errors.As(err, &refusal), errors.Is(err, chaos.ErrDeclined); refused != test.refused || declined != test.declined {
				t.Errorf("%s, claimed %t: %v: refused %t, declined %t; want %t, %t", test.why, claimed, err, refused, declined, test.refused, test.declined)
			}
		}
	}
}
