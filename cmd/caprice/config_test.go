package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"caprice/calendar"
	"caprice/chaos"
	"caprice/victims"
)

// What a leader publishes is what another process reads.
func TestTheConfigurationReadsBackFromItsOwnText(t *testing.T) {
	for _, test := range []struct {
		why string
		env map[string]string
	}{
		{"the defaults", nil},
		{"something else everywhere", map[string]string{
			"CAPRICE_DRY_RUN": "false", "CAPRICE_TIME_ZONE": "Europe/Berlin", "CAPRICE_DAYS": "Tue,Thu-Sat", "CAPRICE_HOURS": "09:00-12:00,22:00-02:30",
			"CAPRICE_MEAN_TIME_BETWEEN_KILLS": "1h30m", "CAPRICE_MIN_TIME_BETWEEN_KILLS": "1m30s", "CAPRICE_KILL_MODE": "fixed-percent", "CAPRICE_KILL_VALUE": "30",
			"CAPRICE_MIN_REPLICAS": "3", "CAPRICE_NAMESPACES": "shop,team-*", "CAPRICE_EXCLUDED_NAMESPACES": "team-x", "CAPRICE_METHOD": "evict",
			"CAPRICE_MIN_AGE": "1h30m0s", "CAPRICE_RESPECT_PDB": "false", "CAPRICE_GRACE_PERIOD": "45s", "CAPRICE_LATE_GRACE": "2m30s", "CAPRICE_LISTEN": "127.0.0.1:0", "CAPRICE_DEPLOYMENT": "caprice", "CAPRICE_MAY_EVICT": "false", "CAPRICE_REQUIRE_POD_LABEL": "true",
			"CAPRICE_RECOVERY_DEADLINE": "3m0s", "CAPRICE_ACKNOWLEDGE_AFTER": "36h0m0s", "CAPRICE_MAX_UNRECOVERED": "7", "CAPRICE_MAX_UNRECOVERED_PER_NAMESPACE": "1", "CAPRICE_MAX_KILLS_PER_DAY": "9",
			"CAPRICE_MAX_KILLS_PER_DAY_PER_NAMESPACE": "2", "CAPRICE_MIN_TIME_BETWEEN_ANY_KILLS": "20s", "CAPRICE_HISTORY": "72h0m0s",
			"CAPRICE_HALT_ON_ALERTS": `severity="page",team=~"shop|pay"`, "CAPRICE_HALT_ON_ALERTS_URL": "https://alerts.example/am/api/v2/alerts", "CAPRICE_HALT_ON_ALERTS_TOKEN_FILE": "/etc/token",
			"CAPRICE_HOLIDAYS": "DE-BY,US", "CAPRICE_FREEZES": "2026-12-18/2027-01-04,2027-02-01", "CAPRICE_ICS_FILES": "/etc/a.ics,/etc/b*.ics",
			"CAPRICE_NOTIFICATIONS_FILE": "/etc/caprice/notifications.yaml",
		}},
	} {
		t.Run(test.why, func(t *testing.T) {
			set := func(env map[string]string) Config {
				t.Helper()
				for name, value := range env {
					t.Setenv(name, value)
				}
				c, err := readConfig()
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			first := set(test.env)
			text := first.variables()
			for name, value := range test.env {
				if text[name] != value {
					t.Errorf("%s=%q is published as %q", name, value, text[name])
				}
			}
			if again := set(text).variables(); !reflect.DeepEqual(again, text) {
				t.Errorf("%v reads back as %v", text, again)
			}
		})
	}
}

func TestWhatALeaderPublishesIsItsConfiguration(t *testing.T) {
	config := setting(t, "HOURS=09:00-17:00", "HOLIDAYS=DE", "ICS_FILES=/etc/caprice/ics/*.ics")
	for name := range config.variables() {
		t.Setenv(name, "") // so that the environment is mended after the test
	}
	data := config.effective(chaos.Seed{1}, []file{{"our party" + strings.Repeat("!", 200) + ".ics", party}})
	for key := range data {
		if problems := validation.IsConfigMapKey(key); len(problems) > 0 {
			t.Errorf("a key is %q: %v", key, problems)
		}
	}
	data["CAPRICE_NEW_THING"] = "of a version that is yet to come"
	t.Setenv("CAPRICE_HOURS", "10:00-11:00") // that of the one who asks does not count
	again, files, unknown, err := configOf(data)
	if err != nil || !slices.Equal(unknown, []string{"CAPRICE_NEW_THING"}) || !reflect.DeepEqual(again.variables(), config.variables()) {
		t.Errorf("%v reads back as %v, unknown %v, %v", config.variables(), again.variables(), unknown, err)
	}
	if long := "our_party" + strings.Repeat("_", 191); len(files) != 1 || files[0].name != long {
		t.Errorf("the published files are %v, want %s, by the name that the leader gives", files, long)
	}
	cal, err := again.calendar(now, files)
	if err != nil || cal.Why(now.AddDate(0, 0, 2)) == "" {
		t.Errorf("the published file closes nothing: %v", err)
	}
	for _, key := range []string{"version", "plan-key", "CAPRICE_DRY_RUN"} {
		less := maps.Clone(data)
		delete(less, key)
		if _, _, _, err := configOf(less); err == nil || !strings.Contains(err.Error(), "has no "+key) {
			t.Errorf("without %s: %v, want an error that names it", key, err)
		}
	}
	long := config.effective(chaos.Seed{1}, []file{{"long.ics", strings.Repeat(" ", 1<<20)}})
	if _, _, _, err := configOf(long); err == nil || !strings.Contains(err.Error(), "ICS_FILES are more than 900000 bytes together") {
		t.Errorf("files that no ConfigMap holds: %v, want what is wrong with them", err)
	}
	if size := len(fmt.Sprint(long)); size > 1000 {
		t.Errorf("%d bytes are published of files that no ConfigMap holds", size)
	}
}

func TestKillsGoByWhatIsConfigured(t *testing.T) {
	type rules struct {
		limits                                                chaos.Limits
		lateGrace, recoveryDeadline, minAge, acknowledgeAfter time.Duration
		dryRun, respectPDB                                    bool
		terms                                                 victims.Terms
	}
	for _, test := range []struct {
		why string
		env map[string]string
		rules
	}{
		{"the defaults", nil, rules{
			chaos.Limits{Unrecovered: 5}, time.Minute, 150 * time.Second, 10 * time.Minute, 24 * time.Hour, true, true,
			victims.Terms{Pace: victims.Pace{Mean: victims.Span{Days: 2}}, Scale: victims.Scale{Mode: victims.Fixed, Value: 1}, MinReplicas: 2, Method: victims.Delete},
		}},
		{"something else everywhere", map[string]string{
			"MAX_UNRECOVERED": "7", "MAX_UNRECOVERED_PER_NAMESPACE": "1", "MAX_KILLS_PER_DAY": "9", "MAX_KILLS_PER_DAY_PER_NAMESPACE": "2", "MIN_TIME_BETWEEN_ANY_KILLS": "20s",
			"LATE_GRACE": "2m", "RECOVERY_DEADLINE": "3m", "MIN_AGE": "4m", "ACKNOWLEDGE_AFTER": "5m", "DRY_RUN": "false", "RESPECT_PDB": "false",
			"MEAN_TIME_BETWEEN_KILLS": "4h", "MIN_TIME_BETWEEN_KILLS": "1h", "KILL_MODE": "fixed-percent", "KILL_VALUE": "30", "MIN_REPLICAS": "3", "METHOD": "evict", "GRACE_PERIOD": "45s",
		}, rules{
			chaos.Limits{Unrecovered: 7, UnrecoveredPerNamespace: 1, KillsPerDay: 9, KillsPerDayPerNamespace: 2, BetweenAny: 20 * time.Second}, 2 * time.Minute, 3 * time.Minute, 4 * time.Minute, 5 * time.Minute, false, false,
			victims.Terms{
				Pace: victims.Pace{Mean: victims.Span{Time: 4 * time.Hour}, Minimum: &victims.Span{Time: time.Hour}}, Scale: victims.Scale{Mode: victims.FixedPercent, Value: 30},
				MinReplicas: 3, Method: victims.Evict, Grace: victims.GracePeriod(45 * time.Second),
			},
		}},
	} {
		t.Run(test.why, func(t *testing.T) {
			for name, value := range test.env {
				t.Setenv(prefix+"_"+name, value)
			}
			c, err := readConfig()
			if err != nil {
				t.Fatal(err)
			}
			cal := calendar.Calendar{Hours: c.Hours}
			r, terms := c.runner(chaos.Seed{}, cal), c.terms(cal)
			got, want := rules{r.Limits, r.LateGrace, r.RecoveryDeadline, r.MinAge, r.AcknowledgeAfter, r.DryRun, r.RespectPDB, terms}, test.rules
			if want.terms.Calendar = cal; !reflect.DeepEqual(got, want) || !r.Calendar.Equal(cal) {
				t.Errorf("kills go by %+v, want %+v", got, want)
			}
		})
	}
}

func TestWhereItActs(t *testing.T) {
	for _, test := range []struct {
		why, namespaces, excluded, namespace string
		want                                 bool
	}{
		{"anywhere", "", "kube-*", "shop", true},
		{"not in its own namespace", "", "kube-*", "caprice", false},
		{"not even if that is named", "caprice,shop", "kube-*", "caprice", false},
		{"in another of that name's beginning", "", "kube-*", "caprice-demo", true},
		{"not in those of the cluster", "", "kube-*", "kube-system", false},
		{"there too, if that is asked for", "", "vault", "kube-system", true},
		{"not where it was not named", "shop,team-*", "kube-*", "other", false},
		{"where a glob names it", "shop,team-*", "kube-*", "team-a", true},
		{"not where it is named and excluded", "shop,team-*", "team-a", "team-a", false},
	} {
		var c Config
		if err := errors.Join(c.Namespaces.UnmarshalText([]byte(test.namespaces)), c.ExcludedNamespaces.UnmarshalText([]byte(test.excluded))); err != nil {
			t.Fatal(err)
		}
		own := c.scope("caprice")
		c.scope("another")
		if got := own.Contains(test.namespace); got != test.want {
			t.Errorf("%s: it acts in %s: %v, want %v", test.why, test.namespace, got, test.want)
		}
	}
}

func TestOneThatIsConfinedToWhereItNeverActsEndsAtOnce(t *testing.T) {
	for namespaces, ends := range map[string]bool{"caprice": true, "kube-system,caprice": true, "caprice,shop": false, "kube-*": false, "shop-*": false, "": false} {
		t.Run(namespaces, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if strings.HasSuffix(r.URL.Path, "/version") {
					_, _ = fmt.Fprint(w, `{}`)
					return
				}
				w.WriteHeader(http.StatusServiceUnavailable)
				stop() // it goes on
			}))
			defer server.Close()
			file := filepath.Join(t.TempDir(), "kubeconfig")
			text := `{"clusters": [{"name": "c", "cluster": {"server": "` + server.URL + `"}}], "contexts": [{"name": "c", "context": {"cluster": "c", "namespace": "caprice"}}], "current-context": "c"}`
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("KUBECONFIG", file)
			t.Setenv("CAPRICE_LISTEN", "127.0.0.1:0")
			t.Setenv("CAPRICE_NAMESPACES", namespaces)
			err := run(ctx)
			if want := fmt.Sprintf("CAPRICE_NAMESPACES=%q: each is Caprice's own or excluded: want one in which it acts", namespaces); ends != (err != nil) || ends && err.Error() != want {
				t.Errorf("%v, want that it ends and says why: %v", err, ends)
			}
		})
	}
}

