package observe

import (
	"context"

	"github.com/wesendall/wesendall-mcp/client"
)

// Hook is what the tools tell of each call, for the metrics, the traces, or both;
// nil is neither.
func Hook(m *Metrics, t *Traces) func(ctx context.Context, tool string) (context.Context, func(outcome string)) {
	if m == nil && t == nil {
		return nil
	}
	return func(ctx context.Context, tool string) (context.Context, func(string)) {
		var counted, traced = func(string) {}, func(string) {}
		if m != nil {
			counted = m.call(tool)
		}
		if t != nil {
			traced = t.tool(ctx, tool)
		}
		ctx = client.WithObserver(ctx, func(ctx context.Context, e client.Endpoint) func(*client.Response, *client.Error) {
			var counted, traced = func(*client.Response, *client.Error) {}, func(*client.Response, *client.Error) {}
			if m != nil {
				counted = m.request(e)
			}
			if t != nil {
				traced = t.request(ctx, e)
			}
			return func(answer *client.Response, failure *client.Error) {
				counted(answer, failure)
				traced(answer, failure)
			}
		})
		return ctx, func(outcome string) {
			counted(outcome)
			traced(outcome)
		}
	}
}
