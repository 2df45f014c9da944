package mcpserver

import (
	"context"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
	"github.com/wesendall/wesendall-mcp/prompts"
)

const mimeMarkdown = "text/markdown"

// listResources lists the documents, in the order to read them.
func listResources(d *reference.Document) []mcp.Resource {
	newResource := func(uri, name, title, description, text string, priority float64) mcp.Resource {
		size := int64(len(text))
		r := mcp.Resource{
			URI: uri, Name: name, Title: title, Description: description, MIMEType: mimeMarkdown, Size: &size,
		}
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

// registerResources adds the reference to the MCP server.
func (s *Server) registerResources() {
	handler := func(_ context.Context, req mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		contents, err := s.readResource(req.Params.URI)
		if err != nil {
			return nil, err
		}
		return []mcp.ResourceContents{contents}, nil
	}
	// Only the address is needed here: listResources fills the lists when they are
	// asked for, because the sizes need the rendered texts.
	for _, uri := range []string{reference.LLMsTxtURI, reference.ReferenceURI} {
		s.mcp.AddResource(mcp.Resource{URI: uri}, handler)
	}
	for _, name := range s.reference.Names() {
		s.mcp.AddResource(mcp.Resource{URI: reference.SectionURI(name)}, handler)
	}
	s.mcp.AddResourceTemplate(mcp.NewResourceTemplate(reference.SectionTemplate, "section",
		mcp.WithTemplateTitle("A section"), mcp.WithTemplateDescription("One section of the reference"),
		mcp.WithTemplateMIMEType(mimeMarkdown),
		mcp.WithTemplateAnnotations([]mcp.Role{mcp.RoleAssistant}, 0.5, "")), handler)
	s.mcp.AddResourceTemplate(mcp.NewResourceTemplate(reference.ExampleTemplate, "example",
		mcp.WithTemplateTitle("A code sample"),
		mcp.WithTemplateDescription("A complete program that calls one endpoint: "+
			strings.Join(reference.LanguageNames(), ", ")),
		mcp.WithTemplateAnnotations([]mcp.Role{mcp.RoleAssistant}, 0.7, "")), handler)
}

// readResource returns the document at an address. The error lists what exists.
func (s *Server) readResource(uri string) (mcp.TextResourceContents, error) {
	textContents := func(mime, text string) (mcp.TextResourceContents, error) {
		return mcp.TextResourceContents{URI: uri, MIMEType: mime, Text: text}, nil
	}
	notFound := func(kind, name string, names []string) (mcp.TextResourceContents, error) {
		return mcp.TextResourceContents{}, fmt.Errorf("there is no %s %q: use one of %s",
			kind, sanitize.TruncateName(name), strings.Join(names, ", "))
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
	return notFound("resource", uri, []string{
		reference.LLMsTxtURI, reference.ReferenceURI, reference.SectionTemplate, reference.ExampleTemplate,
	})
}

// templateVariables maps the variables of a template to their values; nil for an
// unknown template.
func (s *Server) templateVariables(template string) map[string]func() []string {
	switch template {
	case reference.SectionTemplate:
		return map[string]func() []string{"section": s.reference.Names}
	case reference.ExampleTemplate:
		return map[string]func() []string{"language": reference.LanguageNames, "endpoint": reference.EndpointNames}
	}
	return nil
}

// CompleteResourceArgument completes a variable of a resource template.
func (s *Server) CompleteResourceArgument(
	_ context.Context, template string, a mcp.CompleteArgument, _ mcp.CompleteContext,
) (*mcp.Completion, error) {
	values := s.templateVariables(template)[a.Name]
	if values == nil {
		return newCompletion(nil), nil
	}
	return newCompletion(prompts.FilterMatches(values(), a.Value)), nil
}

func newCompletion(values []string) *mcp.Completion {
	return &mcp.Completion{Values: append([]string{}, values...), Total: len(values)}
}
