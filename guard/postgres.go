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
var postgresSteps embed.FS

// postgres is a PostgreSQL database, which replicas share.
//
// The transactions that judge spends of one account take the account's advisory
// lock first, and so come one after the other, each seeing all that those before
// it wrote (at read committed, whose every statement sees what was committed by
// then). Those that know a row's id alone, since they settle it, burn it or have it
// asked about, change it on the condition that its state still allows that; who
// reads a row in order to change it locks it. A row of spends is always locked
// before one of days, so that none wait for each other.
type postgres struct {
	db    *sql.DB
	pool  *pgxpool.Pool
	turns turns        // of accounts, so that one takes one connection and leaves the others to the rest
	ahead atomic.Int64 // how far the database's clock is ahead of this machine's, in nanoseconds
	life  context.Context
}

// openPostgres opens the ledger in the database of a URL, and brings its schema up
// to date.
func openPostgres(ctx context.Context, source string) (*Ledger, error) {
	config, err := postgresConfig(source)
	if err != nil {
		return nil, &databaseError{err}
	}
	steps, err := schemaSteps(postgresSteps)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, &databaseError{err}
	}
	p := &postgres{db: stdlib.OpenDBFromPool(pool), pool: pool, turns: turns{each: map[string]*turn{}}}
	l := newLedger(p.db, p, dialect{
		list: "json_array_elements_text($1) AS j(value)", bytes: "decode(j.value, 'hex')",
		locked: " FOR UPDATE", lockedFree: " FOR UPDATE SKIP LOCKED",
	})
	l.kept, l.now, p.life = true, p.now, l.life
	if err := l.accountTx(ctx, "the schema", func(ctx context.Context, tx *sql.Tx) error {
		if err := migrate(ctx, tx, steps); err != nil {
			return err
		}
		return l.readKey(ctx, tx)
	}); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Shared tells whether a ledger's source is a database, which several machines may
// have.
func Shared(source string) bool {
	return strings.HasPrefix(source, "postgres://") || strings.HasPrefix(source, "postgresql://")
}

// postgresConfig reads a URL. No error quotes it, for it may hold a password.
func postgresConfig(source string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(source)
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("a file that the URL names cannot be read: %w", file)
	}
	if err != nil {
		return nil, errors.New("this is not the URL of a PostgreSQL database, which looks like postgres://USER@HOST/DATABASE?sslmode=verify-full")
	}
	c := config.ConnConfig
	if !sealed(&c.Config) && !saysNoTLS(source) {
		return nil, errors.New("the database is on another machine and the URL does not ask for TLS: add sslmode=verify-full to it, or sslmode=disable where nobody else is on the network between")
	}
	if c.ConnectTimeout == 0 || c.ConnectTimeout > lockWait/2 {
		c.ConnectTimeout = lockWait / 2
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "wesendall-mcp"
	}
	return config, nil
}

// sealed tells whether nothing goes over a network unencrypted, wherever the
// connection ends up.
func sealed(c *pgconn.Config) bool {
	open := c.TLSConfig == nil && !onThisMachine(c.Host)
	for _, other := range c.Fallbacks {
		open = open || other.TLSConfig == nil && !onThisMachine(other.Host)
	}
	return !open
}

func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || ip != nil && ip.IsLoopback()
}

func saysNoTLS(source string) bool {
	_, query, _ := strings.Cut(source, "?")
	values, err := url.ParseQuery(query)
	if err == nil && values.Get("sslmode") != "" {
		return values.Get("sslmode") == "disable"
	}
	return os.Getenv("PGSSLMODE") == "disable"
}

// Redact is a ledger's source without the passwords that a URL may have.
func Redact(source string) string {
	if !Shared(source) {
		return source
	}
	u, err := url.Parse(source)
	if err != nil || strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") { // as for the URL of several hosts, or a password with a slash
		return "postgres://[redacted]"
	}
	u.RawQuery, u.Fragment = "", "" // which may have one, too
	return u.Redacted()
}

// schemaSteps are the files 1.sql, 2.sql and so on.
func schemaSteps(files fs.FS) ([]string, error) {
	var steps []string
	for {
		text, err := fs.ReadFile(files, fmt.Sprintf("postgres/%d.sql", len(steps)+1))
		if errors.Is(err, fs.ErrNotExist) {
			return steps, nil
		}
		if err != nil {
			return nil, err
		}
		steps = append(steps, string(text))
	}
}

