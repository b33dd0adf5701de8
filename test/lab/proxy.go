package lab

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Proxy stands between a process and the API server.
type Proxy struct {
	server    *httptest.Server
	transport *http.Transport
}

// NewProxy starts a proxy of the API server of a kubeconfig, and writes another to path that leads through it, for a
// namespace. What requests meet on their way between says.
func NewProxy(kubeconfig, path, namespace string, between func(upstream http.Handler) http.Handler) (*Proxy, error) {
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return nil, err
	}
	var real *api.Cluster
	for _, real = range config.Clusters {
	}
	target, err := url.Parse(real.Server)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(real.CertificateAuthorityData) {
		return nil, errors.New("the kubeconfig has no certificate of the cluster's authority")
	}
	quiet := log.New(io.Discard, "", 0)
	p := &Proxy{transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	p.server = httptest.NewUnstartedServer(between(&httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     p.transport,
		FlushInterval: -1,
		ErrorLog:      quiet,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}))
	p.server.EnableHTTP2, p.server.Config.ErrorLog = true, quiet
	p.server.StartTLS()
	real.Server = p.server.URL
	real.CertificateAuthorityData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
	for _, c := range config.Contexts {
		c.Namespace = namespace
	}
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Cut cuts all connections of the process.
func (p *Proxy) Cut() { p.server.CloseClientConnections() }

// Close ends the proxy.
func (p *Proxy) Close() {
	p.Cut()
	p.server.Close()
	p.transport.CloseIdleConnections()
}

// Asked is what a request asks for.
type Asked struct {
	Verb, Resource string // as in get pods, create pods/eviction
	Namespace      string // that a namespaced object is in, or that it is
}

// Asks reads from a request what it asks for. It is empty if that is no resource.
func Asks(r *http.Request) Asked {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) < 3 {
		return Asked{}
	}
	if parts = parts[2:]; strings.HasPrefix(r.URL.Path, "/apis/") {
		parts = parts[1:]
	}
	var asked Asked
	if len(parts) >= 2 && parts[0] == "namespaces" {
		asked.Namespace = parts[1]
		if len(parts) >= 3 {
			parts = parts[2:]
		}
	}
	if len(parts) == 0 {
		return Asked{}
	}
	asked.Verb = map[string]string{"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete", "PUT": "update"}[r.Method]
	switch {
	case r.URL.Query().Has("watch"):
		asked.Verb = "watch"
	case asked.Verb == "get" && len(parts) == 1:
		asked.Verb = "list"
	}
	asked.Resource = parts[0]
	if len(parts) == 3 {
		asked.Resource += "/" + parts[2]
	}
	return asked
}
