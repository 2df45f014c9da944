package ledger

import (
	"context"
	"database/sql"
	"slices"
	"time"
)

// unsettledWindow is how long after a send with an unknown outcome the next send to one
// of its targets needs a confirmation.
const unsettledWindow = 24 * time.Hour

// MaxUnsettled is how many spends a decision names at most. A confirmation covers only
// those that were named.
const MaxUnsettled = 20

// unsettledQuery begins with the open spends of a day, by an index: they are few, and a
// number may have been reached a hundred thousand times.
func (l *Ledger) unsettledQuery() string {
	return `SELECT s.seq, s.id, s.tool, s.state, s.created_ms, s.deadline_ms, s.total FROM spends s
		WHERE s.state IN ('in_progress', 'unknown', 'requested') AND s.account = $2 AND s.kind = $3
			AND (s.kind = 'send' AND s.created_ms > $4 AND s.acknowledged = 0 AND (s.state = 'unknown' OR s.deadline_ms <= $5)
				OR s.kind = 'topup' AND (s.created_ms > $4 OR s.state <> 'requested'))
			AND EXISTS (SELECT 1 FROM spend_targets t
				WHERE t.spend = s.seq AND t.target_hash IN (SELECT ` + l.hexToBytes + ` FROM ` + l.jsonList + `))
		ORDER BY s.seq DESC LIMIT $6`
}

// findUnsettled finds the sends with an unknown outcome that reached some of an intent's
// targets, without duplicates and those that a user already agreed to send near. For
// a top-up it finds those of the same payer that are open, whenever they were made,
// and those that were requested within a day: the payer may see both on the phone.
func (l *Ledger) findUnsettled(
	ctx context.Context, tx *sql.Tx, in Intent, duplicates *Duplicates, now time.Time,
) ([]EarlierSpend, error) {
	hashes, _ := l.targetHashes(in)
	rows, err := tx.QueryContext(ctx, l.unsettledQuery(), hashes, in.Account, in.Kind, now.Add(-unsettledWindow).UnixMilli(),
		now.UnixMilli(), MaxUnsettled)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var near []EarlierSpend
	for rows.Next() {
		var seq, created, deadline int64
		var s EarlierSpend
		if err := rows.Scan(&seq, &s.ID, &s.Tool, &s.State, &created, &deadline, &s.TotalUGX); err != nil {
			return nil, err
		}
		s.Created = time.UnixMilli(created)
		if deadline <= now.UnixMilli() && s.State == StateInProgress {
			s.State = StateUnknown // its process ended without recording an outcome
		}
		if duplicates == nil || !slices.ContainsFunc(duplicates.Spends, func(d EarlierSpend) bool { return d.ID == s.ID }) {
			near = append(near, s)
		}
	}
	return near, rows.Err()
}

// mustBeNamed are the spends near an intent that its confirmation must name: those
// with an unknown outcome, and of top-ups those that run or were requested just now.
func mustBeNamed(near []EarlierSpend, in Intent, since time.Time) []EarlierSpend {
	if in.Kind == KindSend {
		return unknownOnly(near)
	}
	return slices.DeleteFunc(slices.Clone(near), func(s EarlierSpend) bool {
		return s.State == StateRequested && s.Created.Before(since)
	})
}

// unknownOnly are the spends whose outcome is unknown.
func unknownOnly(spends []EarlierSpend) (unknown []EarlierSpend) {
	for _, s := range spends {
		if s.State == StateUnknown {
			unknown = append(unknown, s)
		}
	}
	return unknown
}

// acknowledge notes that the user agreed to a spend near those with an unknown
// outcome.
func acknowledge(ctx context.Context, tx *sql.Tx, d Decision) error {
	named := unknownOnly(d.Unsettled)
	if d.Duplicates != nil {
		named = append(named, unknownOnly(d.Duplicates.Spends)...)
	}
	for _, s := range named {
		if _, err := tx.ExecContext(ctx, `UPDATE spends SET acknowledged = 1 WHERE id = $1`, s.ID); err != nil {
			return err
		}
	}
	return nil
}
