package mcpserver

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
	"github.com/wesendall/wesendall-mcp/prompts"
)

func (m *rpcMessage) invalidParams(format string, args ...any) *rpcError {
	return &rpcError{m.id, mcp.INVALID_PARAMS, fmt.Sprintf(format, args...)}
}

// validateRequest refuses requests that mcp-go would answer with an internal error, with
// the names of its Go types, or not at all.
func (s *Server) validateRequest(m *rpcMessage) *rpcError {
	if m.params != nil && m.members == nil {
		return m.invalidParams("params must be an object")
	}
	if name := findWrongCase(m.members, knownParams...); name != "" {
		return m.invalidParams("params.%s is no parameter: names are case-sensitive", sanitize.TruncateName(name))
	}
	switch mcp.MCPMethod(m.method) {
	case mcp.MethodInitialize:
		if _, ok := jsonString(m.members["protocolVersion"]); !ok && !m.isStateless() {
			return m.invalidParams("params.protocolVersion must be the version that the client speaks, such as 2025-11-25")
		}
	case mcp.MethodToolsCall:
		return s.validateToolCall(m)
	case mcp.MethodResourcesRead:
		return s.validateReadResource(m)
	case mcp.MethodPromptsGet:
		return s.validateGetPrompt(m)
	case mcp.MethodCompletionComplete:
		return s.validateComplete(m)
	}
	return nil
}

func (s *Server) validateToolCall(m *rpcMessage) *rpcError {
	name, _ := jsonString(m.members["name"])
	if name == "" {
		return m.invalidParams("params.name must be the name of a tool")
	}
	if arguments, ok := m.members["arguments"]; ok && arguments[0] != '{' && !isNull(arguments) {
		return m.invalidParams("params.arguments must be an object")
	}
	names := s.tools.Names()
	if slices.Contains(names, name) {
		return nil
	}
	if suggestion := s.tools.SuggestTool(name); suggestion != "" {
		return m.invalidParams("unknown tool %q; did you mean %q?", sanitize.TruncateName(name), suggestion)
	}
	return m.invalidParams("unknown tool %q; the tools are %s", sanitize.TruncateName(name), strings.Join(names, ", "))
}

// knownParams are the parameters that this server or mcp-go reads.
var knownParams = []string{
	"name", "arguments", "uri", "ref", "argument", "context", "cursor", "task", "inputResponses", "requestState", "_meta",
	"protocolVersion", "capabilities", "clientInfo", "requestId",
}

// findWrongCase finds a member whose name differs from a known name only in case.
// mcp-go decodes names without regard to case, so such a member would be read
// although it was not checked.
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

func (s *Server) validateReadResource(m *rpcMessage) *rpcError {
	uri, ok := jsonString(m.members["uri"])
	if !ok {
		return m.invalidParams("params.uri must be the address of a resource, such as %s", reference.ReferenceURI)
	}
	_, err := s.readResource(uri)
	switch {
	case err == nil:
		return nil
	case m.isStateless():
		return m.invalidParams("%s", err)
	default:
		return &rpcError{m.id, mcp.RESOURCE_NOT_FOUND, err.Error()}
	}
}

func (s *Server) validateGetPrompt(m *rpcMessage) *rpcError {
	name, ok := jsonString(m.members["name"])
	if !ok {
		return m.invalidParams("params.name must be the name of a prompt")
	}
	p, err := s.findPrompt(name)
	if err != nil {
		return m.invalidParams("%s", err)
	}
	var arguments prompts.Values
	if raw, ok := m.members["arguments"]; ok && json.Unmarshal(raw, &arguments) != nil {
		return m.invalidParams("params.arguments must be an object of strings")
	}
	if err := p.Check(arguments); err != nil {
		return m.invalidParams("%s", err)
	}
	return nil
}

func (s *Server) validateComplete(m *rpcMessage) *rpcError {
	var params struct {
		Ref      struct{ Type, Name, URI json.RawMessage }
		Argument struct{ Name, Value json.RawMessage }
		Context  struct{ Arguments map[string]string }
	}
	if json.Unmarshal(m.params, &params) != nil {
		return m.invalidParams("params must be an object with ref, argument and, optionally, " +
			"context.arguments, an object of strings")
	}
	refType, _ := jsonString(params.Ref.Type)
	name, hasName := jsonString(params.Ref.Name)
	uri, hasURI := jsonString(params.Ref.URI)
	switch {
	case refType == "ref/prompt" && hasName:
		if _, err := s.findPrompt(name); err != nil {
			return m.invalidParams("%s", err)
		}
	case refType == "ref/resource" && hasURI:
		if s.templateVariables(uri) == nil {
			return m.invalidParams("unknown resource template %q; the templates are %s, %s",
				sanitize.TruncateName(uri), reference.SectionTemplate, reference.ExampleTemplate)
		}
	default:
		return m.invalidParams("params.ref must be a ref/prompt with a name or a ref/resource with a uri")
	}
	_, hasName = jsonString(params.Argument.Name)
	if _, hasValue := jsonString(params.Argument.Value); !hasName || !hasValue {
		return m.invalidParams("params.argument must have a name and a value, both strings")
	}
	return nil
}
