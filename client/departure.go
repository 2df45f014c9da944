package client

import (
	"context"
	"errors"
	"time"
)

// minRetryMargin is how much time before the departure limit a retry needs.
const minRetryMargin = 10 * time.Second

// errTooLate is why a request did not leave: its departure limit had passed.
var errTooLate = errors.New("not sent: this computer was suspended")

type departByKey struct{}

// WithDepartBy returns a context whose writes must send their headers by t, by the
// wall clock and by the monotonic clock. After that nothing is sent, and the call
// fails with Sent false. A process can be suspended between storing an intent and
// sending its request; without the limit it would send when it continues, although
// the spend may have been settled and repeated meanwhile. t must come from
// time.Now.
func WithDepartBy(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, departByKey{}, t)
}

// departsLate reports whether the departure limit has passed, or is less than
// margin away.
func departsLate(ctx context.Context, margin time.Duration) bool {
	limit, ok := ctx.Value(departByKey{}).(time.Time)
	if !ok {
		return false
	}
	// The monotonic clock may stand still while the machine sleeps, and the wall
	// clock may be set back: either of them decides.
	now := time.Now().Add(margin)
	return now.After(limit) || now.Round(0).After(limit.Round(0))
}
