package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"

	"caprice/alerts"
	"caprice/calendar"
	"caprice/calendar/holidays"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/probe"
	"caprice/report/notify"
	"caprice/victims"
)

// prefix begins the name of every environment variable that Caprice reads.
const prefix = "CAPRICE"

// Config is everything that the environment can say. Each field's variable is its name in capitals, words split by _,
// after prefix. The README's table is made from it.
type Config struct {
	DryRun               Switch              `split_words:"true" default:"true" desc:"ask the API server to rehearse each kill, and kill nothing"`
	TimeZone             calendar.Zone       `split_words:"true" default:"UTC" desc:"IANA name of the zone of days and hours"`
	Days                 calendar.Days       `default:"Mon-Fri" desc:"working days, as in Mon-Fri or Tue,Thu"`
	Hours                calendar.Hours      `default:"10:00-16:00" desc:"windows on working days; several with commas; 22:00-02:00 goes on into the next day, until that has its own"`
	Holidays             holidays.Codes      `desc:"whose public holidays are no working days: codes of docs/holidays.md with commas, as in DE-BY,US"`
	Freezes              calendar.Freezes    `desc:"when nothing is killed: dates, both ends in (2026-12-18/2027-01-04), or instants (2026-12-18T17:00:00+01:00/2027-01-04T09:00:00+01:00); several with commas"`
	IcsFiles             Files               `split_words:"true" desc:"iCalendar files in whose events nothing is killed, as paths or globs with commas"`
	MeanTimeBetweenKills victims.Span        `split_words:"true" default:"2d" desc:"mean time between planned kills of a workload: working days (2d), 0.0005d or more, or time inside the windows (4h, 90m, 20s), 10s or more"`
	MinTimeBetweenKills  Optional            `split_words:"true" desc:"minimum within one day, in the same units; empty: 1d if the mean is 1d or more, else half of it"`
	KillMode             string              `split_words:"true" default:"fixed" desc:"fixed, fixed-percent, random-max-percent, kill-all or pdb"`
	KillValue            Number              `split_words:"true" desc:"how many pods for fixed (empty: 1), 1 to 100 for the percents, none for the others"`
	MinReplicas          Count               `split_words:"true" default:"2" desc:"spare a workload that wants fewer replicas"`
	MinAge               Age                 `split_words:"true" default:"10m" desc:"younger pods do not die; 0s: pods of any age do"`
	Namespaces           Globs               `desc:"where to act, as names or globs with commas; empty: everywhere. Plain names alone confine it: nothing is asked of the whole cluster. In the chart give those as namespaces, which grants rights in these alone, and only globs in config"`
	ExcludedNamespaces   Globs               `split_words:"true" default:"kube-*" desc:"where never to act, besides its own namespace"`
	Method               victims.Method      `default:"delete" desc:"how pods are removed: delete or evict"`
	RespectPDB           Switch              `split_words:"true" default:"true" desc:"spare a workload rather than delete pods against a PodDisruptionBudget; evictions the API server itself refuses"`
	GracePeriod          victims.GracePeriod `split_words:"true" desc:"how long pods get to stop, in whole seconds, 1s to 24h, as in 30s; empty: the pod's own"`
	LateGrace            Patience            `split_words:"true" default:"1m" desc:"a kill that is later than this, 1s to 24h, is missed, never caught up"`
	RecoveryDeadline     Patience            `split_words:"true" default:"2m30s" desc:"how long a workload has to be whole again after a kill, 1s to 24h; its minReadySeconds, and what its pods may take to stop beyond 30s, come on top"`
	AcknowledgeAfter     Age                 `split_words:"true" default:"24h" desc:"how long a workload that did not recover is spared if nobody acknowledges that"`
	MaxUnrecovered       Count               `split_words:"true" default:"5" desc:"kill nothing more while this many kills in the cluster are recovering, or did not recover and are not acknowledged; 0: no limit"`

	MaxUnrecoveredPerNamespace Count `split_words:"true" default:"0" desc:"the same in one namespace; 0: no limit"`
	MaxKillsPerDay             Count `split_words:"true" default:"0" desc:"most kills in the cluster on one day; 0: no limit"`
	MaxKillsPerDayPerNamespace Count `split_words:"true" default:"0" desc:"the same in one namespace; 0: no limit"`

	MinTimeBetweenAnyKills Age       `split_words:"true" default:"0s" desc:"least time between any two kills, of whatever workloads"`
	History                Retention `default:"720h" desc:"how long records of kills are kept, at least 48h; open ones stay, and unacknowledged ones for ACKNOWLEDGE_AFTER"`
	HistoryLimit           Count     `split_words:"true" default:"10000" desc:"most records that are kept, the newest, up to 65535; those of the last 48h, open and unacknowledged ones stay all the same; 0: no limit"`
	NotificationsFile      string    `split_words:"true" desc:"file that says who is notified of what, as in docs/notifications.md; the chart sets it"`

	HaltOnAlerts          alerts.Matchers `split_words:"true" desc:"matchers of alerts that halt all chaos while they fire, as in severity=\"page\",team=~\"shop-.*\"; empty: none do"`
	HaltOnAlertsURL       alerts.Address  `split_words:"true" desc:"where those are listed, in full: http://alertmanager:9093/api/v2/alerts or http://prometheus:9090/api/v1/alerts"`
	HaltOnAlertsTokenFile string          `split_words:"true" desc:"file with a bearer token for that; empty: none is sent"`

	ProbeNamespaces Globs           `split_words:"true" default:"*" desc:"whose hypotheses are asked, as names or globs with commas; those of other namespaces spare their workloads"`
	ProbeUrls       probe.Addresses `split_words:"true" default:"*.{namespace}.svc,*.{namespace}.svc.cluster.local" desc:"what hypotheses may ask by http and prometheus: hosts, also as globs, if need be with a scheme, a port and the beginning of a path; {namespace} is the hypothesis's own"`
	PrometheusURL   probe.Server    `split_words:"true" desc:"the Prometheus of hypotheses that name none; who may write one can ask all that it has"`

	Listen     Socket `default:":8080" desc:"address of /healthz, /readyz and /metrics"`
	Deployment string `desc:"name of Caprice's own Deployment, which Events about itself regard; the chart sets it"`
	MayEvict   Switch `split_words:"true" default:"true" desc:"whether its account has the right to evict: check and explain name who asks for that in vain; the chart sets it by rbac.evict"`

	RequirePodLabel Switch `split_words:"true" default:"false" desc:"spare pods whose own label caprice.chaos/enabled is not \"true\": the API server refuses these, and all evictions; the chart sets it by guard.requirePodLabel"`
}

