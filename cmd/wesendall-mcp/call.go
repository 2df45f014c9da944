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

	"github.com/wesendall/wesendall-mcp/guard"
	"github.com/wesendall/wesendall-mcp/server"
	"github.com/wesendall/wesendall-mcp/tools"
)

type callCmd struct {
	Tool      string `arg:"" help:"The tool's name."`
	Arguments string `arg:"" optional:"" default:"{}" help:"Its arguments as a JSON object, or - to read them from stdin."`
	Yes       bool   `help:"Agree to what a person is asked. It lifts no limit."`
}

// Run calls one tool as a host would: a client and the server, in one process.
func (c callCmd) Run(ctx context.Context, w world, s *settings) error {
	arguments := []byte(c.Arguments)
	if c.Arguments == "-" {
		var err error
		if arguments, err = io.ReadAll(w.in); err != nil {
			return err
		}
	}
	// The rest of the message that carries them takes far less than a kibibyte.
	if len(arguments) > server.MaxLine-1024 {
		return usage("the arguments are longer than the %d MiB that a message may have", server.MaxLine>>20)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(arguments, &object); err != nil || object == nil {
		return usage(`the arguments must be a JSON object, such as '{"recipient":"+256700000010","message":"Hello"}'`)
	}
	b, err := s.backend(ctx, w)
	if err != nil {
		return err
	}
	defer func() { _ = b.close() }()
	srv, err := s.build(b, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	result, err := callTool(ctx, srv, c.person(w), c.Tool, json.RawMessage(arguments))
	if err != nil {
		return c.unanswered(w, err)
	}
	return show(w, result)
}

// unanswered explains a call that has no result. One that may have changed
// something is not simply a failure.
func (c callCmd) unanswered(w world, err error) error {
	if errors.Is(err, mcp.ErrInvalidParams) { // such as a tool that does not exist
		return usageError{err}
	}
	all := tools.Inventory()
	at := slices.IndexFunc(all, func(t tools.Tool) bool { return t.Name == c.Tool })
	if errors.Is(err, errNotBegun) || at >= 0 && all[at].Hints().ReadOnly {
		return err
	}
	_ = complain(w, fmt.Errorf("the call may have been carried out, but its result cannot be shown (%w): look at wesendall-mcp ledger before you call again", err), exitUnknown)
	return exitStatus(exitUnknown)
}

var errNotBegun = errors.New("interrupted before the call began; nothing was sent")

// callTime is for how long a result is waited for: a person may think for five
// minutes, and a call take one.
const callTime = 6 * time.Minute

// person is who is asked: whoever is at the terminal, or nobody.
func (c callCmd) person(w world) client.ElicitationHandler {
	if !c.Yes && (!isatty.IsTerminal(w.in.Fd()) || !isatty.IsTerminal(w.out.Fd())) {
		return nil
	}
	return asker{w, c.Yes}
}

type asker struct {
	world
	yes bool
}

// Elicit puts the question on the terminal.
func (a asker) Elicit(_ context.Context, q mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	answer := &mcp.ElicitationResult{}
	answer.Action = mcp.ElicitationResponseActionAccept
	if a.yes {
		return answer, nil
	}
	if _, err := fmt.Fprintf(a.err, "%s [y/N] ", q.Params.Message); err != nil {
		return nil, err
	}
	said, _ := bufio.NewReader(a.in).ReadString('\n') // the end of input is a no
	if said = strings.ToLower(strings.TrimSpace(said)); said != "y" && said != "yes" {
		answer.Action = mcp.ElicitationResponseActionDecline
	}
	return answer, nil
}

// callTool speaks the protocol with a server over two pipes.
func callTool(ctx context.Context, srv *server.Server, person client.ElicitationHandler, tool string, arguments json.RawMessage) (*mcp.CallToolResult, error) {
	toServer, requests := io.Pipe()
	answers, fromServer := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- srv.ServeStdio(ctx, toServer, fromServer)
		_ = fromServer.Close()
	}()
	// A signal stops the server's reading; the call that it has is answered.
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	var options []client.ClientOption
	if person != nil {
		options = append(options, client.WithElicitationHandler(person))
	}
	host := client.NewClient(transport.NewIO(answers, requests, io.NopCloser(bytes.NewReader(nil))), options...)
	if err := host.Start(lasting); err != nil {
		return nil, err
	}
	var hello mcp.InitializeRequest
	hello.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	hello.Params.ClientInfo = mcp.Implementation{Name: "wesendall-mcp call", Version: version()}
	if _, err := host.Initialize(lasting, hello); err != nil {
		return nil, err
	}
	var request mcp.CallToolRequest
	request.Params.Name, request.Params.Arguments = tool, arguments
	result, err := host.CallTool(lasting, request)
	_ = requests.Close()
	if err != nil && ctx.Err() != nil {
		err = errNotBegun
	}
	return result, errors.Join(err, <-served)
}

// show prints a result, and makes the exit code of it.
func show(w world, r *mcp.CallToolResult) error {
	text, err := json.Marshal(r.StructuredContent)
	if len(r.RawStructuredContent) > 0 {
		text, err = r.RawStructuredContent, nil // with every digit as it came
	}
	if err != nil {
		return err
	}
	var said struct{ Summary, Code, Message string }
	if err := json.Unmarshal(text, &said); err != nil {
		return err
	}
	if isatty.IsTerminal(w.out.Fd()) {
		headline := said.Summary
		if r.IsError {
			headline = said.Code + ": " + said.Message
		}
		var readable bytes.Buffer
		if err := json.Indent(&readable, text, "", "  "); err != nil {
			return err
		}
		text = append([]byte(headline+"\n\n"), readable.Bytes()...)
	}
	if _, err := fmt.Fprintln(w.out, string(text)); err != nil {
		return err
	}
	switch {
	case !r.IsError:
		return nil
	case said.Code == guard.OutcomeUnknown:
		return exitStatus(exitUnknown)
	default:
		return exitStatus(exitFailure)
	}
}
