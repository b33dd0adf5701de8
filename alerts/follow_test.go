package alerts

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestEachCauseIsToldOfWhenItBeginsAndWhenItIsOver(t *testing.T) {
	a := &Alerts{Matchers: read[Matchers](t, `severity="page"`)}
	noon := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	firing := func(name string, since time.Time) Alert {
		return Alert{Labels: map[string]string{"alertname": name}, Since: since}
	}
	none := errors.New("nobody is there")
	held := map[string]Cause{}
	for _, test := range []struct {
		why    string
		firing []Alert
		err    error
		want   string
	}{
		{"nothing fires", nil, nil, "[]"},
		{"one fires, of which there are two", []Alert{firing("a", noon), firing("a", noon)}, nil, "[began alert a fires since 2026-03-04T12:00:00Z]"},
		{"it still does, as another server has it", []Alert{firing("a", noon.Add(time.Minute))}, nil, "[]"},
		{"another does too", []Alert{firing("a", noon), firing("b", noon)}, nil, "[began alert b fires since 2026-03-04T12:00:00Z]"},
		{"nobody can be asked, and both may fire still", nil, none, "[began nobody is there]"},
		{"nor later", nil, errors.New("nobody at all"), "[]"},
		{"the second still fires", []Alert{firing("b", noon)}, nil, "[ended nobody is there ended alert a fires since 2026-03-04T12:00:00Z]"},
		{"nothing fires any more", nil, nil, "[ended alert b fires since 2026-03-04T12:00:00Z]"},
	} {
		told := []string{}
		tell := func(how string) func(Cause) { return func(c Cause) { told = append(told, how+" "+c.Why) } }
		held = a.compare(held, test.firing, test.err, tell("began"), tell("ended"))
		if fmt.Sprint(told) != test.want {
			t.Errorf("%s: told %v, want %s", test.why, told, test.want)
		}
	}
}
