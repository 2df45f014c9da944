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

// lockWait is how long a call waits for another process's transaction, which
// takes milliseconds.
const lockWait = 10 * time.Second

// keep is how long rows with a known outcome are kept. Those without are never
// pruned.
const keep = 90 * 24 * time.Hour

// kampala is where a day of the budget begins and ends.
var kampala = time.FixedZone("Africa/Kampala", 3*60*60)

// The states of a row.
const (
	quoted     = "quoted"
	burnt      = "burnt" // a quote that nothing can be bought with any more
	inProgress = "in_progress"
	sent       = "sent"
	failed     = "failed" // known to be unspent
	unknown    = "unknown"
)

// Ledger is where every spend is written down before it is made, and its
// outcome after. It is safe for concurrent use, and shared by processes.
type Ledger struct {
	db *sql.DB
	store
	dialect
	key  []byte
	now  func() time.Time
	log  *slog.Logger
	kept bool // it outlives this process

	life context.Context // ends when the ledger is closed
	end  context.CancelFunc
	mu   sync.Mutex // of late.Go, which must not come after late.Wait
	late sync.WaitGroup

	waiting atomic.Int64 // transactions that are tried again
	pruned  atomic.Int64 // when old rows go next, in Unix nanoseconds
}

// reader is a transaction, or a connection without one.
type reader interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// store is the database that a ledger is in.
type store interface {
	// begin begins a transaction, when its turn has come. Of two for the same
	// account the second waits until the first is over; "" is for no account. It
	// also returns the context of its statements, and what must be called after it.
	begin(ctx context.Context, account string) (context.Context, *sql.Tx, func(), error)
	// present tells whether it is still what was opened, with this key.
	present(ctx context.Context, in reader, key []byte) error
	// explain makes an error fit to be shown.
	explain(error) error
	// stats are those of its connections.
	stats() sql.DBStats
	close() error
}

// dialect is the SQL that is not the same in all of them.
type dialect struct {
	list       string // a table j whose column value has the elements of the JSON list $1
	bytes      string // the bytes of such an element in hex
	locked     string // ends a query whose rows nobody else may change then
	lockedFree string // the same, without those that somebody else is changing
}

// OpenLedger opens the ledger in a file, or in the PostgreSQL database of a URL,
// or one in memory where the source is "".
func OpenLedger(ctx context.Context, source string) (*Ledger, error) {
	if Shared(source) {
		return openPostgres(ctx, source)
	}
	return openSQLite(ctx, source)
}

func newLedger(db *sql.DB, s store, d dialect) *Ledger {
	l := &Ledger{db: db, store: s, dialect: d, now: time.Now, log: slog.New(slog.DiscardHandler)}
	l.life, l.end = context.WithCancel(context.Background())
	return l
}

// TryWrite writes as a spend would, and takes it back.
func (l *Ledger) TryWrite(ctx context.Context) error {
	tried := errors.New("only tried")
	err := l.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('tried', $1)`, make([]byte, 4096)); err != nil {
			return err
		}
		return tried
	})
	if errors.Is(err, tried) {
		return nil
	}
	return err
}

// readKey reads the key, and makes one where there is none.
func (l *Ledger) readKey(ctx context.Context, tx *sql.Tx) error {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // which never fails
	if _, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('key', $1) ON CONFLICT DO NOTHING`, key); err != nil {
		return err
	}
	return tx.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'key'`).Scan(&l.key)
}

// portion is how many old rows are taken out at once, so that nobody waits.
const portion = 1000

// prune takes out a portion of what is old, and tells how many rows that were.
func (l *Ledger) prune(ctx context.Context, tx *sql.Tx) (int, error) {
	//nolint:gosec // the dialect's own
	rows, err := tx.QueryContext(ctx, `SELECT seq FROM spends WHERE created < $1
		AND (state IN ('burnt', 'sent', 'failed') OR state = 'quoted' AND deadline < $2) LIMIT $3`+l.lockedFree,
		l.now().Add(-keep).UnixMilli(), l.now().UnixMilli(), portion)
	if err != nil {
		return 0, err
	}
	var old []int64
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return 0, errors.Join(err, rows.Close())
		}
		old = append(old, seq)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM days WHERE day < $1`, day(l.now().Add(-keep))); err != nil {
		return 0, err
	}
	list, err := json.Marshal(old)
	if err != nil || old == nil {
		return 0, err
	}
	for _, statement := range []string{
		`DELETE FROM covered WHERE spend IN (SELECT CAST(value AS BIGINT) FROM ` + l.list + `)`,
		`DELETE FROM spends WHERE seq IN (SELECT CAST(value AS BIGINT) FROM ` + l.list + `)`,
	} {
		if _, err := tx.ExecContext(ctx, statement, string(list)); err != nil { //nolint:gosec // the dialect's own
			return 0, err
		}
	}
	return len(old), nil
}

// tidy takes out what is old, a portion at a time, and once in an hour when nothing
// old is left.
func (l *Ledger) tidy() {
	now, due := time.Now(), l.pruned.Load()
	if now.UnixNano() < due || !l.pruned.CompareAndSwap(due, now.Add(time.Hour).UnixNano()) {
		return
	}
	l.background(func(ctx context.Context) {
		err := l.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
			count, err := l.prune(ctx, tx)
			if count == portion {
				l.pruned.Store(0)
			}
			return err
		})
		if err != nil {
			l.log.Warn("old rows of the ledger could not be taken out", "error", err)
		}
	})
}

