package mcpserver

import (
	"bytes"
	"context"
	"fmt"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// stdioRequest is a running request.
type stdioRequest struct {
	cancel         context.CancelFunc
	isSubscription bool // runs until it is cancelled
	cancelled      bool // and then not answered
}

// handleLine handles one line. Changes to the state of the connection are done
// when it returns; calls run in their own goroutines.
func (c *connection) handleLine(ctx context.Context, shutdown <-chan struct{}, l line) {
	if l.tooLong {
		text := fmt.Sprintf("a line must not be longer than %d MiB", MaxLineBytes>>20)
		c.respond((&rpcError{nil, mcp.INVALID_REQUEST, text}).toMessage(), shutdown)
		return
	}
	raw := bytes.TrimSpace(sanitize.TrimByteOrderMark(l.data))
	if len(raw) == 0 {
		return
	}
	m, rpcErr := parseMessage(raw)
	switch {
	case rpcErr != nil:
		c.respond(rpcErr.toMessage(), shutdown)
	case m.method == "":
		c.session.elicitations.resolve(m)
	case m.id == nil:
		c.handleNotification(ctx, m)
	default:
		c.handleRequest(ctx, shutdown, m)
	}
}

// handleNotification handles a notification, which has no answer.
func (c *connection) handleNotification(ctx context.Context, m *rpcMessage) {
	if m.method != string(mcp.MethodNotificationCancelled) {
		c.server.dispatch(c.server.mcp.WithContext(ctx, c.session), m)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if req, ok := c.inFlight[string(m.members["requestId"])]; ok {
		req.cancelled = !req.isSubscription // a cancelled subscription is answered
		req.cancel()
	}
}

// handleRequest starts a request. When it returns, before the next line is read,
// the request can be cancelled.
func (c *connection) handleRequest(ctx context.Context, shutdown <-chan struct{}, m *rpcMessage) {
	rpcErr := c.server.validateRequest(m)
	isInitialize := m.method == string(mcp.MethodInitialize)
	if rpcErr == nil && !isInitialize && c.session.ProtocolVersion() == "" && !m.isStateless() {
		rpcErr = checkVersion(m)
	}
	ctx, cancel := context.WithCancel(c.server.mcp.WithContext(ctx, c.session))
	req := &stdioRequest{cancel: cancel, isSubscription: m.method == string(mcp.MethodSubscriptionsListen)}
	c.mu.Lock()
	_, inUse := c.inFlight[string(m.id)]
	if !inUse && rpcErr == nil {
		c.inFlight[string(m.id)] = req
	}
	c.mu.Unlock()
	if inUse {
		rpcErr = &rpcError{m.id, mcp.INVALID_REQUEST, "a request with this id is still running"}
	}
	if rpcErr != nil {
		cancel()
		c.respond(rpcErr.toMessage(), shutdown)
		return
	}
	c.calls.Add(1)
	run := func() {
		defer c.calls.Done()
		defer cancel()
		resp := c.server.dispatch(ctx, m)
		c.mu.Lock()
		delete(c.inFlight, string(m.id))
		cancelled := req.cancelled
		c.mu.Unlock()
		if resp != nil && !cancelled {
			c.respond(resp, nil)
		}
	}
	if isInitialize {
		run()
		return
	}
	go run()
}

// checkVersion refuses a request that came before the handshake and names no
// protocol version. A ping needs none. mcp-go refuses unknown versions.
func checkVersion(m *rpcMessage) *rpcError {
	const field = mcp.MetaKeyProtocolVersion + " in params._meta"
	switch {
	case m.method == string(mcp.MethodPing):
		return nil
	case m.method != string(mcp.MethodServerDiscover):
		return &rpcError{m.id, mcp.INVALID_REQUEST,
			"the first request must be initialize, or every request must name its protocol version (" + field + ")"}
	case m.protocolVersion() == "":
		return &rpcError{m.id, mcp.INVALID_PARAMS, m.method + " needs " + field}
	}
	return nil
}
