package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mattn/go-isatty"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/mcpserver"
	"github.com/wesendall/wesendall-mcp/tools"
)

type callCmd struct {
	Tool      string `arg:"" help:"Name of the tool."`
	Arguments string `arg:"" optional:"" default:"{}" help:"Arguments as a JSON object, or - to read them from stdin."`
	Yes       bool   `help:"Confirm what the user would be asked. Limits still apply."`
}

// Run calls one tool as a host would, with a client and the server in one process.
func (c callCmd) Run(ctx context.Context, env environment, cfg *Config) error {
	arguments, err := c.readArguments(env)
	if err != nil {
		return err
	}
	b, err := cfg.newBackend(ctx, env)
	if err != nil {
		return err
	}
	defer func() { _ = b.closeFn() }()
	srv, err := cfg.newServer(b, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = c.Tool, arguments
	result, err := callTool(ctx, srv, c.elicitationHandler(env), req)
	if err != nil {
		return c.reportLostResult(env, err)
	}
	return printResult(env, result)
}

// readArguments returns the arguments as they were written.
func (c callCmd) readArguments(env environment) (json.RawMessage, error) {
	arguments := []byte(c.Arguments)
	if c.Arguments == "-" {
		var err error
		if arguments, err = io.ReadAll(env.stdin); err != nil {
			return nil, err
		}
	}
	const messageOverhead = 1024 // at most this much of a message is not arguments
	if len(arguments) > mcpserver.MaxLineBytes-messageOverhead {
		return nil, usageErrorf("the arguments are longer than a message may be (%d MiB)", mcpserver.MaxLineBytes>>20)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(arguments, &object); err != nil || object == nil {
		return nil, usageErrorf("the arguments must be a JSON object, such as " +
			`'{"recipient":"+256700000010","message":"Hello"}'`)
	}
	return arguments, nil
}

// reportLostResult explains a call without a result. If the tool changes something, the
// outcome is unknown.
func (c callCmd) reportLostResult(env environment, err error) error {
	if errors.Is(err, mcp.ErrInvalidParams) { // such as an unknown tool
		return usageError{err}
	}
	inventory := tools.AllTools()
	idx := slices.IndexFunc(inventory, func(t tools.Tool) bool { return t.Name == c.Tool })
	if errors.Is(err, errInterrupted) || idx >= 0 && inventory[idx].Annotations().ReadOnly {
		return err
	}
	_ = printError(env, fmt.Errorf("the result was lost (%w). The call may have been carried out and charged: "+
		"check wesendall-mcp ledger before you call again", err), exitOutcomeUnknown)
	return exitCodeError(exitOutcomeUnknown)
}

var errInterrupted = errors.New("interrupted before the call began; nothing was sent")

// resultTimeout is 5 minutes for the user to confirm, and 1 for the call.
const resultTimeout = 6 * time.Minute

// elicitationHandler asks the user on the terminal; nil if there is none.
func (c callCmd) elicitationHandler(env environment) client.ElicitationHandler {
	isTerminal := isatty.IsTerminal(env.stdin.Fd()) && isatty.IsTerminal(env.stdout.Fd())
	if !c.Yes && !isTerminal {
		return nil
	}
	return terminalPrompter{env, c.Yes}
}

type terminalPrompter struct {
	environment
	acceptAll bool
}

// Elicit asks for a yes on the terminal. The end of input is a no.
func (p terminalPrompter) Elicit(_ context.Context, req mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	result := &mcp.ElicitationResult{}
	result.Action = mcp.ElicitationResponseActionAccept
	if p.acceptAll {
		return result, nil
	}
	if _, err := fmt.Fprintf(p.stderr, "%s [y/N] ", req.Params.Message); err != nil {
		return nil, err
	}
	reply, _ := bufio.NewReader(p.stdin).ReadString('\n')
	if reply = strings.ToLower(strings.TrimSpace(reply)); reply != "y" && reply != "yes" {
		result.Action = mcp.ElicitationResponseActionDecline
	}
	return result, nil
}

// callTool speaks the protocol with a server over two pipes.
func callTool(
	ctx context.Context, srv *mcpserver.Server, handler client.ElicitationHandler, req mcp.CallToolRequest,
) (*mcp.CallToolResult, error) {
	serverIn, requests := io.Pipe()
	responses, serverOut := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- srv.ServeStdio(ctx, serverIn, serverOut)
		_ = serverOut.Close()
	}()
	// After a signal the server reads no more, but answers the call that it has.
	callCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resultTimeout)
	defer cancel()
	var opts []client.ClientOption
	if handler != nil {
		opts = append(opts, client.WithElicitationHandler(handler))
	}
	noLogs := io.NopCloser(bytes.NewReader(nil))
	mcpClient := client.NewClient(transport.NewIO(responses, requests, noLogs), opts...)
	if err := mcpClient.Start(callCtx); err != nil {
		return nil, err
	}
	var initReq mcp.InitializeRequest
	initReq.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	initReq.Params.ClientInfo = mcp.Implementation{Name: "wesendall-mcp call", Version: version()}
	if _, err := mcpClient.Initialize(callCtx, initReq); err != nil {
		return nil, err
	}
	result, err := mcpClient.CallTool(callCtx, req)
	_ = requests.Close()
	if err != nil && ctx.Err() != nil {
		err = errInterrupted
	}
	return result, errors.Join(err, <-served)
}

// printResult prints a result and returns its exit code.
func printResult(env environment, result *mcp.CallToolResult) error {
	raw, err := json.Marshal(result.StructuredContent)
	if len(result.RawStructuredContent) > 0 {
		raw, err = result.RawStructuredContent, nil // keeps every digit
	}
	if err != nil {
		return err
	}
	var content struct{ Summary, Code, Message string }
	if err := json.Unmarshal(raw, &content); err != nil {
		return err
	}
	if isatty.IsTerminal(env.stdout.Fd()) {
		headline := content.Summary
		if result.IsError {
			headline = content.Code + ": " + content.Message
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, raw, "", "  "); err != nil {
			return err
		}
		raw = append([]byte(headline+"\n\n"), indented.Bytes()...)
	}
	if _, err := fmt.Fprintln(env.stdout, string(raw)); err != nil {
		return err
	}
	switch {
	case !result.IsError:
		return nil
	case content.Code == guard.CodeOutcomeUnknown:
		return exitCodeError(exitOutcomeUnknown)
	default:
		return exitCodeError(exitError)
	}
}
