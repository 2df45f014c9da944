package server

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

const markdown = "text/markdown"

// resources are the documents that a client is shown, in the order to read them.
func resources(d *reference.Document) []mcp.Resource {
	resource := func(uri, name, title, description, text string, priority float64) mcp.Resource {
		size := int64(len(text))
		r := mcp.Resource{URI: uri, Name: name, Title: title, Description: description, MIMEType: markdown, Size: &size}
		r.Annotations = &mcp.Annotations{Audience: []mcp.Role{mcp.RoleAssistant}, Priority: &priority}
		return r
	}
	all := []mcp.Resource{
		resource(reference.IndexURI, "llms.txt", "Index", "Every section and code sample", d.Index(), 0.9),
		resource(reference.WholeURI, "reference", "The whole reference", "All sections in one", d.Whole(), 0.3),
	}
	for _, s := range d.Sections() {
		all = append(all, resource(s.URI(), s.Name, s.Title, s.Description, s.Text, s.Priority))
	}
	return all
}

// addDocuments serves the reference.
func (s *Server) addDocuments() {
	read := func(_ context.Context, q mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		contents, err := s.document(q.Params.URI)
		if err != nil {
			return nil, err
		}
		return []mcp.ResourceContents{contents}, nil
	}
	// How they are shown is for the list alone, since sizes are known only once
	// everything is written.
	for _, uri := range []string{reference.IndexURI, reference.WholeURI} {
		s.mcp.AddResource(mcp.Resource{URI: uri}, read)
	}
	for _, name := range s.reference.Names() {
		s.mcp.AddResource(mcp.Resource{URI: reference.SectionURI(name)}, read)
	}
	s.mcp.AddResourceTemplate(mcp.NewResourceTemplate(reference.SectionTemplate, "section",
		mcp.WithTemplateTitle("A section"), mcp.WithTemplateDescription("One section of the reference"), mcp.WithTemplateMIMEType(markdown),
		mcp.WithTemplateAnnotations([]mcp.Role{mcp.RoleAssistant}, 0.5, "")), read)
	s.mcp.AddResourceTemplate(mcp.NewResourceTemplate(reference.ExampleTemplate, "example",
		mcp.WithTemplateTitle("A code sample"), mcp.WithTemplateDescription("A complete program that calls one endpoint: "+strings.Join(reference.LanguageNames(), ", ")),
		mcp.WithTemplateAnnotations([]mcp.Role{mcp.RoleAssistant}, 0.7, "")), read)
}

// document finds what is at an address. Its errors name what there is instead.
func (s *Server) document(uri string) (mcp.TextResourceContents, error) {
	found := func(mime, text string) (mcp.TextResourceContents, error) {
		return mcp.TextResourceContents{URI: uri, MIMEType: mime, Text: text}, nil
	}
	missing := func(what, name string, names []string) (mcp.TextResourceContents, error) {
		return mcp.TextResourceContents{}, fmt.Errorf("there is no %s %q: use one of %s", what, shorten(name), strings.Join(names, ", "))
	}
	switch uri {
	case reference.IndexURI:
		return found(markdown, s.reference.Index())
	case reference.WholeURI:
		return found(markdown, s.reference.Whole())
	}
	if name, ok := strings.CutPrefix(uri, reference.WholeURI+"/"); ok {
		section, ok := s.reference.Section(name)
		if !ok {
			return missing("section", name, s.reference.Names())
		}
		return found(markdown, section.Text)
	}
	before, _, _ := strings.Cut(reference.ExampleTemplate, "{")
	if rest, ok := strings.CutPrefix(uri, before); ok {
		name, endpoint, _ := strings.Cut(rest, "/")
		language, ok := reference.FindLanguage(name)
		if !ok {
			return missing("language", name, reference.LanguageNames())
		}
		text, ok := s.reference.Example(name, endpoint)
		if !ok {
			return missing("endpoint", endpoint, reference.EndpointNames())
		}
		return found(language.MIMEType, text)
	}
	return missing("resource", uri, []string{reference.IndexURI, reference.WholeURI, reference.SectionTemplate, reference.ExampleTemplate})
}

// offered are the prompts whose tools are all shown.
func (s *Server) offered(all []prompts.Prompt) []prompts.Prompt {
	return slices.DeleteFunc(all, func(p prompts.Prompt) bool {
		return slices.ContainsFunc(p.Tools, func(tool string) bool { return !s.tools.Shows(tool) })
	})
}

// shown are the prompts as a client is shown them, in their order.
func shown(all []prompts.Prompt) []mcp.Prompt {
	list := make([]mcp.Prompt, len(all))
	for i, p := range all {
		list[i] = mcp.Prompt{Name: p.Name, Title: p.Title, Description: p.Description}
		for _, a := range p.Arguments {
			list[i].Arguments = append(list[i].Arguments, mcp.PromptArgument{Name: a.Name, Description: a.Description, Required: a.Required})
		}
	}
	return list
}

