package guard

import (
	"context"
	"fmt"
	"math"
	"time"
)

// burst is how many upstream calls may come at once, for a rate of one a
// second.
const burst = 2

// queueTime is for how long a call may wait for its turn. A host gives up after
// a minute, and the call itself may take 45 seconds.
const queueTime = 10 * time.Second

// AtVendor is what a call waits for that waits for nothing else.
const AtVendor = "Waiting for Wesendall's answer."

// wait waits for a turn among the calls that go upstream.
func (g *Guard) wait(ctx context.Context) error {
	if g.rate == nil {
		return nil
	}
	now := g.now()
	turn := g.rate.ReserveN(now, 1)
	delay := turn.DelayFrom(now)
	if delay > queueTime {
		turn.CancelAt(now)
		failure := Fail(RateLimited, fmt.Sprintf("Nothing was sent: too many calls wait for their turn, and %g go to Wesendall in a second (WESENDALL_RATE).", g.options.Rate))
		failure.RetryAfter = int(math.Ceil((delay - queueTime).Seconds()))
		return failure
	}
	if delay > 0 {
		progress(ctx, fmt.Sprintf("Waiting %.1f s for a turn: %g calls a second go to Wesendall.", delay.Seconds(), g.options.Rate), true)
		defer progress(ctx, AtVendor, false)
	}
	if ctx.Err() != nil || delay > 0 && g.sleep(ctx, delay) != nil {
		turn.Cancel()
		return Fail(Unreachable, "The call was cancelled while it waited. Nothing was sent.")
	}
	return nil
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
