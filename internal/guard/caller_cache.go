package guard

import (
	"container/list"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// callerState is the state of a caller between calls.
type callerState struct {
	prices   *priceCache
	access   *walletCache[time.Time] // when Wesendall last gave the caller access to a wallet
	rate     *rate.Limiter           // nil is no limit
	id       string
	lastUsed time.Time
}

func newCallerState(perSecond float64) *callerState {
	return &callerState{
		prices: newWalletCache[cachedPrice](), access: newWalletCache[time.Time](), rate: newRateLimiter(perSecond),
	}
}

// hasUsedTokens reports whether some of the rate is used up.
func (s *callerState) hasUsedTokens(now time.Time) bool {
	return s.rate != nil && s.rate.TokensAt(now) < float64(s.rate.Burst())
}

// state is the caller's, or nil if there are too many callers. It is looked up at
// each use, because it may have been evicted.
func (g *Guard) state() *callerState {
	if g.callerID == "" {
		return g.defaultState
	}
	return g.callerStates.state(g.callerID, g.options.Clock(), g.options.Rate)
}

// maxCallers limits the memory for callers: a few hundred bytes each.
const maxCallers = 10_000

// callerCache keeps the states of many callers.
type callerCache struct {
	max int

	mu     sync.Mutex
	states map[string]*list.Element
	lru    *list.List // of *callerState, the last used first
}

func newCallerCache() *callerCache {
	return &callerCache{max: maxCallers, states: map[string]*list.Element{}, lru: list.New()}
}

func (c *callerCache) state(id string, now time.Time, perSecond float64) *callerState {
	c.mu.Lock()
	defer c.mu.Unlock()
	elem, ok := c.states[id]
	if !ok {
		if c.evict(now); len(c.states) >= c.max {
			return nil
		}
		state := newCallerState(perSecond)
		state.id = id
		elem = c.lru.PushFront(state)
		c.states[id] = elem
	}
	c.lru.MoveToFront(elem)
	state := elem.Value.(*callerState) //nolint:forcetypeassert // nothing else is in the list
	state.lastUsed = now
	return state
}

// evict removes the states that have expired and, if there is no room, the
// least recently used one. A caller whose rate is partly used stays, because
// eviction would reset it. Others lose a price, which is soon read again.
func (c *callerCache) evict(now time.Time) {
	for elem := c.lru.Back(); elem != nil; {
		state := elem.Value.(*callerState) //nolint:forcetypeassert // nothing else is in the list
		if now.Sub(state.lastUsed) < accessTTL && len(c.states) < c.max {
			return
		}
		prev := elem.Prev()
		if !state.hasUsedTokens(now) {
			c.lru.Remove(elem)
			delete(c.states, state.id)
		}
		elem = prev
	}
}
