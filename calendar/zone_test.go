package calendar

import (
	"archive/zip"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// embedded returns a zone as a program without zones on its machine has it, with a rule in place of a list of changes.
func embedded(t *testing.T, zones *zip.ReadCloser, name string) Zone {
	t.Helper()
	file, err := zones.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	loc, err := time.LoadLocationFromTZData(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return ZoneOf(loc)
}

func TestAZoneIsItself(t *testing.T) {
	var a, b Zone
	for _, z := range []*Zone{&a, &b} {
		if err := z.UnmarshalText([]byte("America/New_York")); err != nil {
			t.Fatal(err)
		}
	}
	if a != b {
		t.Error("a zone that was read twice is two")
	}
}

// The end of a leap year is where Go's own bounds of a rule are wrong, and to look for the next of them goes on for ever.
func TestWhatTheClockShowsAtTheEndOfAYear(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	zones, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib/time/zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = zones.Close() }()
	for _, name := range []string{"Europe/Berlin", "Europe/Dublin", "America/New_York", "Australia/Lord_Howe", "Pacific/Auckland", "America/Santiago", "Asia/Kolkata", "Pacific/Kiritimati", "Africa/Casablanca", "UTC"} {
		zone := embedded(t, zones, name)
		for _, year := range []int{2027, 2028, 2036, 2040, 2100, 2400} {
			for wall := time.Date(year, time.December, 29, 0, 0, 0, 0, time.UTC); wall.Year() == year || wall.Day() < 4; wall = wall.Add(30 * time.Minute) {
				got := zone.At(wall) // no clock changes in these days
				if shown := got.In(zone.Location()).Format(time.DateTime); shown != wall.Format(time.DateTime) {
					t.Errorf("%s: where the clock is to show %s it shows %s", name, wall.Format(time.DateTime), shown)
				}
			}
		}
	}
}
