package tools

import (
	"context"
	"encoding/json"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// SpendArgs are the arguments that every tool which spends has besides the API's.
type SpendArgs struct {
	DryRun         bool   `json:"dry_run,omitempty" jsonschema_description:"Quote the price; send nothing."`
	Quote          string `json:"quote,omitempty" jsonschema_description:"Id of the quote your user agreed to."`
	AllowDuplicate bool   `json:"allow_duplicate,omitempty" jsonschema_description:"Send although the same was sent; your user is asked."`
}

// quoteResult is the result of a dry run.
func (inv *invocation) quoteResult(q *guard.Quote) Result {
	summary := "A quote: nothing was sent."
	if q.ID == "" {
		summary = "Nothing was sent, and nothing can be sent until the refused numbers are fixed."
	}
	return Result{Summary: inv.markSandbox(summary), Sandbox: inv.sandbox}
}

// spendOptions says how the guard is to make a spend.
func (inv *invocation) spendOptions(args SpendArgs) guard.SpendOptions {
	opts := guard.SpendOptions{DryRun: args.DryRun, QuoteID: args.Quote, AllowDuplicate: args.AllowDuplicate, Elicit: inv.elicit, Answer: inv.answer}
	if inv.requestState != "" {
		opts.QuoteID, opts.PresentedQuoteID = inv.requestState, args.Quote
	}
	return opts
}

// elicitTimeout is for how long a person may think.
const elicitTimeout = 5 * time.Minute

// confirmInputID names the question in a result that needs input.
const confirmInputID = "confirm"

// emptyForm is a form without fields: accepting it is the answer.
var emptyForm = map[string]any{"type": "object", "properties": map[string]any{}}

// initElicitation finds out whether the client can ask its person, and what that one
// said already.
func (inv *invocation) initElicitation(ctx context.Context, req mcp.CallToolRequest) {
	if server.IsModernRequest(ctx) {
		inv.stateless = true
		inv.requestState = req.Params.RequestState
		if inv.requestState != "" || len(req.Params.InputResponses) > 0 {
			inv.answer = guard.AnswerNo
			// One that is not yet decoded is written as it was read.
			if raw, err := json.Marshal(req.Params.InputResponses[confirmInputID]); err == nil && IsAccepted(raw) {
				inv.answer = guard.AnswerYes
			}
		}
		if capabilities := server.RequestProtocolInfoFromContext(ctx).ClientCapabilities; capabilities != nil && supportsForms(*capabilities) {
			inv.elicit = func(context.Context, string) (guard.Answer, error) { return guard.AnswerNone, guard.ErrAnswerPending }
		}
		return
	}
	session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo)
	if !ok || !supportsForms(session.GetClientCapabilities()) {
		return
	}
	inv.elicit = func(ctx context.Context, message string) (guard.Answer, error) {
		defer inv.yieldSlot()() // others may run while a person thinks
		ctx, cancel := context.WithTimeout(ctx, elicitTimeout)
		defer cancel()
		var elicitation mcp.ElicitationRequest
		elicitation.Params.Message, elicitation.Params.RequestedSchema = message, emptyForm
		result, err := server.ServerFromContext(ctx).RequestElicitation(ctx, elicitation)
		if err != nil || result.Action != mcp.ElicitationResponseActionAccept {
			return guard.AnswerNo, err
		}
		return guard.AnswerYes, nil
	}
}

// IsAccepted tells whether the result of a question is a clean yes. It is read
// strictly: the library takes names in any case.
func IsAccepted(result json.RawMessage) bool {
	var members, fields map[string]json.RawMessage
	var action string
	if json.Unmarshal(result, &members) != nil || json.Unmarshal(members["action"], &action) != nil || action != string(mcp.ElicitationResponseActionAccept) {
		return false
	}
	content, ok := members["content"]
	return !ok || json.Unmarshal(content, &fields) == nil && fields != nil
}

// supportsForms tells whether a client can show a form: {} says so, and naming the
// URL mode alone does not.
func supportsForms(c mcp.ClientCapabilities) bool {
	return c.Elicitation != nil && (c.Elicitation.Form != nil || c.Elicitation.URL == nil)
}

// inputRequiredResult is the result that has a client of 2026-07-28 ask its person, and
// call again with the answer. The quote's id is the state.
func inputRequiredResult(guardErr *guard.Error) *mcp.CallToolResult {
	return &mcp.CallToolResult{
		Result: mcp.Result{ResultType: mcp.ResultTypeInputRequired},
		MultiRoundTripResult: mcp.MultiRoundTripResult{
			InputRequests: mcp.InputRequests{confirmInputID: mcp.NewElicitationInputRequest(mcp.ElicitationParams{
				Message: guardErr.ConfirmationPrompt, RequestedSchema: emptyForm,
			})},
			RequestState: guardErr.Quote.ID,
		},
	}
}
