package kubernetes

import (
	"context"
	"encoding"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"caprice/chaos"
	"caprice/victims"
)

func TestWhoIsAskedForIsTheWorkloadsWordOrItsNamespaces(t *testing.T) {
	says := func(names string) victims.Metadata {
		return victims.Metadata{Labels: map[string]string{victims.Prefix + victims.Notify: names}}
	}
	d := &Discovery{
		namespaces: map[string]victims.Metadata{"shop": says("shop-team"), "quiet": {}},
		workloads:  map[string]found{"1": {Metadata: says("web.sre")}, "2": {}, "3": {Metadata: says("")}},
	}
	for _, test := range []struct{ why, namespace, uid, want string }{
		{"the workload itself", "shop", "1", "web.sre"},
		{"its namespace", "shop", "2", "shop-team"},
		{"the workload wants nobody", "shop", "3", ""},
		{"a workload that nobody has seen", "shop", "4", "shop-team"},
		{"neither", "quiet", "2", ""},
		{"an unknown namespace", "gone", "4", ""},
	} {
		if got := d.Asked(victims.Workload{Namespace: test.namespace, UID: test.uid}); got != test.want {
			t.Errorf("%s: %q, want %q", test.why, got, test.want)
		}
	}
}

// A kill of it may have yet to end.
func TestWhoIsAskedForIsKnownOfAWorkloadThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Discovery{Sink: &subjects{}, namespaces: map[string]victims.Metadata{}, workloads: map[string]found{}, departed: map[string]departed{}}
		say := func(uid, names string) {
			o := &meta.PartialObjectMetadata{ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: uid, UID: types.UID(uid), Labels: map[string]string{labelled: "true"}}}
			if names != "" {
				o.Labels[notify] = names
			}
			d.setWorkload(t.Context(), victims.Deployment, labelled, o)
		}
		asked := func() string { return d.Asked(victims.Workload{Namespace: "shop", UID: "1"}) }
		say("1", "sre")
		d.dropWorkload(t.Context(), labelled, "1")
		if got := asked(); got != "sre" {
			t.Errorf("once it is gone %q is asked for, want sre", got)
		}
		say("1", "")
		if got := asked(); got != "" {
			t.Errorf("once it is back and names nobody %q is asked for, want nobody", got)
		}
		say("1", "shop-team")
		if got := asked(); got != "shop-team" {
			t.Errorf("once it is back %q is asked for, want shop-team", got)
		}
		d.dropWorkload(t.Context(), labelled, "1")
		time.Sleep(remembered + time.Second)
		say("2", "sre")
		d.dropWorkload(t.Context(), labelled, "2")
		if len(d.departed) != 1 {
			t.Errorf("%d are remembered after a day, want the one that went last", len(d.departed))
		}
	})
}

func TestLittleIsKeptOfAnObjectThatIsWatched(t *testing.T) {
	created := meta.Now()
	o := stripped(&meta.PartialObjectMetadata{ObjectMeta: meta.ObjectMeta{
		Namespace: "shop", Name: "web", UID: "1", ResourceVersion: "7", CreationTimestamp: created,
		Labels:        map[string]string{"app": "web", victims.OptIn: "true"},
		Annotations:   map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "all of it", victims.Prefix + "days": "Mon"},
		ManagedFields: []meta.ManagedFieldsEntry{{Manager: "kubectl"}},
	}})
	want := meta.ObjectMeta{
		Namespace: "shop", Name: "web", UID: "1", ResourceVersion: "7", CreationTimestamp: created,
		Labels: map[string]string{victims.OptIn: "true"}, Annotations: map[string]string{victims.Prefix + "days": "Mon"},
	}
	if !reflect.DeepEqual(o.ObjectMeta, want) {
		t.Errorf("kept is %+v, want %+v", o.ObjectMeta, want)
	}
}

