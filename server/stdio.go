package server

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

// drainTime bounds how long the end waits for calls in flight: longer than the
// 45 s that one may take.
const drainTime = 60 * time.Second

// connection is one client over a pair of streams.
type connection struct {
	server  *Server
	session *session
	answers chan mcp.JSONRPCMessage
	broken  chan struct{} // closed when nobody reads the answers any more
	gone    chan struct{} // closed when no answer is written any more

	calls sync.WaitGroup
	mu    sync.Mutex
	open  map[string]*request // by the id as it was written
}

// request is one that runs.
type request struct {
	cancel    context.CancelFunc
	listens   bool // until it is cancelled
	cancelled bool
}

// ServeStdio serves one client until the input ends or the context does, and
// then answers every request that was read. What a call has begun is finished
// in both cases. Only messages of the protocol are written to out.
func (s *Server) ServeStdio(ctx context.Context, in io.Reader, out io.Writer) error {
	c := &connection{
		server: s, session: newSession(), open: map[string]*request{},
		answers: make(chan mcp.JSONRPCMessage), broken: make(chan struct{}), gone: make(chan struct{}),
	}
	if err := s.mcp.RegisterSession(ctx, c.session); err != nil {
		return err
	}
	// What a call has begun outlives the end of the connection.
	lasting := context.WithoutCancel(ctx)
	defer s.mcp.UnregisterSession(lasting, c.session.SessionID())

	lines := make(chan line)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		defer close(lines)
		reader := newLineReader(in)
		for {
			l, err := reader.next()
			if err != nil {
				return
			}
			select {
			case lines <- l:
			case <-stop:
				return
			}
		}
	}()
	written := make(chan struct{})
	go func() { defer close(written); c.write(out) }()

	for running := true; running; {
		select {
		case l, ok := <-lines:
			if running = ok; ok {
				c.take(lasting, ctx.Done(), l)
			}
		case <-ctx.Done():
			running = false
		case <-c.broken:
			running = false
		}
	}
	close(c.session.ended) // nobody will answer a question any more
	if !c.drain() {
		return nil
	}
	close(c.answers)
	timer := time.NewTimer(s.drainTime)
	defer timer.Stop()
	select {
	case <-written:
	case <-timer.C: // the client reads nothing any more
	}
	return nil
}

// answer hands an answer to the writer. It gives up when nobody reads it and
// the connection is to end.
func (c *connection) answer(a mcp.JSONRPCMessage, ending <-chan struct{}) {
	select {
	case c.answers <- a:
	case <-c.gone:
	case <-ending:
	}
}

// drain waits for the calls in flight, and ends those that would never. It tells
// whether all were answered: where the client does not read, they cannot be.
func (c *connection) drain() bool {
	c.mu.Lock()
	for _, r := range c.open {
		if r.listens {
			r.cancel()
		}
	}
	c.mu.Unlock()
	done := make(chan struct{})
	go func() { c.calls.Wait(); close(done) }()
	timer := time.NewTimer(c.server.drainTime)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
	}
	c.mu.Lock()
	for _, r := range c.open {
		r.cancel()
	}
	c.mu.Unlock()
	close(c.gone)
	<-done // a call that was cancelled ends at once, or within its own deadline
	return false
}

// write is the only writer: a notification leaves before the answer that was
// made after it.
func (c *connection) write(out io.Writer) {
	broken := false
	put := func(value any) {
		if broken {
			return
		}
		text, err := json.Marshal(value)
		if err != nil {
			c.server.log.Error("an answer cannot be written", "error", err)
			return
		}
		if _, err = out.Write(append(text, '\n')); err != nil {
			broken = true
			close(c.broken)
		}
	}
	for {
		select {
		case n := <-c.session.notifications:
			put(n)
		case q := <-c.session.requests:
			put(q)
		case answer, ok := <-c.answers:
			for waiting := true; waiting; {
				select {
				case n := <-c.session.notifications:
					put(n)
				default:
					waiting = false
				}
			}
			if !ok {
				return
			}
			put(answer)
		}
	}
}

// take handles one line. What changes the state of the connection is done
// before the next line is read; everything else runs beside it.
func (c *connection) take(ctx context.Context, ending <-chan struct{}, l line) {
	if l.tooLong {
		c.answer((&refusal{nil, mcp.INVALID_REQUEST, fmt.Sprintf("a line must not be longer than %d MiB", MaxLine>>20)}).message(), ending)
		return
	}
	text := bytes.TrimSpace(l.text)
	if len(text) == 0 {
		return
	}
	m, refused := parse(text)
	switch {
	case refused != nil:
		c.answer(refused.message(), ending)
	case m.method == "":
		c.session.questions.deliver(m.id, m.raw)
	case m.id == nil:
		c.notice(ctx, m)
	default:
		c.request(ctx, ending, m)
	}
}

// notice handles a notification, which is never answered.
func (c *connection) notice(ctx context.Context, m *message) {
	if m.method != string(mcp.MethodNotificationCancelled) {
		c.server.handle(c.server.mcp.WithContext(ctx, c.session), m)
		return
	}
	var params struct {
		RequestID json.RawMessage `json:"requestId"`
	}
	if json.Unmarshal(m.params, &params) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r, ok := c.open[string(params.RequestID)]; ok {
		r.cancelled = !r.listens // a subscription ends with an answer
		r.cancel()
	}
}

// request starts a call. Its cancel works from here on, since the next line is
// not yet read.
func (c *connection) request(ctx context.Context, ending <-chan struct{}, m *message) {
	refused := c.server.check(m)
	handshake := m.method == string(mcp.MethodInitialize)
	if refused == nil && !handshake && c.session.ProtocolVersion() == "" && !m.modern() {
		refused = unversioned(m)
	}
	ctx, cancel := context.WithCancel(c.server.mcp.WithContext(ctx, c.session))
	r := &request{cancel: cancel, listens: m.method == string(mcp.MethodSubscriptionsListen)}
	c.mu.Lock()
	_, taken := c.open[string(m.id)]
	if !taken && refused == nil {
		c.open[string(m.id)] = r
	}
	c.mu.Unlock()
	if taken {
		refused = &refusal{m.id, mcp.INVALID_REQUEST, "a request with this id is still running"}
	}
	if refused != nil {
		cancel()
		c.answer(refused.message(), ending)
		return
	}
	c.calls.Add(1)
	run := func() {
		defer c.calls.Done()
		defer cancel()
		answer := c.server.handle(ctx, m)
		c.mu.Lock()
		delete(c.open, string(m.id))
		cancelled := r.cancelled
		c.mu.Unlock()
		if answer != nil && !cancelled {
			c.answer(answer, nil)
		}
	}
	if handshake {
		run()
		return
	}
	go run()
}

// unversioned refuses a request that came before any handshake without a
// version of its own. A ping needs none, and the library answers a version that
// it does not know.
func unversioned(m *message) *refusal {
	const name = mcp.MetaKeyProtocolVersion + " in params._meta"
	switch {
	case m.method == string(mcp.MethodPing):
		return nil
	case m.method != string(mcp.MethodServerDiscover):
		return &refusal{m.id, mcp.INVALID_REQUEST, "the first request must be initialize, or every request must name its protocol version (" + name + ")"}
	case m.version() == "":
		return &refusal{m.id, mcp.INVALID_PARAMS, m.method + " needs " + name}
	}
	return nil
}
