package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"slices"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// invocation is one call of a tool while it runs.
type invocation struct {
	guard     *guard.Guard
	sandbox   bool
	attempts  int
	requestID string

	stateless    bool           // the client speaks 2026-07-28
	elicit       guard.Elicitor // nil: the client cannot ask its user
	askLater     bool           // the client asks its user, and calls again with the answer
	answer       guard.Answer   // of the user, to an earlier question
	requestState string         // the id of the quote that the question was about

	yieldSlot func() (resume func()) // gives the running slot away until resume
}

// Register adds the tools to an MCP server.
func (s *Toolset) Register(m *server.MCPServer) {
	for _, t := range s.tools {
		annotations := t.Annotations()
		// A struct literal: mcp.NewTool adds an empty schema to the raw one, and
		// such a tool cannot be marshalled.
		m.AddTool(mcp.Tool{
			Name: t.Name, Title: t.Title, Description: t.Description,
			RawInputSchema: t.inputSchema, RawOutputSchema: t.outputSchema,
			Annotations: mcp.ToolAnnotation{
				ReadOnlyHint: &annotations.ReadOnly, DestructiveHint: &annotations.Destructive,
				IdempotentHint: &annotations.Idempotent, OpenWorldHint: &annotations.OpenWorld,
			},
		}, func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return s.handle(ctx, t, req), nil
		})
	}
}

// SortTools puts a list of tools in the inventory's order and drops those that
// are not listed.
func (s *Toolset) SortTools(list []mcp.Tool) []mcp.Tool {
	ordered := make([]mcp.Tool, 0, len(list))
	for _, t := range s.tools {
		i := slices.IndexFunc(list, func(m mcp.Tool) bool { return m.Name == t.Name })
		if i >= 0 && s.IsListed(t.Tool) {
			ordered = append(ordered, list[i])
		}
	}
	return ordered
}

// handle runs a tool and logs the call. It never fails: an error is a result
// too, so that the model sees it.
func (s *Toolset) handle(ctx context.Context, t registeredTool, req mcp.CallToolRequest) *mcp.CallToolResult {
	start := time.Now()
	onDone := func(string) {}
	if s.options.OnCall != nil {
		ctx, onDone = s.options.OnCall(ctx, t.Name)
	}
	inv := &invocation{guard: s.guard, sandbox: s.options.Sandbox}
	inv.initElicitation(ctx, req)
	progressCtx, stopProgress := s.reportProgress(ctx, req)
	value, err := s.execute(progressCtx, inv, t, req.Params.RawArguments)
	stopProgress()
	guardErr := toError(t, err)
	outcome := "ok"
	if guardErr != nil {
		value, outcome = sandboxError{guardErr, inv.sandbox}, guardErr.Code
		inv.attempts, inv.requestID = guardErr.Attempts, guardErr.RequestID
	}
	onDone(outcome)
	body, err := encodeResult(value)
	if err != nil {
		// Unreachable: the data was valid JSON when it came. The call is done all
		// the same, so it must not look like an error.
		body = json.RawMessage(`{"summary":"The call succeeded, but its answer cannot be shown."}`)
	}
	if s.options.Logger != nil {
		s.options.Logger.LogAttrs(ctx, slog.LevelInfo, "call", slog.String("tool", t.Name),
			slog.Float64("duration_ms", math.Round(time.Since(start).Seconds()*1e6)/1e3),
			slog.String("outcome", outcome),
			slog.Int("attempts", inv.attempts), slog.String("request_id", inv.requestID))
	}
	if guardErr != nil && guardErr.ConfirmationPrompt != "" && inv.stateless {
		return inputRequiredResult(guardErr, t.Name)
	}
	return &mcp.CallToolResult{
		Content:           []mcp.Content{mcp.NewTextContent(string(body))},
		StructuredContent: body,
		IsError:           guardErr != nil,
	}
}

// sandboxError adds the mark of the sandbox to an error.
type sandboxError struct {
	*guard.Error
	Sandbox bool `json:"sandbox,omitempty"`
}

// toError makes an error that the agent can read.
func toError(t registeredTool, err error) *guard.Error {
	if err == nil {
		return nil
	}
	if guardErr, ok := errors.AsType[*guard.Error](err); ok {
		return guardErr
	}
	if t.Endpoint.Effect == client.EffectRead {
		return guard.NewError(guard.CodeBadResponse, "An internal error of this server: "+err.Error())
	}
	return guard.NewOutcomeUnknown(t.Endpoint, "an internal error of this server: "+err.Error())
}

// execute resolves the caller, decodes the arguments, waits for a slot and runs
// the tool. A panic becomes an error.
func (s *Toolset) execute(
	ctx context.Context, inv *invocation, t registeredTool, raw json.RawMessage,
) (value any, err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			err = fmt.Errorf("%v", recovered)
			if s.options.Logger != nil {
				s.options.Logger.Error("a tool failed", "tool", t.Name, "fault", err, "stack", string(debug.Stack()))
			}
		}
	}()
	caller, err := s.resolveCaller(ctx, t)
	if err != nil {
		return nil, err
	}
	if s.options.MultiUser {
		inv.guard = s.guard.ForCaller(caller.Client, caller.ID, caller.Limits)
	}
	args, problems := t.decodeArguments(raw)
	if len(problems) > 0 {
		return nil, guard.NewError(guard.CodeInvalidArguments, "Nothing was sent. "+sanitize.JoinProblems(problems))
	}
	if caller.Wallet != "" {
		args[walletIDParam] = caller.Wallet
	}
	release, yieldSlot, err := s.acquire(ctx, caller.ID)
	if err != nil {
		return nil, err
	}
	defer release()
	inv.yieldSlot = yieldSlot
	value, err = t.run(ctx, inv, args)
	if err == nil && caller.OnVerified != nil && t.Endpoint.Name != "" {
		caller.OnVerified()
	}
	return value, err
}

// resolveCaller finds the caller of a tool, or the error why it may not call it.
func (s *Toolset) resolveCaller(ctx context.Context, t registeredTool) (Caller, error) {
	refuse := func(code, reason string) (Caller, error) { return Caller{}, guard.NewError(code, reason) }
	isRead := t.Endpoint.Effect == client.EffectRead
	if s.options.ReadOnly && !isRead {
		return refuse(guard.CodeReadOnly, t.Name+
			" is not allowed: the operator set WESENDALL_READ_ONLY or --read-only. Nothing was sent.")
	}
	if !s.options.MultiUser {
		switch {
		case s.guard == nil:
			return refuse(guard.CodeNotConfigured, "Nothing was sent: "+s.options.NotConfiguredReason)
		case s.options.Wallet == "" && !isRead:
			return refuse(guard.CodeNotConfigured, "Nothing was sent: "+
				"the operator must choose the wallet (WESENDALL_WALLET_ID) before anything can be changed.")
		}
		return Caller{Wallet: s.options.Wallet}, nil
	}
	caller, ok := ctx.Value(callerKey{}).(Caller)
	switch {
	case !ok || caller.ID == "" || caller.Client == nil:
		return refuse(guard.CodeNotConfigured, "Nothing was sent: the request came without credentials. "+
			"Set the host to send them in the header Authorization, and the wallet in "+WalletHeader+".")
	case caller.ReadOnly && !isRead:
		return refuse(guard.CodeReadOnly, t.Name+
			" is not allowed: the operator gave this token read access only. Nothing was sent.")
	case caller.Wallet == "":
		return refuse(guard.CodeNotConfigured, "Nothing was sent: the request names no wallet. "+
			"Set the host to send it in the header "+WalletHeader+".")
	}
	return caller, nil
}
