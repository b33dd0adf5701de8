package test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"caprice/test/lab"
)

// schema is what an OpenAPI schema says of one field.
type schema struct {
	Type        string            `json:"type"`
	Format      string            `json:"format"`
	Description string            `json:"description"`
	Default     json.RawMessage   `json:"default"`
	Enum        []string          `json:"enum"`
	Properties  map[string]schema `json:"properties"`
	Items       *schema           `json:"items"`
	Required    []string          `json:"required"`
	Rules       []struct {
		Message string `json:"message"`
	} `json:"x-kubernetes-validations"`
}

// definition is the part of a CustomResourceDefinition that people want to know.
type definition struct {
	Spec struct {
		Group string `json:"group"`
		Names struct {
			Kind   string `json:"kind"`
			Plural string `json:"plural"`
		} `json:"names"`
		Versions []struct {
			Name   string `json:"name"`
			Schema struct {
				OpenAPIV3Schema schema `json:"openAPIV3Schema"`
			} `json:"schema"`
		} `json:"versions"`
	} `json:"spec"`
}

// docs/crds.md is made from the chart's definitions: UPDATE_README=1 go test ./test -run Reference writes it.
func TestTheReferenceOfDefinitionsIsCurrent(t *testing.T) {
	page := filepath.Join(lab.Root(), "docs", "crds.md")
	want := definitionsPage(t)
	got, err := os.ReadFile(page)
	if err == nil && string(got) == want {
		return
	}
	if os.Getenv("UPDATE_README") == "" {
		t.Fatalf("docs/crds.md does not say what the definitions do (%v): UPDATE_README=1 go test ./test -run Reference writes it", err)
	}
	if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func definitionsPage(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(lab.Root(), "helm", "caprice", "files", "crds", "*.yaml"))
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v; want three definitions", files, err)
	}
	var page strings.Builder
	page.WriteString("# Kills, halts and hypotheses\n\nWhat the fields of Caprice's own objects say, made from the definitions that the chart installs. `kubectl explain` says the same.\n" +
		"A field with a * has to be set. Caprice alone writes the status, and all Kills but those that somebody asks for.\n\n" +
		"Where the guard is enabled, the API server takes of what people write no more than 8 KiB and 100 of annotations, of labels, and of\n" +
		"finalizers and owners, and 20 managers of fields; of a Hypothesis 128 KiB of annotations, in which `kubectl apply` keeps all of it, and of its\n" +
		"`spec.workloads` 4 KiB and 100 labels, and as much of expressions.\n")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d definition
		if err := yaml.Unmarshal(text, &d); err != nil || len(d.Spec.Versions) != 1 {
			t.Fatalf("%s: %v, %d versions", file, err, len(d.Spec.Versions))
		}
		v := d.Spec.Versions[0]
		root := v.Schema.OpenAPIV3Schema
		fmt.Fprintf(&page, "\n## %s\n\n`%s/%s`, `kubectl get %s.%s`. %s\n\n| field | type | |\n|---|---|---|\n", d.Spec.Names.Kind, d.Spec.Group, v.Name, d.Spec.Names.Plural, d.Spec.Group, line(root.Description))
		for _, part := range []string{"spec", "status"} {
			if is, ok := root.Properties[part]; ok {
				rows(&page, part, is, false)
			}
		}
	}
	return page.String()
}

// rows writes a field, and those below it.
func rows(page *strings.Builder, path string, s schema, required bool) {
	mark := ""
	if required {
		mark = "*"
	}
	about := line(s.Description)
	for _, r := range s.Rules {
		about += " API server: " + r.Message + "."
	}
	if len(s.Enum) > 0 {
		about += " One of " + strings.Join(s.Enum, ", ") + "."
	}
	if len(s.Default) > 0 {
		about += " Default: `" + strings.Trim(string(s.Default), `"`) + "`."
	}
	kind := cmp.Or(s.Format, s.Type)
	below := s
	if s.Items != nil {
		kind, below = "list of "+cmp.Or(s.Items.Format, s.Items.Type), *s.Items
		path += "[]"
	}
	fmt.Fprintf(page, "| `%s`%s | %s | %s |\n", path, mark, kind, strings.TrimSpace(strings.ReplaceAll(about, "|", "\\|")))
	for _, name := range slices.Sorted(maps.Keys(below.Properties)) {
		rows(page, path+"."+name, below.Properties[name], slices.Contains(below.Required, name))
	}
}

// line is a description without line breaks.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }
