package sandbox

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/wesendall/wesendall-mcp/internal/sqlitedb"
)

// lockTimeout is how long a call waits for another process's transaction.
const lockTimeout = 10 * time.Second

//go:embed schema.sql
var schemaSQL string

// openDB opens the database and fills it with the accounts.
func openDB(ctx context.Context, o Options) (*sql.DB, error) {
	db, err := sqlitedb.Open(ctx, sqlitedb.Options{Path: o.DB, LockTimeout: lockTimeout})
	if err != nil {
		return nil, fmt.Errorf("sandbox database: %w", err)
	}
	if err := withTx(ctx, db, func(tx *sql.Tx) error { return initDatabase(ctx, tx, o) }); err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox database: %w", err), db.Close())
	}
	return db, nil
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
