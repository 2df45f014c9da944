package ledger

import (
	"context"
	"database/sql"
	"time"
)

// spentStates are the states of spends that may have cost money.
const spentStates = `('in_progress', 'sent', 'requested', 'unknown')`

// accountTime is the time by which an account's day and hour are counted: now, but
// never before its newest spend. A clock that is set back does not reopen the budget
// of a day, nor the hour of what was spent unconfirmed.
func (l *Ledger) accountTime(ctx context.Context, tx *sql.Tx, account string, now time.Time) (time.Time, error) {
	var newestMillis sql.NullInt64
	err := tx.QueryRowContext(ctx, `SELECT max(created_ms) FROM spends WHERE account = $1 AND state IN `+spentStates, account).
		Scan(&newestMillis)
	if err != nil || newestMillis.Int64 <= now.UnixMilli() {
		return now, err
	}
	newest := time.UnixMilli(newestMillis.Int64)
	if behind := newest.Sub(now); behind > time.Minute {
		l.logger.Warn("the clock is behind the newest spend of this account: budgets are counted for the time of that spend",
			"behind", behind.Round(time.Second), "newest_spend", newest.UTC().Format(time.RFC3339))
	}
	return newest, nil
}
