package report

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"caprice/chaos"
	"caprice/victims"
)

// Metrics counts what Prometheus asks for. Labels are words of the vocabulary and namespaces, never workloads or pods: so
// there are no more series than namespaces with a workload that opted in, times kinds, times words.
type Metrics struct {
	kills      *prometheus.CounterVec
	expected   *prometheus.CounterVec
	recovery   *prometheus.HistogramVec
	lateness   prometheus.Histogram
	planned    prometheus.Gauge
	lastPlan   prometheus.Gauge
	openDay    prometheus.Gauge
	leader     prometheus.Gauge
	halts      prometheus.Gauge
	workloads  prometheus.Gauge
	missing    prometheus.Gauge
	contested  prometheus.Gauge
	requests   *prometheus.CounterVec
	unrecorded prometheus.Counter
	dropped    prometheus.Counter
	notified   *notified

	mu   sync.Mutex
	idle map[string]bool // namespaces that have series, and whether they had nothing when that was last said
}

var (
	// recoveryBuckets are narrow where a pod that is pulled and started takes its time, and end well behind RECOVERY_DEADLINE,
	// 2m30s unless somebody sets it.
	recoveryBuckets = []float64{0.5, 1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 150, 300, 600}
	// latenessBuckets tell a kill that is on time, milliseconds late, from one that waited for answers, up to patience, and one
	// that was close to LATE_GRACE, a minute unless somebody sets it.
	latenessBuckets = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}
)

// NewMetrics returns metrics that are scraped through a registry.
func NewMetrics(registry prometheus.Registerer, version string) *Metrics {
	m := &Metrics{
		idle: make(map[string]bool),
		kills: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "caprice_kills_total",
			Help: "Kills that ended, by verdict and, where there is one, its reason; namespace and kind are those of the workload. A kill counts once, where its record says how it ended."},
			[]string{"verdict", "reason", "namespace", "kind"}),
		expected: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "caprice_kills_expected_total",
			Help: "Kills that owners have asked for so far: for each workload the open time of each day divided by its mean time between kills. To be held against the kills that were carried out, which are those of caprice_kills_total whose verdict is not Vetoed, Missed, Failed or Abandoned."},
			[]string{"namespace"}),
		recovery: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "caprice_recovery_seconds", Buckets: recoveryBuckets,
			Help: "Time from the first pod's death until the workload was whole again. Of kills that were Disproved too; a workload that was not in time, or was whole when somebody could look again after a while, is in caprice_kills_total alone."},
			[]string{"namespace"}),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "caprice_kill_lateness_seconds", Buckets: latenessBuckets,
			Help: "Time from the planned instant until the API server was asked to remove the first pod, of kills of the plan that were carried out or rehearsed."}),
		planned: gauge("caprice_kills_planned", "Kills that are planned for the working day that was open last. 0 for who does not lead."),
		lastPlan: gauge("caprice_last_plan_timestamp_seconds",
			"When this process as the leader last planned a working day that was open, in seconds since 1970; 0 if it never did."),
		openDay: gauge("caprice_open_day_timestamp_seconds",
			"When the working day began that is open now, in seconds since 1970; 0 while none is, and for who does not lead."),
		leader: gauge("caprice_leader", "1 for who leads, 0 for who stands by."),
		halts:  gauge("caprice_halts", "Halts in force, with alerts of HALT_ON_ALERTS that fire or cannot be asked for. 0 for who does not lead."),
		workloads: gauge("caprice_workloads",
			"Workloads that opted in on terms that can be read. Each process counts them all."),
		missing:   gauge("caprice_missing_permissions", "Permissions that Caprice needs and does not have."),
		contested: gauge("caprice_contested_namespaces", "Namespaces that Caprice is to act on and spares, since another Caprice acts on them, or whether one does is not known."),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "caprice_api_requests_total",
			Help: "Requests to the API server by HTTP method and status code of the answer; error stands for none. A watch counts when it begins."},
			[]string{"method", "code"}),
		unrecorded: counter("caprice_kills_unrecorded_total", "Kills that ended and whose record could not be written, because its namespace is going, has no room or has declined it for five minutes, or got no answer for so long while others did. What was carried out is counted by its verdict too if it is written later."),
		dropped:    counter("caprice_events_dropped_total", "Events that could not be posted. Once a minute the log says why."),
	}
	m.notified = &notified{desc: prometheus.NewDesc("caprice_notifications_total", "Notifications by target and what became of them: sent, failed when they were given up, or dropped for others that came.",
		[]string{"target", "result"}, nil)}
	build := gauge("caprice_build_info", "1. Which version this is.", prometheus.Labels{"version": version})
	build.Set(1)
	registry.MustRegister(m.kills, m.expected, m.recovery, m.lateness, m.planned, m.lastPlan, m.openDay, m.leader, m.halts, m.workloads, m.missing, m.contested, m.requests, m.unrecorded, m.dropped, m.notified, build)
	return m
}

