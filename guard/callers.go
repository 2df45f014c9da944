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

// For is the guard of one of many callers: with the same limits and the same
// ledger, and with quotes, prices and a rate of the caller's own. The id names
// the caller in the ledger. Whoever has it counts as the caller, so where it is
// made of credentials it must be made of all of them, the secret included.
//
// Own limits tighten the operator's for this caller, and what it spends is
// counted for it besides: from the first call with such limits on, so a caller
// that may ever have some has them always, be it NoLimits.
func (g *Guard) For(api API, id string, own *Limits) *Guard {
	other := *g
	other.api, other.caller, other.own = api, id, own
	return &other
}

// NoLimits tightens nothing.
func NoLimits() Limits {
	const plenty = 1 << 53
	return Limits{PerCall: plenty, PerDay: plenty, TopUp: plenty, Recipients: 1 << 30, ConfirmAbove: plenty}
}

// ofCaller is how a caller's own limit is named, which no setting is.
const ofCaller = "the limit of this token"

// recipients is how many one call may reach, and what says so.
func (g *Guard) recipients() (most int, name string) {
	if most = g.options.Limits.Recipients; g.own != nil && g.own.Recipients < most {
		return g.own.Recipients, ofCaller
	}
	return most, "WESENDALL_MAX_RECIPIENTS"
}

// duplicateWindow is for how long what was sent is not sent again.
func (g *Guard) duplicateWindow() time.Duration {
	if g.own == nil {
		return g.options.Limits.DuplicateWindow
	}
	return max(g.own.DuplicateWindow, g.options.Limits.DuplicateWindow)
}

// unnamed begins the id of a caller that the ledger cannot name now. Nothing is
// written down under it: another process, or this one later, gives another.
const unnamed = "?"

// openAgain is how long a caller's id does not try the ledger again that could
// not be opened.
const openAgain = 5 * time.Second

// CallerID names a caller by a keyed hash of what makes it one: all of its
// credentials, and nothing else. Every process on the ledger gives the same id.
// Where the ledger cannot be opened it is one for this process and for reading:
// what spends answers not_configured.
func (g *Guard) CallerID(ctx context.Context, parts ...string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	// One call finds out that it cannot be opened, which may take a while.
	g.first.Do(func() {
		if _, err := g.ledger(ctx); err != nil && ctx.Err() == nil {
			g.tried.Store(g.now().UnixNano())
		}
	})
	key, prefix := g.key.Load(), "basic-"
	if at, now := g.tried.Load(), g.now().UnixNano(); key == nil && now-at >= int64(openAgain) && g.tried.CompareAndSwap(at, now) {
		_, _ = g.ledger(ctx)
		key = g.key.Load()
	}
	if key == nil {
		key, prefix = g.makeshift(), unnamed
	}
	return prefix + hex.EncodeToString(hash(*key, append([]string{"caller"}, parts...)...)[:16]), nil
}

// Key is one that every process on the same ledger has, for one purpose.
func (g *Guard) Key(ctx context.Context, purpose string) ([]byte, error) {
	l, err := g.ledger(ctx)
	if err != nil {
		return nil, err
	}
	return l.hash("key", purpose), nil
}

// named makes sure that what is written down now is found again under the
// caller's id.
func (g *Guard) named(ctx context.Context) error {
	if !strings.HasPrefix(g.caller, unnamed) {
		return nil
	}
	if _, err := g.ledger(ctx); err != nil {
		return err
	}
	failure := Fail(NotConfigured, "Nothing was sent: the ledger of spends could not be used when the call came. Call again.")
	failure.Retry = client.RetryLater
	return failure
}

// seat is what is kept of a caller between calls.
type seat struct {
	prices prices
	rate   *bucket // nil is no limit
	id     string
	used   time.Time
}

func newSeat(rate float64) *seat {
	s := &seat{prices: prices{last: map[string]price{}}}
	if rate > 0 {
		s.rate = newBucket(rate)
	}
	return s
}

// seat is the caller's; nil where there is none left. It is asked for at each
// use, so that nobody goes on with one that was taken away.
func (g *Guard) seat() *seat {
	if g.caller == "" {
		return g.only
	}
	return g.callers.seat(g.caller, g.now(), g.options.Rate)
}

// callersKept bounds the memory that callers take: a few hundred bytes each.
const callersKept = 10_000

// callers are the seats of many callers.
type callers struct {
	most int

	mu    sync.Mutex
	seats map[string]*list.Element
	order *list.List // of *seat, the last used first
}

func newCallers() *callers {
	return &callers{most: callersKept, seats: map[string]*list.Element{}, order: list.New()}
}

func (c *callers) seat(id string, now time.Time, rate float64) *seat {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, known := c.seats[id]
	if !known {
		if c.clear(now); len(c.seats) >= c.most {
			return nil
		}
		s := newSeat(rate)
		s.id = id
		at = c.order.PushFront(s)
		c.seats[id] = at
	}
	c.order.MoveToFront(at)
	s := at.Value.(*seat) //nolint:forcetypeassert // nothing else is in the list
	s.used = now
	return s
}

// clear takes away the seats whose prices hold no more and, where none is free,
// the one that was unused for longest. It leaves who has used up some of the
// rate: coming back as somebody new would give it all back. Everybody else loses
// a price that is soon read again.
func (c *callers) clear(now time.Time) {
	for at := c.order.Back(); at != nil; {
		s := at.Value.(*seat) //nolint:forcetypeassert // nothing else is in the list
		if now.Sub(s.used) < priceTime && len(c.seats) < c.most {
			return
		}
		before := at.Prev()
		if s.rate.full(now) {
			c.order.Remove(at)
			delete(c.seats, s.id)
		}
		at = before
	}
}
