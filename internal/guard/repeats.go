package guard

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Duplicates are the spends that a new one would repeat: those without a known
// outcome first, then the newest first.
type Duplicates struct {
	Spends     []DuplicateSpend
	Recipients []string // whom they reached, of those whom the new one is for
}

type DuplicateSpend struct {
	ID, State string
	Created   time.Time
	TotalUGX  int64
}

func (p DuplicateSpend) TimeString() string {
	return p.Created.In(kampalaZone).Format("15:04:05 on 2 January")
}

// IDs are the names of all of them.
func (dups *Duplicates) IDs() string {
	if dups == nil {
		return ""
	}
	ids := make([]string, len(dups.Spends))
	for i, p := range dups.Spends {
		ids[i] = p.ID
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// subsetOf tells whether all of them are among those that were named.
func (dups *Duplicates) subsetOf(ids string) bool {
	known := strings.Fields(ids)
	return !slices.ContainsFunc(dups.Spends, func(p DuplicateSpend) bool { return !slices.Contains(known, p.ID) })
}

// Describe says which spends are repeated, in a sentence's middle.
func (dups *Duplicates) Describe() string {
	var names []string
	for _, p := range dups.Spends[:min(len(dups.Spends), 3)] {
		name := fmt.Sprintf("one of %s (UGX %s)", p.Created.In(kampalaZone).Format("2 January 15:04"), formatThousands(p.TotalUGX))
		if p.State != StateSent {
			name += ", whose outcome nobody knows,"
		}
		names = append(names, name)
	}
	if more := len(dups.Spends) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return "it repeats " + strings.TrimSuffix(strings.Join(names, " and "), ",")
}

// FindDuplicates finds what an intent would repeat.
func (l *Ledger) FindDuplicates(ctx context.Context, intent *Intent, window time.Duration) (dups *Duplicates, err error) {
	err = l.WithTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		intent.now = l.Now()
		dups, err = l.findDuplicates(ctx, tx, intent, window)
		return err
	})
	return dups, err
}

// targetHashes are the keys of an intent's targets as a JSON list of hex, and the
// targets by key.
func (l *Ledger) targetHashes(intent *Intent) (list string, targetByHash map[string]string) {
	targetByHash = make(map[string]string, len(intent.Targets))
	hashes := make([]string, len(intent.Targets))
	for i, target := range intent.Targets {
		hashes[i] = hex.EncodeToString(l.Hash("target", target))
		targetByHash[hashes[i]] = target
	}
	data, _ := json.Marshal(hashes) // strings always marshal
	return string(data), targetByHash
}

// findDuplicates finds the spends that reached some of the same: within the window, or
// at any time while their outcome is not known.
func (l *Ledger) findDuplicates(ctx context.Context, tx *sql.Tx, intent *Intent, window time.Duration) (*Duplicates, error) {
	hashesJSON, targetByHash := l.targetHashes(intent)
	//nolint:gosec // the dialect's own
	rows, err := tx.QueryContext(ctx, `SELECT j.value, s.id, s.state, s.created, s.total
		FROM `+l.jsonList+` JOIN covered c ON c.content = $2 AND c.target = `+l.hexToBytes+` JOIN spends s ON s.seq = c.spend
		WHERE s.state IN ('in_progress', 'unknown') OR s.state = 'sent' AND s.created > $3
		ORDER BY s.state = 'sent', s.seq DESC`, hashesJSON, l.dedupHash(intent), intent.now.Add(-window).UnixMilli())
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var dups *Duplicates
	for rows.Next() {
		var p DuplicateSpend
		var hash string
		var created int64
		if err := rows.Scan(&hash, &p.ID, &p.State, &created, &p.TotalUGX); err != nil {
			return nil, err
		}
		p.Created = time.UnixMilli(created)
		if dups == nil {
			dups = &Duplicates{}
		}
		if len(dups.Spends) == 0 || dups.Spends[len(dups.Spends)-1].ID != p.ID {
			dups.Spends = append(dups.Spends, p)
		}
		if target, first := targetByHash[hash]; first {
			dups.Recipients = append(dups.Recipients, target)
			delete(targetByHash, hash)
		}
	}
	return dups, rows.Err()
}
