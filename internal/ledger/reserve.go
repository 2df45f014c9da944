package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// CallTimeout is how long after its reservation a spend without an outcome counts
// as running. After that its outcome is unknown.
const CallTimeout = 60 * time.Second

// Reserve decides on an intent, and stores it if it may be made. All of it happens
// in one transaction, one at a time for each account.
func (l *Ledger) Reserve(ctx context.Context, in Intent, p Policy) (Decision, error) {
	var d Decision
	err := l.withAccountTx(ctx, in.Account, func(ctx context.Context, tx *sql.Tx) error {
		d = Decision{}
		if err := l.checkIdentity(ctx, tx, l.key); err != nil {
			return err
		}
		if err := l.checkLastSpend(ctx, tx, in.Account); err != nil {
			return err
		}
		var err error
		d, err = l.reserve(ctx, tx, in, p)
		return err
	})
	if _, ok := errors.AsType[commitError](err); ok && d.Verdict == Reserved {
		l.recordNotSent(in.Account, d.Spend)
	}
	if err != nil {
		return Decision{}, err
	}
	return d, nil
}

func (l *Ledger) reserve(ctx context.Context, tx *sql.Tx, in Intent, p Policy) (Decision, error) {
	// Before the clock of the row's deadline is read: if the process is suspended in
	// between, the request leaves earlier, not later.
	storedAt := time.Now()
	now := l.clock()
	quote, refusal, err := l.findQuote(ctx, tx, in, p, now)
	if err != nil {
		return Decision{}, err
	}
	if refusal.Verdict == Refused {
		return refusal, voidIfUnusable(ctx, tx, in, p.UseQuote, refusal)
	}
	in.TotalUGX = max(in.TotalUGX, quote.totalUGX)
	d, err := l.evaluate(ctx, tx, in, p, quote.namedIDs, now)
	switch {
	case err != nil:
		return Decision{}, err
	case d.Verdict == Refused:
		return d, voidIfUnusable(ctx, tx, in, p.UseQuote, d)
	case d.Verdict == NeedsConfirmation:
		return d, nil
	}
	if err := voidQuote(ctx, tx, in, p.SupersededQuote); err != nil {
		return Decision{}, err
	}
	if err := acknowledge(ctx, tx, d); err != nil {
		return Decision{}, err
	}
	d.Spend, err = l.storeIntent(ctx, tx, in, p, quote, d.countedAt)
	d.RemainingUGX -= in.TotalUGX
	d.StoredAt = storedAt
	return d, err
}

// evaluate decides on an intent without storing anything. namedIDs has the ids of the
// spends that the quote named to the user, and quietHoursMark if it named the hour.
func (l *Ledger) evaluate(
	ctx context.Context, tx *sql.Tx, in Intent, p Policy, namedIDs string, now time.Time,
) (Decision, error) {
	now, err := l.accountTime(ctx, tx, in.Account, now)
	if err != nil {
		return Decision{}, err
	}
	d := Decision{Verdict: Reserved, TotalUGX: in.TotalUGX, countedAt: now}
	budget, err := checkBudgets(ctx, tx, d, in, p, now)
	if err != nil {
		return d, err
	}
	d.RemainingUGX, d.CallLimitUGX = budget.RemainingUGX, budget.CallLimitUGX
	d, err = l.checkEarlierSpends(ctx, tx, d, in, p, namedIDs, now)
	if err != nil || d.Verdict == Refused {
		return d, err
	}
	if budget.Verdict == Refused {
		return d.refuse(budget.Refusal), nil
	}
	if p.Confirmed && p.QuietHours && !p.ConfirmOff && !slices.Contains(strings.Fields(namedIDs), quietHoursMark) {
		return d.refuse(Refusal{Reason: RefusedQuoteQuietHours}), nil
	}
	if d.Confirm.Reason == 0 && !p.Confirmed && !p.ConfirmOff {
		if d.Confirm, err = confirmReason(ctx, tx, in, p, now); err != nil {
			return d, err
		}
		if d.Confirm.Reason == 0 && p.QuietHours {
			d.Confirm.Reason = ConfirmQuietHours
		}
	}
	if d.Confirm.Reason == 0 && !p.Confirmed && p.AlwaysConfirm != "" {
		d.Confirm.Reason = ConfirmAlways
	}
	if d.Confirm.Reason != 0 {
		d.Verdict, d.Confirm.Always = NeedsConfirmation, p.AlwaysConfirm
	}
	return d, nil
}

// checkEarlierSpends looks for duplicates, and for spends with an unknown outcome to the
// same targets. Both need a confirmation even where confirmations are off.
func (l *Ledger) checkEarlierSpends(
	ctx context.Context, tx *sql.Tx, d Decision, in Intent, p Policy, namedIDs string, now time.Time,
) (Decision, error) {
	var err error
	since := now.Add(-p.DuplicateWindow)
	if d.Duplicates, err = l.findDuplicates(ctx, tx, in, since); err != nil {
		return d, err
	}
	if d.Unsettled, err = l.findUnsettled(ctx, tx, in, d.Duplicates, now); err != nil {
		return d, err
	}
	named := mustBeNamed(d.Unsettled, in, since)
	switch {
	case d.Duplicates != nil && !p.AllowDuplicate:
		return d.refuse(Refusal{Reason: RefusedDuplicate}), nil
	case p.Confirmed && d.Duplicates != nil && !namesAll(d.Duplicates.Spends, namedIDs):
		return d.refuse(Refusal{Reason: RefusedQuoteDuplicates}), nil
	case p.Confirmed && !namesAll(named, namedIDs):
		return d.refuse(Refusal{Reason: RefusedQuoteUnsettled}), nil
	case p.Confirmed:
	case d.Duplicates != nil:
		d.Confirm.Reason = ConfirmDuplicate
	case len(named) > 0:
		d.Confirm.Reason = ConfirmUnsettled
	}
	return d, nil
}

