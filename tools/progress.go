package tools

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// defaultProgressInterval is the time between two progress notifications. Some hosts
// give up on a call that reports nothing for a minute.
const defaultProgressInterval = 5 * time.Second

// reportProgress tells a host that sent a progress token what the call waits for:
// when the guard reports something new, and at each interval. After stop nothing
// more is sent.
func (s *Toolset) reportProgress(
	ctx context.Context, req mcp.CallToolRequest,
) (progressCtx context.Context, stop func()) {
	session := server.ClientSessionFromContext(ctx)
	if req.Params.Meta == nil || req.Params.Meta.ProgressToken == nil || session == nil {
		return ctx, func() {}
	}
	start := time.Now()
	var mu sync.Mutex
	elapsed, activity := 0.0, guard.ProgressUpstream
	notify := func(text string, now bool) {
		mu.Lock()
		defer mu.Unlock()
		if text != "" {
			activity = text
		}
		if !now || ctx.Err() != nil {
			return
		}
		elapsed = max(time.Since(start).Seconds(), elapsed+0.001) // progress must increase
		var n mcp.JSONRPCNotification
		n.JSONRPC, n.Method = mcp.JSONRPC_VERSION, string(mcp.MethodNotificationProgress)
		n.Params.AdditionalFields = map[string]any{
			"progressToken": req.Params.Meta.ProgressToken, "progress": elapsed,
			"message": fmt.Sprintf("%s %.0f s so far.", activity, elapsed),
		}
		select {
		case session.NotificationChannel() <- n:
		default: // the host does not read; the next notification says more
		}
	}
	done := make(chan struct{})
	var reporter sync.WaitGroup
	reporter.Go(func() {
		ticker := time.NewTicker(cmp.Or(s.options.ProgressInterval, defaultProgressInterval))
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				notify("", true)
			case <-done:
				return
			}
		}
	})
	return guard.WithProgress(ctx, notify), func() { close(done); reporter.Wait() }
}