// addPrompts serves the prompts.
func (s *Server) addPrompts() {
	for i, each := range shown(s.prompts) {
		p := s.prompts[i]
		s.mcp.AddPrompt(each, func(_ context.Context, q mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			text, err := p.Text(q.Params.Arguments)
			if err != nil {
				return nil, err
			}
			return mcp.NewGetPromptResult(p.Description, []mcp.PromptMessage{mcp.NewPromptMessage(mcp.RoleUser, mcp.NewTextContent(text))}), nil
		})
	}
}

// prompt finds a prompt that is offered.
func (s *Server) prompt(name string) (prompts.Prompt, error) {
	var names []string
	for _, p := range s.prompts {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return prompts.Prompt{}, fmt.Errorf("unknown prompt %q; the prompts are %s", shorten(name), strings.Join(names, ", "))
}

// CompletePromptArgument offers values for an argument of a prompt.
func (s *Server) CompletePromptArgument(_ context.Context, name string, a mcp.CompleteArgument, c mcp.CompleteContext) (*mcp.Completion, error) {
	p, err := s.prompt(name)
	if err != nil {
		return nil, err
	}
	return completion(p.Complete(a.Name, a.Value, c.Arguments)), nil
}

// variables are those of each template, with their values.
func (s *Server) variables(template string) map[string]func() []string {
	return map[string]map[string]func() []string{
		reference.SectionTemplate: {"section": s.reference.Names},
		reference.ExampleTemplate: {"language": reference.LanguageNames, "endpoint": reference.EndpointNames},
	}[template]
}

// CompleteResourceArgument offers values for a variable of a template.
func (s *Server) CompleteResourceArgument(_ context.Context, template string, a mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	values := s.variables(template)[a.Name]
	if values == nil {
		return completion(nil), nil
	}
	return completion(prompts.Matching(values(), a.Value)), nil
}

func completion(values []string) *mcp.Completion {
	return &mcp.Completion{Values: append([]string{}, values...), Total: len(values)}
}

// checkDocuments refuses requests about documents and prompts that the library
// would answer as an internal error.
func (s *Server) checkDocuments(m *message) *refusal {
	invalid := func(err error) *refusal { return &refusal{m.id, mcp.INVALID_PARAMS, err.Error()} }
	var params struct {
		URI, Name, Arguments json.RawMessage
		Ref                  struct{ Type, Name, URI json.RawMessage }
		Argument             struct{ Name, Value json.RawMessage }
		Context              struct{ Arguments map[string]string }
	}
	unfit := json.Unmarshal(m.params, &params)
	switch mcp.MCPMethod(m.method) {
	case mcp.MethodResourcesRead:
		uri, ok := text(params.URI)
		if !ok {
			return invalid(fmt.Errorf("params.uri must be the address of a resource, such as %s", reference.WholeURI))
		}
		if _, err := s.document(uri); err != nil {
			code := mcp.INVALID_PARAMS
			if !m.modern() {
				code = mcp.RESOURCE_NOT_FOUND
			}
			return &refusal{m.id, code, err.Error()}
		}
	case mcp.MethodPromptsGet:
		name, ok := text(params.Name)
		if !ok {
			return invalid(errors.New("params.name must be the name of a prompt"))
		}
		p, err := s.prompt(name)
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
		if unfit != nil {
			return invalid(errors.New("params must be an object with ref, argument and, if at all, context.arguments, an object of strings"))
		}
		kind, _ := text(params.Ref.Type)
		name, named := text(params.Ref.Name)
		uri, addressed := text(params.Ref.URI)
		switch {
		case kind == "ref/prompt" && named:
			if _, err := s.prompt(name); err != nil {
				return invalid(err)
			}
		case kind == "ref/resource" && addressed:
			if s.variables(uri) == nil {
				return invalid(fmt.Errorf("unknown resource template %q; the templates are %s, %s", shorten(uri), reference.SectionTemplate, reference.ExampleTemplate))
			}
		default:
			return invalid(errors.New("params.ref must be a ref/prompt with a name or a ref/resource with a uri"))
		}
		_, named = text(params.Argument.Name)
		if _, typed := text(params.Argument.Value); !named || !typed {
			return invalid(errors.New("params.argument must have a name and a value, both strings"))
		}
	}
	return nil
}

// text reads a JSON string.
func text(raw json.RawMessage) (value string, ok bool) {
	ok = len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &value) == nil
	return value, ok
}

// shorten keeps a name that somebody made up from filling an error.
func shorten(name string) string {
	if len(name) > 64 {
		return strings.ToValidUTF8(name[:64], "") + "…"
	}
	return name
}
