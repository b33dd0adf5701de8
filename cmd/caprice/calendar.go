package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"caprice/calendar"
	"caprice/calendar/ics"
)

// yearsRead is for how many years holidays and files are read. What lies beyond is closed.
const yearsRead = 10

// calendar returns the cluster's calendar from a week before now on, with what its files close. Its error is one line that
// names the variable and says what would be right, or what keeps every window closed.
func (c Config) calendar(now time.Time, files []file) (calendar.Calendar, error) {
	from, to := now.AddDate(0, 0, -7), now.AddDate(yearsRead, 0, 0)
	masks := append(c.Freezes.Masks(c.TimeZone), calendar.Mask{
		Window: calendar.Window{Open: to, Close: time.Date(10_000, time.January, 1, 0, 0, 0, 0, time.UTC)},
		Name:   fmt.Sprintf("the end of the %d years that were read; a restart reads on", yearsRead),
	})
	for _, f := range files {
		read, err := ics.Read(strings.NewReader(f.text), f.name, c.TimeZone, from, to)
		if err != nil {
			return calendar.Calendar{}, fmt.Errorf("%s_ICS_FILES: %w", prefix, err)
		}
		masks = append(masks, read...)
	}
	cal := calendar.Calendar{Zone: c.TimeZone, Days: c.Days, Hours: c.Hours, Closed: &calendar.Closed{
		Holidays: c.Holidays.Dates(from.Year()-1, to.Year()+1), // a year more, since zones differ
		Masks:    calendar.Union(masks...),
	}}
	if err := cal.Check(now); err != nil {
		return cal, fmt.Errorf("%s: %w", strings.Join(c.closing(), ", "), err)
	}
	return cal, nil
}

// closing returns the variables that can keep the calendar from opening.
func (c Config) closing() []string {
	names := []string{prefix + "_DAYS", prefix + "_HOURS"}
	for _, v := range []struct {
		name string
		set  bool
	}{{"_HOLIDAYS", c.Holidays.String() != ""}, {"_FREEZES", c.Freezes.String() != ""}, {"_ICS_FILES", len(c.IcsFiles) > 0}} {
		if v.set {
			names = append(names, prefix+v.name)
		}
	}
	return names
}

// Files are paths of files, with the wildcards of filepath.Match.
type Files []string

// UnmarshalText reads paths or globs separated by commas, or nothing.
func (f *Files) UnmarshalText(b []byte) error {
	*f = nil
	if len(b) == 0 {
		return nil
	}
	for path := range strings.SplitSeq(string(b), ",") {
		path = strings.TrimSpace(path)
		if _, err := filepath.Match(path, ""); err != nil || path == "" {
			return fmt.Errorf("file %q: want paths or globs separated by commas, as in /etc/caprice/ics/*.ics", path)
		}
		*f = append(*f, path)
	}
	return nil
}

// String returns the paths, separated by commas.
func (f Files) String() string { return strings.Join(f, ",") }

// file is an iCalendar file as it was read.
type file struct{ name, text string }

// read returns the files that there are, which must be at least one for each path or glob.
func (f Files) read() ([]file, error) {
	var files []file
	for _, glob := range f {
		paths, err := filepath.Glob(glob)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s_ICS_FILES: %s: %w", prefix, glob, err)
		case len(paths) == 0:
			return nil, fmt.Errorf("%s_ICS_FILES: %s: no file is there; want one, or nothing", prefix, glob)
		}
		for _, path := range paths {
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				dir := path
				if path != glob {
					dir = filepath.Dir(path) // the glob takes too much
				}
				return nil, fmt.Errorf("%s_ICS_FILES: %s is a directory: want files, as in %s", prefix, path, filepath.Join(dir, "*.ics"))
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, fmt.Errorf("%s_ICS_FILES: %w", prefix, err)
			}
			files = append(files, file{filepath.Base(path), string(text)})
		}
	}
	return files, nil
}