// readConfig reads the environment. Its error is one line that names the variable and says what would be right.
func readConfig() (Config, error) {
	var c Config
	if err := envconfig.CheckDisallowed(prefix, &c); err != nil {
		return c, fmt.Errorf("%w: want one of those in the README; a Service whose name begins with caprice adds some, unless enableServiceLinks is false", err)
	}
	var parse *envconfig.ParseError
	if err := envconfig.Process(prefix, &c); errors.As(err, &parse) {
		return c, fmt.Errorf("%s=%q: %w", parse.KeyName, parse.Value, parse.Err)
	} else if err != nil {
		return c, err
	}
	pace := victims.Pace{Mean: c.MeanTimeBetweenKills, Minimum: c.MinTimeBetweenKills.Span}
	wrong := pace.Check()
	for _, day := range (calendar.Calendar{Days: c.Days, Hours: c.Hours}).Lengths() {
		wrong = cmp.Or(wrong, pace.CheckOn(day))
	}
	if wrong != nil {
		return c, fmt.Errorf("%s_MEAN_TIME_BETWEEN_KILLS and %s_MIN_TIME_BETWEEN_KILLS: %w", prefix, prefix, wrong)
	}
	if _, err := victims.ParseScale(c.KillMode, c.KillValue.int); err != nil {
		return c, fmt.Errorf("%s_KILL_MODE and %s_KILL_VALUE: %w", prefix, prefix, err)
	}
	if (len(c.HaltOnAlerts) > 0) != (c.HaltOnAlertsURL.String() != "") {
		return c, fmt.Errorf("%s_HALT_ON_ALERTS and %s_HALT_ON_ALERTS_URL: want both, or neither", prefix, prefix)
	}
	if c.HaltOnAlertsTokenFile != "" && len(c.HaltOnAlerts) == 0 {
		return c, fmt.Errorf("%s_HALT_ON_ALERTS_TOKEN_FILE=%q: want %s_HALT_ON_ALERTS and %s_HALT_ON_ALERTS_URL beside it", prefix, c.HaltOnAlertsTokenFile, prefix, prefix)
	}
	return c, nil
}

// variables returns what c is read from, each value written so that it reads back the same.
func (c Config) variables() map[string]string {
	values := make(map[string]string)
	for field, value := range reflect.ValueOf(c).Fields() {
		values[variable(field.Name)] = fmt.Sprint(value.Interface())
	}
	return values
}

var wordBoundary = regexp.MustCompile(`([a-z])([A-Z])`)

// variable is what envconfig makes of the name of a field.
func variable(field string) string {
	return prefix + "_" + strings.ToUpper(wordBoundary.ReplaceAllString(field, "${1}_$2"))
}

// runner returns one that goes by the configuration, and has yet to be told of the world.
func (c Config) runner(seed chaos.Seed, cal calendar.Calendar) *chaos.Runner {
	r := chaos.NewRunner(seed)
	r.Calendar, r.Limits = cal, c.limits()
	r.LateGrace, r.RecoveryDeadline, r.MinAge = time.Duration(c.LateGrace), time.Duration(c.RecoveryDeadline), time.Duration(c.MinAge)
	r.AcknowledgeAfter = time.Duration(c.AcknowledgeAfter)
	r.DryRun, r.RespectPDB = bool(c.DryRun), bool(c.RespectPDB)
	return r
}

// terms are what holds for a workload whose owner is silent.
func (c Config) terms(cal calendar.Calendar) victims.Terms {
	scale, _ := victims.ParseScale(c.KillMode, c.KillValue.int) // readConfig has refused what is wrong
	return victims.Terms{
		Pace:        victims.Pace{Mean: c.MeanTimeBetweenKills, Minimum: c.MinTimeBetweenKills.Span},
		Scale:       scale,
		MinReplicas: int(c.MinReplicas),
		Method:      c.Method,
		Grace:       c.GracePeriod,
		Calendar:    cal,
	}
}

func (c Config) limits() chaos.Limits {
	return chaos.Limits{
		Unrecovered: int(c.MaxUnrecovered), UnrecoveredPerNamespace: int(c.MaxUnrecoveredPerNamespace),
		KillsPerDay: int(c.MaxKillsPerDay), KillsPerDayPerNamespace: int(c.MaxKillsPerDayPerNamespace),
		BetweenAny: time.Duration(c.MinTimeBetweenAnyKills),
	}
}

// notifier reads who is notified; nobody is without a file.
func (c Config) notifier() (*notify.Notifier, error) {
	n := &notify.Notifier{}
	if c.NotificationsFile != "" {
		var err error
		if n, err = notify.Read(c.NotificationsFile); err != nil {
			return nil, fmt.Errorf("%s_NOTIFICATIONS_FILE: %w", prefix, err)
		}
	}
	n.DryRun, n.Zone = bool(c.DryRun), c.TimeZone.Location()
	return n, nil
}

// alerts returns those that halt chaos, nil if none do.
func (c Config) alerts() *alerts.Alerts {
	if len(c.HaltOnAlerts) == 0 {
		return nil
	}
	return &alerts.Alerts{Address: c.HaltOnAlertsURL, Matchers: c.HaltOnAlerts, TokenFile: c.HaltOnAlertsTokenFile}
}

func (c Config) scope(own string) kubernetes.Scope {
	return kubernetes.Scope{Namespaces: c.Namespaces, Excluded: slices.Concat(c.ExcludedNamespaces, Globs{own})}
}

// Switch is true or false and nothing else: 0 or no could be meant either way.
type Switch bool

// UnmarshalText reads true or false.
func (s *Switch) UnmarshalText(b []byte) error {
	switch string(b) {
	case "true":
		*s = true
	case "false":
		*s = false
	default:
		return errors.New("want true or false")
	}
	return nil
}

// Socket is where a server listens: a host, or none for all of this one, and a port.
type Socket string

