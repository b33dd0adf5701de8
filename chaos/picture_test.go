package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"caprice/calendar"
	"caprice/victims"
)

// docs/renewal.svg is drawn from the plan: UPDATE_README=1 go test ./chaos -run Picture writes it.
func TestThePictureOfThePlanIsCurrent(t *testing.T) {
	const path = "../docs/renewal.svg"
	want := picture(t)
	got, err := os.ReadFile(path)
	if err == nil && string(got) == want {
		return
	}
	if os.Getenv("UPDATE_README") == "" {
		t.Fatalf("%s does not show the plan (%v): UPDATE_README=1 go test ./chaos -run Picture writes it", path, err)
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What the picture shows: days of six hours, and a mean of two.
const (
	pictured = 6 * time.Hour
	average  = 2 * time.Hour
	step     = 10 * time.Minute // one point of a curve
	steps    = int(pictured / step)
	many     = 20_000 // days that a curve is the average of
)

// picture has nine days of each of three minimums, and under them how often kills come at each time of the day.
func picture(t *testing.T) string {
	cal := workingHours(t, "10:00-16:00")
	var svg strings.Builder
	svg.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 470" font-family="sans-serif" font-size="13" role="img" aria-label="Kills of nine days for three minimums between kills, and the rate of kills by the time of day, which is the same at all times">
  <rect width="720" height="470" fill="#fff"/>
`)
	const left, width = 180.0, 500.0
	x := func(in time.Duration) float64 { return left + width*in.Hours()/pictured.Hours() }
	y := 30.0
	for _, row := range []struct {
		text    string
		minimum time.Duration
	}{{"minimum 0", 0}, {"minimum half the mean", average / 2}, {"minimum = mean", average}} {
		least := victims.Span{Time: row.minimum}
		s := aSubject("picture", cal, victims.Span{Time: average}, &least)
		fmt.Fprintf(&svg, "  <text x=\"8\" y=\"%.0f\" fill=\"#333\">%s</text>\n  <rect x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"72\" fill=\"#e8f3ec\"/>\n  <g fill=\"#b3261e\">", y+40, row.text, left, y, width)
		for n := range 9 {
			day := cal.Day(calendar.Date{Year: 2026, Month: time.March, Day: 2}.Add(n))
			for _, k := range Plan(Seed{1}, day, s) {
				fmt.Fprintf(&svg, `<circle cx="%.1f" cy="%.0f" r="3"/>`, x(k.At.Sub(day.Windows[0].Open)), y+4+8*float64(n))
			}
		}
		svg.WriteString("</g>\n")
		y += 90
	}
	const base, unit = 430.0, 60.0 // of the curves, where a rate of one kill in the mean is one unit up
	fmt.Fprintf(&svg, "  <text x=\"8\" y=\"%.0f\" fill=\"#333\">rate of kills</text>\n  <text x=\"8\" y=\"%.0f\" fill=\"#777\" font-size=\"11\">minimum half the mean</text>\n", base-unit, base-unit+16)
	fmt.Fprintf(&svg, "  <path d=\"M%.0f %.0fh%.0f\" stroke=\"#d0d4d8\"/>\n", left, base, width)
	for _, curve := range []struct {
		text, colour, dash string
		rate               [steps]float64
		at                 float64
	}{
		{"as planned", "#1b7f4b", "", plannedRate(t, cal), base - unit - 8},
		{"if each day began a process anew", "#777", ` stroke-dasharray="4 3"`, freshRate(), base - 22},
	} {
		var points []string
		for i, r := range curve.rate {
			points = append(points, fmt.Sprintf("%.1f,%.0f", x(time.Duration(i)*step+step/2), base-unit*r))
		}
		fmt.Fprintf(&svg, "  <polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\"%s points=\"%s\"/>\n", curve.colour, curve.dash, strings.Join(points, " "))
		fmt.Fprintf(&svg, "  <text x=\"%.0f\" y=\"%.0f\" fill=\"%s\" font-size=\"11\" text-anchor=\"end\">%s</text>\n", left+width, curve.at, curve.colour, curve.text)
	}
	svg.WriteString(`  <g fill="#777" font-size="11" text-anchor="middle">`)
	for hour := range 7 {
		fmt.Fprintf(&svg, `<text x="%.0f" y="448">%d:00</text>`, x(time.Duration(hour)*time.Hour), 10+hour)
	}
	svg.WriteString("</g>\n</svg>\n")
	return svg.String()
}

// plannedRate is how many kills the plan has at each time of the day, in those that the mean asks for.
func plannedRate(t *testing.T, cal calendar.Calendar) (rate [steps]float64) {
	t.Helper()
	least := victims.Span{Time: average / 2}
	s := aSubject("picture", cal, victims.Span{Time: average}, &least)
	date := calendar.Date{Year: 1970, Month: time.January, Day: 5}
	for n := 0; n < many; date = date.Add(1) {
		day := cal.Day(date)
		if len(day.Windows) == 0 {
			continue
		}
		n++
		for _, k := range Plan(Seed{1}, day, s) {
			rate[int(k.At.Sub(day.Windows[0].Open)/step)] += average.Hours() / step.Hours() / many
		}
	}
	return rate
}

// freshRate is the same of a renewal process that begins with each day: its first gap is one like all others.
func freshRate() (rate [steps]float64) {
	random := rand.New(rand.NewPCG(1, 2))
	for range many {
		for at := 0.0; ; {
			if at += average.Hours()/2 + random.ExpFloat64()*average.Hours()/2; at >= pictured.Hours() {
				break
			}
			rate[int(at/step.Hours())] += average.Hours() / step.Hours() / many
		}
	}
	return rate
}
