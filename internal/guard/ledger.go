package guard

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// LockTimeout is how long a call waits for another process's transaction, which
// takes milliseconds.
const LockTimeout = 10 * time.Second

// retention is how long rows with a known outcome are kept. Those without are never
// pruned.
const retention = 90 * 24 * time.Hour

// kampalaZone is where a day of the budget begins and ends.
var kampalaZone = time.FixedZone("Africa/Kampala", 3*60*60)

// The states of a row.
const (
	StateQuoted     = "quoted"
	StateVoid       = "burnt" // a quote that nothing can be bought with any more
	StateInProgress = "in_progress"
	StateSent       = "sent"
	StateFailed     = "failed" // known to be unspent
	StateUnknown    = "unknown"
)

// Ledger is where every spend is written down before it is made, and its
// outcome after. It is safe for concurrent use, and shared by processes.
type Ledger struct {
	DB *sql.DB
	Backend
	dialect
	Key        []byte
	Now        func() time.Time
	Logger     *slog.Logger
	Persistent bool // it outlives this process

	ctx             context.Context // ends when the ledger is closed
	Cancel          context.CancelFunc
	mu              sync.Mutex // of BackgroundTasks.Go, which must not come after its Wait
	BackgroundTasks sync.WaitGroup

	PendingRetries atomic.Int64 // transactions that are tried again
	NextPrune      atomic.Int64 // when old rows go next, in Unix nanoseconds
}

// queryer is a transaction, or a connection without one.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Backend is the database that a ledger is in.
type Backend interface {
	// begin begins a transaction, when its turn has come. Of two for the same
	// account the second waits until the first is over; "" is for no account. It
	// also returns the context of its statements, and what must be called after it.
	begin(ctx context.Context, account string) (context.Context, *sql.Tx, func(), error)
	// present tells whether it is still what was opened, with this key.
	checkIdentity(ctx context.Context, in queryer, key []byte) error
	// explain makes an error fit to be shown.
	sanitizeError(error) error
	// stats are those of its connections.
	stats() sql.DBStats
	close() error
}

// dialect is the SQL that is not the same in all of them.
type dialect struct {
	jsonList            string // a table j whose column value has the elements of the JSON list $1
	hexToBytes          string // the bytes of such an element in hex
	forUpdate           string // ends a query whose rows nobody else may change then
	forUpdateSkipLocked string // the same, without those that somebody else is changing
}

// OpenLedger opens the ledger in a file, or in the PostgreSQL database of a URL,
// or one in memory where the source is "".
func OpenLedger(ctx context.Context, source string) (*Ledger, error) {
	if IsPostgresURL(source) {
		return openPostgres(ctx, source)
	}
	return openSQLite(ctx, source)
}

