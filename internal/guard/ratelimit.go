package guard

import (
	"context"
	"fmt"
	"math"
	"time"

	"golang.org/x/time/rate"
)

// newRateLimiter allows twice as many calls at once as in a second, and never
// fewer than one spend takes. nil is no limit.
func newRateLimiter(perSecond float64) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), int(max(5, 2*perSecond)))
}

// maxQueueDelay is how long a call may wait for the rate. A host gives up after a
// minute, and the call itself may take 45 seconds.
const maxQueueDelay = 10 * time.Second

// waitForRate waits until the caller's rate allows one more upstream call.
func (g *Guard) waitForRate(ctx context.Context) error {
	state := g.state()
	if state == nil {
		return NewError(CodeRateLimited, "Nothing was sent: this server has too many callers. Try again in a minute.")
	}
	if state.rate == nil {
		return nil
	}
	now := g.options.Clock()
	reservation := state.rate.ReserveN(now, 1)
	delay := reservation.DelayFrom(now)
	if delay > maxQueueDelay {
		reservation.CancelAt(now)
		e := NewError(CodeRateLimited, fmt.Sprintf(
			"Nothing was sent: too many calls are waiting; %g calls a second go to Wesendall (WESENDALL_RATE).", g.options.Rate))
		e.RetryAfter = int(math.Ceil((delay - maxQueueDelay).Seconds()))
		return e
	}
	if delay > 0 {
		reportProgress(ctx, fmt.Sprintf("Waiting %.1f s for the rate limit: %g calls a second go to Wesendall.",
			delay.Seconds(), g.options.Rate), true)
		defer reportProgress(ctx, ProgressUpstream, false)
	}
	if ctx.Err() != nil || delay > 0 && g.options.SleepFunc(ctx, delay) != nil {
		reservation.CancelAt(g.options.Clock())
		return NewError(CodeUnreachable, "The call was cancelled while it waited. Nothing was sent.")
	}
	return nil
}
