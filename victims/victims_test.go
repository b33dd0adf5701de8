package victims

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func defaults() Terms {
	t := Terms{Pace: Pace{Mean: Span{Days: 2}}, Scale: Scale{Fixed, 1}, MinReplicas: 2, Method: Delete}
	if err := t.Calendar.Days.UnmarshalText([]byte("Mon-Fri")); err != nil {
		panic(err)
	}
	return t
}

func labels(pairs ...string) Metadata {
	m := Metadata{Labels: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		m.Labels[Prefix+pairs[i]] = pairs[i+1]
	}
	return m
}

func TestWhoIsIn(t *testing.T) {
	for _, test := range []struct {
		why                 string
		workload, namespace Metadata
		want                error
	}{
		{"nobody said anything", labels(), labels(), ErrOptedOut},
		{"the workload opts in", labels(Enabled, "true"), labels(), nil},
		{"the namespace opts in", labels(), labels(Enabled, "true"), nil},
		{"the workload opts out of its namespace", labels(Enabled, "false"), labels(Enabled, "true"), ErrOptedOut},
		{"the namespace opts out its workloads", labels(Enabled, "true"), labels(Enabled, "false"), ErrOptedOut},
	} {
		t.Run(test.why, func(t *testing.T) {
			if _, err := ReadTerms(test.workload, test.namespace, defaults()); !errors.Is(err, test.want) {
				t.Errorf("error = %v, want %v", err, test.want)
			}
		})
	}
}

func TestWrongTermsNameTheKeyAndWhatWouldBeRight(t *testing.T) {
	annotated := labels(Enabled, "true")
	annotated.Annotations = map[string]string{Prefix + WorkingDays: "Saturn"}
	hasty := labels(Enabled, "true")
	hasty.Annotations = map[string]string{Prefix + Heal: "900ms"}
	for _, test := range []struct {
		why      string
		workload Metadata
		want     string
	}{
		{"a switch that is neither", labels(Enabled, "yes"), `enabled: "yes": want "true" or "false"`},
		{"a key that is misspelt", labels(Enabled, "true", "kill-mod", "fixed"), "label caprice.chaos/kill-mod: there is none; the nearest is caprice.chaos/kill-mode"},
		{"an annotation as a label", labels(Enabled, "true", WorkingDays, "Mon"), "want it as an annotation"},
		{"a time without unit", labels(Enabled, "true", Mean, "2"), "want working days"},
		{"more days than can be written", labels(Enabled, "true", Mean, "10000d"), "at most 9999d or 999999h"},
		{"more hours than can be written", labels(Enabled, "true", Mean, "1000000h"), "at most 9999d or 999999h"},
		{"a mean of nothing", labels(Enabled, "true", Mean, "0d"), "want 0.0005d, 10s or more"},
		{"hours that add up to more", labels(Enabled, "true", Mean, "999999h60m"), "want at most 999999h"},
		{"a mean that no number has", labels(Enabled, "true", Mean, "999999h999999h999999h"), "want at most 999999h"},
		{"a mean that is too short", labels(Enabled, "true", Mean, "9s"), "want 10s or more"},
		{"a mean that is too short for any minimum", labels(Enabled, "true", Mean, "5s", Minimum, "2s"), "label caprice.chaos/mean-time-between-kills: "},
		{"a minimum above the mean", labels(Enabled, "true", Mean, "4h", Minimum, "5h"), "want no more than the mean"},
		{"a minimum of two days", labels(Enabled, "true", Minimum, "2d"), "want 1d or less"},
		{"a percentage of nothing", labels(Enabled, "true", KillMode, "fixed-percent", KillValue, "0"), "from 1 to 100"},
		{"a percentage above all", labels(Enabled, "true", KillMode, "random-max-percent", KillValue, "101"), "from 1 to 100"},
		{"no pod", labels(Enabled, "true", KillMode, "fixed", KillValue, "0"), "want a number of pods, 1 or more"},
		{"fewer replicas than none", labels(Enabled, "true", MinReplicas, "-1"), "want a whole number, 0 or more"},
		{"a percentage left out", labels(Enabled, "true", KillMode, "random-max-percent"), "from 1 to 100"},
		{"a value that means nothing", labels(Enabled, "true", KillMode, "kill-all", KillValue, "2"), "want none for kill mode kill-all"},
		{"a mode that there is not", labels(Enabled, "true", KillMode, "some"), "want fixed, fixed-percent"},
		{"less than a second to heal", hasty, `recovery-deadline: recovery deadline "900ms": want a duration of 1s to 24h`},
		{"a day that there is not", annotated, `days: weekday "Saturn": want Mon`},
	} {
		t.Run(test.why, func(t *testing.T) {
			_, err := ReadTerms(test.workload, labels(), defaults())
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error = %v, want one line with %q", err, test.want)
			}
		})
	}
}

