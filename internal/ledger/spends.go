package ledger

import (
	"context"
	"time"
)

// Spend is a row of the ledger, for users. Times are in Kampala.
type Spend struct {
	ID         string    `json:"id"`
	At         time.Time `json:"at"`
	Account    string    `json:"account"`
	Caller     string    `json:"caller,omitempty"` // where one server has many
	Tool       string    `json:"tool"`
	Recipients int       `json:"recipients"`
	Units      int       `json:"units"` // for each recipient
	TotalUGX   int64     `json:"total"`
	State      State     `json:"state"` // in_progress, sent, requested, failed or unknown
	Confirmed  bool      `json:"confirmed"`
	Code       string    `json:"code,omitempty"`
}

// List returns the spends since a time, oldest first, and all open ones.
func (l *Ledger) List(ctx context.Context, since time.Time) ([]Spend, error) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	rows, err := l.db.QueryContext(ctx, `SELECT id, created_ms, account, caller, tool, recipients, units, total,
			state, confirmed, code, deadline_ms
		FROM spends WHERE state IN ('in_progress', 'unknown') OR created_ms >= $1 AND state IN ('sent', 'requested', 'failed')
		ORDER BY seq`, since.UnixMilli())
	if err != nil {
		return nil, l.sanitizeError(err)
	}
	defer func() { _ = rows.Close() }()
	spends := []Spend{}
	for rows.Next() {
		var s Spend
		var created, deadline int64
		if err := rows.Scan(&s.ID, &created, &s.Account, &s.Caller, &s.Tool, &s.Recipients, &s.Units, &s.TotalUGX,
			&s.State, &s.Confirmed, &s.Code, &deadline); err != nil {
			return nil, err
		}
		s.At = time.UnixMilli(created).In(KampalaZone)
		if s.State == StateInProgress && l.clock().UnixMilli() >= deadline {
			s.State = StateUnknown // its process ended without recording an outcome
		}
		spends = append(spends, s)
	}
	return spends, rows.Err()
}
