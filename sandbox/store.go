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

// lockWait is how long a call waits for another process's transaction, which
// takes milliseconds.
const lockWait = 10 * time.Second

//go:embed schema.sql
var schema string

// openDB opens the database with its one account in it.
//
// One connection is enough, and it is never dropped: in memory it is the
// database, and on a file callers wait for it in order, where connections of
// their own would starve each other at SQLite's lock.
func openDB(ctx context.Context, o Options) (*sql.DB, error) {
	name, err := dataSource(o.DB)
	if err != nil {
		return nil, fmt.Errorf("sandbox database: %w", err)
	}
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, fmt.Errorf("sandbox database: %w", err)
	}
	db.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for {
		err = inTx(ctx, db, func(tx *sql.Tx) error { return seed(ctx, tx, o) })
		// Everything waits for another process's lock but the first change of
		// a file to WAL, which fails at once.
		if busy, ok := errors.AsType[*sqlite.Error](err); !ok || busy.Code()&0xff != sqlite3.SQLITE_BUSY || ctx.Err() != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox database: %w", err), db.Close())
	}
	return db, nil
}

// dataSource is the driver's name for the database in file, which it creates
// for its owner's eyes alone: SQLite would let others read it.
func dataSource(file string) (string, error) {
	// Transactions take the write lock when they begin, since one that has read
	// cannot wait for it.
	options := fmt.Sprintf("?_txlock=immediate&_pragma=foreign_keys(1)&_pragma=busy_timeout(%d)", lockWait.Milliseconds())
	if file == "" {
		return "file::memory:" + options, nil
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	// O_EXCL, since closing a file that this process has open as a database
	// would drop SQLite's locks on it (sqlite.org/howtocorrupt.html, 2.2).
	created, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator's own path
	if err == nil {
		err = created.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return "file:" + url.PathEscape(path) + options + "&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)", nil
}

// seed creates the tables, the wallets, the keys and the group where they are
// missing.
func seed(ctx context.Context, tx *sql.Tx, o Options) error {
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return err
	}
	for _, a := range append([]Account{{APIKey, APISecret, WalletID, o.Balance}}, o.Accounts...) {
		// The vendor stores bcrypt hashes too. The lowest cost, since every call pays it.
		hash, err := bcrypt.GenerateFromPassword([]byte(a.Secret), bcrypt.MinCost)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO wallets (id, balance) VALUES (?, ?) ON CONFLICT DO NOTHING`, a.Wallet, a.Balance); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO api_keys (id, secret_hash, wallet_id, revoked)
			VALUES (?, ?, ?, false) ON CONFLICT DO NOTHING`, a.Key, string(hash), a.Wallet); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO api_keys (id, secret_hash, wallet_id, revoked)
		VALUES (?, '', ?, true) ON CONFLICT DO NOTHING`, revokedKey, WalletID); err != nil || !o.Group {
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

// inTx runs do in one transaction, which is rolled back if do fails.
func inTx(ctx context.Context, db *sql.DB, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// list reads every row of a query into a slice that is never nil, since no
// answer holds a null list. The columns are where the parts of one row go.
func list[T any](ctx context.Context, db *sql.DB, columns func(*T) []any, query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	all := []T{}
	for rows.Next() {
		var one T
		if err := rows.Scan(columns(&one)...); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