func TestAMinimumInOtherUnitsIsComparedByTheDay(t *testing.T) {
	for _, test := range []struct{ why, mean, minimum, hours, want string }{
		{"days against seconds", "10s", "1d", "10:00-16:00", "min time between kills 1d: want no more than the mean, 10s, on a day of 6h"},
		{"half a day against an hour less", "2h", "0.5d", "10:00-16:00", "want no more than the mean, 2h, on a day of 6h"},
		{"as long as the mean", "3h", "0.5d", "10:00-16:00", ""},
		{"hours against a part of a day", "0.5d", "3h1m", "10:00-16:00", "min time between kills 3h1m: want no more than the mean, 0.5d, on a day of 6h"},
		{"as long as the part", "0.7d", "7h", "09:00-19:00", ""},
		{"longer than the day, which it ends with", "1d", "4h", "10:00-13:00", ""},
		{"a day that is shorter than the mean", "4h", "1d", "10:00-13:00", ""},
		{"all windows of a day count", "4h", "1d", "09:00-12:00,13:00-15:00", "on a day of 5h"},
		{"and what is after midnight", "4h", "1d", "22:00-02:30", "on a day of 4h30m"},
		{"a night that ends where the next day opens", "0.5d", "330m", "07:00-08:00,22:00-08:00", "min time between kills 5h30m: want no more than the mean, 0.5d, on a day of 10h"},
		{"and does not before a day off", "5h", "0.5d", "07:00-08:00,22:00-08:00", "on a day of 11h"},
		{"a mean too short on most days alone", "0.0005d", "", "01:00-01:30,20:30-06:00", "mean time between kills 0.0005d: want 10s or more, on a day of 5h"},
		{"all day, which is not always 24 hours", "24h", "1d", "00:00-24:00", ""},
		{"the default of a day", "1d", "", "10:00-10:01", ""},
		{"the default of seconds", "10s", "", "00:00-24:00", ""},
		{"a part of a day too short", "0.0005d", "", "10:00-11:00", "mean-time-between-kills: mean time between kills 0.0005d: want 10s or more, on a day of 1h"},
	} {
		t.Run(test.why, func(t *testing.T) {
			workload := labels(Enabled, "true", Mean, test.mean)
			if test.minimum != "" {
				workload.Labels[Prefix+Minimum] = test.minimum
			}
			workload.Annotations = map[string]string{Prefix + WorkHours: test.hours}
			switch _, err := ReadTerms(workload, labels(), defaults()); {
			case test.want == "" && err != nil:
				t.Errorf("error = %v, want none", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error = %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestADayIsAsLongAsTheNextOneLeavesIt(t *testing.T) {
	for _, test := range []struct{ days, want string }{
		{"Mon-Fri", "on a day of 10h"},
		{"Sat", ""}, // no next day is a working day, and each has 11 hours
	} {
		workload := labels(Enabled, "true", Mean, "0.5d", Minimum, "330m")
		workload.Annotations = map[string]string{Prefix + WorkHours: "07:00-08:00,22:00-08:00", Prefix + WorkingDays: test.days}
		if _, err := ReadTerms(workload, labels(), defaults()); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error = %v, want %q", test.days, err, test.want)
		}
	}
}

func TestTheOwnersHoursMayNotFitTheClustersPace(t *testing.T) {
	cluster := defaults()
	cluster.Pace = Pace{Mean: Span{Time: time.Hour}, Minimum: &Span{Days: 1}} // of a cluster with windows of an hour
	workload := labels(Enabled, "true")
	workload.Annotations = map[string]string{Prefix + WorkHours: "10:00-16:00"}
	const want = "annotation caprice.chaos/hours: min time between kills 1d: want no more than the mean, 1h, on a day of 6h"
	if _, err := ReadTerms(workload, labels(), cluster); err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
	if _, err := ReadTerms(labels(Enabled, "true"), Metadata{Annotations: workload.Annotations}, cluster); err == nil || err.Error() != "namespace's "+want {
		t.Errorf("error = %v, want namespace's %s", err, want)
	}
}

func TestTheOwnersDaysMayNotFitTheClustersPace(t *testing.T) {
	cluster := defaults()
	cluster.Pace = Pace{Mean: Span{Days: 0.5}, Minimum: &Span{Time: 330 * time.Minute}}
	if err := errors.Join(cluster.Calendar.Days.UnmarshalText([]byte("Mon,Wed")), cluster.Calendar.Hours.UnmarshalText([]byte("07:00-08:00,22:00-08:00"))); err != nil {
		t.Fatal(err)
	}
	workload := labels(Enabled, "true")
	if _, err := ReadTerms(workload, labels(), cluster); err != nil {
		t.Errorf("on the cluster's days: %v", err)
	}
	workload.Annotations = map[string]string{Prefix + WorkingDays: "Mon-Fri"}
	const want = "annotation caprice.chaos/days: min time between kills 5h30m: want no more than the mean, 0.5d, on a day of 10h"
	if _, err := ReadTerms(workload, labels(), cluster); err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
}

func TestADayWithoutRoomForTheMinimumHasFewerKills(t *testing.T) {
	for _, test := range []struct {
		why                      string
		mean, minimum            Span
		day, wantMean, wantLeast time.Duration
	}{
		{"a day of 25 hours", Span{Time: 24 * time.Hour}, Span{Days: 1}, 25 * time.Hour, 25 * time.Hour, 25 * time.Hour},
		{"a day that the clock shortens", Span{Days: 0.5}, Span{Time: 2 * time.Hour}, 3 * time.Hour, 2 * time.Hour, 2 * time.Hour},
		{"the minimum ends with the day", Span{Days: 1}, Span{Time: 4 * time.Hour}, 3 * time.Hour, 3 * time.Hour, 3 * time.Hour},
		{"a day like others", Span{Days: 0.5}, Span{Time: 2 * time.Hour}, 6 * time.Hour, 3 * time.Hour, 2 * time.Hour},
	} {
		if mean, least := (Pace{test.mean, &test.minimum}).In(test.day); mean != test.wantMean || least != test.wantLeast {
			t.Errorf("%s: mean %s, minimum %s, want %s and %s", test.why, mean, least, test.wantMean, test.wantLeast)
		}
	}
}

func TestNoDaysMeanIsBelowTheShortest(t *testing.T) {
	const short = time.Minute // of 02:00-03:01 on a day whose clock skips an hour
	for _, test := range []struct {
		why         string
		pace        Pace
		day         time.Duration
		mean, least time.Duration
	}{
		{"a part of a day that the clock shortens", Pace{Mean: Span{Days: 0.003}}, short, 10 * time.Second, 5 * time.Second},
		{"beside a minimum", Pace{Span{Days: 0.003}, &Span{Days: 0.003}}, short, 10 * time.Second, 180 * time.Millisecond},
		{"on a day like others", Pace{Mean: Span{Days: 0.003}}, 61 * time.Minute, 10980 * time.Millisecond, 5490 * time.Millisecond},
	} {
		if mean, least := test.pace.In(test.day); mean != test.mean || least != test.least {
			t.Errorf("%s: mean %s, minimum %s, want %s and %s", test.why, mean, least, test.mean, test.least)
		}
	}
}

func TestMeanAndMinimumComeFromOneObject(t *testing.T) {
	terms, err := ReadTerms(labels(Enabled, "true", Mean, "4h"), labels(Mean, "2d", Minimum, "1d", KillMode, "fixed-percent", KillValue, "50"), defaults())
	if err != nil {
		t.Fatal(err)
	}
	if terms.Pace.Mean != (Span{Time: 4 * time.Hour}) || terms.Pace.Minimum != nil {
		t.Errorf("pace = %+v, want the workload's mean without the namespace's minimum", terms.Pace)
	}
	if want := (Scale{FixedPercent, 50}); terms.Scale != want {
		t.Errorf("scale = %+v, want the namespace's, %+v", terms.Scale, want)
	}
}

func TestTheTimeToHealIsTheOwnersWord(t *testing.T) {
	namespace, workload := labels(Enabled, "true"), labels()
	namespace.Annotations = map[string]string{Prefix + Heal: "5m"}
	for _, test := range []struct {
		why, own string
		want     time.Duration
	}{
		{"the namespace's", "", 5 * time.Minute},
		{"the workload's own", "90s", 90 * time.Second},
	} {
		if test.own != "" {
			workload.Annotations = map[string]string{Prefix + Heal: test.own}
		}
		terms, err := ReadTerms(workload, namespace, defaults())
		if err != nil || time.Duration(terms.Deadline) != test.want || terms.Same(defaults()) {
			t.Errorf("%s: %s, %v, want %s", test.why, time.Duration(terms.Deadline), err, test.want)
		}
	}
}

func pods(n int) []Pod {
	list := make([]Pod, n)
	for i := range list {
		list[i] = Pod{Name: fmt.Sprintf("pod-%03d", i), UID: fmt.Sprint(i), Running: true, Ready: true}
	}
	return list
}

func TestHowManyDie(t *testing.T) {
	for _, test := range []struct {
		why              string
		scale            Scale
		candidates, want int
	}{
		{"a fixed number", Scale{Fixed, 2}, 5, 2},
		{"never more than there are", Scale{Fixed, 9}, 5, 5},
		{"a percentage, rounded half up", Scale{FixedPercent, 50}, 5, 3},
		{"a percentage, rounded down below a half", Scale{FixedPercent, 49}, 5, 2},
		{"a small percentage is at least one", Scale{FixedPercent, 1}, 5, 1},
		{"all", Scale{Mode: KillAll}, 5, 5},
		{"as many as the budget allows", Scale{Mode: PDB}, 5, 4},
		{"nobody to choose from", Scale{FixedPercent, 50}, 0, 0},
		{"a random percentage of nobody", Scale{RandomMaxPercent, 50}, 0, 0},
	} {
		t.Run(test.why, func(t *testing.T) {
			chosen := test.scale.Choose(pods(test.candidates), 4, rand.NewPCG(1, 2))
			distinct := map[string]bool{}
			for _, p := range chosen {
				distinct[p.UID] = true
			}
			if len(chosen) != test.want || len(distinct) != test.want {
				t.Errorf("%d pods, %d distinct, want %d", len(chosen), len(distinct), test.want)
			}
		})
	}
}

func TestOnlyCandidatesDie(t *testing.T) {
	noon := time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		why    string
		mode   Mode
		change func(*Pod)
		want   string
	}{
		{"nothing is wrong with it", Fixed, func(*Pod) {}, ""},
		{"the cluster needs it", Fixed, func(p *Pod) { p.Critical = true }, "1 system-critical"},
		{"the cluster needs it, whatever the mode", KillAll, func(p *Pod) { p.Critical = true }, "1 system-critical"},
		{"its node would make it again at once", KillAll, func(p *Pod) { p.Static = true }, "1 static"},
		{"it goes already", KillAll, func(p *Pod) { p.Terminating = true }, "1 terminating"},
		{"it goes already, and is not Ready any more", Fixed, func(p *Pod) { p.Terminating, p.Ready = true, false }, "1 terminating"},
		{"it has not begun", KillAll, func(p *Pod) { p.Running = false }, "1 not Running"},
		{"it does not serve", Fixed, func(p *Pod) { p.Ready = false }, "1 not Ready"},
		{"it does not serve, which kill-all does not mind", KillAll, func(p *Pod) { p.Ready = false }, ""},
		{"it is just old enough", Fixed, func(p *Pod) { p.Created = noon }, ""},
		{"it is too young by an instant", Fixed, func(p *Pod) { p.Created = noon.Add(1) }, "1 too young"},
		{"it is too young, whatever the mode", KillAll, func(p *Pod) { p.Created = noon.Add(time.Hour) }, "1 too young"},
		{"it is young, but that is not what is in the way", Fixed, func(p *Pod) { p.Created, p.Ready = noon.Add(1), false }, "1 not Ready"},
	} {
		t.Run(test.why, func(t *testing.T) {
			list := pods(2)
			test.change(&list[1])
			got, left := Candidates(list, test.mode, noon)
			if in := len(got) == 2; in != (test.want == "") || len(got) == 0 || got[0].Name != "pod-000" || left.String() != test.want {
				t.Errorf("candidates = %v, left out %q, want %q", got, left, test.want)
			}
		})
	}
}

func TestWhyPodsWereLeftOutIsCounted(t *testing.T) {
	list := pods(6)
	for i := range 3 {
		list[i].Ready = false
	}
	list[3].Static, list[4].Critical = true, true
	if _, left := Candidates(list, Fixed, time.Time{}); left.String() != "1 system-critical, 1 static, 3 not Ready" {
		t.Errorf("left out %q", left)
	}
}

func TestEachPodIsAsLikelyAsAnother(t *testing.T) {
	const trials, n = 60_000, 6
	hits := map[string]int{}
	for i := range uint64(trials) {
		for _, p := range (Scale{Fixed, 2}).Choose(pods(n), 0, rand.NewPCG(i, 42)) {
			hits[p.Name]++
		}
	}
	chi2, want := 0.0, 2.0*trials/n
	for _, h := range hits {
		chi2 += (float64(h) - want) * (float64(h) - want) / want
	}
	if len(hits) != n || chi2 > 20.5 { // 99.9 % of chi-square with 5 degrees of freedom
		t.Errorf("chi-square of %v is %.1f, want 20.5 or less", hits, chi2)
	}
}

func TestRandomPercentIsUniform(t *testing.T) {
	hits := map[int]int{}
	for i := range uint64(40_000) {
		hits[len((Scale{RandomMaxPercent, 4}).Choose(pods(100), 0, rand.NewPCG(7, i)))]++
	}
	for n := 1; n <= 4; n++ {
		if hits[n] < 9_600 || hits[n] > 10_400 {
			t.Errorf("%d pods in %d of 40000 kills, want about 10000", n, hits[n])
		}
	}
}

func TestASpanIsReadAsItIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Span{Time: time.Duration(rapid.Int64Range(1, 1e8).Draw(t, "seconds")) * time.Second}
		if rapid.Bool().Draw(t, "days") {
			s = Span{Days: float64(rapid.IntRange(1, 9_999_000).Draw(t, "thousandths")) / 1000}
		}
		var again Span
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%s is read as %s, %v", s, again, err)
		}
	})
}

