package ledger

import (
	"context"
	"crypto/hmac"
	"time"
)

// OpenSpend is a spend with an unknown outcome, with what helps to find it elsewhere.
type OpenSpend struct {
	Spend
	Kind Kind
	// BalanceBeforeUGX is what the wallet held just before; nil where it was not read.
	BalanceBeforeUGX *int64
	contentHash      []byte
}

// HasContent reports whether a spend has this content.
func (l *Ledger) HasContent(s OpenSpend, content ...string) bool {
	hash := l.dedupHash(Intent{Account: s.Account, Tool: s.Tool, Content: content})
	return hmac.Equal(hash, s.contentHash)
}

// ListOpen returns the spends with an unknown outcome, oldest first.
func (l *Ledger) ListOpen(ctx context.Context) ([]OpenSpend, error) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	rows, err := l.db.QueryContext(ctx, `SELECT id, created_ms, account, caller, tool, kind, recipients, units, total,
			state, confirmed, code, balance_before, dedup_hash
		FROM spends WHERE state IN ('in_progress', 'unknown') AND (state = 'unknown' OR deadline_ms <= $1)
		ORDER BY seq`, l.clock().UnixMilli())
	if err != nil {
		return nil, l.sanitizeError(err)
	}
	defer func() { _ = rows.Close() }()
	var open []OpenSpend
	for rows.Next() {
		var s OpenSpend
		var created int64
		if err := rows.Scan(&s.ID, &created, &s.Account, &s.Caller, &s.Tool, &s.Kind, &s.Recipients, &s.Units, &s.TotalUGX,
			&s.State, &s.Confirmed, &s.Code, &s.BalanceBeforeUGX, &s.contentHash); err != nil {
			return nil, err
		}
		s.At, s.State = time.UnixMilli(created).In(KampalaZone), StateUnknown
		open = append(open, s)
	}
	return open, rows.Err()
}

// Attempt is a spend as one of several with the same content.
type Attempt struct {
	ID    string
	Tool  string
	State State
	Code  string // of a failure; "resolved" where a user settled it
	At    time.Time
	// targets are the hashes of its recipients.
	targets map[string]bool
}

// WasAddressedTo reports whether an attempt had this target.
func (l *Ledger) WasAddressedTo(a Attempt, target string) bool {
	return a.targets[string(l.targetHash(target))]
}

// ResolvedCode is the code of a spend that a user settled.
const ResolvedCode = "resolved"

// ListAttempts returns all spends of an account and a tool with the same content,
// with any outcome, oldest first.
func (l *Ledger) ListAttempts(ctx context.Context, account, tool string, content ...string) ([]Attempt, error) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	rows, err := l.db.QueryContext(ctx, `SELECT s.id, s.state, s.code, s.created_ms, t.target_hash
		FROM spend_targets t JOIN spends s ON s.seq = t.spend WHERE t.dedup_hash = $1 ORDER BY s.created_ms, s.seq`,
		l.dedupHash(Intent{Account: account, Tool: tool, Content: content}))
	if err != nil {
		return nil, l.sanitizeError(err)
	}
	defer func() { _ = rows.Close() }()
	var attempts []Attempt
	for rows.Next() {
		a := Attempt{Tool: tool, targets: map[string]bool{}}
		var created int64
		var target []byte
		if err := rows.Scan(&a.ID, &a.State, &a.Code, &created, &target); err != nil {
			return nil, err
		}
		a.At = time.UnixMilli(created).In(KampalaZone)
		if n := len(attempts); n == 0 || attempts[n-1].ID != a.ID {
			attempts = append(attempts, a)
		}
		attempts[len(attempts)-1].targets[string(target)] = true
	}
	return attempts, rows.Err()
}
