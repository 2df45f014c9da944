package mcpserver

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestBodyBudget(t *testing.T) {
	t.Parallel()
	b := newBodyBudget()
	acquire := func(size int64, timeout time.Duration) func() {
		t.Helper()
		release, err := b.Acquire((&http.Request{ContentLength: size}).WithContext(t.Context()), timeout)
		if err != nil {
			return nil
		}
		return release
	}
	const soon = time.Millisecond
	large := acquire(maxRequestBytes, soon) // counts as the whole budget
	if large == nil {
		t.Fatal("a large body alone is refused")
	}
	for size, want := range map[int64]bool{0: true, smallBodyBytes: true, smallBodyBytes + 1: false, unknownBodySize: false} {
		if release := acquire(size, soon); (release != nil) != want {
			t.Errorf("beside a large body, one of %d bytes is let in: %v", size, !want)
		}
	}
	large()
	large() // does nothing
	for range totalBodyBytes / (64 << 10) {
		if acquire(64<<10, soon) == nil {
			t.Error("bodies that fit together are refused")
		}
	}
	if acquire(64<<10, soon) != nil {
		t.Error("more than the budget is let in")
	}
}

// A request that waits too long for the body budget is answered with Retry-After, and its
// body is not read.
func TestHTTP_TooManyLargeBodies(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake(), withTimeouts(func(t *timeouts) { t.body = 50 * time.Millisecond }))
	release, err := s.handler.bodies.Acquire(&http.Request{ContentLength: unknownBodySize}, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	padded := strings.Repeat(" ", 20<<10) + initializeRequest
	if a := s.post(padded, callerHeaders("anna")); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") != "5" {
		t.Errorf("%+v", a)
	}
	if a := s.post(initializeRequest, callerHeaders("anna")); a.status != http.StatusOK {
		t.Errorf("a small one is refused: %+v", a)
	}
	release()
	if a := s.post(padded, callerHeaders("anna")); a.status != http.StatusOK {
		t.Errorf("it is refused although nothing else runs: %+v", a)
	}
}
