package server

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
)

// message is one JSON-RPC message as it was read.
type message struct {
	raw    json.RawMessage
	id     json.RawMessage // as it was written; nil for a notification
	method string          // "" for a response
	params json.RawMessage
}

// refusal is an answer that the protocol itself gives.
type refusal struct {
	id   json.RawMessage
	code int
	text string
}

func (r *refusal) message() mcp.JSONRPCMessage {
	return mcp.NewJSONRPCError(identity(r.id), r.code, r.text, nil)
}

// identity is an id that is written as it was read: the library would make a
// floating point number of an integer.
func identity(id json.RawMessage) mcp.RequestId {
	if id == nil {
		id = json.RawMessage("null")
	}
	return mcp.NewRequestId(id)
}

// parse reads one line, or says what is wrong with it.
func parse(line []byte) (*message, *refusal) {
	if !json.Valid(line) || !utf8.Valid(line) {
		return nil, &refusal{nil, mcp.PARSE_ERROR, "this is not valid JSON"}
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(line, &members) != nil || members == nil {
		if line[0] == '[' {
			return nil, &refusal{nil, mcp.INVALID_REQUEST, "batches are not supported: send each message on its own line"}
		}
		return nil, &refusal{nil, mcp.INVALID_REQUEST, "a message must be a JSON object"}
	}
	if name := misspelt(members, "jsonrpc", "id", "method", "params", "result", "error"); name != "" {
		return nil, &refusal{nil, mcp.INVALID_REQUEST, fmt.Sprintf("%q must be written %q", name, strings.ToLower(name))}
	}
	m := &message{raw: line, params: members["params"]}
	if id, given := members["id"]; given {
		if first := id[0]; first != '"' && first != '-' && (first < '0' || first > '9') {
			return nil, &refusal{nil, mcp.INVALID_REQUEST, "id must be a string or a number"}
		}
		m.id = id
	}
	if string(members["jsonrpc"]) != `"2.0"` {
		return nil, &refusal{m.id, mcp.INVALID_REQUEST, `jsonrpc must be "2.0"`}
	}
	method, given := members["method"]
	switch {
	case given && (json.Unmarshal(method, &m.method) != nil || m.method == ""):
		return nil, &refusal{m.id, mcp.INVALID_REQUEST, "method must be a string"}
	case !given && members["result"] == nil && members["error"] == nil:
		return nil, &refusal{m.id, mcp.INVALID_REQUEST, "a message must have a method, a result or an error"}
	}
	return m, nil
}

// version is the protocol version that a request carries with it, as they do
// from 2026-07-28 on, or "".
func (m *message) version() string {
	var params struct {
		Meta map[string]json.RawMessage `json:"_meta"`
	}
	if json.Unmarshal(m.params, &params) != nil {
		return ""
	}
	version, _ := text(params.Meta[mcp.MetaKeyProtocolVersion])
	return version
}

// modern tells whether a request needs no handshake.
func (m *message) modern() bool { return mcp.IsModernProtocol(m.version()) }

// check refuses requests that the library would answer with the names of its Go
// types, or not at all.
func (s *Server) check(m *message) *refusal {
	invalid := func(format string, args ...any) *refusal {
		return &refusal{m.id, mcp.INVALID_PARAMS, fmt.Sprintf(format, args...)}
	}
	if m.params != nil && !isObject(m.params) {
		return invalid("params must be an object")
	}
	var params map[string]json.RawMessage
	_ = json.Unmarshal(m.params, &params) // no params are no members
	if name := misspelt(params, paramNames...); name != "" {
		return invalid("params.%s is no parameter: names are case-sensitive", shorten(name))
	}
	switch m.method {
	case string(mcp.MethodToolsCall):
	case string(mcp.MethodInitialize):
		if _, ok := text(params["protocolVersion"]); !ok && !m.modern() {
			return invalid("params.protocolVersion must be the version that the client speaks, such as 2025-11-25")
		}
		return nil
	default:
		return s.checkDocuments(m)
	}
	var name string
	if json.Unmarshal(params["name"], &name) != nil || name == "" {
		return invalid("params.name must be the name of a tool")
	}
	if arguments, given := params["arguments"]; given && !isObject(arguments) {
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
	if meant := s.tools.Closest(name); meant != "" {
		return invalid("unknown tool %q; did you mean %q?", shorten(name), meant)
	}
	return invalid("unknown tool %q; the tools are %s", shorten(name), strings.Join(names, ", "))
}

// paramNames are the parameters that mean something to this server.
var paramNames = []string{
	"name", "arguments", "uri", "ref", "argument", "context", "cursor", "task", "inputResponses", "requestState", "_meta",
	"protocolVersion", "capabilities", "clientInfo", "requestId",
}

// misspelt finds a member that is a known name but for its case. The library
// reads names without regard to case: what it would read must be what was
// checked.
func misspelt(members map[string]json.RawMessage, known ...string) string {
	for name := range members {
		for _, each := range known {
			if name != each && strings.EqualFold(name, each) {
				return name
			}
		}
	}
	return ""
}

// plainly replaces an error that speaks of Go's types.
func plainly(answer mcp.JSONRPCMessage, m *message) mcp.JSONRPCMessage {
	var text string
	switch a := answer.(type) {
	case mcp.JSONRPCError:
		text = a.Error.Message
	case *mcp.JSONRPCError:
		text = a.Error.Message
	}
	if strings.Contains(text, "Go struct field") || strings.Contains(text, "Go value of type") {
		return (&refusal{m.id, mcp.INVALID_PARAMS, "params have a member of a kind that " + m.method + " does not take"}).message()
	}
	return answer
}

func isObject(value json.RawMessage) bool {
	value = bytes.TrimSpace(value)
	return len(value) > 0 && value[0] == '{'
}

// withID gives an answer of the library the id that was read.
func withID(answer mcp.JSONRPCMessage, id json.RawMessage) mcp.JSONRPCMessage {
	switch a := answer.(type) {
	case mcp.JSONRPCResponse:
		a.ID = identity(id)
		return a
	case *mcp.JSONRPCResponse:
		a.ID = identity(id)
	case mcp.JSONRPCError:
		a.ID = identity(id)
		return a
	case *mcp.JSONRPCError:
		a.ID = identity(id)
	}
	return answer
}

// handle gives a message to the library. A panic in it costs one answer.
func (s *Server) handle(ctx context.Context, m *message) (answer mcp.JSONRPCMessage) {
	defer func() {
		if fault := recover(); fault != nil {
			s.log.Error("a request failed", "method", m.method, "fault", fault, "stack", string(debug.Stack()))
			answer = (&refusal{m.id, mcp.INTERNAL_ERROR, "a fault of this server"}).message()
		}
	}()
	return withID(plainly(s.mcp.HandleMessage(ctx, m.raw), m), m.id)
}
