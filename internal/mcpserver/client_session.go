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

// clientSession is the client as mcp-go sees it. The client declares its
// capabilities in the handshake or, since 2026-07-28, with each request.
type clientSession struct {
	id               string
	notifications    chan mcp.JSONRPCNotification
	initialized      atomic.Bool
	outgoingRequests chan mcp.JSONRPCMessage // from the server to the client
	done             chan struct{}           // closed when the client can no longer answer
	elicitations     *pendingElicitations

	mu           sync.Mutex
	clientInfo   mcp.Implementation
	capabilities mcp.ClientCapabilities
	version      string
}

func newClientSession() *clientSession {
	return &clientSession{
		id: "stdio", notifications: make(chan mcp.JSONRPCNotification, 64),
		outgoingRequests: make(chan mcp.JSONRPCMessage), done: make(chan struct{}), elicitations: newPendingElicitations(),
	}
}

// pendingElicitations are the elicitations that wait for an answer.
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

// RequestElicitation asks the client's user and waits for the answer. When the
// context ends, the client is told that the question is cancelled.
func (s *clientSession) RequestElicitation(
	ctx context.Context, req mcp.ElicitationRequest,
) (*mcp.ElicitationResult, error) {
	id, response := s.elicitations.register()
	defer s.elicitations.remove(id)
	select {
	case s.outgoingRequests <- mcp.JSONRPCRequest{
		JSONRPC: mcp.JSONRPC_VERSION, ID: mcp.NewRequestId(id),
		Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)}, Params: req.Params,
	}:
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
		s.notifyCancelled(id) // so that the host can close the form
		return nil, ctx.Err()
	}
}

// notifyCancelled tells the client that a request to it is cancelled, unless the
// client does not read.
func (s *clientSession) notifyCancelled(id string) {
	var n mcp.JSONRPCNotification
	n.JSONRPC, n.Method = mcp.JSONRPC_VERSION, string(mcp.MethodNotificationCancelled)
	n.Params.AdditionalFields = map[string]any{"requestId": id, "reason": "the user did not answer in time"}
	select {
	case s.notifications <- n:
	default:
	}
}

// flushNotifications writes the notifications that are queued.
func (s *clientSession) flushNotifications(write func(mcp.JSONRPCNotification)) {
	for {
		select {
		case n := <-s.notifications:
			write(n)
		default:
			return
		}
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
