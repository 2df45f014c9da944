package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// rpcMessage is one JSON-RPC message as it was read.
type rpcMessage struct {
	raw    json.RawMessage
	id     json.RawMessage // as it was written; nil for a notification
	method string          // "" for a response
	params json.RawMessage
}

// rpcError is an answer that the protocol itself gives.
type rpcError struct {
	id      json.RawMessage
	code    int
	message string
}

func (r *rpcError) toMessage() mcp.JSONRPCMessage {
	return mcp.NewJSONRPCError(rawID(r.id), r.code, r.message, nil)
}

// rawID is an id that is written as it was read: the library would make a
// floating point number of an integer.
func rawID(id json.RawMessage) mcp.RequestId {
	if id == nil {
		id = json.RawMessage("null")
	}
	return mcp.NewRequestId(id)
}

// parseMessage reads one line, or says what is wrong with it.
func parseMessage(raw []byte) (*rpcMessage, *rpcError) {
	if !json.Valid(raw) || !utf8.Valid(raw) {
		return nil, &rpcError{nil, mcp.PARSE_ERROR, "this is not valid JSON"}
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || members == nil {
		if raw[0] == '[' {
			return nil, &rpcError{nil, mcp.INVALID_REQUEST, "batches are not supported: send each message on its own line"}
		}
		return nil, &rpcError{nil, mcp.INVALID_REQUEST, "a message must be a JSON object"}
	}
	if name := findWrongCase(members, "jsonrpc", "id", "method", "params", "result", "error"); name != "" {
		return nil, &rpcError{nil, mcp.INVALID_REQUEST, fmt.Sprintf("%q must be written %q", name, strings.ToLower(name))}
	}
	m := &rpcMessage{raw: raw, params: members["params"]}
	if id, ok := members["id"]; ok {
		if first := id[0]; first != '"' && first != '-' && (first < '0' || first > '9') {
			return nil, &rpcError{nil, mcp.INVALID_REQUEST, "id must be a string or a number"}
		}
		m.id = id
	}
	if string(members["jsonrpc"]) != `"2.0"` {
		return nil, &rpcError{m.id, mcp.INVALID_REQUEST, `jsonrpc must be "2.0"`}
	}
	method, ok := members["method"]
	switch {
	case ok && (json.Unmarshal(method, &m.method) != nil || m.method == ""):
		return nil, &rpcError{m.id, mcp.INVALID_REQUEST, "method must be a string"}
	case !ok && members["result"] == nil && members["error"] == nil:
		return nil, &rpcError{m.id, mcp.INVALID_REQUEST, "a message must have a method, a result or an error"}
	}
	return m, nil
}

// protocolVersion is the protocol version that a request carries with it, as they do
// from 2026-07-28 on, or "".
func (m *rpcMessage) protocolVersion() string {
	var params struct {
		Meta map[string]json.RawMessage `json:"_meta"`
	}
	if json.Unmarshal(m.params, &params) != nil {
		return ""
	}
	version, _ := jsonString(params.Meta[mcp.MetaKeyProtocolVersion])
	return version
}

// isStateless tells whether a request needs no handshake.
func (m *rpcMessage) isStateless() bool { return mcp.IsModernProtocol(m.protocolVersion()) }

// validate refuses requests that the library would answer with the names of its Go
// types, or not at all.
func (s *Server) validate(m *rpcMessage) *rpcError {
	invalid := func(format string, args ...any) *rpcError {
		return &rpcError{m.id, mcp.INVALID_PARAMS, fmt.Sprintf(format, args...)}
	}
	if m.params != nil && !isObject(m.params) {
		return invalid("params must be an object")
	}
	var params map[string]json.RawMessage
	_ = json.Unmarshal(m.params, &params) // no params are no members
	if name := findWrongCase(params, knownParams...); name != "" {
		return invalid("params.%s is no parameter: names are case-sensitive", sanitize.TruncateName(name))
	}
	switch m.method {
	case string(mcp.MethodToolsCall):
	case string(mcp.MethodInitialize):
		if _, ok := jsonString(params["protocolVersion"]); !ok && !m.isStateless() {
			return invalid("params.protocolVersion must be the version that the client speaks, such as 2025-11-25")
		}
		return nil
	default:
		return s.validateResourceRequest(m)
	}
	var name string
	if json.Unmarshal(params["name"], &name) != nil || name == "" {
		return invalid("params.name must be the name of a tool")
	}
	if arguments, ok := params["arguments"]; ok && !isObject(arguments) {
		return invalid("params.arguments must be an object")
	}
	var values any
	if json.Unmarshal(params["arguments"], &values) != nil && params["arguments"] != nil {
		return invalid("params.arguments has a number that is too large to be meant")
	}
	names := s.tools.Names()
	if slices.Contains(names, name) {
		return nil
	}
	if suggestion := s.tools.SuggestTool(name); suggestion != "" {
		return invalid("unknown tool %q; did you mean %q?", sanitize.TruncateName(name), suggestion)
	}
	return invalid("unknown tool %q; the tools are %s", sanitize.TruncateName(name), strings.Join(names, ", "))
}

// knownParams are the parameters that mean something to this server.
var knownParams = []string{
	"name", "arguments", "uri", "ref", "argument", "context", "cursor", "task", "inputResponses", "requestState", "_meta",
	"protocolVersion", "capabilities", "clientInfo", "requestId",
}

// findWrongCase finds a member that is a known name but for its case. The library
// reads names without regard to case: what it would read must be what was
// checked.
func findWrongCase(members map[string]json.RawMessage, known ...string) string {
	for name := range members {
		for _, want := range known {
			if name != want && strings.EqualFold(name, want) {
				return name
			}
		}
	}
	return ""
}

// hideGoTypes replaces an error that speaks of Go's types.
func hideGoTypes(resp mcp.JSONRPCMessage, m *rpcMessage) mcp.JSONRPCMessage {
	var errText string
	switch e := resp.(type) {
	case mcp.JSONRPCError:
		errText = e.Error.Message
	case *mcp.JSONRPCError:
		errText = e.Error.Message
	}
	if strings.Contains(errText, "Go struct field") || strings.Contains(errText, "Go value of type") {
		return (&rpcError{m.id, mcp.INVALID_PARAMS, "params have a member of a kind that " + m.method + " does not take"}).toMessage()
	}
	return resp
}

func isObject(value json.RawMessage) bool {
	value = bytes.TrimSpace(value)
	return len(value) > 0 && value[0] == '{'
}

// setID gives an answer of the library the id that was read.
func setID(resp mcp.JSONRPCMessage, id json.RawMessage) mcp.JSONRPCMessage {
	switch r := resp.(type) {
	case mcp.JSONRPCResponse:
		r.ID = rawID(id)
		return r
	case *mcp.JSONRPCResponse:
		r.ID = rawID(id)
	case mcp.JSONRPCError:
		r.ID = rawID(id)
		return r
	case *mcp.JSONRPCError:
		r.ID = rawID(id)
	}
	return resp
}

// dispatch gives a message to the library. A panic in it costs one answer.
func (s *Server) dispatch(ctx context.Context, m *rpcMessage) (resp mcp.JSONRPCMessage) {
	defer func() {
		if recovered := recover(); recovered != nil {
			s.logger.Error("a request failed", "method", m.method, "fault", recovered, "stack", string(debug.Stack()))
			resp = (&rpcError{m.id, mcp.INTERNAL_ERROR, "a fault of this server"}).toMessage()
		}
	}()
	return setID(hideGoTypes(s.mcp.HandleMessage(ctx, m.raw), m), m.id)
}
