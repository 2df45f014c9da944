package mcpserver

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
	"github.com/wesendall/wesendall-mcp/prompts"
)

// validateResourceRequest refuses requests about documents and prompts that the library
// would answer as an internal error.
func (s *Server) validateResourceRequest(m *rpcMessage) *rpcError {
	invalid := func(err error) *rpcError { return &rpcError{m.id, mcp.INVALID_PARAMS, err.Error()} }
	var params struct {
		URI, Name, Arguments json.RawMessage
		Ref                  struct{ Type, Name, URI json.RawMessage }
		Argument             struct{ Name, Value json.RawMessage }
		Context              struct{ Arguments map[string]string }
	}
	decodeErr := json.Unmarshal(m.params, &params)
	switch mcp.MCPMethod(m.method) {
	case mcp.MethodResourcesRead:
		uri, ok := jsonString(params.URI)
		if !ok {
			return invalid(fmt.Errorf("params.uri must be the address of a resource, such as %s", reference.ReferenceURI))
		}
		if _, err := s.readResource(uri); err != nil {
			code := mcp.INVALID_PARAMS
			if !m.isStateless() {
				code = mcp.RESOURCE_NOT_FOUND
			}
			return &rpcError{m.id, code, err.Error()}
		}
	case mcp.MethodPromptsGet:
		name, ok := jsonString(params.Name)
		if !ok {
			return invalid(errors.New("params.name must be the name of a prompt"))
		}
		p, err := s.findPrompt(name)
		if err != nil {
			return invalid(err)
		}
		var arguments prompts.Values
		if params.Arguments != nil && json.Unmarshal(params.Arguments, &arguments) != nil {
			return invalid(errors.New("params.arguments must be an object of strings"))
		}
		if err := p.Check(arguments); err != nil {
			return invalid(err)
		}
	case mcp.MethodCompletionComplete:
		if decodeErr != nil {
			return invalid(errors.New("params must be an object with ref, argument and, if at all, context.arguments, an object of strings"))
		}
		refType, _ := jsonString(params.Ref.Type)
		name, hasName := jsonString(params.Ref.Name)
		uri, hasURI := jsonString(params.Ref.URI)
		switch {
		case refType == "ref/prompt" && hasName:
			if _, err := s.findPrompt(name); err != nil {
				return invalid(err)
			}
		case refType == "ref/resource" && hasURI:
			if s.templateVariables(uri) == nil {
				return invalid(fmt.Errorf("unknown resource template %q; the templates are %s, %s", sanitize.TruncateName(uri), reference.SectionTemplate, reference.ExampleTemplate))
			}
		default:
			return invalid(errors.New("params.ref must be a ref/prompt with a name or a ref/resource with a uri"))
		}
		_, hasName = jsonString(params.Argument.Name)
		if _, hasValue := jsonString(params.Argument.Value); !hasName || !hasValue {
			return invalid(errors.New("params.argument must have a name and a value, both strings"))
		}
	}
	return nil
}

// jsonString reads a JSON string.
func jsonString(raw json.RawMessage) (value string, ok bool) {
	ok = len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &value) == nil
	return value, ok
}
