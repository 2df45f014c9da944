package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Limits are limits in UGX; 0 allows nothing.
type Limits struct {
	PerCall, PerDay int64
	TopUp           int64 // for a call and for a day
	Recipients      int   // of one call
	ConfirmAbove    int64 // for the unconfirmed spends of an hour together
	DuplicateWindow time.Duration
}

// KampalaZone is where a day of the budget begins and ends.
var KampalaZone = time.FixedZone("Africa/Kampala", 3*60*60)

// kampalaDay is the number of a day in Kampala.
func kampalaDay(t time.Time) int64 {
	_, offset := t.In(KampalaZone).Zone()
	return (t.Unix() + int64(offset)) / 86400
}

// endOfKampalaDay is the midnight at which a day ends.
func endOfKampalaDay(day int64) time.Time {
	return time.Date(1970, 1, 1, 0, 0, 0, 0, KampalaZone).AddDate(0, 0, int(day)+1)
}

// checkBudgets checks the operator's limits, and the caller's own.
func checkBudgets(ctx context.Context, tx *sql.Tx, d Decision, in Intent, p Policy, now time.Time) (Decision, error) {
	b := budgetRow{account: in.Account, kind: in.Kind, day: kampalaDay(now)}
	d, err := b.check(ctx, tx, d, p.Limits)
	if err != nil || d.Verdict == Refused || p.CallerLimits == nil {
		return d, err
	}
	remainingUGX := d.RemainingUGX
	b.caller = in.Caller
	d, err = b.check(ctx, tx, d, *p.CallerLimits)
	d.RemainingUGX = min(d.RemainingUGX, remainingUGX)
	return d, err
}

// budgetRow names a day's total of one kind: of an account, or of one of its
// callers.
type budgetRow struct {
	account, caller string
	kind            Kind
	day             int64
}

// key is the column kind of the table daily_totals.
func (b budgetRow) key() string {
	if b.caller == "" {
		return string(b.kind)
	}
	return string(b.kind) + " " + b.caller
}

// check checks a decision's total against the limits for a call and for the day.
func (b budgetRow) check(ctx context.Context, tx *sql.Tx, d Decision, limits Limits) (Decision, error) {
	var spentUGX int64
	err := tx.QueryRowContext(ctx, `SELECT total FROM daily_totals WHERE account = $1 AND kind = $2 AND kampala_day = $3`,
		b.account, b.key(), b.day).Scan(&spentUGX)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return d, err
	}
	perCall, perDay := limits.PerCall, limits.PerDay
	if b.kind == KindTopUp {
		perCall, perDay = limits.TopUp, limits.TopUp
	}
	d.CallLimitUGX, d.RemainingUGX = perCall, max(perDay-spentUGX, 0)
	switch {
	case d.TotalUGX > d.CallLimitUGX:
		return d.refuse(Refusal{Reason: RefusedPerCallLimit, CallerLimit: b.caller != "", LimitUGX: perCall}), nil
	case d.TotalUGX > d.RemainingUGX:
		return d.refuse(Refusal{
			Reason: RefusedPerDayLimit, CallerLimit: b.caller != "",
			LimitUGX: perDay, SpentUGX: spentUGX, DayEnds: endOfKampalaDay(b.day),
		}), nil
	}
	return d, nil
}

// add adds to the day's total.
func (b budgetRow) add(ctx context.Context, tx *sql.Tx, totalUGX int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO daily_totals (account, kind, kampala_day, total) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account, kind, kampala_day) DO UPDATE SET total = daily_totals.total + excluded.total`,
		b.account, b.key(), b.day, totalUGX)
	return err
}

// addReserved adds a reserved total to the day's total of the account, and of the
// caller if it has limits of its own.
func (b budgetRow) addReserved(ctx context.Context, tx *sql.Tx, in Intent, callerCounted bool) error {
	if callerCounted {
		b.caller = in.Caller
		if err := b.add(ctx, tx, in.TotalUGX); err != nil {
			return err
		}
		b.caller = ""
	}
	return b.add(ctx, tx, in.TotalUGX)
}

// adjust changes the day's totals by what a settled spend released or used again:
// the account's, and the caller's if it was counted.
func (b budgetRow) adjust(ctx context.Context, tx *sql.Tx, changeUGX int64) error {
	if b.caller != "" {
		if _, err := tx.ExecContext(ctx, `UPDATE daily_totals SET total = total + $1
			WHERE account = $2 AND kind = $3 AND kampala_day = $4`, changeUGX, b.account, b.key(), b.day); err != nil {
			return err
		}
		b.caller = ""
	}
	return b.add(ctx, tx, changeUGX)
}
