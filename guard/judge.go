package guard

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"database/sql"
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
	at                    time.Time // of the transaction that looks at it
}

func (in *intent) kind() string {
	if in.topUp {
		return "topup"
	}
	return "send"
}

// kindOf is under what a day's total of one caller is kept, beside the account's.
func kindOf(kind, caller string) string { return kind + " " + caller }

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
	presented      string // another that the call came with: it goes the way of the one that is used
	answered       bool   // a person said yes when asked about the quote
	confirmed      bool   // a person agreed, or the quote stands for that
	unasked        bool   // nobody need agree
	allowDuplicate bool
	limits         Limits
	own            *Limits // of the caller, which is counted for itself too; nil for none
	window         time.Duration
}

// Limits are the operator's, in UGX; 0 forbids everything.
type Limits struct {
	PerCall, PerDay int64
	TopUp           int64 // for a call and for a day
	Recipients      int
	ConfirmAbove    int64 // for the unconfirmed spends of an hour together
	DuplicateWindow time.Duration
}

// verdict is what the ledger says of an intent.
type verdict struct {
	id        string   // of the row, where the spend may go on
	attempt   string   // what tells it from other uses of the same quote
	duplicate *earlier // it was done, or may have been
	over      string   // the name of the limit that forbids it
	most      int64    // of the same limits, for a call
	left      int64    // of the day's budget, before or after it
	why       string   // confirmation is due, and this is why
	burnt     string   // why the quote counts for nothing
}

// callTime is how long a call may take, and a little more.
const callTime = 60 * time.Second

// admit writes an intent down, or says why not. All of it happens in one
// transaction, so that of two callers at the same time one is first.
func (l *Ledger) admit(ctx context.Context, in *intent, t terms) (verdict, error) {
	var v verdict
	err := l.accountTx(ctx, in.account, func(ctx context.Context, tx *sql.Tx) error {
		v = verdict{}
		if err := l.present(ctx, tx, l.key); err != nil {
			return err
		}
		return l.judge(ctx, tx, in, t, &v)
	})
	if _, open := errors.AsType[uncommitted](err); open && v.id != "" {
		l.neverLeft(in.account, v)
	}
	if err != nil {
		v = verdict{} // whatever it was to become
	}
	return v, err
}

func (l *Ledger) judge(ctx context.Context, tx *sql.Tx, in *intent, t terms, v *verdict) error {
	in.at = l.now()
	used, err := l.used(ctx, tx, in, t, v)
	if err != nil || v.burnt != "" || v.duplicate != nil {
		return err
	}
	found, err := l.overlap(ctx, tx, in, t.window)
	switch {
	case err != nil:
		return err
	case found == nil:
	case !t.allowDuplicate:
		v.duplicate = found
		return nil
	case !t.confirmed && !t.unasked:
		v.why = found.named()
	case t.confirmed && !found.within(used.repeats):
		// Who agreed was told of other calls than these, or of none.
		v.burnt = "the quote does not say that " + found.named()
		return burn(ctx, tx, in, t.quote)
	}
	if err := l.budget(ctx, tx, in, t, v); err != nil || v.over != "" {
		return err
	}
	if v.why == "" && !t.confirmed && !t.unasked {
		if v.why, err = l.due(ctx, tx, in, t); err != nil {
			return err
		}
	}
	if v.why != "" {
		return nil
	}
	if t.presented != "" {
		if err := burn(ctx, tx, in, t.presented); err != nil {
			return err
		}
	}
	return l.write(ctx, tx, in, t, used.seq, v)
}

// quoteRow is the row of a quote that is used.
type quoteRow struct {
	seq     int64
	repeats string // the spends that it says are repeated
}

