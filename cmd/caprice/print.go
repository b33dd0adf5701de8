package main

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"caprice/api/v1alpha1"
	"caprice/chaos"
)

// output is how a command answers: a table for people, or the same in JSON or YAML for programs.
type output string

const (
	inTable output = "table"
	inJSON  output = "json"
	inYAML  output = "yaml"
)

// printing gives a command that reports the flag that says how it answers.
func printing(c *cobra.Command, how *output) {
	prints(c, oneOf(how, inTable, inJSON, inYAML), forWhom)
}

// encode writes a report, which is a struct of plain values and lists of such structs, in JSON or YAML: with its fields in
// order, by their names in JSON.
func (o output) encode(w io.Writer, report any) error {
	if o == inYAML {
		text, err := appendYAML(nil, reflect.ValueOf(report), "")
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	}
	return json.NewEncoder(w).Encode(report) // on one line: a forecast of thousands of workloads has a million otherwise
}

// appendYAML writes plain values as JSON has them, which YAML reads as well. Libraries sort the keys, or take ten seconds
// for the hundreds of thousands of kills that a forecast may have. A record that begins with a dash is an item of a list.
func appendYAML(text []byte, record reflect.Value, start string) ([]byte, error) {
	indent := strings.Repeat(" ", len(start))
	for field, value := range record.Fields() {
		if field.Anonymous { // its fields are the record's own, as in JSON
			var err error
			if text, err = appendYAML(text, value, start); err != nil {
				return nil, err
			}
			start = indent
			continue
		}
		text = append(append(append(text, start...), field.Tag.Get("json")...), ':')
		start = indent
		if value.Kind() == reflect.Slice && value.Len() > 0 {
			text = append(text, '\n')
			for i := range value.Len() {
				var err error
				if text, err = appendYAML(text, value.Index(i), indent+"- "); err != nil {
					return nil, err
				}
			}
			continue
		}
		scalar, err := json.Marshal(value.Interface())
		if err != nil {
			return nil, err
		}
		text = append(append(append(text, ' '), scalar...), '\n')
	}
	return text, nil
}

// remark writes each error on a line of its own.
func remark(w io.Writer, errs []error) error {
	for _, err := range errs {
		if _, err := fmt.Fprintln(w, "caprice:", chaos.OneLine(err.Error())); err != nil {
			return err
		}
	}
	return nil
}

// plannedKill is a kill of the plan, as programs read it.
type plannedKill struct {
	Time      string `json:"time"` // RFC 3339 with the offset of the workload's zone, to the millisecond
	Namespace string `json:"namespace"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`
}

func plannedKills(kills []chaos.Planned) []plannedKill {
	list := make([]plannedKill, len(kills))
	for i, k := range kills {
		w := k.Subject.Workload
		list[i] = plannedKill{k.At.Format("2006-01-02T15:04:05.000Z07:00"), w.Namespace, string(w.Kind), w.Name}
	}
	return list
}

// bare returns the name of an object that is given as kubectl prints it, as in kill.caprice.chaos/NAME.
func bare(kind, name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, kind+"/"), kind+"."+v1alpha1.GroupVersion.Group+"/")
}

// table writes rows in columns as wide as they need be, the first row being their titles.
func table(w io.Writer, rows [][]string) error {
	columns := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = chaos.OneLine(cell)
		}
		if _, err := fmt.Fprintln(columns, strings.Join(cells, "\t")); err != nil {
			return err
		}
	}
	return columns.Flush()
}