// UnmarshalText reads an address, as in :8080.
func (s *Socket) UnmarshalText(b []byte) error {
	_, port, err := net.SplitHostPort(string(b))
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errListen
	}
	*s = Socket(b)
	return nil
}

var errListen = errors.New("want an address to listen on, as in :8080")

// Optional is a span, or nil for the default.
type Optional struct{ *victims.Span }

// UnmarshalText reads a span, or nothing.
func (o *Optional) UnmarshalText(b []byte) error {
	o.Span = nil
	if len(b) == 0 {
		return nil
	}
	o.Span = new(victims.Span)
	return o.Span.UnmarshalText(b)
}

// String returns the span, or nothing.
func (o Optional) String() string {
	if o.Span == nil {
		return ""
	}
	return o.Span.String()
}

// Number is a whole number, or nil for the default.
type Number struct{ *int }

// UnmarshalText reads a whole number, or nothing.
func (n *Number) UnmarshalText(b []byte) error {
	n.int = nil
	if len(b) == 0 {
		return nil
	}
	value, err := strconv.Atoi(string(b))
	if err != nil {
		return errors.New("want a whole number")
	}
	n.int = &value
	return nil
}

// String returns the number, or nothing.
func (n Number) String() string {
	if n.int == nil {
		return ""
	}
	return strconv.Itoa(*n.int)
}

// Count is a whole number. Zeros before it mean nothing.
type Count uint16

// UnmarshalText reads decimal digits.
func (c *Count) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 10, 16)
	if err != nil {
		return fmt.Errorf("want a whole number from 0 to %d", math.MaxUint16)
	}
	*c = Count(n)
	return nil
}

// Patience is a duration of a second to victims.MostPatience.
type Patience time.Duration

// UnmarshalText reads a duration, as in 1m.
func (p *Patience) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil || d < time.Second || d > victims.MostPatience {
		return errors.New("want a duration of 1s to 24h, as in 1m")
	}
	*p = Patience(d)
	return nil
}

// String returns the duration.
func (p Patience) String() string { return time.Duration(p).String() }

// Age is a duration that is not negative.
type Age time.Duration

// UnmarshalText reads a duration, as in 10m.
func (a *Age) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil || d < 0 {
		return errors.New("want a duration of 0s or more, as in 10m")
	}
	*a = Age(d)
	return nil
}

// String returns the duration.
func (a Age) String() string { return time.Duration(a).String() }

// Retention is a duration of leastHistory or more.
type Retention time.Duration

// leastHistory is how long all records are kept: a leader counts by those of yesterday and today.
const leastHistory = 48 * time.Hour

// UnmarshalText reads a duration, as in 720h.
func (r *Retention) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil || d < leastHistory {
		return errors.New("want a duration of 48h or more, as in 720h")
	}
	*r = Retention(d)
	return nil
}

// String returns the duration.
func (r Retention) String() string { return time.Duration(r).String() }

// Globs are namespaces, with the wildcards of path.Match, each once.
type Globs []string

// glob is what can take a name of a namespace: what cannot, as a shell's [!a] or {a,b}, was meant otherwise.
var glob = regexp.MustCompile(`^([-a-z0-9*?]|\[\^?([a-z0-9](-[a-z0-9])?)+\])+$`)

// UnmarshalText reads names or globs separated by commas, or nothing.
func (g *Globs) UnmarshalText(b []byte) error {
	*g = nil
	if len(b) == 0 {
		return nil
	}
	for name := range strings.SplitSeq(string(b), ",") {
		name = strings.TrimSpace(name)
		_, bad := path.Match(name, "")
		_, empty := regexp.Compile(strings.NewReplacer("*", ".*", "?", ".").Replace(name)) // it refuses a set such as [z-a], in which path.Match finds nothing
		if !glob.MatchString(name) || bad != nil || empty != nil {
			return fmt.Errorf("namespace %q: want names or globs separated by commas, as in shop,team-*,[^a-c]*", name)
		}
		if !slices.Contains(*g, name) {
			*g = append(*g, name)
		}
	}
	return nil
}

// String returns the globs, separated by commas.
func (g Globs) String() string { return strings.Join(g, ",") }
