package mcpserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/wesendall/wesendall-mcp/tools"
)

// handlePost answers a request that brings a message.
func (h *HTTPHandler) handlePost(resp *responseWriter, r *http.Request, permit *permit) {
	body, status, rpcErr := readBody(resp, r)
	if rpcErr != nil {
		resp.writeError(status, rpcErr)
		return
	}
	m, rpcErr := parseMessage(body)
	if rpcErr != nil {
		resp.writeError(http.StatusBadRequest, rpcErr)
		return
	}
	callerFunc, err := h.options.Authenticator.Authenticate(r.Header)
	isToolCall := m.method == string(mcp.MethodToolsCall)
	if err == nil && callerFunc == nil && isToolCall {
		err = errors.New("this call needs credentials")
	}
	if err != nil {
		challenge := h.options.Authenticator.Challenge()
		if strings.HasPrefix(challenge, "Bearer") && r.Header.Get("Authorization") != "" {
			challenge += `, error="invalid_token"`
		}
		resp.w.Header().Set("WWW-Authenticate", challenge)
		resp.writeError(http.StatusUnauthorized, &rpcError{m.id, mcp.INVALID_REQUEST, "nothing was done: " + err.Error()})
		return
	}
	req := &httpRequest{handler: h, resp: resp, request: r, message: m, permit: permit, clientSession: newClientSession()}
	req.clientSession.id, req.clientSession.done = rand.Text(), h.draining
	if isToolCall {
		req.callerFunc = callerFunc
	}
	headerVersion, metaVersion := r.Header.Get(mcp.HeaderProtocolVersion), m.protocolVersion()
	if req.stateless = mcp.IsModernProtocol(metaVersion) || mcp.IsModernProtocol(headerVersion); req.stateless {
		h.handleStateless(req, headerVersion, metaVersion)
		return
	}
	h.handleSession(req, headerVersion)
}

// readBody reads a body, of a length and within a time that are bounded.
func readBody(resp *responseWriter, r *http.Request) (body []byte, status int, rpcErr *rpcError) {
	fail := func(status int, format string, args ...any) ([]byte, int, *rpcError) {
		return nil, status, &rpcError{nil, mcp.INVALID_REQUEST, fmt.Sprintf(format, args...)}
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return fail(http.StatusUnsupportedMediaType, "the body must be application/json")
	}
	if acceptsJSON, acceptsSSE := parseAccept(r.Header); !acceptsJSON && !acceptsSSE {
		return fail(http.StatusNotAcceptable, "the answer is application/json or text/event-stream: accept both")
	}
	const tooLongFormat = "the body must not be longer than %d MiB"
	_ = resp.controller.SetReadDeadline(time.Now().Add(resp.timeouts.body))
	if r.ContentLength > maxRequestBytes {
		resp.w.Header().Set("Connection", "close")
		return fail(http.StatusRequestEntityTooLarge, tooLongFormat, maxRequestBytes>>20)
	}
	body, err := io.ReadAll(http.MaxBytesReader(resp.w, r.Body, maxRequestBytes))
	if err == nil {
		// A call may take longer than its message.
		_, _ = resp.controller.SetReadDeadline(time.Time{}), resp.controller.SetWriteDeadline(time.Time{})
		return bytes.TrimSpace(body), 0, nil
	}
	resp.w.Header().Set("Connection", "close") // nobody waits for the rest
	if _, isTooLarge := errors.AsType[*http.MaxBytesError](err); isTooLarge {
		return fail(http.StatusRequestEntityTooLarge, tooLongFormat, maxRequestBytes>>20)
	}
	if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
		return fail(http.StatusRequestTimeout, "the body did not come in time")
	}
	return fail(http.StatusBadRequest, "the body broke off")
}

