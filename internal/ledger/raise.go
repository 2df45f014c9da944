package ledger

import (
	"context"
	"database/sql"
	"errors"
)

// RaiseTotal records a higher total for an attempt, and takes the difference from
// its day's budget, even if that is used up. A lower total changes nothing. It is
// tried again in the background if it fails.
func (l *Ledger) RaiseTotal(ctx context.Context, ref SpendRef, totalUGX int64) error {
	return l.withRetry(ctx, "", func(ctx context.Context, tx *sql.Tx) error {
		var b budgetRow
		var recordedUGX int64
		var state State
		err := tx.QueryRowContext(ctx, `SELECT account, caller, kind, kampala_day, total, state FROM spends
			WHERE id = $1 AND attempt_id = $2`+l.forUpdate, ref.ID, ref.AttemptID).
			Scan(&b.account, &b.caller, &b.kind, &b.day, &recordedUGX, &state)
		if errors.Is(err, sql.ErrNoRows) || err == nil && totalUGX <= recordedUGX {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE spends SET total = $1 WHERE id = $2`, totalUGX, ref.ID); err != nil {
			return err
		}
		if state == StateFailed { // its budget was released
			return nil
		}
		return b.adjust(ctx, tx, totalUGX-recordedUGX)
	})
}
