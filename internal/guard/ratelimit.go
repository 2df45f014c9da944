package guard

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

// tokenBucket is a token bucket: so many calls a second, and a few more at once. It may
// owe tokens, to the calls that wait.
type tokenBucket struct {
	mu          sync.Mutex
	rate, burst float64
	tokens      float64
	updatedAt   time.Time // when it was last filled
}

// newTokenBucket allows twice as many calls at once as in a second, and never fewer
// than one spend takes.
func newTokenBucket(rate float64) *tokenBucket {
	burst := max(5, 2*rate)
	return &tokenBucket{rate: rate, burst: burst, tokens: burst}
}

// reserve takes a token, and tells how long it is until that is there.
func (b *tokenBucket) reserve(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if elapsed := now.Sub(b.updatedAt).Seconds(); elapsed > 0 && !b.updatedAt.IsZero() {
		b.tokens = min(b.burst, b.tokens+elapsed*b.rate)
	}
	b.updatedAt = now
	b.tokens--
	return time.Duration(max(0, -b.tokens/b.rate) * float64(time.Second))
}

// refund gives a token back that nobody used.
func (b *tokenBucket) refund() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.burst, b.tokens+1)
}

// isFull tells whether nothing of it is used up. No bucket at all always is.
func (b *tokenBucket) isFull(now time.Time) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tokens+max(0, now.Sub(b.updatedAt).Seconds())*b.rate >= b.burst
}

// maxQueueDelay is for how long a call may wait for its turn. A host gives up after
// a minute, and the call itself may take 45 seconds.
const maxQueueDelay = 10 * time.Second

// ProgressUpstream is what a call waits for that waits for nothing else.
const ProgressUpstream = "Waiting for Wesendall's answer."

// waitForRate waits for a turn among the calls that go upstream.
func (g *Guard) waitForRate(ctx context.Context) error {
	state := g.state()
	if state == nil {
		return NewError(CodeRateLimited, "Nothing was sent: this server has too many callers. Try again in a minute.")
	}
	if state.rate == nil {
		return nil
	}
	delay := state.rate.reserve(g.now())
	if delay > maxQueueDelay {
		state.rate.refund()
		failure := NewError(CodeRateLimited, fmt.Sprintf("Nothing was sent: too many calls wait for their turn, and %g go to Wesendall in a second (WESENDALL_RATE).", g.options.Rate))
		failure.RetryAfter = int(math.Ceil((delay - maxQueueDelay).Seconds()))
		return failure
	}
	if delay > 0 {
		reportProgress(ctx, fmt.Sprintf("Waiting %.1f s for a turn: %g calls a second go to Wesendall.", delay.Seconds(), g.options.Rate), true)
		defer reportProgress(ctx, ProgressUpstream, false)
	}
	if ctx.Err() != nil || delay > 0 && g.sleepFunc(ctx, delay) != nil {
		state.rate.refund()
		return NewError(CodeUnreachable, "The call was cancelled while it waited. Nothing was sent.")
	}
	return nil
}

// refundRate gives a turn back that was waited for.
func (g *Guard) refundRate() {
	if state := g.state(); state != nil && state.rate != nil {
		state.rate.refund()
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

// ProgressFunc hears what a call waits for: for longer than it seems, if now.
type ProgressFunc func(text string, now bool)

// WithProgress has the guard say what a call is waiting for.
func WithProgress(ctx context.Context, p ProgressFunc) context.Context {
	return context.WithValue(ctx, progressKey{}, p)
}

func reportProgress(ctx context.Context, text string, now bool) {
	if p, ok := ctx.Value(progressKey{}).(ProgressFunc); ok {
		p(text, now)
	}
}
