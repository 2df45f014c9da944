package tools

import (
	"bytes"
	"encoding/json"
	"maps"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// Result is the result of a tool on success; some tools add fields.
type Result struct {
	Summary string `json:"summary"`
	Sandbox bool   `json:"sandbox,omitempty"` // no real money, no real phones
	// Data is the API's data, without invisible characters and what is nested too deep.
	Data      json.RawMessage            `json:"data,omitempty"`
	Meta      map[string]json.RawMessage `json:"meta,omitempty"` // members of the answer next to data
	RequestID string                     `json:"request_id,omitempty"`
}

// maxDataDepth is how deeply an answer's data may be nested. A host may read JSON
// recursively.
const maxDataDepth = 64

// newResult notes the response for the log and makes a result of it.
func (inv *invocation) newResult(r *client.Response, summary string) Result {
	inv.attempts, inv.requestID = r.Attempts, r.RequestID
	meta := maps.Clone(r.Meta)
	for name, value := range meta {
		meta[name] = sanitize.LimitDepth(value, maxDataDepth)
	}
	return Result{
		Summary: inv.markSandbox(summary), Sandbox: inv.sandbox, Data: sanitize.LimitDepth(r.Data, maxDataDepth), Meta: meta,
		RequestID: r.RequestID,
	}
}

// markSandbox adds to a summary that the sandbox answered, if it did.
func (inv *invocation) markSandbox(summary string) string {
	if inv.sandbox {
		summary += " (Sandbox: nothing real was sent or charged.)"
	}
	return summary
}

// encodeResult encodes a result as compact JSON without invisible characters.
func encodeResult(value any) (json.RawMessage, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return sanitize.JSON(bytes.TrimSpace(out.Bytes())), nil
}
