package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// reply is what goes back for one request: one message, or a stream of them.
// Each write has its own time, so that a stream may last, and one who does not
// read cannot hold it.
type reply struct {
	w         http.ResponseWriter
	rc        *http.ResponseController
	times     *times
	begun     bool
	streaming bool
	broken    bool // nobody reads it any more
}

// say answers with a word, for machines that watch.
func (r *reply) say(status int, word string) {
	r.message(status, map[string]string{"status": word})
}

// refuse answers with an error, unless something was answered before. Over HTTP
// an error that is about no request has no id at all.
func (r *reply) refuse(status int, why *refusal) {
	if why.id != nil {
		r.message(status, why.message())
		return
	}
	r.message(status, struct {
		JSONRPC string                  `json:"jsonrpc"`
		Error   mcp.JSONRPCErrorDetails `json:"error"`
	}{mcp.JSONRPC_VERSION, mcp.NewJSONRPCErrorDetails(why.code, why.text, nil)})
}

// message answers with one message and nothing else.
func (r *reply) message(status int, m any) {
	if r.begun {
		return
	}
	text, err := json.Marshal(m)
	if err != nil { // the tools made sure that it cannot be
		status, text = http.StatusInternalServerError, []byte(`{"jsonrpc":"2.0","error":{"code":-32603,"message":"the answer cannot be written"}}`)
	}
	text = append(text, '\n')
	r.w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	r.begin(status, "application/json")
	r.write(text)
}

// send puts a message on the stream, which the first one opens.
func (r *reply) send(m any) {
	text, err := json.Marshal(m)
	if err != nil {
		return
	}
	r.open()
	r.write(bytes.Join([][]byte{[]byte("event: message\ndata: "), text, []byte("\n\n")}, nil))
}

// beat is a sign of life: without any, what stands between may end the stream.
func (r *reply) beat() {
	if r.streaming {
		r.write([]byte(": still here\n\n"))
	}
}

func (r *reply) open() {
	if r.streaming {
		return
	}
	r.streaming = true
	r.w.Header().Set("X-Accel-Buffering", "no") // nginx would keep it to itself
	r.begin(http.StatusOK, "text/event-stream")
}

func (r *reply) begin(status int, kind string) {
	r.begun = true
	r.w.Header().Set("Content-Type", kind)
	r.w.WriteHeader(status)
}

func (r *reply) write(text []byte) {
	if r.broken {
		return
	}
	_ = r.rc.SetWriteDeadline(time.Now().Add(r.times.write))
	_, err := r.w.Write(text)
	if err == nil {
		err = r.rc.Flush()
	}
	_ = r.rc.SetWriteDeadline(time.Time{})
	r.broken = err != nil
}

// accepted tells what kinds of answer a client takes. Who does not say takes
// both.
func accepted(h http.Header) (message, stream bool) {
	header := strings.Join(h.Values("Accept"), ",")
	if strings.TrimSpace(header) == "" {
		return true, true
	}
	for part := range strings.SplitSeq(header, ",") {
		kind, _, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "*/*":
			return true, true
		case "application/json", "application/*":
			message = true
		case "text/event-stream", "text/*":
			stream = true
		}
	}
	return message, stream
}

// statusOf is the HTTP status of an answer. Since 2026-07-28 it follows the
// error's code, for those between who do not read the body.
func statusOf(answer mcp.JSONRPCMessage, modern bool) int {
	var code int
	switch a := answer.(type) {
	case mcp.JSONRPCError:
		code = a.Error.Code
	case *mcp.JSONRPCError:
		code = a.Error.Code
	}
	switch {
	case code == 0 || code == mcp.INTERNAL_ERROR:
		return http.StatusOK
	case !modern && code != mcp.PARSE_ERROR && code != mcp.INVALID_REQUEST:
		return http.StatusOK
	case code == mcp.METHOD_NOT_FOUND:
		return http.StatusNotFound
	default:
		return http.StatusBadRequest
	}
}