// used looks at the quote that is used, and burns it where it does not fit. One
// of somebody else, or for another wallet, is none.
func (l *Ledger) used(ctx context.Context, tx *sql.Tx, in *intent, t terms, v *verdict) (quoteRow, error) {
	if t.quote == "" {
		return quoteRow{}, nil
	}
	var row quoteRow
	var deadline, created, total int64
	var recipients int
	var state string
	var asked bool
	var arguments []byte
	err := tx.QueryRowContext(ctx, `SELECT seq, state, deadline, arguments, created, total, recipients, asked, repeats FROM spends
		WHERE id = $1 AND account = $2 AND caller = $3`+l.locked, t.quote, in.account, in.caller).
		Scan(&row.seq, &state, &deadline, &arguments, &created, &total, &recipients, &asked, &row.repeats)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		v.burnt = "there is no such quote"
		return row, nil
	case err != nil:
		return row, err
	case !hmac.Equal(arguments, l.argumentsOf(in)):
		v.burnt = "the quote was for something else"
	case state == quoted && recipients > 0 && in.recipients > recipients:
		v.burnt = fmt.Sprintf("it would now reach %d recipients, not the %d of the quote", in.recipients, recipients)
	case state == quoted && in.total > total:
		v.burnt = fmt.Sprintf("it would now cost UGX %d, not the UGX %d of the quote", in.total, total)
	case state == burnt:
		v.burnt = "the quote counts no more"
	case state != quoted:
		v.duplicate = &earlier{spends: []past{{t.quote, state, time.UnixMilli(created), total}}}
		return row, nil
	case in.at.UnixMilli() >= deadline:
		v.burnt = "the quote has expired"
	case t.answered && !asked:
		v.burnt = "nobody was asked about this quote"
	default:
		if recipients > 0 && in.recipients == recipients {
			in.total = max(in.total, total) // a quote may know of a price that this process does not
		}
		return row, nil
	}
	return row, burn(ctx, tx, in, t.quote)
}

// burn makes a quote of whose spend it is count for nothing.
func burn(ctx context.Context, tx *sql.Tx, in *intent, id string) error {
	_, err := tx.ExecContext(ctx, `UPDATE spends SET state = 'burnt' WHERE id = $1 AND account = $2 AND caller = $3 AND state = 'quoted'`, id, in.account, in.caller)
	return err
}

// day is the number of a day in Kampala.
func day(t time.Time) int64 {
	_, offset := t.In(kampala).Zone()
	return (t.Unix() + int64(offset)) / 86400
}

// budget holds an intent against the operator's limits, and the caller's own.
func (l *Ledger) budget(ctx context.Context, tx *sql.Tx, in *intent, t terms, v *verdict) error {
	names := [2]string{"WESENDALL_MAX_PER_CALL", "WESENDALL_MAX_PER_DAY"}
	if in.topUp {
		names = [2]string{"WESENDALL_MAX_TOPUP", "WESENDALL_MAX_TOPUP"}
	}
	if err := l.within(ctx, tx, in, in.kind(), t.limits, names, v); err != nil || v.over != "" || t.own == nil {
		return err
	}
	left := v.left
	err := l.within(ctx, tx, in, kindOf(in.kind(), in.caller), *t.own, [2]string{ofCaller, ofCaller}, v)
	v.left = min(v.left, left)
	return err
}

// within holds an intent against the limits for one call, and for a day's total
// of a kind.
func (l *Ledger) within(ctx context.Context, tx *sql.Tx, in *intent, kind string, limits Limits, names [2]string, v *verdict) error {
	var total int64
	err := tx.QueryRowContext(ctx, `SELECT total FROM days WHERE account = $1 AND kind = $2 AND day = $3`, in.account, kind, day(in.at)).Scan(&total)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	perDay := limits.PerDay
	if v.most = limits.PerCall; in.topUp {
		v.most, perDay = limits.TopUp, limits.TopUp
	}
	v.left = max(perDay-total, 0)
	switch {
	case in.total > v.most:
		v.over = names[0]
	case in.total > v.left:
		v.over = names[1]
	}
	return nil
}

