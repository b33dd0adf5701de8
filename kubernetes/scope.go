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
	return (len(s.Namespaces) == 0 || Matched(s.Namespaces, namespace)) && !Matched(s.Excluded, namespace)
}

// Nowhere tells whether it is confined to namespaces none of which Caprice acts in.
func (s Scope) Nowhere() bool {
	return s.Confined() && !slices.ContainsFunc(s.Namespaces, s.Contains)
}

// Matched tells whether one of the globs takes the name.
func Matched(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool {
		ok, err := path.Match(glob, name)
		return ok && err == nil
	})
}
