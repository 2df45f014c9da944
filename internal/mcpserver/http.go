package mcpserver

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/wesendall/wesendall-mcp/tools"
)

// The library's own HTTP server reads bodies of any length, looks at no Origin,
// knows one caller's sessions and cancels from another's only by names that the
// callers choose, and keeps every session for ever. So HTTP is spoken here, and
// only whole messages are given to it.

// What one client may send, in bytes.
const (
	maxRequestBytes = 1 << 20
	maxHeaderBytes  = 64 << 10
)

// timeouts are how long things may take.
type timeouts struct {
	header, body time.Duration // to arrive
	write        time.Duration // for one write, to somebody who may read slowly
	idle         time.Duration // between two requests
	heartbeat    time.Duration // between two signs of life on a stream
	stream       time.Duration // that a stream without an end may last
	// drain is for what runs at the end. A supervisor leaves 30 s, and the ledger and
	// the traces may take five each to close. A spend that is on the wire for longer
	// is in the ledger, as one whose outcome is not known.
	shutdown time.Duration
}

var defaultTimeouts = timeouts{
	header: 10 * time.Second, body: 15 * time.Second, write: 30 * time.Second,
	idle: 2 * time.Minute, heartbeat: 15 * time.Second, stream: time.Hour, shutdown: 20 * time.Second,
}

// DefaultMaxRequests is how many requests run at once.
const DefaultMaxRequests = 512

// CallerFunc makes the caller of one tool call, or says why it cannot. It is asked only
// where there is one.
type CallerFunc = func(context.Context) (tools.Caller, error)

// Authenticator tell whose a request is.
type Authenticator interface {
	// Identify reads a request's headers. It is nil where they bring no
	// credentials, and an error where they bring unusable ones, for which nobody
	// can be charged. The error is shown.
	Authenticate(http.Header) (CallerFunc, error)
	// Challenge is how to ask for credentials (WWW-Authenticate).
	Challenge() string
}

// HTTPOptions say who may come, and how many.
type HTTPOptions struct {
	Authenticator  Authenticator
	AllowedOrigins []string // web pages that may call, as scheme://host[:port]
	AllowedHosts   []string // names that the server goes by, with a port if it is not the usual one
	// Proxied says that a proxy stands before it and speaks TLS, and that requests
	// are for names of its own.
	BehindProxy bool
	TLS         *tls.Config // nil is plain HTTP
	MaxRequests int         // at once; 0 is DefaultMaxRequests
	// SessionKey is what signs the names of sessions, so that every replica that has it
	// takes them. Nil is one of this process's own.
	SessionKey func(context.Context) ([]byte, error)
	Logger     *slog.Logger

	timeouts *timeouts // for tests; nil is usual
}

// HTTPHandler serves the protocol over Streamable HTTP, in both of its eras.
type HTTPHandler struct {
	server       *Server
	options      HTTPOptions
	originPolicy originPolicy
	sessions     *sessionStore
	requests     semaphore
	streams      semaphore     // of those that may last
	elicitations semaphore     // of those that wait for a person
	draining     chan struct{} // closed when nothing new is taken
	forceStop    chan struct{} // closed when what still runs is no longer waited for
	inFlight     sync.WaitGroup
}

// NewHTTPHandler is the server behind an address that it is to be reached at.
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
		_, _ = rand.Read(processKey) // it never fails
		key = func(context.Context) ([]byte, error) { return processKey, nil }
	}
	return &HTTPHandler{
		server: s, options: o, originPolicy: newOriginPolicy(addr, o),
		sessions: newSessionStore(key, o.SessionKey != nil, time.Now),
		requests: make(semaphore, o.MaxRequests), streams: make(semaphore, 4*o.MaxRequests), elicitations: make(semaphore, 4*o.MaxRequests),
		draining: make(chan struct{}), forceStop: make(chan struct{}),
	}
}

// Serve serves until the context ends. Then nothing new is taken, what runs is
// answered, streams are ended in order, and what is left after a while is cut.
func (h *HTTPHandler) Serve(ctx context.Context, l net.Listener) error {
	t := h.options.timeouts
	srv := &http.Server{
		Handler: h, TLSConfig: h.options.TLS.Clone(), MaxHeaderBytes: maxHeaderBytes,
		ReadHeaderTimeout: t.header, WriteTimeout: t.write, IdleTimeout: t.idle,
		ErrorLog: slog.NewLogLogger(h.options.Logger.Handler(), slog.LevelWarn), Protocols: new(http.Protocols),
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true)
	srv.Protocols.SetUnencryptedHTTP2(h.options.BehindProxy)
	// Runs once the listener is closed: a client whose stream ends cannot connect
	// to this replica again.
	srv.RegisterOnShutdown(func() { close(h.draining) })
	serveErr := make(chan error, 1)
	go func() {
		if h.options.TLS != nil {
			serveErr <- srv.ServeTLS(l, "", "")
			return
		}
		serveErr <- srv.Serve(l)
	}()
	select {
	case err := <-serveErr:
		return err
	case <-ctx.Done():
	}
	shutdownCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.shutdown)
	defer cancel()
	forceTimer := time.AfterFunc(t.shutdown*3/4, func() { close(h.forceStop) })
	defer forceTimer.Stop()
	err := srv.Shutdown(shutdownCtx)
	callsDone := make(chan struct{})
	go func() { h.inFlight.Wait(); close(callsDone) }()
	select {
	case <-callsDone: // what was answered early may yet be written down
	case <-shutdownCtx.Done():
		h.options.Logger.Warn("calls were cut at the end; see the ledger for what they did")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	return err
}

