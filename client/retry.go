package client

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// sleepBeforeRetry waits about half a second, after what the server asked for. It fails
// at once if that leaves no time for another attempt.
func (c *Client) sleepBeforeRetry(ctx context.Context, retryAfter time.Duration, deadline time.Time) error {
	wait := retryAfter + time.Duration((0.25+c.jitter()/2)*float64(time.Second))
	if time.Now().Add(wait).After(deadline) {
		return context.DeadlineExceeded
	}
	return c.sleepFunc(ctx, wait)
}

// retryable tells whether sending the same request again is safe: the table
// that this follows gives each endpoint its own answer.
func (e *Error) retryable(r request) bool {
	switch r.endpoint.Effect {
	case EffectRead, EffectIdempotentWrite:
		return e.connFailed || slices.Contains([]int{
			http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
			http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		}, e.Status)
	case EffectSpend:
		// Refunded, and for one number the worst that can follow is a second
		// copy that was paid for once.
		return r.singleRecipient && e.Money == MoneyRefunded
	default:
		return false
	}
}

// parseRetryAfter reads the header's two forms: seconds and a date.
func parseRetryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(min(max(seconds, 0), 86400)) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return min(max(time.Until(date), 0), 24*time.Hour)
	}
	return 0
}
