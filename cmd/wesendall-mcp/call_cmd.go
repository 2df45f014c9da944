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
	Tool      string `arg:"" help:"The tool's name."`
	Arguments string `arg:"" optional:"" default:"{}" help:"Its arguments as a JSON object, or - to read them from stdin."`
	Yes       bool   `help:"Agree to what a person is asked. It lifts no limit."`
}

// Run calls one tool as a host would: a client and the server, in one process.
func (c callCmd) Run(ctx context.Context, env environment, cfg *config) error {
	arguments := []byte(c.Arguments)
	if c.Arguments == "-" {
		var err error
		if arguments, err = io.ReadAll(env.stdin); err != nil {
			return err
		}
	}
	// The rest of the message that carries them takes far less than a kibibyte.
	if len(arguments) > mcpserver.MaxLineBytes-1024 {
		return usageErrorf("the arguments are longer than the %d MiB that a message may have", mcpserver.MaxLineBytes>>20)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(arguments, &object); err != nil || object == nil {
		return usageErrorf(`the arguments must be a JSON object, such as '{"recipient":"+256700000010","message":"Hello"}'`)
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
	result, err := callTool(ctx, srv, c.elicitationHandler(env), c.Tool, json.RawMessage(arguments))
	if err != nil {
		return c.reportLostResult(env, err)
	}
	return printResult(env, result)
}

// reportLostResult explains a call that has no result. One that may have changed
// something is not simply a failure.
func (c callCmd) reportLostResult(env environment, err error) error {
	if errors.Is(err, mcp.ErrInvalidParams) { // such as a tool that does not exist
		return usageError{err}
	}
	inventory := tools.AllTools()
	idx := slices.IndexFunc(inventory, func(t tools.Tool) bool { return t.Name == c.Tool })
	if errors.Is(err, errInterrupted) || idx >= 0 && inventory[idx].Annotations().ReadOnly {
		return err
	}
	_ = printError(env, fmt.Errorf("the call may have been carried out, but its result cannot be shown (%w): look at wesendall-mcp ledger before you call again", err), exitOutcomeUnknown)
	return exitCodeError(exitOutcomeUnknown)
}

var errInterrupted = errors.New("interrupted before the call began; nothing was sent")

// resultTimeout is for how long a result is waited for: a person may think for five
// minutes, and a call take one.
const resultTimeout = 6 * time.Minute

// elicitationHandler is who is asked: whoever is at the terminal, or nobody.
func (c callCmd) elicitationHandler(env environment) client.ElicitationHandler {
	if !c.Yes && (!isatty.IsTerminal(env.stdin.Fd()) || !isatty.IsTerminal(env.stdout.Fd())) {
		return nil
	}
	return terminalPrompter{env, c.Yes}
}

type terminalPrompter struct {
	environment
	acceptAll bool
}

// Elicit puts the question on the terminal.
func (p terminalPrompter) Elicit(_ context.Context, req mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	result := &mcp.ElicitationResult{}
	result.Action = mcp.ElicitationResponseActionAccept
	if p.acceptAll {
		return result, nil
	}
	if _, err := fmt.Fprintf(p.stderr, "%s [y/N] ", req.Params.Message); err != nil {
		return nil, err
	}
	reply, _ := bufio.NewReader(p.stdin).ReadString('\n') // the end of input is a no
	if reply = strings.ToLower(strings.TrimSpace(reply)); reply != "y" && reply != "yes" {
		result.Action = mcp.ElicitationResponseActionDecline
	}
	return result, nil
}

// callTool speaks the protocol with a server over two pipes.
func callTool(ctx context.Context, srv *mcpserver.Server, handler client.ElicitationHandler, tool string, arguments json.RawMessage) (*mcp.CallToolResult, error) {
	serverIn, requests := io.Pipe()
	responses, serverOut := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- srv.ServeStdio(ctx, serverIn, serverOut)
		_ = serverOut.Close()
	}()
	// A signal stops the server's reading; the call that it has is answered.
	callCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resultTimeout)
	defer cancel()
	var opts []client.ClientOption
	if handler != nil {
		opts = append(opts, client.WithElicitationHandler(handler))
	}
	mcpClient := client.NewClient(transport.NewIO(responses, requests, io.NopCloser(bytes.NewReader(nil))), opts...)
	if err := mcpClient.Start(callCtx); err != nil {
		return nil, err
	}
	var initReq mcp.InitializeRequest
	initReq.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	initReq.Params.ClientInfo = mcp.Implementation{Name: "wesendall-mcp call", Version: version()}
	if _, err := mcpClient.Initialize(callCtx, initReq); err != nil {
		return nil, err
	}
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = tool, arguments
	result, err := mcpClient.CallTool(callCtx, req)
	_ = requests.Close()
	if err != nil && ctx.Err() != nil {
		err = errInterrupted
	}
	return result, errors.Join(err, <-served)
}

// printResult prints a result, and makes the exit code of it.
func printResult(env environment, result *mcp.CallToolResult) error {
	raw, err := json.Marshal(result.StructuredContent)
	if len(result.RawStructuredContent) > 0 {
		raw, err = result.RawStructuredContent, nil // with every digit as it came
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
		var readable bytes.Buffer
		if err := json.Indent(&readable, raw, "", "  "); err != nil {
			return err
		}
		raw = append([]byte(headline+"\n\n"), readable.Bytes()...)
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
