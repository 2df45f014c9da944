// Package ledger is the durable record of spends, quotes, budgets and duplicates,
// in a SQLite file or in PostgreSQL. It decides whether an intent may be reserved
// and records its outcome. It knows neither HTTP nor phone numbers, and stores
// no text: targets and messages are hashed with the ledger's own key.
package ledger

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Options are the parts of a ledger that its user may replace. Zero values are
// usable.
type Options struct {
	// Clock is nil for the system's clock, and for the database's on PostgreSQL.
	Clock  func() time.Time
	Logger *slog.Logger
	// Background runs what outlives a call: retries of failed writes, and pruning.
	// nil is the ledger's own group.
	Background *sync.WaitGroup
}

// Ledger records every spend before its request leaves, and its outcome after. It
// is safe for concurrent use, and shared by processes.
type Ledger struct {
	backend
	dialect
	db         *sql.DB
	key        []byte
	clock      func() time.Time
	logger     *slog.Logger
	persistent bool // outlives this process

	ctx        context.Context // ends when the ledger is closed
	cancel     context.CancelFunc
	mu         sync.Mutex // of background.Go, which must not come after its Wait
	background *sync.WaitGroup

	pendingRetries atomic.Int64 // transactions that are tried again
	nextPrune      atomic.Int64 // Unix nanoseconds
}

// Open opens the ledger in a SQLite file, in the PostgreSQL database of a URL, or
// in memory where the source is "". It creates what is missing.
func Open(ctx context.Context, source string, o Options) (*Ledger, error) {
	if IsPostgresURL(source) {
		return openPostgres(ctx, source, o)
	}
	return openSQLite(ctx, source, o)
}

func newLedger(db *sql.DB, b backend, d dialect, o Options) *Ledger {
	l := &Ledger{db: db, backend: b, dialect: d, clock: o.Clock, logger: o.Logger, background: o.Background}
	if l.clock == nil {
		l.clock = time.Now
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	if l.background == nil {
		l.background = &sync.WaitGroup{}
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Close closes the ledger once pending writes are done, or when ctx ends.
func (l *Ledger) Close(ctx context.Context) error {
	defer context.AfterFunc(ctx, l.cancel)()
	l.background.Wait()
	l.mu.Lock()
	l.cancel()
	l.mu.Unlock()
	l.background.Wait() // for what was added in between, and ends now
	return l.close()
}

// Persistent reports whether the ledger outlives this process.
func (l *Ledger) Persistent() bool { return l.persistent }

// DBStats are the statistics of the ledger's connections.
func (l *Ledger) DBStats() sql.DBStats { return l.stats() }

// CheckWritable writes as a spend would, and rolls it back.
func (l *Ledger) CheckWritable(ctx context.Context) error {
	errRollback := errors.New("rolled back")
	err := l.withTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('write_check', $1)`, make([]byte, 4096))
		if err != nil {
			return err
		}
		return errRollback
	})
	if errors.Is(err, errRollback) {
		return nil
	}
	return err
}

// Hash is a hash of parts with the ledger's own key. Parts cannot run into one
// another.
func (l *Ledger) Hash(parts ...string) []byte { return KeyedHash(l.key, parts...) }

// KeyedHash is HMAC-SHA256 of parts, each with its length before it.
func KeyedHash(key []byte, parts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		_, _ = fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return mac.Sum(nil)
}

// Key is the key that the ledger's hashes are made with.
func (l *Ledger) Key() []byte { return l.key }

// loadOrCreateKey reads the ledger's key, and creates it in a new ledger.
func (l *Ledger) loadOrCreateKey(ctx context.Context, tx *sql.Tx) error {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	_, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('hash_key', $1) ON CONFLICT DO NOTHING`, key)
	if err != nil {
		return err
	}
	return tx.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'hash_key'`).Scan(&l.key)
}