func TestAWatchThatIsBehindDoesNotTakeAWorkloadBack(t *testing.T) {
	in := map[string]string{labelled: "true"}
	for _, test := range []struct {
		why           string
		first, second map[string]string // what it says before and after, and meanwhile the other
		on, behind    string            // by which watch it is known, and which tells late that it said the other
	}{
		{"its label was taken off and put back", in, nil, labelled, unlabelled},
		{"it was put on and taken off again", nil, in, unlabelled, labelled},
	} {
		told := &subjects{}
		d := &Discovery{Sink: told, namespaces: map[string]victims.Metadata{"shop": {Labels: in}}, workloads: map[string]found{}, departed: map[string]departed{}}
		for into, text := range map[encoding.TextUnmarshaler]string{
			&d.Defaults.Pace.Mean: "2d", &d.Defaults.Calendar.Days: "Mon-Sun", &d.Defaults.Calendar.Hours: "00:00-24:00", &d.Defaults.Calendar.Zone: "UTC",
		} {
			if err := into.UnmarshalText([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		at := func(version string, says map[string]string) *meta.PartialObjectMetadata {
			return &meta.PartialObjectMetadata{ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: "web", UID: "web", ResourceVersion: version, Labels: says}}
		}
		d.setWorkload(t.Context(), victims.Deployment, test.on, at("98", test.first))
		d.dropWorkload(t.Context(), test.on, "web")
		d.setWorkload(t.Context(), victims.Deployment, test.on, at("100", test.first))
		d.setWorkload(t.Context(), victims.Deployment, test.behind, at("99", test.second))
		d.dropWorkload(t.Context(), test.behind, "web")
		if len(d.workloads) != 1 || d.workloads["web"].selector != test.on {
			t.Errorf("%s: known are %v, want it by the watch that is on time", test.why, d.workloads)
		}
	}
}

// A watch that is stopped may be in the midst of what it was told first.
func TestWhatAStoppedWatchStillTellsIsNotHeard(t *testing.T) {
	told := &subjects{}
	d := &Discovery{
		Client: serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })), Sink: told,
		namespaces: map[string]victims.Metadata{}, workloads: map[string]found{}, watches: map[string]context.CancelFunc{}, watched: map[*sightings]bool{},
	}
	for into, text := range map[encoding.TextUnmarshaler]string{
		&d.Defaults.Pace.Mean: "2d", &d.Defaults.Calendar.Days: "Mon-Sun", &d.Defaults.Calendar.Hours: "00:00-24:00", &d.Defaults.Calendar.Zone: "UTC",
	} {
		if err := into.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer func() {
		cancel()
		if d.running.Wait(); len(d.watched) > 0 {
			t.Errorf("what %d watches have seen is kept, and all have ended", len(d.watched))
		}
	}()
	in := victims.Metadata{Labels: map[string]string{labelled: "true"}}
	created := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	web := &meta.PartialObjectMetadata{ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: "web", UID: "web", CreationTimestamp: meta.NewTime(created)}}
	d.setNamespace(ctx, "shop", in)
	watching, stop := context.WithCancel(ctx)
	d.setWorkload(watching, victims.Deployment, unlabelled, web)
	if fmt.Sprint(told.set) != "[web]" || !told.created.Equal(created) {
		t.Fatalf("told of %v, created at %s; want web, at %s", told.set, told.created, created)
	}
	stop()
	d.setNamespace(ctx, "shop", victims.Metadata{})
	d.setWorkload(watching, victims.Deployment, unlabelled, web)
	d.setNamespace(ctx, "shop", in)
	if fmt.Sprint(told.set) != "[web]" || len(d.workloads) > 0 {
		t.Errorf("told of %v, and %d workloads are known of which nobody tells when they go", told.set, len(d.workloads))
	}
	d.setWorkload(ctx, victims.Deployment, unlabelled, web)
	if d.dropWorkload(watching, unlabelled, "web"); len(d.workloads) != 1 {
		t.Error("a workload that the next watch has found is forgotten by the word of the last")
	}
	if d.setNamespace(ctx, "shop", victims.Metadata{}); len(d.namespaces)+len(d.watches) > 0 {
		t.Errorf("%d namespaces are kept that say nothing, %d of them watched", len(d.namespaces), len(d.watches))
	}
}

func TestAWorkloadIsFoundThoughTheWatchOfItsKindHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		watches := 0
		tell := func(w http.ResponseWriter, kind string, o meta.ObjectMeta) {
			o.Namespace, o.ResourceVersion = "shop", "7"
			object := &meta.PartialObjectMetadata{TypeMeta: meta.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadata"}, ObjectMeta: o}
			if err := json.NewEncoder(w).Encode(map[string]any{"type": kind, "object": object}); err != nil {
				t.Error(err)
			}
		}
		d := &Discovery{Client: &Client{}, watched: map[*sightings]bool{}}
		api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if watches++; watches == 1 {
				tell(w, "BOOKMARK", meta.ObjectMeta{Annotations: map[string]string{meta.InitialEventsAnnotationKey: "true"}})
			} else {
				tell(w, "ADDED", meta.ObjectMeta{Name: "web", UID: "web"})
			}
			<-r.Context().Done() // whatever it was told of when to end
		})
		if err := d.Client.connect(&rest.Config{Host: "http://api", Transport: inMemory{api}}, "test"); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		var found []string
		d.watch(ctx, resources[victims.Deployment], "", labelled,
			func(o *meta.PartialObjectMetadata) { found = append(found, o.Name); stop() }, func(*meta.PartialObjectMetadata) {})
		d.running.Wait()
		if fmt.Sprint(found) != "[web]" || watches != 2 {
			t.Errorf("found are %v after an hour, by %d watches; want web, by the second", found, watches)
		}
	})
}

