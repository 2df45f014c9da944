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

// Intent is one spend that is to be made.
type Intent struct {
	Account, Caller, Tool string
	DedupKey              []string // what a duplicate shares, besides a target
	Targets               []string // numbers, or the group, or the payer
	QuoteKey              []string // what else a quote stands for
	Recipients, Units     int
	TotalUGX              int64
	TopUp                 bool
	now                   time.Time // of the transaction that looks at it
}

func (intent *Intent) budgetKind() string {
	if intent.TopUp {
		return "topup"
	}
	return "send"
}

// callerBudgetKind is under what a day's total of one caller is kept, beside the account's.
func callerBudgetKind(kind, caller string) string { return kind + " " + caller }

func (l *Ledger) dedupHash(intent *Intent) []byte {
	return l.Hash(append([]string{"content", intent.Account, intent.Tool}, intent.DedupKey...)...)
}

func (l *Ledger) argumentsHash(intent *Intent) []byte {
	parts := append([]string{"arguments", intent.Account, intent.Caller, intent.Tool}, intent.DedupKey...)
	parts = append(append(append(parts, "targets"), intent.Targets...), "rest")
	return l.Hash(append(parts, intent.QuoteKey...)...)
}

// Policy are how a spend may be made.
type Policy struct {
	UseQuote        string // the id of the quote that is used, if any
	AlsoVoid        string // another that the call came with: it goes the way of the one that is used
	UserAnswered    bool   // a person said yes when asked about the quote
	Confirmed       bool   // a person agreed, or the quote stands for that
	ConfirmOff      bool   // nobody need agree
	AllowDuplicate  bool
	Limits          Limits
	CallerLimits    *Limits // of the caller, which is counted for itself too; nil for none
	DuplicateWindow time.Duration
}

// Limits are the operator's, in UGX; 0 forbids everything.
type Limits struct {
	PerCall, PerDay int64
	TopUp           int64 // for a call and for a day
	Recipients      int
	ConfirmAbove    int64 // for the unconfirmed spends of an hour together
	DuplicateWindow time.Duration
}

// Decision is what the ledger says of an intent.
type Decision struct {
	SpendID         string      // of the row, where the spend may go on
	AttemptID       string      // what tells it from other uses of the same quote
	Duplicates      *Duplicates // it was done, or may have been
	ExceededLimit   string      // the name of the limit that forbids it
	CallLimit       int64       // of the same limits, for a call
	Remaining       int64       // of the day's budget, before or after it
	ConfirmReason   string      // confirmation is due, and this is why
	QuoteVoidReason string      // why the quote counts for nothing
}

// CallTimeout is how long a call may take, and a little more.
const CallTimeout = 60 * time.Second

// Reserve writes an intent down, or says why not. All of it happens in one
// transaction, so that of two callers at the same time one is first.
func (l *Ledger) Reserve(ctx context.Context, intent *Intent, policy Policy) (Decision, error) {
	var d Decision
	err := l.WithAccountTx(ctx, intent.Account, func(ctx context.Context, tx *sql.Tx) error {
		d = Decision{}
		if err := l.checkIdentity(ctx, tx, l.Key); err != nil {
			return err
		}
		return l.Evaluate(ctx, tx, intent, policy, &d)
	})
	if _, uncommitted := errors.AsType[commitError](err); uncommitted && d.SpendID != "" {
		l.recordNotSent(intent.Account, d)
	}
	if err != nil {
		d = Decision{} // whatever it was to become
	}
	return d, err
}

func (l *Ledger) Evaluate(ctx context.Context, tx *sql.Tx, intent *Intent, policy Policy, d *Decision) error {
	intent.now = l.Now()
	usedQuote, err := l.redeemQuote(ctx, tx, intent, policy, d)
	if err != nil || d.QuoteVoidReason != "" || d.Duplicates != nil {
		return err
	}
	dups, err := l.findDuplicates(ctx, tx, intent, policy.DuplicateWindow)
	switch {
	case err != nil:
		return err
	case dups == nil:
	case !policy.AllowDuplicate:
		d.Duplicates = dups
		return nil
	case !policy.Confirmed && !policy.ConfirmOff:
		d.ConfirmReason = dups.Describe()
	case policy.Confirmed && !dups.subsetOf(usedQuote.duplicateIDs):
		// Who agreed was told of other calls than these, or of none.
		d.QuoteVoidReason = "the quote does not say that " + dups.Describe()
		return voidQuote(ctx, tx, intent, policy.UseQuote)
	}
	if err := l.checkBudgets(ctx, tx, intent, policy, d); err != nil || d.ExceededLimit != "" {
		return err
	}
	if d.ConfirmReason == "" && !policy.Confirmed && !policy.ConfirmOff {
		if d.ConfirmReason, err = l.confirmReason(ctx, tx, intent, policy); err != nil {
			return err
		}
	}
	if d.ConfirmReason != "" {
		return nil
	}
	if policy.AlsoVoid != "" {
		if err := voidQuote(ctx, tx, intent, policy.AlsoVoid); err != nil {
			return err
		}
	}
	return l.insertIntent(ctx, tx, intent, policy, usedQuote.seq, d)
}

