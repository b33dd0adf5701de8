package lab

import (
	"slices"
	"strings"
	"testing"
)

func TestAnAuditLogOfAKilledServerIsRead(t *testing.T) {
	const first, second = `{"kind":"Event","verb":"get"}`, `{"kind":"Event","verb":"list","note":"{\"kind\":\"Event\""}`
	for log, want := range map[string][]string{
		first + "\n" + second + "\n":                          {"get", "list"},
		first + "\n" + second[:20]:                            {"get"},
		first + "\n" + first[:20] + second + "\n":             {"get", "list"},
		first + "\n" + second[:50] + first + "\n":             {"get", "get"},
		first + "\n" + first[:9] + first[:20] + second + "\n": {"get", "list"},
	} {
		var verbs []string
		err := parse(strings.NewReader(log), func(a auditLine) { verbs = append(verbs, a.Verb) })
		if err != nil || !slices.Equal(verbs, want) {
			t.Errorf("%q: %v, %v; want %v", log, verbs, err, want)
		}
	}
	if err := parse(strings.NewReader("wrong\n"), func(auditLine) {}); err == nil {
		t.Error("what is no audit log is read as one")
	}
}
