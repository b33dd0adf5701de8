package records

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/test/lab"
	"caprice/victims"
)

// asked is an API server that has one kill that somebody asks for. It takes a patch if that has the version that it has and
// leaves the request as it is, and answers if it is not deaf.
type asked struct {
	mu      sync.Mutex
	kill    v1alpha1.Kill
	deaf    bool
	patches int
}

// is returns the kill as it is, and how often somebody tried to patch it.
func (a *asked) is() (v1alpha1.Kill, int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return *a.kill.DeepCopy(), a.patches
}

func (a *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.Method != http.MethodPatch {
		_ = json.NewEncoder(w).Encode(a.kill)
		return
	}
	a.patches++
	patched := a.kill.DeepCopy() // fields that the patch does not have stay
	_ = json.NewDecoder(r.Body).Decode(patched)
	if patched.ResourceVersion != a.kill.ResourceVersion {
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(meta.Status{Status: meta.StatusFailure, Reason: meta.StatusReasonConflict, Code: http.StatusConflict})
		return
	}
	if !reflect.DeepEqual(patched.Spec.Request, a.kill.Spec.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(meta.Status{Status: meta.StatusFailure, Reason: meta.StatusReasonInvalid, Code: http.StatusUnprocessableEntity})
		return
	}
	patched.ResourceVersion = "taken"
	a.kill = *patched
	if a.deaf {
		a.deaf = false
		panic(http.ErrAbortHandler)
	}
	_ = json.NewEncoder(w).Encode(a.kill)
}

func TestOneAttemptTakesOnWhatIsAskedFor(t *testing.T) {
	at := time.Now().Truncate(time.Millisecond)
	w := victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "uid"}
	server := &asked{kill: v1alpha1.Kill{
		TypeMeta:   meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Kill"},
		ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: v1alpha1.Name(w.UID, at), ResourceVersion: "changed"},
		Spec:       v1alpha1.KillSpec{Workload: v1alpha1.Workload{Kind: "Deployment", Name: "web", UID: "uid"}, Planned: meta.NewMicroTime(at), Request: &v1alpha1.Request{By: "jane", Mode: "fixed"}},
	}, deaf: true}
	records := &Store{Client: lab.Serve(t, server), Holder: "this one"}
	record := func(nonce string) chaos.Record {
		kill, _ := server.is()
		q := requestOf(&kill)
		q.Version = "read before"
		return chaos.Record{Workload: w, Planned: at, Nonce: nonce, Request: q}
	}

	mine := record("mine")
	if err := records.Claim(t.Context(), mine); !errors.Is(err, errChanged) {
		t.Fatalf("the record was changed since it was read, and to claim it says %v", err)
	}
	var refusal *chaos.Refusal
	if err := records.Claim(t.Context(), mine); err == nil || errors.Is(err, chaos.ErrTaken) || errors.As(err, &refusal) {
		t.Fatalf("the answer was lost, and to claim it says %v", err)
	}
	if err := records.Claim(t.Context(), mine); err != nil {
		t.Fatalf("it was claimed before, and to claim it says %v", err)
	}
	if err := records.Claim(t.Context(), record("another")); !errors.Is(err, chaos.ErrTaken) {
		t.Errorf("it is another's, and to claim it says %v", err)
	}
	if k, patches := server.is(); k.Spec.Nonce != "mine" || k.Spec.Holder != "this one" || k.Labels[v1alpha1.DateLabel] == "" || k.Spec.Request.By != "jane" || patches != 4 {
		t.Errorf("after %d patches it is %+v with labels %v", patches, k.Spec, k.Labels)
	}
}

// hanging is an API server behind no network, without kills until somebody asks for one after ten seconds. Of that its first watch tells nothing.
type hanging struct {
	hang     func(*http.Request) (io.ReadCloser, error) // what becomes of the first watch
	begin    time.Time
	requests []string
}

func (h *hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r}
	said := func(what any) (*http.Response, error) {
		text, err := json.Marshal(what)
		answer.Body = io.NopCloser(bytes.NewReader(text))
		return answer, err
	}
	q := r.URL.Query()
	switch {
	case path.Base(r.URL.Path) == "version":
		return said(map[string]string{})
	case q.Get("watch") == "":
		h.requests = append(h.requests, "list "+q.Get("labelSelector"))
		return said(v1alpha1.KillList{TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "KillList"}, ListMeta: meta.ListMeta{ResourceVersion: "7"}})
	}
	h.requests = append(h.requests, "watch "+q.Get("labelSelector")+" from "+q.Get("resourceVersion"))
	if len(h.requests) == 2 {
		body, err := h.hang(r)
		if err != nil {
			return nil, err
		}
		answer.Body = body
		return answer, nil
	}
	at := h.begin.Add(10 * time.Second)
	return said(map[string]any{"type": "ADDED", "object": v1alpha1.Kill{
		TypeMeta:   meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Kill"},
		ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: v1alpha1.Name("uid", at), ResourceVersion: "8"},
		Spec:       v1alpha1.KillSpec{Workload: v1alpha1.Workload{Kind: "Deployment", Name: "web", UID: "uid"}, Planned: meta.NewMicroTime(at), Request: &v1alpha1.Request{By: "jane"}},
	}})
}

