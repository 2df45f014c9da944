package mcpserver

import (
	"context"
	"net/http"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/wesendall/wesendall-mcp/tools"
)

// httpRequest is one request while it runs.
type httpRequest struct {
	handler       *HTTPHandler
	writer        *responseWriter
	request       *http.Request
	message       *rpcMessage
	permit        *permit
	releaseBody   func() // of bodyBudget
	clientSession *clientSession
	callerFunc    CallerFunc   // nil unless it is a tool call
	newSession    *httpSession // the session that this initialize request begins, or nil
	onVerified    func()       // called when Wesendall accepted the caller's credentials, or nil
	stateless     bool
}

func (req *httpRequest) writeError(status, code int, message string) {
	req.writer.writeError(status, &rpcError{req.message.id, code, message})
}

// run runs a request and writes its answer. A client that disconnects cancels what
// has not been sent to Wesendall yet.
func (req *httpRequest) run(ctx context.Context, cancel context.CancelFunc) {
	defer cancel()
	h := req.handler
	if rpcErr := h.server.validateRequest(req.message); rpcErr != nil {
		req.respond(rpcErr.toMessage())
		return
	}
	if req.callerFunc != nil {
		caller, err := req.callerFunc(ctx)
		if err != nil {
			req.writeError(http.StatusBadRequest, mcp.INVALID_REQUEST, "nothing was done: "+err.Error())
			return
		}
		caller.OnVerified = req.onVerified
		ctx = tools.WithCaller(ctx, caller)
	}
	isSubscription := req.message.method == string(mcp.MethodSubscriptionsListen)
	if isSubscription && !req.permit.transferTo(h.streams) {
		req.writer.w.Header().Set("Retry-After", "5")
		req.writeError(http.StatusServiceUnavailable, mcp.INTERNAL_ERROR, "too many streams are open")
		return
	}
	responses := make(chan mcp.JSONRPCMessage, 1)
	h.inFlight.Go(func() {
		responses <- h.server.dispatch(h.server.mcp.WithContext(ctx, req.clientSession), req.message)
	})
	if isSubscription {
		defer time.AfterFunc(h.options.timeouts.stream, cancel).Stop()
		go func() {
			select {
			case <-h.draining:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	req.stream(responses, cancel)
}

// stream passes on what the server sends while a request runs, and then its answer.
func (req *httpRequest) stream(responses <-chan mcp.JSONRPCMessage, cancel context.CancelFunc) {
	_, acceptsSSE := parseAccept(req.request.Header)
	writeEvent := func(m any) {
		if acceptsSSE {
			req.writer.writeEvent(m)
		}
	}
	heartbeat := time.NewTicker(req.handler.options.timeouts.heartbeat)
	defer heartbeat.Stop()
	for {
		select {
		case n := <-req.clientSession.notifications:
			writeEvent(n)
		case outgoing := <-req.clientSession.outgoingRequests:
			req.permit.transferTo(req.handler.elicitations) // a user may take minutes
			req.releaseBody()
			writeEvent(outgoing)
		case <-heartbeat.C:
			req.writer.heartbeat()
		case <-req.handler.forceStop:
			select {
			case resp := <-responses: // it ended at the same moment
				req.respond(resp)
			default:
				req.respond((&rpcError{req.message.id, mcp.INTERNAL_ERROR, errTextShutdown}).toMessage())
			}
			return
		case resp := <-responses:
			req.clientSession.flushNotifications(func(n mcp.JSONRPCNotification) { writeEvent(n) })
			req.respond(resp)
			return
		}
		if req.writer.failed {
			cancel()
		}
	}
}

// errTextShutdown is the error of a call that still runs when the server shuts down.
const errTextShutdown = "the server shut down before the call ended, and something may have been sent or charged: " +
	"check list_sms_history and get_balance before repeating it"

// respond writes the answer, and the id of the session if one begins with it.
func (req *httpRequest) respond(resp mcp.JSONRPCMessage) {
	if req.newSession != nil && req.clientSession.Initialized() {
		req.newSession.saveClientInfo(req.clientSession)
		if req.handler.verifiesCredentials(req.request.Header) {
			req.newSession.setVerified()
		}
		id, err := req.handler.sessions.Create(req.request.Context(), req.newSession, req.request.Header)
		if err != nil {
			req.handler.writeSessionKeyError(req.writer, req.message.id, err)
			return
		}
		req.writer.w.Header().Set(mcp.HeaderSessionID, id)
	}
	if acceptsJSON, _ := parseAccept(req.request.Header); req.writer.streaming || !acceptsJSON {
		req.writer.writeEvent(resp)
		return
	}
	req.writer.writeJSON(httpStatus(resp, req.stateless), resp)
}
