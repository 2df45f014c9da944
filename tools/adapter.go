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
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/guard"
)

// call is one call of a tool while it runs.
type call struct {
	guard     *guard.Guard
	sandbox   bool
	attempts  int
	requestID string

	modern bool         // speaks 2026-07-28
	ask    guard.Asker  // nil: nobody can be asked
	answer guard.Answer // of a person, to an earlier question
	state  string       // the quote that the question was about

	aside func() (back func()) // gives the place among the running calls away
}

// Register adds the tools to an MCP server. Order puts a list in the
// inventory's order, without what is not shown.
func (s *Set) Register(m *server.MCPServer) {
	for _, t := range s.served {
		hints := t.Hints()
		// A literal: the library's own constructor publishes an empty schema
		// beside a raw one, and then cannot marshal either.
		m.AddTool(mcp.Tool{
			Name: t.Name, Title: t.Title, Description: t.Description,
			RawInputSchema: t.input, RawOutputSchema: t.output,
			Annotations: mcp.ToolAnnotation{
				ReadOnlyHint: &hints.ReadOnly, DestructiveHint: &hints.Destructive,
				IdempotentHint: &hints.Idempotent, OpenWorldHint: &hints.OpenWorld,
			},
		}, func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return s.answer(ctx, t, r), nil
		})
	}
}

// Order sorts a list of tools as the inventory is, and drops what is not shown.
func (s *Set) Order(list []mcp.Tool) []mcp.Tool {
	ordered := make([]mcp.Tool, 0, len(list))
	for _, t := range s.served {
		at := slices.IndexFunc(list, func(m mcp.Tool) bool { return m.Name == t.Name })
		if at >= 0 && s.Listed(t.Tool) {
			ordered = append(ordered, list[at])
		}
	}
	return ordered
}

// answer runs a tool and writes down what came. It never fails: a failure is a
// result too, so that the model sees it.
func (s *Set) answer(ctx context.Context, t served, r mcp.CallToolRequest) *mcp.CallToolResult {
	start := time.Now()
	observed := func(string) {}
	if s.options.Observe != nil {
		ctx, observed = s.options.Observe(ctx, t.Name)
	}
	c := &call{guard: s.guard, sandbox: s.options.Sandbox}
	c.listen(ctx, r)
	watched, stop := s.progress(ctx, r)
	value, err := s.run(watched, c, t, r.Params.RawArguments)
	stop()
	failure := failureOf(t, err)
	outcome := "ok"
	if failure != nil {
		value, outcome = withSandbox{failure, c.sandbox}, failure.Code
		c.attempts, c.requestID = failure.Attempts, failure.RequestID
	}
	observed(outcome)
	text, err := encode(value)
	if err != nil {
		// The data was valid JSON when it came, so this cannot be; and what
		// was done is done.
		text = json.RawMessage(`{"summary":"The call succeeded, but its answer cannot be shown."}`)
	}
	if s.options.Log != nil {
		s.options.Log.LogAttrs(ctx, slog.LevelInfo, "call", slog.String("tool", t.Name),
			slog.Float64("duration_ms", math.Round(time.Since(start).Seconds()*1e6)/1e3), slog.String("outcome", outcome),
			slog.Int("attempts", c.attempts), slog.String("request_id", c.requestID))
	}
	if failure != nil && failure.Question != "" && c.modern {
		return question(failure)
	}
	return &mcp.CallToolResult{
		Content:           []mcp.Content{mcp.NewTextContent(string(text))},
		StructuredContent: text,
		IsError:           failure != nil,
	}
}

// withSandbox marks an error of the sandbox too.
type withSandbox struct {
	*guard.Error
	Sandbox bool `json:"sandbox,omitempty"`
}

// failureOf is an error as the agent is told of it.
func failureOf(t served, err error) *guard.Error {
	if err == nil {
		return nil
	}
	if failure, ok := errors.AsType[*guard.Error](err); ok {
		return failure
	}
	if t.Endpoint.Effect == client.Reads {
		return guard.Fail(guard.BadResponse, "A fault of this server: "+err.Error())
	}
	return guard.Lost(t.Endpoint, "a fault of this server: "+err.Error())
}

// run makes the checks that come before a tool, and runs it.
func (s *Set) run(ctx context.Context, c *call, t served, raw json.RawMessage) (value any, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%v", fault)
			if s.options.Log != nil {
				s.options.Log.Error("a tool failed", "tool", t.Name, "fault", err, "stack", string(debug.Stack()))
			}
		}
	}()
	caller, err := s.caller(ctx, t)
	if err != nil {
		return nil, err
	}
	if s.options.Callers {
		c.guard = s.guard.For(caller.API, caller.ID, caller.Limits)
	}
	args, faults := t.arguments(raw)
	if len(faults) > 0 {
		return nil, guard.Fail(guard.InvalidArguments, "Nothing was sent. "+strings.Join(faults, "; "))
	}
	if caller.Wallet != "" {
		args[walletID], _ = json.Marshal(caller.Wallet) // a string always marshals
	}
	decodable, err := json.Marshal(args)
	if err != nil {
		return nil, guard.Fail(guard.InvalidArguments, "arguments: "+err.Error())
	}
	leave, aside, err := s.enter(ctx, caller.ID)
	if err != nil {
		return nil, err
	}
	defer leave()
	c.aside = aside
	return t.run(ctx, c, decodable)
}

// caller is whose call it is, if the tool may be called at all.
func (s *Set) caller(ctx context.Context, t served) (Caller, error) {
	reads := t.Endpoint.Effect == client.Reads
	if s.options.ReadOnly && !reads {
		return Caller{}, guard.Fail(guard.ReadOnly, t.Name+" is not allowed: the operator set WESENDALL_READ_ONLY or --read-only. Nothing was sent.")
	}
	if !s.options.Callers {
		switch {
		case s.guard == nil:
			return Caller{}, guard.Fail(guard.NotConfigured, "Nothing was sent: "+s.options.Missing)
		case s.options.Wallet == "" && !reads:
			return Caller{}, guard.Fail(guard.NotConfigured, "Nothing was sent: the operator must choose the wallet (WESENDALL_WALLET_ID) before anything can be changed.")
		}
		return Caller{Wallet: s.options.Wallet}, nil
	}
	caller, ok := ctx.Value(callerKey{}).(Caller)
	switch {
	case !ok || caller.ID == "" || caller.API == nil:
		return Caller{}, guard.Fail(guard.NotConfigured, "Nothing was sent: the request came without credentials. The host must be set to send them in the header Authorization, and the wallet in "+WalletHeader+".")
	case caller.ReadOnly && !reads:
		return Caller{}, guard.Fail(guard.ReadOnly, t.Name+" is not allowed: the operator lets this token read alone. Nothing was sent.")
	case caller.Wallet == "":
		return Caller{}, guard.Fail(guard.NotConfigured, "Nothing was sent: the request names no wallet. The host must be set to send it in the header "+WalletHeader+".")
	}
	return caller, nil
}
