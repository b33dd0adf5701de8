package main

import (
	"reflect"
	"testing"
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
			"CAPRICE_GRACE_PERIOD": "45s", "CAPRICE_LATE_GRACE": "2m30s", "CAPRICE_LISTEN": "127.0.0.1:0", "CAPRICE_DEPLOYMENT": "caprice",
			"CAPRICE_HOLIDAYS": "DE-BY,US", "CAPRICE_FREEZES": "2026-12-18/2027-01-04,2027-02-01", "CAPRICE_ICS_FILES": "/etc/a.ics,/etc/b*.ics",
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
