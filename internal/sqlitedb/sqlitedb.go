// Package sqlitedb opens SQLite databases that several processes share. It knows
// nothing of what is in them.
package sqlitedb

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

// Options say which database to open.
type Options struct {
	Path        string        // of the file; "" is a database in memory
	CreateDir   bool          // create the file's directory if it is missing
	LockTimeout time.Duration // how long to wait for the transaction of another process
}

// Open opens a database and connects to it. It waits while another process has the
// file locked, for LockTimeout at most.
//
// A new file can be read and written by its owner only (0600, in a directory of
// 0700). What was committed survives a loss of power. Transactions take the write
// lock when they begin, because one that has read cannot wait for it. The database
// has one connection: in memory the connection is the database, and on a file calls
// wait for it in order, while several would starve each other at SQLite's lock.
func Open(ctx context.Context, o Options) (*sql.DB, error) {
	dsn, err := o.dsn()
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(ctx, o.LockTimeout)
	defer cancel()
	// Every statement waits for another process's lock, except the one that changes
	// a file to WAL. It is part of connecting, and fails at once.
	for err = db.PingContext(ctx); isBusy(err) && ctx.Err() == nil; err = db.PingContext(ctx) {
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// isBusy reports whether another process holds a lock on the database.
func isBusy(err error) bool {
	sqliteErr, ok := errors.AsType[*sqlite.Error](err)
	return ok && sqliteErr.Code()&0xff == sqlite3.SQLITE_BUSY
}

// dsn returns the driver's name for the database, and creates its file.
func (o Options) dsn() (string, error) {
	params := fmt.Sprintf("?_txlock=immediate&_pragma=foreign_keys(1)&_pragma=busy_timeout(%d)&_pragma=synchronous(FULL)",
		o.LockTimeout.Milliseconds())
	if o.Path == "" {
		return "file::memory:" + params, nil
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return "", err
	}
	if o.CreateDir {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return "", err
		}
	}
	if err := createFile(path); err != nil {
		return "", err
	}
	return "file:" + url.PathEscape(path) + params + "&_pragma=journal_mode(WAL)", nil
}

// createFile creates the file if it is missing. SQLite would let others read it.
// An existing file is not opened: closing one that this process has open as a
// database drops SQLite's locks on it (sqlite.org/howtocorrupt.html, 2.2).
func createFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator's own path
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return file.Close()
}
