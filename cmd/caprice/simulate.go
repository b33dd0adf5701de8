package main

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"caprice/calendar"
	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/kubernetes/manifests"
	"caprice/victims"
)

const (
	defaultSeed = "caprice"
	mostDays    = 365 * yearsRead // no more is known of holidays and files
)

// simulation is what the command line says.
type simulation struct {
	files     []string
	from      calendar.Date // zero: today in the cluster's zone
	days      int
	seed      string
	namespace string
	output    output
}

func simulateCommand() *cobra.Command {
	var s simulation
	c := &cobra.Command{
		Use:   "simulate -f FILE",
		Short: "Say what the plan would be for the workloads in manifests, without a cluster",
		Long: `Simulate plans kills for the workloads in YAML or JSON files, as run would with the same CAPRICE_ variables, and says how
many are to be expected and when the plan has them. It needs no cluster. Workloads opt in as in a cluster, by their own
labels or those of a Namespace among the files; kinds that cannot opt in are skipped.

One seed, one answer: the same seed, files, variables and days give the same plan. In a cluster the plan comes from a
secret seed and the workloads' UIDs; here namespace/Kind/name stands in for the UID, so these are not the kills to come.
What a night of the last day has after midnight is in, and of the first day it is not: a night belongs to the day on which it opens.`,
		Example: `  caprice simulate -f manifests/ --days 30
  helm template shop ./chart | caprice simulate -n shop -f -
  caprice simulate -f web.yaml --from 2026-03-02 -o json`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			out := bufio.NewWriter(c.OutOrStdout())
			if err := s.run(c.InOrStdin(), out, c.ErrOrStderr()); err != nil {
				return err
			}
			return out.Flush()
		},
	}
	flags := c.Flags()
	flags.StringArrayVarP(&s.files, "filename", "f", nil, "`file` or folder with manifests, or - for standard input; may be repeated")
	firstDay(c, "from", &s.from)
	flags.IntVar(&s.days, "days", 90, "how many days of the calendar, working days or not")
	flags.StringVar(&s.seed, "seed", defaultSeed, "any text; 64 hexadecimal digits are the 32 bytes of the seed themselves, other text is hashed with SHA-256")
	flags.StringVarP(&s.namespace, "namespace", "n", "default", "namespace of workloads that name none")
	printing(c, &s.output)
	return c
}

// firstDay gives a command the flag of the first day of a plan. Long ago nobody had holidays or zones as now, and years of more than
// four digits are no dates.
func firstDay(c *cobra.Command, name string, day *calendar.Date) {
	c.Flags().Func(name, "first `day`, as in 2026-03-02 (default today in the cluster's zone)", func(text string) error {
		if err := day.UnmarshalText([]byte(text)); err != nil {
			return err
		}
		if day.Year < 1970 || day.Year > 9000 {
			return fmt.Errorf("date %s: want one from 1970-01-01 to 9000-12-31", text)
		}
		return nil
	})
}

func (s simulation) run(stdin io.Reader, stdout, stderr io.Writer) error {
	switch {
	case len(s.files) == 0:
		return errors.New("nothing to simulate: want -f with a file, a folder, or - for standard input")
	case s.days < 1 || s.days > mostDays:
		return fmt.Errorf("--days %d: want 1 to %d", s.days, mostDays)
	case s.namespace == "":
		return errors.New("--namespace is empty: want a name, as in shop")
	}
	config, err := readConfig()
	if err != nil {
		return err
	}
	closing, err := config.IcsFiles.read()
	if err != nil {
		return err
	}
	from := cmp.Or(s.from, calendar.Calendar{Zone: config.TimeZone}.Date(time.Now()))
	cal, err := config.calendar(config.TimeZone.Midnight(from), closing)
	if err != nil {
		return err
	}
	inventory, err := s.inventory(stdin)
	if err != nil {
		return err
	}
	// Which namespace is Caprice's own, the files do not say.
	scope := kubernetes.Scope{Namespaces: config.Namespaces, Excluded: config.ExcludedNamespaces}
	subjects, remarks := inventory.Subjects(scope, config.terms(cal), config.TimeZone.Midnight(from))
	if len(subjects) == 0 && len(remarks) == 0 {
		remarks = append(remarks, fmt.Errorf("nothing is opted in: want a workload or its Namespace with the label %s: \"true\", in a namespace that %s_NAMESPACES and %s_EXCLUDED_NAMESPACES let in", victims.OptIn, prefix, prefix))
	}
	if err := remark(stderr, remarks); err != nil {
		return err
	}
	period := chaos.Period{From: from, Days: s.days}
	forecast, err := chaos.Predict(seedFrom(s.seed), period, subjects)
	if err != nil {
		return err
	}
	if s.output == inTable {
		return forecastTable{forecast, period, s.seed, config.TimeZone.Location()}.print(stdout)
	}
	return s.output.encode(stdout, newForecastReport(forecast, period, s.seed))
}

// inventory reads the files. What is no object of Kubernetes is skipped: folders have other files too.
func (s simulation) inventory(stdin io.Reader) (kubernetes.Inventory, error) {
	objects, broken, err := manifests.Read(s.files, stdin, s.namespace)
	if err != nil {
		return kubernetes.Inventory{}, err
	}
	broken = slices.DeleteFunc(broken, func(err error) bool { return errors.Is(err, manifests.ErrNoKind) })
	if len(broken) > 0 {
		return kubernetes.Inventory{}, broken[0]
	}
	return objects.Inventory()
}

// seedFrom returns the bytes that 64 hexadecimal digits are, and of any other text its SHA-256.
func seedFrom(text string) chaos.Seed {
	if b, err := hex.DecodeString(text); err == nil && len(b) == len(chaos.Seed{}) {
		return chaos.Seed(b)
	}
	return sha256.Sum256([]byte(text))
}

// forecastReport is a forecast, as programs read it.
type forecastReport struct {
	From      string          `json:"from"`
	To        string          `json:"to"` // the last day, which is in
	Seed      string          `json:"seed"`
	Workloads []prospectEntry `json:"workloads"`
	Kills     []plannedKill   `json:"kills"`
}

type prospectEntry struct {
	Namespace            string  `json:"namespace"`
	Kind                 string  `json:"kind"`
	Name                 string  `json:"name"`
	MeanTimeBetweenKills string  `json:"meanTimeBetweenKills"`
	Expected             float64 `json:"expected"`
	Kills                int     `json:"kills"`
}

func newForecastReport(f chaos.Forecast, period chaos.Period, seed string) forecastReport {
	workloads := make([]prospectEntry, len(f.Prospects))
	for i, p := range f.Prospects {
		workloads[i] = prospectEntry{p.Namespace, string(p.Kind), p.Name, p.Terms.Pace.Mean.String(), p.Expected, p.Kills}
	}
	return forecastReport{period.From.String(), period.Last().String(), seed, workloads, plannedKills(f.Kills)}
}
