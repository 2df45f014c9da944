package client

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// retryable reports whether sending the same request again can neither charge nor
// text anyone twice.
func (e *Error) retryable(r request) bool {
	switch r.endpoint.Effect {
	case EffectRead, EffectIdempotentWrite:
		return e.connFailed || isRetryableStatus(e.Status)
	case EffectSpend:
		// After a refund of a send to one number, the worst case is a second copy
		// that was paid for once.
		return r.singleRecipient && e.Money == MoneyRefunded
	default:
		return false
	}
}

// isRetryableStatus reports whether a free call may succeed a moment later.
func isRetryableStatus(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}

// sleepBeforeRetry waits as long as the server asked, and 0.25 to 0.75 seconds
// more. It fails at once if that leaves no time for another attempt.
func (c *Client) sleepBeforeRetry(ctx context.Context, retryAfter time.Duration, deadline time.Time) error {
	wait := retryAfter + time.Duration((0.25+c.jitter()/2)*float64(time.Second))
	if time.Now().Add(wait).After(deadline) {
		return context.DeadlineExceeded
	}
	return c.sleepFunc(ctx, wait)
}

// SleepContext waits until d is over or the context ends, and then returns the
// context's error.
func SleepContext(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// maxRetryAfter is the longest wait that a server can ask for.
const maxRetryAfter = 24 * time.Hour

// parseRetryAfter reads the two forms of a Retry-After header, seconds and a date.
// It returns 0 for anything else.
func parseRetryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(min(max(seconds, 0), int(maxRetryAfter/time.Second))) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return min(max(time.Until(date), 0), maxRetryAfter)
	}
	return 0
}
