package mcpserver

import (
	"context"
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// This transport is hand-written on MCPServer.HandleMessage of mcp-go. The stdio
// server of mcp-go v1.2.1 cancels running calls at the end of input and on a
// signal, drops queued calls then, loses a cancel for a call that it has not yet
// taken, runs at most five calls at once, and has no limit for a line.

// stdioShutdownTimeout is how long the server waits for running calls at the end.
// It is longer than the 45 s that a spend may take.
const stdioShutdownTimeout = 60 * time.Second

// connection is one client over a pair of streams.
type connection struct {
	server        *Server
	session       *clientSession
	responses     chan mcp.JSONRPCMessage
	writeFailed   chan struct{} // closed when the client no longer reads
	writerStopped chan struct{} // closed when no more answers are written

	calls    sync.WaitGroup
	mu       sync.Mutex
	inFlight map[string]*stdioRequest // by the id as it was written
}

// ServeStdio serves one client until the input or the context ends, and then
// answers every request that was read. Running calls are finished in both cases.
// Only protocol messages are written to out.
func (s *Server) ServeStdio(ctx context.Context, in io.Reader, out io.Writer) error {
	c := &connection{
		server: s, session: newClientSession(), inFlight: map[string]*stdioRequest{},
		responses: make(chan mcp.JSONRPCMessage), writeFailed: make(chan struct{}), writerStopped: make(chan struct{}),
	}
	if err := s.mcp.RegisterSession(ctx, c.session); err != nil {
		return err
	}
	// A running call outlives the end of the connection.
	callCtx := context.WithoutCancel(ctx)
	defer s.mcp.UnregisterSession(callCtx, c.session.SessionID())

	stopReader := make(chan struct{})
	defer close(stopReader)
	lines := readLines(in, stopReader)
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
	close(c.session.done)
	if !c.drain() {
		return nil
	}
	close(c.responses)
	timer := time.NewTimer(s.shutdownTimeout)
	defer timer.Stop()
	select {
	case <-writerDone:
	case <-timer.C: // the client no longer reads
	}
	return nil
}

// respond hands an answer to the writer. It gives up when the writer stopped, or
// when shutdown is closed.
func (c *connection) respond(resp mcp.JSONRPCMessage, shutdown <-chan struct{}) {
	select {
	case c.responses <- resp:
	case <-c.writerStopped:
	case <-shutdown:
	}
}

// drain ends subscriptions and waits for running calls. It returns false if they
// were not all answered in time, which happens if the client does not read.
func (c *connection) drain() bool {
	c.cancelInFlight(func(req *stdioRequest) bool { return req.isSubscription })
	done := make(chan struct{})
	go func() { c.calls.Wait(); close(done) }()
	timer := time.NewTimer(c.server.shutdownTimeout)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
	}
	c.cancelInFlight(func(*stdioRequest) bool { return true })
	close(c.writerStopped)
	<-done // a cancelled call ends at once, or by its own deadline
	return false
}

func (c *connection) cancelInFlight(matches func(*stdioRequest) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, req := range c.inFlight {
		if matches(req) {
			req.cancel()
		}
	}
}

// writeLoop is the only writer. Notifications that were queued before an answer
// are written before it.
func (c *connection) writeLoop(out io.Writer) {
	failed := false
	write := func(value any) {
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
			write(n)
		case req := <-c.session.outgoingRequests:
			write(req)
		case resp, ok := <-c.responses:
			c.session.flushNotifications(func(n mcp.JSONRPCNotification) { write(n) })
			if !ok {
				return
			}
			write(resp)
		}
	}
}