func (d Decision) refuse(r Refusal) Decision {
	d.Verdict, d.Refusal = Refused, r
	return d
}

// confirmReason returns why a user must agree to an intent. Its Reason is 0 if none must.
func confirmReason(ctx context.Context, tx *sql.Tx, in Intent, p Policy, now time.Time) (Confirmation, error) {
	if in.Kind == KindTopUp {
		return Confirmation{Reason: ConfirmTopUp}, nil
	}
	const unconfirmed = `SELECT coalesce(sum(total), 0) FROM spends WHERE account = $1 AND created_ms > $2
		AND confirmed = 0 AND kind = 'send' AND state IN ('in_progress', 'sent', 'unknown')`
	since := now.Add(-time.Hour).UnixMilli()
	var recentUGX int64
	if err := tx.QueryRowContext(ctx, unconfirmed, in.Account, since).Scan(&recentUGX); err != nil {
		return Confirmation{}, err
	}
	c := thresholdReason(in.TotalUGX, recentUGX, p.Limits.ConfirmAbove)
	if c.Reason != 0 || p.CallerLimits == nil {
		return c, nil
	}
	if err := tx.QueryRowContext(ctx, unconfirmed+` AND caller = $3`, in.Account, since, in.Caller).Scan(&recentUGX); err != nil {
		return Confirmation{}, err
	}
	return thresholdReason(in.TotalUGX, recentUGX, p.CallerLimits.ConfirmAbove), nil
}

func thresholdReason(totalUGX, recentUGX, thresholdUGX int64) Confirmation {
	switch {
	case totalUGX > thresholdUGX:
		return Confirmation{Reason: ConfirmThreshold, ThresholdUGX: thresholdUGX}
	case totalUGX+recentUGX > thresholdUGX:
		return Confirmation{Reason: ConfirmHourlyThreshold, ThresholdUGX: thresholdUGX, UnconfirmedUGX: recentUGX}
	}
	return Confirmation{}
}

// storeIntent stores the intent and reserves its total. A quote's row becomes the
// spend's.
func (l *Ledger) storeIntent(ctx context.Context, tx *sql.Tx, in Intent, p Policy, quote quoteRow, now time.Time) (SpendRef, error) {
	r := newSpendRow(in, StateInProgress, now, l.clock().Add(CallTimeout)) // now may be ahead of the clock
	r.confirmed, r.attemptID = p.Confirmed, rand.Text()
	ref := SpendRef{ID: r.id, AttemptID: r.attemptID}
	var err error
	if quote.seq == 0 {
		quote.seq, err = l.insertRow(ctx, tx, r)
	} else {
		ref.ID = p.UseQuote
		// The amount that is reserved now, not the quoted one, is released after a failure.
		_, err = tx.ExecContext(ctx, `UPDATE spends SET state = 'in_progress', confirmed = $1, created_ms = $2, deadline_ms = $3,
			kampala_day = $4, recipients = $5, units = $6, total = $7, attempt_id = $8, balance_before = $9 WHERE seq = $10`,
			boolToInt(r.confirmed), now.UnixMilli(), r.deadline.UnixMilli(), kampalaDay(now),
			in.Recipients, in.Units, in.TotalUGX, r.attemptID, in.BalanceBeforeUGX, quote.seq)
	}
	if err != nil {
		return ref, err
	}
	hashes, _ := l.targetHashes(in)
	//nolint:gosec // the dialect is a constant
	_, err = tx.ExecContext(ctx, `INSERT INTO spend_targets (dedup_hash, target_hash, spend)
		SELECT $2, `+l.hexToBytes+`, $3 FROM `+l.jsonList, hashes, l.dedupHash(in), quote.seq)
	if err != nil {
		return ref, err
	}
	if err := storeLastSpend(ctx, tx, in.Account, ref.ID, now); err != nil {
		return ref, err
	}
	b := budgetRow{account: in.Account, kind: in.Kind, day: kampalaDay(now)}
	return ref, b.addReserved(ctx, tx, in, p.CallerLimits != nil)
}

// spendRow is a row of the table spends that is about to be stored.
type spendRow struct {
	Intent
	id, attemptID     string
	state             State
	confirmed, asked  bool
	created, deadline time.Time
	namedIDs          string
}

func newSpendRow(in Intent, state State, created, deadline time.Time) spendRow {
	// At least 128 bits.
	return spendRow{Intent: in, id: strings.ToLower(rand.Text()), state: state, created: created, deadline: deadline}
}

func (l *Ledger) insertRow(ctx context.Context, tx *sql.Tx, r spendRow) (seq int64, err error) {
	err = tx.QueryRowContext(ctx, `INSERT INTO spends (id, account, caller, tool, kind, dedup_hash, arguments_hash, recipients, units, total,
			state, confirmed, user_asked, created_ms, deadline_ms, kampala_day, attempt_id, duplicate_of, balance_before)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) RETURNING seq`,
		r.id, r.Account, r.Caller, r.Tool, r.Kind, l.dedupHash(r.Intent), l.argumentsHash(r.Intent), r.Recipients, r.Units, r.TotalUGX,
		r.state, boolToInt(r.confirmed), boolToInt(r.asked), r.created.UnixMilli(), r.deadline.UnixMilli(), kampalaDay(r.created),
		r.attemptID, r.namedIDs, r.BalanceBeforeUGX).Scan(&seq)
	return seq, err
}

// boolToInt is how both databases store a bool.
func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func encodeJSON(values any) string {
	data, _ := json.Marshal(values) // numbers and strings always marshal
	return string(data)
}
