package mcpserver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/wesendall/wesendall-mcp/tools"
)

// clientSession is what the library knows of the client at the other end. Its
// capabilities are declared once in the handshake, or anew with each request.
type clientSession struct {
	id               string
	notifications    chan mcp.JSONRPCNotification
	initialized      atomic.Bool
	outgoingRequests chan mcp.JSONRPCMessage // from this side, to be written
	done             chan struct{}           // closed when no answer can come any more
	elicitations     *pendingElicitations

	mu           sync.Mutex
	clientInfo   mcp.Implementation
	capabilities mcp.ClientCapabilities
	version      string
}

func newClientSession() *clientSession {
	return &clientSession{
		id: "stdio", notifications: make(chan mcp.JSONRPCNotification, 64), outgoingRequests: make(chan mcp.JSONRPCMessage),
		done: make(chan struct{}), elicitations: newPendingElicitations(),
	}
}

// pendingElicitations are the requests to a client that wait for its answers.
type pendingElicitations struct {
	mu      sync.Mutex
	seq     int
	waiters map[string]chan *rpcMessage // by id
}

func newPendingElicitations() *pendingElicitations {
	return &pendingElicitations{waiters: map[string]chan *rpcMessage{}}
}

// register makes the id of a request and the channel for its answer.
func (p *pendingElicitations) register() (id string, response chan *rpcMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seq++
	id, response = fmt.Sprintf("ask-%d", p.seq), make(chan *rpcMessage, 1)
	p.waiters[id] = response
	return id, response
}

func (p *pendingElicitations) remove(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiters, id)
}

// resolve hands a response to the request that waits for it, if one does.
func (p *pendingElicitations) resolve(response *rpcMessage) {
	key, _ := jsonString(response.id)
	p.mu.Lock()
	defer p.mu.Unlock()
	if waiter, ok := p.waiters[key]; ok {
		delete(p.waiters, key)
		waiter <- response
	}
}

var errNoElicitationAnswer = errors.New("the client did not answer")

// RequestElicitation puts a question to the client's person, and waits for what
// they say.
func (s *clientSession) RequestElicitation(ctx context.Context, req mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	id, response := s.elicitations.register()
	defer s.elicitations.remove(id)
	select {
	case s.outgoingRequests <- mcp.JSONRPCRequest{JSONRPC: mcp.JSONRPC_VERSION, ID: mcp.NewRequestId(id), Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)}, Params: req.Params}:
	case <-s.done:
		return nil, errNoElicitationAnswer
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case m := <-response:
		if m.result == nil {
			return nil, errNoElicitationAnswer
		}
		result := &mcp.ElicitationResult{}
		result.Action = mcp.ElicitationResponseActionDecline
		if tools.IsAccepted(m.result) {
			result.Action = mcp.ElicitationResponseActionAccept
		}
		return result, nil
	case <-s.done:
		return nil, errNoElicitationAnswer
	case <-ctx.Done():
		// The question is of no more use: a host may take it off the screen.
		var notification mcp.JSONRPCNotification
		notification.JSONRPC, notification.Method = mcp.JSONRPC_VERSION, string(mcp.MethodNotificationCancelled)
		notification.Params.AdditionalFields = map[string]any{"requestId": id, "reason": "nobody answered in time"}
		select {
		case s.notifications <- notification:
		default:
		}
		return nil, ctx.Err()
	}
}

func (s *clientSession) SessionID() string { return s.id }
func (s *clientSession) Initialize()       { s.initialized.Store(true) }
func (s *clientSession) Initialized() bool { return s.initialized.Load() }

func (s *clientSession) NotificationChannel() chan<- mcp.JSONRPCNotification { return s.notifications }

func (s *clientSession) GetClientInfo() mcp.Implementation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clientInfo
}

func (s *clientSession) SetClientInfo(info mcp.Implementation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clientInfo = info
}

func (s *clientSession) GetClientCapabilities() mcp.ClientCapabilities {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.capabilities
}

func (s *clientSession) SetClientCapabilities(capabilities mcp.ClientCapabilities) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capabilities = capabilities
}

func (s *clientSession) ProtocolVersion() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

func (s *clientSession) SetProtocolVersion(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version = version
}
