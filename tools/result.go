package tools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
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
	if inv.sandbox {
		summary += " (Sandbox: nothing real was sent or charged.)"
	}
	return Result{Summary: summary, Sandbox: inv.sandbox, Data: r.Data, Meta: r.Meta, RequestID: r.RequestID}
}

// pluralize is a number with its noun.
func pluralize(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// encodeResult writes a result as compact JSON that hides nothing from its reader.
func encodeResult(value any) (json.RawMessage, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return sanitizeJSON(bytes.TrimSpace(out.Bytes())), nil
}

// sanitizeJSON takes control and invisible characters out of the strings of a JSON
// text: they are how a stranger's message hides instructions from a person who
// reads along. Everything else stays as it is, digits of numbers included.
func sanitizeJSON(text []byte) json.RawMessage {
	var out bytes.Buffer
	for len(text) > 0 {
		start := bytes.IndexByte(text, '"')
		if start < 0 {
			break
		}
		end := start + 1
		for end < len(text) && text[end] != '"' {
			if text[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end+1, len(text))
		out.Write(text[:start])
		out.Write(sanitizeString(text[start:end]))
		text = text[end:]
	}
	out.Write(text)
	return out.Bytes()
}

// sanitizeString cleans one JSON string, quotes included.
func sanitizeString(literal []byte) []byte {
	var decoded string
	if json.Unmarshal(literal, &decoded) != nil {
		return []byte(strconv.Quote("")) // cannot be: the encoder wrote it
	}
	sanitized := guard.SanitizeText(decoded)
	if sanitized == decoded {
		return literal
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(sanitized) // a string always encodes
	return bytes.TrimSpace(out.Bytes())
}
