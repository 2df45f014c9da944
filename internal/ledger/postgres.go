package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgresBackend is a PostgreSQL database, which replicas share.
//
// Transactions that decide on spends of one account take the account's advisory
// lock first. So they run one after the other, and each sees what those before it
// wrote: at read committed, every statement sees what was committed by then.
// Transactions that only know a row's id (to settle it, to void it) change it on
// the condition that its state still allows that; one that reads a row in order to
// change it locks it. A row of spends is always locked before one of daily_totals,
// so that there is no deadlock.
type postgresBackend struct {
	db           *sql.DB
	pool         *pgxpool.Pool
	accountLocks keyedMutex   // so that one account never uses more than one connection
	clockSkew    atomic.Int64 // of the database's clock against this machine's, in nanoseconds
	ctx          context.Context
}

// openPostgres opens the ledger in the database of a URL, and brings its schema up
// to date.
func openPostgres(ctx context.Context, source string, o Options) (*Ledger, error) {
	config, err := parsePostgresConfig(source)
	if err != nil {
		return nil, &PostgresError{err}
	}
	migrations, err := loadMigrations(migrationsFS, "postgres")
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, &PostgresError{err}
	}
	p := &postgresBackend{db: stdlib.OpenDBFromPool(pool), pool: pool}
	l := newLedger(p.db, p, dialect{
		jsonList: "json_array_elements_text($1) AS j(value)", hexToBytes: "decode(j.value, 'hex')",
		metaText:  "convert_from(value, 'UTF8')",
		forUpdate: " FOR UPDATE", forUpdateSkipLocked: " FOR UPDATE SKIP LOCKED",
	}, o)
	l.persistent, p.ctx = true, l.ctx
	if o.Clock == nil {
		l.clock = p.now
	}
	if err := l.withAccountTx(ctx, "the schema", func(ctx context.Context, tx *sql.Tx) error {
		if err := migratePostgres(ctx, tx, migrations); err != nil {
			return err
		}
		return l.loadOrCreateKey(ctx, tx)
	}); err != nil {
		return nil, errors.Join(err, l.Close(ctx))
	}
	return l, nil
}

// now is the time by the database's clock, as of the last transaction. So the
// clocks of replicas may differ.
func (p *postgresBackend) now() time.Time { return time.Now().Add(time.Duration(p.clockSkew.Load())) }

func (p *postgresBackend) begin(ctx context.Context, account string) (context.Context, *sql.Tx, func(), error) {
	unlock := func() {}
	if account != "" {
		var err error
		if unlock, err = p.accountLocks.Lock(ctx, account); err != nil {
			return nil, nil, nil, err
		}
	}
	for attemptsLeft := p.pool.Config().MaxConns; ; attemptsLeft-- {
		conn, err := p.db.Conn(ctx)
		if err != nil {
			unlock()
			return nil, nil, nil, err
		}
		// Not cancelled with the call, because that would close the connection; but
		// it has a deadline, because the network may lose what is sent.
		deadline, _ := ctx.Deadline()
		txCtx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
		stop := context.AfterFunc(p.ctx, cancel)
		tx, err := p.beginOnConn(txCtx, conn, account)
		if err == nil {
			return txCtx, tx, func() { _ = conn.Close(); stop(); cancel(); unlock() }, nil
		}
		stop()
		_ = conn.Close()
		cancel()
		// If the server was away, all connections of the pool may be dead.
		if !isConnectionError(err) || attemptsLeft == 0 {
			unlock()
			return nil, nil, nil, err
		}
	}
}

// beginSQL is the first statement of each transaction. Its settings are the
// transaction's own, whatever the database, the user or a pooler has set: a commit
// survives a crash, and no process waits forever for a lock, or for this process if its
// network fails. The clock is read after the lock was taken.
const beginSQL = `SELECT set_config('synchronous_commit', 'on', true), set_config('lock_timeout', $1, true),
	set_config('statement_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true),
	CASE WHEN $3 = '' THEN '' ELSE CAST(pg_advisory_xact_lock($4) AS TEXT) END,
	CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`

func (p *postgresBackend) beginOnConn(ctx context.Context, conn *sql.Conn, account string) (*sql.Tx, error) {
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte("wesendall-mcp " + account))
	lockKey := int64(binary.BigEndian.Uint64(digest[:])) //nolint:gosec // any 64 bits
	lockMillis, idleMillis := strconv.FormatInt(lockTimeout.Milliseconds(), 10), strconv.FormatInt(lockTimeout.Milliseconds()/2, 10)
	var micros int64
	var ignored any
	row := tx.QueryRowContext(ctx, beginSQL, lockMillis, idleMillis, account, lockKey)
	if err := row.Scan(&ignored, &ignored, &ignored, &ignored, &ignored, &micros); err != nil {
		_ = tx.Rollback()
		return nil, err
	}
	p.clockSkew.Store(int64(time.Until(time.UnixMicro(micros))))
	return tx, nil
}

// isConnectionError reports whether the connection failed, or the server is going
// away.
func isConnectionError(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return !ok || strings.HasPrefix(pgErr.Code, "57P")
}

// checkIdentity fails if the database has another key: nothing that this process
// knows would be found in it.
func (*postgresBackend) checkIdentity(ctx context.Context, q queryer, key []byte) error {
	var currentKey []byte
	err := q.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'hash_key'`).Scan(&currentKey)
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	switch missing := errors.Is(err, sql.ErrNoRows) || ok && pgErr.Code == "42P01"; { // undefined table
	case err == nil && bytes.Equal(currentKey, key):
		return nil
	case err != nil && !missing:
		return err
	}
	return errors.New("the database was emptied or replaced while it was in use: put it back, because without it " +
		"today's budget and what was sent are forgotten; then start this server again")
}

// PostgresError is an error of a ledger in PostgreSQL. It may contain the
// database's address, but never its password.
type PostgresError struct{ error }

// Error is the driver's error in one line.
func (e *PostgresError) Error() string { return strings.Join(strings.Fields(e.error.Error()), " ") }

func (e *PostgresError) Unwrap() error { return e.error }

func (*postgresBackend) sanitizeError(err error) error { return &PostgresError{err} }

func (p *postgresBackend) stats() sql.DBStats {
	s := p.pool.Stat()
	return sql.DBStats{
		MaxOpenConnections: int(s.MaxConns()), OpenConnections: int(s.TotalConns()), InUse: int(s.AcquiredConns()), Idle: int(s.IdleConns()),
		WaitCount: s.EmptyAcquireCount(), WaitDuration: s.EmptyAcquireWaitTime(),
	}
}

func (p *postgresBackend) close() error {
	err := p.db.Close()
	p.pool.Close()
	return err
}