func FuzzSpan(f *testing.F) {
	for _, s := range []string{"2d", "1.5d", "4h", "90m", "20s", "1h30m", "0s", "d", "-1d", "1e9d", "99999h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s, again Span
		if s.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%q is %s, which is read as %s, %v", text, s, again, err)
		}
	})
}

func TestTheOriginOfTerms(t *testing.T) {
	workload := Metadata{Labels: map[string]string{Prefix + Minimum: "1h", Prefix + MinReplicas: "1"}, Annotations: map[string]string{Prefix + WorkHours: "10:00-11:00"}}
	namespace := Metadata{Labels: map[string]string{Prefix + Mean: "2h", Prefix + KillValue: "2", Prefix + MinReplicas: "3"}}
	for _, test := range []struct{ why, key, want string }{
		{"the workload's word wins", MinReplicas, "workload"},
		{"of a pair the nearest object counts that has either", Mean, "workload"},
		{"and so it does for the other", Minimum, "workload"},
		{"a pair of the namespace", KillMode, "namespace"},
		{"an annotation", WorkHours, "workload"},
		{"nobody says anything", KillMethod, ""},
	} {
		if got := Origin(test.key, workload, namespace); got != test.want {
			t.Errorf("%s: %s is of %q, want %q", test.why, test.key, got, test.want)
		}
	}
}