// migrate takes the steps that the database has not taken. The caller's
// transaction holds the schema's lock.
func migrate(ctx context.Context, tx *sql.Tx, steps []string) error {
	var there bool
	if err := tx.QueryRowContext(ctx, `SELECT to_regclass('meta') IS NOT NULL`).Scan(&there); err != nil {
		return err
	}
	version := 0
	if there {
		var text string
		if err := tx.QueryRowContext(ctx, `SELECT convert_from(value, 'UTF8') FROM meta WHERE name = 'version'`).Scan(&text); err != nil {
			return fmt.Errorf("the table meta is not a ledger's (give the ledger a database of its own, or a schema with search_path): %w", err)
		}
		var err error
		if version, err = strconv.Atoi(text); err != nil {
			return err
		}
	}
	if version > len(steps) {
		return fmt.Errorf("the database's schema is version %d, and this program knows %d: it is of a newer wesendall-mcp, so use that", version, len(steps))
	}
	if version == len(steps) {
		return nil
	}
	for _, step := range steps[version:] {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('version', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
		[]byte(strconv.Itoa(len(steps))))
	return err
}

// now is the time by the database's clock, as it was when a transaction last
// began: so the clocks of replicas may differ.
func (p *postgres) now() time.Time { return time.Now().Add(time.Duration(p.ahead.Load())) }

func (p *postgres) begin(ctx context.Context, account string) (context.Context, *sql.Tx, func(), error) {
	done := func() {}
	if account != "" {
		var err error
		if done, err = p.turns.take(ctx, account); err != nil {
			return nil, nil, nil, err
		}
	}
	for left := p.pool.Config().MaxConns; ; left-- {
		conn, err := p.db.Conn(ctx)
		if err != nil {
			done()
			return nil, nil, nil, err
		}
		// Not cancelled with the call, for that would cost the connection, but
		// the network may swallow what is sent.
		limit, _ := ctx.Deadline()
		within, cancel := context.WithDeadline(context.WithoutCancel(ctx), limit)
		stop := context.AfterFunc(p.life, cancel)
		tx, err := p.start(within, conn, account)
		if err == nil {
			return within, tx, func() { _ = conn.Close(); stop(); cancel(); done() }, nil
		}
		stop()
		_ = conn.Close()
		cancel()
		// Of the connections that are kept all may be dead, if the server was away.
		if !dead(err) || left == 0 {
			done()
			return nil, nil, nil, err
		}
	}
}

// opening is the first statement of each transaction. What it sets holds for the
// transaction alone, whatever the database's, the user's or a pooler's settings:
// what was committed survives a crash, and neither a lock nor this process, should
// it be cut off, is waited for without an end. The clock is read when the lock is
// held.
const opening = `SELECT set_config('synchronous_commit', 'on', true), set_config('lock_timeout', $1, true),
	set_config('statement_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true),
	CASE WHEN $3 = '' THEN '' ELSE CAST(pg_advisory_xact_lock($4) AS TEXT) END,
	CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`

func (p *postgres) start(ctx context.Context, conn *sql.Conn, account string) (*sql.Tx, error) {
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte("wesendall-mcp " + account))
	lock := int64(binary.BigEndian.Uint64(sum[:])) //nolint:gosec // any 64 bits
	wait, idle := strconv.FormatInt(lockWait.Milliseconds(), 10), strconv.FormatInt(lockWait.Milliseconds()/2, 10)
	var micros int64
	var set any
	if err := tx.QueryRowContext(ctx, opening, wait, idle, account, lock).Scan(&set, &set, &set, &set, &set, &micros); err != nil {
		_ = tx.Rollback()
		return nil, err
	}
	p.ahead.Store(int64(time.Until(time.UnixMicro(micros))))
	return tx, nil
}

// dead tells whether an error is of the connection, or the server that goes away.
func dead(err error) bool {
	failure, ok := errors.AsType[*pgconn.PgError](err)
	return !ok || strings.HasPrefix(failure.Code, "57P")
}

// present tells whether the database has the same key. With another one nothing of
// what this process knows would be found in it again.
func (*postgres) present(ctx context.Context, in reader, key []byte) error {
	var now []byte
	err := in.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'key'`).Scan(&now)
	failure, ok := errors.AsType[*pgconn.PgError](err)
	switch gone := errors.Is(err, sql.ErrNoRows) || ok && failure.Code == "42P01"; { // undefined table
	case err == nil && bytes.Equal(now, key):
		return nil
	case err != nil && !gone:
		return err
	}
	return errors.New("the database was emptied or replaced while it was in use: put it back, for without it today's budget and what was sent are forgotten; then start this server again")
}

// databaseError is an error of a ledger that is in a database. It may tell where
// that is, but never its password.
type databaseError struct{ error }

// Error is in one line, of which the driver makes several.
func (e *databaseError) Error() string { return strings.Join(strings.Fields(e.error.Error()), " ") }

func (e *databaseError) Unwrap() error { return e.error }

func (*postgres) explain(err error) error { return &databaseError{err} }

func (p *postgres) stats() sql.DBStats {
	s := p.pool.Stat()
	return sql.DBStats{
		MaxOpenConnections: int(s.MaxConns()), OpenConnections: int(s.TotalConns()), InUse: int(s.AcquiredConns()), Idle: int(s.IdleConns()),
		WaitCount: s.EmptyAcquireCount(), WaitDuration: s.EmptyAcquireWaitTime(),
	}
}

func (p *postgres) close() error {
	err := p.db.Close()
	p.pool.Close()
	return err
}
