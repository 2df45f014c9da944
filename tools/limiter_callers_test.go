package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// One caller gets a quarter of the slots; calls of others still run.
func TestLimiter_Fairness(t *testing.T) {
	t.Parallel()
	h := newMultiUserEnv(t, nil)
	s := h.toolset
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var leaves []func()
	for range maxRunningPerCaller {
		leave, _, err := s.acquire(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leave)
	}
	var waits sync.WaitGroup
	for range maxPerCaller - maxRunningPerCaller {
		waits.Go(func() {
			if _, _, err := s.acquire(ctx, "a"); err == nil {
				t.Error("A has more than its share")
			}
		})
	}
	calls := func() int {
		s.callers.mu.Lock()
		defer s.callers.mu.Unlock()
		return s.callers.byCaller["a"].calls
	}
	for calls() < maxPerCaller { //nolint:revive // the calls queue up, and nothing tells when
	}
	if _, _, err := s.acquire(ctx, "a"); err == nil || !strings.Contains(err.Error(), guard.CodeRateLimited) ||
		!strings.Contains(err.Error(), "this caller has too many calls waiting") {
		t.Error(err)
	}
	if len(s.admitted) != maxRunningPerCaller {
		t.Errorf("A holds %d places that others wait for", len(s.admitted))
	}
	for _, other := range []string{"b", "c", "d"} {
		for range maxRunningPerCaller {
			leave, _, err := s.acquire(t.Context(), other)
			if err != nil {
				t.Fatal(other, err)
			}
			leaves = append(leaves, leave)
		}
	}
	cancel()
	waits.Wait()
	for _, leave := range leaves {
		leave()
	}
	if len(s.admitted) != 0 || len(s.running) != 0 || len(s.callers.byCaller) != 0 {
		t.Errorf("%d, %d and %v are still taken", len(s.admitted), len(s.running), s.callers.byCaller)
	}
}

// A call that times out while it waits for a slot releases everything it holds.
func TestLimiter_CallerTimeout(t *testing.T) {
	t.Parallel()
	h := newMultiUserEnv(t, nil)
	s := h.toolset
	var aside func() func()
	for range maxRunningPerCaller {
		var err error
		if _, aside, err = s.acquire(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	s.acquireTimeout = 0
	a, b, _ := h.callers()
	a.ID = "a"
	if r := h.callAs(a, "get_balance", `{}`); r.get("code") != guard.CodeRateLimited {
		t.Error(r.text)
	}
	if r := h.callAs(b, "get_balance", `{}`); r.isError {
		t.Error(r.text)
	}
	if _, _, err := s.acquire(t.Context(), "a"); err == nil ||
		!strings.Contains(err.Error(), "this caller has too many calls running") {
		t.Error(err)
	}
	s.acquireTimeout = time.Minute
	back := aside() // while the user thinks
	leave, _, err := s.acquire(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	leave()
	back()
	for range maxRunning - maxRunningPerCaller {
		s.running <- struct{}{}
	}
	s.acquireTimeout = 0
	if _, _, err := s.acquire(t.Context(), "b"); err == nil ||
		!strings.Contains(err.Error(), "this server has too many calls running") {
		t.Error(err)
	}
	if s.callers.byCaller["b"] != nil || s.callers.byCaller["a"].calls != maxRunningPerCaller ||
		len(s.running) != maxRunning || len(s.admitted) != maxRunningPerCaller {
		t.Errorf("%v, %d, %d", s.callers.byCaller, len(s.running), len(s.admitted))
	}
}

// While the user of one caller thinks, the other calls of that caller run.
func TestLimiter_YieldDuringElicitation(t *testing.T) {
	t.Parallel()
	release, asked := make(chan struct{}), make(chan struct{}, 2*maxRunningPerCaller)
	h := newMultiUserEnv(t, nil)
	a, _, _ := h.callers()
	m := server.NewMCPServer("test", "1", server.WithToolCapabilities(false), server.WithElicitation())
	h.toolset.Register(m)
	slow, err := client.NewInProcessClientWithOptions(m, client.WithElicitationHandler(slowElicitor{asked, release}))
	if err != nil {
		t.Fatal(err)
	}
	if err := slow.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Initialize(t.Context(), mcp.InitializeRequest{}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range maxRunningPerCaller + 1 {
		all.Go(func() {
			var req mcp.CallToolRequest
			req.Params.Name, req.Params.Arguments = "send_sms",
				json.RawMessage(fmt.Sprintf(`{"recipient":"0700000010","message":"Hi %d"}`, i))
			if r, err := slow.CallTool(WithCaller(t.Context(), a), req); err != nil || r.IsError {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	for range maxRunningPerCaller + 1 {
		<-asked
	}
	if r := h.callAs(a, "get_balance", `{}`); r.isError {
		t.Error(r.text)
	}
	close(release)
	all.Wait()
}

// slowElicitor answers yes when it is released.
type slowElicitor struct{ asked, release chan struct{} }

func (p slowElicitor) Elicit(context.Context, mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	p.asked <- struct{}{}
	<-p.release
	result := &mcp.ElicitationResult{}
	result.Action = mcp.ElicitationResponseActionAccept
	return result, nil
}
