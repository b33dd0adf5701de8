// Package kubemonkey says which settings and labels of Caprice come nearest to those of kube-monkey, and what differs.
package kubemonkey

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"caprice/calendar"
	"caprice/kubernetes"
)

// Config is what kube-monkey's config.toml says, of versions 0.5 to 0.7, with the defaults of these.
type Config struct {
	Main struct {
		DryRun          bool   `toml:"dry_run"`
		TimeZone        string `toml:"time_zone"`
		RunHour         int    `toml:"run_hour"`
		StartHour       int    `toml:"start_hour"`
		EndHour         int    `toml:"end_hour"`
		RunDays         list   `toml:"run_days"`
		Grace           *int   `toml:"graceperiod_sec"`
		Whitelist       list   `toml:"whitelisted_namespaces"`
		Blacklist       list   `toml:"blacklisted_namespaces"`
		CustomResources []struct {
			Group, Version, Resource string
			PodLabel                 string `toml:"pod_label"`
		} `toml:"custom_resources"`
	} `toml:"kubemonkey"`
	Debug         map[string]any
	Notifications map[string]any
	Metrics       map[string]any
	Kubernetes    struct{ Host string }

	undecoded []toml.Key
	silent    map[string]bool // keys of the main section that are not there
}

// list is a list of words. What is one text kube-monkey splits at blanks.
type list []string

// UnmarshalTOML reads a list or a text.
func (l *list) UnmarshalTOML(value any) error {
	switch v := value.(type) {
	case string:
		*l = strings.Fields(v)
		return nil
	case []any:
		*l = list{}
		for _, item := range v {
			text, ok := item.(string)
			if !ok {
				return fmt.Errorf("%v: want texts", item)
			}
			*l = append(*l, text)
		}
		return nil
	}
	return fmt.Errorf("%v: want a list of texts", value)
}

// words returns those that are not empty: an empty one disables the list.
func (l list) words() []string {
	return slices.DeleteFunc(slices.Clone(l), func(s string) bool { return strings.TrimSpace(s) == "" })
}

// What a namespace may be called, and a pattern of such names: the chart takes no other.
var (
	plainName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	pattern   = regexp.MustCompile(`^([-a-z0-9*?]|\[\^?([a-z0-9](-[a-z0-9])?)+\])+$`)
)

// Read reads config.toml. An error is one line that names the key.
func Read(text string) (Config, error) {
	var c Config
	m := &c.Main
	m.DryRun, m.TimeZone, m.RunHour, m.StartHour, m.EndHour = true, "America/Los_Angeles", 8, 10, 16
	data, err := toml.Decode(text, &c)
	var broken toml.ParseError
	if errors.As(err, &broken) {
		return c, fmt.Errorf("line %d: %s", broken.Position.Line, broken.Message)
	}
	if err != nil {
		return c, err
	}
	c.undecoded, c.silent = data.Undecoded(), map[string]bool{}
	for _, key := range []string{"time_zone", "whitelisted_namespaces"} {
		c.silent[key] = !data.IsDefined("kubemonkey", key)
	}
	if !c.silent["whitelisted_namespaces"] && len(m.Whitelist) == 0 {
		return c, errors.New(`whitelisted_namespaces: it is empty, so that kube-monkey strikes nowhere; want [""] for everywhere, or names`)
	}
	if m.StartHour < 0 || m.EndHour > 23 || m.StartHour >= m.EndHour {
		return c, fmt.Errorf("start_hour %d and end_hour %d: want the one before the other, in 0 to 23", m.StartHour, m.EndHour)
	}
	for _, name := range append(m.Whitelist.words(), m.Blacklist.words()...) {
		if _, err := path.Match(name, ""); err != nil || !plainName.MatchString(name) && (!pattern.MatchString(name) || !strings.ContainsAny(name, "*?[")) {
			return c, fmt.Errorf("namespace %q: want a name or a pattern, as in team-*", name)
		}
	}
	if (kubernetes.Scope{Namespaces: c.allowed(), Excluded: c.excluded()}).Nowhere() {
		if c.silent["whitelisted_namespaces"] {
			return c, errors.New("whitelisted_namespaces is not set, and default, which kube-monkey 0.5 acts in alone then, is in blacklisted_namespaces: want the namespaces to act in, or [\"\"] for everywhere")
		}
		return c, fmt.Errorf("whitelisted_namespaces: Caprice strikes nowhere, since of %s each is in blacklisted_namespaces or %s; want one that is in neither", strings.Join(c.allowed(), ", "), neverStruck)
	}
	var zone calendar.Zone
	if err := zone.UnmarshalText([]byte(m.TimeZone)); err != nil {
		return c, fmt.Errorf("time_zone: %w", err)
	}
	_, err = c.days()
	return c, err
}

// days returns the working days in Caprice's words.
func (c Config) days() (string, error) {
	words := c.Main.RunDays.words()
	if len(words) == 0 {
		return "Mon-Fri", nil
	}
	var names []string
	for _, word := range words {
		for word := range strings.FieldsFuncSeq(word, func(r rune) bool { return r == ',' || r == ' ' }) {
			names = append(names, capitalized(strings.ToLower(word)))
		}
	}
	text := strings.Join(names, ",")
	var days calendar.Days
	if err := days.UnmarshalText([]byte(text)); err != nil {
		return "", fmt.Errorf("run_days: %w", err)
	}
	return days.String(), nil
}

func capitalized(name string) string {
	parts := strings.Split(name, "-")
	for i, p := range parts {
		if p != "" {
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "-")
}

// window is how long a day's window is.
func (c Config) window() time.Duration {
	return time.Duration(c.Main.EndHour-c.Main.StartHour) * time.Hour
}
