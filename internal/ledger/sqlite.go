package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/sqlitedb"
)

// sqliteBackend is a SQLite database in a file, or in memory.
type sqliteBackend struct {
	db          *sql.DB
	path        string                 // "" in memory
	openedFiles map[string]os.FileInfo // by name
}

// openSQLite opens the ledger in a file, which it creates for its owner only, or
// in memory where path is "". A file that others control is refused before anything
// is created.
func openSQLite(ctx context.Context, path string, o Options) (*Ledger, error) {
	if path != "" {
		if _, err := InspectFile(path); err != nil {
			return nil, err
		}
	}
	db, err := sqlitedb.Open(ctx, sqlitedb.Options{Path: path, CreateDir: true, LockTimeout: lockTimeout})
	if err != nil {
		return nil, err
	}
	b := &sqliteBackend{db: db, path: path}
	l := newLedger(db, b, dialect{jsonList: "json_each($1) j", hexToBytes: "unhex(j.value)", metaText: "CAST(value AS TEXT)"}, o)
	l.persistent = path != ""
	err = l.initSQLite(ctx)
	l.nextPrune.Store(time.Now().Add(time.Hour).UnixNano())
	if err == nil && l.persistent {
		err = b.recordFiles()
		l.logWarnings(path)
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
	return l.withTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := migrateSQLite(ctx, tx, migrations); err != nil {
			return err
		}
		if err := l.loadOrCreateKey(ctx, tx); err != nil {
			return err
		}
		_, err := l.prune(ctx, tx)
		return err
	})
}

// recordFiles notes which files the ledger is in.
func (b *sqliteBackend) recordFiles() error {
	b.openedFiles = map[string]os.FileInfo{}
	for _, name := range []string{b.path, b.path + "-wal"} {
		info, err := os.Lstat(name) //nolint:gosec // the operator's own path
		if err != nil {
			return err
		}
		if err := checkFile(name, info); err != nil { // it may have been replaced since it was inspected
			return err
		}
		b.openedFiles[name] = info
	}
	return nil
}

// logWarnings says who else can use the file.
func (l *Ledger) logWarnings(path string) {
	info, err := InspectFile(path)
	if err != nil {
		return // it is in use already, and its identity is checked at each spend
	}
	for _, warning := range info.Warnings {
		l.logger.Warn("the ledger is open to others", "file", path, "because", warning)
	}
}

// checkIdentity fails if the files were deleted or replaced. An open handle to a
// deleted file still works, so this must be checked.
func (b *sqliteBackend) checkIdentity(context.Context, queryer, []byte) error {
	for name, opened := range b.openedFiles {
		if current, err := os.Lstat(name); err != nil || !os.SameFile(current, opened) {
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
