package observability

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// How old the ledger's figures may be, and for how long a scrape waits for them.
const (
	cacheTTL      = 5 * time.Second
	scrapeTimeout = 2 * time.Second
)

// ledgerCollector are the figures of the ledger. At most one reading runs at a time, and a
// scrape never waits for long: a ledger that does not answer is down.
type ledgerCollector struct {
	fetch   func(context.Context) (guard.Snapshot, error)
	now     func() time.Time
	timeout time.Duration

	mu        sync.Mutex
	snapshot  guard.Snapshot
	fetchedAt time.Time     // when snapshot was read; zero where that failed
	inFlight  chan struct{} // closed when the reading that runs has ended; nil is none
}

func newLedgerCollector(fetch func(context.Context) (guard.Snapshot, error)) *ledgerCollector {
	return &ledgerCollector{fetch: fetch, now: time.Now, timeout: scrapeTimeout}
}

var (
	upDesc              = newDesc("wesendall_ledger_up", "Whether the ledger can be read; if not, its other figures are absent.")
	spentDesc           = newDesc("wesendall_ledger_spent_ugx_total", "What was spent since midnight in Kampala with a known outcome, of all accounts; at midnight it begins again.", "kind")
	reservedDesc        = newDesc("wesendall_ledger_reserved_ugx", "What is reserved for calls that run.", "kind")
	unknownDesc         = newDesc("wesendall_ledger_unknown_ugx", "What may have been spent by calls whose outcome is unknown.", "kind")
	unknownOutcomesDesc = newDesc("wesendall_ledger_unknown_outcomes", "Calls whose outcome is unknown and not yet settled by a person.", "kind")
	oldestUnknownDesc   = newDesc("wesendall_ledger_unknown_oldest_age_seconds", "How long ago the first call of unknown outcome began; 0 where there is none.", "kind")
	limitDesc           = newDesc("wesendall_budget_limit_ugx", "What one account may spend in a day, or ask for in top-ups.", "kind")
	remainingDesc       = newDesc("wesendall_budget_left_ugx", "What is left of that today, of the account that has the least left.", "kind")

	connectionsDesc           = newDesc("wesendall_ledger_connections", "Connections to the ledger's database.", "state")
	maxConnectionsDesc        = newDesc("wesendall_ledger_connections_max", "How many there may be; 0 is any number.")
	connectionWaitsDesc       = newDesc("wesendall_ledger_connection_waits_total", "How often a call had to wait for a connection to the ledger.")
	connectionWaitSecondsDesc = newDesc("wesendall_ledger_connection_wait_seconds_total", "For how long calls waited for a connection to the ledger.")
)

// Describe names the metrics.
func (c *ledgerCollector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		upDesc, spentDesc, reservedDesc, unknownDesc, unknownOutcomesDesc, oldestUnknownDesc, limitDesc, remainingDesc,
		connectionsDesc, maxConnectionsDesc, connectionWaitsDesc, connectionWaitSecondsDesc,
	} {
		out <- desc
	}
}

// Collect reads them, or has read them a moment ago.
func (c *ledgerCollector) Collect(out chan<- prometheus.Metric) {
	emit := func(desc *prometheus.Desc, valueType prometheus.ValueType, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, valueType, value, labels...)
	}
	snap, ok := c.currentSnapshot()
	if !ok {
		emit(upDesc, prometheus.GaugeValue, 0)
		return
	}
	emit(upDesc, prometheus.GaugeValue, 1)
	for _, row := range []struct {
		kind  string
		sums  guard.KindTotals
		limit int64
	}{{"send", snap.Sends, snap.Limits.PerDay}, {"topup", snap.TopUps, snap.Limits.TopUp}} {
		age := 0.0
		if row.sums.UnknownCount > 0 {
			age = max(0, c.now().Sub(row.sums.OldestUnknown).Seconds())
		}
		emit(spentDesc, prometheus.CounterValue, float64(row.sums.Spent), row.kind)
		emit(reservedDesc, prometheus.GaugeValue, float64(row.sums.Reserved), row.kind)
		emit(unknownDesc, prometheus.GaugeValue, float64(row.sums.Unknown), row.kind)
		emit(unknownOutcomesDesc, prometheus.GaugeValue, float64(row.sums.UnknownCount), row.kind)
		emit(oldestUnknownDesc, prometheus.GaugeValue, age, row.kind)
		emit(limitDesc, prometheus.GaugeValue, float64(row.limit), row.kind)
		emit(remainingDesc, prometheus.GaugeValue, float64(max(0, row.limit-row.sums.MaxAccountTotal)), row.kind)
	}
	emit(connectionsDesc, prometheus.GaugeValue, float64(snap.Pool.InUse), "in_use")
	emit(connectionsDesc, prometheus.GaugeValue, float64(snap.Pool.Idle), "idle")
	emit(maxConnectionsDesc, prometheus.GaugeValue, float64(snap.Pool.MaxOpenConnections))
	emit(connectionWaitsDesc, prometheus.CounterValue, float64(snap.Pool.WaitCount))
	emit(connectionWaitSecondsDesc, prometheus.CounterValue, snap.Pool.WaitDuration.Seconds())
}

// currentSnapshot are those of a moment ago, or new ones if they come in time.
func (c *ledgerCollector) currentSnapshot() (guard.Snapshot, bool) {
	c.mu.Lock()
	if !c.fetchedAt.IsZero() && c.now().Sub(c.fetchedAt) < cacheTTL {
		defer c.mu.Unlock()
		return c.snapshot, true
	}
	if c.inFlight == nil {
		c.inFlight = make(chan struct{})
		go c.refresh(c.inFlight)
	}
	done := c.inFlight
	c.mu.Unlock()
	timer := time.NewTimer(c.timeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		return guard.Snapshot{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.snapshot, !c.fetchedAt.IsZero()
}

// refresh reads the figures once.
func (c *ledgerCollector) refresh(done chan struct{}) {
	snap, err := c.fetch(context.Background())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.snapshot, c.fetchedAt = snap, time.Time{}
	if err == nil {
		c.fetchedAt = c.now()
	}
	c.inFlight = nil
	close(done)
}
