package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"caprice/victims"
)

// keys looks at what an object has under Caprice's prefix, whether it is opted in or not: a key that is misspelt may be the
// one that was to opt it in or out. It tells whether something is wrong.
func (f *findings) keys(m victims.Metadata) (wrong bool) {
	for _, place := range []struct {
		what       string
		annotation bool
		keys       map[string]string
	}{{"label", false, m.Labels}, {"annotation", true, m.Annotations}} {
		for _, key := range slices.Sorted(maps.Keys(place.keys)) {
			name, ours := strings.CutPrefix(key, victims.Prefix)
			if !ours {
				continue
			}
			i := slices.IndexFunc(victims.Keys, func(k victims.Key) bool { return k.Name == name })
			switch {
			case i >= 0 && victims.Keys[i].Annotation == place.annotation:
				continue
			case i >= 0 && place.annotation:
				f.add(Error, "key", fmt.Sprintf("annotation %s: want it as a label", key))
			case i >= 0:
				f.add(Error, "key", fmt.Sprintf("label %s: want it as an annotation", key))
			default:
				f.add(Error, "key", fmt.Sprintf("%s %s: there is none; %s", place.what, key, meant(name)))
			}
			wrong = true
		}
	}
	return wrong
}

// meant says which key was.
func meant(name string) string {
	best, distance := "", len(name)/2+1
	for _, k := range victims.Keys {
		if d := edits(name, k.Name); d < distance {
			best, distance = k.Name, d
		}
	}
	if best == "" {
		return "the README has those there are"
	}
	return "did you mean " + victims.Prefix + best + "?"
}

// edits is how many letters have to be put in, taken out or replaced, or neighbours swapped, to make one word another: Damerau,
// A technique for computer detection and correction of spelling errors, 1964.
func edits(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			same := 1
			if a[i-1] == b[j-1] {
				same = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+same)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