// ServeHTTP answers one request.
func (h *HTTPHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resp := &responseWriter{w: w, controller: http.NewResponseController(w), timeouts: h.options.timeouts}
	defer func() {
		if recovered := recover(); recovered != nil {
			h.options.Logger.Error("a request failed", "path", r.URL.Path, "fault", recovered, "stack", string(debug.Stack()))
			resp.writeError(http.StatusInternalServerError, &rpcError{nil, mcp.INTERNAL_ERROR, "a fault of this server"})
		}
	}()
	// Also for a body that nobody reads: the connection is kept for the rest of it.
	_ = resp.controller.SetReadDeadline(time.Now().Add(resp.timeouts.body))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch r.URL.Path {
	// The next two say nothing of anybody, and whoever watches may come under any
	// name.
	case "/healthz": // the process lives, also while it ends
		resp.writeStatus(http.StatusOK, "ok")
	case "/readyz":
		// The ledger is not looked at: without it reads and documents still work,
		// and every replica would go at once where they share one.
		if h.isDraining() {
			resp.writeStatus(http.StatusServiceUnavailable, "ending")
			return
		}
		resp.writeStatus(http.StatusOK, "ok")
	case "/mcp":
		h.handleMCP(resp, r)
	default:
		resp.writeError(http.StatusNotFound, &rpcError{nil, mcp.INVALID_REQUEST, "there is nothing here; the protocol is spoken at /mcp"})
	}
}

// isDraining tells whether the server takes nothing new.
func (h *HTTPHandler) isDraining() bool {
	select {
	case <-h.draining:
		return true
	default:
		return false
	}
}

// handleMCP answers a request for the protocol.
func (h *HTTPHandler) handleMCP(resp *responseWriter, r *http.Request) {
	if reason := h.originPolicy.check(r); reason != "" {
		resp.writeError(http.StatusForbidden, &rpcError{nil, mcp.INVALID_REQUEST, reason})
		return
	}
	h.originPolicy.setCORSHeaders(resp.w.Header(), r)
	if r.Method == http.MethodOptions {
		resp.w.WriteHeader(http.StatusNoContent)
		return
	}
	permit := h.requests.TryAcquire()
	if permit == nil {
		resp.w.Header().Set("Retry-After", "1")
		resp.writeError(http.StatusServiceUnavailable, &rpcError{nil, mcp.INTERNAL_ERROR, "too many requests are running: try again in a second; nothing was done"})
		return
	}
	defer permit.Release()
	switch r.Method {
	case http.MethodPost:
		h.handlePost(resp, r, permit)
	case http.MethodDelete:
		h.handleDelete(resp, r)
	default:
		// There is nothing that the server would say on its own, so there is no
		// stream to GET.
		resp.w.Header().Set("Allow", "POST, DELETE, OPTIONS")
		resp.writeError(http.StatusMethodNotAllowed, &rpcError{nil, mcp.INVALID_REQUEST, r.Method + " is not served here: messages come by POST"})
	}
}

// handleDelete ends a session.
func (h *HTTPHandler) handleDelete(resp *responseWriter, r *http.Request) {
	if mcp.IsModernProtocol(r.Header.Get(mcp.HeaderProtocolVersion)) {
		resp.w.Header().Set("Allow", "POST, OPTIONS")
		resp.writeError(http.StatusMethodNotAllowed, &rpcError{nil, mcp.INVALID_REQUEST, "this version of the protocol has no sessions"})
		return
	}
	id := r.Header.Get(mcp.HeaderSessionID)
	if id == "" {
		resp.writeError(http.StatusBadRequest, errMissingSession)
		return
	}
	session, err := h.sessions.Lookup(r.Context(), id, r.Header)
	switch {
	case err != nil:
		h.sessionKeyError(resp, nil, err)
	case session == nil:
		resp.writeError(http.StatusNotFound, errUnknownSession)
	default:
		h.sessions.Terminate(id)
		resp.w.WriteHeader(http.StatusNoContent)
	}
}

// sessionKeyError refuses a request whose session cannot be named or known now.
func (h *HTTPHandler) sessionKeyError(resp *responseWriter, id json.RawMessage, err error) {
	h.options.Logger.Error("the key that names sessions cannot be read", "error", err)
	resp.w.Header().Set("Retry-After", "5")
	resp.writeError(http.StatusServiceUnavailable, &rpcError{id, mcp.INTERNAL_ERROR, "sessions cannot be had now: try again, or speak a version of the protocol that has none; nothing was done"})
}

var (
	errMissingSession = &rpcError{nil, mcp.INVALID_REQUEST, mcp.HeaderSessionID + " is missing: begin with initialize, or name a protocol version that has no sessions with every request"}
	errUnknownSession = &rpcError{nil, mcp.INVALID_REQUEST, "there is no such session: begin anew with initialize"}
)

// semaphore bound how many of a kind run at once.
type semaphore chan struct{}

// TryAcquire takes a place, or is nil.
func (s semaphore) TryAcquire() *permit {
	select {
	case s <- struct{}{}:
		return &permit{s}
	default:
		return nil
	}
}

// permit is one of the slots that is taken.
type permit struct{ sem semaphore }

func (p *permit) Release() { <-p.sem }

// transferTo changes a place for one of another kind, if there is one.
func (p *permit) transferTo(target semaphore) bool {
	select {
	case target <- struct{}{}:
	default:
		return false
	}
	p.Release()
	p.sem = target
	return true
}
