package server

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
	maxBody   = 1 << 20
	maxHeader = 64 << 10
)

// times are how long things may take.
type times struct {
	header, body time.Duration // to arrive
	write        time.Duration // for one write, to somebody who may read slowly
	idle         time.Duration // between two requests
	beat         time.Duration // between two signs of life on a stream
	stream       time.Duration // that a stream without an end may last
	// drain is for what runs at the end. A supervisor leaves 30 s, and the ledger and
	// the traces may take five each to close. A spend that is on the wire for longer
	// is in the ledger, as one whose outcome is not known.
	drain time.Duration
}

var usual = times{
	header: 10 * time.Second, body: 15 * time.Second, write: 30 * time.Second,
	idle: 2 * time.Minute, beat: 15 * time.Second, stream: time.Hour, drain: 20 * time.Second,
}

// DefaultMaxRequests is how many requests run at once.
const DefaultMaxRequests = 512

// Who makes the caller of one tool call, or says why it cannot. It is asked only
// where there is one.
type Who = func(context.Context) (tools.Caller, error)

// Callers tell whose a request is.
type Callers interface {
	// Identify reads a request's headers. It is nil where they bring no
	// credentials, and an error where they bring unusable ones, for which nobody
	// can be charged. The error is shown.
	Identify(http.Header) (Who, error)
	// Challenge is how to ask for credentials (WWW-Authenticate).
	Challenge() string
}

// HTTPOptions say who may come, and how many.
type HTTPOptions struct {
	Callers Callers
	Origins []string // web pages that may call, as scheme://host[:port]
	Hosts   []string // names that the server goes by, with a port if it is not the usual one
	// Proxied says that a proxy stands before it and speaks TLS, and that requests
	// are for names of its own.
	Proxied     bool
	TLS         *tls.Config // nil is plain HTTP
	MaxRequests int         // at once; 0 is DefaultMaxRequests
	// SessionKey is what signs the names of sessions, so that every replica that has it
	// takes them. Nil is one of this process's own.
	SessionKey func(context.Context) ([]byte, error)
	Log        *slog.Logger

	times *times // for tests; nil is usual
}

// HTTP serves the protocol over Streamable HTTP, in both of its eras.
type HTTP struct {
	server   *Server
	options  HTTPOptions
	door     door
	visits   *visits
	requests slots
	streams  slots         // of those that may last
	asks     slots         // of those that wait for a person
	draining chan struct{} // closed when nothing new is taken
	ending   chan struct{} // closed when what still runs is no longer waited for
	calls    sync.WaitGroup
}

// HTTP is the server behind an address that it is to be reached at.
func (s *Server) HTTP(address net.Addr, o HTTPOptions) *HTTP {
	if o.MaxRequests == 0 {
		o.MaxRequests = DefaultMaxRequests
	}
	if o.times == nil {
		o.times = &usual
	}
	key := o.SessionKey
	if key == nil {
		own := make([]byte, 32)
		_, _ = rand.Read(own) // it never fails
		key = func(context.Context) ([]byte, error) { return own, nil }
	}
	return &HTTP{
		server: s, options: o, door: newDoor(address, o),
		visits:   newVisits(key, o.SessionKey != nil, time.Now),
		requests: make(slots, o.MaxRequests), streams: make(slots, 4*o.MaxRequests), asks: make(slots, 4*o.MaxRequests),
		draining: make(chan struct{}), ending: make(chan struct{}),
	}
}

// Serve serves until the context ends. Then nothing new is taken, what runs is
// answered, streams are ended in order, and what is left after a while is cut.
func (h *HTTP) Serve(ctx context.Context, l net.Listener) error {
	t := h.options.times
	srv := &http.Server{
		Handler: h, TLSConfig: h.options.TLS.Clone(), MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: t.header, WriteTimeout: t.write, IdleTimeout: t.idle,
		ErrorLog: slog.NewLogLogger(h.options.Log.Handler(), slog.LevelWarn), Protocols: new(http.Protocols),
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true)
	srv.Protocols.SetUnencryptedHTTP2(h.options.Proxied)
	ended := make(chan error, 1)
	go func() {
		if h.options.TLS != nil {
			ended <- srv.ServeTLS(l, "", "")
			return
		}
		ended <- srv.Serve(l)
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	close(h.draining)
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.drain)
	defer cancel()
	soon := time.AfterFunc(t.drain*3/4, func() { close(h.ending) })
	defer soon.Stop()
	err := srv.Shutdown(lasting)
	done := make(chan struct{})
	go func() { h.calls.Wait(); close(done) }()
	select {
	case <-done: // what was answered early may yet be written down
	case <-lasting.Done():
		h.options.Log.Warn("calls were cut at the end; see the ledger for what they did")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	return err
}

// ServeHTTP answers one request.
func (h *HTTP) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r := &reply{w: w, rc: http.NewResponseController(w), times: h.options.times}
	defer func() {
		if fault := recover(); fault != nil {
			h.options.Log.Error("a request failed", "path", q.URL.Path, "fault", fault, "stack", string(debug.Stack()))
			r.refuse(http.StatusInternalServerError, &refusal{nil, mcp.INTERNAL_ERROR, "a fault of this server"})
		}
	}()
	// Also for a body that nobody reads: the connection is kept for the rest of it.
	_ = r.rc.SetReadDeadline(time.Now().Add(r.times.body))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch q.URL.Path {
	// The next two say nothing of anybody, and whoever watches may come under any
	// name.
	case "/healthz": // the process lives, also while it ends
		r.say(http.StatusOK, "ok")
	case "/readyz":
		// The ledger is not looked at: without it reads and documents still work,
		// and every replica would go at once where they share one.
		if h.ends() {
			r.say(http.StatusServiceUnavailable, "ending")
			return
		}
		r.say(http.StatusOK, "ok")
	case "/mcp":
		h.endpoint(r, q)
	default:
		r.refuse(http.StatusNotFound, &refusal{nil, mcp.INVALID_REQUEST, "there is nothing here; the protocol is spoken at /mcp"})
	}
}

