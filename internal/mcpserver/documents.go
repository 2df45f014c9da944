package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	reference "github.com/wesendall/wesendall-mcp/llm-reference"
	"github.com/wesendall/wesendall-mcp/prompts"
)

const mimeMarkdown = "text/markdown"

// listResources are the documents that a client is shown, in the order to read them.
func listResources(d *reference.Document) []mcp.Resource {
	newResource := func(uri, name, title, description, text string, priority float64) mcp.Resource {
		size := int64(len(text))
		r := mcp.Resource{URI: uri, Name: name, Title: title, Description: description, MIMEType: mimeMarkdown, Size: &size}
		r.Annotations = &mcp.Annotations{Audience: []mcp.Role{mcp.RoleAssistant}, Priority: &priority}
		return r
	}
	list := []mcp.Resource{
		newResource(reference.LLMsTxtURI, "llms.txt", "Index", "Every section and code sample", d.LLMsTxt(), 0.9),
		newResource(reference.ReferenceURI, "reference", "The whole reference", "All sections in one", d.Full(), 0.3),
	}
	for _, s := range d.Sections() {
		list = append(list, newResource(s.URI(), s.Name, s.Title, s.Description, s.Text, s.Priority))
	}
	return list
}

// registerResources serves the reference.
func (s *Server) registerResources() {
	handler := func(_ context.Context, req mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		contents, err := s.readResource(req.Params.URI)
		if err != nil {
			return nil, err
		}
		return []mcp.ResourceContents{contents}, nil
	}
	// How they are shown is for the list alone, since sizes are known only once
	// everything is written.
	for _, uri := range []string{reference.LLMsTxtURI, reference.ReferenceURI} {
		s.mcp.AddResource(mcp.Resource{URI: uri}, handler)
	}
	for _, name := range s.reference.Names() {
		s.mcp.AddResource(mcp.Resource{URI: reference.SectionURI(name)}, handler)
	}
	s.mcp.AddResourceTemplate(mcp.NewResourceTemplate(reference.SectionTemplate, "section",
		mcp.WithTemplateTitle("A section"), mcp.WithTemplateDescription("One section of the reference"), mcp.WithTemplateMIMEType(mimeMarkdown),
		mcp.WithTemplateAnnotations([]mcp.Role{mcp.RoleAssistant}, 0.5, "")), handler)
	s.mcp.AddResourceTemplate(mcp.NewResourceTemplate(reference.ExampleTemplate, "example",
		mcp.WithTemplateTitle("A code sample"), mcp.WithTemplateDescription("A complete program that calls one endpoint: "+strings.Join(reference.LanguageNames(), ", ")),
		mcp.WithTemplateAnnotations([]mcp.Role{mcp.RoleAssistant}, 0.7, "")), handler)
}

// readResource finds what is at an address. Its errors name what there is instead.
func (s *Server) readResource(uri string) (mcp.TextResourceContents, error) {
	textContents := func(mime, text string) (mcp.TextResourceContents, error) {
		return mcp.TextResourceContents{URI: uri, MIMEType: mime, Text: text}, nil
	}
	notFound := func(kind, name string, names []string) (mcp.TextResourceContents, error) {
		return mcp.TextResourceContents{}, fmt.Errorf("there is no %s %q: use one of %s", kind, truncate(name), strings.Join(names, ", "))
	}
	switch uri {
	case reference.LLMsTxtURI:
		return textContents(mimeMarkdown, s.reference.LLMsTxt())
	case reference.ReferenceURI:
		return textContents(mimeMarkdown, s.reference.Full())
	}
	if name, ok := strings.CutPrefix(uri, reference.ReferenceURI+"/"); ok {
		section, ok := s.reference.Section(name)
		if !ok {
			return notFound("section", name, s.reference.Names())
		}
		return textContents(mimeMarkdown, section.Text)
	}
	prefix, _, _ := strings.Cut(reference.ExampleTemplate, "{")
	if rest, ok := strings.CutPrefix(uri, prefix); ok {
		name, endpoint, _ := strings.Cut(rest, "/")
		language, ok := reference.FindLanguage(name)
		if !ok {
			return notFound("language", name, reference.LanguageNames())
		}
		text, ok := s.reference.Example(name, endpoint)
		if !ok {
			return notFound("endpoint", endpoint, reference.EndpointNames())
		}
		return textContents(language.MIMEType, text)
	}
	return notFound("resource", uri, []string{reference.LLMsTxtURI, reference.ReferenceURI, reference.SectionTemplate, reference.ExampleTemplate})
}

