package records

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
	"caprice/test/lab"
)

func TestWhichRecordsAreKept(t *testing.T) {
	ago := func(days int) time.Time { return time.Now().AddDate(0, 0, -days) }
	for _, test := range []struct {
		why  string
		most int
		want string // those that go
	}{
		{"they are not too old, and there is no limit", 0, "old acknowledged long-fallen undated ahead"},
		{"there are not too many", 8, "old acknowledged long-fallen undated ahead"},
		{"there is one too many, besides those that are too old", 7, "old acknowledged long-fallen undated ahead middle"},
		{"the oldest day is one too many", 6, "old acknowledged long-fallen undated ahead middle later-that-day"},
		{"those that are left must stay", 1, "old acknowledged long-fallen undated ahead middle later-that-day"},
	} {
		t.Run(test.why, func(t *testing.T) {
			l := &ledger{}
			l.ask("waits").CreationTimestamp.Time = ago(25)
			for _, k := range []struct {
				uid, verdict string
				days         int
				annotations  []string
			}{
				{"young", "Recovered", 1, nil},
				{"today", "Recovered", 0, nil},
				{"later-that-day", "Recovered", 5, nil},
				{"middle", "Recovered", 5, nil},
				{"old", "Recovered", 11, nil},
				{"open", "", 11, nil},
				{"open-too", "", 5, nil},
				{"fallen", "NotRecovered", 11, nil},
				{"fallen-too", "NotRecovered", 5, nil},
				{"acknowledged", "NotRecovered", 11, []string{"kim", "its nodes were gone"}},
				{"long-fallen", "NotRecovered", 25, nil},
				{"undated", "Missed", 25, nil},
				{"ahead", "Missed", 11, nil},
			} {
				l.kill(k.uid, v1alpha1.Verdict(k.verdict), k.days, k.annotations...)
			}
			later := &l.kills[3].Spec.Planned
			later.Time = later.Add(time.Second)
			delete(l.kills[12].Labels, v1alpha1.DateLabel) // asked for, and never taken on
			l.kills[12].Spec.Holder = ""
			ahead := l.kills[13] // asked for 11 days ago, and to be in years
			ahead.CreationTimestamp.Time = ahead.Spec.Planned.Time
			ahead.Spec.Planned.Time = ahead.Spec.Planned.AddDate(10, 0, 0)
			l.kills[13] = ahead
			n, err := l.records(t).Trim(t.Context(), Keep{Since: ago(10), Always: ago(2), Most: test.most})
			if err != nil {
				t.Fatal(err)
			}
			gone := map[string]bool{}
			for _, k := range l.kills {
				for _, name := range l.deleted {
					if k.Name == name {
						gone[k.Spec.Workload.UID] = true
					}
				}
			}
			want := strings.Fields(test.want)
			for _, uid := range want {
				if !gone[uid] {
					t.Errorf("%s stays", uid)
				}
			}
			if n != len(want) || len(l.deleted) != len(want) {
				t.Errorf("%d were trimmed: %v, want %v", n, gone, want)
			}
		})
	}
}

func TestOnlyWhatIsThereAndOursIsCountedAgainstTheLimit(t *testing.T) {
	l := &ledger{}
	var names []string
	for i, uid := range []string{"fifth", "fourth", "third", "second", "first"} {
		r := l.kill(uid, "Recovered", 3+i)
		names = append(names, v1alpha1.Name(r.Workload.UID, r.Planned))
	}
	for range 5 {
		l.kill("theirs", "Recovered", 4)
		l.kills[len(l.kills)-1].Namespace = "theirs"
	}
	for range 5 {
		l.ask("asked")
	}
	l.gone = []string{names[4]}
	records := l.records(t)
	records.Others = func(namespace string) bool { return namespace == "theirs" }
	n, err := records.Trim(t.Context(), Keep{Since: time.Now().AddDate(0, 0, -30), Always: time.Now().AddDate(0, 0, -2), Most: 3})
	if err != nil {
		t.Fatal(err)
	}
	if want := names[3]; n != 1 || len(l.deleted) != 1 || l.deleted[0] != want {
		t.Errorf("%d were trimmed: %v, want %s alone: the oldest was gone, and others are another's", n, l.deleted, want)
	}
}

func TestNothingIsTrimmedByAClockThatIsNotTheServers(t *testing.T) {
	for _, test := range []struct {
		ahead   time.Duration // of the API server's, this one
		trimmed int
	}{{0, 1}, {50 * time.Second, 1}, {72 * time.Hour, 0}, {-time.Hour, 0}} {
		l := &ledger{}
		l.kill("old", "Recovered", 11)
		records := &Store{Client: lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(-test.ahead).UTC().Format(http.TimeFormat))
			l.ServeHTTP(w, r)
		}))}
		n, err := records.Trim(t.Context(), Keep{Since: time.Now().AddDate(0, 0, -10), Always: time.Now().AddDate(0, 0, -2)})
		if n != test.trimmed || (err == nil) != (test.trimmed == 1) || err != nil && !strings.Contains(err.Error(), "want them less than 1m0s apart") {
			t.Errorf("%s ahead: %d are trimmed (%v), want %d", test.ahead, n, err, test.trimmed)
		}
	}
}

