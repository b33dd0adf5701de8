package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"k8s.io/client-go/util/jsonpath"

	"caprice/chaos"
)

// Object is what has fields, as JSON is decoded.
type Object interface {
	// Read reads it afresh.
	Read(context.Context) (any, error)
	// Check returns why it can never be read, or nil.
	Check(context.Context) error
}

// Field makes a question of a field of an object, which should be a text.
func Field(o Object, path, equals string) (chaos.Question, error) {
	f, err := newField(path, equals)
	return &fieldQuestion{o, f}, err
}

type fieldQuestion struct {
	object Object
	field  *field
}

// Ask reads the object.
func (q *fieldQuestion) Ask(ctx context.Context) (chaos.Answer, error) {
	o, err := q.object.Read(ctx)
	if err != nil {
		return chaos.Answer{}, err
	}
	return q.field.compare(o), nil
}

// Check returns why there will be no answer, or nil.
func (q *fieldQuestion) Check(ctx context.Context) error { return q.object.Check(ctx) }

// field is one value in JSON, and what it should be.
type field struct{ path, equals string }

func newField(path, equals string) (*field, error) {
	if !strings.HasPrefix(path, "{") {
		path = "{" + path + "}"
	}
	parsed, err := jsonpath.Parse("", path)
	if err != nil {
		return nil, fmt.Errorf("jsonPath %s: %w", path, err)
	}
	if len(parsed.Root.Nodes) != 1 || !plain(parsed.Root, true) || path == "{}" {
		return nil, fmt.Errorf("jsonPath %s: want one expression of fields, indices and filters with fixed values, as in {.status.conditions[?(@.type==\"Ready\")].status}", path)
	}
	return &field{path, equals}, nil
}

// plain tells whether it takes no more than one look at each value of a document: with .. or a union in it, or a filter that
// searches the document again, a short path keeps a processor busy for years.
func plain(list *jsonpath.ListNode, filters bool) bool {
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *jsonpath.ListNode:
			if !plain(n, filters) {
				return false
			}
		case *jsonpath.FilterNode:
			if !filters || !plain(n.Left, false) || !fixed(n.Right) {
				return false
			}
		case *jsonpath.FieldNode, *jsonpath.ArrayNode, *jsonpath.WildcardNode:
		default:
			return false
		}
	}
	return true
}

// fixed tells whether all nodes are values.
func fixed(list *jsonpath.ListNode) bool {
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *jsonpath.ListNode:
			if !fixed(n) {
				return false
			}
		case *jsonpath.TextNode, *jsonpath.IntNode, *jsonpath.FloatNode, *jsonpath.BoolNode:
		default:
			return false
		}
	}
	return true
}

// compare looks the field up in JSON.
func (f *field) compare(content any) chaos.Answer {
	value, err := f.find(content)
	switch {
	case err != nil:
		return wrong("%s: %v, want %q", f.path, err, f.equals)
	case value != f.equals:
		return wrong("%s is %q, want %q", f.path, value, f.equals)
	}
	return chaos.Answer{Value: line(fmt.Sprintf("%s is %q", f.path, value))}
}

// find returns the one value at the path, as text.
func (f *field) find(content any) (text string, err error) {
	// The library looks into values by reflection; an owner's path must not end the process.
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("it cannot be looked up: %v", problem)
		}
	}()
	path := jsonpath.New("").AllowMissingKeys(true)
	if err := path.Parse(f.path); err != nil {
		return "", err
	}
	results, err := path.FindResults(content)
	if err != nil {
		return "", err
	}
	var values []reflect.Value
	for _, list := range results {
		values = append(values, list...)
	}
	switch {
	case len(values) == 0:
		return "", errors.New("there is no such field")
	case len(values) > 1:
		return "", fmt.Errorf("there are %d such fields", len(values))
	}
	return textOf(values[0].Interface()), nil
}

// textOf returns a value of JSON as text: numbers without an exponent, lists and objects as JSON.
func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(b)
}
