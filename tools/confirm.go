package tools

import (
	"context"
	"encoding/json"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// SpendArgs are the arguments that every spending tool adds to those of the API.
type SpendArgs struct {
	DryRun         bool   `json:"dry_run,omitempty" jsonschema_description:"Quote the price; send nothing."`
	Quote          string `json:"quote,omitempty" jsonschema_description:"Id of the agreed quote."`
	AllowDuplicate bool   `json:"allow_duplicate,omitempty" jsonschema_description:"Repeat what was sent; your user is asked."`
}

// spendOptions are the options of the guard for this call.
func (inv *invocation) spendOptions(args SpendArgs) guard.SpendOptions {
	opts := guard.SpendOptions{
		DryRun: args.DryRun, QuoteID: args.Quote, AllowDuplicate: args.AllowDuplicate,
		Elicit: inv.elicit, InputRequired: inv.askLater, Answer: inv.answer,
	}
	if inv.requestState != "" {
		opts.QuoteID, opts.ArgumentQuoteID = inv.requestState, args.Quote
	}
	return opts
}

// elicitTimeout is how long the user has to answer.
const elicitTimeout = 5 * time.Minute

// confirmInputID is the key of the question in an input_required result.
const confirmInputID = "confirm"

// confirmField is the only field of the form.
const confirmField = "confirm"

// confirmForm is the form that a user accepts to agree to a call of a tool. Its field
// is optional and set: some hosts show it, and cannot submit a form without fields;
// others show only buttons.
func confirmForm(tool string) map[string]any {
	title := "Send it"
	if tool == client.ToolTopUpWallet {
		title = "Ask for the money"
	}
	return map[string]any{
		"type":       "object",
		"properties": map[string]any{confirmField: map[string]any{"type": "boolean", "title": title, "default": true}},
	}
}

// initElicitation finds out whether the client can ask its user, and what the user
// has answered already.
func (inv *invocation) initElicitation(ctx context.Context, req mcp.CallToolRequest) {
	if server.IsModernRequest(ctx) {
		inv.stateless = true
		inv.requestState = req.Params.RequestState
		if inv.requestState != "" || len(req.Params.InputResponses) > 0 {
			inv.answer = guard.AnswerNo
			// mcp-go has not decoded it, so this gives the JSON as it was read.
			if raw, err := json.Marshal(req.Params.InputResponses[confirmInputID]); err == nil && IsAccepted(raw) {
				inv.answer = guard.AnswerYes
			}
		}
		capabilities := server.RequestProtocolInfoFromContext(ctx).ClientCapabilities
		if capabilities != nil && supportsForms(*capabilities) {
			inv.askLater = true
		}
		return
	}
	session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo)
	if !ok || !supportsForms(session.GetClientCapabilities()) {
		return
	}
	inv.elicit = func(ctx context.Context, message string) (guard.Answer, error) {
		defer inv.yieldSlot()() // other calls may run while the user thinks
		ctx, cancel := context.WithTimeout(ctx, elicitTimeout)
		defer cancel()
		var elicitation mcp.ElicitationRequest
		elicitation.Params.Message, elicitation.Params.RequestedSchema = message, confirmForm(req.Params.Name)
		result, err := server.ServerFromContext(ctx).RequestElicitation(ctx, elicitation)
		if err != nil {
			return guard.AnswerNo, err
		}
		if raw, err := json.Marshal(result); err != nil || !IsAccepted(raw) {
			return guard.AnswerNo, nil
		}
		return guard.AnswerYes, nil
	}
}

// IsAccepted tells whether the result of an elicitation is a yes: an accept with
// content that is absent, null, or an object in which confirm is absent or true. It
// decodes strictly, because mcp-go accepts member names in any case.
func IsAccepted(result json.RawMessage) bool {
	var members, fields map[string]json.RawMessage
	var action string
	if json.Unmarshal(result, &members) != nil || json.Unmarshal(members["action"], &action) != nil {
		return false
	}
	if action != string(mcp.ElicitationResponseActionAccept) {
		return false
	}
	if content, ok := members["content"]; ok && json.Unmarshal(content, &fields) != nil {
		return false
	}
	confirm, ok := fields[confirmField]
	return !ok || string(confirm) == "true"
}

// supportsForms tells whether a client can show a form. An empty elicitation
// capability says so; one with only the URL mode does not.
func supportsForms(c mcp.ClientCapabilities) bool {
	return c.Elicitation != nil && (c.Elicitation.Form != nil || c.Elicitation.URL == nil)
}

// inputRequiredResult makes a client of 2026-07-28 ask its user and call again with
// the answer. The request state is the id of the quote.
func inputRequiredResult(guardErr *guard.Error, tool string) *mcp.CallToolResult {
	return &mcp.CallToolResult{
		Result: mcp.Result{ResultType: mcp.ResultTypeInputRequired},
		MultiRoundTripResult: mcp.MultiRoundTripResult{
			InputRequests: mcp.InputRequests{confirmInputID: mcp.NewElicitationInputRequest(mcp.ElicitationParams{
				Message: guardErr.ConfirmationPrompt, RequestedSchema: confirmForm(tool),
			})},
			RequestState: guardErr.Quote.ID,
		},
	}
}
