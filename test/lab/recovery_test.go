package lab

import (
	"testing"
)

func TestRecoveryIsWhenTheLastOfThreeIsTrue(t *testing.T) {
	k := record("web", 10, "web-1")
	k.Status.ExecutedAt = stamp(10)
	at10 := func(name string, seconds float64, change Change) Change {
		change.Namespace, change.Name, change.Asked, change.At = k.Namespace, name, at(seconds), at(seconds+0.1)
		return change
	}
	gone, ready := Change{Pod: true, Gone: true}, Change{Pod: true, Ready: true}
	for _, test := range []struct {
		why                   string
		changes               []Change
		first, serving, whole float64 // 0: never
	}{
		{"nothing happens", nil, 0, 0, 0},
		{"its status is the last", []Change{at10("web-1", 11, gone), at10("web", 12, Change{Available: 1}), at10("web-3", 13, ready), at10("web", 14, Change{Available: 2})}, 13, 13, 14},
		{"the dead one is the last to go", []Change{at10("web-3", 11, ready), at10("web", 12, Change{Available: 2}), at10("web-1", 13, gone)}, 11, 13, 13},
		{"a status of before the kill is true by then", []Change{at10("web", 5, Change{Available: 2}), at10("web-1", 11, gone), at10("web-3", 13, ready)}, 13, 13, 13},
		{"the new one never is Ready", []Change{at10("web-1", 11, gone), at10("web", 12, Change{Available: 1})}, 0, 0, 0},
		{"another workload's is", []Change{at10("web-1", 11, gone), at10("other-3", 12, ready), at10("web", 13, Change{Available: 2})}, 0, 0, 0},
	} {
		first, serving, whole := Recovery(test.changes, k, 2)
		for _, m := range []struct {
			got  Change
			want float64
		}{{first, test.first}, {serving, test.serving}, {whole, test.whole}} {
			if m.want == 0 && !m.got.At.IsZero() || m.want > 0 && !m.got.Asked.Equal(at(m.want)) {
				t.Errorf("%s: the first was Ready at %s, as many as are wanted at %s, and all was whole at %s; want %v s, %v s and %v s after noon", test.why, first.Asked, serving.Asked, whole.Asked, test.first, test.serving, test.whole)
			}
		}
	}
}