// handleStateless answers a message of 2026-07-28 or later, which says everything by
// itself: its own version must be the header's.
func (h *HTTPHandler) handleStateless(req *httpRequest, headerVersion, metaVersion string) {
	m := req.message
	switch {
	case m.method == "":
		req.writeError(http.StatusBadRequest, mcp.INVALID_REQUEST, "this version of the protocol has no questions that could be answered with a message of their own")
	case m.id == nil: // a request is cancelled by ending its stream
		req.resp.w.WriteHeader(http.StatusAccepted)
	case headerVersion == "" || req.request.Header.Get(mcp.HeaderLastEventID) != "":
		req.writeError(http.StatusBadRequest, mcp.HEADER_MISMATCH, mcp.HeaderProtocolVersion+" must name the protocol version, and there is no stream that could be resumed")
	case metaVersion == "":
		req.writeError(http.StatusBadRequest, mcp.INVALID_PARAMS, m.method+" needs "+mcp.MetaKeyProtocolVersion+" in params._meta")
	case metaVersion != headerVersion:
		req.writeError(http.StatusBadRequest, mcp.HEADER_MISMATCH, mcp.HeaderProtocolVersion+" and "+mcp.MetaKeyProtocolVersion+" in params._meta name different versions")
	default:
		if err := mcp.ValidateStandardHeaders(req.request.Header.Get, headerVersion, mcp.MCPMethod(m.method), m.params); err != nil {
			req.writeError(http.StatusBadRequest, mcp.HEADER_MISMATCH, err.Error())
			return
		}
		req.run(context.WithCancel(req.request.Context()))
	}
}

// handleSession answers a message of an older client, which belongs to a session.
func (h *HTTPHandler) handleSession(req *httpRequest, version string) {
	m, header := req.message, req.request.Header
	if m.method == string(mcp.MethodInitialize) && m.id != nil {
		req.newSession = newHTTPSession()
		req.run(context.WithCancel(req.request.Context()))
		return
	}
	if version != "" && !mcp.IsValidProtocolVersion(version) {
		req.writeError(http.StatusBadRequest, mcp.INVALID_REQUEST, mcp.HeaderProtocolVersion+" names a version that is not served; the newest is "+mcp.LATEST_PROTOCOL_VERSION)
		return
	}
	id := header.Get(mcp.HeaderSessionID)
	if id == "" {
		req.writeError(http.StatusBadRequest, errMissingSession.code, errMissingSession.message)
		return
	}
	session, err := h.sessions.Lookup(req.request.Context(), id, header)
	if err != nil {
		h.sessionKeyError(req.resp, m.id, err)
		return
	}
	if session == nil {
		req.writeError(http.StatusNotFound, errUnknownSession.code, errUnknownSession.message)
		return
	}
	switch {
	case m.method == "":
		session.elicitations.resolve(m)
		req.resp.w.WriteHeader(http.StatusAccepted)
	case m.id == nil:
		if m.method == string(mcp.MethodNotificationCancelled) {
			session.cancelRequest(m)
		}
		req.resp.w.WriteHeader(http.StatusAccepted)
	default:
		ctx, cancel := context.WithCancel(req.request.Context())
		if !session.addRequest(m.id, cancel) {
			cancel()
			req.writeError(http.StatusBadRequest, mcp.INVALID_REQUEST, "a request with this id is still running")
			return
		}
		defer session.removeRequest(m.id)
		session.applyTo(req.clientSession)
		if _, acceptsSSE := parseAccept(header); !acceptsSSE || h.sessions.multiReplica {
			// Nobody would see a question, or its answer may arrive elsewhere.
			req.clientSession.SetClientCapabilities(mcp.ClientCapabilities{})
		}
		req.run(ctx, cancel)
	}
}

// httpRequest is one request while it runs.
type httpRequest struct {
	handler       *HTTPHandler
	resp          *responseWriter
	request       *http.Request
	message       *rpcMessage
	permit        *permit
	clientSession *clientSession
	callerFunc    CallerFunc
	newSession    *httpSession // that begins with it
	stateless     bool
}

func (req *httpRequest) writeError(status, code int, message string) {
	req.resp.writeError(status, &rpcError{req.message.id, code, message})
}

