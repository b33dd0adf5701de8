package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/kubernetes/records"
)

// explainReport is what programs read of a workload.
type explainReport struct {
	Namespace    string        `json:"namespace"`
	Kind         string        `json:"kind"`
	Name         string        `json:"name"`
	OptedIn      bool          `json:"optedIn"`
	By           string        `json:"by"`    // why it is opted in or not
	Do           string        `json:"do"`    // what would opt it in, as a command; empty: it is, or nobody can
	Wrong        string        `json:"wrong"` // in its terms; nothing is killed then
	DryRun       bool          `json:"dryRun"`
	Terms        []termEntry   `json:"terms"`
	Closed       string        `json:"closed"` // why it is closed now; empty: it is open
	Windows      []windowEntry `json:"windows"`
	Expected     float64       `json:"expectedKillsInAWeek"`
	Next         string        `json:"nextKill"`
	NextUnknown  string        `json:"nextKillUnknown"`
	Gates        []gateEntry   `json:"gates"`
	Refused      string        `json:"refused"` // why the API server refuses each kill; empty: it does not, or that is not known
	Pods         []podEntry    `json:"pods"`
	Kills        []killEntry   `json:"kills"`
	KillsUnknown string        `json:"killsUnknown"`
}

type termEntry struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"` // workload, namespace or configuration
}

type windowEntry struct {
	Open  string `json:"open"`
	Close string `json:"close"`
}

type gateEntry struct {
	Gate   string `json:"gate"`
	Answer string `json:"answer"`
	Why    string `json:"why"`
}

// What gates answer.
const (
	gatePasses  = "passes"
	gateSpares  = "spares"
	gateUnknown = "unknown"
	gateUnasked = "not asked"
)

type podEntry struct {
	Name   string `json:"name"`
	Node   string `json:"node"`
	MayDie bool   `json:"mayDie"`
	Why    string `json:"why"` // it may not
}

type killEntry struct {
	Name    string `json:"name"`
	Planned string `json:"planned"`
	Verdict string `json:"verdict"`
	Reason  string `json:"reason"`
}

// lastShown is how many past kills are shown.
const lastShown = 5

func (x *explainReport) lastKills(ctx context.Context, s subject) error {
	kills, err := records.Of(ctx, s.client, s.found.Workload)
	if err != nil {
		return err
	}
	slices.SortFunc(kills, func(a, b v1alpha1.Kill) int { return b.Spec.Planned.Compare(a.Spec.Planned.Time) })
	for _, k := range kills[:min(len(kills), lastShown)] {
		verdict := cmp.Or(string(k.Status.Verdict), string(k.Phase()))
		x.Kills = append(x.Kills, killEntry{k.Name, k.Spec.Planned.UTC().Format(time.RFC3339), verdict, k.Status.Reason})
	}
	return nil
}

// print writes it for people.
func (x explainReport) print(w io.Writer, style style) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n\n", style.bold(fmt.Sprintf("%s/%s/%s", x.Namespace, x.Kind, x.Name)))
	switch {
	case !x.OptedIn:
		fmt.Fprintf(&text, "It is %s: %s.\n", style.bad("not opted in"), x.By)
		if x.Do != "" {
			fmt.Fprintf(&text, "To opt it in:\n\n    %s\n", x.Do)
		}
	case x.Wrong != "":
		fmt.Fprintf(&text, "It is opted in %s, and its terms are %s: %s.\nIt is spared until they are mended.\n", x.By, style.bad("wrong"), x.Wrong)
	default:
		x.tables(&text, style)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func (x explainReport) tables(text *strings.Builder, style style) {
	mode := "live: it is killed"
	if x.DryRun {
		mode = "dry run: kills are rehearsed, and nothing dies"
	}
	read := len(x.Terms) > 0 // and so it is known when it is open
	rows := [][]string{{"opted in", x.By}, {"mode", mode}}
	if read {
		rows = append(rows, []string{"now", cmp.Or(x.Closed, "open")}, []string{"expected", fmt.Sprintf("%.1f kills in the next 7 days", x.Expected)})
	}
	lines(text, append(rows, []string{"next kill", cmp.Or(x.Next, "not known: "+x.NextUnknown)}))
	if read {
		x.times(text)
	}
	rows = [][]string{{style.plain("NOW"), "GATE", "WHY"}}
	spared, planned, unknown := 0, 0, 0 // planned: of those that spare, which do so to planned kills alone
	for _, g := range x.Gates {
		paint := style.bad
		switch g.Answer {
		case gatePasses:
			paint = style.good
		case gateSpares:
			spared++
			if g.Gate == string(chaos.OutsideWindow) || g.Gate == string(chaos.TooSoon) {
				planned++
			}
		default:
			unknown++
		}
		rows = append(rows, []string{paint(g.Answer), g.Gate, g.Why})
	}
	lines(text, rows)
	rows = [][]string{{"POD", "NODE", "MAY DIE"}}
	for _, p := range x.Pods {
		rows = append(rows, []string{p.Name, p.Node, cmp.Or(p.Why, "yes")})
	}
	lines(text, rows)
	rows = [][]string{{"LAST KILLS", "PLANNED", "VERDICT", "REASON"}}
	for _, k := range x.Kills {
		rows = append(rows, []string{k.Name, k.Planned, k.Verdict, k.Reason})
	}
	switch {
	case x.KillsUnknown != "":
		fmt.Fprintf(text, "Its last kills are not known: %s\n\n", x.KillsUnknown)
	case len(x.Kills) == 0:
		text.WriteString("There is no record of a kill.\n\n")
	default:
		lines(text, rows)
	}
	switch {
	case spared > 0 && spared == planned:
		fmt.Fprintf(text, "A planned kill now would be %s. 'caprice kill' goes by the other gates alone, and by freezes.\n", style.bad("vetoed"))
	case spared > 0:
		fmt.Fprintf(text, "A kill now would be %s.\n", style.bad("vetoed"))
	case unknown > 0:
		text.WriteString("No gate is known to spare it now, and not all are known.\n")
	default:
		text.WriteString("No gate spares it now.\n")
	}
	if x.Refused != "" {
		fmt.Fprintf(text, "A kill that no gate spares will %s: %s.\n", style.bad("fail"), x.Refused)
	}
}

// times writes its terms, and when it is open.
func (x explainReport) times(text *strings.Builder) {
	rows := [][]string{{"TERM", "VALUE", "FROM"}}
	for _, t := range x.Terms {
		rows = append(rows, []string{t.Name, t.Value, t.From})
	}
	lines(text, rows)
	rows = [][]string{{"NEXT WINDOWS", ""}}
	for _, w := range x.Windows {
		rows = append(rows, []string{w.Open, "to " + w.Close})
	}
	lines(text, rows)
}

// lines writes a table and an empty line. A strings.Builder takes all.
func lines(text *strings.Builder, rows [][]string) {
	_ = table(text, rows)
	text.WriteString("\n")
}
