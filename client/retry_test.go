package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestRetry_Table(t *testing.T) {
	t.Parallel()
	const (
		safe = "get_balance, list_sms_history, list_groups, add_contacts"
		rest = "topup_wallet, send_sms to one, send_sms to several, send_sms to a list, send_group_sms, create_group"
	)
	for _, c := range []struct {
		name, calls string
		answer      http.HandlerFunc
		requests    int
	}{
		{"429", safe, respondWith(429, ""), 2},
		{"500", safe, respondWithCode(500, "internal_error"), 2},
		{"502", safe, respondWith(502, "<html>"), 2},
		{"503", safe, respondWith(503, ""), 2},
		{"504", safe, respondWith(504, ""), 2},
		{"a lost connection", safe, dropConnection, 2},
		{"an answer that breaks off", safe, truncateResponse, 2},
		{"501", safe, respondWith(501, ""), 1},
		{"401", safe, respondWithCode(401, "invalid_credentials"), 1},
		{"404", safe, respondWith(404, ""), 1},
		{"422", safe, respondWithCode(422, "validation_failed"), 1},
		{"a redirect", safe, respondWith(302, ""), 1},
		{"a success that cannot be read", safe, respondWith(200, "{"), 1},
		{"429", rest, respondWith(429, ""), 1},
		{"internal_error", rest, respondWithCode(500, "internal_error"), 1},
		{"502 without a code", rest, respondWith(502, ""), 1},
		{"503", rest, respondWith(503, ""), 1},
		{"504", rest, respondWith(504, ""), 1},
		{"a lost connection", rest, dropConnection, 1},
		{"an answer that breaks off", rest, truncateResponse, 1},
		{"a refusal by the provider", "send_sms to one", respondWithCode(502, "send_failed"), 2},
		{"a refusal by the provider", strings.ReplaceAll(rest, "send_sms to one, ", ""), respondWithCode(502, "send_failed"),
			1},
		{"send_failed under another status", rest, respondWithCode(500, "send_failed"), 1},
	} {
		for call := range strings.SplitSeq(c.calls, ", ") {
			t.Run(c.name+", "+call, func(t *testing.T) {
				t.Parallel()
				env := newTestEnv(t, c.answer)
				e := env.expectError(t, call)
				if got := len(env.requests()); got != c.requests || e.Attempts != c.requests || len(env.slept) != c.requests-1 {
					t.Errorf("%d requests, %d attempts, slept %v: %v", got, e.Attempts, env.slept, e)
				}
			})
		}
	}
}

// truncateResponse promises more of an answer than it gives.
func truncateResponse(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = w.Write([]byte(`{"success":true`))
}

// respondFirstThen answers the first request in one way and the others in another.
func respondFirstThen(first, rest http.HandlerFunc) http.HandlerFunc {
	var n atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			first(w, r)
		} else {
			rest(w, r)
		}
	}
}

func TestRetry_Success(t *testing.T) {
	t.Parallel()
	for call, failure := range map[string]http.HandlerFunc{
		"get_balance": dropConnection, "add_contacts": respondWith(503, ""),
		"send_sms to one": respondWithCode(502, "send_failed"),
	} {
		env := newTestEnv(t, respondFirstThen(failure, respondWith(200, `{"success":true,"data":7}`)))
		got, err := calls[call](t.Context(), env.Client)
		if err != nil || got.Attempts != 2 || string(got.Data) != "7" {
			t.Errorf("%s: %+v, %v", call, got, err)
		}
		if requests := env.requests(); len(requests) != 2 || requests[0].Body != requests[1].Body ||
			requests[0].URI != requests[1].URI {
			t.Errorf("%s: the second request is another: %+v", call, requests)
		}
	}
}

func TestRetry_SpendSecondFailure(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, respondFirstThen(respondWithCode(502, "send_failed"), dropConnection))
	if e := env.expectError(t, "send_sms to one"); !e.OutcomeUnknown() || e.Attempts != 2 || e.Money != MoneyUnknown {
		t.Errorf("%+v", e)
	}
	env = newTestEnv(t, respondWithCode(502, "send_failed"))
	var dials atomic.Int32
	env.writeHTTP.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, addr string) (net.Conn,
		error) {
		if dials.Add(1) == 2 {
			addr = strings.TrimPrefix(unreachableURL, "http://")
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	if e := env.expectError(t, "send_sms to one"); e.Money != MoneyRefunded || e.Attempts != 1 || e.Code != "send_failed" {
		t.Errorf("%+v", e)
	}
}

func TestRetry_Backoff(t *testing.T) {
	t.Parallel()
	after := func(seconds string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", seconds)
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
	for _, c := range []struct {
		asked    string
		random   float64
		want     time.Duration
		attempts int
	}{
		{"", 0, 250 * time.Millisecond, 2},
		{"", 0.5, 500 * time.Millisecond, 2},
		{"", 0.999999, 750 * time.Millisecond, 2},
		{"7", 0, 7250 * time.Millisecond, 2},
		{"29", 0, 29250 * time.Millisecond, 2},
		{"30", 0, 0, 1}, // past the 30 s of a read
		{"86400", 0, 0, 1},
	} {
		env := newTestEnv(t, after(c.asked))
		env.jitter = func() float64 { return c.random }
		e := env.expectError(t, "get_balance")
		var slept time.Duration
		for _, d := range env.slept {
			slept += d
		}
		if e.Attempts != c.attempts || (slept-c.want).Abs() > time.Millisecond {
			t.Errorf("Retry-After %q: %d attempts, slept %v", c.asked, e.Attempts, slept)
		}
	}
}

func TestRetry_ContextDone(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, respondWith(503, ""))
	ctx, cancel := context.WithCancel(t.Context())
	env.sleepFunc = func(ctx context.Context, d time.Duration) error {
		cancel()
		return SleepContext(ctx, d)
	}
	_, err := env.Balance(ctx, BalanceRequest{"wal_1"})
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Status != 503 || len(env.requests()) != 1 {
		t.Errorf("%v, %d requests", err, len(env.requests()))
	}
}

func TestSleepContext(t *testing.T) {
	t.Parallel()
	if err := SleepContext(t.Context(), time.Nanosecond); err != nil {
		t.Error(err)
	}
}

func TestAddContacts_RetryKeepsFirstError(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	dials := 0
	transport := env.writeHTTP.Transport.(*http.Transport)
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials++; dials == 2 {
			addr = strings.TrimPrefix(unreachableURL, "http://")
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	if e := env.expectError(t, "add_contacts"); !e.Sent {
		t.Errorf("%+v", e)
	}
}
