package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"caprice/calendar"
	"caprice/chaos"
	"caprice/kubernetes"
)

// What a leader publishes besides its variables.
const (
	versionKey = "version"
	planKey    = "plan-key"
	filePrefix = "file."       // then which it is, and the name of an .ics file
	unsaidKey  = "unpublished" // why there is nothing else
	mostText   = 900_000       // bytes of files; a ConfigMap holds little more
)

// effective is what a leader publishes of itself: its variables, the files that they name, its version and plan key. Of files
// that are too long for that it publishes why it says nothing: without them nobody could tell when kills may happen.
func (c Config) effective(seed chaos.Seed, files []file) map[string]string {
	data := c.variables()
	data[versionKey], data[planKey] = version, seed.PlanKey()
	size := 0
	for i, f := range files {
		if size += len(f.text); size > mostText {
			why := fmt.Sprintf("%s_ICS_FILES are more than %d bytes together: want less, so that commands can read them", prefix, mostText)
			return map[string]string{versionKey: version, unsaidKey: why}
		}
		data[fmt.Sprintf("%s%d.%s", filePrefix, i, unfit.ReplaceAllString(f.name[:min(len(f.name), 200)], "_"))] = f.text
	}
	return data
}

// unfit is what of a file's name cannot be in a ConfigMap's key, which has 253 bytes at most.
var unfit = regexp.MustCompile(`[^-._a-zA-Z0-9]`)

// published is what the leader of a release has published of itself, and a client to ask for more.
type published struct {
	client *kubernetes.Client
	data   map[string]string
	config Config
	files  []file
}

// readPublished reads what a leader has published. One of another version may plan otherwise, and have variables that this program
// does not know; a remark says so.
func readPublished(ctx context.Context, client *kubernetes.Client) (p published, err error) {
	p.client = client
	if p.data, err = client.Effective(ctx); err != nil {
		return p, kubernetes.Plain(err)
	}
	var unknown []string
	if p.config, p.files, unknown, err = configOf(p.data); err != nil {
		return p, err
	}
	return p, remark(os.Stderr, skew(p.data[versionKey], unknown))
}

// skew says that a leader is of another version than this program, if it is, or has variables that this does not know.
func skew(leader string, unknown []string) []error {
	switch {
	case len(unknown) > 0:
		return []error{fmt.Errorf("the leader, of version %s, has %s, of which this program, %s, knows nothing: what it says may be wrong", leader, strings.Join(unknown, ", "), version)}
	case leader != version:
		return []error{fmt.Errorf("the leader is of version %s, this program of %s, and they may plan otherwise: want a program of its version", leader, version)}
	}
	return nil
}

// scope is where it acts.
func (p published) scope() kubernetes.Scope { return p.config.scope(p.client.Namespace) }

// missing returns the name of its account, and what that may not do.
func (p published) missing(ctx context.Context) (account string, missing []string, err error) {
	account, err = p.client.Account(ctx, p.config.Deployment)
	if err == nil {
		missing, err = p.client.MissingOf(ctx, account, p.scope())
	}
	return account, missing, err
}

// asksItself tells whether it is asked with its own account, as by a pod of the chart: what another may not do is no lack of its own.
// Where that account may not be looked up it goes by what the chart calls it.
func (p published) asksItself(ctx context.Context) (bool, error) {
	me, err := p.client.Me(ctx)
	if err != nil {
		return false, kubernetes.Plain(err)
	}
	name, near := strings.CutPrefix(me, "system:serviceaccount:"+p.client.Namespace+":")
	if !near {
		return false, nil
	}
	account, err := p.client.Account(ctx, p.config.Deployment)
	if err != nil && !kubernetes.Absent(err) && !apierrors.IsForbidden(err) {
		return false, kubernetes.Plain(err)
	}
	return name == account, nil
}

// calendar is its calendar from a time on.
func (p published) calendar(from time.Time) (calendar.Calendar, error) {
	return p.config.calendar(from, p.files)
}

// seed returns the seed with which it plans.
func (p published) seed(ctx context.Context) (chaos.Seed, error) {
	seed, err := p.client.ReadSeed(ctx)
	if err != nil {
		return seed, kubernetes.Plain(err)
	}
	if key := seed.PlanKey(); key != p.data[planKey] {
		return seed, fmt.Errorf("the Caprice that runs has the plan key %s, its Secret and this program give %s: want it restarted if the Secret was changed, else a program of its version, %s", p.data[planKey], key, p.data[versionKey])
	}
	return seed, nil
}

// configOf returns the configuration that a leader published, in place of this process's environment, its files, and the
// variables that there are not. It unsets this process's CAPRICE_ variables and sets those of the leader, and leaves them so when it fails.
func configOf(data map[string]string) (config Config, files []file, unknown []string, err error) {
	if why := data[unsaidKey]; why != "" {
		return config, nil, nil, fmt.Errorf("the leader, of version %s, has not published its configuration: %s", data[versionKey], why)
	}
	for _, key := range []string{versionKey, planKey, prefix + "_DRY_RUN"} { // which each version has had
		if data[key] == "" {
			return config, nil, nil, fmt.Errorf("what the leader has published has no %s: want it as the leader wrote it, who does so again every %s", key, publishAnew)
		}
	}
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, prefix+"_") {
			if err := os.Unsetenv(name); err != nil {
				return config, nil, nil, err
			}
		}
	}
	known := config.variables()
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if name, ok := strings.CutPrefix(key, filePrefix); ok {
			_, name, _ = strings.Cut(name, ".") // after which of the files it is
			files = append(files, file{name, data[key]})
		} else if _, there := known[key]; there {
			if err := os.Setenv(key, data[key]); err != nil {
				return config, nil, nil, err
			}
		} else if strings.HasPrefix(key, prefix+"_") {
			unknown = append(unknown, key)
		}
	}
	if config, err = readConfig(); err != nil {
		return config, nil, nil, fmt.Errorf("the configuration of Caprice %s, read by %s: %w", data[versionKey], version, err)
	}
	return config, files, unknown, nil
}
