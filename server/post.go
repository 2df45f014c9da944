package server

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

// post answers a request that brings a message.
func (h *HTTP) post(r *reply, q *http.Request, p *place) {
	text, status, refused := read(r, q)
	if refused != nil {
		r.refuse(status, refused)
		return
	}
	m, refused := parse(text)
	if refused != nil {
		r.refuse(http.StatusBadRequest, refused)
		return
	}
	who, err := h.options.Callers.Identify(q.Header)
	calls := m.method == string(mcp.MethodToolsCall)
	if err == nil && who == nil && calls {
		err = errors.New("this call needs credentials")
	}
	if err != nil {
		challenge := h.options.Callers.Challenge()
		if strings.HasPrefix(challenge, "Bearer") && q.Header.Get("Authorization") != "" {
			challenge += `, error="invalid_token"`
		}
		r.w.Header().Set("WWW-Authenticate", challenge)
		r.refuse(http.StatusUnauthorized, &refusal{m.id, mcp.INVALID_REQUEST, "nothing was done: " + err.Error()})
		return
	}
	e := &exchange{http: h, reply: r, request: q, message: m, place: p, session: newSession()}
	e.session.id, e.session.ended = rand.Text(), h.draining
	if calls {
		e.who = who
	}
	version, own := q.Header.Get(mcp.HeaderProtocolVersion), m.version()
	if e.modern = mcp.IsModernProtocol(own) || mcp.IsModernProtocol(version); e.modern {
		h.stateless(e, version, own)
		return
	}
	h.stateful(e, version)
}

// read reads a body, of a length and within a time that are bounded.
func read(r *reply, q *http.Request) (text []byte, status int, refused *refusal) {
	refuse := func(status int, format string, args ...any) ([]byte, int, *refusal) {
		return nil, status, &refusal{nil, mcp.INVALID_REQUEST, fmt.Sprintf(format, args...)}
	}
	if kind, _, err := mime.ParseMediaType(q.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "the body must be application/json")
	}
	if message, stream := accepted(q.Header); !message && !stream {
		return refuse(http.StatusNotAcceptable, "the answer is application/json or text/event-stream: accept both")
	}
	const tooLong = "the body must not be longer than %d MiB"
	_ = r.rc.SetReadDeadline(time.Now().Add(r.times.body))
	if q.ContentLength > maxBody {
		r.w.Header().Set("Connection", "close")
		return refuse(http.StatusRequestEntityTooLarge, tooLong, maxBody>>20)
	}
	text, err := io.ReadAll(http.MaxBytesReader(r.w, q.Body, maxBody))
	if err == nil {
		// A call may take longer than its message.
		_, _ = r.rc.SetReadDeadline(time.Time{}), r.rc.SetWriteDeadline(time.Time{})
		return bytes.TrimSpace(text), 0, nil
	}
	r.w.Header().Set("Connection", "close") // nobody waits for the rest
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return refuse(http.StatusRequestEntityTooLarge, tooLong, maxBody>>20)
	}
	if slow, ok := errors.AsType[net.Error](err); ok && slow.Timeout() {
		return refuse(http.StatusRequestTimeout, "the body did not come in time")
	}
	return refuse(http.StatusBadRequest, "the body broke off")
}

// stateless answers a message of 2026-07-28 or later, which says everything by
// itself: its own version must be the header's.
func (h *HTTP) stateless(e *exchange, version, own string) {
	m := e.message
	switch {
	case m.method == "":
		e.refuse(http.StatusBadRequest, mcp.INVALID_REQUEST, "this version of the protocol has no questions that could be answered with a message of their own")
	case m.id == nil: // a request is cancelled by ending its stream
		e.reply.w.WriteHeader(http.StatusAccepted)
	case version == "" || e.request.Header.Get(mcp.HeaderLastEventID) != "":
		e.refuse(http.StatusBadRequest, mcp.HEADER_MISMATCH, mcp.HeaderProtocolVersion+" must name the protocol version, and there is no stream that could be resumed")
	case own == "":
		e.refuse(http.StatusBadRequest, mcp.INVALID_PARAMS, m.method+" needs "+mcp.MetaKeyProtocolVersion+" in params._meta")
	case own != version:
		e.refuse(http.StatusBadRequest, mcp.HEADER_MISMATCH, mcp.HeaderProtocolVersion+" and "+mcp.MetaKeyProtocolVersion+" in params._meta name different versions")
	default:
		if err := mcp.ValidateStandardHeaders(e.request.Header.Get, version, mcp.MCPMethod(m.method), m.params); err != nil {
			e.refuse(http.StatusBadRequest, mcp.HEADER_MISMATCH, err.Error())
			return
		}
		e.run(context.WithCancel(e.request.Context()))
	}
}

