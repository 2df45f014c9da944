package guard

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Spend is a row of the ledger, for people.
type Spend struct {
	ID         string    `json:"id"`
	At         time.Time `json:"at"`
	Account    string    `json:"account"`
	Caller     string    `json:"caller,omitempty"` // where one server has many
	Tool       string    `json:"tool"`
	Recipients int       `json:"recipients"`
	Units      int       `json:"units"` // for each recipient
	TotalUGX   int64     `json:"total"` // UGX
	State      string    `json:"state"` // in_progress, sent, failed or unknown
	Confirmed  bool      `json:"confirmed"`
	Code       string    `json:"code,omitempty"`
}

// ListSpends are the spends since a time, oldest first, and all that are open.
func (l *Ledger) ListSpends(ctx context.Context, since time.Time) ([]Spend, error) {
	ctx, cancel := context.WithTimeout(ctx, LockTimeout)
	defer cancel()
	rows, err := l.DB.QueryContext(ctx, `SELECT id, created, account, caller, tool, recipients, units, total, state, confirmed, code, deadline
		FROM spends WHERE state IN ('in_progress', 'unknown') OR created >= $1 AND state IN ('sent', 'failed') ORDER BY seq`, since.UnixMilli())
	if err != nil {
		return nil, l.sanitizeError(err)
	}
	defer func() { _ = rows.Close() }()
	spends := []Spend{}
	for rows.Next() {
		var s Spend
		var created, deadline int64
		if err := rows.Scan(&s.ID, &created, &s.Account, &s.Caller, &s.Tool, &s.Recipients, &s.Units, &s.TotalUGX, &s.State, &s.Confirmed, &s.Code, &deadline); err != nil {
			return nil, err
		}
		s.At = time.UnixMilli(created).In(kampalaZone)
		if s.State == StateInProgress && l.Now().UnixMilli() >= deadline {
			s.State = StateUnknown // the process that made it is gone
		}
		spends = append(spends, s)
	}
	return spends, rows.Err()
}

// ResolveSpend settles an unknown outcome, after a person has looked: sent or failed.
func (l *Ledger) ResolveSpend(ctx context.Context, id, state string) error {
	if state != StateSent && state != StateFailed {
		return fmt.Errorf("an outcome is %s or %s, not %q", StateSent, StateFailed, state)
	}
	return l.WithTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		d := Decision{SpendID: id}
		var current string
		var deadline int64
		err := tx.QueryRowContext(ctx, `SELECT state, deadline, attempt FROM spends WHERE id = $1`+l.forUpdate, id).Scan(&current, &deadline, &d.AttemptID)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return fmt.Errorf("there is no spend %q", id)
		case err != nil:
			return err
		case current == StateInProgress && l.Now().UnixMilli() < deadline:
			return errors.New("the call is still running: try again in a minute")
		case current != StateInProgress && current != StateUnknown:
			return fmt.Errorf("the outcome of this spend is known: %s", current)
		}
		return settleAttempt(ctx, tx, d, state, "resolved")
	})
}
