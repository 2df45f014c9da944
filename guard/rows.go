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
	Total      int64     `json:"total"` // UGX
	State      string    `json:"state"` // in_progress, sent, failed or unknown
	Confirmed  bool      `json:"confirmed"`
	Code       string    `json:"code,omitempty"`
}

// StateUnknown is the state of a spend whose outcome nobody knows.
const StateUnknown = unknown

// Spends are the spends since a time, oldest first, and all that are open.
func (l *Ledger) Spends(ctx context.Context, since time.Time) ([]Spend, error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	rows, err := l.db.QueryContext(ctx, `SELECT id, created, account, caller, tool, recipients, units, total, state, confirmed, code, deadline
		FROM spends WHERE state IN ('in_progress', 'unknown') OR created >= $1 AND state IN ('sent', 'failed') ORDER BY seq`, since.UnixMilli())
	if err != nil {
		return nil, l.explain(err)
	}
	defer func() { _ = rows.Close() }()
	all := []Spend{}
	for rows.Next() {
		var s Spend
		var created, deadline int64
		if err := rows.Scan(&s.ID, &created, &s.Account, &s.Caller, &s.Tool, &s.Recipients, &s.Units, &s.Total, &s.State, &s.Confirmed, &s.Code, &deadline); err != nil {
			return nil, err
		}
		s.At = time.UnixMilli(created).In(kampala)
		if s.State == inProgress && l.now().UnixMilli() >= deadline {
			s.State = unknown // the process that made it is gone
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

// Resolve settles an unknown outcome, after a person has looked: sent or failed.
func (l *Ledger) Resolve(ctx context.Context, id, state string) error {
	if state != sent && state != failed {
		return fmt.Errorf("an outcome is %s or %s, not %q", sent, failed, state)
	}
	return l.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		v := verdict{id: id}
		var now string
		var deadline int64
		err := tx.QueryRowContext(ctx, `SELECT state, deadline, attempt FROM spends WHERE id = $1`+l.locked, id).Scan(&now, &deadline, &v.attempt)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return fmt.Errorf("there is no spend %q", id)
		case err != nil:
			return err
		case now == inProgress && l.now().UnixMilli() < deadline:
			return errors.New("the call is still running: try again in a minute")
		case now != inProgress && now != unknown:
			return fmt.Errorf("the outcome of this spend is known: %s", now)
		}
		return settle(ctx, tx, v, state, "resolved")
	})
}
