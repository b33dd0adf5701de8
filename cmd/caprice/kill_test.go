package main

import (
	"errors"
	"testing"

	"caprice/api/v1alpha1"
	"caprice/chaos"
)

// The help of 'caprice kill' promises them.
func TestEachVerdictHasItsExitCode(t *testing.T) {
	want := map[chaos.Verdict]int{
		chaos.Recovered: 0, chaos.Rehearsed: 0,
		chaos.NotRecovered: 2, chaos.Disproved: 2,
		chaos.Vetoed: 3,
		chaos.Missed: 4, chaos.Failed: 4, chaos.Abandoned: 4,
	}
	for _, v := range chaos.Verdicts {
		code, known := want[v]
		if !known {
			t.Errorf("of %s nobody has said which exit code it has: want one, here and in the help", v)
		}
		var got coded
		if err := verdict(&v1alpha1.Kill{Status: v1alpha1.KillStatus{Verdict: v1alpha1.Verdict(v)}}); err != nil && !errors.As(err, &got) {
			t.Errorf("%s: %v, want an exit code with it", v, err)
		}
		if got.code != code {
			t.Errorf("%s has exit code %d, want %d", v, got.code, code)
		}
	}
}
