package ledger

import (
	"context"
	"time"
)

// Totals are sums over all accounts, in UGX, for metrics.
type Totals struct {
	Sends, TopUps KindTotals
}

// KindTotals are the totals of one kind of spend.
type KindTotals struct {
	Spent         int64     // today in Kampala, with a known outcome
	Reserved      int64     // by running calls
	Unknown       int64     // with an unknown outcome, of any day
	UnknownCount  int64     // of spends with an unknown outcome
	OldestUnknown time.Time // when the first of them was made; zero if there is none
	// MaxAccountTotal is what the account with the highest total has spent or
	// reserved today.
	MaxAccountTotal int64
}

// totalsQuery reads the day's rows and the open ones, by an index each.
const totalsQuery = `
	SELECT 'day', kind, CAST(sum(total) AS BIGINT), max(total), count(*), 0 FROM daily_totals
	WHERE kampala_day = $1 AND kind IN ('send', 'topup') GROUP BY kind
	UNION ALL
	SELECT CASE WHEN state = 'unknown' OR deadline_ms <= $2 THEN 'unknown' ELSE 'in_progress' END, kind,
		CAST(sum(total) AS BIGINT), CAST(sum(CASE WHEN kampala_day = $3 THEN total ELSE 0 END) AS BIGINT), count(*), min(created_ms)
	FROM spends WHERE state IN ('in_progress', 'unknown') GROUP BY 1, 2`

// Sum reads the totals, all as of one moment. It waits for no other transaction.
func (l *Ledger) Sum(ctx context.Context) (Totals, error) {
	lockCtx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	conn, err := l.db.Conn(lockCtx)
	if err != nil {
		return Totals{}, err
	}
	defer func() { _ = conn.Close() }()
	// Not cancelled with the caller: that would close the connection, which in
	// memory is the ledger.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), lockTimeout)
	defer stop()
	if err := l.checkIdentity(ctx, conn, l.key); err != nil {
		return Totals{}, err
	}
	now := l.clock()
	rows, err := conn.QueryContext(ctx, totalsQuery, kampalaDay(now), now.UnixMilli(), kampalaDay(now))
	if err != nil {
		return Totals{}, err
	}
	defer func() { _ = rows.Close() }()
	var totals Totals
	for rows.Next() {
		var row string
		var kind Kind
		// todayUGX is the highest total of an account for a day, and today's part of open spends.
		var sum, todayUGX, count, oldestMillis int64
		if err := rows.Scan(&row, &kind, &sum, &todayUGX, &count, &oldestMillis); err != nil {
			return Totals{}, err
		}
		t := &totals.Sends
		if kind == KindTopUp {
			t = &totals.TopUps
		}
		switch State(row) {
		case "day":
			t.Spent += sum
			t.MaxAccountTotal = todayUGX
		case StateInProgress:
			t.Reserved = sum
			t.Spent -= todayUGX // the day's total includes what is reserved
		case StateUnknown:
			t.Unknown, t.UnknownCount, t.OldestUnknown = sum, count, time.UnixMilli(oldestMillis)
			t.Spent -= todayUGX
		}
	}
	return totals, rows.Err()
}
