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

// defaultProgressInterval is how often a host hears that a call still waits. Some give up on a call
// that says nothing for a minute.
const defaultProgressInterval = 5 * time.Second

// reportProgress tells the host, if it asked for that, what the call is waiting for:
// at once where the guard says so, and every now and then while it lasts. Stop
// ends it; after that nothing more is told.
func (s *Toolset) reportProgress(ctx context.Context, req mcp.CallToolRequest) (progressCtx context.Context, stop func()) {
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
		elapsed = max(time.Since(start).Seconds(), elapsed+0.001) // it must grow
		var n mcp.JSONRPCNotification
		n.JSONRPC, n.Method = mcp.JSONRPC_VERSION, string(mcp.MethodNotificationProgress)
		n.Params.AdditionalFields = map[string]any{
			"progressToken": req.Params.Meta.ProgressToken, "progress": elapsed, "message": fmt.Sprintf("%s %.0f s so far.", activity, elapsed),
		}
		select {
		case session.NotificationChannel() <- n:
		default: // the host does not read, and the next one says more
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