func TestAKillThatIsAskedForIsFoundInTimeWhereAWatchHangs(t *testing.T) {
	until := func(ctx context.Context, err error) io.ReadCloser {
		body, writer := io.Pipe()
		context.AfterFunc(ctx, func() { _ = writer.CloseWithError(err) })
		return body
	}
	for why, hang := range map[string]func(*http.Request) (io.ReadCloser, error){
		"and the API server ends it when it was told to": func(r *http.Request) (io.ReadCloser, error) {
			seconds, err := time.ParseDuration(r.URL.Query().Get("timeoutSeconds") + "s")
			if err != nil {
				seconds = 45 * time.Minute
			}
			ctx, cancel := context.WithTimeout(r.Context(), seconds)
			context.AfterFunc(ctx, cancel)
			return until(ctx, io.EOF), nil
		},
		"and nobody ends it": func(r *http.Request) (io.ReadCloser, error) { return until(r.Context(), context.DeadlineExceeded), nil },
		"and never begins":   func(r *http.Request) (io.ReadCloser, error) { <-r.Context().Done(); return nil, r.Context().Err() },
	} {
		t.Run(why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &hanging{hang: hang, begin: time.Now()}
				client, err := kubernetes.ConnectTo(t.Context(), &rest.Config{Host: "http://api", Transport: h}, "test")
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithTimeout(t.Context(), 2*time.Hour)
				defer stop()
				(&Store{Client: client}).Requests(ctx, func(chaos.Request) { stop() }, func(err error) { t.Error(err) })
				const grace = time.Minute // LATE_GRACE, unless somebody has set it
				if late := time.Since(h.begin) - 10*time.Second; late > grace/2 {
					t.Errorf("it is told of %s after it was asked for, want half a minute at most, to be in time", late)
				}
				if want := "[list !caprice.chaos/date watch !caprice.chaos/date from 7 watch !caprice.chaos/date from 7]"; fmt.Sprint(h.requests) != want {
					t.Errorf("asked for %v, want %s: what there is need not be read again", h.requests, want)
				}
			})
		})
	}
}

func TestWhoFollowsKillsHearsOfOneThatIsGone(t *testing.T) {
	kill := v1alpha1.Kill{
		TypeMeta:   meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Kill"},
		ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: "kill"},
	}
	client := lab.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i, event := range []string{"MODIFIED", "DELETED"} {
			kill.ResourceVersion = []string{"8", "9"}[i]
			_ = json.NewEncoder(w).Encode(map[string]any{"type": event, "object": kill})
		}
	}))
	over := errors.New("it is gone")
	var told []bool
	err := Follow(t.Context(), client, "shop", "", "7", func(_ *v1alpha1.Kill, gone bool) error {
		if told = append(told, gone); gone {
			return over
		}
		return nil
	})
	if !errors.Is(err, over) || !reflect.DeepEqual(told, []bool{false, true}) {
		t.Errorf("%v, told that it is gone: %v, want that it changed and then that it is gone", err, told)
	}
}

func TestWhatWasAskedForWhileTheNamespaceWasAnothersIsDoneOnceItIsOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		l.ask("asked for").Namespace = "theirs"
		client := lab.InMemory(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("watch") != "" {
				_ = chaos.Pause(r.Context(), watchFor)
				return
			}
			_ = json.NewEncoder(w).Encode(v1alpha1.KillList{TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "KillList"}, ListMeta: meta.ListMeta{ResourceVersion: "7"}, Items: l.kills})
		}).Client(t)
		const ours = 10 * time.Minute // from then on
		began := time.Now()
		ctx, stop := context.WithTimeout(t.Context(), 2*ours)
		defer stop()
		s := &Store{Client: client, Others: func(string) bool { return time.Since(began) < ours }}
		var after []time.Duration
		s.Requests(ctx, func(chaos.Request) { after = append(after, time.Since(began)) }, func(err error) { t.Error(err) })
		if len(after) != 1 || after[0] < ours || after[0] > ours+lookAtTheirs+mostRefollow {
			t.Errorf("it was asked for after %s, want once, and within %s after %s", after, lookAtTheirs+mostRefollow, ours)
		}
	})
}

func TestANamespaceWhoseRequestsCannotBeFollowedKeepsNobodyFromThoseOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		asked := map[string]int{}
		client := lab.InMemory(func(w http.ResponseWriter, r *http.Request) {
			watches := r.URL.Query().Get("watch") != ""
			mu.Lock()
			asked[fmt.Sprint(path.Base(path.Dir(r.URL.Path)), " ", watches)]++
			mu.Unlock()
			switch {
			case strings.Contains(r.URL.Path, "/gone/"):
				lab.Refuse(w, http.StatusForbidden)
			case watches:
				_ = chaos.Pause(r.Context(), watchFor)
			default:
				_ = json.NewEncoder(w).Encode(v1alpha1.KillList{TypeMeta: meta.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "KillList"}, ListMeta: meta.ListMeta{ResourceVersion: "7"}})
			}
		}).Client(t)
		const long = 10 * time.Minute
		ctx, stop := context.WithTimeout(t.Context(), long)
		defer stop()
		told := 0
		s := &Store{Client: client, Scope: kubernetes.Scope{Namespaces: []string{"shop", "gone"}}}
		s.Requests(ctx, func(chaos.Request) {}, func(error) { told++ })
		if n := asked["gone false"]; n < int(long/mostRefollow) || n > int(long/mostRefollow)+6 || told < n-1 {
			t.Errorf("what cannot be followed was asked for %d times, and told of %d times; want once in %s, and a few times more to begin with", n, told, mostRefollow)
		}
		if asked["shop false"] != 1 || asked["shop true"] < int(long/watchFor)-1 {
			t.Errorf("asked for %v; want what can be followed listed once, and watched all the time", asked)
		}
	})
}
