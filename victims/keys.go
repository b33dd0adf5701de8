package victims

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Prefix begins every label and annotation that Caprice reads.
const Prefix = "caprice.chaos/"

// The labels and annotations of the owner's contract, without Prefix. Terms are read from labels if they can be selected
// by, and from annotations if their values cannot be labels.
const (
	Enabled     = "enabled"
	Mean        = "mean-time-between-kills"
	Minimum     = "min-time-between-kills"
	KillMode    = "kill-mode"
	KillValue   = "kill-value"
	MinReplicas = "min-replicas"
	Notify      = "notify" // no term, since it moves no kill

	TimeZone    = "time-zone"
	WorkingDays = "days"
	WorkHours   = "hours"
	KillMethod  = "method"
	Grace       = "grace-period"
	Heal        = "recovery-deadline"
)

// OptIn is the label that opts a workload in, or all of a namespace.
const OptIn = Prefix + Enabled

// Key is one label or annotation of the owner's contract, as the README's tables show it.
type Key struct {
	Name       string
	Annotation bool
	Values     string
	Default    string
}

// Keys are all labels, then all annotations, that Caprice knows. Any other under Prefix is an error in the owner's terms.
var Keys = []Key{
	{Enabled, false, "`\"true\"` opts in, `\"false\"` opts out and wins", "out"},
	{Mean, false, "working days (`2d`, `1.5d`), or time inside the windows (`4h`, `90m`, `20s`), `10s` or more", "`MEAN_TIME_BETWEEN_KILLS`"},
	{Minimum, false, "the same from `0s` on, `1d` and the mean at most; holds within one working day", "`1d` if the mean is `1d` or more, else half of it"},
	{KillMode, false, "`fixed`, `fixed-percent`, `random-max-percent`, `kill-all`, `pdb`", "`KILL_MODE`"},
	{KillValue, false, "how many pods for `fixed`, 1 to 100 for the percents, none for the others", "1 for `fixed`"},
	{MinReplicas, false, "spare the workload if it wants fewer replicas than this", "`MIN_REPLICAS`"},
	{Notify, false, "who besides is told what becomes of its kills: names of [notification targets](docs/notifications.md), with dots between (`shop-team.sre`)", "nobody"},
	{TimeZone, true, "an IANA name: `Europe/Berlin`", "`TIME_ZONE`"},
	{WorkingDays, true, "`Mon-Fri`, `Tue,Thu`", "`DAYS`"},
	{WorkHours, true, "`10:00-16:00`, `09:00-12:00,13:00-17:00`, `22:00-02:00`", "`HOURS`"},
	{KillMethod, true, "`delete` or `evict`, which needs `rbac.evict: true` in the chart's values", "`METHOD`"},
	{Grace, true, "whole seconds, `1s` to `24h`: `30s`", "the pod's own, unless `GRACE_PERIOD` is set"},
	{Heal, true, "how long it may take to be whole again, `1s` to `24h`: `90s`, `5m`", "`RECOVERY_DEADLINE`"},
}

// Metadata is what an owner wrote on one object.
type Metadata struct {
	Labels, Annotations map[string]string
}

// WrongKeys returns an error for each key under Prefix that Caprice does not read: what is misspelt may have meant to spare, or to
// opt in.
func (m Metadata) WrongKeys() (wrong []error) {
	for _, place := range []struct {
		what       string
		annotation bool
		keys       map[string]string
	}{{"label", false, m.Labels}, {"annotation", true, m.Annotations}} {
		for _, key := range slices.Sorted(maps.Keys(place.keys)) {
			name, ours := strings.CutPrefix(key, Prefix)
			if !ours {
				continue
			}
			i := slices.IndexFunc(Keys, func(k Key) bool { return k.Name == name })
			want := ""
			switch {
			case i < 0:
				want = "there is none; " + meant(name)
			case Keys[i].Annotation && !place.annotation:
				want = "want it as an annotation"
			case !Keys[i].Annotation && place.annotation:
				want = "want it as a label"
			default:
				continue
			}
			wrong = append(wrong, fmt.Errorf("%s %s: %s", place.what, key, want))
		}
	}
	return wrong
}

// meant says which key was.
func meant(name string) string {
	best, distance := "", len(name)/2+1
	for _, k := range Keys {
		if d := edits(name, k.Name); d < distance {
			best, distance = k.Name, d
		}
	}
	if best == "" {
		return "the README has those there are"
	}
	return "the nearest is " + Prefix + best
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