func TestGlobsAreThoseThatCanTakeANamespace(t *testing.T) {
	for text, want := range map[string]string{
		"":                "",
		"shop, team-*":    "shop,team-*",
		"shop,team,shop":  "shop,team",
		"[^a-c]*,kube-?":  "[^a-c]*,kube-?",
		"[!s]*":           "refused", // a shell's; path.Match takes it for s and !
		"{kube-*,prod}":   "refused",
		"prod;staging":    "refused",
		"Prod":            "refused",
		"kube-.*":         "refused",
		"^kube-":          "refused",
		"a/b":             "refused",
		"team a":          "refused",
		"shop,":           "refused",
		"team-[a":         "refused",
		"team-[z-a]":      "refused",
		"[]a]":            "refused",
		"prod-[a-z0-9-]*": "refused", // path.Match takes no - at an edge of a set, and would find nothing
		"[-a]*":           "refused",
		"[^-a]*":          "refused",
		"[a-c-e]*":        "refused",
		"prod-[a-z0-9]*":  "prod-[a-z0-9]*",
		`team-\*`:         "refused",
	} {
		var g Globs
		err := g.UnmarshalText([]byte(text))
		if got := g.String(); (err != nil) != (want == "refused") || err == nil && got != want {
			t.Errorf("%q is %q (%v), want %q", text, got, err, want)
		}
	}
}

