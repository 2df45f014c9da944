package guard

import (
	"context"
	"database/sql"
	_ "embed"
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

//go:embed sqlite.sql
var sqliteInitSQL string

// sqliteFile is SQLite's database in a file, or in memory.
type sqliteFile struct {
	db          *sql.DB
	path        string                 // "" in memory
	openedFiles map[string]os.FileInfo // that it is in
}

// openSQLite opens the ledger in a file, which it creates for its owner alone, or
// one in memory where path is "".
func openSQLite(ctx context.Context, path string) (*Ledger, error) {
	dsn, err := sqliteDSN(path)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // in memory it is the database; on a file callers wait in order
	file := &sqliteFile{db: db, path: path}
	l := newLedger(db, file, dialect{jsonList: "json_each($1) j", hexToBytes: "unhex(j.value)"})
	l.Persistent = path != ""
	ctx, cancel := context.WithTimeout(ctx, LockTimeout)
	defer cancel()
	for {
		err = l.WithTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, sqliteInitSQL); err != nil {
				return err
			}
			if err := migrateAttemptColumn(ctx, tx); err != nil {
				return err
			}
			if err := l.loadOrCreateKey(ctx, tx); err != nil {
				return err
			}
			_, err := l.Prune(ctx, tx)
			return err
		})
		// Everything waits for another process's lock but the first change of a
		// file to WAL, which fails at once.
		if sqliteErr, ok := errors.AsType[*sqlite.Error](err); !ok || sqliteErr.Code()&0xff != sqlite3.SQLITE_BUSY || ctx.Err() != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	l.NextPrune.Store(time.Now().Add(time.Hour).UnixNano())
	if err == nil && path != "" {
		err = file.recordFiles()
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return l, nil
}

// migrateAttemptColumn adds the column that files of an earlier version lack.
func migrateAttemptColumn(ctx context.Context, tx *sql.Tx) error {
	var exists bool
	err := tx.QueryRowContext(ctx, `SELECT count(*) > 0 FROM pragma_table_info('spends') WHERE name = 'attempt'`).Scan(&exists)
	if err == nil && !exists {
		_, err = tx.ExecContext(ctx, `ALTER TABLE spends ADD COLUMN attempt TEXT NOT NULL DEFAULT ''`)
	}
	return err
}

// sqliteDSN is the driver's name for the database in a file.
func sqliteDSN(path string) (string, error) {
	// Transactions take the write lock when they begin, since one that has read
	// cannot wait for it. What was committed survives a loss of power.
	options := fmt.Sprintf("?_txlock=immediate&_pragma=busy_timeout(%d)&_pragma=synchronous(FULL)", LockTimeout.Milliseconds())
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

// recordFiles notes which files the ledger is in.
func (f *sqliteFile) recordFiles() error {
	f.openedFiles = map[string]os.FileInfo{}
	for _, name := range []string{f.path, f.path + "-wal"} {
		info, err := os.Stat(name) //nolint:gosec // the operator's own path
		if err != nil {
			return err
		}
		f.openedFiles[name] = info
	}
	return nil
}

// checkIdentity tells whether the files are still those that were opened. One that was
// removed goes on existing for who has it open, and for nobody else.
func (f *sqliteFile) checkIdentity(context.Context, queryer, []byte) error {
	for name, opened := range f.openedFiles {
		if now, err := os.Stat(name); err != nil || !os.SameFile(now, opened) {
			return fmt.Errorf("%s was removed or replaced while it was in use: put it back, for without it today's budget and what was sent are forgotten; then start this server again", name)
		}
	}
	return nil
}

// begin takes the write lock at once, whatever the account. One that has begun is
// not cancelled: it takes milliseconds, and cancelling would cost the connection,
// which in memory is the ledger.
func (f *sqliteFile) begin(ctx context.Context, _ string) (context.Context, *sql.Tx, func(), error) {
	conn, err := f.db.Conn(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	ctx = context.WithoutCancel(ctx)
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, nil, nil, errors.Join(err, conn.Close())
	}
	return ctx, tx, func() { _ = conn.Close() }, nil
}

func (*sqliteFile) sanitizeError(err error) error { return err }

func (f *sqliteFile) stats() sql.DBStats { return f.db.Stats() }

func (f *sqliteFile) close() error { return f.db.Close() }
