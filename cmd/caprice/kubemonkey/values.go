package kubemonkey

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"caprice/kubernetes"
	"caprice/victims"
)

// Value is one of config in the chart's values.
type Value struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// neverStruck are the namespaces in which Caprice never kills, besides its own.
const neverStruck = "kube-*"

// Values returns what of Caprice's configuration comes nearest, the namespaces that the chart confines it to, and what differs,
// each in a sentence.
func (c Config) Values() (values []Value, namespaces, differences []string) {
	m, namespaces := c.Main, []string{}
	days, _ := c.days() // Read has refused what is wrong
	note := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	values = []Value{
		{"DRY_RUN", fmt.Sprint(m.DryRun)},
		{"TIME_ZONE", m.TimeZone},
		{"DAYS", days},
		{"HOURS", fmt.Sprintf("%02d:00-%02d:00", m.StartHour, m.EndHour)},
	}
	if c.silent["time_zone"] {
		note("time_zone is not set: kube-monkey then keeps the hours of America/Los_Angeles, and so do these values. Caprice's own default is UTC.")
	}
	note("dry_run: kube-monkey logs what it would kill. Caprice's dry run has the API server rehearse each kill, and writes a record.")
	note("run_hour %d has no counterpart: the plan of any day is known at any time to whoever may read the seed, by 'caprice plan'.", m.RunHour)
	allowed, excluded := c.allowed(), c.excluded()
	if c.silent["whitelisted_namespaces"] {
		note("whitelisted_namespaces is not set: kube-monkey 0.5 acts in namespace default alone then, 0.7 everywhere. These values have the narrower, while the commands opt in workloads of all; leave namespaces out for everywhere.")
	}
	if (kubernetes.Scope{Namespaces: allowed}).Confined() {
		for _, name := range allowed {
			switch {
			case kubernetes.Matched([]string{neverStruck}, name):
				note("namespaces: Caprice never strikes in %s: %s is left out.", neverStruck, name)
			case kubernetes.Matched(excluded, name):
				note("namespaces: kube-monkey never strikes in %s, which is one of blacklisted_namespaces as well: it is left out.", name)
			default:
				namespaces = append(namespaces, name)
			}
		}
		note("namespaces: the chart gives Caprice rights in these alone, and they have to exist before it is installed. kube-monkey has rights in the whole cluster.")
	} else if len(allowed) > 0 {
		values = append(values, Value{"NAMESPACES", strings.Join(allowed, ",")})
	}
	values = append(values, Value{"EXCLUDED_NAMESPACES", strings.Join(excluded, ",")})
	note("blacklisted_namespaces: in %s and in its own namespace Caprice never kills, also where kube-monkey's list is shorter or disabled.", neverStruck)
	note("Lists in environment variables kube-monkey splits at blanks, as in KUBEMONKEY_WHITELISTED_NAMESPACES=\"shop team\"; Caprice at commas, as in CAPRICE_NAMESPACES=shop,team.")
	c.grace(note)
	c.gates(note)
	c.absent(note)
	return values, namespaces, differences
}

// allowed are the namespaces that are listed, each once; none means everywhere.
func (c Config) allowed() []string {
	if c.silent["whitelisted_namespaces"] {
		return []string{"default"}
	}
	var names []string
	for _, name := range c.Main.Whitelist.words() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// excluded are those in which neither strikes.
func (c Config) excluded() []string {
	names := []string{neverStruck}
	for _, name := range c.Main.Blacklist.words() {
		if !strings.HasPrefix(name, "kube-") {
			names = append(names, name)
		}
	}
	return names
}

func (c Config) grace(note func(string, ...any)) {
	seconds := 5
	if c.Main.Grace != nil {
		seconds = *c.Main.Grace
	}
	note("graceperiod_sec: kube-monkey sends %d seconds with each deletion, whatever the pod has asked for. Caprice leaves the grace period to the pod; config.GRACE_PERIOD: %ds forces it.", seconds, min(max(1, seconds), int(victims.MostPatience/time.Second)))
}

// gates has what Caprice looks at before a kill and kube-monkey does not.
func (c Config) gates(note func(string, ...any)) {
	note("Candidates: kube-monkey takes pods that are Running. Caprice wants them Ready too (but for kill-all), and older than config.MIN_AGE, 10m.")
	note("Single replicas: kube-monkey kills them. Caprice spares workloads that want fewer than config.MIN_REPLICAS, 2; \"1\" kills them as before.")
	note("A rollout, replicas that are missing, a PodDisruptionBudget or kills that have not recovered do not stop kube-monkey. They stop Caprice, with a record that says why.")
	note("Which pods: kube-monkey goes by labels, so that two workloads of one identifier share their pods. Caprice takes the pods that the workload controls.")
	note("Percentages: kube-monkey rounds half up, in older versions down, and may kill none. Caprice rounds half up and kills at least one; random-max-percent draws from 1 on, not from 0.")
	note("kube-monkey draws anew when it restarts. Caprice's plan of a day stays as it is.")
}

// absent has what is set and has no counterpart.
func (c Config) absent(note func(string, ...any)) {
	for _, r := range c.Main.CustomResources {
		note("custom_resources: %s.%s has no counterpart, Caprice knows Deployments, StatefulSets and DaemonSets alone.", r.Resource, r.Group)
	}
	if len(c.Notifications) > 0 {
		note("notifications are not translated: Caprice writes a record and an Event for each kill, and has settings of its own for the rest.")
	}
	if len(c.Metrics) > 0 {
		note("metrics are not translated: Caprice has settings and names of its own.")
	}
	if enabled, _ := c.Debug["enabled"].(bool); enabled {
		note("debug has no counterpart, and kills at once or in any case. To see a kill soon, use a short mean and long hours: caprice.chaos/mean-time-between-kills: 20s.")
	}
	if c.Kubernetes.Host != "" {
		note("kubernetes.host has no counterpart: Caprice speaks to the API server that its pod is told of.")
	}
	var unknown []string
	for _, key := range c.undecoded {
		if slices.Contains([]string{"debug", "notifications", "metrics"}, strings.ToLower(key[0])) {
			continue // told of above
		}
		unknown = append(unknown, key.String())
	}
	slices.Sort(unknown)
	for _, key := range unknown {
		note("%s is none of kube-monkey's keys: it has been without effect.", key)
	}
}
