package observability

import (
	"context"

	"github.com/wesendall/wesendall-mcp/client"
)

// NewCallHook is what the tools tell of each call, for the metrics, the traces, or both;
// nil is neither.
func NewCallHook(m *Metrics, t *Tracer) func(ctx context.Context, tool string) (context.Context, func(outcome string)) {
	if m == nil && t == nil {
		return nil
	}
	return func(ctx context.Context, tool string) (context.Context, func(string)) {
		var endMetrics, endTrace = func(string) {}, func(string) {}
		if m != nil {
			endMetrics = m.startCall(tool)
		}
		if t != nil {
			endTrace = t.annotateCall(ctx, tool)
		}
		ctx = client.WithRequestHook(ctx, func(ctx context.Context, e client.Endpoint) func(*client.Response, *client.Error) {
			var endMetrics, endTrace = func(*client.Response, *client.Error) {}, func(*client.Response, *client.Error) {}
			if m != nil {
				endMetrics = m.startRequest(e)
			}
			if t != nil {
				endTrace = t.startRequest(ctx, e)
			}
			return func(resp *client.Response, apiErr *client.Error) {
				endMetrics(resp, apiErr)
				endTrace(resp, apiErr)
			}
		})
		return ctx, func(outcome string) {
			endMetrics(outcome)
			endTrace(outcome)
		}
	}
}
