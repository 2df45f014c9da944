package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/wesendall/wesendall-mcp/tools"
)

// session is what the library knows of the client at the other end. Its
// capabilities are declared once in the handshake, or anew with each request.
type session struct {
	id            string
	notifications chan mcp.JSONRPCNotification
	initialized   atomic.Bool
	requests      chan mcp.JSONRPCMessage // from this side, to be written
	ended         chan struct{}           // closed when no answer can come any more
	questions     *questions

	mu           sync.Mutex
	client       mcp.Implementation
	capabilities mcp.ClientCapabilities
	version      string
}

func newSession() *session {
	return &session{
		id: "stdio", notifications: make(chan mcp.JSONRPCNotification, 64), requests: make(chan mcp.JSONRPCMessage),
		ended: make(chan struct{}), questions: newQuestions(),
	}
}

// questions are the requests to a client that wait for its answers.
type questions struct {
	mu      sync.Mutex
	asked   int
	waiting map[string]chan json.RawMessage // by id
}

func newQuestions() *questions { return &questions{waiting: map[string]chan json.RawMessage{}} }

// add makes an id for a request, and the place where its answer will be.
func (q *questions) add() (id string, answer chan json.RawMessage) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asked++
	id, answer = fmt.Sprintf("ask-%d", q.asked), make(chan json.RawMessage, 1)
	q.waiting[id] = answer
	return id, answer
}

func (q *questions) drop(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.waiting, id)
}

// deliver gives an answer to whoever waits for it.
func (q *questions) deliver(id, raw json.RawMessage) {
	var name string
	if json.Unmarshal(id, &name) != nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if answer, ok := q.waiting[name]; ok {
		delete(q.waiting, name)
		answer <- raw
	}
}

var errNoAnswer = errors.New("the client did not answer")

// RequestElicitation puts a question to the client's person, and waits for what
// they say.
func (s *session) RequestElicitation(ctx context.Context, q mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	id, answer := s.questions.add()
	defer s.questions.drop(id)
	select {
	case s.requests <- mcp.JSONRPCRequest{JSONRPC: mcp.JSONRPC_VERSION, ID: mcp.NewRequestId(id), Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)}, Params: q.Params}:
	case <-s.ended:
		return nil, errNoAnswer
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case raw := <-answer:
		var a map[string]json.RawMessage
		if json.Unmarshal(raw, &a) != nil || a["result"] == nil || a["error"] != nil {
			return nil, errNoAnswer
		}
		said := &mcp.ElicitationResult{}
		said.Action = mcp.ElicitationResponseActionDecline
		if tools.Accepts(a["result"]) {
			said.Action = mcp.ElicitationResponseActionAccept
		}
		return said, nil
	case <-s.ended:
		return nil, errNoAnswer
	case <-ctx.Done():
		// The question is of no more use: a host may take it off the screen.
		var gone mcp.JSONRPCNotification
		gone.JSONRPC, gone.Method = mcp.JSONRPC_VERSION, string(mcp.MethodNotificationCancelled)
		gone.Params.AdditionalFields = map[string]any{"requestId": id, "reason": "nobody answered in time"}
		select {
		case s.notifications <- gone:
		default:
		}
		return nil, ctx.Err()
	}
}

func (s *session) SessionID() string { return s.id }
func (s *session) Initialize()       { s.initialized.Store(true) }
func (s *session) Initialized() bool { return s.initialized.Load() }

func (s *session) NotificationChannel() chan<- mcp.JSONRPCNotification { return s.notifications }

func (s *session) GetClientInfo() mcp.Implementation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client
}

func (s *session) SetClientInfo(client mcp.Implementation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = client
}

func (s *session) GetClientCapabilities() mcp.ClientCapabilities {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.capabilities
}

func (s *session) SetClientCapabilities(capabilities mcp.ClientCapabilities) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capabilities = capabilities
}

func (s *session) ProtocolVersion() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

func (s *session) SetProtocolVersion(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version = version
}
