package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A process that was suspended while it connected must not send when it continues.
func TestDepartBy_NothingLeavesLate(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]time.Time{
		"by the monotonic clock":                     time.Now(),
		"by the wall clock":                          time.Now().Round(0),
		"a second later, by the monotonic clock":     time.Now().Add(-time.Second),
		"a second later, by the wall clock":          time.Now().Round(0).Add(-time.Second),
		"it passes while the request waits to leave": time.Now().Add(50 * time.Millisecond),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, respondWith(200, `{}`))
			env.writeHTTP.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				<-time.After(time.Until(limit) + time.Millisecond)
				return new(net.Dialer).DialContext(ctx, network, addr)
			}
			for call := range calls {
				if call == "get_balance" || call == "list_sms_history" || call == "list_groups" {
					continue
				}
				_, err := calls[call](WithDepartBy(t.Context(), limit), env.Client)
				e, ok := errors.AsType[*Error](err)
				if !ok || e.Sent || e.Money != MoneyNotCharged || e.Message != "not sent: this computer was suspended" || e.Attempts != 1 {
					t.Errorf("%s: %+v", call, err)
				}
			}
			if n := len(env.requests()); n != 0 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestDepartBy_InTime(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, respondWith(200, `{}`))
	if _, err := calls["send_sms to one"](WithDepartBy(t.Context(), time.Now().Add(time.Minute)), env.Client); err != nil {
		t.Error(err)
	}
}

// A refund stands if less than ten seconds are left for a retry.
func TestDepartBy_RetryNeedsTime(t *testing.T) {
	t.Parallel()
	for left, attempts := range map[time.Duration]int{9 * time.Second: 1, 30 * time.Second: 2} {
		env := newTestEnv(t, respondWith(http.StatusBadGateway, `{"error":{"code":"send_failed","message":"no"}}`))
		_, err := calls["send_sms to one"](WithDepartBy(t.Context(), time.Now().Add(left)), env.Client)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Attempts != attempts || e.Money != MoneyRefunded || len(env.requests()) != attempts {
			t.Errorf("%s left: %+v", left, err)
		}
	}
}

// slowConn is a connection whose process is suspended before one of its writes.
type slowConn struct {
	net.Conn
	writes    int
	suspendAt int
	until     time.Time
}

func (c *slowConn) Write(p []byte) (int, error) {
	if c.writes++; c.writes == c.suspendAt {
		<-time.After(time.Until(c.until) + time.Millisecond)
	}
	return c.Conn.Write(p)
}

// A process that is suspended after the last check of the headers, or in the middle
// of the body, must not write the rest when it continues.
func TestDepartBy_NoRestIsWrittenLate(t *testing.T) {
	t.Parallel()
	for name, suspendAt := range map[string]int{"before the headers are written": 1, "in the middle of the body": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			missing := make(chan int64, 1) // bytes of the body, if the headers came
			var env *testEnv
			env = newTestEnv(t, func(_ http.ResponseWriter, r *http.Request) {
				missing <- r.ContentLength - int64(len(env.requests()[0].Body))
			})
			limit := time.Now().Add(300 * time.Millisecond)
			transport := env.writeHTTP.Transport.(*http.Transport)
			dial := transport.DialContext
			transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := dial(ctx, network, addr)
				return &slowConn{Conn: conn, suspendAt: suspendAt, until: limit}, err
			}
			request := SendRequest{"wal_1", "Hi", slices.Repeat(Recipients{"+256700000010"}, 1000)}
			_, err := env.Send(WithDepartBy(t.Context(), limit), request)
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Money != MoneyUnknown || !strings.Contains(e.Message, errSuspendedWhileSending.Error()) || e.Attempts != 1 {
				t.Errorf("%+v", err)
			}
			if suspendAt > 1 && <-missing == 0 {
				t.Error("the request was completed")
			}
			if suspendAt == 1 && len(env.requests()) > 0 {
				t.Error("the headers were written")
			}
		})
	}
}
