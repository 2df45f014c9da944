package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// sendWithQuote makes the call of TestElicitation_Stdio with a quote.
func sendWithQuote(t *testing.T, s *mcp.ClientSession, quoteID any) {
	t.Helper()
	retry, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "send_sms",
		Arguments: map[string]any{"recipient": "0700000010", "message": "Hi", "quote": quoteID}})
	if err != nil || retry.IsError {
		t.Errorf("%+v, %v", retry, err)
	}
}

// The user is asked in both protocols, and only an accept spends.
func TestElicitation_Stdio(t *testing.T) {
	t.Parallel()
	form := &mcp.ElicitationCapabilities{Form: &mcp.FormElicitationCapabilities{}}
	for name, c := range map[string]struct {
		capability *mcp.ElicitationCapabilities
		action     string
		content    map[string]any
		code       string // "" spends
		asked      int
	}{
		"accepts":                      {form, "accept", nil, "", 1},
		"accepts with an empty form":   {form, "accept", map[string]any{}, "", 1},
		"accepts with confirm set":     {form, "accept", map[string]any{"confirm": true}, "", 1},
		"accepts with confirm not set": {form, "accept", map[string]any{"confirm": false}, "declined", 1},
		"declines":                     {form, "decline", nil, "declined", 1},
		"cancels":                      {form, "cancel", nil, "declined", 1},
		"answers nonsense":             {form, "perhaps", nil, "declined", 1},
		"declares {}":                  {&mcp.ElicitationCapabilities{}, "accept", nil, "", 1},
		"declares URLs alone": {&mcp.ElicitationCapabilities{URL: &mcp.URLElicitationCapabilities{}}, "accept", nil,
			"confirmation_required", 0},
		"declares nothing": {nil, "accept", nil, "confirmation_required", 0},
	} {
		for _, version := range protocolVersions {
			t.Run(name+", "+version, func(t *testing.T) {
				t.Parallel()
				env, url := upstream(t)
				asked, question := 0, ""
				options := &mcp.ClientOptions{Capabilities: &mcp.ClientCapabilities{Elicitation: c.capability}}
				if c.capability != nil {
					options.ElicitationHandler = func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
						asked++
						question = req.Params.Message
						return &mcp.ElicitResult{Action: c.action, Content: c.content}, nil
					}
				}
				s := connectWithOptions(t, version, program(t, append(env, "WESENDALL_CONFIRM_ABOVE=0")), options)
				result, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "send_sms",
					Arguments: map[string]any{"recipient": "0700000010", "message": "Hi"}})
				if err != nil {
					if c.action == "perhaps" && upstreamBalance(t, url) == 5000 {
						return // the client itself refuses to send that
					}
					t.Fatal(err)
				}
				got := structuredContent(t, result)
				if code, _ := got["code"].(string); code != c.code || asked != c.asked {
					t.Errorf("%v, asked %d times", got, asked)
				}
				if spent := 5000 - upstreamBalance(t, url); (spent == 35) != (c.code == "") {
					t.Errorf("UGX %d were charged", spent)
				}
				if c.asked > 0 && !strings.Contains(question, "+256700000010\nCost: about UGX 35 ") {
					t.Error(question)
				}
				if quote, ok := got["quote"].(map[string]any); ok && c.code == "confirmation_required" {
					sendWithQuote(t, s, quote["id"])
				}
			})
		}
	}
}

func TestElicitation_EOF(t *testing.T) {
	t.Parallel()
	env, url := upstream(t)
	p := startProcess(t, append(env, "WESENDALL_CONFIRM_ABOVE=0"))
	p.writeLines(t, strings.Replace(initializeLine, `"capabilities":{}`, `"capabilities":{"elicitation":{}}`, 1))
	p.readLine(t)
	p.writeLines(t, toolCallLine(1, "send_sms", `{"recipient":"+256700000010","message":"Hi"}`))
	if line := p.readLine(t); !strings.Contains(line, `"method":"elicitation/create"`) {
		t.Fatal(line)
	}
	start := time.Now()
	_ = p.stdin.Close()
	if line := p.readLine(t); !strings.Contains(line, `declined`) {
		t.Error(line)
	}
	if err := p.Wait(); err != nil || time.Since(start) > 20*time.Second || upstreamBalance(t, url) != 5000 {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}
