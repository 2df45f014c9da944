package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"
)

// rpcMessage is one JSON-RPC message, parsed once. HandleMessage of mcp-go takes
// bytes and parses them again, so the message is kept as it was read too.
type rpcMessage struct {
	raw     json.RawMessage
	id      json.RawMessage            // as it was written; nil for a notification
	method  string                     // "" for a response
	params  json.RawMessage            // nil if absent
	members map[string]json.RawMessage // of params; nil if params are no object
	result  json.RawMessage            // of a response; nil if it is an error
	meta    map[string]json.RawMessage // params._meta
}

// rpcError is an error of the protocol, as opposed to an error of a tool.
type rpcError struct {
	id      json.RawMessage
	code    int
	message string
}

func (r *rpcError) toMessage() mcp.JSONRPCMessage {
	return mcp.NewJSONRPCError(rawID(r.id), r.code, r.message, nil)
}

// errTextInternal is the error of a request that ended in a panic.
const errTextInternal = "an internal error of this server"

// rawID is an id that is written as it was read: mcp-go would turn an integer
// into a floating point number.
func rawID(id json.RawMessage) mcp.RequestId {
	if id == nil {
		id = json.RawMessage("null")
	}
	return mcp.NewRequestId(id)
}

// parseMessage parses one message. The error says what is wrong with it.
func parseMessage(raw []byte) (*rpcMessage, *rpcError) {
	refuse := func(id json.RawMessage, text string) (*rpcMessage, *rpcError) {
		return nil, &rpcError{id, mcp.INVALID_REQUEST, text}
	}
	var members map[string]json.RawMessage
	err := json.Unmarshal(raw, &members)
	if _, isSyntax := errors.AsType[*json.SyntaxError](err); isSyntax || !utf8.Valid(raw) {
		return nil, &rpcError{nil, mcp.PARSE_ERROR, "this is not valid JSON"}
	}
	if members == nil {
		if raw[0] == '[' {
			return refuse(nil, "batches are not supported: send each message on its own line")
		}
		return refuse(nil, "a message must be a JSON object")
	}
	if name := findWrongCase(members, "jsonrpc", "id", "method", "params", "result", "error"); name != "" {
		return refuse(nil, fmt.Sprintf("%q must be written %q", name, strings.ToLower(name)))
	}
	for _, name := range []string{"params", "error"} {
		if isNull(members[name]) {
			delete(members, name)
		}
	}
	m := &rpcMessage{raw: raw, params: members["params"]}
	if id, ok := members["id"]; ok {
		if first := id[0]; first != '"' && first != '-' && (first < '0' || first > '9') {
			return refuse(nil, "id must be a string or a number")
		}
		m.id = id
	}
	if string(members["jsonrpc"]) != `"2.0"` {
		return refuse(m.id, `jsonrpc must be "2.0"`)
	}
	if method, ok := members["method"]; ok {
		if m.method, _ = jsonString(method); m.method == "" {
			return refuse(m.id, "method must be a string")
		}
	} else if members["result"] == nil && members["error"] == nil {
		return refuse(m.id, "a message must have a method, a result or an error")
	}
	if members["error"] == nil {
		m.result = members["result"]
	}
	m.members = jsonObject(m.params)
	m.meta = jsonObject(m.members["_meta"])
	return m, nil
}

// protocolVersion is the version that the message itself names, as each request
// does from 2026-07-28 on, or "".
func (m *rpcMessage) protocolVersion() string {
	version, _ := jsonString(m.meta[mcp.MetaKeyProtocolVersion])
	return version
}

// isStateless tells whether a request needs no handshake.
func (m *rpcMessage) isStateless() bool { return mcp.IsModernProtocol(m.protocolVersion()) }

// jsonString reads a JSON string.
func jsonString(raw json.RawMessage) (value string, ok bool) {
	ok = len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &value) == nil
	return value, ok
}

// isNull tells whether a member is null, which means the same as no member.
func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

// jsonObject reads the members of a JSON object; nil for any other value.
func jsonObject(raw json.RawMessage) (members map[string]json.RawMessage) {
	if len(raw) > 0 && raw[0] == '{' {
		_ = json.Unmarshal(raw, &members) // valid JSON: it is part of a parsed message
	}
	return members
}

// hideGoTypes replaces an error of mcp-go that names Go's types.
func hideGoTypes(resp mcp.JSONRPCMessage, m *rpcMessage) mcp.JSONRPCMessage {
	var text string
	switch e := resp.(type) {
	case mcp.JSONRPCError:
		text = e.Error.Message
	case *mcp.JSONRPCError:
		text = e.Error.Message
	}
	switch {
	case strings.HasSuffix(text, "of type float64"):
		text = "params have a number that is too large"
	case strings.Contains(text, "Go struct field") || strings.Contains(text, "Go value of type"):
		text = "params have a member of a kind that " + m.method + " does not take"
	default:
		return resp
	}
	return (&rpcError{m.id, mcp.INVALID_PARAMS, text}).toMessage()
}

// setID gives an answer of mcp-go the id as it was read.
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

// dispatch hands a message to mcp-go. A panic there costs only this answer.
func (s *Server) dispatch(ctx context.Context, m *rpcMessage) (resp mcp.JSONRPCMessage) {
	defer func() {
		if recovered := recover(); recovered != nil {
			s.logger.Error("a request failed", "method", m.method, "fault", recovered, "stack", string(debug.Stack()))
			resp = (&rpcError{m.id, mcp.INTERNAL_ERROR, errTextInternal}).toMessage()
		}
	}()
	return setID(hideGoTypes(s.mcp.HandleMessage(ctx, m.raw), m), m.id)
}
