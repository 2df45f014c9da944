package tools

import (
	"bytes"
	"encoding/json"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// Result is what every tool answers on success.
type Result struct {
	Summary string `json:"summary"`
	Sandbox bool   `json:"sandbox,omitempty"` // the money and the phones were not real
	// Data is the API's own, untouched but for invisible characters.
	Data      json.RawMessage            `json:"data,omitempty"`
	Meta      map[string]json.RawMessage `json:"meta,omitempty"` // what the API put beside the data
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

// encodeResult writes a result as compact JSON that hides nothing from its reader.
func encodeResult(value any) (json.RawMessage, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return sanitize.JSON(bytes.TrimSpace(out.Bytes())), nil
}
