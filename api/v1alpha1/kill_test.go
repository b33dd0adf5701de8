package v1alpha1

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

func TestOneKillHasOneName(t *testing.T) {
	planned := time.Date(2026, 3, 4, 16, 0, 0, 123e6, time.FixedZone("somewhere", -5*60*60))
	const want = "20260304-210000-03ae46ac33c576ee"
	for _, test := range []struct {
		why     string
		uid     string
		planned time.Time
		same    bool
	}{
		{"the same kill", "one", planned, true},
		{"in another zone", "one", planned.UTC(), true},
		{"less than a millisecond later", "one", planned.Add(time.Millisecond - 1), true},
		{"a millisecond later", "one", planned.Add(time.Millisecond), false},
		{"another workload", "two", planned, false},
	} {
		t.Run(test.why, func(t *testing.T) {
			got := Name(test.uid, test.planned)
			if (got == want) != test.same {
				t.Errorf("name = %s, and %s is the name of the first: want the same: %t", got, want, test.same)
			}
			if wrong := validation.IsDNS1123Label(got); wrong != nil {
				t.Errorf("name = %s: %v", got, wrong)
			}
		})
	}
}
