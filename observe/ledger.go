package observe

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wesendall/wesendall-mcp/guard"
)

// How old the ledger's figures may be, and for how long a scrape waits for them.
const (
	fresh    = 5 * time.Second
	patience = 2 * time.Second
)

// ledger are the figures of the ledger. At most one reading runs at a time, and a
// scrape never waits for long: a ledger that does not answer is down.
type ledger struct {
	read     func(context.Context) (guard.Watched, error)
	now      func() time.Time
	patience time.Duration

	mu      sync.Mutex
	last    guard.Watched
	at      time.Time     // when last was read; zero where that failed
	reading chan struct{} // closed when the reading that runs has ended; nil is none
}

func newLedger(read func(context.Context) (guard.Watched, error)) *ledger {
	return &ledger{read: read, now: time.Now, patience: patience}
}

var (
	up       = gauge("wesendall_ledger_up", "Whether the ledger can be read; if not, its other figures are absent.")
	spent    = gauge("wesendall_ledger_spent_ugx_total", "What was spent since midnight in Kampala with a known outcome, of all accounts; at midnight it begins again.", "kind")
	reserved = gauge("wesendall_ledger_reserved_ugx", "What is reserved for calls that run.", "kind")
	unknown  = gauge("wesendall_ledger_unknown_ugx", "What may have been spent by calls whose outcome is unknown.", "kind")
	unknowns = gauge("wesendall_ledger_unknown_outcomes", "Calls whose outcome is unknown and not yet settled by a person.", "kind")
	oldest   = gauge("wesendall_ledger_unknown_oldest_age_seconds", "How long ago the first call of unknown outcome began; 0 where there is none.", "kind")
	limit    = gauge("wesendall_budget_limit_ugx", "What one account may spend in a day, or ask for in top-ups.", "kind")
	left     = gauge("wesendall_budget_left_ugx", "What is left of that today, of the account that has the least left.", "kind")

	connections     = gauge("wesendall_ledger_connections", "Connections to the ledger's database.", "state")
	mostConnections = gauge("wesendall_ledger_connections_max", "How many there may be; 0 is any number.")
	waits           = gauge("wesendall_ledger_connection_waits_total", "How often a call had to wait for a connection to the ledger.")
	waited          = gauge("wesendall_ledger_connection_wait_seconds_total", "For how long calls waited for a connection to the ledger.")
)

// Describe names the metrics.
func (l *ledger) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		up, spent, reserved, unknown, unknowns, oldest, limit, left,
		connections, mostConnections, waits, waited,
	} {
		out <- desc
	}
}

// Collect reads them, or has read them a moment ago.
func (l *ledger) Collect(out chan<- prometheus.Metric) {
	put := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, kind, value, labels...)
	}
	w, ok := l.figures()
	if !ok {
		put(up, prometheus.GaugeValue, 0)
		return
	}
	put(up, prometheus.GaugeValue, 1)
	for _, each := range []struct {
		kind  string
		sums  guard.KindTotals
		limit int64
	}{{"send", w.Sends, w.Limits.PerDay}, {"topup", w.TopUps, w.Limits.TopUp}} {
		age := 0.0
		if each.sums.Unknowns > 0 {
			age = max(0, l.now().Sub(each.sums.Oldest).Seconds())
		}
		put(spent, prometheus.CounterValue, float64(each.sums.Spent), each.kind)
		put(reserved, prometheus.GaugeValue, float64(each.sums.Reserved), each.kind)
		put(unknown, prometheus.GaugeValue, float64(each.sums.Unknown), each.kind)
		put(unknowns, prometheus.GaugeValue, float64(each.sums.Unknowns), each.kind)
		put(oldest, prometheus.GaugeValue, age, each.kind)
		put(limit, prometheus.GaugeValue, float64(each.limit), each.kind)
		put(left, prometheus.GaugeValue, float64(max(0, each.limit-each.sums.Most)), each.kind)
	}
	put(connections, prometheus.GaugeValue, float64(w.Pool.InUse), "in_use")
	put(connections, prometheus.GaugeValue, float64(w.Pool.Idle), "idle")
	put(mostConnections, prometheus.GaugeValue, float64(w.Pool.MaxOpenConnections))
	put(waits, prometheus.CounterValue, float64(w.Pool.WaitCount))
	put(waited, prometheus.CounterValue, w.Pool.WaitDuration.Seconds())
}

// figures are those of a moment ago, or new ones if they come in time.
func (l *ledger) figures() (guard.Watched, bool) {
	l.mu.Lock()
	if !l.at.IsZero() && l.now().Sub(l.at) < fresh {
		defer l.mu.Unlock()
		return l.last, true
	}
	if l.reading == nil {
		l.reading = make(chan struct{})
		go l.refresh(l.reading)
	}
	done := l.reading
	l.mu.Unlock()
	timer := time.NewTimer(l.patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		return guard.Watched{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, !l.at.IsZero()
}

// refresh reads the figures once.
func (l *ledger) refresh(done chan struct{}) {
	w, err := l.read(context.Background())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last, l.at = w, time.Time{}
	if err == nil {
		l.at = l.now()
	}
	l.reading = nil
	close(done)
}
