package guard

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// unstableIDPrefix begins the id of a caller that the ledger cannot name now.
// Nothing is stored under it: another process would use another.
const unstableIDPrefix = "?"

// reopenInterval is how long CallerID waits before it tries again to open a ledger
// that could not be opened.
const reopenInterval = 5 * time.Second

// CallerID names a caller by a keyed hash of all of its credentials. Every process
// on the ledger gives the same id. If the ledger cannot be opened, the id is valid
// in this process and for reading; spends answer not_configured.
func (g *Guard) CallerID(ctx context.Context, parts ...string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	// One call finds out that it cannot be opened, which may take a while.
	g.firstOpen.Do(func() {
		if _, err := g.openLedger(ctx); err != nil && ctx.Err() == nil {
			g.lastFailure.Store(g.options.Clock().UnixNano())
		}
	})
	key, prefix := g.key.Load(), "basic-"
	lastFailure, now := g.lastFailure.Load(), g.options.Clock().UnixNano()
	if key == nil && now-lastFailure >= int64(reopenInterval) && g.lastFailure.CompareAndSwap(lastFailure, now) {
		_, _ = g.openLedger(ctx)
		key = g.key.Load()
	}
	if key == nil {
		key, prefix = g.fallbackKey(), unstableIDPrefix
	}
	hash := ledger.KeyedHash(*key, append([]string{"caller"}, parts...)...)
	return prefix + hex.EncodeToString(hash[:16]), nil
}

// DeriveKey returns a key for one purpose, the same in every process on the ledger.
func (g *Guard) DeriveKey(ctx context.Context, purpose string) ([]byte, error) {
	l, err := g.openLedger(ctx)
	if err != nil {
		return nil, err
	}
	return l.Hash("key", purpose), nil
}

// requireStableID fails if what is stored now would not be found again under the
// caller's id.
func (g *Guard) requireStableID(ctx context.Context) error {
	if !strings.HasPrefix(g.callerID, unstableIDPrefix) {
		return nil
	}
	if _, err := g.openLedger(ctx); err != nil {
		return err
	}
	e := NewError(CodeNotConfigured,
		"Nothing was sent: the ledger of spends could not be used when the call came. Call again.")
	e.Retry = client.RetryLater
	return e
}
