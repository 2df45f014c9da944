package observability

import (
	"context"

	"github.com/wesendall/wesendall-mcp/client"
)

// NewCallHook returns a hook that the tools run at the start of each call; the function it
// returns takes the outcome. It records metrics, traces, or both, and is nil if m and t are.
func NewCallHook(m *Metrics, t *Tracer) func(ctx context.Context, tool string) (context.Context, func(outcome string)) {
	if m == nil && t == nil {
		return nil
	}
	return func(ctx context.Context, tool string) (context.Context, func(string)) {
		endMetrics, endTrace := m.startCall(tool), t.annotateCall(ctx, tool)
		ctx = client.WithRequestHook(ctx, func(ctx context.Context, e client.Endpoint) func(*client.Response, *client.Error) {
			endMetrics, endTrace := m.startRequest(e), t.startRequest(ctx, e)
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

func ignoreOutcome(string) {}

func ignoreResponse(*client.Response, *client.Error) {}