func newLedger(db *sql.DB, backend Backend, d dialect) *Ledger {
	l := &Ledger{DB: db, Backend: backend, dialect: d, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
	l.ctx, l.Cancel = context.WithCancel(context.Background())
	return l
}

// CheckWritable writes as a spend would, and takes it back.
func (l *Ledger) CheckWritable(ctx context.Context) error {
	errRollback := errors.New("only tried")
	err := l.WithTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('tried', $1)`, make([]byte, 4096)); err != nil {
			return err
		}
		return errRollback
	})
	if errors.Is(err, errRollback) {
		return nil
	}
	return err
}

// loadOrCreateKey reads the key, and makes one where there is none.
func (l *Ledger) loadOrCreateKey(ctx context.Context, tx *sql.Tx) error {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // which never fails
	if _, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('key', $1) ON CONFLICT DO NOTHING`, key); err != nil {
		return err
	}
	return tx.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'key'`).Scan(&l.Key)
}

// pruneBatch is how many old rows are taken out at once, so that nobody waits.
const pruneBatch = 1000

// Prune takes out a portion of what is old, and tells how many rows that were.
func (l *Ledger) Prune(ctx context.Context, tx *sql.Tx) (int, error) {
	//nolint:gosec // the dialect's own
	rows, err := tx.QueryContext(ctx, `SELECT seq FROM spends WHERE created < $1
		AND (state IN ('burnt', 'sent', 'failed') OR state = 'quoted' AND deadline < $2) LIMIT $3`+l.forUpdateSkipLocked,
		l.Now().Add(-retention).UnixMilli(), l.Now().UnixMilli(), pruneBatch)
	if err != nil {
		return 0, err
	}
	var seqs []int64
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return 0, errors.Join(err, rows.Close())
		}
		seqs = append(seqs, seq)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM days WHERE day < $1`, KampalaDay(l.Now().Add(-retention))); err != nil {
		return 0, err
	}
	seqsJSON, err := json.Marshal(seqs)
	if err != nil || seqs == nil {
		return 0, err
	}
	for _, statement := range []string{
		`DELETE FROM covered WHERE spend IN (SELECT CAST(value AS BIGINT) FROM ` + l.jsonList + `)`,
		`DELETE FROM spends WHERE seq IN (SELECT CAST(value AS BIGINT) FROM ` + l.jsonList + `)`,
	} {
		if _, err := tx.ExecContext(ctx, statement, string(seqsJSON)); err != nil { //nolint:gosec // the dialect's own
			return 0, err
		}
	}
	return len(seqs), nil
}

// pruneInBackground takes out what is old, a portion at a time, and once in an hour when nothing
// old is left.
func (l *Ledger) pruneInBackground() {
	now, nextPrune := time.Now(), l.NextPrune.Load()
	if now.UnixNano() < nextPrune || !l.NextPrune.CompareAndSwap(nextPrune, now.Add(time.Hour).UnixNano()) {
		return
	}
	l.runInBackground(func(ctx context.Context) {
		err := l.WithTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
			count, err := l.Prune(ctx, tx)
			if count == pruneBatch {
				l.NextPrune.Store(0)
			}
			return err
		})
		if err != nil {
			l.Logger.Warn("old rows of the ledger could not be taken out", "error", err)
		}
	})
}

// commitError is the error of a transaction whose commit failed: what it wrote may
// be there all the same.
type commitError struct{ error }

func (e commitError) Unwrap() error { return e.error }

// WithTx runs do in one transaction, which is rolled back if do fails. It waits for
// its turn, but no longer than for another process.
func (l *Ledger) WithTx(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	return l.WithAccountTx(ctx, "", fn)
}