// A field that Same forgets is one whose change nobody hears of: kills go on with what was so before.
func TestNoTermChangesUnnoticed(t *testing.T) {
	changes := map[string]func(*Terms){
		"Pace":        func(t *Terms) { t.Pace.Minimum = &Span{Time: time.Minute} },
		"Scale":       func(t *Terms) { t.Scale.Value++ },
		"MinReplicas": func(t *Terms) { t.MinReplicas++ },
		"Method":      func(t *Terms) { t.Method = Evict },
		"Grace":       func(t *Terms) { t.Grace = GracePeriod(time.Minute) },
		"Deadline":    func(t *Terms) { t.Deadline = Deadline(time.Minute) },
		"Calendar":    func(t *Terms) { _ = t.Calendar.Days.UnmarshalText([]byte("Sat")) },
	}
	before := defaults()
	if !before.Same(defaults()) {
		t.Error("terms are not the same as themselves")
	}
	for field := range reflect.TypeFor[Terms]().Fields() {
		change, ok := changes[field.Name]
		if !ok {
			t.Errorf("no change of %s is tried", field.Name)
			continue
		}
		after := defaults()
		if change(&after); before.Same(after) || after.Same(before) {
			t.Errorf("terms with another %s are the same", field.Name)
		}
	}
}

func TestAMinimumIsTheSameByWhatItIs(t *testing.T) {
	of := func(minimum time.Duration) Terms {
		terms := defaults()
		terms.Pace.Minimum = &Span{Time: minimum}
		return terms
	}
	if !of(time.Minute).Same(of(time.Minute)) || of(time.Minute).Same(of(time.Hour)) {
		t.Error("a minute is another minimum than a minute, or the same as an hour")
	}
}

