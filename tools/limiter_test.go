package tools

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

func TestLimiter_QueueFull(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Wallet: "wal_1"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var waitingCalls sync.WaitGroup
	for range maxRunning {
		if _, _, err := s.acquire(ctx, ""); err != nil {
			t.Fatal(err)
		}
	}
	for range maxWaiting {
		waitingCalls.Go(func() {
			if _, _, err := s.acquire(ctx, ""); err == nil {
				t.Error("more calls run than may")
			}
		})
	}
	for len(s.admitted) < maxRunning+maxWaiting { //nolint:revive // the calls queue up, and nothing tells when
	}
	if _, _, err := s.acquire(ctx, ""); err == nil || !strings.Contains(err.Error(), guard.CodeRateLimited) {
		t.Error(err)
	}
	cancel()
	waitingCalls.Wait()
	if len(s.admitted) != maxRunning {
		t.Errorf("%d places are still taken", len(s.admitted))
	}
}

func TestLimiter_Timeout(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Wallet: "wal_1"})
	if err != nil {
		t.Fatal(err)
	}
	if s.acquireTimeout > 10*time.Second {
		t.Error("with 45 seconds for the call itself, a host would have given up")
	}
	s.acquireTimeout = 0
	for range maxRunning {
		s.running <- struct{}{}
	}
	if _, _, err := s.acquire(t.Context(), ""); err == nil ||
		!strings.Contains(err.Error(), "too many calls running") || len(s.admitted) != 0 {
		t.Errorf("%v, %d in the queue", err, len(s.admitted))
	}
}

func TestLimiter_Concurrency(t *testing.T) {
	t.Parallel()
	const calls = 32
	var all sync.WaitGroup
	all.Add(calls)
	r := newTestEnv(t, Options{Wallet: "wal_1"}, func(w http.ResponseWriter, _ *http.Request) {
		all.Done()
		all.Wait() // until all calls run at once
		_, _ = fmt.Fprint(w, `{}`)
	})
	var done sync.WaitGroup
	for i := range calls {
		done.Go(func() {
			if got := r.call(t, "send_sms", fmt.Sprintf(`{"recipient":"0700000010","message":"Hi %d"}`, i)); got.isError {
				t.Error(got.text)
			}
		})
	}
	done.Wait()
}
