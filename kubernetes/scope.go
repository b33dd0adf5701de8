package kubernetes

import (
	"path"
	"slices"
	"strings"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Scope is where Caprice acts.
type Scope struct {
	Namespaces []string // globs; none means everywhere
	Excluded   []string // globs that win
}

// Confined tells whether the namespaces are listed by their plain names. Then each is watched by itself, and nothing is
// asked of the whole cluster.
func (s Scope) Confined() bool {
	return len(s.Namespaces) > 0 && !slices.ContainsFunc(s.Namespaces, func(n string) bool { return strings.ContainsAny(n, `*?[\`) })
}

// Within returns the namespaces to ask for one by one, or the one that stands for all.
func (s Scope) Within() []string {
	if s.Confined() {
		return s.Namespaces
	}
	return []string{meta.NamespaceAll}
}

// Contains tells whether Caprice acts in the namespace.
func (s Scope) Contains(namespace string) bool {
	matches := func(glob string) bool {
		ok, err := path.Match(glob, namespace)
		return ok && err == nil
	}
	return (len(s.Namespaces) == 0 || slices.ContainsFunc(s.Namespaces, matches)) && !slices.ContainsFunc(s.Excluded, matches)
}
