package tools

import (
	"context"
	"encoding/json"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/wesendall/wesendall-mcp/guard"
)

// Spend are the arguments that every tool which spends has besides the API's.
type Spend struct {
	DryRun         bool   `json:"dry_run,omitempty" jsonschema_description:"Quote the price; send nothing."`
	Quote          string `json:"quote,omitempty" jsonschema_description:"Id of the quote your user agreed to."`
	AllowDuplicate bool   `json:"allow_duplicate,omitempty" jsonschema_description:"Send although the same was sent; your user is asked."`
}

// quoted is the result of a dry run.
func (c *call) quoted(q *guard.Quote) (Result, *guard.Quote) {
	summary := "A quote: nothing was sent."
	if q.ID == "" {
		summary = "Nothing was sent, and nothing can be before the refused numbers are mended."
	}
	if c.sandbox {
		summary += " (Sandbox: nothing real was sent or charged.)"
	}
	return Result{Summary: summary, Sandbox: c.sandbox}, q
}

// how says how the guard is to make a spend.
func (c *call) how(s Spend) guard.How {
	h := guard.How{DryRun: s.DryRun, Quote: s.Quote, AllowDuplicate: s.AllowDuplicate, Ask: c.ask, Answer: c.answer}
	if c.state != "" {
		h.Quote, h.Presented = c.state, s.Quote
	}
	return h
}

// asking is for how long a person may think.
const asking = 5 * time.Minute

// confirm names the question in a result that needs input.
const confirm = "confirm"

// formless is a form without fields: accepting it is the answer.
var formless = map[string]any{"type": "object", "properties": map[string]any{}}

// listen finds out whether the client can ask its person, and what that one
// said already.
func (c *call) listen(ctx context.Context, r mcp.CallToolRequest) {
	if server.IsModernRequest(ctx) {
		c.modern = true
		c.state = r.Params.RequestState
		if c.state != "" || len(r.Params.InputResponses) > 0 {
			c.answer = guard.No
			// One that is not yet decoded is written as it was read.
			if raw, err := json.Marshal(r.Params.InputResponses[confirm]); err == nil && Accepts(raw) {
				c.answer = guard.Yes
			}
		}
		if capabilities := server.RequestProtocolInfoFromContext(ctx).ClientCapabilities; capabilities != nil && hasForms(*capabilities) {
			c.ask = func(context.Context, string) (guard.Answer, error) { return guard.NotAsked, guard.ErrLater }
		}
		return
	}
	session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo)
	if !ok || !hasForms(session.GetClientCapabilities()) {
		return
	}
	c.ask = func(ctx context.Context, question string) (guard.Answer, error) {
		defer c.aside()() // others may run while a person thinks
		ctx, cancel := context.WithTimeout(ctx, asking)
		defer cancel()
		var q mcp.ElicitationRequest
		q.Params.Message, q.Params.RequestedSchema = question, formless
		answer, err := server.ServerFromContext(ctx).RequestElicitation(ctx, q)
		if err != nil || answer.Action != mcp.ElicitationResponseActionAccept {
			return guard.No, err
		}
		return guard.Yes, nil
	}
}

// Accepts tells whether the result of a question is a clean yes. It is read
// strictly: the library takes names in any case.
func Accepts(result json.RawMessage) bool {
	var members, fields map[string]json.RawMessage
	var action string
	if json.Unmarshal(result, &members) != nil || json.Unmarshal(members["action"], &action) != nil || action != string(mcp.ElicitationResponseActionAccept) {
		return false
	}
	content, given := members["content"]
	return !given || json.Unmarshal(content, &fields) == nil && fields != nil
}

// hasForms tells whether a client can show a form: {} says so, and naming the
// URL mode alone does not.
func hasForms(c mcp.ClientCapabilities) bool {
	return c.Elicitation != nil && (c.Elicitation.Form != nil || c.Elicitation.URL == nil)
}

// question is the result that has a client of 2026-07-28 ask its person, and
// call again with the answer. The quote's id is the state.
func question(failure *guard.Error) *mcp.CallToolResult {
	return &mcp.CallToolResult{
		Result: mcp.Result{ResultType: mcp.ResultTypeInputRequired},
		MultiRoundTripResult: mcp.MultiRoundTripResult{
			InputRequests: mcp.InputRequests{confirm: mcp.NewElicitationInputRequest(mcp.ElicitationParams{
				Message: failure.Question, RequestedSchema: formless,
			})},
			RequestState: failure.Quote.ID,
		},
	}
}
