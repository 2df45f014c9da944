package guard

import (
	"container/list"
	"sync"
	"time"
)

// For is the guard of one of many callers: with the same limits and the same
// ledger, and with quotes, prices and a rate of the caller's own. The id names
// the caller in the ledger. Whoever has it counts as the caller, so where it is
// made of credentials it must be made of all of them, the secret included.
func (g *Guard) For(api API, id string) *Guard {
	other := *g
	other.api, other.caller = api, id
	return &other
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
