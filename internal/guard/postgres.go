package guard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// The steps from an empty database to the present schema, 1.sql and so on. A step
// that was released is never changed. A new one only adds, for replicas of the
// version before go on beside it, and is quick, for calls wait for it.
//
//go:embed postgres/*.sql
var migrationsFS embed.FS

// Postgres is a PostgreSQL database, which replicas share.
//
// The transactions that judge spends of one account take the account's advisory
// lock first, and so come one after the other, each seeing all that those before
// it wrote (at read committed, whose every statement sees what was committed by
// then). Those that know a row's id alone, since they settle it, burn it or have it
// asked about, change it on the condition that its state still allows that; who
// reads a row in order to change it locks it. A row of spends is always locked
// before one of days, so that none wait for each other.
type Postgres struct {
	db           *sql.DB
	pool         *pgxpool.Pool
	AccountLocks keyedMutex   // of accounts, so that one takes one connection and leaves the others to the rest
	clockSkew    atomic.Int64 // how far the database's clock is ahead of this machine's, in nanoseconds
	ctx          context.Context
}

// openPostgres opens the ledger in the database of a URL, and brings its schema up
// to date.
func openPostgres(ctx context.Context, source string) (*Ledger, error) {
	config, err := parsePostgresConfig(source)
	if err != nil {
		return nil, &PostgresError{err}
	}
	migrations, err := loadMigrations(migrationsFS)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, &PostgresError{err}
	}
	p := &Postgres{db: stdlib.OpenDBFromPool(pool), pool: pool, AccountLocks: keyedMutex{Entries: map[string]*keyedMutexEntry{}}}
	l := newLedger(p.db, p, dialect{
		jsonList: "json_array_elements_text($1) AS j(value)", hexToBytes: "decode(j.value, 'hex')",
		forUpdate: " FOR UPDATE", forUpdateSkipLocked: " FOR UPDATE SKIP LOCKED",
	})
	l.Persistent, l.Now, p.ctx = true, p.now, l.ctx
	if err := l.WithAccountTx(ctx, "the schema", func(ctx context.Context, tx *sql.Tx) error {
		if err := migrate(ctx, tx, migrations); err != nil {
			return err
		}
		return l.loadOrCreateKey(ctx, tx)
	}); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// IsPostgresURL tells whether a ledger's source is a database, which several machines may
// have.
func IsPostgresURL(source string) bool {
	return strings.HasPrefix(source, "postgres://") || strings.HasPrefix(source, "postgresql://")
}

// parsePostgresConfig reads a URL. No error quotes it, for it may hold a password.
func parsePostgresConfig(source string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(source)
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("a file that the URL names cannot be read: %w", pathErr)
	}
	if err != nil {
		return nil, errors.New("this is not the URL of a PostgreSQL database, which looks like postgres://USER@HOST/DATABASE?sslmode=verify-full")
	}
	c := config.ConnConfig
	if !requiresTLS(&c.Config) && !sslModeDisabled(source) {
		return nil, errors.New("the database is on another machine and the URL does not ask for TLS: add sslmode=verify-full to it, or sslmode=disable where nobody else is on the network between")
	}
	if c.ConnectTimeout == 0 || c.ConnectTimeout > LockTimeout/2 {
		c.ConnectTimeout = LockTimeout / 2
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "wesendall-mcp"
	}
	return config, nil
}

// requiresTLS tells whether nothing goes over a network unencrypted, wherever the
// connection ends up.
func requiresTLS(c *pgconn.Config) bool {
	plaintext := c.TLSConfig == nil && !isLocalHost(c.Host)
	for _, fallback := range c.Fallbacks {
		plaintext = plaintext || fallback.TLSConfig == nil && !isLocalHost(fallback.Host)
	}
	return !plaintext
}

func isLocalHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || ip != nil && ip.IsLoopback()
}

func sslModeDisabled(source string) bool {
	_, query, _ := strings.Cut(source, "?")
	values, err := url.ParseQuery(query)
	if err == nil && values.Get("sslmode") != "" {
		return values.Get("sslmode") == "disable"
	}
	return os.Getenv("PGSSLMODE") == "disable"
}

// RedactSource is a ledger's source without the passwords that a URL may have.
func RedactSource(source string) string {
	if !IsPostgresURL(source) {
		return source
	}
	u, err := url.Parse(source)
	if err != nil || strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") { // as for the URL of several hosts, or a password with a slash
		return "postgres://[redacted]"
	}
	u.RawQuery, u.Fragment = "", "" // which may have one, too
	return u.Redacted()
}

// loadMigrations are the files 1.sql, 2.sql and so on.
func loadMigrations(fsys fs.FS) ([]string, error) {
	var migrations []string
	for {
		sqlText, err := fs.ReadFile(fsys, fmt.Sprintf("postgres/%d.sql", len(migrations)+1))
		if errors.Is(err, fs.ErrNotExist) {
			return migrations, nil
		}
		if err != nil {
			return nil, err
		}
		migrations = append(migrations, string(sqlText))
	}
}

