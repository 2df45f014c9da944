package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// LocalCall is one tool call by a client in the same process.
type LocalCall struct {
	ClientName, ClientVersion string
	Tool                      string
	Arguments                 json.RawMessage
	// Ask asks the user to confirm; nil if nobody can be asked.
	Ask func(message string) (accepted bool, err error)
}

// LocalResult is the result of a LocalCall.
type LocalResult struct {
	Content json.RawMessage // the structured content, with every digit as the tool wrote it
	IsError bool
}

// Errors of a LocalCall that sent nothing. After any other error the call may have been
// carried out.
var (
	ErrInterrupted   = errors.New("interrupted before the call began; nothing was sent")
	ErrInvalidParams = mcp.ErrInvalidParams // such as an unknown tool
	ErrUnreadable    = errors.New("the server could not read the call, and nothing was sent")
)

// localCallTimeout is 5 minutes for the user to confirm, and 1 for the call.
const localCallTimeout = 6 * time.Minute

// CallLocally calls one tool as a host would, over two pipes.
func (s *Server) CallLocally(ctx context.Context, call LocalCall) (LocalResult, error) {
	serverIn, requests := io.Pipe()
	responses, serverOut := io.Pipe()
	// After a signal the server reads no more, but answers the call that it has.
	callCtx, stopTimer := context.WithTimeout(context.WithoutCancel(ctx), localCallTimeout)
	defer stopTimer()
	callCtx, cancel := context.WithCancelCause(callCtx)
	defer cancel(nil)
	var asked atomic.Bool
	onUnread := func(reason string) {
		err := fmt.Errorf("%w: %s", ErrUnreadable, reason)
		if asked.Load() { // the call was read, and an answer of the user was not
			err = errors.New("the server could not read an answer: " + reason)
		}
		cancel(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- s.ServeStdio(ctx, serverIn, &localResponses{serverOut, onUnread})
		_ = serverOut.Close()
	}()
	var opts []client.ClientOption
	if call.Ask != nil {
		opts = append(opts, client.WithElicitationHandler(elicitationFunc(func(message string) (bool, error) {
			asked.Store(true)
			return call.Ask(message)
		})))
	}
	noLogs := io.NopCloser(bytes.NewReader(nil))
	mcpClient := client.NewClient(transport.NewIO(responses, requests, noLogs), opts...)
	if err := mcpClient.Start(callCtx); err != nil {
		return LocalResult{}, err
	}
	var initReq mcp.InitializeRequest
	initReq.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	initReq.Params.ClientInfo = mcp.Implementation{Name: call.ClientName, Version: call.ClientVersion}
	if _, err := mcpClient.Initialize(callCtx, initReq); err != nil {
		return LocalResult{}, err
	}
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = call.Tool, call.Arguments
	result, err := mcpClient.CallTool(callCtx, req)
	_ = requests.Close()
	switch cause := context.Cause(callCtx); {
	case err != nil && ctx.Err() != nil:
		err = ErrInterrupted
	case err != nil && cause != nil:
		err = cause
	}
	if err = errors.Join(err, <-served); err != nil {
		return LocalResult{}, err
	}
	if len(result.RawStructuredContent) > 0 {
		return LocalResult{result.RawStructuredContent, result.IsError}, nil
	}
	content, err := json.Marshal(result.StructuredContent)
	return LocalResult{content, result.IsError}, err
}

// elicitationFunc answers an elicitation with what the user says.
type elicitationFunc func(message string) (accepted bool, err error)

// Elicit accepts or declines.
func (ask elicitationFunc) Elicit(_ context.Context, req mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	accepted, err := ask(req.Params.Message)
	if err != nil {
		return nil, err
	}
	result := &mcp.ElicitationResult{}
	result.Action = mcp.ElicitationResponseActionDecline
	if accepted {
		result.Action = mcp.ElicitationResponseActionAccept
	}
	return result, nil
}
