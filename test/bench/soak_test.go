package main

import (
	"math"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"caprice/test/lab"
)

// A soak of two minutes: nothing that was planned is left out, and nothing is done twice. 'make soak' is the long one.
func TestNothingIsMissedAndNothingIsDoneTwice(t *testing.T) {
	program := filepath.Join(t.TempDir(), "caprice")
	build := exec.Command("go", "build", "-o", program, "caprice/cmd/caprice")
	build.Dir = lab.Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	o := options{program: program, workloads: 60, pods: 2, namespaces: 3, rate: 3, optedIn: 1, soak: 2 * time.Minute}
	if err := o.run(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestASlopeIsThatOfALine(t *testing.T) {
	var line series
	for n := range 100 {
		noise := float64(n%2) - 0.5
		line = append(line, point{time.Duration(n) * time.Minute, 40 + 3*float64(n)/60 + noise})
	}
	if slope, deviation := line.slope(); math.Abs(slope-3) > 3*deviation || deviation > 0.2 {
		t.Errorf("the slope of 3 an hour is %.3f, standard error %.3f", slope, deviation)
	}
}
