package guard

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// intent is one spend that is to be made.
type intent struct {
	account, caller, tool string
	content               []string // what a duplicate shares, besides a target
	targets               []string // numbers, or the group, or the payer
	rest                  []string // what else a quote stands for
	recipients, units     int
	total                 int64
	topUp                 bool
}

func (in *intent) kind() string {
	if in.topUp {
		return "topup"
	}
	return "send"
}

func (l *Ledger) contentOf(in *intent) []byte {
	return l.hash(append([]string{"content", in.account, in.tool}, in.content...)...)
}

func (l *Ledger) argumentsOf(in *intent) []byte {
	parts := append([]string{"arguments", in.account, in.caller, in.tool}, in.content...)
	parts = append(append(append(parts, "targets"), in.targets...), "rest")
	return l.hash(append(parts, in.rest...)...)
}

// terms are how a spend may be made.
type terms struct {
	quote          string // the id of the quote that is used, if any
	agreed         bool   // a person agreed to it, or it stands for that
	allowDuplicate bool
	limits         Limits
}

// Limits are the operator's, in UGX; 0 forbids everything.
type Limits struct {
	PerCall, PerDay int64
	TopUp           int64 // for a call and for a day
	Recipients      int
	ConfirmAbove    int64 // for the unconfirmed spends of an hour together
	DuplicateWindow time.Duration
}

// earlier is a spend that a new one would repeat.
type earlier struct {
	id, state string
	created   time.Time
	total     int64
	overlap   []string
}

// named says which spend is repeated, in a sentence's middle.
func (e *earlier) named() string {
	return fmt.Sprintf("it repeats one of %s (UGX %s)", e.created.In(kampala).Format("2 January 15:04"), thousands(e.total))
}

// repeats finds what an intent would repeat.
func (l *Ledger) repeats(ctx context.Context, in *intent, window time.Duration) (found *earlier, err error) {
	err = l.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		found, err = l.overlap(ctx, tx, in, window)
		return err
	})
	return found, err
}

// verdict is what the ledger says of an intent.
type verdict struct {
	id        string // of the row, where the spend may go on
	duplicate *earlier
	over      string // the setting of the limit that forbids it
	left      int64  // of the day's budget, before or after it
	why       string // confirmation is due, and this is why
	burnt     string // why the quote counts for nothing
}

// callTime is how long a call may take, and a little more.
const callTime = 60 * time.Second

// admit writes an intent down, or says why not. All of it happens in one
// transaction, so that of two callers at the same time one is first.
func (l *Ledger) admit(ctx context.Context, in *intent, t terms) (verdict, error) {
	var v verdict
	err := l.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		v = verdict{}
		return l.judge(ctx, tx, in, t, &v)
	})
	return v, err
}

func (l *Ledger) judge(ctx context.Context, tx *sql.Tx, in *intent, t terms, v *verdict) error {
	seq, err := l.present(ctx, tx, in, t, v)
	if err != nil || v.burnt != "" || v.duplicate != nil {
		return err
	}
	found, err := l.overlap(ctx, tx, in, t.limits.DuplicateWindow)
	if err != nil {
		return err
	}
	if found != nil && (!t.allowDuplicate || !t.agreed) {
		v.duplicate = found
		if t.allowDuplicate {
			v.why = found.named()
		}
		return nil
	}
	if err := l.budget(ctx, tx, in, t.limits, v); err != nil || v.over != "" {
		return err
	}
	if !t.agreed {
		if v.why, err = l.due(ctx, tx, in, t.limits); err != nil || v.why != "" {
			return err
		}
	}
	return l.write(ctx, tx, in, t, seq, v)
}

// present looks at the quote that is used, and returns its row.
func (l *Ledger) present(ctx context.Context, tx *sql.Tx, in *intent, t terms, v *verdict) (int64, error) {
	if t.quote == "" {
		return 0, nil
	}
	var seq, deadline, created, total int64
	var state string
	var arguments []byte
	err := tx.QueryRowContext(ctx, `SELECT seq, state, deadline, arguments, created, total FROM spends WHERE id = ?`, t.quote).
		Scan(&seq, &state, &deadline, &arguments, &created, &total)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		v.burnt = "there is no such quote"
		return 0, nil
	case err != nil:
		return 0, err
	case !hmac.Equal(arguments, l.argumentsOf(in)):
		v.burnt = "the quote was for something else"
	case state == quoted && in.total > total:
		v.burnt = fmt.Sprintf("it would now cost UGX %d, not the UGX %d of the quote", in.total, total)
	case state == burnt:
		v.burnt = "the quote counts no more"
	case state != quoted:
		v.duplicate = &earlier{id: t.quote, state: state, created: time.UnixMilli(created), total: total}
		return seq, nil
	case l.now().UnixMilli() >= deadline:
		v.burnt = "the quote has expired"
	default:
		return seq, nil
	}
	_, err = tx.ExecContext(ctx, `UPDATE spends SET state = 'burnt' WHERE seq = ? AND state = 'quoted'`, seq)
	return seq, err
}

