package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// retention is how long rows with a known outcome are kept. Rows without one are
// never pruned.
const retention = 90 * 24 * time.Hour

// pruneBatch is how many old rows one transaction deletes, so that calls do not wait for it.
const pruneBatch = 1000

// pruneInBackground deletes old rows, a batch at a time, and once an hour when
// none are left.
func (l *Ledger) pruneInBackground() {
	now, due := time.Now(), l.nextPrune.Load()
	if now.UnixNano() < due || !l.nextPrune.CompareAndSwap(due, now.Add(time.Hour).UnixNano()) {
		return
	}
	l.runInBackground(func(ctx context.Context) {
		err := l.withTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
			count, err := l.prune(ctx, tx)
			if count == pruneBatch {
				l.nextPrune.Store(0)
			}
			return err
		})
		if err != nil {
			l.logger.Warn("old rows of the ledger could not be deleted", "error", err)
		}
	})
}

// prune deletes a batch of old rows, and returns how many.
func (l *Ledger) prune(ctx context.Context, tx *sql.Tx) (int, error) {
	now := l.clock()
	before := now.Add(-retention)
	if err := pruneLastSpends(ctx, tx, before); err != nil {
		return 0, err
	}
	//nolint:gosec // the dialect is a constant
	rows, err := tx.QueryContext(ctx, `SELECT seq FROM spends WHERE created_ms < $1
		AND (state IN ('void', 'sent', 'requested', 'failed') OR state = 'quoted' AND deadline_ms < $2) LIMIT $3`+l.forUpdateSkipLocked,
		before.UnixMilli(), now.UnixMilli(), pruneBatch)
	if err != nil {
		return 0, err
	}
	var old []int64
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return 0, errors.Join(err, rows.Close())
		}
		old = append(old, seq)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM daily_totals WHERE kampala_day < $1`, kampalaDay(before)); err != nil {
		return 0, err
	}
	if old == nil {
		return 0, nil
	}
	for _, statement := range []string{
		`DELETE FROM spend_targets WHERE spend IN (SELECT CAST(value AS BIGINT) FROM ` + l.jsonList + `)`,
		`DELETE FROM spends WHERE seq IN (SELECT CAST(value AS BIGINT) FROM ` + l.jsonList + `)`,
	} {
		if _, err := tx.ExecContext(ctx, statement, encodeJSON(old)); err != nil { //nolint:gosec // the dialect is a constant
			return 0, err
		}
	}
	return len(old), nil
}
