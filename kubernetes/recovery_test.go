package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"caprice/chaos"
	"caprice/victims"
)

// server has one Deployment of two replicas, with what befalls the watches of its pods one after another.
type server struct {
	mu       sync.Mutex
	requests []string // as in "watch pods from 5"
	watches  []func(http.ResponseWriter)
	pods     []core.Pod
	old      bool // it has no watches that begin with what there is
	oldEtcd  bool // the same, and it learns that from its etcd
	torn     bool // those end before they have told it
	gone     bool // the Deployment is
	going    bool // it is being deleted
}

const theDeployment = `{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "shop", "name": "web", "uid": "web", "generation": 3},
	"spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}}, "status": {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}}`

// deployment is the Deployment as it is.
func (s *server) deployment() string {
	if s.going {
		return strings.Replace(theDeployment, `"uid": "web"`, `"uid": "web", "deletionTimestamp": "2026-03-04T12:00:00Z"`, 1)
	}
	return theDeployment
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.Split(r.URL.Path, "/")
	resource := path[slices.Index(path, "shop")+1]
	what := "list " + resource
	switch query := r.URL.Query(); {
	case query.Get("sendInitialEvents") == "true":
		what = "watch " + resource
	case query.Has("watch"):
		what = fmt.Sprintf("watch %s from %s", resource, query.Get("resourceVersion"))
	case resource == "replicasets":
		what = "get " + path[len(path)-1]
	}
	s.mu.Lock()
	s.requests = append(s.requests, what)
	var befalls func(http.ResponseWriter)
	if strings.HasPrefix(what, "watch pods") && len(s.watches) > 0 {
		befalls, s.watches = s.watches[0], s.watches[1:]
	}
	pods := core.PodList{TypeMeta: meta.TypeMeta{APIVersion: "v1", Kind: "PodList"}, ListMeta: meta.ListMeta{ResourceVersion: "9"}, Items: slices.Clone(s.pods)}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case what == "watch deployments" && s.old:
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = fmt.Fprint(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422}`)
		return
	case what == "watch deployments" && s.oldEtcd:
		_, _ = fmt.Fprint(w, `{"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "InternalError", "message": "the required storage feature RequestWatchProgress is disabled", "code": 500}}`)
		return
	case what == "watch deployments":
		if !s.gone {
			_, _ = fmt.Fprintf(w, `{"type": "ADDED", "object": %s}`, s.deployment())
		}
		if s.torn {
			return
		}
		_, _ = fmt.Fprint(w, `{"type": "BOOKMARK", "object": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"resourceVersion": "8", "annotations": {"k8s.io/initial-events-end": "true"}}}}`)
	}
	switch what {
	case "list deployments":
		_, _ = fmt.Fprintf(w, `{"apiVersion": "apps/v1", "kind": "DeploymentList", "metadata": {"resourceVersion": "8"}, "items": [%s]}`, theDeployment)
	case "list pods":
		_ = json.NewEncoder(w).Encode(pods)
	case "get web-1", "get web-2":
		_, _ = fmt.Fprintf(w, `{"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"uid": %q, "ownerReferences": [{"uid": "web", "controller": true}]}}`, path[len(path)-1])
	case "get other":
		_, _ = fmt.Fprint(w, `{"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"uid": "other"}}`)
	default:
		if befalls != nil {
			befalls(w)
			return
		}
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

// tell sends an event of a watch.
func tell(w http.ResponseWriter, event string, p core.Pod) {
	_ = json.NewEncoder(w).Encode(map[string]any{"type": event, "object": p})
	w.(http.Flusher).Flush()
}

// aPod is one that is Ready, of a ReplicaSet.
func aPod(uid, set string) core.Pod {
	yes := true
	return core.Pod{
		TypeMeta:   meta.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: uid, UID: types.UID(uid), OwnerReferences: []meta.OwnerReference{{Kind: "ReplicaSet", Name: set, UID: types.UID(set), Controller: &yes}}},
		Status:     core.PodStatus{Phase: core.PodRunning, Conditions: []core.PodCondition{{Type: core.PodReady, Status: core.ConditionTrue}}},
	}
}

// follow looks at the Deployment, follows it until a pod of that UID is seen, and returns what was seen then and asked.
func (s *server) follow(t *testing.T, uid string) (names []string, requests []string) {
	t.Helper()
	listening := httptest.NewServer(s)
	defer listening.Close()
	defer listening.CloseClientConnections()
	c := &Cluster{Client: &Client{}}
	if err := c.Client.connect(&rest.Config{Host: listening.URL}, "test"); err != nil {
		t.Fatal(err)
	}
	since, err := c.look(t.Context(), victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "web"}, lookPatience)
	if err != nil {
		t.Fatal(err)
	}
	err = c.Follow(t.Context(), since, func(s chaos.Snapshot) bool {
		names = nil
		for _, p := range s.Pods {
			names = append(names, p.UID)
		}
		return slices.Contains(names, uid)
	})
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return names, slices.Clone(s.requests)
}