func TestTheDefaultMinimumIsADayOrHalfOfTheMean(t *testing.T) {
	const day = 6 * time.Hour
	for _, test := range []struct{ mean, want Span }{
		{Span{Days: 1}, Span{Time: day}},
		{Span{Days: 2}, Span{Time: day}},
		{Span{Days: 0.5}, Span{Time: day / 4}},
		{Span{Time: 4 * time.Hour}, Span{Time: 2 * time.Hour}},
		{Span{Time: 20 * time.Hour}, Span{Time: day}}, // which is less than half
	} {
		if _, minimum := (Pace{Mean: test.mean}).In(day); minimum != test.want.Time {
			t.Errorf("of a mean of %s it is %s, want %s", test.mean, minimum, test.want)
		}
	}
}

func TestDurationsThatAreOutOfBounds(t *testing.T) {
	for text, fine := range map[string]bool{"0s": false, "500ms": false, "1s": true, "1500ms": false, "30s": true, "24h": true, "24h0m1s": false, "2562047h47m": false} {
		if err := new(GracePeriod).UnmarshalText([]byte(text)); (err == nil) != fine {
			t.Errorf("grace period %s: %v, want it to be fine: %v", text, err, fine)
		}
	}
	for text, fine := range map[string]bool{"999ms": false, "1s": true, "24h": true, "24h0m1s": false} {
		if err := new(Deadline).UnmarshalText([]byte(text)); (err == nil) != fine {
			t.Errorf("recovery deadline %s: %v, want it to be fine: %v", text, err, fine)
		}
	}
}

func TestAPodThatIsNotReadyDiesWithAllAlone(t *testing.T) {
	p := Pod{Running: true}
	for _, mode := range []Mode{Fixed, FixedPercent, RandomMaxPercent, KillAll, PDB} {
		want := NotReady
		if mode == KillAll {
			want = ""
		}
		if why := p.Excluded(mode, time.Time{}); why != want {
			t.Errorf("mode %s: %q, want %q", mode, why, want)
		}
	}
	if n := len((Scale{Mode: PDB}).Choose([]Pod{p}, -1, rand.NewPCG(1, 2))); n != 0 {
		t.Errorf("%d die under a budget that allows less than none", n)
	}
}

func TestAKeyThatIsMisspeltIsGuessed(t *testing.T) {
	for name, want := range map[string]string{
		"enabeld": "nearest is caprice.chaos/enabled", "kill_mode": "nearest is caprice.chaos/kill-mode", "mean-time-between-kill": "nearest is caprice.chaos/mean-time-between-kills",
		"timezone": "nearest is caprice.chaos/time-zone", "dyas": "nearest is caprice.chaos/days", "something-else": "the README has",
	} {
		if got := meant(name); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
