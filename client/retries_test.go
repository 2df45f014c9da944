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

func TestOnlyTheRetriesOfTheTableHappen(t *testing.T) {
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
		{"429", safe, says(429, ""), 2},
		{"500", safe, says(500, coded("internal_error")), 2},
		{"502", safe, says(502, "<html>"), 2},
		{"503", safe, says(503, ""), 2},
		{"504", safe, says(504, ""), 2},
		{"a lost connection", safe, hangsUp, 2},
		{"an answer that breaks off", safe, breaksOff, 2},
		{"501", safe, says(501, ""), 1},
		{"401", safe, says(401, coded("invalid_credentials")), 1},
		{"404", safe, says(404, ""), 1},
		{"422", safe, says(422, coded("validation_failed")), 1},
		{"a redirect", safe, says(302, ""), 1},
		{"a success that cannot be read", safe, says(200, "{"), 1},
		{"429", rest, says(429, ""), 1},
		{"internal_error", rest, says(500, coded("internal_error")), 1},
		{"502 without a code", rest, says(502, ""), 1},
		{"503", rest, says(503, ""), 1},
		{"504", rest, says(504, ""), 1},
		{"a lost connection", rest, hangsUp, 1},
		{"an answer that breaks off", rest, breaksOff, 1},
		{"a refusal by the provider", "send_sms to one", says(502, coded("send_failed")), 2},
		{"a refusal by the provider", strings.ReplaceAll(rest, "send_sms to one, ", ""), says(502, coded("send_failed")), 1},
		{"send_failed under another status", rest, says(500, coded("send_failed")), 1},
	} {
		for call := range strings.SplitSeq(c.calls, ", ") {
			t.Run(c.name+", "+call, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, c.answer)
				e := r.fails(t, call)
				if got := len(r.requests()); got != c.requests || e.Attempts != c.requests || len(r.slept) != c.requests-1 {
					t.Errorf("%d requests, %d attempts, slept %v: %v", got, e.Attempts, r.slept, e)
				}
			})
		}
	}
}

// breaksOff promises more of an answer than it gives.
func breaksOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = w.Write([]byte(`{"success":true`))
}

// first answers the first request in one way and the others in another.
func first(once, then http.HandlerFunc) http.HandlerFunc {
	var n atomic.Int32
	return func(w http.ResponseWriter, q *http.Request) {
		if n.Add(1) == 1 {
			once(w, q)
		} else {
			then(w, q)
		}
	}
}

func TestASecondAttemptThatSucceedsIsASuccess(t *testing.T) {
	t.Parallel()
	for call, failure := range map[string]http.HandlerFunc{
		"get_balance": hangsUp, "add_contacts": says(503, ""), "send_sms to one": says(502, coded("send_failed")),
	} {
		r := newRig(t, first(failure, says(200, `{"success":true,"data":7}`)))
		got, err := calls[call](t.Context(), r.Client)
		if err != nil || got.Attempts != 2 || string(got.Data) != "7" {
			t.Errorf("%s: %+v, %v", call, got, err)
		}
		if all := r.requests(); len(all) != 2 || all[0].Body != all[1].Body || all[0].URI != all[1].URI {
			t.Errorf("%s: the second request is another: %+v", call, all)
		}
	}
}

func TestTheSecondFailureOfASpendDecidesIfItLeft(t *testing.T) {
	t.Parallel()
	r := newRig(t, first(says(502, coded("send_failed")), hangsUp))
	if e := r.fails(t, "send_sms to one"); !e.OutcomeUnknown() || e.Attempts != 2 || e.Money != Unknown {
		t.Errorf("%+v", e)
	}
	r = newRig(t, says(502, coded("send_failed")))
	var dials atomic.Int32
	r.writes.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials.Add(1) == 2 {
			addr = strings.TrimPrefix(nobody, "http://")
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	if e := r.fails(t, "send_sms to one"); e.Money != Refunded || e.Attempts != 1 || e.Code != "send_failed" {
		t.Errorf("%+v", e)
	}
}

func TestTheWaitBeforeASecondAttempt(t *testing.T) {
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
		r := newRig(t, after(c.asked))
		r.random = func() float64 { return c.random }
		e := r.fails(t, "get_balance")
		var slept time.Duration
		for _, d := range r.slept {
			slept += d
		}
		if e.Attempts != c.attempts || (slept-c.want).Abs() > time.Millisecond {
			t.Errorf("Retry-After %q: %d attempts, slept %v", c.asked, e.Attempts, slept)
		}
	}
}

func TestACallThatEndsWhileItWaitsIsNotRepeated(t *testing.T) {
	t.Parallel()
	r := newRig(t, says(503, ""))
	ctx, cancel := context.WithCancel(t.Context())
	r.sleep = func(ctx context.Context, d time.Duration) error {
		cancel()
		return sleep(ctx, d)
	}
	_, err := r.Balance(ctx, BalanceRequest{"wal_1"})
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Status != 503 || len(r.requests()) != 1 {
		t.Errorf("%v, %d requests", err, len(r.requests()))
	}
}

func TestSleepIsOverWhenItsTimeIs(t *testing.T) {
	t.Parallel()
	if err := sleep(t.Context(), time.Nanosecond); err != nil {
		t.Error(err)
	}
}
