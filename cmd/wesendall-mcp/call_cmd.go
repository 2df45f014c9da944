package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"unicode/utf8"

	"github.com/mattn/go-isatty"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/mcpserver"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
	"github.com/wesendall/wesendall-mcp/tools"
)

type callCmd struct {
	Tool      string   `arg:"" help:"Name of the tool."`
	Arguments []string `arg:"" optional:"" default:"{}" sep:"none" help:"Arguments as a JSON object, or - to read them from stdin."`
	Yes       bool     `help:"Confirm what the user would be asked. Limits still apply."`
}

// Run calls one tool as a host would, with a client and the server in one process.
func (c callCmd) Run(ctx context.Context, env environment, cfg *Config) error {
	arguments, err := c.readArguments(env)
	if err != nil {
		return err
	}
	for _, notice := range cfg.ignoredSettings(env) {
		logf(env, "warning: %s", notice)
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
	result, err := srv.CallLocally(ctx, mcpserver.LocalCall{
		ClientName: "wesendall-mcp call", ClientVersion: version(),
		Tool: c.Tool, Arguments: arguments, Ask: c.askFunc(env),
	})
	if err != nil {
		return c.reportLostResult(env, err)
	}
	return printResult(env, result)
}

// readArguments returns the arguments as they were written.
func (c callCmd) readArguments(env environment) (json.RawMessage, error) {
	const onStdin = "on stdin they arrive unchanged: wesendall-mcp call TOOL - <arguments.json"
	if len(c.Arguments) > 1 {
		return nil, usageErrorf("the shell has cut the arguments into %d parts; %s", len(c.Arguments), onStdin)
	}
	arguments := []byte(c.Arguments[0])
	if c.Arguments[0] == "-" {
		var err error
		if arguments, err = io.ReadAll(env.stdin); err != nil {
			return nil, err
		}
	}
	arguments = sanitize.TrimByteOrderMark(arguments)
	// Kong replaces bytes that are not UTF-8, so they are looked for in the command line.
	isInvalid := func(arg string) bool { return !utf8.ValidString(arg) }
	if !utf8.Valid(arguments) || slices.ContainsFunc(env.args, isInvalid) {
		return nil, usageErrorf("the arguments are not UTF-8 text; nothing was sent. Save or pipe them as UTF-8")
	}
	const messageOverhead = 1024 // at most this much of a message is not arguments
	if len(arguments) > mcpserver.MaxLineBytes-messageOverhead {
		return nil, usageErrorf("the arguments are longer than a message may be (%d MiB)", mcpserver.MaxLineBytes>>20)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(arguments, &object); err != nil || object == nil {
		if text := bytes.Trim(arguments, "'\" "); err != nil && bytes.HasPrefix(text, []byte("{")) && c.Arguments[0] != "-" {
			return nil, usageErrorf("the arguments are not JSON, perhaps because the shell has removed quotes; %s", onStdin)
		}
		return nil, usageErrorf("the arguments must be a JSON object, such as " +
			`'{"recipient":"+256700000010","message":"Hello"}'`)
	}
	return arguments, nil
}

// reportLostResult explains a call without a result. If the tool changes something, the
// outcome is unknown.
func (c callCmd) reportLostResult(env environment, err error) error {
	if errors.Is(err, mcpserver.ErrInvalidParams) || errors.Is(err, mcpserver.ErrUnreadable) {
		return usageError{err}
	}
	inventory := tools.AllTools()
	idx := slices.IndexFunc(inventory, func(t tools.Tool) bool { return t.Name == c.Tool })
	if errors.Is(err, mcpserver.ErrInterrupted) || idx >= 0 && inventory[idx].Annotations().ReadOnly {
		return err
	}
	_ = printError(env, fmt.Errorf("the result was lost (%w). The call may have been carried out and charged: "+
		"check wesendall-mcp ledger before you call again", err), exitOutcomeUnknown)
	return exitCodeError(exitOutcomeUnknown)
}

// askFunc asks the user on the terminal; nil if there is none. The end of input is a no.
func (c callCmd) askFunc(env environment) func(message string) (bool, error) {
	if c.Yes {
		return func(string) (bool, error) { return true, nil }
	}
	if !env.hasUser() {
		return nil
	}
	return func(message string) (bool, error) { return env.askYesNo(message + "\n\nDo you agree?") }
}

// printResult prints a result and returns its exit code.
func printResult(env environment, result mcpserver.LocalResult) error {
	raw := result.Content
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