// overlap finds the newest spend that reached some of the same: within the
// window, or at any time while its outcome is not known.
func (l *Ledger) overlap(ctx context.Context, tx *sql.Tx, in *intent, window time.Duration) (*earlier, error) {
	content := l.contentOf(in)
	by := make(map[string]string, len(in.targets))
	keys := make([]string, len(in.targets))
	for i, target := range in.targets {
		keys[i] = hex.EncodeToString(l.hash("target", target))
		by[keys[i]] = target
	}
	list, err := json.Marshal(keys)
	if err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT j.value, s.id, s.state, s.created, s.total
		FROM json_each(?) j JOIN covered c ON c.content = ? AND c.target = unhex(j.value) JOIN spends s ON s.seq = c.spend
		WHERE s.state IN ('in_progress', 'unknown') OR s.state = 'sent' AND s.created > ?
		ORDER BY s.seq DESC`, string(list), content, l.now().Add(-window).UnixMilli())
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var found *earlier
	for rows.Next() {
		var key, id, state string
		var created, total int64
		if err := rows.Scan(&key, &id, &state, &created, &total); err != nil {
			return nil, err
		}
		if found == nil {
			found = &earlier{id: id, state: state, created: time.UnixMilli(created), total: total}
		}
		if found.id == id {
			found.overlap = append(found.overlap, by[key])
		}
	}
	return found, rows.Err()
}

// day is the number of a day in Kampala.
func day(t time.Time) int64 {
	_, offset := t.In(kampala).Zone()
	return (t.Unix() + int64(offset)) / 86400
}

// budget holds an intent against the limits.
func (l *Ledger) budget(ctx context.Context, tx *sql.Tx, in *intent, limits Limits, v *verdict) error {
	var total int64
	err := tx.QueryRowContext(ctx, `SELECT total FROM days WHERE account = ? AND kind = ? AND day = ?`, in.account, in.kind(), day(l.now())).Scan(&total)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	perCall, perDay, names := limits.PerCall, limits.PerDay, [2]string{"WESENDALL_MAX_PER_CALL", "WESENDALL_MAX_PER_DAY"}
	if in.topUp {
		perCall, perDay, names = limits.TopUp, limits.TopUp, [2]string{"WESENDALL_MAX_TOPUP", "WESENDALL_MAX_TOPUP"}
	}
	v.left = max(perDay-total, 0)
	switch {
	case in.total > perCall:
		v.over = names[0]
	case in.total > v.left:
		v.over = names[1]
	}
	return nil
}

// due tells why a person must agree first, if so.
func (l *Ledger) due(ctx context.Context, tx *sql.Tx, in *intent, limits Limits) (string, error) {
	if in.topUp {
		return "it asks somebody for money", nil
	}
	var recent int64
	err := tx.QueryRowContext(ctx, `SELECT coalesce(sum(total), 0) FROM spends WHERE account = ? AND created > ?
		AND confirmed = 0 AND tool <> 'topup_wallet' AND state IN ('in_progress', 'sent', 'unknown')`,
		in.account, l.now().Add(-time.Hour).UnixMilli()).Scan(&recent)
	switch {
	case err != nil:
		return "", err
	case in.total > limits.ConfirmAbove:
		return fmt.Sprintf("it costs more than UGX %d", limits.ConfirmAbove), nil
	case in.total+recent > limits.ConfirmAbove:
		return fmt.Sprintf("with UGX %d of the last hour that nobody was asked about it comes to more than UGX %d", recent, limits.ConfirmAbove), nil
	}
	return "", nil
}

// write writes the intent down, and reserves its total.
func (l *Ledger) write(ctx context.Context, tx *sql.Tx, in *intent, t terms, seq int64, v *verdict) error {
	now := l.now()
	if seq == 0 {
		var err error
		if v.id, seq, err = l.insert(ctx, tx, in, inProgress, now.Add(callTime)); err != nil {
			return err
		}
	} else {
		v.id = t.quote
	}
	if _, err := tx.ExecContext(ctx, `UPDATE spends SET state = 'in_progress', confirmed = ?, created = ?, deadline = ?, day = ? WHERE seq = ?`,
		t.agreed, now.UnixMilli(), now.Add(callTime).UnixMilli(), day(now), seq); err != nil {
		return err
	}
	keys := make([]string, len(in.targets))
	for i, target := range in.targets {
		keys[i] = hex.EncodeToString(l.hash("target", target))
	}
	list, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO covered (content, target, spend) SELECT ?, unhex(value), ? FROM json_each(?)`,
		l.contentOf(in), seq, string(list)); err != nil {
		return err
	}
	v.left -= in.total
	return reserve(ctx, tx, in.account, in.kind(), day(now), in.total)
}

func reserve(ctx context.Context, tx *sql.Tx, account, kind string, day, total int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO days (account, kind, day, total) VALUES (?, ?, ?, ?)
		ON CONFLICT (account, kind, day) DO UPDATE SET total = total + excluded.total`, account, kind, day, total)
	return err
}

func (l *Ledger) insert(ctx context.Context, tx *sql.Tx, in *intent, state string, deadline time.Time) (id string, seq int64, err error) {
	id = strings.ToLower(rand.Text()) // at least 128 bits
	now := l.now()
	result, err := tx.ExecContext(ctx, `INSERT INTO spends (id, account, caller, tool, content, arguments, recipients, units, total, state, confirmed, created, deadline, day)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)`,
		id, in.account, in.caller, in.tool, l.contentOf(in), l.argumentsOf(in), in.recipients, in.units, in.total, state,
		now.UnixMilli(), deadline.UnixMilli(), day(now))
	if err != nil {
		return "", 0, err
	}
	seq, err = result.LastInsertId()
	return id, seq, err
}
