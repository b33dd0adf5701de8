package main

import (
	"errors"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/probe"
)

// questions makes questions of the probes of hypotheses.
type questions struct {
	client *kubernetes.Client
	prober *probe.Prober
}

func (c Config) prober() *probe.Prober {
	return &probe.Prober{Allowed: c.ProbeUrls, Server: c.PrometheusURL, UserAgent: "caprice/" + version}
}

// ask returns what a probe of a hypothesis in a namespace asks.
func (q questions) ask(namespace string, p *v1alpha1.Probe) (chaos.Question, error) {
	switch {
	case p.HTTP != nil:
		h := probe.HTTP{URL: p.HTTP.URL, Method: p.HTTP.Method, Least: 200, Most: 299, MaxLatency: p.HTTP.MaxLatency.Or(0), Path: p.HTTP.JSONPath}
		if s := p.HTTP.Status; s != nil {
			h.Least, h.Most = int(s.Min), int(s.Max)
		}
		h.Equals = text(p.HTTP.Equals)
		return q.prober.HTTP(namespace, h)
	case p.Prometheus != nil:
		m := p.Prometheus
		return q.prober.Prometheus(namespace, probe.Prometheus{Server: m.Server, Query: m.Query, Min: text(m.Min), Max: text(m.Max)})
	case p.Kubernetes != nil:
		k := p.Kubernetes
		if k.Kind == "Secret" {
			return nil, errors.New("records would tell what is in a Secret: want another kind")
		}
		object := &kubernetes.Object{Client: q.client, Namespace: namespace, APIVersion: k.APIVersion, Kind: k.Kind, Name: k.Name}
		return probe.Field(object, k.JSONPath, k.Equals)
	}
	return nil, errors.New("want exactly one of http, prometheus and kubernetes")
}

func text(t *string) string {
	if t == nil {
		return ""
	}
	return *t
}
