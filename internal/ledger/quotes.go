package ledger

import (
	"context"
	"crypto/hmac"
	"database/sql"
	"errors"
	"slices"
	"time"
)

// quietHoursMark is among the ids that a quote names, if it was made in quiet hours.
const quietHoursMark = "quiet_hours"

// maxPendingVoids limits how many voids wait for a database that cannot be reached. A
// quote expires by itself in minutes.
const maxPendingVoids = 64

// Quote is a stored quote. It can be used once, until it expires.
type Quote struct {
	ID        string
	ExpiresAt time.Time
}

// Quote stores a quote for an intent, and returns what Reserve would decide now.
// The quote names the duplicates of that decision. asked says that the user is
// asked about it, and answers with another call.
func (l *Ledger) Quote(ctx context.Context, in Intent, p Policy, asked bool) (Quote, Decision, error) {
	l.pruneInBackground()
	var r spendRow
	var d Decision
	err := l.withTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now := l.clock()
		var err error
		if d, err = l.evaluate(ctx, tx, in, p, "", now); err != nil {
			return err
		}
		r = newSpendRow(in.quoted(), StateQuoted, now, now.Add(p.QuoteTTL))
		r.asked = asked
		named := d.Unsettled
		if p.AllowDuplicate && d.Duplicates != nil {
			named = slices.Concat(named, d.Duplicates.Spends)
		}
		r.namedIDs = joinIDs(named)
		if p.QuietHours {
			r.namedIDs += " " + quietHoursMark
		}
		_, err = l.insertRow(ctx, tx, r)
		return err
	})
	return Quote{r.id, r.deadline}, d, err
}

// QuotedAt returns when a caller's quote was stored. Its error is sql.ErrNoRows if
// the caller has no such quote for the account, or it was used or void.
func (l *Ledger) QuotedAt(ctx context.Context, in Intent, id string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	var createdMillis int64
	err := l.db.QueryRowContext(ctx, `SELECT created_ms FROM spends
		WHERE id = $1 AND account = $2 AND caller = $3 AND state = 'quoted'`, id, in.Account, in.Caller).Scan(&createdMillis)
	return time.UnixMilli(createdMillis), err
}

// Void makes a caller's quote unusable.
func (l *Ledger) Void(ctx context.Context, in Intent, id string) error {
	if id == "" {
		return nil
	}
	void := func(ctx context.Context, tx *sql.Tx) error { return voidQuote(ctx, tx, in, id) }
	err := l.withTx(ctx, void)
	if err != nil && l.pendingRetries.Load() < maxPendingVoids {
		l.retryInBackground("", void)
	}
	return err
}

func voidQuote(ctx context.Context, tx *sql.Tx, in Intent, id string) error {
	if id == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, `UPDATE spends SET state = 'void' WHERE id = $1 AND account = $2 AND caller = $3 AND state = 'quoted'`,
		id, in.Account, in.Caller)
	return err
}

// voidIfUnusable voids a quote that was refused for a reason of its own.
func voidIfUnusable(ctx context.Context, tx *sql.Tx, in Intent, id string, d Decision) error {
	if d.Refusal.Reason > RefusedQuoteNotFound {
		return voidQuote(ctx, tx, in, id)
	}
	return nil
}

// quoteRow is the row of a quote that is used.
type quoteRow struct {
	seq      int64
	totalUGX int64  // of a quote for the same number of recipients; otherwise 0
	namedIDs string // what it names: duplicates, spends near it, and quietHoursMark
}

// findQuote looks up the quote to use. It returns a refusal if the quote does not
// fit. Another caller's quote, or one for another wallet, is not found.
func (l *Ledger) findQuote(ctx context.Context, tx *sql.Tx, in Intent, p Policy, now time.Time) (quoteRow, Decision, error) {
	if p.UseQuote == "" {
		return quoteRow{}, Decision{}, nil
	}
	var q quoteRow
	var deadline, created, totalUGX int64
	var recipients int
	var state State
	var asked bool
	var arguments []byte
	err := tx.QueryRowContext(ctx, `SELECT seq, state, deadline_ms, arguments_hash, created_ms, total, recipients, user_asked, duplicate_of
		FROM spends WHERE id = $1 AND account = $2 AND caller = $3`+l.forUpdate, p.UseQuote, in.Account, in.Caller).
		Scan(&q.seq, &state, &deadline, &arguments, &created, &totalUGX, &recipients, &asked, &q.namedIDs)
	refuse := func(reason RefusalReason) (quoteRow, Decision, error) {
		d := Decision{TotalUGX: in.TotalUGX}
		return q, d.refuse(Refusal{Reason: reason, QuotedRecipients: recipients, QuotedUGX: totalUGX}), nil
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return refuse(RefusedQuoteNotFound)
	case err != nil:
		return q, Decision{}, err
	case !hmac.Equal(arguments, l.argumentsHash(in)):
		return refuse(RefusedQuoteMismatch)
	case state == StateQuoted && recipients > 0 && in.Recipients > recipients:
		return refuse(RefusedQuoteMoreRecipients)
	case state == StateQuoted && in.TotalUGX > totalUGX:
		return refuse(RefusedQuoteHigherPrice)
	case state == StateVoid:
		return refuse(RefusedQuoteVoid)
	case state != StateQuoted:
		_, d, err := refuse(RefusedDuplicate)
		d.Duplicates = &Duplicates{Spends: []EarlierSpend{{p.UseQuote, in.Tool, state, time.UnixMilli(created), totalUGX}}}
		return q, d, err
	case now.UnixMilli() >= deadline:
		return refuse(RefusedQuoteExpired)
	case p.UserAnswered && !asked:
		return refuse(RefusedQuoteNotAsked)
	}
	if recipients > 0 && in.Recipients == recipients {
		q.totalUGX = totalUGX // it may know a price that this process does not
	}
	return q, Decision{}, nil
}
