package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"caprice/kubernetes"
	"caprice/kubernetes/records"
	"caprice/test/lab"
)

func TestAStartEndsWhereItsOwnDeploymentMayStillAnswer(t *testing.T) {
	for _, test := range []struct {
		code  int
		known bool
		ends  bool
	}{
		{http.StatusOK, true, false}, {http.StatusNotFound, false, false}, {http.StatusForbidden, false, false}, {http.StatusServiceUnavailable, false, true},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Path == "/version" {
				return
			}
			if test.code != http.StatusOK {
				lab.Refuse(w, test.code)
				return
			}
			_, _ = w.Write([]byte(`{"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "caprice", "uid": "1", "resourceVersion": "1"}, "spec": {"replicas": 1}}`))
		}))
		defer server.Close()
		client, err := kubernetes.ConnectTo(t.Context(), &rest.Config{Host: server.URL}, "test")
		if err != nil {
			t.Fatal(err)
		}
		client.Namespace = "caprice"
		own, err := own(t.Context(), client, "caprice")
		if (err != nil) != test.ends || (own != nil) != test.known {
			t.Errorf("%d: %v, %v; want it to end the start: %v, and to be known: %v", test.code, own, err, test.ends, test.known)
		}
	}
}

func TestTheConfigurationIsPublishedUntilItIsAndAgainInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var patches []time.Duration
		begin := time.Now()
		client, err := kubernetes.ConnectTo(t.Context(), &rest.Config{Transport: answers(func(r *http.Request) int {
			if r.Method != http.MethodPatch {
				return http.StatusOK
			}
			if patches = append(patches, time.Since(begin)); len(patches) == 1 {
				return http.StatusServiceUnavailable
			}
			return http.StatusOK
		})}, "test")
		if err != nil {
			t.Fatal(err)
		}
		client.Namespace = "caprice"
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		(&controller{client: client}).keepPublished(ctx)
		if want := []time.Duration{0, time.Second, 5*time.Minute + time.Second}; !slices.Equal(patches, want) {
			t.Errorf("it is published after %s, of which the first failed; want %s", patches, want)
		}
	})
}

// answers stands for an API server: it returns the code of each answer.
type answers func(*http.Request) int

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	answer.Header().Set("Content-Type", "application/json")
	answer.WriteHeader(a(r))
	_, _ = answer.WriteString(`{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "caprice-effective", "resourceVersion": "1"}}`)
	return answer.Result(), nil
}

// shears note what is to be kept.
type shears struct{ kept []records.Keep }

func (s *shears) Trim(_ context.Context, keep records.Keep) (int, error) {
	s.kept = append(s.kept, keep)
	return 0, errors.New("no answer") // the next comes all the same
}

func TestHistoryIsTrimmedSoonAfterALeaderBeginsAndThenEachHour(t *testing.T) {
	c := setting(t, "HISTORY=240h", "HISTORY_LIMIT=7")
	synctest.Test(t, func(t *testing.T) {
		begin, s := time.Now(), &shears{}
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Minute)
		defer cancel()
		trim(ctx, s, c)
		if len(s.kept) != 3 {
			t.Fatalf("in two hours and a half it was trimmed %d times, want 3: leaders may follow each other in less than an hour", len(s.kept))
		}
		for i, got := range s.kept {
			now := begin.Add(10*time.Minute + time.Duration(i)*time.Hour)
			if !got.Since.Equal(now.Add(-240*time.Hour)) || !got.Always.Equal(now.Add(-48*time.Hour)) || got.Most != 7 {
				t.Errorf("at %s it keeps %+v, want the 7 of ten days and all of two", now, got)
			}
		}
	})
}

// docs/performance.md and docs/metrics.md promise them.
func TestWhatItTakesIsBounded(t *testing.T) {
	if processors > 2 {
		t.Errorf("it takes %d processors, want two at most", processors)
	}
	if longestGap > 24*time.Hour {
		t.Errorf("it counts %s back, want a day at most", longestGap)
	}
}
