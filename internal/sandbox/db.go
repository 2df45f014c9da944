package sandbox

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

	"golang.org/x/crypto/bcrypt"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// lockTimeout is how long a call waits for another process's transaction.
const lockTimeout = 10 * time.Second

//go:embed schema.sql
var schemaSQL string

// openDB opens the database and fills it with the accounts.
//
// There is one connection. In memory it is the database; on a file, calls wait for it in
// order, while several connections would starve each other at SQLite's lock.
func openDB(ctx context.Context, o Options) (*sql.DB, error) {
	dsn, err := sqliteDSN(o.DB)
	if err != nil {
		return nil, fmt.Errorf("sandbox database: %w", err)
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("sandbox database: %w", err)
	}
	db.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	for {
		err = withTx(ctx, db, func(tx *sql.Tx) error { return initDatabase(ctx, tx, o) })
		// SQLite waits for another process's lock, except when it changes a file to WAL.
		busy, ok := errors.AsType[*sqlite.Error](err)
		if !ok || busy.Code()&0xff != sqlite3.SQLITE_BUSY || ctx.Err() != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox database: %w", err), db.Close())
	}
	return db, nil
}

// sqliteDSN returns the driver's name for the database in file. It creates the file readable
// by its owner only; SQLite would let others read it.
func sqliteDSN(file string) (string, error) {
	// Transactions take the write lock when they begin: one that has read cannot wait for it.
	options := fmt.Sprintf("?_txlock=immediate&_pragma=foreign_keys(1)&_pragma=busy_timeout(%d)",
		lockTimeout.Milliseconds())
	if file == "" {
		return "file::memory:" + options, nil
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	// O_EXCL: to close a file that this process has open as a database would drop SQLite's
	// locks on it (sqlite.org/howtocorrupt.html, 2.2).
	created, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator's own path
	if err == nil {
		err = created.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return "file:" + url.PathEscape(path) + options + "&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)", nil
}

// initDatabase creates the tables, wallets, keys and the sample group that are missing.
func initDatabase(ctx context.Context, tx *sql.Tx, o Options) error {
	if _, err := tx.ExecContext(ctx, schemaSQL); err != nil {
		return err
	}
	for _, a := range append([]Account{{APIKey, APISecret, WalletID, o.Balance}}, o.Accounts...) {
		// Wesendall stores bcrypt hashes. The cost is the lowest because every call pays it.
		hash, err := bcrypt.GenerateFromPassword([]byte(a.Secret), bcrypt.MinCost)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO wallets (id, balance) VALUES (?, ?) ON CONFLICT DO NOTHING`,
			a.Wallet, a.Balance); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO api_keys (id, secret_hash, wallet_id, revoked)
			VALUES (?, ?, ?, false) ON CONFLICT DO NOTHING`, a.Key, string(hash), a.Wallet); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO api_keys (id, secret_hash, wallet_id, revoked)
		VALUES (?, '', ?, true) ON CONFLICT DO NOTHING`, revokedKey, WalletID); err != nil || !o.WithSampleGroup {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO contact_groups (id, wallet_id, title, description)
		VALUES (?, ?, 'Customers', 'Who buys on market days') ON CONFLICT DO NOTHING`, GroupID, WalletID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO contacts (group_id, phone, name)
		VALUES (?, '+256700000012', 'Okello'), (?, '+256700000013', '') ON CONFLICT DO NOTHING`, GroupID, GroupID)
	return err
}

// withTx runs do in one transaction and rolls it back if do fails.
func withTx(ctx context.Context, db *sql.DB, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// queryAll returns the rows of a query; the slice is never nil, so that JSON has no null list.
// scanDest returns the destinations of one row's columns.
func queryAll[T any](ctx context.Context, db *sql.DB, scanDest func(*T) []any, query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	items := []T{}
	for rows.Next() {
		var item T
		if err := rows.Scan(scanDest(&item)...); err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, rows.Err()
}
