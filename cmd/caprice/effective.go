package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"caprice/chaos"
	"caprice/kubernetes"
)

// What a leader publishes besides its variables.
const (
	versionKey = "version"
	planKey    = "plan-key"
	filePrefix = "file." // then the name of an .ics file
	mostText   = 900_000 // bytes of files; a ConfigMap holds little more
)

// effective is what a leader publishes of itself: its variables, the files that they name, its version and plan key.
func (c Config) effective(seed chaos.Seed, files []file) (map[string]string, error) {
	data := c.variables()
	data[versionKey], data[planKey] = version, seed.PlanKey()
	size := 0
	for i, f := range files {
		if size += len(f.text); size > mostText {
			return nil, fmt.Errorf("%s_ICS_FILES are more than %d bytes together: want less, so that 'caprice plan' can read them", prefix, mostText)
		}
		data[fmt.Sprintf("%s%d.%s", filePrefix, i, f.name)] = f.text
	}
	return data, nil
}

// configOf returns the configuration that a leader published, in place of this process's environment, and its files.
func configOf(data map[string]string) (Config, []file, error) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, prefix+"_") {
			if err := os.Unsetenv(name); err != nil {
				return Config{}, nil, err
			}
		}
	}
	var files []file
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if name, ok := strings.CutPrefix(key, filePrefix); ok {
			files = append(files, file{name, data[key]})
		} else if strings.HasPrefix(key, prefix+"_") {
			if err := os.Setenv(key, data[key]); err != nil {
				return Config{}, nil, err
			}
		}
	}
	config, err := readConfig()
	if err != nil {
		return config, nil, fmt.Errorf("the configuration of Caprice %s, read by %s: %w", data[versionKey], version, err)
	}
	return config, files, nil
}

// seedOf returns the seed with which the leader that published the data plans.
func seedOf(ctx context.Context, client *kubernetes.Client, data map[string]string) (chaos.Seed, error) {
	seed, err := client.ReadSeed(ctx)
	if err != nil {
		return seed, kubernetes.Plain(err)
	}
	if key := seed.PlanKey(); key != data[planKey] {
		return seed, fmt.Errorf("the Caprice that runs has the plan key %s, its Secret and this program give %s: want it restarted if the Secret was changed, else a program of its version, %s", data[planKey], key, data[versionKey])
	}
	return seed, nil
}
