package guard

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

// bucket is a token bucket: so many calls a second, and a few more at once. It may
// owe tokens, to the calls that wait.
type bucket struct {
	mu         sync.Mutex
	rate, most float64
	tokens     float64
	at         time.Time // when it was last filled
}

// newBucket allows twice as many calls at once as in a second, and never fewer
// than one spend takes.
func newBucket(rate float64) *bucket {
	most := max(5, 2*rate)
	return &bucket{rate: rate, most: most, tokens: most}
}

// take takes a token, and tells how long it is until that is there.
func (b *bucket) take(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if passed := now.Sub(b.at).Seconds(); passed > 0 && !b.at.IsZero() {
		b.tokens = min(b.most, b.tokens+passed*b.rate)
	}
	b.at = now
	b.tokens--
	return time.Duration(max(0, -b.tokens/b.rate) * float64(time.Second))
}

// back gives a token back that nobody used.
func (b *bucket) back() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.most, b.tokens+1)
}

// full tells whether nothing of it is used up. No bucket at all always is.
func (b *bucket) full(now time.Time) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tokens+max(0, now.Sub(b.at).Seconds())*b.rate >= b.most
}

// queueTime is for how long a call may wait for its turn. A host gives up after
// a minute, and the call itself may take 45 seconds.
const queueTime = 10 * time.Second

// AtVendor is what a call waits for that waits for nothing else.
const AtVendor = "Waiting for Wesendall's answer."

// wait waits for a turn among the calls that go upstream.
func (g *Guard) wait(ctx context.Context) error {
	seat := g.seat()
	if seat == nil {
		return Fail(RateLimited, "Nothing was sent: this server has too many callers. Try again in a minute.")
	}
	if seat.rate == nil {
		return nil
	}
	delay := seat.rate.take(g.now())
	if delay > queueTime {
		seat.rate.back()
		failure := Fail(RateLimited, fmt.Sprintf("Nothing was sent: too many calls wait for their turn, and %g go to Wesendall in a second (WESENDALL_RATE).", g.options.Rate))
		failure.RetryAfter = int(math.Ceil((delay - queueTime).Seconds()))
		return failure
	}
	if delay > 0 {
		progress(ctx, fmt.Sprintf("Waiting %.1f s for a turn: %g calls a second go to Wesendall.", delay.Seconds(), g.options.Rate), true)
		defer progress(ctx, AtVendor, false)
	}
	if ctx.Err() != nil || delay > 0 && g.sleep(ctx, delay) != nil {
		seat.rate.back()
		return Fail(Unreachable, "The call was cancelled while it waited. Nothing was sent.")
	}
	return nil
}

// unused gives a turn back that was waited for.
func (g *Guard) unused() {
	if seat := g.seat(); seat != nil && seat.rate != nil {
		seat.rate.back()
	}
}

// sleep waits until the duration is over or the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type progressKey struct{}

// Progress hears what a call waits for: for longer than it seems, if now.
type Progress func(text string, now bool)

// WithProgress has the guard say what a call is waiting for.
func WithProgress(ctx context.Context, p Progress) context.Context {
	return context.WithValue(ctx, progressKey{}, p)
}

func progress(ctx context.Context, text string, now bool) {
	if p, ok := ctx.Value(progressKey{}).(Progress); ok {
		p(text, now)
	}
}
