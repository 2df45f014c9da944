package mcpserver

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/wesendall/wesendall-mcp/tools"
)

// This transport is hand-written on MCPServer.HandleMessage of mcp-go. The
// Streamable HTTP server of mcp-go v1.2.1 reads bodies without a limit, checks no
// Origin on POST, keeps sessions for ever by default, does not bind a session to
// its caller, and has no check of tokens.

// DefaultMaxRequests is the default of HTTPOptions.MaxRequests.
const DefaultMaxRequests = 512

// CallerFunc returns the caller of one tool call, or an error that is shown to the
// client. It is called only for tool calls.
type CallerFunc = func(context.Context) (tools.Caller, error)

// Authenticator finds the caller of a request.
type Authenticator interface {
	// Authenticate reads the headers of a request. It returns nil without
	// credentials, and an error for invalid ones. The error is shown to the client.
	Authenticate(http.Header) (CallerFunc, error)
	// Challenge is the value of WWW-Authenticate.
	Challenge() string
}

// HTTPOptions say who may call, and how many requests run at once.
type HTTPOptions struct {
	Authenticator  Authenticator
	AllowedOrigins []string // of web pages that may call, as scheme://host[:port]
	AllowedHosts   []string // accepted in the Host header, with the port if it is not the scheme's
	// BehindProxy means that a proxy terminates TLS and that requests name the
	// proxy in their Host header.
	BehindProxy bool
	TLS         *tls.Config // nil: plain HTTP
	MaxRequests int         // at once; 0: DefaultMaxRequests
	// SessionKey returns the key that signs session ids. Replicas with the same
	// key accept each other's sessions. Nil: a random key.
	SessionKey func(context.Context) ([]byte, error)
	Logger     *slog.Logger

	timeouts *timeouts // for tests; nil: defaultTimeouts
}

// HTTPHandler serves MCP over Streamable HTTP, in the stateless protocol
// (2026-07-28) and the session protocol (2025-11-25 and earlier).
type HTTPHandler struct {
	server       *Server
	options      HTTPOptions
	originPolicy originPolicy
	sessions     *sessionStore
	requests     semaphore
	bodies       bodyBudget
	streams      semaphore     // of subscriptions
	elicitations semaphore     // of calls that wait for a user
	draining     chan struct{} // closed when shutdown begins and the listener is closed
	forceStop    chan struct{} // closed when running calls are no longer waited for
	inFlight     sync.WaitGroup
}

// NewHTTPHandler returns the handler of a server that listens on addr.
func (s *Server) NewHTTPHandler(addr net.Addr, o HTTPOptions) *HTTPHandler {
	if o.MaxRequests == 0 {
		o.MaxRequests = DefaultMaxRequests
	}
	if o.timeouts == nil {
		o.timeouts = &defaultTimeouts
	}
	key := o.SessionKey
	if key == nil {
		processKey := make([]byte, 32)
		_, _ = rand.Read(processKey) // never fails
		key = func(context.Context) ([]byte, error) { return processKey, nil }
	}
	return &HTTPHandler{
		server: s, options: o, originPolicy: newOriginPolicy(addr, o),
		sessions: newSessionStore(key, o.SessionKey != nil, time.Now),
		requests: make(semaphore, o.MaxRequests), bodies: newBodyBudget(),
		streams: make(semaphore, 4*o.MaxRequests), elicitations: make(semaphore, 4*o.MaxRequests),
		draining: make(chan struct{}), forceStop: make(chan struct{}),
	}
}