// run runs a request, and answers with what comes of it. Whoever sent it may
// cancel what has not left by going away.
func (req *httpRequest) run(ctx context.Context, cancel context.CancelFunc) {
	defer cancel()
	if rpcErr := req.handler.server.validate(req.message); rpcErr != nil {
		req.respond(rpcErr.toMessage())
		return
	}
	if req.callerFunc != nil {
		caller, err := req.callerFunc(ctx)
		if err != nil {
			req.writeError(http.StatusBadRequest, mcp.INVALID_REQUEST, "nothing was done: "+err.Error())
			return
		}
		ctx = tools.WithCaller(ctx, caller)
	}
	var draining <-chan struct{}
	if req.message.method == string(mcp.MethodSubscriptionsListen) {
		if draining = req.handler.draining; !req.permit.transferTo(req.handler.streams) {
			req.resp.w.Header().Set("Retry-After", "5")
			req.writeError(http.StatusServiceUnavailable, mcp.INTERNAL_ERROR, "too many streams are open")
			return
		}
	}
	responses := make(chan mcp.JSONRPCMessage, 1)
	req.handler.inFlight.Go(func() {
		responses <- req.handler.server.dispatch(req.handler.server.mcp.WithContext(ctx, req.clientSession), req.message)
	})
	req.stream(responses, draining, cancel)
}

// stream passes on what is said while a request runs, until it is answered.
func (req *httpRequest) stream(responses <-chan mcp.JSONRPCMessage, draining <-chan struct{}, cancel context.CancelFunc) {
	_, acceptsSSE := parseAccept(req.request.Header)
	heartbeat := time.NewTicker(req.handler.options.timeouts.heartbeat)
	defer heartbeat.Stop()
	var expired <-chan time.Time
	if draining != nil {
		streamTimer := time.NewTimer(req.handler.options.timeouts.stream)
		defer streamTimer.Stop()
		expired = streamTimer.C
	}
	writeEvent := func(m any) {
		if acceptsSSE {
			req.resp.writeEvent(m)
		}
	}
	for {
		select {
		case n := <-req.clientSession.notifications:
			writeEvent(n)
		case outgoing := <-req.clientSession.outgoingRequests:
			req.permit.transferTo(req.handler.elicitations) // a person may think for minutes
			writeEvent(outgoing)
		case <-heartbeat.C:
			req.resp.heartbeat()
		case <-draining:
			draining = nil
			cancel()
		case <-expired:
			cancel()
		case <-req.handler.forceStop:
			resp := (&rpcError{req.message.id, mcp.INTERNAL_ERROR, "this server ends before the call did, and something may have been sent or charged: look there before repeating it (list_sms_history, get_balance)"}).toMessage()
			select {
			case resp = <-responses: // just in time
			default:
			}
			req.respond(resp)
			return
		case resp := <-responses:
			for pending := true; pending; {
				select {
				case n := <-req.clientSession.notifications:
					writeEvent(n)
				default:
					pending = false
				}
			}
			req.respond(resp)
			return
		}
		if req.resp.failed {
			cancel()
		}
	}
}

// respond sends the answer, and names the session that began with it.
func (req *httpRequest) respond(resp mcp.JSONRPCMessage) {
	if req.newSession != nil && req.clientSession.Initialized() {
		req.newSession.saveClientInfo(req.clientSession)
		id, err := req.handler.sessions.Create(req.request.Context(), req.newSession, req.request.Header)
		if err != nil {
			req.handler.sessionKeyError(req.resp, req.message.id, err)
			return
		}
		req.resp.w.Header().Set(mcp.HeaderSessionID, id)
	}
	if acceptsJSON, _ := parseAccept(req.request.Header); req.resp.streaming || !acceptsJSON {
		req.resp.writeEvent(resp)
		return
	}
	req.resp.writeJSON(httpStatus(resp, req.stateless), resp)
}
