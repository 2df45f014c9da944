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
	Spent    int64 // today, in Kampala, with a known outcome
	Reserved int64 // of calls that run
	Unknown  int64 // of calls whose outcome nobody knows, of any day
	Unknowns int64 // how many those are
	// Oldest is when the first of them began; zero where there is none.
	Oldest time.Time
	// Most is what one account has spent or reserved today, of the one that has
	// the least left.
	Most int64
}

// sums reads the day's rows and the open ones, by an index each.
const sums = `
	SELECT 'day', kind, CAST(sum(total) AS BIGINT), max(total), count(*), 0 FROM days WHERE day = $1 AND kind IN ('send', 'topup') GROUP BY kind
	UNION ALL
	SELECT CASE WHEN state = 'unknown' OR deadline <= $2 THEN 'unknown' ELSE 'in_progress' END,
		CASE WHEN tool = 'topup_wallet' THEN 'topup' ELSE 'send' END,
		CAST(sum(total) AS BIGINT), CAST(sum(CASE WHEN day = $3 THEN total ELSE 0 END) AS BIGINT), count(*), min(created)
	FROM spends WHERE state IN ('in_progress', 'unknown') GROUP BY 1, 2`

// Totals reads the sums, all of them as they are at one moment.
func (l *Ledger) Totals(ctx context.Context) (Totals, error) {
	turn, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	conn, err := l.db.Conn(turn)
	if err != nil {
		return Totals{}, err
	}
	defer func() { _ = conn.Close() }()
	// No transaction: it waits for nobody's write. It is not cancelled with the
	// caller, which would cost the connection, and that may be the ledger.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), lockWait)
	defer stop()
	if err := l.present(ctx, conn, l.key); err != nil {
		return Totals{}, err
	}
	now := l.now()
	rows, err := conn.QueryContext(ctx, sums, day(now), now.UnixMilli(), day(now))
	if err != nil {
		return Totals{}, err
	}
	defer func() { _ = rows.Close() }()
	var all Totals
	for rows.Next() {
		var what, kind string
		var sum, second, count, first int64
		if err := rows.Scan(&what, &kind, &sum, &second, &count, &first); err != nil {
			return Totals{}, err
		}
		t := &all.Sends
		if kind == "topup" {
			t = &all.TopUps
		}
		switch what {
		case "day":
			t.Spent += sum
			t.Most = second
		case inProgress:
			t.Reserved = sum
			t.Spent -= second // the day's sum holds what is reserved, too
		case unknown:
			t.Unknown, t.Unknowns, t.Oldest = sum, count, time.UnixMilli(first)
			t.Spent -= second
		}
	}
	return all, rows.Err()
}

// Stats are those of the ledger's connections.
func (l *Ledger) Stats() sql.DBStats { return l.stats() }

// Watched is what a guard shows of its ledger.
type Watched struct {
	Totals
	Limits Limits
	Pool   sql.DBStats
}

// Watch reads the ledger for who watches; it opens it, if it is not open. It may
// take as long as the ledger does.
func (g *Guard) Watch(ctx context.Context) (Watched, error) {
	l, err := g.ledger(ctx)
	if err != nil {
		return Watched{}, err
	}
	totals, err := l.Totals(ctx)
	return Watched{totals, g.options.Limits, l.Stats()}, err
}
