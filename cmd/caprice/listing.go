package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"

	"caprice/chaos"
)

// format is how a command prints objects of the cluster, in kubectl's words and by its printers.
type format string

const (
	asTable format = "table"
	asWide  format = "wide"
	asJSON  format = "json"
	asYAML  format = "yaml"
	asName  format = "name"
)

// listed gives a command that lists objects the flag that says how it prints them.
func listed(c *cobra.Command, how *format) {
	prints(c, oneOf(how, asTable, asWide, asJSON, asYAML, asName), forWhom)
}

// forPeople tells whether it is a table.
func (f format) forPeople() bool { return f == asTable || f == asWide }

// none says that there is nothing to list, where people would see an empty table: in a namespace, or where that is empty in all. Like
// kubectl it says so on standard error, and whoever reads the table reads nothing.
func (f format) none(stderr io.Writer, what, namespace string) error {
	if !f.forPeople() {
		return nil
	}
	where := ""
	if namespace != meta.NamespaceAll {
		where = " in namespace " + namespace
	}
	_, err := fmt.Fprintf(stderr, "No %s found%s.\n", what, where)
	return err
}

// column is one of a table; wide ones show in a wide table alone.
type column[T any] struct {
	name string
	wide bool
	cell func(T) string
}

// tabled puts objects into the rows of a table.
func tabled[T runtime.Object](columns []column[T], objects []T) *meta.Table {
	t := &meta.Table{TypeMeta: meta.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "Table"}}
	for _, c := range columns {
		priority := int32(0)
		if c.wide {
			priority = 1
		}
		t.ColumnDefinitions = append(t.ColumnDefinitions, meta.TableColumnDefinition{Name: c.name, Type: "string", Priority: priority})
	}
	for _, o := range objects {
		row := meta.TableRow{Object: runtime.RawExtension{Object: o}}
		for _, c := range columns {
			row.Cells = append(row.Cells, chaos.OneLine(c.cell(o)))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// listing prints objects of one kind.
type listing[T runtime.Object] struct {
	format    format
	namespace bool // show each object's
	columns   []column[T]
}

// printer returns kubectl's printer.
func (l listing[T]) printer() printers.ResourcePrinter {
	switch l.format {
	case asJSON:
		return &printers.JSONPrinter{}
	case asYAML:
		return &printers.YAMLPrinter{}
	case asName:
		return &printers.NamePrinter{}
	default:
		return printers.NewTablePrinter(printers.PrintOptions{Wide: l.format == asWide, WithNamespace: l.namespace})
	}
}

// print prints all of a list.
func (l listing[T]) print(w io.Writer, objects []T) error {
	if l.format.forPeople() {
		return l.printer().PrintObj(tabled(l.columns, objects), w)
	}
	if l.format == asName {
		for _, o := range objects {
			if err := l.printer().PrintObj(o, w); err != nil {
				return err
			}
		}
		return nil
	}
	for _, o := range objects {
		if m, err := apimeta.Accessor(o); err == nil {
			m.SetManagedFields(nil) // as kubectl prints them
		}
	}
	list := &meta.List{TypeMeta: meta.TypeMeta{APIVersion: "v1", Kind: "List"}, Items: []runtime.RawExtension{}}
	for _, o := range objects {
		list.Items = append(list.Items, runtime.RawExtension{Object: o})
	}
	return l.printer().PrintObj(list, w)
}
