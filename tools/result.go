package tools

import (
	"bytes"
	"encoding/json"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// Result is the result of a tool on success; some tools add fields.
type Result struct {
	Summary string `json:"summary"`
	Sandbox bool   `json:"sandbox,omitempty"` // no real money, no real phones
	// Data is the API's data. Only invisible characters are removed.
	Data      json.RawMessage            `json:"data,omitempty"`
	Meta      map[string]json.RawMessage `json:"meta,omitempty"` // members of the answer next to data
	RequestID string                     `json:"request_id,omitempty"`
}

// newResult notes the response for the log and makes a result of it.
func (inv *invocation) newResult(r *client.Response, summary string) Result {
	inv.attempts, inv.requestID = r.Attempts, r.RequestID
	return Result{
		Summary: inv.markSandbox(summary), Sandbox: inv.sandbox, Data: r.Data, Meta: r.Meta, RequestID: r.RequestID,
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