func TestNumbersAreDecimal(t *testing.T) {
	if c := setting(t, "MIN_REPLICAS=010"); c.MinReplicas != 10 {
		t.Errorf("010 is %d", c.MinReplicas)
	}
	for _, text := range []string{"0x10", "1_000", "-1", "65536", "many", ""} {
		t.Setenv("CAPRICE_MIN_REPLICAS", text)
		want := fmt.Sprintf("CAPRICE_MIN_REPLICAS=%q: want a whole number from 0 to 65535", text)
		if _, err := readConfig(); err == nil || err.Error() != want {
			t.Errorf("error = %v, want %s", err, want)
		}
	}
}

func TestTheMinimumIsNoMoreThanTheMeanOnADayOfTheHours(t *testing.T) {
	for _, test := range []struct{ hours, mean, minimum, want string }{
		{"10:00-16:00", "10s", "1d", "min time between kills 1d: want no more than the mean, 10s, on a day of 6h"},
		{"07:00-08:00,22:00-08:00", "0.5d", "330m", "min time between kills 5h30m: want no more than the mean, 0.5d, on a day of 10h"},
	} {
		t.Setenv("CAPRICE_HOURS", test.hours)
		t.Setenv("CAPRICE_MEAN_TIME_BETWEEN_KILLS", test.mean)
		t.Setenv("CAPRICE_MIN_TIME_BETWEEN_KILLS", test.minimum)
		want := "CAPRICE_MEAN_TIME_BETWEEN_KILLS and CAPRICE_MIN_TIME_BETWEEN_KILLS: " + test.want
		if _, err := readConfig(); err == nil || err.Error() != want {
			t.Errorf("error = %v, want %s", err, want)
		}
	}
}

func TestAlertsAndTheirAddressComeTogether(t *testing.T) {
	t.Setenv("CAPRICE_HALT_ON_ALERTS", `severity="page"`)
	if _, err := readConfig(); err == nil || !strings.Contains(err.Error(), "CAPRICE_HALT_ON_ALERTS_URL: want both, or neither") {
		t.Errorf("without a URL: %v", err)
	}
	t.Setenv("CAPRICE_HALT_ON_ALERTS_TOKEN_FILE", "/etc/token")
	t.Setenv("CAPRICE_HALT_ON_ALERTS_URL", "http://am/api/v2/alerts")
	if c, err := readConfig(); err != nil || c.alerts() == nil {
		t.Errorf("with a URL: %v, %v", c.alerts(), err)
	}
	t.Setenv("CAPRICE_HALT_ON_ALERTS", "")
	if _, err := readConfig(); err == nil {
		t.Error("a URL of no alerts is taken")
	}
	t.Setenv("CAPRICE_HALT_ON_ALERTS_URL", "")
	if _, err := readConfig(); err == nil {
		t.Error("a token for no alerts is taken")
	}
}
