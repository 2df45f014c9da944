package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// State is the state of a row of the ledger.
type State string

// The states. Quotes are quoted or void; the others are spends.
const (
	StateQuoted     State = "quoted"
	StateVoid       State = "void" // a quote that cannot be used any more
	StateInProgress State = "in_progress"
	StateSent       State = "sent"
	StateRequested  State = "requested" // a top-up that was accepted; whether the payer paid is not known
	StateFailed     State = "failed"    // nothing was spent
	StateUnknown    State = "unknown"
)

// RecordOutcome stores the outcome of an attempt, and releases what was not spent.
// It is tried again in the background if it fails.
func (l *Ledger) RecordOutcome(ctx context.Context, ref SpendRef, state State, code string) error {
	l.pruneInBackground()
	return l.withRetry(ctx, "", l.settleTx(ref, state, code))
}

// recordNotSent settles an attempt whose commit failed: nothing was sent, but the
// intent may be stored.
func (l *Ledger) recordNotSent(account string, ref SpendRef) {
	l.retryInBackground(account, l.settleTx(ref, StateFailed, "not_sent"))
}

// settleTx settles an attempt. An outcome that was set by hand is corrected: the
// response is better evidence.
func (l *Ledger) settleTx(ref SpendRef, state State, code string) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		err := settleAttempt(ctx, tx, ref, state, code)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var b budgetRow
		var totalUGX int64
		var resolved State
		err = tx.QueryRowContext(ctx, `SELECT account, caller, kind, kampala_day, total, state FROM spends
			WHERE id = $1 AND attempt_id = $2 AND code = 'resolved'`+l.forUpdate, ref.ID, ref.AttemptID).
			Scan(&b.account, &b.caller, &b.kind, &b.day, &totalUGX, &resolved)
		if errors.Is(err, sql.ErrNoRows) || err == nil && (resolved == state || state == StateUnknown) {
			return nil
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE spends SET state = $1, code = $2 WHERE id = $3`, state, code, ref.ID)
		}
		if err != nil {
			return err
		}
		l.logger.Error("a late response contradicts the outcome that was set by hand; it was corrected",
			"id", ref.ID, "resolved", resolved, "state", state)
		if state == StateFailed {
			totalUGX = -totalUGX
		}
		return b.adjust(ctx, tx, totalUGX)
	}
}

// settleAttempt gives an attempt without a known outcome one. It returns
// sql.ErrNoRows if there is no such attempt.
func settleAttempt(ctx context.Context, tx *sql.Tx, ref SpendRef, state State, code string) error {
	var b budgetRow
	var totalUGX int64
	err := tx.QueryRowContext(ctx, `UPDATE spends SET state = $1, code = $2
		WHERE id = $3 AND attempt_id = $4 AND state IN ('in_progress', 'unknown')
		RETURNING account, caller, kind, kampala_day, total`, state, code, ref.ID, ref.AttemptID).
		Scan(&b.account, &b.caller, &b.kind, &b.day, &totalUGX)
	if err != nil || state != StateFailed {
		return err
	}
	return b.adjust(ctx, tx, -totalUGX)
}

// Resolve settles an unknown outcome by hand: StateSent or StateFailed. A top-up that
// is settled as sent is requested.
func (l *Ledger) Resolve(ctx context.Context, id string, state State) error {
	if state != StateSent && state != StateFailed {
		return fmt.Errorf("an outcome is %s or %s, not %q", StateSent, StateFailed, state)
	}
	return l.withTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		ref := SpendRef{ID: id}
		var current State
		var kind Kind
		var deadline int64
		err := tx.QueryRowContext(ctx, `SELECT state, kind, deadline_ms, attempt_id FROM spends WHERE id = $1`+l.forUpdate, id).
			Scan(&current, &kind, &deadline, &ref.AttemptID)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return fmt.Errorf("there is no spend %q", id)
		case err != nil:
			return err
		case current == StateInProgress && l.clock().UnixMilli() < deadline:
			return errors.New("the call is still running: try again in a minute")
		case current != StateInProgress && current != StateUnknown:
			return fmt.Errorf("the outcome of this spend is known: %s", current)
		}
		settled := state
		if state == StateSent {
			settled = kind.AcceptedState()
		}
		return settleAttempt(ctx, tx, ref, settled, ResolvedCode)
	})
}
