package kubernetes

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	"k8s.io/client-go/rest"
)

type requests map[string]int

func (r requests) Requested(method string, code int) {
	if code == 0 {
		r[method+" unanswered"]++
		return
	}
	r[method+" "+http.StatusText(code)]++
}

func TestEachRequestIsCounted(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	counted := requests{}
	c := &Client{counter: counted}
	if err := c.connect(&rest.Config{Host: server.URL}, "test"); err != nil {
		t.Fatal(err)
	}
	core := c.groups.core
	core.Get().AbsPath("/version").Do(t.Context())
	c.groups.custom.Get().AbsPath("/version").Do(t.Context())
	core.Delete().AbsPath("/version").Do(t.Context())
	server.Close()
	core.Post().AbsPath("/version").Do(t.Context())
	if want := (requests{"GET OK": 2, "DELETE Forbidden": 1, "POST unanswered": 1}); !reflect.DeepEqual(counted, want) {
		t.Errorf("counted %v, want %v", counted, want)
	}
}
