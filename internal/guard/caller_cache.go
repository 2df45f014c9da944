package guard

import (
	"container/list"
	"context"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
)

// ForCaller is the guard of one of many callers: with the same limits and the same
// ledger, and with quotes, prices and a rate of the caller's own. The id names
// the caller in the ledger. Whoever has it counts as the caller, so where it is
// made of credentials it must be made of all of them, the secret included.
//
// Own limits tighten the operator's for this caller, and what it spends is
// counted for it besides: from the first call with such limits on, so a caller
// that may ever have some has them always, be it Unlimited.
func (g *Guard) ForCaller(api API, id string, limits *Limits) *Guard {
	bound := *g
	bound.api, bound.callerID, bound.callerLimits = api, id, limits
	return &bound
}

// Unlimited tightens nothing.
func Unlimited() Limits {
	const unlimited = 1 << 53
	return Limits{PerCall: unlimited, PerDay: unlimited, TopUp: unlimited, Recipients: 1 << 30, ConfirmAbove: unlimited}
}

// CallerLimitName is how a caller's own limit is named, which no setting is.
const CallerLimitName = "the limit of this token"

// maxRecipients is how many one call may reach, and what says so.
func (g *Guard) maxRecipients() (maxCount int, limitName string) {
	if maxCount = g.options.Limits.Recipients; g.callerLimits != nil && g.callerLimits.Recipients < maxCount {
		return g.callerLimits.Recipients, CallerLimitName
	}
	return maxCount, "WESENDALL_MAX_RECIPIENTS"
}

// effectiveDuplicateWindow is for how long what was sent is not sent again.
func (g *Guard) effectiveDuplicateWindow() time.Duration {
	if g.callerLimits == nil {
		return g.options.Limits.DuplicateWindow
	}
	return max(g.callerLimits.DuplicateWindow, g.options.Limits.DuplicateWindow)
}

// unstableIDPrefix begins the id of a caller that the ledger cannot name now. Nothing is
// written down under it: another process, or this one later, gives another.
const unstableIDPrefix = "?"

// reopenInterval is how long a caller's id does not try the ledger again that could
// not be opened.
const reopenInterval = 5 * time.Second

// CallerID names a caller by a keyed hash of what makes it one: all of its
// credentials, and nothing else. Every process on the ledger gives the same id.
// Where the ledger cannot be opened it is one for this process and for reading:
// what spends answers not_configured.
func (g *Guard) CallerID(ctx context.Context, parts ...string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	// One call finds out that it cannot be opened, which may take a while.
	g.firstOpen.Do(func() {
		if _, err := g.openLedger(ctx); err != nil && ctx.Err() == nil {
			g.lastFailure.Store(g.now().UnixNano())
		}
	})
	key, prefix := g.key.Load(), "basic-"
	if lastFailure, now := g.lastFailure.Load(), g.now().UnixNano(); key == nil && now-lastFailure >= int64(reopenInterval) && g.lastFailure.CompareAndSwap(lastFailure, now) {
		_, _ = g.openLedger(ctx)
		key = g.key.Load()
	}
	if key == nil {
		key, prefix = g.fallbackKey(), unstableIDPrefix
	}
	return prefix + hex.EncodeToString(KeyedHash(*key, append([]string{"caller"}, parts...)...)[:16]), nil
}

// DeriveKey is one that every process on the same ledger has, for one purpose.
func (g *Guard) DeriveKey(ctx context.Context, purpose string) ([]byte, error) {
	l, err := g.openLedger(ctx)
	if err != nil {
		return nil, err
	}
	return l.Hash("key", purpose), nil
}

// requireStableID makes sure that what is written down now is found again under the
// caller's id.
func (g *Guard) requireStableID(ctx context.Context) error {
	if !strings.HasPrefix(g.callerID, unstableIDPrefix) {
		return nil
	}
	if _, err := g.openLedger(ctx); err != nil {
		return err
	}
	failure := NewError(CodeNotConfigured, "Nothing was sent: the ledger of spends could not be used when the call came. Call again.")
	failure.Retry = client.RetryLater
	return failure
}

// callerState is what is kept of a caller between calls.
type callerState struct {
	prices   priceCache
	rate     *tokenBucket // nil is no limit
	id       string
	lastUsed time.Time
}

func newCallerState(rate float64) *callerState {
	state := &callerState{prices: priceCache{byWallet: map[string]cachedPrice{}}}
	if rate > 0 {
		state.rate = newTokenBucket(rate)
	}
	return state
}

// state is the caller's; nil where there is none left. It is asked for at each
// use, so that nobody goes on with one that was taken away.
func (g *Guard) state() *callerState {
	if g.callerID == "" {
		return g.defaultState
	}
	return g.callerStates.state(g.callerID, g.now(), g.options.Rate)
}

// maxCallers bounds the memory that callers take: a few hundred bytes each.
const maxCallers = 10_000

// callerCache are the seats of many callers.
type callerCache struct {
	max int

	mu     sync.Mutex
	states map[string]*list.Element
	lru    *list.List // of *callerState, the last used first
}

func newCallerCache() *callerCache {
	return &callerCache{max: maxCallers, states: map[string]*list.Element{}, lru: list.New()}
}

func (c *callerCache) state(id string, now time.Time, rate float64) *callerState {
	c.mu.Lock()
	defer c.mu.Unlock()
	elem, ok := c.states[id]
	if !ok {
		if c.evict(now); len(c.states) >= c.max {
			return nil
		}
		state := newCallerState(rate)
		state.id = id
		elem = c.lru.PushFront(state)
		c.states[id] = elem
	}
	c.lru.MoveToFront(elem)
	state := elem.Value.(*callerState) //nolint:forcetypeassert // nothing else is in the list
	state.lastUsed = now
	return state
}

// evict takes away the seats whose prices hold no more and, where none is free,
// the one that was unused for longest. It leaves who has used up some of the
// rate: coming back as somebody new would give it all back. Everybody else loses
// a price that is soon read again.
func (c *callerCache) evict(now time.Time) {
	for elem := c.lru.Back(); elem != nil; {
		state := elem.Value.(*callerState) //nolint:forcetypeassert // nothing else is in the list
		if now.Sub(state.lastUsed) < priceTTL && len(c.states) < c.max {
			return
		}
		prev := elem.Prev()
		if state.rate.isFull(now) {
			c.lru.Remove(elem)
			delete(c.states, state.id)
		}
		elem = prev
	}
}
