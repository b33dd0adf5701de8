package victims

import (
	"encoding"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"caprice/calendar"
)

// Terms are what a workload's owner asked for, with the cluster's defaults where the owner was silent.
type Terms struct {
	Pace        Pace
	Scale       Scale
	MinReplicas int
	Method      Method
	Grace       GracePeriod
	Deadline    Deadline
	Calendar    calendar.Calendar
}

// Same tells whether both terms ask for the same.
func (t Terms) Same(other Terms) bool {
	return t.Pace.Mean == other.Pace.Mean && (t.Pace.Minimum == nil) == (other.Pace.Minimum == nil) &&
		(t.Pace.Minimum == nil || *t.Pace.Minimum == *other.Pace.Minimum) &&
		t.Scale == other.Scale && t.MinReplicas == other.MinReplicas && t.Method == other.Method && t.Grace == other.Grace &&
		t.Deadline == other.Deadline && t.Calendar.Equal(other.Calendar)
}

// ErrOptedOut is returned where nobody opted the workload in, or somebody opted it out.
var ErrOptedOut = errors.New("not opted in")

// ReadTerms returns the terms of a workload from its own metadata, that of its namespace and the cluster's defaults. Mean
// and minimum are taken as a pair from the nearest object that has either, and so are mode and value. The error is
// ErrOptedOut, or names the label or annotation that is wrong and what would be right.
func ReadTerms(workload, namespace Metadata, defaults Terms) (Terms, error) {
	switch in, err := optedIn(workload, namespace); {
	case err != nil:
		return Terms{}, err
	case !in:
		return Terms{}, ErrOptedOut
	}
	objects := []owned{{"", workload}, {"namespace's ", namespace}}
	for _, o := range objects {
		if wrong := o.WrongKeys(); len(wrong) > 0 {
			return Terms{}, fmt.Errorf("%s%w", o.whose, wrong[0])
		}
	}
	t := defaults
	// The namespace first, so that the workload's own words win.
	for _, o := range slices.Backward(objects) {
		if err := o.pace(&t.Pace, defaults.Pace.Mean); err != nil {
			return Terms{}, err
		}
		if err := o.scale(&t.Scale, defaults.Scale.Mode); err != nil {
			return Terms{}, err
		}
		if err := o.others(&t); err != nil {
			return Terms{}, err
		}
	}
	if err := t.fit(workload, namespace); err != nil {
		return Terms{}, err
	}
	return t, nil
}

// fit returns an error that names the key that is wrong if no schedule has the pace on a day of the week. Days that a holiday or the
// clock makes longer or shorter do not count: what was right is not wrong on one of them.
func (t Terms) fit(workload, namespace Metadata) error {
	for _, length := range t.Calendar.Lengths() {
		err := t.Pace.CheckOn(length)
		if err == nil {
			continue
		}
		key := Minimum
		if t.Pace.tooFast(length) {
			key = Mean
		}
		for _, other := range []string{WorkHours, WorkingDays} {
			if Origin(key, workload, namespace) == "" { // the pace is the cluster's, and right on its days
				key = other
			}
		}
		of := owned{"", workload}
		if Origin(key, workload, namespace) == "namespace" {
			of = owned{"namespace's ", namespace}
		}
		return of.errorf(key, key == WorkHours || key == WorkingDays, err)
	}
	return nil
}

// Removal returns how pods are removed on these terms: kill mode pdb evicts, whatever Method says.
func (t Terms) Removal() Method {
	if t.Scale.Mode == PDB {
		return Evict
	}
	return t.Method
}

// Origin tells whose word a key of the terms is, given without Prefix: "workload", "namespace", or nothing where both are
// silent and the cluster's defaults hold. Where a pair is taken from one object, that is the origin of both.
func Origin(key string, workload, namespace Metadata) string {
	keys := []string{key}
	for _, pair := range [][]string{{Mean, Minimum}, {KillMode, KillValue}} {
		if slices.Contains(pair, key) {
			keys = pair
		}
	}
	for _, o := range []struct {
		name string
		Metadata
	}{{"workload", workload}, {"namespace", namespace}} {
		for _, k := range keys {
			_, labelled := o.Labels[Prefix+k]
			_, annotated := o.Annotations[Prefix+k]
			if labelled || annotated {
				return o.name
			}
		}
	}
	return ""
}

// optedIn tells whether the workload or its namespace says "true" and neither says "false".
func optedIn(workload, namespace Metadata) (bool, error) {
	in := false
	for _, m := range []Metadata{workload, namespace} {
		switch value, ok := m.Labels[Prefix+Enabled]; {
		case !ok:
		case value == "false":
			return false, nil
		case value == "true":
			in = true
		default:
			return false, fmt.Errorf(`label %s: %q: want "true" or "false"`, Prefix+Enabled, value)
		}
	}
	return in, nil
}

// owned is the metadata of one object and how an error calls it.
type owned struct {
	whose string
	Metadata
}

func (o owned) errorf(key string, annotation bool, err error) error {
	what := "label"
	if annotation {
		what = "annotation"
	}
	return fmt.Errorf("%s%s %s%s: %w", o.whose, what, Prefix, key, err)
}

func (o owned) pace(p *Pace, defaultMean Span) error {
	mean, hasMean := o.Labels[Prefix+Mean]
	minimum, hasMinimum := o.Labels[Prefix+Minimum]
	if !hasMean && !hasMinimum {
		return nil
	}
	*p = Pace{Mean: defaultMean}
	if hasMean {
		if err := p.Mean.UnmarshalText([]byte(mean)); err != nil {
			return o.errorf(Mean, false, err)
		}
	}
	if err := p.Check(); err != nil {
		return o.errorf(Mean, false, err)
	}
	if hasMinimum {
		p.Minimum = new(Span)
		if err := p.Minimum.UnmarshalText([]byte(minimum)); err != nil {
			return o.errorf(Minimum, false, err)
		}
	}
	if err := p.Check(); err != nil {
		return o.errorf(Minimum, false, err)
	}
	return nil
}

func (o owned) scale(s *Scale, defaultMode Mode) error {
	mode, hasMode := o.Labels[Prefix+KillMode]
	text, hasValue := o.Labels[Prefix+KillValue]
	if !hasMode && !hasValue {
		return nil
	}
	if !hasMode {
		mode = string(defaultMode)
	}
	var value *int
	if hasValue {
		n, err := strconv.Atoi(text)
		if err != nil {
			return o.errorf(KillValue, false, fmt.Errorf("%q: want a whole number", text))
		}
		value = &n
	}
	scale, err := ParseScale(mode, value)
	if err != nil && hasValue && !hasMode {
		return o.errorf(KillValue, false, err)
	}
	if err != nil {
		return o.errorf(KillMode, false, err)
	}
	*s = scale
	return nil
}

func (o owned) others(t *Terms) error {
	if text, ok := o.Labels[Prefix+MinReplicas]; ok {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return o.errorf(MinReplicas, false, fmt.Errorf("%q: want a whole number, 0 or more", text))
		}
		t.MinReplicas = n
	}
	for _, field := range []struct {
		key  string
		into encoding.TextUnmarshaler
	}{
		{TimeZone, &t.Calendar.Zone},
		{WorkingDays, &t.Calendar.Days},
		{WorkHours, &t.Calendar.Hours},
		{KillMethod, &t.Method},
		{Grace, &t.Grace},
		{Heal, &t.Deadline},
	} {
		if text, ok := o.Annotations[Prefix+field.key]; ok {
			if err := field.into.UnmarshalText([]byte(text)); err != nil {
				return o.errorf(field.key, true, err)
			}
		}
	}
	return nil
}
