package kubernetes

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"caprice/victims"
)

// resources are what the kinds of workloads are called in requests.
var resources = map[victims.Kind]schema.GroupVersionResource{
	victims.Deployment:  {Group: "apps", Version: "v1", Resource: "deployments"},
	victims.StatefulSet: {Group: "apps", Version: "v1", Resource: "statefulsets"},
	victims.DaemonSet:   {Group: "apps", Version: "v1", Resource: "daemonsets"},
}

var namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}

var shortKinds = map[string]victims.Kind{"deploy": victims.Deployment, "sts": victims.StatefulSet, "ds": victims.DaemonSet}

// KindOf returns the kind that people call deploy, deployment, deployments or deployment.apps.
func KindOf(word string) (victims.Kind, error) {
	short := strings.TrimSuffix(strings.ToLower(word), ".apps")
	if kind, ok := shortKinds[short]; ok {
		return kind, nil
	}
	for _, kind := range victims.Kinds {
		if name := strings.ToLower(string(kind)); short == name || short == resources[kind].Resource {
			return kind, nil
		}
	}
	return "", fmt.Errorf("kind %q: want deployment, statefulset or daemonset, as in deploy/web", word)
}

// ParseWorkload reads deploy/web. It reports false for a word without a kind.
func ParseWorkload(namespace, text string) (w victims.Workload, named bool, err error) {
	word, name, named := strings.Cut(text, "/")
	if !named {
		return victims.Workload{Namespace: namespace, Name: text}, false, nil
	}
	kind, err := KindOf(word)
	return victims.Workload{Kind: kind, Namespace: namespace, Name: name}, true, err
}
