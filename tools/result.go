package tools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/guard"
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

// result notes the response for the log and makes a result of it.
func (c *call) result(r *client.Response, summary string) Result {
	c.attempts, c.requestID = r.Attempts, r.RequestID
	if c.sandbox {
		summary += " (Sandbox: nothing real was sent or charged.)"
	}
	return Result{Summary: summary, Sandbox: c.sandbox, Data: r.Data, Meta: r.Meta, RequestID: r.RequestID}
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// encode writes a result as compact JSON that hides nothing from its reader.
func encode(value any) (json.RawMessage, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return clean(bytes.TrimSpace(out.Bytes())), nil
}

// clean takes control and invisible characters out of the strings of a JSON
// text: they are how a stranger's message hides instructions from a person who
// reads along. Everything else stays as it is, digits of numbers included.
func clean(text []byte) json.RawMessage {
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
		out.Write(cleanLiteral(text[start:end]))
		text = text[end:]
	}
	out.Write(text)
	return out.Bytes()
}

// cleanLiteral cleans one JSON string, quotes included.
func cleanLiteral(literal []byte) []byte {
	var plain string
	if json.Unmarshal(literal, &plain) != nil {
		return []byte(strconv.Quote("")) // cannot be: the encoder wrote it
	}
	visible := guard.Visible(plain)
	if visible == plain {
		return literal
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(visible) // a string always encodes
	return bytes.TrimSpace(out.Bytes())
}