// ends tells whether the server takes nothing new.
func (h *HTTP) ends() bool {
	select {
	case <-h.draining:
		return true
	default:
		return false
	}
}

// endpoint answers a request for the protocol.
func (h *HTTP) endpoint(r *reply, q *http.Request) {
	if reason := h.door.refuses(q); reason != "" {
		r.refuse(http.StatusForbidden, &refusal{nil, mcp.INVALID_REQUEST, reason})
		return
	}
	h.door.welcome(r.w.Header(), q)
	if q.Method == http.MethodOptions {
		r.w.WriteHeader(http.StatusNoContent)
		return
	}
	place := h.requests.take()
	if place == nil {
		r.w.Header().Set("Retry-After", "1")
		r.refuse(http.StatusServiceUnavailable, &refusal{nil, mcp.INTERNAL_ERROR, "too many requests are running: try again in a second; nothing was done"})
		return
	}
	defer place.leave()
	switch q.Method {
	case http.MethodPost:
		h.post(r, q, place)
	case http.MethodDelete:
		h.delete(r, q)
	default:
		// There is nothing that the server would say on its own, so there is no
		// stream to GET.
		r.w.Header().Set("Allow", "POST, DELETE, OPTIONS")
		r.refuse(http.StatusMethodNotAllowed, &refusal{nil, mcp.INVALID_REQUEST, q.Method + " is not served here: messages come by POST"})
	}
}

// delete ends a session.
func (h *HTTP) delete(r *reply, q *http.Request) {
	if mcp.IsModernProtocol(q.Header.Get(mcp.HeaderProtocolVersion)) {
		r.w.Header().Set("Allow", "POST, OPTIONS")
		r.refuse(http.StatusMethodNotAllowed, &refusal{nil, mcp.INVALID_REQUEST, "this version of the protocol has no sessions"})
		return
	}
	id := q.Header.Get(mcp.HeaderSessionID)
	if id == "" {
		r.refuse(http.StatusBadRequest, noSession)
		return
	}
	found, err := h.visits.find(q.Context(), id, q.Header)
	switch {
	case err != nil:
		h.unnamed(r, nil, err)
	case found == nil:
		r.refuse(http.StatusNotFound, unknownSession)
	default:
		h.visits.end(id)
		r.w.WriteHeader(http.StatusNoContent)
	}
}

// unnamed refuses a request whose session cannot be named or known now.
func (h *HTTP) unnamed(r *reply, id json.RawMessage, err error) {
	h.options.Log.Error("the key that names sessions cannot be read", "error", err)
	r.w.Header().Set("Retry-After", "5")
	r.refuse(http.StatusServiceUnavailable, &refusal{id, mcp.INTERNAL_ERROR, "sessions cannot be had now: try again, or speak a version of the protocol that has none; nothing was done"})
}

var (
	noSession      = &refusal{nil, mcp.INVALID_REQUEST, mcp.HeaderSessionID + " is missing: begin with initialize, or name a protocol version that has no sessions with every request"}
	unknownSession = &refusal{nil, mcp.INVALID_REQUEST, "there is no such session: begin anew with initialize"}
)

// slots bound how many of a kind run at once.
type slots chan struct{}

// take takes a place, or is nil.
func (s slots) take() *place {
	select {
	case s <- struct{}{}:
		return &place{s}
	default:
		return nil
	}
}

// place is one of the slots that is taken.
type place struct{ of slots }

func (p *place) leave() { <-p.of }

// move changes a place for one of another kind, if there is one.
func (p *place) move(to slots) bool {
	select {
	case to <- struct{}{}:
	default:
		return false
	}
	p.leave()
	p.of = to
	return true
}
