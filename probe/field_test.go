package probe

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestPathsThatTakeTooLongOrAreNone(t *testing.T) {
	for _, test := range []struct{ why, path string }{
		{"descending everywhere", "{..name}"},
		{"a union, which doubles what it finds", "{['a','a']['a','a']}"},
		{"a loop", "{range .items[*]}{.name}{end}"},
		{"two expressions", "{.a}{.b}"},
		{"text beside it", "x{.a}"},
		{"a filter that looks through all for each", "{.items[?(@.a==$.items[*].a)]}"},
		{"a filter in a filter", "{.items[?(@.list[?(@.a==1)].b==2)]}"},
		{"no end", "{.a"},
		{"nothing", "{}"},
		{"a function", "{len(.a)}"},
	} {
		if f, err := newField(test.path, "x"); err == nil {
			t.Errorf("%s: %s is taken as %+v", test.why, test.path, f)
		}
	}
}

// Whatever an owner writes, and whatever is answered, looking a field up ends, and never the process.
func FuzzField(f *testing.F) {
	for _, path := range []string{"{.a}", ".a.b", "{.a[0]}", "{.a[-1:]}", "{.a[?(@.b==\"c\")].d}", "{.a[*]}", "{['a']}", "{$.a}", "{@}", "{.a[0:9:2]}", "{..a}", "{.a[?(@.b)]}", "{.a[?(@.b>1.5)]}", "{['a','b']}"} {
		f.Add(path, `{"a": [{"b": "c", "d": 1.5}, null, true, "x", [1]]}`)
		f.Add(path, `{"a": {"b": 1}}`)
		f.Add(path, `[]`)
		f.Add(path, `null`)
	}
	f.Fuzz(func(t *testing.T, path, document string) {
		if len(path) > 1024 || len(document) > most {
			return
		}
		field, err := newField(path, "x")
		if err != nil {
			return
		}
		var content any
		if json.Unmarshal([]byte(document), &content) != nil {
			return
		}
		if a := field.compare(content); a.Value == "" || a.Off > 0 == strings.HasSuffix(a.Value, `is "x"`) && !strings.Contains(a.Value, "want") {
			t.Errorf("%s of %s: %+v", path, document, a)
		}
	})
}
