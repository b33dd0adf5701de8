package kubernetes

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestHowAnObjectIsFound(t *testing.T) {
	var asked []string
	away := false
	client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		switch {
		case away:
			w.WriteHeader(http.StatusInternalServerError)
		case r.URL.Path == "/apis/apps/v1":
			_, _ = fmt.Fprint(w, `{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "apps/v1", "resources": [{"name": "deployments/scale", "kind": "Deployment", "namespaced": true}, {"name": "deployments", "kind": "Deployment", "namespaced": true}, {"name": "wholes", "kind": "Whole", "namespaced": false}]}`)
		case r.URL.Path == "/apis/apps/v1/namespaces/shop/deployments/web":
			_, _ = fmt.Fprint(w, `{"kind": "Deployment", "apiVersion": "apps/v1", "status": {"readyReplicas": 3}}`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	object := func(version, kind, name string) *Object {
		return &Object{Client: client, Namespace: "shop", APIVersion: version, Kind: kind, Name: name}
	}
	web := object("apps/v1", "Deployment", "web")
	for range 2 {
		content, err := web.Read(t.Context())
		if err != nil || fmt.Sprint(content.(map[string]any)["status"]) != "map[readyReplicas:3]" {
			t.Errorf("it reads %v, %v", content, err)
		}
	}
	if want := "[/apis/apps/v1 /apis/apps/v1/namespaces/shop/deployments/web /apis/apps/v1/namespaces/shop/deployments/web]"; fmt.Sprint(asked) != want {
		t.Errorf("asked for %v, want its kind once: %s", asked, want)
	}
	for _, test := range []struct {
		why  string
		o    *Object
		want string
	}{
		{"an object that is not there", object("apps/v1", "Deployment", "api"), "reading Deployment api: "},
		{"a name that leads elsewhere", object("apps/v1", "Deployment", "../web"), "reading Deployment ../web: invalid resource name"},
		{"a kind that there is not", object("apps/v1", "Nothing", "web"), "there is no such kind Nothing in apps/v1"},
		{"a kind of the whole cluster", object("apps/v1", "Whole", "web"), "there is no such kind Whole in apps/v1"},
		{"a group that there is not", object("none.example/v1", "Deployment", "web"), "there is no such kind Deployment in none.example/v1"},
		{"a version that leads elsewhere", object("../v1", "Deployment", "web"), `there is no such kind: apiVersion "../v1": want group/version`},
		{"another", object("apps/v1/namespaces", "Deployment", "web"), "there is no such kind: apiVersion"},
	} {
		if _, err := test.o.Read(t.Context()); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.why, err, test.want)
		}
	}
	away = true
	unknown := object("apps/v1", "Deployment", "web")
	if err := unknown.Check(t.Context()); err != nil {
		t.Errorf("an API server that is away is no reason why it never works: %v", err)
	}
}
