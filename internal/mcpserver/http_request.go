package mcpserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// handlePost answers a POST, which carries one message.
func (h *HTTPHandler) handlePost(rw *responseWriter, r *http.Request, slot *permit) {
	release, err := h.bodies.Acquire(r, rw.timeouts.body)
	if err != nil {
		rw.w.Header().Set("Connection", "close") // the body is not read
		rw.w.Header().Set("Retry-After", "5")
		rw.writeError(http.StatusServiceUnavailable,
			&rpcError{nil, mcp.INTERNAL_ERROR, "nothing was done: too many large requests are running"})
		return
	}
	defer release()
	h.handleMessage(rw, r, slot, release)
}

// handleMessage reads and answers the message of a POST. It calls release early if
// the request waits for a user.
func (h *HTTPHandler) handleMessage(rw *responseWriter, r *http.Request, slot *permit, release func()) {
	body, status, rpcErr := readBody(rw, r)
	if rpcErr != nil {
		rw.writeError(status, rpcErr)
		return
	}
	m, rpcErr := parseMessage(body)
	if rpcErr != nil {
		rw.writeError(http.StatusBadRequest, rpcErr)
		return
	}
	callerFunc, err := h.authenticate(r.Header, m)
	if err != nil {
		h.writeUnauthorized(rw, r.Header, m.id, err)
		return
	}
	req := &httpRequest{
		handler: h, writer: rw, request: r, message: m, permit: slot, releaseBody: release,
		clientSession: newClientSession(), callerFunc: callerFunc,
	}
	req.clientSession.id, req.clientSession.done = rand.Text(), h.draining
	headerVersion, metaVersion := r.Header.Get(mcp.HeaderProtocolVersion), m.protocolVersion()
	if req.stateless = mcp.IsModernProtocol(metaVersion) || mcp.IsModernProtocol(headerVersion); req.stateless {
		h.handleStateless(req, headerVersion, metaVersion)
		return
	}
	h.handleSession(req, headerVersion)
}

// authenticate checks the credentials of any request, and returns the function that
// finds the caller if it is a tool call.
func (h *HTTPHandler) authenticate(header http.Header, m *rpcMessage) (CallerFunc, error) {
	callerFunc, err := h.options.Authenticator.Authenticate(header)
	switch {
	case err != nil:
		return nil, err
	case m.method != string(mcp.MethodToolsCall):
		return nil, nil
	case callerFunc == nil:
		return nil, errors.New("this call needs credentials")
	}
	return callerFunc, nil
}

func (h *HTTPHandler) writeUnauthorized(rw *responseWriter, header http.Header, id json.RawMessage, err error) {
	challenge := h.options.Authenticator.Challenge()
	if h.verifiesCredentials(header) {
		challenge += `, error="invalid_token"`
	}
	rw.w.Header().Set("WWW-Authenticate", challenge)
	rw.writeError(http.StatusUnauthorized, &rpcError{id, mcp.INVALID_REQUEST, "nothing was done: " + err.Error()})
}

// verifiesCredentials tells whether a request has credentials of which Authenticate
// already tells that they are valid. Tokens are checked here, a key only by Wesendall.
func (h *HTTPHandler) verifiesCredentials(header http.Header) bool {
	return strings.HasPrefix(h.options.Authenticator.Challenge(), "Bearer") && header.Get("Authorization") != ""
}

// readBody reads a body of at most maxRequestBytes within timeouts.body. On failure
// it returns the HTTP status and the error.
func readBody(rw *responseWriter, r *http.Request) (body []byte, status int, rpcErr *rpcError) {
	fail := func(status int, format string, args ...any) ([]byte, int, *rpcError) {
		return nil, status, &rpcError{nil, mcp.INVALID_REQUEST, fmt.Sprintf(format, args...)}
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return fail(http.StatusUnsupportedMediaType, "the body must be application/json")
	}
	if acceptsJSON, acceptsSSE := parseAccept(r.Header); !acceptsJSON && !acceptsSSE {
		return fail(http.StatusNotAcceptable, "the answer is application/json or text/event-stream: accept both")
	}
	const tooLongFormat = "the body must not be longer than %d MiB"
	_ = rw.controller.SetReadDeadline(time.Now().Add(rw.timeouts.body))
	if r.ContentLength > maxRequestBytes {
		rw.w.Header().Set("Connection", "close")
		return fail(http.StatusRequestEntityTooLarge, tooLongFormat, maxRequestBytes>>20)
	}
	body, err = io.ReadAll(http.MaxBytesReader(rw.w, r.Body, maxRequestBytes))
	if err == nil {
		// The call may take longer than its message.
		_ = rw.controller.SetReadDeadline(time.Time{})
		_ = rw.controller.SetWriteDeadline(time.Time{})
		return bytes.TrimSpace(sanitize.TrimByteOrderMark(body)), 0, nil
	}
	rw.w.Header().Set("Connection", "close") // the rest of the body is not read
	if _, isTooLarge := errors.AsType[*http.MaxBytesError](err); isTooLarge {
		return fail(http.StatusRequestEntityTooLarge, tooLongFormat, maxRequestBytes>>20)
	}
	if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
		return fail(http.StatusRequestTimeout, "the body did not arrive in time")
	}
	return fail(http.StatusBadRequest, "the body is incomplete")
}

