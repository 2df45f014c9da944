package sqlitedb

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func createTable(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS numbers (n INTEGER)`); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

func openTest(t *testing.T, o Options) *sql.DB {
	t.Helper()
	if o.LockTimeout == 0 {
		o.LockTimeout = 10 * time.Second
	}
	db, err := Open(t.Context(), o, createTable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestOpen_Pragmas(t *testing.T) {
	t.Parallel()
	for path, journal := range map[string]string{"": "memory", filepath.Join(t.TempDir(), "a b%2f?.db"): "wal"} {
		db := openTest(t, Options{Path: path})
		for pragma, want := range map[string]string{
			"journal_mode": journal, "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000",
		} {
			var got string
			if err := db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%q: %s is %s, want %s (%v)", path, pragma, got, want, err)
			}
		}
	}
}

func TestOpen_FileModes(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	path := filepath.Join(t.TempDir(), "state", "ledger.db")
	openTest(t, Options{Path: path, CreateDir: true})
	for name, want := range map[string]os.FileMode{
		filepath.Dir(path): 0o700, path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600,
	} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, want %o (%v)", name, info, want, err)
		}
	}
}

func TestOpen_Errors(t *testing.T) {
	t.Parallel()
	text := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"a missing directory":  filepath.Join(t.TempDir(), "missing", "x.db"),
		"another kind of file": text,
	} {
		if db, err := Open(t.Context(), Options{Path: path, LockTimeout: time.Second}, createTable); err == nil {
			t.Errorf("%s was opened: %v", name, db.Close())
		}
	}
}

func TestOpen_WhileAnotherConnectionWrites(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shared.db")
	first := openTest(t, Options{Path: path})
	tx, err := first.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), Options{Path: path, LockTimeout: 50 * time.Millisecond}, createTable)
	if err == nil {
		t.Fatalf("opened while the write lock was held: %v", db.Close())
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	openTest(t, Options{Path: path})
}
