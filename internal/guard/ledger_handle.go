package guard

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// closeTimeout is how long closing waits for pending writes of the ledger.
const closeTimeout = 5 * time.Second

// ledgerHandle opens the ledger once for all callers, and keeps it.
type ledgerHandle struct {
	opening singleflight.Group // one caller's cancel does not cancel the others
	ctx     context.Context    // ends with Close
	cancel  context.CancelFunc
	clock   func() time.Time // nil is the ledger's own

	mu     sync.Mutex
	ledger *ledger.Ledger // nil until it is open

	// For CallerID.
	firstOpen   sync.Once
	lastFailure atomic.Int64           // when it last could not be opened, Unix nanoseconds
	key         atomic.Pointer[[]byte] // the ledger's, once it is open
	fallbackKey func() *[]byte         // is used until then
}

func newLedgerHandle(clock func() time.Time) *ledgerHandle {
	h := &ledgerHandle{clock: clock, fallbackKey: sync.OnceValue(func() *[]byte {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		return &key
	})}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

// openLedger returns the ledger, and opens it if it is not open. A failure is not
// kept: the operator may fix its cause.
func (g *Guard) openLedger(ctx context.Context) (*ledger.Ledger, error) {
	if l := g.opened(); l != nil {
		return l, nil
	}
	result := g.opening.DoChan("", func() (any, error) { return g.open() })
	select {
	case r := <-result:
		if r.Err != nil {
			return nil, g.ledgerError(r.Err)
		}
		return g.opened(), nil
	case <-ctx.Done():
		return nil, g.ledgerError(ctx.Err())
	}
}

func (h *ledgerHandle) opened() *ledger.Ledger {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ledger
}

func (g *Guard) open() (*ledger.Ledger, error) {
	if l := g.opened(); l != nil {
		return l, nil
	}
	open := g.options.OpenLedger
	if open == nil {
		open = func(ctx context.Context, o ledger.Options) (*ledger.Ledger, error) { return ledger.Open(ctx, "", o) }
	}
	l, err := open(g.ctx, ledger.Options{Clock: g.clock, Logger: g.options.Logger})
	if err != nil {
		return nil, err
	}
	if err := g.ctx.Err(); err != nil {
		return nil, errors.Join(err, l.Close(g.ctx))
	}
	key := l.Key()
	g.key.Store(&key)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ledger = l
	return l, nil
}

// Close closes the ledger.
func (g *Guard) Close() error {
	g.cancel()
	// Waits for an opening that is under way.
	<-g.opening.DoChan("", func() (any, error) { return nil, context.Canceled })
	l := g.opened()
	if l == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return l.Close(ctx)
}

// Snapshot has the ledger's totals, the limits and the connections, for metrics.
type Snapshot struct {
	ledger.Totals
	Limits Limits
	Pool   sql.DBStats
}

// Snapshot reads the ledger's totals, and opens the ledger if it is not open.
func (g *Guard) Snapshot(ctx context.Context) (Snapshot, error) {
	l, err := g.openLedger(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	totals, err := l.Sum(ctx)
	return Snapshot{totals, g.options.Limits, l.DBStats()}, err
}
