package tools

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/wesendall/wesendall-mcp/guard"
)

// pace is how often a host hears that a call still waits. Some give up on a call
// that says nothing for a minute.
const pace = 5 * time.Second

// progress tells the host, if it asked for that, what the call is waiting for:
// at once where the guard says so, and every now and then while it lasts. Stop
// ends it; after that nothing more is told.
func (s *Set) progress(ctx context.Context, r mcp.CallToolRequest) (watched context.Context, stop func()) {
	session := server.ClientSessionFromContext(ctx)
	if r.Params.Meta == nil || r.Params.Meta.ProgressToken == nil || session == nil {
		return ctx, func() {}
	}
	start := time.Now()
	var mu sync.Mutex
	last, doing := 0.0, guard.AtVendor
	tell := func(text string, now bool) {
		mu.Lock()
		defer mu.Unlock()
		if text != "" {
			doing = text
		}
		if !now || ctx.Err() != nil {
			return
		}
		last = max(time.Since(start).Seconds(), last+0.001) // it must grow
		var n mcp.JSONRPCNotification
		n.JSONRPC, n.Method = mcp.JSONRPC_VERSION, string(mcp.MethodNotificationProgress)
		n.Params.AdditionalFields = map[string]any{
			"progressToken": r.Params.Meta.ProgressToken, "progress": last, "message": fmt.Sprintf("%s %.0f s so far.", doing, last),
		}
		select {
		case session.NotificationChannel() <- n:
		default: // the host does not read, and the next one says more
		}
	}
	done := make(chan struct{})
	var told sync.WaitGroup
	told.Go(func() {
		ticker := time.NewTicker(cmp.Or(s.options.Pace, pace))
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				tell("", true)
			case <-done:
				return
			}
		}
	})
	return guard.WithProgress(ctx, tell), func() { close(done); told.Wait() }
}
