package mcpserver

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// responseWriter writes the answer to one request: one JSON message, or a stream of
// events. Each write has its own deadline, so that a stream may last long but a
// client that does not read cannot block it.
type responseWriter struct {
	w           http.ResponseWriter
	controller  *http.ResponseController
	timeouts    *timeouts
	wroteHeader bool
	streaming   bool
	failed      bool // a write failed
}

// writeStatus answers a probe.
func (rw *responseWriter) writeStatus(status int, text string) {
	rw.writeJSON(status, map[string]string{"status": text})
}

// writeError answers with an error, unless an answer has begun. An error about no
// particular request has no id member, as the specification of the transport says.
func (rw *responseWriter) writeError(status int, rpcErr *rpcError) {
	if rpcErr.id != nil {
		rw.writeJSON(status, rpcErr.toMessage())
		return
	}
	rw.writeJSON(status, struct {
		JSONRPC string                  `json:"jsonrpc"`
		Error   mcp.JSONRPCErrorDetails `json:"error"`
	}{mcp.JSONRPC_VERSION, mcp.NewJSONRPCErrorDetails(rpcErr.code, rpcErr.message, nil)})
}

// writeJSON answers with one message, unless an answer has begun.
func (rw *responseWriter) writeJSON(status int, value any) {
	if rw.wroteHeader {
		return
	}
	body, err := json.Marshal(value)
	if err != nil { // unreachable: results are valid JSON
		status = http.StatusInternalServerError
		body = []byte(`{"jsonrpc":"2.0","error":{"code":-32603,"message":"the answer cannot be written"}}`)
	}
	body = append(body, '\n')
	rw.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	rw.writeHeader(status, "application/json")
	rw.write(body)
}

// writeEvent writes a message to the stream. The first one opens the stream.
func (rw *responseWriter) writeEvent(value any) {
	data, err := json.Marshal(value)
	if err != nil {
		return
	}
	rw.startStream()
	rw.write(bytes.Join([][]byte{[]byte("event: message\ndata: "), data, []byte("\n\n")}, nil))
}

// heartbeat writes a comment to an open stream: proxies close a silent one.
func (rw *responseWriter) heartbeat() {
	if rw.streaming {
		rw.write([]byte(": still here\n\n"))
	}
}

func (rw *responseWriter) startStream() {
	if rw.streaming {
		return
	}
	rw.streaming = true
	rw.w.Header().Set("X-Accel-Buffering", "no") // nginx would buffer the events
	rw.writeHeader(http.StatusOK, "text/event-stream")
}

func (rw *responseWriter) writeHeader(status int, contentType string) {
	rw.wroteHeader = true
	rw.w.Header().Set("Content-Type", contentType)
	rw.w.WriteHeader(status)
}

func (rw *responseWriter) write(data []byte) {
	if rw.failed {
		return
	}
	_ = rw.controller.SetWriteDeadline(time.Now().Add(rw.timeouts.write))
	_, err := rw.w.Write(data)
	if err == nil {
		err = rw.controller.Flush()
	}
	_ = rw.controller.SetWriteDeadline(time.Time{})
	rw.failed = err != nil
}

// parseAccept tells which kinds of answer a client accepts. Without the header it
// accepts both.
func parseAccept(h http.Header) (acceptsJSON, acceptsSSE bool) {
	header := strings.Join(h.Values("Accept"), ",")
	if strings.TrimSpace(header) == "" {
		return true, true
	}
	for part := range strings.SplitSeq(header, ",") {
		mediaType, _, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(mediaType)) {
		case "*/*":
			return true, true
		case "application/json", "application/*":
			acceptsJSON = true
		case "text/event-stream", "text/*":
			acceptsSSE = true
		}
	}
	return acceptsJSON, acceptsSSE
}

// httpStatus is the HTTP status of an answer. In the stateless protocol it follows
// the error code, for proxies that do not read the body.
func httpStatus(resp mcp.JSONRPCMessage, stateless bool) int {
	var code int
	switch r := resp.(type) {
	case mcp.JSONRPCError:
		code = r.Error.Code
	case *mcp.JSONRPCError:
		code = r.Error.Code
	}
	switch {
	case code == 0 || code == mcp.INTERNAL_ERROR:
		return http.StatusOK
	case !stateless && code != mcp.PARSE_ERROR && code != mcp.INVALID_REQUEST:
		return http.StatusOK
	case code == mcp.METHOD_NOT_FOUND:
		return http.StatusNotFound
	default:
		return http.StatusBadRequest
	}
}
