package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// lockTimeout is how long a call waits for another process's transaction, which
// takes milliseconds.
const lockTimeout = 10 * time.Second

// queryer is a transaction, or a connection without one.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// backend is the database that a ledger is in.
type backend interface {
	// begin begins a transaction. Transactions for the same account run one after
	// the other; "" is for no account. It also returns the context for the
	// transaction's statements, and a function to call after it.
	begin(ctx context.Context, account string) (context.Context, *sql.Tx, func(), error)
	// checkIdentity fails if the database is no longer the one that was opened.
	checkIdentity(ctx context.Context, in queryer, key []byte) error
	// sanitizeError removes from an error what must not be shown.
	sanitizeError(error) error
	stats() sql.DBStats
	close() error
}

// dialect is the SQL that differs between SQLite and PostgreSQL.
type dialect struct {
	jsonList            string // a table j whose column value has the elements of the JSON list $1
	hexToBytes          string // the bytes of such an element in hex
	metaText            string // the column value of meta as a text
	forUpdate           string // locks the rows of a query
	forUpdateSkipLocked string // the same, without rows that others have locked
}

// commitError is a failed commit. The transaction may have been committed nevertheless.
type commitError struct{ error }

func (e commitError) Unwrap() error { return e.error }

// withTx runs fn in one transaction, and rolls it back if fn fails.
func (l *Ledger) withTx(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	return l.withAccountTx(ctx, "", fn)
}

// withAccountTx is withTx, one at a time for each account.
func (l *Ledger) withAccountTx(ctx context.Context, account string, fn func(context.Context, *sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	lockCtx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	ctx, tx, release, err := l.begin(lockCtx, account)
	if err != nil {
		return l.sanitizeError(err)
	}
	defer release()
	if err := fn(ctx, tx); err != nil {
		return l.sanitizeError(errors.Join(err, tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return l.sanitizeError(commitError{err})
	}
	return nil
}