// Who opted in is killed on the terms that are told last.
func TestEachChangeOfWhatIsSaidIsToldOnce(t *testing.T) {
	told := &subjects{}
	d := &Discovery{
		Client: serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })), Sink: told, Scope: Scope{Excluded: []string{"kube-*"}},
		namespaces: map[string]victims.Metadata{}, workloads: map[string]found{}, departed: map[string]departed{}, watches: map[string]context.CancelFunc{}, watched: map[*sightings]bool{},
	}
	for into, text := range map[encoding.TextUnmarshaler]string{
		&d.Defaults.Pace.Mean: "2d", &d.Defaults.Calendar.Days: "Mon-Fri", &d.Defaults.Calendar.Hours: "00:00-24:00", &d.Defaults.Calendar.Zone: "UTC",
	} {
		if err := into.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer func() { cancel(); d.running.Wait() }()
	says := func(in, days string) victims.Metadata {
		m := victims.Metadata{Labels: map[string]string{}, Annotations: map[string]string{}}
		if in != "" {
			m.Labels[victims.OptIn] = in
		}
		if days != "" {
			m.Annotations[victims.Prefix+"days"] = days
		}
		return m
	}
	namespace := func(name, in, days string) func() {
		return func() { d.setNamespace(ctx, name, says(in, days)) }
	}
	workload := func(namespace, name, in, days string) func() {
		m, selector := says(in, days), unlabelled
		if in != "" {
			selector = labelled
		}
		return func() {
			d.setWorkload(ctx, victims.Deployment, selector, &meta.PartialObjectMetadata{ObjectMeta: meta.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name), Labels: m.Labels, Annotations: m.Annotations}})
		}
	}
	for _, step := range []struct {
		why  string
		do   func()
		want string
	}{
		{"a workload opts in", workload("shop", "api", "true", ""), "[api Mon-Fri]"},
		{"it says so again", workload("shop", "api", "true", ""), "[]"},
		{"it says when", workload("shop", "api", "true", "Mon"), "[api Mon]"},
		{"and what is none", workload("shop", "api", "true", "Saturn"), "[-api !api]"},
		{"and nothing", workload("shop", "api", "true", ""), "[api Mon-Fri]"},
		{"its namespace opts in", namespace("shop", "true", ""), "[api Mon-Fri]"},
		{"and another there with it", workload("shop", "web", "", ""), "[web Mon-Fri]"},
		{"and one that says when", workload("shop", "db", "", "Fri"), "[db Fri]"},
		{"the namespace says when", namespace("shop", "true", "Tue"), "[api Tue db Fri web Tue]"},
		{"and so again", namespace("shop", "true", "Tue"), "[]"},
		{"it opts nobody in, and still says when", namespace("shop", "", "Tue"), "[api Tue -db -web]"},
		{"and no more", namespace("shop", "", ""), "[api Mon-Fri]"},
		{"one goes that is not known any more", func() { d.dropWorkload(ctx, unlabelled, "web") }, "[]"},
		{"a workload opts out", workload("shop", "api", "false", ""), "[-api]"},
		{"it goes", func() { d.dropWorkload(ctx, labelled, "api") }, "[-api]"},
		{"one where Caprice does not act", workload("kube-system", "dns", "true", ""), "[]"},
		{"and its namespace", namespace("kube-system", "true", ""), "[]"},
	} {
		told.changes = nil
		if step.do(); fmt.Sprint(told.changes) != step.want {
			t.Errorf("%s: told %v, want %s", step.why, told.changes, step.want)
		}
	}
	if len(d.workloads)+len(d.namespaces)+len(d.watches) > 0 {
		t.Errorf("known are still %v and %v, and %d watched", d.workloads, d.namespaces, len(d.watches))
	}
}

// subjects are those that were told of.
type subjects struct {
	set     []string
	created time.Time // the one that was told of last
	changes []string  // those with their days, -UID of those that went, !UID of those whose terms are wrong
}

func (s *subjects) Set(subject chaos.Subject) {
	s.set, s.created = append(s.set, subject.UID), subject.Created
	s.changes = append(s.changes, fmt.Sprintf("%s %s", subject.UID, subject.Terms.Calendar.Days))
}
func (s *subjects) Drop(uid string)                     { s.changes = append(s.changes, "-"+uid) }
func (s *subjects) Invalid(w victims.Workload, _ error) { s.changes = append(s.changes, "!"+w.UID) }
