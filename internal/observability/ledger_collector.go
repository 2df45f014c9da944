package observability

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

const (
	cacheTTL      = 5 * time.Second // how old the ledger's figures may be
	scrapeTimeout = 2 * time.Second // how long a scrape waits for new ones
)

// ledgerCollector exports the figures of the ledger. At most one read runs at a time. A
// ledger that does not answer within scrapeTimeout counts as down.
type ledgerCollector struct {
	fetch  func(context.Context) (guard.Snapshot, error)
	reads  singleflight.Group
	cached atomic.Pointer[cachedSnapshot]
}

type cachedSnapshot struct {
	guard.Snapshot
	fetchedAt time.Time
}

func newLedgerCollector(fetch func(context.Context) (guard.Snapshot, error)) *ledgerCollector {
	return &ledgerCollector{fetch: fetch}
}

var (
	upDesc = newDesc("wesendall_ledger_up",
		"Whether the ledger can be read; if not, its other figures are absent.")
	spentDesc = newDesc("wesendall_ledger_spent_ugx_total",
		"What all accounts spent since midnight in Kampala with a known outcome; at midnight it begins again.", "kind")
	reservedDesc = newDesc("wesendall_ledger_reserved_ugx",
		"What is reserved for calls that run.", "kind")
	unknownDesc = newDesc("wesendall_ledger_unknown_ugx",
		"What may have been spent by calls whose outcome is unknown.", "kind")
	unknownOutcomesDesc = newDesc("wesendall_ledger_unknown_outcomes",
		"Calls whose outcome is unknown and not yet resolved.", "kind")
	oldestUnknownDesc = newDesc("wesendall_ledger_unknown_oldest_age_seconds",
		"How long ago the first call of unknown outcome began; 0 if there is none.", "kind")
	limitDesc = newDesc("wesendall_budget_limit_ugx",
		"What one account may spend in a day, or ask for in top-ups.", "kind")
	remainingDesc = newDesc("wesendall_budget_left_ugx",
		"What is left of that today for the account with the least left.", "kind")

	connectionsDesc = newDesc("wesendall_ledger_connections",
		"Connections to the ledger's database.", "state")
	maxConnectionsDesc = newDesc("wesendall_ledger_connections_max",
		"How many connections there may be; 0 is any number.")
	connectionWaitsDesc = newDesc("wesendall_ledger_connection_waits_total",
		"How often a call had to wait for a connection to the ledger.")
	connectionWaitSecondsDesc = newDesc("wesendall_ledger_connection_wait_seconds_total",
		"For how long calls waited for a connection to the ledger.")
)

// Describe implements [prometheus.Collector].
func (c *ledgerCollector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		upDesc, spentDesc, reservedDesc, unknownDesc, unknownOutcomesDesc, oldestUnknownDesc, limitDesc, remainingDesc,
		connectionsDesc, maxConnectionsDesc, connectionWaitsDesc, connectionWaitSecondsDesc,
	} {
		out <- desc
	}
}

// Collect implements [prometheus.Collector].
func (c *ledgerCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	counter := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, value, labels...)
	}
	snap, ok := c.currentSnapshot()
	if !ok {
		gauge(upDesc, 0)
		return
	}
	gauge(upDesc, 1)
	for _, row := range []struct {
		kind   string
		totals ledger.KindTotals
		limit  int64
	}{{"send", snap.Sends, snap.Limits.PerDay}, {"topup", snap.TopUps, snap.Limits.TopUp}} {
		age := 0.0
		if row.totals.UnknownCount > 0 {
			age = max(0, time.Since(row.totals.OldestUnknown).Seconds())
		}
		counter(spentDesc, float64(row.totals.Spent), row.kind)
		gauge(reservedDesc, float64(row.totals.Reserved), row.kind)
		gauge(unknownDesc, float64(row.totals.Unknown), row.kind)
		gauge(unknownOutcomesDesc, float64(row.totals.UnknownCount), row.kind)
		gauge(oldestUnknownDesc, age, row.kind)
		gauge(limitDesc, float64(row.limit), row.kind)
		gauge(remainingDesc, float64(max(0, row.limit-row.totals.MaxAccountTotal)), row.kind)
	}
	gauge(connectionsDesc, float64(snap.Pool.InUse), "in_use")
	gauge(connectionsDesc, float64(snap.Pool.Idle), "idle")
	gauge(maxConnectionsDesc, float64(snap.Pool.MaxOpenConnections))
	counter(connectionWaitsDesc, float64(snap.Pool.WaitCount))
	counter(connectionWaitSecondsDesc, snap.Pool.WaitDuration.Seconds())
}

// currentSnapshot returns the cached figures, or new ones if they come within
// scrapeTimeout. A read that takes longer continues, and fills the cache for the next scrape.
func (c *ledgerCollector) currentSnapshot() (guard.Snapshot, bool) {
	if cached := c.cached.Load(); cached != nil && time.Since(cached.fetchedAt) < cacheTTL {
		return cached.Snapshot, true
	}
	read := c.reads.DoChan("snapshot", func() (any, error) {
		snap, err := c.fetch(context.Background())
		if err == nil {
			c.cached.Store(&cachedSnapshot{snap, time.Now()})
		}
		return snap, err
	})
	select {
	case result := <-read:
		snap, _ := result.Val.(guard.Snapshot)
		return snap, result.Err == nil
	case <-time.After(scrapeTimeout):
		return guard.Snapshot{}, false
	}
}