// uncommitted is the error of a transaction whose commit failed: what it wrote may
// be there all the same.
type uncommitted struct{ error }

func (u uncommitted) Unwrap() error { return u.error }

// tx runs do in one transaction, which is rolled back if do fails. It waits for
// its turn, but no longer than for another process.
func (l *Ledger) tx(ctx context.Context, do func(context.Context, *sql.Tx) error) error {
	return l.accountTx(ctx, "", do)
}

// accountTx is tx, alone among those for the same account.
func (l *Ledger) accountTx(ctx context.Context, account string, do func(context.Context, *sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	turn, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	ctx, tx, end, err := l.begin(turn, account)
	if err != nil {
		return l.explain(err)
	}
	defer end()
	if err := do(ctx, tx); err != nil {
		return l.explain(errors.Join(err, tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return l.explain(uncommitted{err})
	}
	return nil
}

func (l *Ledger) hash(parts ...string) []byte { return hash(l.key, parts...) }

// hash is a keyed hash of parts, which cannot run into one another.
func hash(key []byte, parts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		_, _ = fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return mac.Sum(nil)
}

// quoteTime is for how long a quote can be used.
const quoteTime = 10 * time.Minute

// quote writes a quote down, with the spends that it says are repeated, and
// returns its id and its expiry.
func (l *Ledger) quote(ctx context.Context, in *intent, repeats string) (id string, expires time.Time, err error) {
	l.tidy()
	err = l.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		in.at = l.now()
		expires = in.at.Add(quoteTime)
		id, _, err = l.insert(ctx, tx, in, quoted, expires, repeats)
		return err
	})
	return id, expires, err
}

// asked notes that a person is asked about a quote.
func (l *Ledger) asked(ctx context.Context, id string) error {
	return l.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE spends SET asked = 1 WHERE id = $1 AND state = 'quoted'`, id)
		return err
	})
}

// burn makes a quote of whose spend it is count for nothing.
func (l *Ledger) burn(ctx context.Context, in *intent, id string) error {
	if id == "" {
		return nil
	}
	burning := func(ctx context.Context, tx *sql.Tx) error { return burn(ctx, tx, in, id) }
	err := l.tx(ctx, burning)
	if err != nil && l.waiting.Load() < maxBurns { // a quote ends by itself in minutes
		l.later("", burning)
	}
	return err
}

// outcome writes down what came of an attempt, and releases what was not spent.
func (l *Ledger) outcome(ctx context.Context, v verdict, state, code string) error {
	l.tidy()
	return l.insist(ctx, "", l.settling(v, state, code))
}

// neverLeft settles a spend whose intent could not be written down, as far as
// anybody knows: nothing was sent, but the intent may be there. The account's
// turn comes when that is decided.
func (l *Ledger) neverLeft(account string, v verdict) {
	l.later(account, l.settling(v, failed, "never_left"))
}

// settling settles an attempt. If it has an outcome already, that was written
// before, or is what a person said, who is then corrected: the vendor knows better.
func (l *Ledger) settling(v verdict, state, code string) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		err := settle(ctx, tx, v, state, code)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		r := spendRow{}
		err = tx.QueryRowContext(ctx, `SELECT account, caller, tool, day, total, state FROM spends
			WHERE id = $1 AND attempt = $2 AND code = 'resolved'`+l.locked, v.id, v.attempt).Scan(&r.account, &r.caller, &r.tool, &r.day, &r.total, &r.state)
		if errors.Is(err, sql.ErrNoRows) || err == nil && (r.state == state || state == unknown) {
			return nil
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE spends SET state = $1, code = $2 WHERE id = $3`, state, code, v.id)
		}
		if err != nil {
			return err
		}
		l.log.Error("an outcome came late, and is not what a person said of it: it was corrected", "id", v.id, "said", r.state, "is", state)
		if state == failed {
			r.total = -r.total
		}
		return r.reserve(ctx, tx)
	}
}

// spendRow is what of a spend's row the day's budget goes by.
type spendRow struct {
	account, caller, tool, state string
	day, total                   int64
}

// reserve adds the row's total to its day, also to the caller's own if that is
// counted apart.
func (r *spendRow) reserve(ctx context.Context, tx *sql.Tx) error {
	kind := "send"
	if r.tool == topUpTool {
		kind = "topup"
	}
	if r.caller != "" {
		if _, err := tx.ExecContext(ctx, `UPDATE days SET total = total + $1 WHERE account = $2 AND kind = $3 AND day = $4`, r.total, r.account, kindOf(kind, r.caller), r.day); err != nil {
			return err
		}
	}
	return reserve(ctx, tx, r.account, kind, r.day, r.total)
}

// settle gives an attempt without a known outcome one.
func settle(ctx context.Context, tx *sql.Tx, v verdict, state, code string) error {
	r := spendRow{}
	err := tx.QueryRowContext(ctx, `UPDATE spends SET state = $1, code = $2 WHERE id = $3 AND attempt = $4 AND state IN ('in_progress', 'unknown')
		RETURNING account, caller, tool, day, -total`, state, code, v.id, v.attempt).Scan(&r.account, &r.caller, &r.tool, &r.day, &r.total)
	if err != nil || state != failed {
		return err
	}
	return r.reserve(ctx, tx)
}
