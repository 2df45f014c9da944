package mcpserver

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
	"github.com/wesendall/wesendall-mcp/prompts"
)

// availablePrompts returns the prompts whose tools are all served.
func (s *Server) availablePrompts(candidates []prompts.Prompt) []prompts.Prompt {
	return slices.DeleteFunc(candidates, func(p prompts.Prompt) bool {
		return slices.ContainsFunc(p.Tools, func(tool string) bool { return !s.tools.IsServed(tool) })
	})
}

// toMCPPrompts describes the prompts to a client, in their order.
func toMCPPrompts(available []prompts.Prompt) []mcp.Prompt {
	list := make([]mcp.Prompt, len(available))
	for i, p := range available {
		list[i] = mcp.Prompt{Name: p.Name, Title: p.Title, Description: p.Description}
		for _, a := range p.Arguments {
			list[i].Arguments = append(list[i].Arguments,
				mcp.PromptArgument{Name: a.Name, Description: a.Description, Required: a.Required})
		}
	}
	return list
}

// registerPrompts adds the prompts to the MCP server.
func (s *Server) registerPrompts() {
	for i, prompt := range toMCPPrompts(s.prompts) {
		p := s.prompts[i]
		s.mcp.AddPrompt(prompt, func(_ context.Context, req mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			text, err := p.Text(req.Params.Arguments)
			if err != nil {
				return nil, err
			}
			message := mcp.NewPromptMessage(mcp.RoleUser, mcp.NewTextContent(text))
			return mcp.NewGetPromptResult(p.Description, []mcp.PromptMessage{message}), nil
		})
	}
}

// findPrompt finds a served prompt. The error lists their names.
func (s *Server) findPrompt(name string) (prompts.Prompt, error) {
	var names []string
	for _, p := range s.prompts {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return prompts.Prompt{}, fmt.Errorf("unknown prompt %q; the prompts are %s",
		sanitize.TruncateName(name), strings.Join(names, ", "))
}

// CompletePromptArgument completes an argument of a prompt.
func (s *Server) CompletePromptArgument(
	_ context.Context, name string, a mcp.CompleteArgument, c mcp.CompleteContext,
) (*mcp.Completion, error) {
	p, err := s.findPrompt(name)
	if err != nil {
		return nil, err
	}
	return newCompletion(p.Complete(a.Name, a.Value, c.Arguments)), nil
}
