package client

import (
	"context"
	"errors"
	"net"
	"time"
)

// minRetryMargin is how much time before the departure limit a retry needs.
const minRetryMargin = 10 * time.Second

// errDepartureMissed is the error of a request that was not sent, because its departure
// limit had passed.
var errDepartureMissed = errors.New("not sent: this computer was suspended")

// errSuspendedWhileSending is the error of a request of which a part may have been sent.
var errSuspendedWhileSending = errors.New("this computer was suspended while it sent the request")

type departByKey struct{}

// WithDepartBy returns a context whose writes must send their headers by t, by the
// wall clock and by the monotonic clock. After that nothing is sent, and the call
// fails with Sent false. A process can be suspended between storing an intent and
// sending its request; without the limit it would send when it continues, although
// the spend may have been settled and repeated in the meantime. t must come from
// time.Now.
func WithDepartBy(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, departByKey{}, t)
}

// missesDeparture reports whether the departure limit of ctx has passed, or is less than
// margin away.
func missesDeparture(ctx context.Context, margin time.Duration) bool {
	limit, ok := ctx.Value(departByKey{}).(time.Time)
	return ok && isPast(limit, margin)
}

func isPast(limit time.Time, margin time.Duration) bool {
	// The monotonic clock may stand still while the machine sleeps, and the wall
	// clock may be set back: either of them decides.
	now := time.Now().Add(margin)
	return now.After(limit) || now.Round(0).After(limit.Round(0))
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// withDeparture returns a dial function whose connections write nothing after the
// departure limit of their request.
func withDeparture(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		limit, ok := ctx.Value(departByKey{}).(time.Time)
		if err != nil || !ok {
			return conn, err
		}
		// Ends a write that waits for the other side.
		if err := conn.SetWriteDeadline(limit); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return deadlineConn{conn, limit}, nil
	}
}

// deadlineConn writes nothing after limit. A process can be suspended between the
// check of the headers and their write, and in the middle of a body: a request that
// lacks its end has no effect.
type deadlineConn struct {
	net.Conn
	limit time.Time
}

func (c deadlineConn) Write(p []byte) (int, error) {
	if isPast(c.limit, 0) {
		return 0, errors.Join(errSuspendedWhileSending, c.Close())
	}
	return c.Conn.Write(p)
}