// due tells why a person must agree first, if so.
func (l *Ledger) due(ctx context.Context, tx *sql.Tx, in *intent, t terms) (string, error) {
	if in.topUp {
		return "it asks somebody for money", nil
	}
	const unconfirmed = `SELECT coalesce(sum(total), 0) FROM spends WHERE account = $1 AND created > $2
		AND confirmed = 0 AND tool <> 'topup_wallet' AND state IN ('in_progress', 'sent', 'unknown')`
	since := in.at.Add(-time.Hour).UnixMilli()
	var recent int64
	if err := tx.QueryRowContext(ctx, unconfirmed, in.account, since).Scan(&recent); err != nil {
		return "", err
	}
	why := above(in.total, recent, t.limits.ConfirmAbove)
	if why != "" || t.own == nil {
		return why, nil
	}
	if err := tx.QueryRowContext(ctx, unconfirmed+` AND caller = $3`, in.account, since, in.caller).Scan(&recent); err != nil {
		return "", err
	}
	return above(in.total, recent, t.own.ConfirmAbove), nil
}

// above tells why a person must agree to a total, if so.
func above(total, recent, most int64) string {
	switch {
	case total > most:
		return fmt.Sprintf("it costs more than UGX %d", most)
	case total+recent > most:
		return fmt.Sprintf("with UGX %d of the last hour that nobody was asked about it comes to more than UGX %d", recent, most)
	}
	return ""
}

// write writes the intent down, and reserves its total.
func (l *Ledger) write(ctx context.Context, tx *sql.Tx, in *intent, t terms, seq int64, v *verdict) error {
	now := in.at
	v.attempt = rand.Text()
	if seq == 0 {
		var err error
		if v.id, seq, err = l.insert(ctx, tx, in, inProgress, now.Add(callTime), ""); err != nil {
			return err
		}
	} else {
		v.id = t.quote
	}
	// What is released one day is what is reserved now, and not what was quoted.
	if _, err := tx.ExecContext(ctx, `UPDATE spends SET state = 'in_progress', confirmed = $1, created = $2, deadline = $3, day = $4,
		recipients = $5, units = $6, total = $7, attempt = $8 WHERE seq = $9`,
		bit(t.confirmed), now.UnixMilli(), now.Add(callTime).UnixMilli(), day(now), in.recipients, in.units, in.total, v.attempt, seq); err != nil {
		return err
	}
	list, _ := l.targetsOf(in)
	if _, err := tx.ExecContext(ctx, `INSERT INTO covered (content, target, spend) SELECT $2, `+l.bytes+`, $3 FROM `+l.list, //nolint:gosec // the dialect's own
		list, l.contentOf(in), seq); err != nil {
		return err
	}
	v.left -= in.total
	if t.own != nil {
		if err := reserve(ctx, tx, in.account, kindOf(in.kind(), in.caller), day(now), in.total); err != nil {
			return err
		}
	}
	return reserve(ctx, tx, in.account, in.kind(), day(now), in.total)
}

// bit is how both databases keep a bool.
func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func reserve(ctx context.Context, tx *sql.Tx, account, kind string, day, total int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO days (account, kind, day, total) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account, kind, day) DO UPDATE SET total = days.total + excluded.total`, account, kind, day, total)
	return err
}

func (l *Ledger) insert(ctx context.Context, tx *sql.Tx, in *intent, state string, deadline time.Time, repeats string) (id string, seq int64, err error) {
	id = strings.ToLower(rand.Text()) // at least 128 bits
	err = tx.QueryRowContext(ctx, `INSERT INTO spends (id, account, caller, tool, content, arguments, recipients, units, total, state, confirmed, created, deadline, day, repeats)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, $12, $13, $14) RETURNING seq`,
		id, in.account, in.caller, in.tool, l.contentOf(in), l.argumentsOf(in), in.recipients, in.units, in.total, state,
		in.at.UnixMilli(), deadline.UnixMilli(), day(in.at), repeats).Scan(&seq)
	return id, seq, err
}
