package alerts

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Matchers say which alerts are meant: those whose labels all of them match. A label that an alert does not have is empty.
type Matchers []matcher

type matcher struct {
	name, operator, value string
	pattern               *regexp.Regexp // of the whole value; nil for = and !=
}

var nextMatcher = regexp.MustCompile(`^\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*")\s*(,|$)`)

// UnmarshalText reads matchers as Alertmanager has them, separated by commas, or nothing. Values are quoted, and as in Go
// within quotes; a regular expression has to match the whole label.
func (m *Matchers) UnmarshalText(b []byte) error {
	*m = nil
	if len(b) == 0 {
		return nil
	}
	var all Matchers
	for rest, more := string(b), true; more; {
		part := nextMatcher.FindStringSubmatch(rest)
		if part == nil {
			return fmt.Errorf(`%q: want matchers separated by commas, as in severity="page",team=~"shop|pay"`, rest)
		}
		next := matcher{name: part[1], operator: part[2]}
		var err error
		if next.value, err = strconv.Unquote(part[3]); err != nil {
			return fmt.Errorf(`%s: want a value quoted as in Go, in which "\\d" is \d`, part[3])
		}
		if strings.HasSuffix(next.operator, "~") {
			if next.pattern, err = regexp.Compile("^(?s:" + next.value + ")$"); err != nil {
				return fmt.Errorf("%s: want a regular expression: %w", part[3], err)
			}
		}
		all = append(all, next)
		rest, more = rest[len(part[0]):], part[4] != ""
	}
	*m = all
	return nil
}

// String returns the matchers as UnmarshalText reads them.
func (m Matchers) String() string {
	texts := make([]string, len(m))
	for i, one := range m {
		texts[i] = one.String()
	}
	return strings.Join(texts, ",")
}

func (m matcher) String() string { return m.name + m.operator + strconv.Quote(m.value) }

// match tells whether all of them match the labels.
func (m Matchers) match(labels map[string]string) bool {
	for _, one := range m {
		if !one.match(labels[one.name]) {
			return false
		}
	}
	return true
}

func (m matcher) match(value string) bool {
	switch m.operator {
	case "=":
		return value == m.value
	case "!=":
		return value != m.value
	case "=~":
		return m.pattern.MatchString(value)
	default:
		return !m.pattern.MatchString(value)
	}
}
