package guard

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed schema.sql
var schema string

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
	db   *sql.DB
	key  []byte
	now  func() time.Time
	path string                 // "" in memory
	open map[string]os.FileInfo // the files that it is in
}

// OpenLedger opens the ledger in a file, which it creates for its owner alone,
// or one in memory where path is "".
func OpenLedger(ctx context.Context, path string) (*Ledger, error) {
	name, err := ledgerSource(path)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // in memory it is the database; on a file callers wait in order
	l := &Ledger{db: db, now: time.Now, path: path}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for {
		err = l.tx(ctx, l.prepare)
		// Everything waits for another process's lock but the first change of a
		// file to WAL, which fails at once.
		if busy, ok := errors.AsType[*sqlite.Error](err); !ok || busy.Code()&0xff != sqlite3.SQLITE_BUSY || ctx.Err() != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err == nil && path != "" {
		err = l.remember()
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return l, nil
}

// remember notes which files the ledger is in.
func (l *Ledger) remember() error {
	l.open = map[string]os.FileInfo{}
	for _, name := range []string{l.path, l.path + "-wal"} {
		info, err := os.Stat(name) //nolint:gosec // the operator's own path
		if err != nil {
			return err
		}
		l.open[name] = info
	}
	return nil
}

// present tells whether the files are still those that were opened. One that was
// removed goes on existing for who has it open, and for nobody else.
func (l *Ledger) present() error {
	for name, opened := range l.open {
		if now, err := os.Stat(name); err != nil || !os.SameFile(now, opened) {
			return fmt.Errorf("%s was removed or replaced while it was in use: put it back, for without it today's budget and what was sent are forgotten; then start this server again", name)
		}
	}
	return nil
}

// ledgerSource is the driver's name for the database in a file.
func ledgerSource(path string) (string, error) {
	// Transactions take the write lock when they begin, since one that has read
	// cannot wait for it. What was committed survives a loss of power.
	options := fmt.Sprintf("?_txlock=immediate&_pragma=busy_timeout(%d)&_pragma=synchronous(FULL)", lockWait.Milliseconds())
	if path == "" {
		return "file::memory:" + options, nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil { //nolint:gosec // the operator's own path
		return "", err
	}
	// Not opened if it is there: closing it would drop SQLite's locks.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator's own path
	if err == nil {
		err = file.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return "file:" + url.PathEscape(path) + options + "&_pragma=journal_mode(WAL)", nil
}

// TryWrite writes as a spend would, and takes it back.
func (l *Ledger) TryWrite(ctx context.Context) error {
	tried := errors.New("only tried")
	err := l.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('tried', zeroblob(4096))`); err != nil {
			return err
		}
		return tried
	})
	if errors.Is(err, tried) {
		return nil
	}
	return err
}

// Close closes the ledger.
func (l *Ledger) Close() error { return l.db.Close() }

// prepare makes what is missing, reads the key and prunes old rows.
func (l *Ledger) prepare(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return err
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // which never fails
	if _, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('key', ?) ON CONFLICT DO NOTHING`, key); err != nil {
		return err
	}
	if err := tx.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'key'`).Scan(&l.key); err != nil {
		return err
	}
	return l.prune(ctx, tx)
}

// prune takes out a portion of what is old, so that opening stays quick.
func (l *Ledger) prune(ctx context.Context, tx *sql.Tx) error {
	const portion = 1000
	rows, err := tx.QueryContext(ctx, `SELECT seq FROM spends WHERE created < ?
		AND (state IN ('burnt', 'sent', 'failed') OR state = 'quoted' AND deadline < ?) LIMIT ?`,
		l.now().Add(-keep).UnixMilli(), l.now().UnixMilli(), portion)
	if err != nil {
		return err
	}
	var old []int64
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return errors.Join(err, rows.Close())
		}
		old = append(old, seq)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	list, err := json.Marshal(old)
	if err != nil || old == nil {
		return err
	}
	for _, statement := range []string{
		`DELETE FROM covered WHERE spend IN (SELECT value FROM json_each(?))`,
		`DELETE FROM spends WHERE seq IN (SELECT value FROM json_each(?))`,
	} {
		if _, err := tx.ExecContext(ctx, statement, string(list)); err != nil {
			return err
		}
	}
	return nil
}

// tx runs do in one transaction, which is rolled back if do fails. It waits for
// its turn, but no longer than for another process. One that has begun is not
// cancelled: it takes milliseconds, and cancelling would cost the connection,
// which in memory is the ledger.
func (l *Ledger) tx(ctx context.Context, do func(context.Context, *sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	turn, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	conn, err := l.db.Conn(turn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	ctx = context.WithoutCancel(ctx)
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
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
	expires = l.now().Add(quoteTime)
	err = l.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		id, _, err = l.insert(ctx, tx, in, quoted, expires, repeats)
		return err
	})
	return id, expires, err
}

// asked notes that a person is asked about a quote.
func (l *Ledger) asked(ctx context.Context, id string) error {
	return l.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE spends SET asked = 1 WHERE id = ? AND state = 'quoted'`, id)
		return err
	})
}

// burn makes a quote of whose spend it is count for nothing.
func (l *Ledger) burn(ctx context.Context, in *intent, id string) error {
	return l.tx(ctx, func(ctx context.Context, tx *sql.Tx) error { return burn(ctx, tx, in, id) })
}

// outcome writes down what came of a spend, and releases what was not spent.
// It tries for longer than others do: what is known should not become unknown.
func (l *Ledger) outcome(ctx context.Context, id, state, code string) error {
	var err error
	for range 3 {
		if err = l.tx(ctx, func(ctx context.Context, tx *sql.Tx) error { return settle(ctx, tx, id, state, code) }); err == nil {
			return nil
		}
	}
	return err
}

// settle gives a spend without a known outcome one.
func settle(ctx context.Context, tx *sql.Tx, id, state, code string) error {
	var account, caller, tool string
	var on, total int64
	err := tx.QueryRowContext(ctx, `UPDATE spends SET state = ?, code = ? WHERE id = ? AND state IN ('in_progress', 'unknown')
		RETURNING account, caller, tool, day, total`, state, code, id).Scan(&account, &caller, &tool, &on, &total)
	if err != nil || state != failed {
		return err
	}
	kind := "send"
	if tool == topUpTool {
		kind = "topup"
	}
	if caller != "" { // who is counted apart, if there is a row for that
		if _, err := tx.ExecContext(ctx, `UPDATE days SET total = total - ? WHERE account = ? AND kind = ? AND day = ?`, total, account, kindOf(kind, caller), on); err != nil {
			return err
		}
	}
	return reserve(ctx, tx, account, kind, on, -total)
}