// A policy may keep the records of its namespace.
func TestRecordsThatCannotBeDeletedKeepNoOthers(t *testing.T) {
	l := &ledger{}
	in := func(namespace string, days int) string {
		r := l.kill(namespace, "Recovered", days)
		l.kills[len(l.kills)-1].Namespace = namespace
		return v1alpha1.Name(r.Workload.UID, r.Planned)
	}
	var refused, want []string
	for i := range 5 {
		refused = append(refused, fmt.Sprint("audited-", i))
		in(refused[i], 14)
		in(refused[i], 13)
	}
	want = append(want, in("shop", 12), in("shop", 11), in("shop", 6))
	in("shop", 5)
	asked := map[string]int{}
	records := &Store{Client: lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if namespace := path.Base(path.Dir(path.Dir(r.URL.Path))); r.Method == http.MethodDelete && namespace != "shop" {
			asked[namespace]++
			lab.Refuse(w, http.StatusForbidden)
			return
		}
		l.ServeHTTP(w, r)
	}))}
	// Those that stay must not push out what others have: of fourteen thirteen are too old or one too many.
	n, err := records.Trim(t.Context(), Keep{Since: time.Now().AddDate(0, 0, -10), Always: time.Now().AddDate(0, 0, -2), Most: 1})
	if n != len(want) || !slices.Equal(l.deleted, want) {
		t.Errorf("%d were trimmed: %v, want %v", n, l.deleted, want)
	}
	for i, namespace := range refused {
		if told := err != nil && strings.Contains(err.Error(), "namespace "+namespace+":"); told != (i < 3) || asked[namespace] != 1 {
			t.Errorf("%s was asked %d times, and the error names it: %v; want it asked once, and three named", namespace, asked[namespace], told)
		}
	}
	if err == nil || !strings.Contains(err.Error(), "2 more namespaces") {
		t.Errorf("the error is %v, want it to say how many more there are", err)
	}
}

func TestDeletionsThatAreNotAnsweredKeepOthersWaitingForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hang, slow = 20, 7 * time.Second
		l := &ledger{}
		for n := range 2 * hang {
			l.kill(fmt.Sprint("hung-", n), "Recovered", 14)
			l.kills[n].Namespace = fmt.Sprint("hung-", n%hang)
		}
		l.kill("late", "Recovered", 15)
		l.kills[2*hang].Namespace = "slow" // and the first to go
		l.kill("old", "Recovered", 12)
		client := lab.InMemory(func(w http.ResponseWriter, r *http.Request) {
			switch namespace := path.Base(path.Dir(path.Dir(r.URL.Path))); {
			case r.Method == http.MethodDelete && strings.HasPrefix(namespace, "hung"): // as by a webhook
				<-r.Context().Done()
				lab.Refuse(w, http.StatusForbidden)
				return
			case r.Method == http.MethodDelete && namespace == "slow":
				time.Sleep(slow)
			}
			l.ServeHTTP(w, r)
		}).Client(t)
		began := time.Now()
		n, err := (&Store{Client: client}).Trim(t.Context(), Keep{Since: time.Now().AddDate(0, 0, -10), Always: time.Now().AddDate(0, 0, -2)})
		const few = mostInVain / deleteTimeout // that have all the time
		if took, want := time.Since(began), slow+mostInVain+(hang-few)*hastyTimeout; took != want {
			t.Errorf("it took %s, want %s", took, want)
		}
		if n != 2 || len(l.deleted) != 2 {
			t.Errorf("%d were trimmed: %v, want the two that may be", n, l.deleted)
		}
		if err == nil || !strings.Contains(err.Error(), "namespace hung-0: no answer within 10s") {
			t.Errorf("the error is %v, want it to say where there was no answer", err)
		}
	})
}

func TestARecordThatIsBeingDeletedIsNotTrimmedAgain(t *testing.T) {
	l := &ledger{}
	for i, uid := range []string{"held", "held-too", "old", "young", "today"} {
		l.kill(uid, "Recovered", []int{11, 5, 11, 4, 0}[i]) // the first on the same day as one that may go
	}
	for i := range 2 {
		l.kills[i].DeletionTimestamp, l.kills[i].Finalizers = new(meta.Now()), []string{"example.com/audit"}
	}
	n, err := l.records(t).Trim(t.Context(), Keep{Since: time.Now().AddDate(0, 0, -10), Always: time.Now().AddDate(0, 0, -2), Most: 2})
	if err != nil || n != 1 || !slices.Equal(l.deleted, []string{l.kills[2].Name}) {
		t.Errorf("%d were trimmed (%v): %v, want %s alone: two are kept, and two go by themselves", n, err, l.deleted, l.kills[2].Name)
	}
}