func gauge(name, help string, labels ...prometheus.Labels) prometheus.Gauge {
	options := prometheus.GaugeOpts{Name: name, Help: help}
	for _, l := range labels {
		options.ConstLabels = l
	}
	return prometheus.NewGauge(options)
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

// notified asks for the counts of notifications when it is scraped.
type notified struct {
	desc    *prometheus.Desc
	targets []string
	counts  []func() (sent, failed, dropped int64)
}

// Describe says what there is.
func (n *notified) Describe(to chan<- *prometheus.Desc) { to <- n.desc }

// Collect says how many there were.
func (n *notified) Collect(to chan<- prometheus.Metric) {
	for i, target := range n.targets {
		sent, failed, dropped := n.counts[i]()
		to <- prometheus.MustNewConstMetric(n.desc, prometheus.CounterValue, float64(sent), target, "sent")
		to <- prometheus.MustNewConstMetric(n.desc, prometheus.CounterValue, float64(failed), target, "failed")
		to <- prometheus.MustNewConstMetric(n.desc, prometheus.CounterValue, float64(dropped), target, "dropped")
	}
}

// Notifies has the notifications of a target counted. It is called before the first scrape.
func (m *Metrics) Notifies(target string, count func() (sent, failed, dropped int64)) {
	m.notified.targets = append(m.notified.targets, target)
	m.notified.counts = append(m.notified.counts, count)
}

// OptedIn has the series of a workload's namespace and kind begin at 0: of a series that begins with its first kill,
// Prometheus does not see that it rose.
func (m *Metrics) OptedIn(w victims.Workload) {
	m.has(w.Namespace)
	for _, v := range chaos.Verdicts {
		reasons := []chaos.Reason{""}
		switch v {
		case chaos.Vetoed:
			reasons = chaos.Vetoes
		case chaos.NotRecovered:
			reasons = []chaos.Reason{"", chaos.Partial, chaos.Gone}
		case chaos.Recovered, chaos.Disproved, chaos.Rehearsed:
			reasons = []chaos.Reason{"", chaos.Partial}
		}
		for _, r := range reasons {
			m.kills.WithLabelValues(string(v), string(r), w.Namespace, string(w.Kind))
		}
	}
	m.expected.WithLabelValues(w.Namespace)
	m.recovery.WithLabelValues(w.Namespace)
}

func (m *Metrics) has(namespace string) {
	m.mu.Lock()
	m.idle[namespace] = false
	m.mu.Unlock()
}

// Keep ends the series of all namespaces but these, unless they were among them when it was last called: there is time enough
// between two calls to scrape what they said last. Namespaces come and go, and each would leave dozens of series.
func (m *Metrics) Keep(namespaces map[string]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for namespace, idle := range m.idle {
		switch {
		case namespaces[namespace]:
			m.idle[namespace] = false
		case !idle:
			m.idle[namespace] = true
		default:
			labels := prometheus.Labels{"namespace": namespace}
			m.kills.DeletePartialMatch(labels)
			m.expected.DeletePartialMatch(labels)
			m.recovery.DeletePartialMatch(labels)
			delete(m.idle, namespace)
		}
	}
}

// Workloads sets how many opted in.
func (m *Metrics) Workloads(n int) { m.workloads.Set(float64(n)) }

// Expected adds kills that are asked for, by namespace.
func (m *Metrics) Expected(kills map[string]float64) {
	for namespace, n := range kills {
		m.has(namespace)
		m.expected.WithLabelValues(namespace).Add(n)
	}
}

// Leads notes that this process begins to lead.
func (m *Metrics) Leads() { m.leader.Set(1) }

// StandsBy notes that it leads no more: what the leader alone can say is 0 from now on.
func (m *Metrics) StandsBy() {
	m.leader.Set(0)
	m.halts.Set(0)
	m.openDay.Set(0)
	m.planned.Set(0)
}

// Open sets when the working day began that is open now; zero: none is.
func (m *Metrics) Open(began time.Time) {
	if began.IsZero() {
		m.openDay.Set(0)
		return
	}
	m.openDay.Set(seconds(began))
}

// Halted adds to the halts in force.
func (m *Metrics) Halted(more int) { m.halts.Add(float64(more)) }

// Lacks sets how many permissions are missing.
func (m *Metrics) Lacks(permissions int) { m.missing.Set(float64(permissions)) }

// Contested sets on how many of its namespaces another Caprice acts.
func (m *Metrics) Contested(namespaces int) { m.contested.Set(float64(namespaces)) }

// Dropped counts an Event that was not posted.
func (m *Metrics) Dropped() { m.dropped.Inc() }

// Requested counts a request to the API server. A code of 0 stands for no answer.
func (m *Metrics) Requested(method string, code int) {
	text := "error"
	if code != 0 {
		text = strconv.Itoa(code)
	}
	m.requests.WithLabelValues(method, text).Inc()
}

// Killed counts nothing: a kill counts when it has ended.
func (m *Metrics) Killed(chaos.Record, chaos.Death) {}

// Ended counts a kill.
func (m *Metrics) Ended(o chaos.Outcome) {
	m.has(o.Workload.Namespace)
	m.kills.WithLabelValues(string(o.Verdict), string(o.Reason), o.Workload.Namespace, string(o.Workload.Kind)).Inc()
	first := o.FirstDeath()
	if first.IsZero() || o.Inferred {
		return
	}
	if o.Request == nil { // of what is asked for the record's creation counts, in whole seconds
		m.lateness.Observe(first.Sub(o.Planned).Seconds())
	}
	if whole := o.Recovery.Whole; !whole.IsZero() && !o.Recovery.Unwatched {
		m.recovery.WithLabelValues(o.Workload.Namespace).Observe(whole.Sub(first).Seconds())
	}
}

// Unrecorded counts a kill whose record cannot be written.
func (m *Metrics) Unrecorded(o chaos.Outcome, _ error) {
	if o.Ended {
		m.unrecorded.Inc()
	}
}

// Trouble counts nothing: requests do.
func (m *Metrics) Trouble(string, error) {}

// Planned sets what is planned for a day.
func (m *Metrics) Planned(p chaos.DayPlan) {
	m.planned.Set(float64(p.Kills))
	m.lastPlan.Set(seconds(p.Made))
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