// handleStateless answers a message of the stateless protocol (2026-07-28). The
// version in the message must be the one in the header.
func (h *HTTPHandler) handleStateless(req *httpRequest, headerVersion, metaVersion string) {
	m := req.message
	switch {
	case m.method == "":
		req.writeError(http.StatusBadRequest, mcp.INVALID_REQUEST,
			"this version of the protocol has no requests to the client, so the client cannot send a response")
	case m.id == nil: // a request is cancelled by ending its stream
		req.writer.w.WriteHeader(http.StatusAccepted)
	case headerVersion == "" || req.request.Header.Get(mcp.HeaderLastEventID) != "":
		req.writeError(http.StatusBadRequest, mcp.HEADER_MISMATCH,
			mcp.HeaderProtocolVersion+" must name the protocol version, and streams cannot be resumed")
	case metaVersion == "":
		req.writeError(http.StatusBadRequest, mcp.INVALID_PARAMS,
			m.method+" needs "+mcp.MetaKeyProtocolVersion+" in params._meta")
	case metaVersion != headerVersion:
		req.writeError(http.StatusBadRequest, mcp.HEADER_MISMATCH,
			mcp.HeaderProtocolVersion+" and "+mcp.MetaKeyProtocolVersion+" in params._meta name different versions")
	default:
		header := req.request.Header.Get
		if err := mcp.ValidateStandardHeaders(header, headerVersion, mcp.MCPMethod(m.method), m.params); err != nil {
			req.writeError(http.StatusBadRequest, mcp.HEADER_MISMATCH, err.Error())
			return
		}
		req.run(context.WithCancel(req.request.Context()))
	}
}

// handleSession answers a message of the session protocol (2025-11-25 and earlier).
func (h *HTTPHandler) handleSession(req *httpRequest, version string) {
	m, header := req.message, req.request.Header
	if m.method == string(mcp.MethodInitialize) && m.id != nil {
		req.newSession = newHTTPSession()
		req.run(context.WithCancel(req.request.Context()))
		return
	}
	if version != "" && !mcp.IsValidProtocolVersion(version) {
		req.writeError(http.StatusBadRequest, mcp.INVALID_REQUEST, mcp.HeaderProtocolVersion+
			" names a version that is not served; the newest is "+mcp.LATEST_PROTOCOL_VERSION)
		return
	}
	id := header.Get(mcp.HeaderSessionID)
	if id == "" {
		req.writeError(http.StatusBadRequest, errMissingSession.code, errMissingSession.message)
		return
	}
	session, err := h.sessions.Lookup(req.request.Context(), id, header)
	if err != nil {
		h.writeSessionKeyError(req.writer, m.id, err)
		return
	}
	if session == nil {
		req.writeError(http.StatusNotFound, errUnknownSession.code, errUnknownSession.message)
		return
	}
	switch {
	case m.method == "":
		session.elicitations.resolve(m)
		req.writer.w.WriteHeader(http.StatusAccepted)
	case m.id == nil:
		if m.method == string(mcp.MethodNotificationCancelled) {
			session.cancelRequest(m)
		}
		req.writer.w.WriteHeader(http.StatusAccepted)
	default:
		req.runInSession(session)
	}
}

// runInSession runs a request of a session, which a notification can cancel.
func (req *httpRequest) runInSession(session *httpSession) {
	ctx, cancel := context.WithCancel(req.request.Context())
	if !session.addRequest(req.message.id, cancel) {
		cancel()
		req.writeError(http.StatusBadRequest, mcp.INVALID_REQUEST, "a request with this id is still running")
		return
	}
	defer session.removeRequest(req.message.id)
	req.onVerified = func() {
		req.handler.sessions.MarkVerified(req.request.Header.Get(mcp.HeaderSessionID), session)
	}
	session.applyTo(req.clientSession)
	if _, acceptsSSE := parseAccept(req.request.Header); !acceptsSSE || req.handler.sessions.multiReplica {
		// Without a stream the client would not see a question, and with several
		// replicas its answer may arrive at another one.
		req.clientSession.SetClientCapabilities(mcp.ClientCapabilities{})
	}
	req.run(ctx, cancel)
}
