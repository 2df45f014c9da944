package guard

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// rateLimitEnv is an environment with one request a second, in bursts of five. Its
// sleep moves the clock.
type rateLimitEnv struct {
	*testEnv
	delays []time.Duration
}

func newRateLimitEnv(t *testing.T) *rateLimitEnv {
	t.Helper()
	env := &rateLimitEnv{}
	env.testEnv = newTestEnv(t, 5000, func(o *Options) {
		o.Rate, o.Confirm = 1, ConfirmOff
		o.SleepFunc = func(ctx context.Context, d time.Duration) error {
			env.delays = append(env.delays, d)
			env.advance(d)
			return ctx.Err()
		}
	})
	return env
}

func (env *rateLimitEnv) sendGroup(ctx context.Context, message string) *Error {
	env.Helper()
	_, err := env.guard.SendGroup(ctx, sendGroupRequest(message), SpendOptions{})
	return env.asGuardError(err)
}

func (env *rateLimitEnv) readHistory(times int) {
	for range times {
		_, _ = env.guard.History(context.Background(), client.HistoryRequest{WalletID: sandbox.WalletID})
	}
}

// The limit counts requests to Wesendall, not calls of tools.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	env := newRateLimitEnv(t)
	var progressTexts []string
	ctx := WithProgress(t.Context(), func(text string, now bool) {
		if now {
			progressTexts = append(progressTexts, text)
		}
	})
	env.readHistory(3)                                       // of a burst of five
	if failure := env.sendGroup(ctx, "Hi"); failure != nil { // groups, balance, send: the third waits
		t.Fatal(failure)
	}
	if !slices.Equal(env.delays, []time.Duration{time.Second}) || len(progressTexts) != 1 ||
		!strings.HasPrefix(progressTexts[0], "Waiting 1.0 s for the rate limit") {
		t.Errorf("%v, %q", env.delays, progressTexts)
	}
	// A call that is cancelled while it waits is not stored.
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	failure := env.sendGroup(cancelled, "Ho")
	if failure == nil || failure.Code != CodeUnreachable || env.requestCount() != 1 || len(env.states()) != 1 {
		t.Errorf("%v, %d requests, %v", failure, env.requestCount(), env.states())
	}
	// A refused send takes one token, and the read of the group another.
	env.advance(5 * time.Second)
	env.delays = nil
	for range 20 {
		failure := env.sendGroup(t.Context(), "Hi")
		if failure == nil || failure.Code != CodeDuplicateSend && failure.Code != CodeRateLimited {
			t.Fatal(failure)
		}
		env.advance(2 * time.Second)
	}
	if len(env.delays) > 0 {
		t.Errorf("%v", env.delays)
	}
}

func TestRateLimit_Queue(t *testing.T) {
	t.Parallel()
	env := newRateLimitEnv(t)
	if failure := env.sendGroup(t.Context(), "Hi"); failure != nil {
		t.Fatal(failure)
	}
	env.guard.options.SleepFunc = func(context.Context, time.Duration) error { return context.Canceled }
	env.readHistory(20)
	env.advance(time.Second)
	if _, err := env.guard.Balance(t.Context(), client.BalanceRequest{WalletID: sandbox.WalletID}); err != nil {
		t.Errorf("cancelled calls keep their tokens: %v", err)
	}
	env.guard.options.SleepFunc = func(context.Context, time.Duration) error { return nil } // all come at once
	env.readHistory(20)
	failure := env.sendGroup(t.Context(), "Hu")
	if failure == nil || failure.Code != CodeRateLimited || failure.RetryAfter < 1 || env.requestCount() != 1 {
		t.Fatalf("the queue is full: %+v", failure)
	}
	expectedError{failure, t}.says("WESENDALL_RATE")
}
