package victims

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Exclusion is why a pod may not die.
type Exclusion string

// The exclusions.
const (
	Critical    Exclusion = "system-critical"
	Static      Exclusion = "static"
	Unlabelled  Exclusion = "without the label " + OptIn + "=true"
	Terminating Exclusion = "terminating"
	NotRunning  Exclusion = "not Running"
	NotReady    Exclusion = "not Ready"
	TooYoung    Exclusion = "too young"
)

// exclusions are all of them, in the order in which people see them. A pod has the first that holds; it is too young only
// if nothing else is in the way.
var exclusions = []Exclusion{Critical, Static, Unlabelled, Terminating, NotRunning, NotReady, TooYoung}

// LeftOut is how many pods were left out for which exclusion.
type LeftOut map[Exclusion]int

// String returns the numbers, as in "2 not Ready, 1 terminating".
func (l LeftOut) String() string {
	var parts []string
	for _, e := range exclusions {
		if l[e] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", l[e], e))
		}
	}
	return strings.Join(parts, ", ")
}

// Candidates returns the pods that may die in the given mode, in the order of their names, and why the others may not. For
// kill-all they need not be Ready. Pods that were created after bornBy are too young.
func Candidates(pods []Pod, mode Mode, bornBy time.Time) ([]Pod, LeftOut) {
	var candidates []Pod
	left := LeftOut{}
	for _, p := range pods {
		if e := p.Excluded(mode, bornBy); e != "" {
			left[e]++
			continue
		}
		candidates = append(candidates, p)
	}
	slices.SortFunc(candidates, func(a, b Pod) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID)) })
	return candidates, left
}

// Excluded returns why the pod may not die in the given mode, empty if it may. Created after bornBy, it is too young.
func (p Pod) Excluded(mode Mode, bornBy time.Time) Exclusion {
	switch {
	case p.Critical:
		return Critical
	case p.Static:
		return Static
	case p.Unlabelled:
		return Unlabelled
	case p.Terminating:
		return Terminating
	case !p.Running:
		return NotRunning
	case !p.Ready && mode != KillAll:
		return NotReady
	case p.Created.After(bornBy):
		return TooYoung
	}
	return ""
}