// stateful answers a message of an older client, which belongs to a session.
func (h *HTTP) stateful(e *exchange, version string) {
	m, header := e.message, e.request.Header
	if m.method == string(mcp.MethodInitialize) && m.id != nil {
		e.visit = newVisit()
		e.run(context.WithCancel(e.request.Context()))
		return
	}
	if version != "" && !mcp.IsValidProtocolVersion(version) {
		e.refuse(http.StatusBadRequest, mcp.INVALID_REQUEST, mcp.HeaderProtocolVersion+" names a version that is not served; the newest is "+mcp.LATEST_PROTOCOL_VERSION)
		return
	}
	id := header.Get(mcp.HeaderSessionID)
	if id == "" {
		e.refuse(http.StatusBadRequest, noSession.code, noSession.text)
		return
	}
	v, err := h.visits.find(e.request.Context(), id, header)
	if err != nil {
		h.unnamed(e.reply, m.id, err)
		return
	}
	if v == nil {
		e.refuse(http.StatusNotFound, unknownSession.code, unknownSession.text)
		return
	}
	switch {
	case m.method == "":
		v.questions.deliver(m.id, m.raw)
		e.reply.w.WriteHeader(http.StatusAccepted)
	case m.id == nil:
		if m.method == string(mcp.MethodNotificationCancelled) {
			v.cancel(m)
		}
		e.reply.w.WriteHeader(http.StatusAccepted)
	default:
		ctx, cancel := context.WithCancel(e.request.Context())
		if !v.start(m.id, cancel) {
			cancel()
			e.refuse(http.StatusBadRequest, mcp.INVALID_REQUEST, "a request with this id is still running")
			return
		}
		defer v.finish(m.id)
		v.tell(e.session)
		if _, stream := accepted(header); !stream || h.visits.shared {
			// Nobody would see a question, or its answer may arrive elsewhere.
			e.session.SetClientCapabilities(mcp.ClientCapabilities{})
		}
		e.run(ctx, cancel)
	}
}

// exchange is one request while it runs.
type exchange struct {
	http    *HTTP
	reply   *reply
	request *http.Request
	message *message
	place   *place
	session *session
	who     Who
	visit   *visit // that begins with it
	modern  bool
}

func (e *exchange) refuse(status, code int, text string) {
	e.reply.refuse(status, &refusal{e.message.id, code, text})
}

// run runs a request, and answers with what comes of it. Whoever sent it may
// cancel what has not left by going away.
func (e *exchange) run(ctx context.Context, cancel context.CancelFunc) {
	defer cancel()
	if refused := e.http.server.check(e.message); refused != nil {
		e.finish(refused.message())
		return
	}
	if e.who != nil {
		caller, err := e.who(ctx)
		if err != nil {
			e.refuse(http.StatusBadRequest, mcp.INVALID_REQUEST, "nothing was done: "+err.Error())
			return
		}
		ctx = tools.WithCaller(ctx, caller)
	}
	var draining <-chan struct{}
	if e.message.method == string(mcp.MethodSubscriptionsListen) {
		if draining = e.http.draining; !e.place.move(e.http.streams) {
			e.reply.w.Header().Set("Retry-After", "5")
			e.refuse(http.StatusServiceUnavailable, mcp.INTERNAL_ERROR, "too many streams are open")
			return
		}
	}
	answer := make(chan mcp.JSONRPCMessage, 1)
	e.http.calls.Go(func() { answer <- e.http.server.handle(e.http.server.mcp.WithContext(ctx, e.session), e.message) })
	e.follow(answer, draining, cancel)
}

// follow passes on what is said while a request runs, until it is answered.
func (e *exchange) follow(answer <-chan mcp.JSONRPCMessage, draining <-chan struct{}, cancel context.CancelFunc) {
	_, streams := accepted(e.request.Header)
	beat := time.NewTicker(e.http.options.times.beat)
	defer beat.Stop()
	var over <-chan time.Time
	if draining != nil {
		life := time.NewTimer(e.http.options.times.stream)
		defer life.Stop()
		over = life.C
	}
	send := func(m any) {
		if streams {
			e.reply.send(m)
		}
	}
	for {
		select {
		case n := <-e.session.notifications:
			send(n)
		case q := <-e.session.requests:
			e.place.move(e.http.asks) // a person may think for minutes
			send(q)
		case <-beat.C:
			e.reply.beat()
		case <-draining:
			draining = nil
			cancel()
		case <-over:
			cancel()
		case <-e.http.ending:
			a := (&refusal{e.message.id, mcp.INTERNAL_ERROR, "this server ends before the call did, and something may have been sent or charged: look there before repeating it (list_sms_history, get_balance)"}).message()
			select {
			case a = <-answer: // just in time
			default:
			}
			e.finish(a)
			return
		case a := <-answer:
			for waiting := true; waiting; {
				select {
				case n := <-e.session.notifications:
					send(n)
				default:
					waiting = false
				}
			}
			e.finish(a)
			return
		}
		if e.reply.broken {
			cancel()
		}
	}
}

// finish sends the answer, and names the session that began with it.
func (e *exchange) finish(answer mcp.JSONRPCMessage) {
	if e.visit != nil && e.session.Initialized() {
		e.visit.learn(e.session)
		id, err := e.http.visits.begin(e.request.Context(), e.visit, e.request.Header)
		if err != nil {
			e.http.unnamed(e.reply, e.message.id, err)
			return
		}
		e.reply.w.Header().Set(mcp.HeaderSessionID, id)
	}
	if message, _ := accepted(e.request.Header); e.reply.streaming || !message {
		e.reply.send(answer)
		return
	}
	e.reply.message(statusOf(answer, e.modern), answer)
}
