package guard

import (
	"context"
	"database/sql"
	"time"
)

// Totals are the ledger's sums over all accounts, in UGX, for who watches.
type Totals struct {
	Sends, TopUps KindTotals
}

// KindTotals are those of the sends, or of the top-ups.
type KindTotals struct {
	Spent        int64 // today, in Kampala, with a known outcome
	Reserved     int64 // of calls that run
	Unknown      int64 // of calls whose outcome nobody knows, of any day
	UnknownCount int64 // how many those are
	// Oldest is when the first of them began; zero where there is none.
	OldestUnknown time.Time
	// Most is what one account has spent or reserved today, of the one that has
	// the least left.
	MaxAccountTotal int64
}

// totalsQuery reads the day's rows and the open ones, by an index each.
const totalsQuery = `
	SELECT 'day', kind, CAST(sum(total) AS BIGINT), max(total), count(*), 0 FROM days WHERE day = $1 AND kind IN ('send', 'topup') GROUP BY kind
	UNION ALL
	SELECT CASE WHEN state = 'unknown' OR deadline <= $2 THEN 'unknown' ELSE 'in_progress' END,
		CASE WHEN tool = 'topup_wallet' THEN 'topup' ELSE 'send' END,
		CAST(sum(total) AS BIGINT), CAST(sum(CASE WHEN day = $3 THEN total ELSE 0 END) AS BIGINT), count(*), min(created)
	FROM spends WHERE state IN ('in_progress', 'unknown') GROUP BY 1, 2`

// Totals reads the sums, all of them as they are at one moment.
func (l *Ledger) Totals(ctx context.Context) (Totals, error) {
	lockCtx, cancel := context.WithTimeout(ctx, LockTimeout)
	defer cancel()
	conn, err := l.DB.Conn(lockCtx)
	if err != nil {
		return Totals{}, err
	}
	defer func() { _ = conn.Close() }()
	// No transaction: it waits for nobody's write. It is not cancelled with the
	// caller, which would cost the connection, and that may be the ledger.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), LockTimeout)
	defer stop()
	if err := l.checkIdentity(ctx, conn, l.Key); err != nil {
		return Totals{}, err
	}
	now := l.Now()
	rows, err := conn.QueryContext(ctx, totalsQuery, KampalaDay(now), now.UnixMilli(), KampalaDay(now))
	if err != nil {
		return Totals{}, err
	}
	defer func() { _ = rows.Close() }()
	var totals Totals
	for rows.Next() {
		var row, kind string
		var sum, second, count, first int64
		if err := rows.Scan(&row, &kind, &sum, &second, &count, &first); err != nil {
			return Totals{}, err
		}
		t := &totals.Sends
		if kind == "topup" {
			t = &totals.TopUps
		}
		switch row {
		case "day":
			t.Spent += sum
			t.MaxAccountTotal = second
		case StateInProgress:
			t.Reserved = sum
			t.Spent -= second // the day's sum holds what is reserved, too
		case StateUnknown:
			t.Unknown, t.UnknownCount, t.OldestUnknown = sum, count, time.UnixMilli(first)
			t.Spent -= second
		}
	}
	return totals, rows.Err()
}

// DBStats are those of the ledger's connections.
func (l *Ledger) DBStats() sql.DBStats { return l.stats() }

// Snapshot is what a guard shows of its ledger.
type Snapshot struct {
	Totals
	Limits Limits
	Pool   sql.DBStats
}

// Snapshot reads the ledger for who watches; it opens it, if it is not open. It may
// take as long as the ledger does.
func (g *Guard) Snapshot(ctx context.Context) (Snapshot, error) {
	l, err := g.openLedger(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	totals, err := l.Totals(ctx)
	return Snapshot{totals, g.options.Limits, l.DBStats()}, err
}