// quoteRow is the row of a quote that is used.
type quoteRow struct {
	seq          int64
	duplicateIDs string // the spends that it says are repeated
}

// redeemQuote looks at the quote that is used, and burns it where it does not fit. One
// of somebody else, or for another wallet, is none.
func (l *Ledger) redeemQuote(ctx context.Context, tx *sql.Tx, intent *Intent, policy Policy, d *Decision) (quoteRow, error) {
	if policy.UseQuote == "" {
		return quoteRow{}, nil
	}
	var row quoteRow
	var deadline, created, total int64
	var recipients int
	var state string
	var wasAsked bool
	var arguments []byte
	err := tx.QueryRowContext(ctx, `SELECT seq, state, deadline, arguments, created, total, recipients, asked, repeats FROM spends
		WHERE id = $1 AND account = $2 AND caller = $3`+l.forUpdate, policy.UseQuote, intent.Account, intent.Caller).
		Scan(&row.seq, &state, &deadline, &arguments, &created, &total, &recipients, &wasAsked, &row.duplicateIDs)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		d.QuoteVoidReason = "there is no such quote"
		return row, nil
	case err != nil:
		return row, err
	case !hmac.Equal(arguments, l.argumentsHash(intent)):
		d.QuoteVoidReason = "the quote was for something else"
	case state == StateQuoted && recipients > 0 && intent.Recipients > recipients:
		d.QuoteVoidReason = fmt.Sprintf("it would now reach %d recipients, not the %d of the quote", intent.Recipients, recipients)
	case state == StateQuoted && intent.TotalUGX > total:
		d.QuoteVoidReason = fmt.Sprintf("it would now cost UGX %d, not the UGX %d of the quote", intent.TotalUGX, total)
	case state == StateVoid:
		d.QuoteVoidReason = "the quote counts no more"
	case state != StateQuoted:
		d.Duplicates = &Duplicates{Spends: []DuplicateSpend{{policy.UseQuote, state, time.UnixMilli(created), total}}}
		return row, nil
	case intent.now.UnixMilli() >= deadline:
		d.QuoteVoidReason = "the quote has expired"
	case policy.UserAnswered && !wasAsked:
		d.QuoteVoidReason = "nobody was asked about this quote"
	default:
		if recipients > 0 && intent.Recipients == recipients {
			intent.TotalUGX = max(intent.TotalUGX, total) // a quote may know of a price that this process does not
		}
		return row, nil
	}
	return row, voidQuote(ctx, tx, intent, policy.UseQuote)
}

// voidQuote makes a quote of whose spend it is count for nothing.
func voidQuote(ctx context.Context, tx *sql.Tx, intent *Intent, id string) error {
	_, err := tx.ExecContext(ctx, `UPDATE spends SET state = 'burnt' WHERE id = $1 AND account = $2 AND caller = $3 AND state = 'quoted'`, id, intent.Account, intent.Caller)
	return err
}

// KampalaDay is the number of a day in Kampala.
func KampalaDay(t time.Time) int64 {
	_, offset := t.In(kampalaZone).Zone()
	return (t.Unix() + int64(offset)) / 86400
}

// checkBudgets holds an intent against the operator's limits, and the caller's own.
func (l *Ledger) checkBudgets(ctx context.Context, tx *sql.Tx, intent *Intent, policy Policy, d *Decision) error {
	limitNames := [2]string{"WESENDALL_MAX_PER_CALL", "WESENDALL_MAX_PER_DAY"}
	if intent.TopUp {
		limitNames = [2]string{"WESENDALL_MAX_TOPUP", "WESENDALL_MAX_TOPUP"}
	}
	if err := l.checkBudget(ctx, tx, intent, intent.budgetKind(), policy.Limits, limitNames, d); err != nil || d.ExceededLimit != "" || policy.CallerLimits == nil {
		return err
	}
	accountRemaining := d.Remaining
	err := l.checkBudget(ctx, tx, intent, callerBudgetKind(intent.budgetKind(), intent.Caller), *policy.CallerLimits, [2]string{CallerLimitName, CallerLimitName}, d)
	d.Remaining = min(d.Remaining, accountRemaining)
	return err
}

// checkBudget holds an intent against the limits for one call, and for a day's total
// of a kind.
func (l *Ledger) checkBudget(ctx context.Context, tx *sql.Tx, intent *Intent, kind string, limits Limits, limitNames [2]string, d *Decision) error {
	var reserved int64
	err := tx.QueryRowContext(ctx, `SELECT total FROM days WHERE account = $1 AND kind = $2 AND day = $3`, intent.Account, kind, KampalaDay(intent.now)).Scan(&reserved)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	perDay := limits.PerDay
	if d.CallLimit = limits.PerCall; intent.TopUp {
		d.CallLimit, perDay = limits.TopUp, limits.TopUp
	}
	d.Remaining = max(perDay-reserved, 0)
	switch {
	case intent.TotalUGX > d.CallLimit:
		d.ExceededLimit = limitNames[0]
	case intent.TotalUGX > d.Remaining:
		d.ExceededLimit = limitNames[1]
	}
	return nil
}

