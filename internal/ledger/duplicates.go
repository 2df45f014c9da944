package ledger

import (
	"context"
	"database/sql"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Duplicates are the spends that an intent would repeat: those without a known
// outcome first, then the newest first.
type Duplicates struct {
	Spends  []EarlierSpend
	Targets []string // of the intent, in its order, that they reached
}

// EarlierSpend is one spend that an intent would repeat.
type EarlierSpend struct {
	ID       string
	Tool     string
	State    State
	Created  time.Time
	TotalUGX int64
}

// joinIDs returns the ids of spends, sorted and separated by spaces.
func joinIDs(spends []EarlierSpend) string {
	ids := make([]string, len(spends))
	for i, s := range spends {
		ids[i] = s.ID
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), " ")
}

// namesAll reports whether namedIDs has the ids of all spends.
func namesAll(spends []EarlierSpend, namedIDs string) bool {
	named := strings.Fields(namedIDs)
	return !slices.ContainsFunc(spends, func(s EarlierSpend) bool { return !slices.Contains(named, s.ID) })
}

// targetHashes returns the hashes of an intent's targets as a JSON list of hex, and
// the targets by hash.
func (l *Ledger) targetHashes(in Intent) (list string, targetByHash map[string]string) {
	targetByHash = make(map[string]string, len(in.Targets))
	hashes := make([]string, len(in.Targets))
	for i, target := range in.Targets {
		hashes[i] = hex.EncodeToString(l.targetHash(target))
		targetByHash[hashes[i]] = target
	}
	return encodeJSON(hashes), targetByHash
}

// findDuplicates finds the spends with the same content that reached some of the
// same targets: since a time, or at any time while their outcome is unknown.
func (l *Ledger) findDuplicates(ctx context.Context, tx *sql.Tx, in Intent, since time.Time) (*Duplicates, error) {
	list, targetByHash := l.targetHashes(in)
	//nolint:gosec // the dialect is a constant
	rows, err := tx.QueryContext(ctx, `SELECT j.value, s.id, s.tool, s.state, s.created_ms, s.total
		FROM `+l.jsonList+` JOIN spend_targets t ON t.dedup_hash = $2 AND t.target_hash = `+l.hexToBytes+`
		JOIN spends s ON s.seq = t.spend
		WHERE s.state IN ('in_progress', 'unknown') OR s.state IN ('sent', 'requested') AND s.created_ms > $3
		ORDER BY s.state IN ('sent', 'requested'), s.seq DESC`, list, l.dedupHash(in), since.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var d *Duplicates
	reached := map[string]bool{}
	for rows.Next() {
		var s EarlierSpend
		var hash string
		var created int64
		if err := rows.Scan(&hash, &s.ID, &s.Tool, &s.State, &created, &s.TotalUGX); err != nil {
			return nil, err
		}
		s.Created = time.UnixMilli(created)
		if d == nil {
			d = &Duplicates{}
		}
		if len(d.Spends) == 0 || d.Spends[len(d.Spends)-1].ID != s.ID {
			d.Spends = append(d.Spends, s)
		}
		reached[targetByHash[hash]] = true
	}
	for _, target := range in.Targets {
		if reached[target] {
			d.Targets = append(d.Targets, target)
		}
	}
	return d, rows.Err()
}