func TestARecoveryIsWatchedFromWhenTheWorkloadWasRead(t *testing.T) {
	for _, test := range []struct {
		why  string
		old  bool
		want string
	}{
		{"by a watch that begins with what there is", false, "[watch deployments list pods get web-1 watch pods from 9 get other get web-2]"},
		{"by a list and a watch, where there are no such", true, "[watch deployments list deployments watch deployments from 8 list pods get web-1 watch pods from 9 get other get web-2]"},
	} {
		t.Run(test.why, func(t *testing.T) {
			s := &server{old: test.old, pods: []core.Pod{aPod("dead", "web-1"), aPod("old", "web-1")}}
			s.watches = []func(http.ResponseWriter){func(w http.ResponseWriter) {
				tell(w, "MODIFIED", aPod("dead", "web-1"))
				tell(w, "DELETED", aPod("dead", "web-1"))
				tell(w, "ADDED", aPod("stranger", "other"))
				tell(w, "MODIFIED", aPod("stranger", "other"))
				tell(w, "ADDED", aPod("first", "web-2"))
				tell(w, "ADDED", aPod("new", "web-2"))
			}}
			names, requests := s.follow(t, "new")
			if want := "[old first new]"; fmt.Sprint(names) != want {
				t.Errorf("its pods are %v, want %s", names, want)
			}
			if fmt.Sprint(requests) != test.want {
				t.Errorf("asked for %v, want %s", requests, test.want)
			}
		})
	}
}

func TestAPodIsAliveUnderItsUIDUntilItTerminates(t *testing.T) {
	goes := aPod("goes", "web-1")
	goes.DeletionTimestamp = new(meta.Now())
	successor := aPod("successor", "web-1")
	successor.Name = "replaced"
	c := &Cluster{Client: serve(t, &server{pods: []core.Pod{aPod("alive", "web-1"), goes, successor}})}
	var pods []victims.Pod
	for _, name := range []string{"gone", "goes", "alive", "replaced"} {
		pods = append(pods, victims.Pod{Namespace: "shop", Name: name, UID: name})
	}
	if alive, err := c.Alive(t.Context(), pods); err != nil || len(alive) != 1 || alive[0].UID != "alive" {
		t.Errorf("%+v are alive (%v), want one", alive, err)
	}
}

func TestNobodyFollowsAWorkloadThatIsGone(t *testing.T) {
	for _, test := range []struct {
		why    string
		server *server
		uid    string
	}{
		{"it is deleted", &server{gone: true}, "web"},
		{"another has its name", &server{}, "before"},
		{"it is being deleted, and what it has goes first", &server{going: true}, "web"},
	} {
		c := &Cluster{Client: serve(t, test.server)}
		w := victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: test.uid}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := c.Follow(ctx, chaos.Snapshot{WorkloadState: chaos.WorkloadState{Subject: chaos.Subject{Workload: w}}}, func(chaos.Snapshot) bool { return true })
		if !errors.Is(err, chaos.ErrGone) || ctx.Err() != nil {
			t.Errorf("%s: %v, want at once that it is gone", test.why, err)
		}
	}
}

