package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// The library's own stdio server cancels running calls at the end of input,
// loses a cancel that is read with its call, runs five calls at once, and reads
// lines of any length. So the lines are read here, and only whole messages are
// given to it.

// stdioShutdownTimeout bounds how long the end waits for calls in flight: longer than the
// 45 s that one may take.
const stdioShutdownTimeout = 60 * time.Second

// connection is one client over a pair of streams.
type connection struct {
	server        *Server
	session       *clientSession
	responses     chan mcp.JSONRPCMessage
	writeFailed   chan struct{} // closed when nobody reads the answers any more
	writerStopped chan struct{} // closed when no answer is written any more

	calls    sync.WaitGroup
	mu       sync.Mutex
	inFlight map[string]*stdioRequest // by the id as it was written
}

// stdioRequest is one that runs.
type stdioRequest struct {
	cancel         context.CancelFunc
	isSubscription bool // until it is cancelled
	cancelled      bool
}

// ServeStdio serves one client until the input ends or the context does, and
// then answers every request that was read. What a call has begun is finished
// in both cases. Only messages of the protocol are written to out.
func (s *Server) ServeStdio(ctx context.Context, in io.Reader, out io.Writer) error {
	c := &connection{
		server: s, session: newClientSession(), inFlight: map[string]*stdioRequest{},
		responses: make(chan mcp.JSONRPCMessage), writeFailed: make(chan struct{}), writerStopped: make(chan struct{}),
	}
	if err := s.mcp.RegisterSession(ctx, c.session); err != nil {
		return err
	}
	// What a call has begun outlives the end of the connection.
	callCtx := context.WithoutCancel(ctx)
	defer s.mcp.UnregisterSession(callCtx, c.session.SessionID())

	lines := make(chan line)
	stopReader := make(chan struct{})
	defer close(stopReader)
	go func() {
		defer close(lines)
		reader := newLineReader(in)
		for {
			l, err := reader.readLine()
			if err != nil {
				return
			}
			select {
			case lines <- l:
			case <-stopReader:
				return
			}
		}
	}()
	writerDone := make(chan struct{})
	go func() { defer close(writerDone); c.writeLoop(out) }()

	for running := true; running; {
		select {
		case l, ok := <-lines:
			if running = ok; ok {
				c.handleLine(callCtx, ctx.Done(), l)
			}
		case <-ctx.Done():
			running = false
		case <-c.writeFailed:
			running = false
		}
	}
	close(c.session.done) // nobody will answer a question any more
	if !c.drain() {
		return nil
	}
	close(c.responses)
	timer := time.NewTimer(s.shutdownTimeout)
	defer timer.Stop()
	select {
	case <-writerDone:
	case <-timer.C: // the client reads nothing any more
	}
	return nil
}

// respond hands an answer to the writer. It gives up when nobody reads it and
// the connection is to end.
func (c *connection) respond(resp mcp.JSONRPCMessage, shutdown <-chan struct{}) {
	select {
	case c.responses <- resp:
	case <-c.writerStopped:
	case <-shutdown:
	}
}

// drain waits for the calls in flight, and ends those that would never. It tells
// whether all were answered: where the client does not read, they cannot be.
func (c *connection) drain() bool {
	c.mu.Lock()
	for _, req := range c.inFlight {
		if req.isSubscription {
			req.cancel()
		}
	}
	c.mu.Unlock()
	done := make(chan struct{})
	go func() { c.calls.Wait(); close(done) }()
	timer := time.NewTimer(c.server.shutdownTimeout)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
	}
	c.mu.Lock()
	for _, req := range c.inFlight {
		req.cancel()
	}
	c.mu.Unlock()
	close(c.writerStopped)
	<-done // a call that was cancelled ends at once, or within its own deadline
	return false
}

// writeLoop is the only writer: a notification leaves before the answer that was
// made after it.
func (c *connection) writeLoop(out io.Writer) {
	failed := false
	writeJSON := func(value any) {
		if failed {
			return
		}
		data, err := json.Marshal(value)
		if err != nil {
			c.server.logger.Error("an answer cannot be written", "error", err)
			return
		}
		if _, err = out.Write(append(data, '\n')); err != nil {
			failed = true
			close(c.writeFailed)
		}
	}
	for {
		select {
		case n := <-c.session.notifications:
			writeJSON(n)
		case req := <-c.session.outgoingRequests:
			writeJSON(req)
		case resp, ok := <-c.responses:
			for pending := true; pending; {
				select {
				case n := <-c.session.notifications:
					writeJSON(n)
				default:
					pending = false
				}
			}
			if !ok {
				return
			}
			writeJSON(resp)
		}
	}
}

// handleLine handles one line. What changes the state of the connection is done
// before the next line is read; everything else runs beside it.
func (c *connection) handleLine(ctx context.Context, shutdown <-chan struct{}, l line) {
	if l.tooLong {
		c.respond((&rpcError{nil, mcp.INVALID_REQUEST, fmt.Sprintf("a line must not be longer than %d MiB", MaxLineBytes>>20)}).toMessage(), shutdown)
		return
	}
	raw := bytes.TrimSpace(l.data)
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

// handleNotification handles a notification, which is never answered.
func (c *connection) handleNotification(ctx context.Context, m *rpcMessage) {
	if m.method != string(mcp.MethodNotificationCancelled) {
		c.server.dispatch(c.server.mcp.WithContext(ctx, c.session), m)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if req, ok := c.inFlight[string(m.members["requestId"])]; ok {
		req.cancelled = !req.isSubscription // a subscription ends with an answer
		req.cancel()
	}
}

// handleRequest starts a call. Its cancel works from here on, since the next line is
// not yet read.
func (c *connection) handleRequest(ctx context.Context, shutdown <-chan struct{}, m *rpcMessage) {
	rpcErr := c.server.validate(m)
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

// checkVersion refuses a request that came before any handshake without a
// version of its own. A ping needs none, and the library answers a version that
// it does not know.
func checkVersion(m *rpcMessage) *rpcError {
	const field = mcp.MetaKeyProtocolVersion + " in params._meta"
	switch {
	case m.method == string(mcp.MethodPing):
		return nil
	case m.method != string(mcp.MethodServerDiscover):
		return &rpcError{m.id, mcp.INVALID_REQUEST, "the first request must be initialize, or every request must name its protocol version (" + field + ")"}
	case m.protocolVersion() == "":
		return &rpcError{m.id, mcp.INVALID_PARAMS, m.method + " needs " + field}
	}
	return nil
}
