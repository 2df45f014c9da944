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

// earlier are the spends that a new one would repeat: those without a known
// outcome first, then the newest first.
type earlier struct {
	spends  []past
	overlap []string // whom they reached, of those whom the new one is for
}

type past struct {
	id, state string
	created   time.Time
	total     int64
}

func (p past) clock() string { return p.created.In(kampala).Format("15:04:05 on 2 January") }

// ids are the names of all of them.
func (e *earlier) ids() string {
	if e == nil {
		return ""
	}
	ids := make([]string, len(e.spends))
	for i, p := range e.spends {
		ids[i] = p.id
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// within tells whether all of them are among those that were named.
func (e *earlier) within(ids string) bool {
	named := strings.Fields(ids)
	return !slices.ContainsFunc(e.spends, func(p past) bool { return !slices.Contains(named, p.id) })
}

// named says which spends are repeated, in a sentence's middle.
func (e *earlier) named() string {
	var names []string
	for _, p := range e.spends[:min(len(e.spends), 3)] {
		name := fmt.Sprintf("one of %s (UGX %s)", p.created.In(kampala).Format("2 January 15:04"), thousands(p.total))
		if p.state != sent {
			name += ", whose outcome nobody knows,"
		}
		names = append(names, name)
	}
	if more := len(e.spends) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return "it repeats " + strings.TrimSuffix(strings.Join(names, " and "), ",")
}

// repeats finds what an intent would repeat.
func (l *Ledger) repeats(ctx context.Context, in *intent, window time.Duration) (found *earlier, err error) {
	err = l.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		in.at = l.now()
		found, err = l.overlap(ctx, tx, in, window)
		return err
	})
	return found, err
}

// targetsOf are the keys of an intent's targets as a JSON list of hex, and the
// targets by key.
func (l *Ledger) targetsOf(in *intent) (list string, by map[string]string) {
	by = make(map[string]string, len(in.targets))
	keys := make([]string, len(in.targets))
	for i, target := range in.targets {
		keys[i] = hex.EncodeToString(l.hash("target", target))
		by[keys[i]] = target
	}
	text, _ := json.Marshal(keys) // strings always marshal
	return string(text), by
}

// overlap finds the spends that reached some of the same: within the window, or
// at any time while their outcome is not known.
func (l *Ledger) overlap(ctx context.Context, tx *sql.Tx, in *intent, window time.Duration) (*earlier, error) {
	list, by := l.targetsOf(in)
	//nolint:gosec // the dialect's own
	rows, err := tx.QueryContext(ctx, `SELECT j.value, s.id, s.state, s.created, s.total
		FROM `+l.list+` JOIN covered c ON c.content = $2 AND c.target = `+l.bytes+` JOIN spends s ON s.seq = c.spend
		WHERE s.state IN ('in_progress', 'unknown') OR s.state = 'sent' AND s.created > $3
		ORDER BY s.state = 'sent', s.seq DESC`, list, l.contentOf(in), in.at.Add(-window).UnixMilli())
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var found *earlier
	for rows.Next() {
		var p past
		var key string
		var created int64
		if err := rows.Scan(&key, &p.id, &p.state, &created, &p.total); err != nil {
			return nil, err
		}
		p.created = time.UnixMilli(created)
		if found == nil {
			found = &earlier{}
		}
		if len(found.spends) == 0 || found.spends[len(found.spends)-1].id != p.id {
			found.spends = append(found.spends, p)
		}
		if target, first := by[key]; first {
			found.overlap = append(found.overlap, target)
			delete(by, key)
		}
	}
	return found, rows.Err()
}