// confirmReason tells why a person must agree first, if so.
func (l *Ledger) confirmReason(ctx context.Context, tx *sql.Tx, intent *Intent, policy Policy) (string, error) {
	if intent.TopUp {
		return "it asks somebody for money", nil
	}
	const unconfirmedQuery = `SELECT coalesce(sum(total), 0) FROM spends WHERE account = $1 AND created > $2
		AND confirmed = 0 AND tool <> 'topup_wallet' AND state IN ('in_progress', 'sent', 'unknown')`
	since := intent.now.Add(-time.Hour).UnixMilli()
	var recentUGX int64
	if err := tx.QueryRowContext(ctx, unconfirmedQuery, intent.Account, since).Scan(&recentUGX); err != nil {
		return "", err
	}
	reason := thresholdReason(intent.TotalUGX, recentUGX, policy.Limits.ConfirmAbove)
	if reason != "" || policy.CallerLimits == nil {
		return reason, nil
	}
	if err := tx.QueryRowContext(ctx, unconfirmedQuery+` AND caller = $3`, intent.Account, since, intent.Caller).Scan(&recentUGX); err != nil {
		return "", err
	}
	return thresholdReason(intent.TotalUGX, recentUGX, policy.CallerLimits.ConfirmAbove), nil
}

// thresholdReason tells why a person must agree to a total, if so.
func thresholdReason(totalUGX, recentUGX, thresholdUGX int64) string {
	switch {
	case totalUGX > thresholdUGX:
		return fmt.Sprintf("it costs more than UGX %d", thresholdUGX)
	case totalUGX+recentUGX > thresholdUGX:
		return fmt.Sprintf("with UGX %d of the last hour that nobody was asked about it comes to more than UGX %d", recentUGX, thresholdUGX)
	}
	return ""
}

// insertIntent writes the intent down, and reserves its total.
func (l *Ledger) insertIntent(ctx context.Context, tx *sql.Tx, intent *Intent, policy Policy, seq int64, d *Decision) error {
	now := intent.now
	d.AttemptID = rand.Text()
	if seq == 0 {
		var err error
		if d.SpendID, seq, err = l.insertRow(ctx, tx, intent, StateInProgress, now.Add(CallTimeout), ""); err != nil {
			return err
		}
	} else {
		d.SpendID = policy.UseQuote
	}
	// What is released one day is what is reserved now, and not what was quoted.
	if _, err := tx.ExecContext(ctx, `UPDATE spends SET state = 'in_progress', confirmed = $1, created = $2, deadline = $3, day = $4,
		recipients = $5, units = $6, total = $7, attempt = $8 WHERE seq = $9`,
		boolToInt(policy.Confirmed), now.UnixMilli(), now.Add(CallTimeout).UnixMilli(), KampalaDay(now), intent.Recipients, intent.Units, intent.TotalUGX, d.AttemptID, seq); err != nil {
		return err
	}
	targetsJSON, _ := l.targetHashes(intent)
	if _, err := tx.ExecContext(ctx, `INSERT INTO covered (content, target, spend) SELECT $2, `+l.hexToBytes+`, $3 FROM `+l.jsonList, //nolint:gosec // the dialect's own
		targetsJSON, l.dedupHash(intent), seq); err != nil {
		return err
	}
	d.Remaining -= intent.TotalUGX
	if policy.CallerLimits != nil {
		if err := addToDay(ctx, tx, intent.Account, callerBudgetKind(intent.budgetKind(), intent.Caller), KampalaDay(now), intent.TotalUGX); err != nil {
			return err
		}
	}
	return addToDay(ctx, tx, intent.Account, intent.budgetKind(), KampalaDay(now), intent.TotalUGX)
}

// boolToInt is how both databases keep a bool.
func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func addToDay(ctx context.Context, tx *sql.Tx, account, kind string, day, totalUGX int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO days (account, kind, day, total) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account, kind, day) DO UPDATE SET total = days.total + excluded.total`, account, kind, day, totalUGX)
	return err
}

func (l *Ledger) insertRow(ctx context.Context, tx *sql.Tx, intent *Intent, state string, deadline time.Time, duplicateIDs string) (id string, seq int64, err error) {
	id = strings.ToLower(rand.Text()) // at least 128 bits
	err = tx.QueryRowContext(ctx, `INSERT INTO spends (id, account, caller, tool, content, arguments, recipients, units, total, state, confirmed, created, deadline, day, repeats)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, $12, $13, $14) RETURNING seq`,
		id, intent.Account, intent.Caller, intent.Tool, l.dedupHash(intent), l.argumentsHash(intent), intent.Recipients, intent.Units, intent.TotalUGX, state,
		intent.now.UnixMilli(), deadline.UnixMilli(), KampalaDay(intent.now), duplicateIDs).Scan(&seq)
	return id, seq, err
}