// migrate takes the steps that the database has not taken. The caller's
// transaction holds the schema's lock.
func migrate(ctx context.Context, tx *sql.Tx, migrations []string) error {
	var exists bool
	if err := tx.QueryRowContext(ctx, `SELECT to_regclass('meta') IS NOT NULL`).Scan(&exists); err != nil {
		return err
	}
	version := 0
	if exists {
		var versionText string
		if err := tx.QueryRowContext(ctx, `SELECT convert_from(value, 'UTF8') FROM meta WHERE name = 'version'`).Scan(&versionText); err != nil {
			return fmt.Errorf("the table meta is not a ledger's (give the ledger a database of its own, or a schema with search_path): %w", err)
		}
		var err error
		if version, err = strconv.Atoi(versionText); err != nil {
			return err
		}
	}
	if version > len(migrations) {
		return fmt.Errorf("the database's schema is version %d, and this program knows %d: it is of a newer wesendall-mcp, so use that", version, len(migrations))
	}
	if version == len(migrations) {
		return nil
	}
	for _, migration := range migrations[version:] {
		if _, err := tx.ExecContext(ctx, migration); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('version', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
		[]byte(strconv.Itoa(len(migrations))))
	return err
}

// now is the time by the database's clock, as it was when a transaction last
// began: so the clocks of replicas may differ.
func (p *Postgres) now() time.Time { return time.Now().Add(time.Duration(p.clockSkew.Load())) }

func (p *Postgres) begin(ctx context.Context, account string) (context.Context, *sql.Tx, func(), error) {
	unlock := func() {}
	if account != "" {
		var err error
		if unlock, err = p.AccountLocks.Lock(ctx, account); err != nil {
			return nil, nil, nil, err
		}
	}
	for attemptsLeft := p.pool.Config().MaxConns; ; attemptsLeft-- {
		conn, err := p.db.Conn(ctx)
		if err != nil {
			unlock()
			return nil, nil, nil, err
		}
		// Not cancelled with the call, for that would cost the connection, but
		// the network may swallow what is sent.
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
		// Of the connections that are kept all may be dead, if the server was away.
		if !isConnectionError(err) || attemptsLeft == 0 {
			unlock()
			return nil, nil, nil, err
		}
	}
}

// beginSQL is the first statement of each transaction. What it sets holds for the
// transaction alone, whatever the database's, the user's or a pooler's settings:
// what was committed survives a crash, and neither a lock nor this process, should
// it be cut off, is waited for without an end. The clock is read when the lock is
// held.
const beginSQL = `SELECT set_config('synchronous_commit', 'on', true), set_config('lock_timeout', $1, true),
	set_config('statement_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true),
	CASE WHEN $3 = '' THEN '' ELSE CAST(pg_advisory_xact_lock($4) AS TEXT) END,
	CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`

func (p *Postgres) beginOnConn(ctx context.Context, conn *sql.Conn, account string) (*sql.Tx, error) {
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte("wesendall-mcp " + account))
	lockKey := int64(binary.BigEndian.Uint64(digest[:])) //nolint:gosec // any 64 bits
	lockMillis, idleMillis := strconv.FormatInt(LockTimeout.Milliseconds(), 10), strconv.FormatInt(LockTimeout.Milliseconds()/2, 10)
	var micros int64
	var ignored any
	if err := tx.QueryRowContext(ctx, beginSQL, lockMillis, idleMillis, account, lockKey).Scan(&ignored, &ignored, &ignored, &ignored, &ignored, &micros); err != nil {
		_ = tx.Rollback()
		return nil, err
	}
	p.clockSkew.Store(int64(time.Until(time.UnixMicro(micros))))
	return tx, nil
}

// isConnectionError tells whether an error is of the connection, or the server that goes away.
func isConnectionError(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return !ok || strings.HasPrefix(pgErr.Code, "57P")
}

// checkIdentity tells whether the database has the same key. With another one nothing of
// what this process knows would be found in it again.
func (*Postgres) checkIdentity(ctx context.Context, q queryer, key []byte) error {
	var currentKey []byte
	err := q.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'key'`).Scan(&currentKey)
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	switch missing := errors.Is(err, sql.ErrNoRows) || ok && pgErr.Code == "42P01"; { // undefined table
	case err == nil && bytes.Equal(currentKey, key):
		return nil
	case err != nil && !missing:
		return err
	}
	return errors.New("the database was emptied or replaced while it was in use: put it back, for without it today's budget and what was sent are forgotten; then start this server again")
}

// PostgresError is an error of a ledger that is in a database. It may tell where
// that is, but never its password.
type PostgresError struct{ error }

// Error is in one line, of which the driver makes several.
func (e *PostgresError) Error() string { return strings.Join(strings.Fields(e.error.Error()), " ") }

func (e *PostgresError) Unwrap() error { return e.error }

func (*Postgres) sanitizeError(err error) error { return &PostgresError{err} }

func (p *Postgres) stats() sql.DBStats {
	s := p.pool.Stat()
	return sql.DBStats{
		MaxOpenConnections: int(s.MaxConns()), OpenConnections: int(s.TotalConns()), InUse: int(s.AcquiredConns()), Idle: int(s.IdleConns()),
		WaitCount: s.EmptyAcquireCount(), WaitDuration: s.EmptyAcquireWaitTime(),
	}
}

func (p *Postgres) close() error {
	err := p.db.Close()
	p.pool.Close()
	return err
}
