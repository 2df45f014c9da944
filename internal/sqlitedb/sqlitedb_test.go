package sqlitedb

import (
	"database/sql"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func openTest(t *testing.T, o Options) *sql.DB {
	t.Helper()
	if o.LockTimeout == 0 {
		o.LockTimeout = 10 * time.Second
	}
	db, err := Open(t.Context(), o)
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
	db := openTest(t, Options{Path: path, CreateDir: true})
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE numbers (n INTEGER)`); err != nil {
		t.Fatal(err)
	}
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
		if db, err := Open(t.Context(), Options{Path: path, LockTimeout: time.Second}); err == nil {
			t.Errorf("%s was opened: %v", name, db.Close())
		}
	}
}

// A file in another journal mode is changed to WAL once its lock is free.
func TestOpen_LockedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shared.db")
	other, err := sql.Open("sqlite", path+"?_txlock=exclusive")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	tx, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if db, err := Open(t.Context(), Options{Path: path, LockTimeout: 50 * time.Millisecond}); err == nil {
		t.Fatalf("opened while another connection had the file locked: %v", db.Close())
	}
	opened := make(chan error, 1)
	go func() {
		db, err := Open(t.Context(), Options{Path: path, LockTimeout: 30 * time.Second})
		if err == nil {
			err = db.Close()
		}
		opened <- err
	}()
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}
