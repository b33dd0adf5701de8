package kubernetes

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

func TestAnAPIServerThatCannotBeSpokenWithIsToldFromOneThatDoesNotRun(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer server.Close()
	trusted := rest.TLSClientConfig{CAData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})}
	for _, test := range []struct {
		why    string
		config rest.Config
		want   string
	}{
		{"a certificate of nobody's", rest.Config{Host: server.URL}, "the certificate of the API server at " + server.URL + " is not trusted: want the kubeconfig to have the authority that signed it: "},
		{"a user of nobody's", rest.Config{Host: server.URL, TLSClientConfig: trusted}, "the API server at " + server.URL + " does not take the credentials: want a kubeconfig whose user it knows: "},
		{"an account of nobody's", rest.Config{Host: server.URL, TLSClientConfig: trusted}, "the API server at " + server.URL + " does not take the account's token: want one that has not expired, of an account that it knows: "},
		{"nobody", rest.Config{Host: "https://127.0.0.1:1"}, "no answer from the API server at https://127.0.0.1:1: want one that runs; KUBECONFIG chooses which: "},
	} {
		c := &Client{InCluster: strings.HasPrefix(test.why, "an account")}
		if err := c.reach(t.Context(), &test.config, "test"); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.why, err, test.want)
		}
	}
}
