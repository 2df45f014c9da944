package ledger

import (
	"context"
	"database/sql"
	"errors"
)

// RecordSize stores that an attempt was sent, to how many recipients and for how
// much: their number was unknown, and all that the wallet held was reserved. What
// was not needed is released. A higher total than the reserved one changes nothing
// but the state.
func (l *Ledger) RecordSize(ctx context.Context, ref SpendRef, recipients int, totalUGX int64) error {
	return l.withRetry(ctx, "", func(ctx context.Context, tx *sql.Tx) error {
		if err := l.settleTx(ref, StateSent, "")(ctx, tx); err != nil {
			return err
		}
		return lowerToSize(ctx, tx, ref, recipients, totalUGX)
	})
}

func lowerToSize(ctx context.Context, tx *sql.Tx, ref SpendRef, recipients int, totalUGX int64) error {
	var b budgetRow
	var reservedUGX int64
	err := tx.QueryRowContext(ctx, `SELECT account, caller, kind, kampala_day, total FROM spends
		WHERE id = $1 AND attempt_id = $2 AND state = 'sent' AND recipients = 0 AND total >= $3`, ref.ID, ref.AttemptID, totalUGX).
		Scan(&b.account, &b.caller, &b.kind, &b.day, &reservedUGX)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE spends SET recipients = $1, total = $2 WHERE id = $3`, recipients, totalUGX, ref.ID)
	}
	if err != nil {
		return err
	}
	return b.adjust(ctx, tx, totalUGX-reservedUGX)
}
