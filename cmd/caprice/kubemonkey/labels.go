package kubemonkey

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"caprice/kubernetes"
	"caprice/victims"
)

// The labels by which workloads opt in to kube-monkey.
const (
	enabledLabel = "kube-monkey/enabled"
	identLabel   = "kube-monkey/identifier"
	mtbfLabel    = "kube-monkey/mtbf"
	modeLabel    = "kube-monkey/kill-mode"
	valueLabel   = "kube-monkey/kill-value"
)

// label is one of Caprice's.
type label struct{ key, value string }

// Command returns the command that opts a workload in to Caprice as it is to kube-monkey, nothing if it is not or would never
// be struck, and what differs.
func (c Config) Command(w kubernetes.WorkloadObject) (command string, differences []string) {
	has := w.Meta.Labels
	if has[enabledLabel] != "enabled" {
		return "", nil
	}
	note := func(format string, args ...any) {
		differences = append(differences, w.Workload.String()+": "+fmt.Sprintf(format, args...))
	}
	if _, identified := has[identLabel]; !identified {
		note("without %s kube-monkey passes it by, and so it is left out.", identLabel)
		return "", differences
	}
	if why := c.outside(w.Namespace); why != "" {
		note("kube-monkey never strikes there, its namespace is %s: it is left out.", why)
		return "", differences
	}
	if kubernetes.Matched([]string{neverStruck}, w.Namespace) {
		note("Caprice never strikes in %s: it is left out.", neverStruck)
		return "", differences
	}
	mean, ok := c.mean(has[mtbfLabel], note)
	if !ok {
		return "", differences
	}
	scale, ok := scaleOf(has, w.Replicas, note)
	if !ok {
		return "", differences
	}
	if w.Replicas != nil && *w.Replicas < 2 {
		note("it wants %d replicas: Caprice spares it unless it has the label caprice.chaos/min-replicas: \"1\".", *w.Replicas)
	}
	words := []string{"kubectl label", strings.ToLower(string(w.Kind)), w.Name, "-n", w.Namespace}
	for _, l := range append([]label{{victims.Enabled, "true"}, {victims.Mean, mean}}, scale...) {
		words = append(words, victims.Prefix+l.key+"="+l.value)
	}
	return strings.Join(words, " "), differences
}

// outside says why kube-monkey never strikes in a namespace, or nothing.
func (c Config) outside(namespace string) string {
	black, white := kubernetes.Scope{Namespaces: c.Main.Blacklist.words()}, kubernetes.Scope{Namespaces: c.Main.Whitelist.words()}
	switch {
	case len(black.Namespaces) > 0 && black.Contains(namespace):
		return "one of blacklisted_namespaces"
	case !c.silent["whitelisted_namespaces"] && !white.Contains(namespace):
		return "none of whitelisted_namespaces"
	}
	return ""
}

// mtbfPattern is what kube-monkey takes; a number without a unit is of days.
var mtbfPattern = regexp.MustCompile(`^([0-9]+)([dhm]?)$`)

// mean translates the mean time between failures. In days it means the same. Of hours kube-monkey makes so many kills a day
// as go into 24, and packs them into the window.
func (c Config) mean(mtbf string, note func(string, ...any)) (string, bool) {
	const mostDays = 9999
	most := func() (string, bool) {
		note("kube-monkey/mtbf %s is more than Caprice plans by: %dd is the longest mean.", mtbf, mostDays)
		return fmt.Sprintf("%dd", mostDays), true
	}
	parts := mtbfPattern.FindStringSubmatch(mtbf)
	if parts == nil || strings.Trim(parts[1], "0") == "" {
		note("kube-monkey/mtbf %q is no whole number of days, hours or minutes above 0, as 2, 2d, 4h or 20m are: kube-monkey passes it by, and so it is left out.", mtbf)
		return "", false
	}
	unit := map[string]int{"m": 1, "h": 60, "d": 24 * 60, "": 24 * 60}[parts[2]] // in minutes
	n, err := strconv.Atoi(parts[1])
	if err != nil || n > mostDays*24*60/unit {
		return most()
	}
	if unit == 24*60 {
		return fmt.Sprintf("%dd", n), true
	}
	d := time.Duration(n*unit) * time.Minute
	const day = 24 * time.Hour
	if d >= day {
		days := strconv.FormatFloat(math.Round(d.Hours()/24*1e6)/1e6, 'f', -1, 64) + "d"
		note("kube-monkey/mtbf %s counts hours of the clock, and so is %s.", mtbf, days)
		return days, true
	}
	mean := victims.Span{Time: d}
	same := victims.Span{Time: max(10*time.Second, time.Duration(float64(d)*c.window().Hours()/24).Round(time.Second))}
	note("kube-monkey/mtbf %s makes %s kills a day, packed into the window. %s means one in that much time within the window: %s a day. For as many as before: %s.",
		mtbf, rate(day, d), mean, rate(c.window(), d), same)
	return mean.String(), true
}

// rate is how often one time goes into another.
func rate(all, one time.Duration) string {
	return strconv.FormatFloat(math.Round(all.Hours()/one.Hours()*10)/10, 'f', -1, 64)
}

// scaleOf translates how many pods die. It reports false if none ever would.
func scaleOf(has map[string]string, replicas *int32, note func(string, ...any)) ([]label, bool) {
	mode, hasMode := has[modeLabel]
	text := has[valueLabel]
	value, err := strconv.Atoi(text)
	switch {
	case !hasMode:
		note("without %s kube-monkey ends each kill with an error, and no pod dies: it is left out.", modeLabel)
		return nil, false
	case mode == string(victims.KillAll):
		note("kill-all: kube-monkey draws as often as there are Running pods, and in older versions may draw one twice, so that some stay. Caprice takes each that is Running, Ready or not.")
		return []label{{victims.KillMode, mode}}, true
	case mode != string(victims.Fixed) && mode != string(victims.FixedPercent) && mode != string(victims.RandomMaxPercent):
		note("kube-monkey/kill-mode %q is none of kube-monkey's: it is left out.", mode)
		return nil, false
	case err != nil:
		note("kube-monkey/kill-value %q is no whole number: it is left out.", text)
		return nil, false
	case value < 1:
		note("kube-monkey/kill-value %d kills no pod: it is left out.", value)
		return nil, false
	case mode != string(victims.Fixed) && value > 100:
		note("kube-monkey/kill-value %d is no percentage: kube-monkey ends each kill with an error, and no pod dies. It is left out.", value)
		return nil, false
	}
	if down, half, now := percents(mode, replicas, value); down != now || half != now {
		note("%d %% of %d pods are %d for kube-monkey, or %d in versions that round down, and %d for Caprice.", value, *replicas, half, down, now)
	}
	return []label{{victims.KillMode, mode}, {victims.KillValue, strconv.Itoa(value)}}, true
}

// percents returns how many pods a fixed percentage is for versions of kube-monkey that round down, for those that round half up
// and for Caprice, the same if that is not known.
func percents(mode string, replicas *int32, value int) (down, half, now int) {
	if mode != string(victims.FixedPercent) || replicas == nil {
		return 0, 0, 0
	}
	n := int(*replicas)
	return n * value / 100, (n*value + 50) / 100, max(1, (n*value+50)/100)
}