func TestWhatAWatchTellsOfAWorkload(t *testing.T) {
	for _, test := range []struct {
		event    watch.EventType
		uid      types.UID
		going    bool // it is being deleted
		replicas int  // that it is known to want then, of two before and three by the event
		err      bool
		gone     bool
	}{
		{watch.Added, "web", false, 3, false, false},
		{watch.Modified, "web", false, 3, false, false},
		{watch.Modified, "web", true, 2, true, true},
		{watch.Bookmark, "", false, 2, false, false},
		{watch.Deleted, "web", false, 2, true, true},
		{watch.Added, "another", false, 2, true, true},
		{watch.Modified, "another", false, 2, true, true},
		{watch.Error, "", false, 2, true, false},
	} {
		known := chaos.WorkloadState{Subject: chaos.Subject{Workload: victims.Workload{UID: "web"}}, Replicas: 2, Watch: &live{}}
		told := &apps.Deployment{ObjectMeta: meta.ObjectMeta{UID: test.uid}, Spec: apps.DeploymentSpec{Replicas: new(int32(3))}}
		if test.going {
			told.DeletionTimestamp = new(meta.Now())
		}
		err := change(&known, watch.Event{Type: test.event, Object: told})
		if (err != nil) != test.err || errors.Is(err, chaos.ErrGone) != test.gone || known.Replicas != test.replicas || known.Watch == nil {
			t.Errorf("%s of %q, which is being deleted: %v: %v, and it wants %d; want an error: %v, that it is gone: %v, and %d", test.event, test.uid, test.going, err, known.Replicas, test.err, test.gone, test.replicas)
		}
	}
}

func TestAnAPIServerWithoutWatchesThatBeginWithWhatThereIsIsAskedForOneOnce(t *testing.T) {
	s := &server{old: true, pods: []core.Pod{aPod("old", "web-1")}}
	c := &Cluster{Client: serve(t, s)}
	for range 2 {
		snapshot, err := c.look(t.Context(), victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "web"}, lookPatience)
		if err != nil {
			t.Fatal(err)
		}
		snapshot.Watch.Close()
	}
	const look = "list deployments watch deployments from 8 list pods get web-1"
	if want := "[watch deployments " + look + " " + look + "]"; fmt.Sprint(s.requests) != want {
		t.Errorf("asked for %v, want %s", s.requests, want)
	}
}

func TestAnAPIServerWhoseEtcdIsTooOldForWatchesThatBeginWithWhatThereIsIsAskedForAList(t *testing.T) {
	s := &server{oldEtcd: true, pods: []core.Pod{aPod("old", "web-1")}}
	snapshot, err := (&Cluster{Client: serve(t, s)}).look(t.Context(), victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "web"}, lookPatience)
	if err != nil {
		t.Fatal(err)
	}
	snapshot.Watch.Close()
	if want := "[watch deployments list deployments watch deployments from 8 list pods get web-1]"; fmt.Sprint(s.requests) != want {
		t.Errorf("asked for %v, want %s", s.requests, want)
	}
}

// inMemory is an API server behind no network, so that its watches wait in a test's own time.
type inMemory struct{ http.Handler }

// RoundTrip has the handler answer.
func (m inMemory) RoundTrip(request *http.Request) (*http.Response, error) {
	body, writer := io.Pipe()
	answer := &inMemoryAnswer{header: http.Header{}, writer: writer, begun: make(chan int, 1)}
	go func() {
		m.ServeHTTP(answer, request)
		answer.Flush()
		_ = writer.Close()
	}()
	select {
	case code := <-answer.begun:
		return &http.Response{StatusCode: code, Header: answer.header, Body: body, Request: request}, nil
	case <-request.Context().Done():
		_ = body.CloseWithError(request.Context().Err())
		return nil, request.Context().Err()
	}
}

// inMemoryAnswer is an http.ResponseWriter.
type inMemoryAnswer struct {
	header http.Header
	writer *io.PipeWriter
	begun  chan int
	begin  sync.Once
}

func (a *inMemoryAnswer) Header() http.Header         { return a.header }
func (a *inMemoryAnswer) WriteHeader(code int)        { a.begin.Do(func() { a.begun <- code }) }
func (a *inMemoryAnswer) Flush()                      { a.WriteHeader(http.StatusOK) }
func (a *inMemoryAnswer) Write(b []byte) (int, error) { a.Flush(); return a.writer.Write(b) }

func TestAWatchThatHangsIsBegunAnewAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{pods: []core.Pod{aPod("old", "web-1")}}
		c := &Cluster{Client: &Client{}}
		if err := c.Client.connect(&rest.Config{Host: "http://api", Transport: inMemory{s}}, "test"); err != nil {
			t.Fatal(err)
		}
		since, err := c.look(t.Context(), victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "web"}, lookPatience)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(watchFor/2, func() { // and nothing is told of it
			s.mu.Lock()
			defer s.mu.Unlock()
			s.pods = append(s.pods, aPod("new", "web-1"))
		})
		begin := time.Now()
		err = c.Follow(t.Context(), since, func(s chaos.Snapshot) bool { return len(s.Pods) == 2 })
		if took := time.Since(begin); err != nil || took < watchFor || took > 40*time.Second { // of two minutes that a workload has to heal
			t.Errorf("%v after %s, want it to be seen by a look after half a minute", err, took)
		}
	})
}

// A list that takes as long as a kill may take to be prepared is one that its verdict may take as well.
func TestALookThatIsSlowIsGivenMoreTime(t *testing.T) {
	for _, slowly := range []struct {
		what  string
		takes time.Duration
	}{{"/pods", 4 * time.Second}, {"/pods", 13 * time.Second}, {"/deployments", 4 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{pods: []core.Pod{aPod("old", "web-1")}}
			c := &Cluster{Client: &Client{}}
			slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, slowly.what) {
					select {
					case <-time.After(slowly.takes):
					case <-r.Context().Done():
						return
					}
				}
				s.ServeHTTP(w, r)
			})
			if err := c.Client.connect(&rest.Config{Host: "http://api", Transport: inMemory{slow}}, "test"); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second) // as long as the last look may take
			defer cancel()
			w := victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "web"}
			err := c.Follow(ctx, chaos.Snapshot{WorkloadState: chaos.WorkloadState{Subject: chaos.Subject{Workload: w}}}, func(s chaos.Snapshot) bool { return len(s.Pods) == 1 })
			if err != nil {
				t.Errorf("where %s take %s: %v, want it to be seen", slowly.what, slowly.takes, err)
			}
		})
	}
}

func TestAWatchThatIsLostIsBegunAnewFromAFreshLook(t *testing.T) {
	const look = "watch deployments list pods get web-1 watch pods from 9"
	for _, test := range []struct {
		why     string
		befalls func(http.ResponseWriter)
	}{
		{"it has ended", func(http.ResponseWriter) {}},
		{"it is of a version that is too old", func(w http.ResponseWriter) {
			_, _ = fmt.Fprint(w, `{"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}}`)
		}},
		{"it breaks in the middle of a word", func(w http.ResponseWriter) { _, _ = fmt.Fprint(w, `{"type": "MODI`) }},
	} {
		t.Run(test.why, func(t *testing.T) {
			s := &server{pods: []core.Pod{aPod("old", "web-1"), aPod("between", "web-1")}}
			s.watches = []func(http.ResponseWriter){test.befalls, func(w http.ResponseWriter) { tell(w, "ADDED", aPod("new", "web-1")) }}
			names, requests := s.follow(t, "new")
			if want := "[old between new]"; fmt.Sprint(names) != want {
				t.Errorf("its pods are %v, want %s", names, want)
			}
			if want := "[" + look + " " + look + "]"; fmt.Sprint(requests) != want {
				t.Errorf("asked for %v, want %s", requests, want)
			}
		})
	}
}

func TestWhatAWatchDidNotTellToItsEndIsNotTakenForAll(t *testing.T) {
	s := &server{torn: true, pods: []core.Pod{aPod("old", "web-1")}}
	c := &Cluster{Client: serve(t, s)}
	if snapshot, err := c.look(t.Context(), victims.Workload{Kind: victims.Deployment, Namespace: "shop", Name: "web", UID: "web"}, lookPatience); err == nil {
		t.Errorf("the watch ended before all was told, and %d pods were taken for all", len(snapshot.Pods))
	}
}