// ServeHTTP answers one request.
func (h *HTTPHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rw := &responseWriter{w: w, controller: http.NewResponseController(w), timeouts: h.options.timeouts}
	defer func() {
		if recovered := recover(); recovered != nil {
			h.options.Logger.Error("a request failed", "path", r.URL.Path, "fault", recovered, "stack", string(debug.Stack()))
			rw.writeError(http.StatusInternalServerError, &rpcError{nil, mcp.INTERNAL_ERROR, errTextInternal})
		}
	}()
	// Also for a body that is not read here: net/http reads the rest of it.
	_ = rw.controller.SetReadDeadline(time.Now().Add(rw.timeouts.body))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch r.URL.Path {
	// Neither of the next two checks Host or Origin: probes use any name, and the
	// answers contain nothing private.
	case "/healthz": // also during shutdown
		rw.writeStatus(http.StatusOK, "ok")
	case "/readyz":
		// The ledger is not checked: reads and documents work without it, and all
		// replicas that share it would be taken out of service at once.
		if h.isDraining() {
			rw.writeStatus(http.StatusServiceUnavailable, "ending")
			return
		}
		rw.writeStatus(http.StatusOK, "ok")
	case "/mcp", "/mcp/": // some hosts add the slash to an address
		h.handleMCP(rw, r)
	default:
		rw.writeError(http.StatusNotFound,
			&rpcError{nil, mcp.INVALID_REQUEST, "there is no such path: MCP is served at /mcp"})
	}
}

// isDraining tells whether shutdown has begun.
func (h *HTTPHandler) isDraining() bool {
	select {
	case <-h.draining:
		return true
	default:
		return false
	}
}

// handleMCP answers a request to /mcp.
func (h *HTTPHandler) handleMCP(rw *responseWriter, r *http.Request) {
	if reason := h.originPolicy.check(r); reason != "" {
		rw.writeError(http.StatusForbidden, &rpcError{nil, mcp.INVALID_REQUEST, reason})
		return
	}
	h.originPolicy.setCORSHeaders(rw.w.Header(), r)
	if r.Method == http.MethodOptions {
		rw.w.WriteHeader(http.StatusNoContent)
		return
	}
	slot := h.requests.TryAcquire()
	if slot == nil {
		rw.w.Header().Set("Retry-After", "1")
		rw.writeError(http.StatusServiceUnavailable, &rpcError{nil, mcp.INTERNAL_ERROR,
			"too many requests are running: try again in a second; nothing was done"})
		return
	}
	defer slot.Release()
	switch r.Method {
	case http.MethodPost:
		h.handlePost(rw, r, slot)
	case http.MethodDelete:
		h.handleDelete(rw, r)
	default:
		// The server sends nothing outside of an answer, so GET has no stream.
		rw.w.Header().Set("Allow", "POST, DELETE, OPTIONS")
		rw.writeError(http.StatusMethodNotAllowed,
			&rpcError{nil, mcp.INVALID_REQUEST, r.Method + " is not supported: send messages by POST"})
	}
}

// handleDelete ends a session.
func (h *HTTPHandler) handleDelete(rw *responseWriter, r *http.Request) {
	if mcp.IsModernProtocol(r.Header.Get(mcp.HeaderProtocolVersion)) {
		rw.w.Header().Set("Allow", "POST, OPTIONS")
		rw.writeError(http.StatusMethodNotAllowed,
			&rpcError{nil, mcp.INVALID_REQUEST, "this version of the protocol has no sessions"})
		return
	}
	id := r.Header.Get(mcp.HeaderSessionID)
	if id == "" {
		rw.writeError(http.StatusBadRequest, errMissingSession)
		return
	}
	session, err := h.sessions.Lookup(r.Context(), id, r.Header)
	switch {
	case err != nil:
		h.writeSessionKeyError(rw, nil, err)
	case session == nil:
		rw.writeError(http.StatusNotFound, errUnknownSession)
	default:
		h.sessions.Terminate(id)
		rw.w.WriteHeader(http.StatusNoContent)
	}
}

// writeSessionKeyError refuses a request because the key of session ids is unavailable.
func (h *HTTPHandler) writeSessionKeyError(rw *responseWriter, id json.RawMessage, err error) {
	h.options.Logger.Error("the key that signs session ids cannot be read", "error", err)
	rw.w.Header().Set("Retry-After", "5")
	rw.writeError(http.StatusServiceUnavailable, &rpcError{id, mcp.INTERNAL_ERROR, "sessions are unavailable now: " +
		"try again, or use a version of the protocol without sessions; nothing was done"})
}

var (
	errMissingSession = &rpcError{nil, mcp.INVALID_REQUEST, mcp.HeaderSessionID + " is missing: " +
		"send initialize first, or name a protocol version without sessions (2026-07-28) in every request"}
	errUnknownSession = &rpcError{nil, mcp.INVALID_REQUEST, "the session is unknown or has ended: send initialize again"}
)
