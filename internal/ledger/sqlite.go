package ledger

import (
	"context"
	"database/sql"
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

// sqliteBackend is a SQLite database in a file, or in memory.
type sqliteBackend struct {
	db          *sql.DB
	path        string                 // "" in memory
	openedFiles map[string]os.FileInfo // by name
}

// openSQLite opens the ledger in a file, which it creates for its owner only, or
// in memory where path is "".
func openSQLite(ctx context.Context, path string, o Options) (*Ledger, error) {
	dsn, err := sqliteDSN(path)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // in memory it is the database; on a file callers wait in order
	b := &sqliteBackend{db: db, path: path}
	l := newLedger(db, b, dialect{jsonList: "json_each($1) j", hexToBytes: "unhex(j.value)"}, o)
	l.persistent = path != ""
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	err = l.initSQLite(ctx)
	l.nextPrune.Store(time.Now().Add(time.Hour).UnixNano())
	if err == nil && path != "" {
		err = b.recordFiles()
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return l, nil
}

// initSQLite brings the schema up to date in one immediate transaction, because
// several processes may open a new file at once.
func (l *Ledger) initSQLite(ctx context.Context) error {
	migrations, err := loadMigrations(migrationsFS, "sqlite")
	if err != nil {
		return err
	}
	for {
		err := l.withTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
			if err := migrateSQLite(ctx, tx, migrations); err != nil {
				return err
			}
			if err := l.loadOrCreateKey(ctx, tx); err != nil {
				return err
			}
			_, err := l.prune(ctx, tx)
			return err
		})
		// The first change of a file to WAL does not wait for another process's
		// lock, as everything else does: it fails at once.
		if e, ok := errors.AsType[*sqlite.Error](err); !ok || e.Code()&0xff != sqlite3.SQLITE_BUSY || ctx.Err() != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// sqliteDSN is the driver's name for the database in a file.
func sqliteDSN(path string) (string, error) {
	// Transactions take the write lock when they begin: one that has read cannot
	// wait for it. A commit survives a loss of power.
	options := fmt.Sprintf("?_txlock=immediate&_pragma=busy_timeout(%d)&_pragma=synchronous(FULL)", lockTimeout.Milliseconds())
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
	// An existing file is not opened here: closing it would drop SQLite's locks.
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
func (b *sqliteBackend) recordFiles() error {
	b.openedFiles = map[string]os.FileInfo{}
	for _, name := range []string{b.path, b.path + "-wal"} {
		info, err := os.Stat(name) //nolint:gosec // the operator's own path
		if err != nil {
			return err
		}
		b.openedFiles[name] = info
	}
	return nil
}

// checkIdentity fails if the files were deleted or replaced. An open handle to a
// deleted file still works, so this must be checked.
func (b *sqliteBackend) checkIdentity(context.Context, queryer, []byte) error {
	for name, opened := range b.openedFiles {
		if current, err := os.Stat(name); err != nil || !os.SameFile(current, opened) {
			return fmt.Errorf("%s was removed or replaced while it was in use: put it back, because without it "+
				"today's budget and what was sent are forgotten; then start this server again", name)
		}
	}
	return nil
}

// begin takes the write lock at once, whatever the account. A transaction that has
// begun is not cancelled: it takes milliseconds, and cancelling would close the
// connection, which in memory is the ledger.
func (b *sqliteBackend) begin(ctx context.Context, _ string) (context.Context, *sql.Tx, func(), error) {
	conn, err := b.db.Conn(ctx)
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

func (*sqliteBackend) sanitizeError(err error) error { return err }

func (b *sqliteBackend) stats() sql.DBStats { return b.db.Stats() }

func (b *sqliteBackend) close() error { return b.db.Close() }
