package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	authorization "k8s.io/api/authorization/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestARightThatIsMissingIsNamedAndWhere(t *testing.T) {
	everywhere, two := Scope{}, Scope{Namespaces: []string{"shop", "team"}}
	c := &Client{Namespace: "caprice"}
	for _, test := range []struct {
		verb, resource string
		scope          Scope
		want           []string
	}{
		{"", "", everywhere, nil},
		{"", "", two, nil},
		{"delete", "pods", everywhere, []string{"delete pods in all namespaces"}},
		{"delete", "pods", two, []string{"delete pods in namespace shop", "delete pods in namespace team"}},
		{"get", "secrets", two, []string{"get secrets caprice-seed in namespace caprice"}},
		{"patch", "kills", everywhere, []string{"patch kills.caprice.chaos in all namespaces", "patch kills/status.caprice.chaos in all namespaces"}},
		{"list", "halts", everywhere, []string{"list halts.caprice.chaos in all namespaces"}},
		{"list", "halts", two, []string{"list halts.caprice.chaos in namespace caprice", "list halts.caprice.chaos in namespace shop", "list halts.caprice.chaos in namespace team"}},
		{"list", "namespaces", everywhere, []string{"list namespaces in all namespaces"}},
		{"list", "namespaces", two, nil},
		{"get", "namespaces", everywhere, []string{"get namespaces in all namespaces"}},
		{"get", "namespaces", two, []string{"get namespaces in namespace shop", "get namespaces in namespace team"}},
		{"list", "leases", everywhere, []string{"list leases.coordination.k8s.io caprice-claim in all namespaces"}},
		{"list", "leases", two, nil},
		{"get", "leases", two, []string{"get leases.coordination.k8s.io caprice in namespace caprice", "get leases.coordination.k8s.io caprice-claim in namespace shop", "get leases.coordination.k8s.io caprice-claim in namespace team"}},
	} {
		missing, err := c.without(t.Context(), test.scope, func(_ context.Context, n authorization.ResourceAttributes) (bool, error) {
			return n.Verb != test.verb || n.Resource != test.resource, nil
		})
		if err != nil || !slices.Equal(missing, test.want) {
			t.Errorf("without %s %s, confined to %v: %q (%v), want %q", test.verb, test.resource, test.scope.Namespaces, missing, err, test.want)
		}
	}
	away := errors.New("connection refused")
	if missing, err := c.without(t.Context(), everywhere, func(context.Context, authorization.ResourceAttributes) (bool, error) { return false, away }); !errors.Is(err, away) || missing != nil {
		t.Errorf("nobody answers: %q, %v, want that error alone", missing, err)
	}
}

func TestPermissionsInHundredsOfNamespacesAreKnownWithinAMinute(t *testing.T) {
	var names []string
	for n := range 300 {
		names = append(names, fmt.Sprintf("shop-%03d", n))
	}
	c := &Client{Namespace: "caprice"}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		missing, err := c.without(ctx, Scope{Namespaces: names}, func(ctx context.Context, n authorization.ResourceAttributes) (bool, error) {
			time.Sleep(50 * time.Millisecond)
			return n.Namespace != "shop-200" || n.Resource != "pods" || n.Verb != "delete", ctx.Err()
		})
		if want := []string{"delete pods in namespace shop-200"}; err != nil || !slices.Equal(missing, want) {
			t.Errorf("%q is missing (%v), want %q", missing, err, want)
		}
	})
}

// An account may have every right to kills, halts and hypotheses where they are not defined.
func TestWhatIsNotDefinedIsMissing(t *testing.T) {
	const undefined = "the definitions of kills, halts and hypotheses, templates/crds.yaml of the chart"
	for _, test := range []struct {
		why     string
		code    int
		defined string
		want    []string
		known   bool
	}{
		{"all three are", 200, "kills kills/status halts hypotheses", nil, true},
		{"halts are not", 200, "kills kills/status hypotheses", []string{undefined}, true},
		{"hypotheses are not, but for their status", 200, "kills halts hypotheses/status", []string{undefined}, true},
		{"none is", 404, "", []string{undefined}, true},
		{"nobody answers", 500, "", nil, false},
	} {
		c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.Method == http.MethodPost {
				review := authorization.SelfSubjectAccessReview{TypeMeta: meta.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectAccessReview"}}
				review.Status.Allowed = true
				_ = json.NewEncoder(w).Encode(review)
				return
			}
			w.WriteHeader(test.code)
			list := meta.APIResourceList{TypeMeta: meta.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"}}
			for _, name := range strings.Fields(test.defined) {
				list.APIResources = append(list.APIResources, meta.APIResource{Name: name})
			}
			_ = json.NewEncoder(w).Encode(list)
		}))
		missing, err := c.Missing(t.Context(), Scope{})
		if (err == nil) != test.known || !slices.Equal(missing, test.want) {
			t.Errorf("%s: %q missing, %v; want %q, and that it is known: %v", test.why, missing, err, test.want, test.known)
		}
	}
}

func TestWhoseRightsAreAskedFor(t *testing.T) {
	var mu sync.Mutex // guards what follows
	asked := map[string]bool{}
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		object, _, err := codecs.UniversalDeserializer().Decode(body, nil, nil)
		if err != nil {
			t.Error(err)
		}
		review := object.(*authorization.SubjectAccessReview)
		mu.Lock()
		asked[fmt.Sprintf("%s of %v", review.Spec.User, review.Spec.Groups)] = true
		mu.Unlock()
		review.TypeMeta = meta.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SubjectAccessReview"}
		review.Status.Allowed = review.Spec.ResourceAttributes.Verb != "watch" || review.Spec.ResourceAttributes.Resource != "pods"
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(review)
	}))
	c.Namespace = "caprice"
	missing, err := c.MissingOf(t.Context(), "killer", Scope{})
	if want := []string{"watch pods in all namespaces"}; err != nil || !slices.Equal(missing, want) {
		t.Errorf("%q missing (%v), want %q", missing, err, want)
	}
	if want := "map[system:serviceaccount:caprice:killer of [system:serviceaccounts system:serviceaccounts:caprice system:authenticated]:true]"; fmt.Sprint(asked) != want {
		t.Errorf("asked for %v, want %s", asked, want)
	}
}