// availablePrompts are the prompts whose tools are all shown.
func (s *Server) availablePrompts(candidates []prompts.Prompt) []prompts.Prompt {
	return slices.DeleteFunc(candidates, func(p prompts.Prompt) bool {
		return slices.ContainsFunc(p.Tools, func(tool string) bool { return !s.tools.IsServed(tool) })
	})
}

// toMCPPrompts are the prompts as a client is shown them, in their order.
func toMCPPrompts(available []prompts.Prompt) []mcp.Prompt {
	list := make([]mcp.Prompt, len(available))
	for i, p := range available {
		list[i] = mcp.Prompt{Name: p.Name, Title: p.Title, Description: p.Description}
		for _, a := range p.Arguments {
			list[i].Arguments = append(list[i].Arguments, mcp.PromptArgument{Name: a.Name, Description: a.Description, Required: a.Required})
		}
	}
	return list
}

// registerPrompts serves the prompts.
func (s *Server) registerPrompts() {
	for i, prompt := range toMCPPrompts(s.prompts) {
		p := s.prompts[i]
		s.mcp.AddPrompt(prompt, func(_ context.Context, req mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			text, err := p.Text(req.Params.Arguments)
			if err != nil {
				return nil, err
			}
			return mcp.NewGetPromptResult(p.Description, []mcp.PromptMessage{mcp.NewPromptMessage(mcp.RoleUser, mcp.NewTextContent(text))}), nil
		})
	}
}

// findPrompt finds a prompt that is offered.
func (s *Server) findPrompt(name string) (prompts.Prompt, error) {
	var names []string
	for _, p := range s.prompts {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return prompts.Prompt{}, fmt.Errorf("unknown prompt %q; the prompts are %s", truncate(name), strings.Join(names, ", "))
}

// CompletePromptArgument offers values for an argument of a prompt.
func (s *Server) CompletePromptArgument(_ context.Context, name string, a mcp.CompleteArgument, c mcp.CompleteContext) (*mcp.Completion, error) {
	p, err := s.findPrompt(name)
	if err != nil {
		return nil, err
	}
	return newCompletion(p.Complete(a.Name, a.Value, c.Arguments)), nil
}

// templateVariables are those of each template, with their values.
func (s *Server) templateVariables(template string) map[string]func() []string {
	return map[string]map[string]func() []string{
		reference.SectionTemplate: {"section": s.reference.Names},
		reference.ExampleTemplate: {"language": reference.LanguageNames, "endpoint": reference.EndpointNames},
	}[template]
}

// CompleteResourceArgument offers values for a variable of a template.
func (s *Server) CompleteResourceArgument(_ context.Context, template string, a mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	values := s.templateVariables(template)[a.Name]
	if values == nil {
		return newCompletion(nil), nil
	}
	return newCompletion(prompts.FilterMatches(values(), a.Value)), nil
}

func newCompletion(values []string) *mcp.Completion {
	return &mcp.Completion{Values: append([]string{}, values...), Total: len(values)}
}

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
				return invalid(fmt.Errorf("unknown resource template %q; the templates are %s, %s", truncate(uri), reference.SectionTemplate, reference.ExampleTemplate))
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

// truncate keeps a name that somebody made up from filling an error.
func truncate(name string) string {
	if len(name) > 64 {
		return strings.ToValidUTF8(name[:64], "") + "…"
	}
	return name
}