// WithAccountTx is tx, alone among those for the same account.
func (l *Ledger) WithAccountTx(ctx context.Context, account string, fn func(context.Context, *sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	lockCtx, cancel := context.WithTimeout(ctx, LockTimeout)
	defer cancel()
	ctx, tx, release, err := l.begin(lockCtx, account)
	if err != nil {
		return l.sanitizeError(err)
	}
	defer release()
	if err := fn(ctx, tx); err != nil {
		return l.sanitizeError(errors.Join(err, tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return l.sanitizeError(commitError{err})
	}
	return nil
}

func (l *Ledger) Hash(parts ...string) []byte { return KeyedHash(l.Key, parts...) }

// KeyedHash is a keyed hash of parts, which cannot run into one another.
func KeyedHash(key []byte, parts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		_, _ = fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return mac.Sum(nil)
}

// quoteTTL is for how long a quote can be used.
const quoteTTL = 10 * time.Minute

// InsertQuote writes a quote down, with the spends that it says are repeated, and
// returns its id and its expiry.
func (l *Ledger) InsertQuote(ctx context.Context, intent *Intent, duplicateIDs string) (id string, expiresAt time.Time, err error) {
	l.pruneInBackground()
	err = l.WithTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		intent.now = l.Now()
		expiresAt = intent.now.Add(quoteTTL)
		id, _, err = l.insertRow(ctx, tx, intent, StateQuoted, expiresAt, duplicateIDs)
		return err
	})
	return id, expiresAt, err
}

// MarkAsked notes that a person is asked about a quote.
func (l *Ledger) MarkAsked(ctx context.Context, id string) error {
	return l.WithTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE spends SET asked = 1 WHERE id = $1 AND state = 'quoted'`, id)
		return err
	})
}

// Void makes a quote of whose spend it is count for nothing.
func (l *Ledger) Void(ctx context.Context, intent *Intent, id string) error {
	if id == "" {
		return nil
	}
	void := func(ctx context.Context, tx *sql.Tx) error { return voidQuote(ctx, tx, intent, id) }
	err := l.WithTx(ctx, void)
	if err != nil && l.PendingRetries.Load() < MaxPendingVoids { // a quote ends by itself in minutes
		l.retryInBackground("", void)
	}
	return err
}

// RecordOutcome writes down what came of an attempt, and releases what was not spent.
func (l *Ledger) RecordOutcome(ctx context.Context, d Decision, state, code string) error {
	l.pruneInBackground()
	return l.withRetry(ctx, "", l.settleTx(d, state, code))
}

// recordNotSent settles a spend whose intent could not be written down, as far as
// anybody knows: nothing was sent, but the intent may be there. The account's
// turn comes when that is decided.
func (l *Ledger) recordNotSent(account string, d Decision) {
	l.retryInBackground(account, l.settleTx(d, StateFailed, "never_left"))
}

// settleTx settles an attempt. If it has an outcome already, that was written
// before, or is what a person said, who is then corrected: the vendor knows better.
func (l *Ledger) settleTx(d Decision, state, code string) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		err := settleAttempt(ctx, tx, d, state, code)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		r := spendRow{}
		err = tx.QueryRowContext(ctx, `SELECT account, caller, tool, day, total, state FROM spends
			WHERE id = $1 AND attempt = $2 AND code = 'resolved'`+l.forUpdate, d.SpendID, d.AttemptID).Scan(&r.account, &r.caller, &r.tool, &r.day, &r.totalUGX, &r.state)
		if errors.Is(err, sql.ErrNoRows) || err == nil && (r.state == state || state == StateUnknown) {
			return nil
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE spends SET state = $1, code = $2 WHERE id = $3`, state, code, d.SpendID)
		}
		if err != nil {
			return err
		}
		l.Logger.Error("an outcome came late, and is not what a person said of it: it was corrected", "id", d.SpendID, "said", r.state, "is", state)
		if state == StateFailed {
			r.totalUGX = -r.totalUGX
		}
		return r.addToDay(ctx, tx)
	}
}

// spendRow is what of a spend's row the day's budget goes by.
type spendRow struct {
	account, caller, tool, state string
	day, totalUGX                int64
}

// addToDay adds the row's total to its day, also to the caller's own if that is
// counted apart.
func (r *spendRow) addToDay(ctx context.Context, tx *sql.Tx) error {
	kind := "send"
	if r.tool == topUpTool {
		kind = "topup"
	}
	if r.caller != "" {
		if _, err := tx.ExecContext(ctx, `UPDATE days SET total = total + $1 WHERE account = $2 AND kind = $3 AND day = $4`, r.totalUGX, r.account, callerBudgetKind(kind, r.caller), r.day); err != nil {
			return err
		}
	}
	return addToDay(ctx, tx, r.account, kind, r.day, r.totalUGX)
}

// settleAttempt gives an attempt without a known outcome one.
func settleAttempt(ctx context.Context, tx *sql.Tx, d Decision, state, code string) error {
	r := spendRow{}
	err := tx.QueryRowContext(ctx, `UPDATE spends SET state = $1, code = $2 WHERE id = $3 AND attempt = $4 AND state IN ('in_progress', 'unknown')
		RETURNING account, caller, tool, day, -total`, state, code, d.SpendID, d.AttemptID).Scan(&r.account, &r.caller, &r.tool, &r.day, &r.totalUGX)
	if err != nil || state != StateFailed {
		return err
	}
	return r.addToDay(ctx, tx)
}
