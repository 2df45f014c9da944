package mcpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
)

// newInstantFake returns a fake whose sends end at once.
func newInstantFake() *fake {
	f := newFake()
	close(f.release)
	return f
}

// expensiveSend costs more than may be sent without confirmation.
const expensiveSend = `"name":"send_sms","arguments":{"recipient":"0700000010","message":"Hi"}`

// sendForm is the form in which the user agrees to a send.
const sendForm = `{"properties":{"confirm":{"default":true,"title":"Send it","type":"boolean"}},"type":"object"}`

// expensiveFake is a fake whose messages cost more than may be sent without
// confirmation.
type expensiveFake struct{ *fake }

func (expensiveFake) Balance(context.Context, client.BalanceRequest) (*client.Response, error) {
	return &client.Response{Data: json.RawMessage(`{"balance":1000000,"cost_per_sms":2000}`), Attempts: 1}, nil
}

// statelessElicitRequest is a tool call of the stateless protocol from a client that
// can ask its user.
func statelessElicitRequest(id, params string) string {
	return strings.Replace(statelessRequest(id, "tools/call", params),
		`"io.modelcontextprotocol/clientCapabilities":{}`,
		`"io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{}}}`, 1)
}

// readQuestion reads the question about expensiveSend, and returns its state.
func readQuestion(t *testing.T, w *stdioClient) string {
	t.Helper()
	asked := w.read()
	var result struct {
		ResultType, RequestState string
		InputRequests            map[string]struct {
			Method string
			Params struct {
				Message         string
				RequestedSchema json.RawMessage
			}
		}
	}
	if asked.Error != nil || json.Unmarshal(asked.Result, &result) != nil || result.ResultType != "input_required" ||
		result.InputRequests["confirm"].Method != "elicitation/create" ||
		!strings.Contains(result.InputRequests["confirm"].Params.Message, "UGX 2,000") ||
		string(result.InputRequests["confirm"].Params.RequestedSchema) != sendForm {
		t.Fatal(asked.line)
	}
	return result.RequestState
}

// In the stateless protocol the client sends the state back and can change it. Only
// a clean yes to the same question spends.
func TestElicitation_StateTampering(t *testing.T) {
	t.Parallel()
	const (
		yes        = `,"inputResponses":{"confirm":{"action":"accept","content":{}}}`
		state      = `,"requestState":"STATE"`
		declined   = `"code":"declined"`
		needsQuote = `"code":"confirmation_required"`
	)
	answer := func(members string) string {
		return expensiveSend + `,"inputResponses":{"confirm":{` + members + `}}` + state
	}
	for name, c := range map[string]struct{ params, says string }{
		"a clean yes":             {expensiveSend + yes + state, `"sent":true`},
		"no":                      {answer(`"action":"decline"`), declined},
		"a state of its own":      {expensiveSend + yes + `,"requestState":"xSTATE"`, needsQuote},
		"no state":                {expensiveSend + yes, needsQuote},
		"no answer":               {expensiveSend + state, declined},
		"an answer of no meaning": {answer(`"action":{"a":1}`), declined},
		"an answer in capitals":   {answer(`"ACTION":"accept"`), declined},
		"content of no meaning":   {answer(`"action":"accept","content":"no"`), declined},
		"confirm not set":         {answer(`"action":"accept","content":{"confirm":false}`), declined},
		"confirm of no meaning":   {answer(`"action":"accept","content":{"confirm":"true"}`), declined},
		"an answer to another":    {expensiveSend + strings.Replace(yes, "confirm", "other", 1) + state, declined},
		"another message":         {strings.Replace(expensiveSend, "Hi", "Ho", 1) + yes + state, needsQuote},
		"another recipient": {
			strings.Replace(expensiveSend, "0700000010", "0700000011", 1) + yes + state, needsQuote,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newInstantFake()
			w := newStdioClient(t, expensiveFake{f})
			w.write(statelessElicitRequest("1", expensiveSend))
			requestState := readQuestion(t, w)
			if f.count() != 0 {
				t.Fatal("it was sent before anybody agreed")
			}
			w.write(statelessElicitRequest("2", strings.Replace(c.params, "STATE", requestState, 1)))
			if a := w.read(); !strings.Contains(a.line, c.says) || (f.count() == 1) != (name == "a clean yes") {
				t.Errorf("%d sent, %s", f.count(), a.line)
			}
			// An answer cannot be used twice.
			w.write(statelessElicitRequest("3", strings.Replace(expensiveSend+yes+state, "STATE", requestState, 1)))
			if a := w.read(); name != "a state of its own" && name != "no state" &&
				strings.Contains(a.line, `"sent":true`) || f.count() > 1 {
				t.Errorf("a replay: %d sent, %s", f.count(), a.line)
			}
		})
	}
}

// In the session protocol the question is a request to the client. A response with
// an unknown id changes nothing.
func TestElicitation_Answer(t *testing.T) {
	t.Parallel()
	f := newInstantFake()
	w := newStdioClient(t, expensiveFake{f})
	w.write(strings.Replace(initializeRequest, `"capabilities":{}`, `"capabilities":{"elicitation":{}}`, 1))
	w.read()
	w.write(toolCall("1", "send_sms", sendArguments))
	question := w.read()
	if question.Method != "elicitation/create" || f.count() != 0 ||
		!strings.Contains(question.line, `"requestedSchema":`+sendForm) {
		t.Fatal(question.line)
	}
	yes := `,"result":{"action":"accept","content":{}}}`
	w.write(`{"jsonrpc":"2.0","id":"ask-9"`+yes, `{"jsonrpc":"2.0","id":1`+yes, `{"jsonrpc":"2.0","id":9,"method":"ping"}`)
	if a := w.read(); string(a.ID) != "9" || f.count() != 0 {
		t.Fatal(a.line)
	}
	w.write(`{"jsonrpc":"2.0","id":` + string(question.ID) + `,"error":{"code":-32601,"message":"no"}}`)
	if a := w.read(); !strings.Contains(a.line, `"code":"declined"`) || f.count() != 0 {
		t.Error(a.line)
	}
	for _, nonsense := range []string{
		`,"result":{"action":"accept","content":{"confirm":false}}}`, `,"result":{"action":"accept","content":{"confirm":1}}}`,
		`,"result":{"ACTION":"accept"}}`, `,"result":{"action":"accept","content":[]}}`, `,"result":{"action":"Accept"}}`,
		`,"result":"accept"}`, `,"result":null}`,
		`,"result":{"action":"accept","content":{}},"error":{"code":-32603,"message":"no"}}`,
	} {
		w.write(toolCall("2", "send_sms", sendArguments))
		question = w.read()
		w.write(`{"jsonrpc":"2.0","id":` + string(question.ID) + nonsense)
		if a := w.read(); !strings.Contains(a.line, `"code":"declined"`) || f.count() != 0 {
			t.Errorf("%s: %s", nonsense, a.line)
		}
	}
	w.write(toolCall("2", "send_sms", sendArguments))
	question = w.read()
	w.write(`{"jsonrpc":"2.0","id":` + string(question.ID) + yes)
	if a := w.read(); !strings.Contains(a.line, `"sent":true`) || f.count() != 1 {
		t.Error(a.line)
	}
	// Cancelling the call while the user thinks voids the question.
	w.write(toolCall("3", "send_sms", strings.Replace(sendArguments, "Hi", "Ho", 1)))
	question = w.read()
	w.write(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}`)
	if a := w.read(); a.Method != "notifications/cancelled" || !strings.Contains(a.line, string(question.ID)) {
		t.Error(a.line)
	}
	w.write(`{"jsonrpc":"2.0","id":`+string(question.ID)+yes, `{"jsonrpc":"2.0","id":10,"method":"ping"}`)
	if a := w.read(); string(a.ID) != "10" || f.count() != 1 {
		t.Errorf("%d sent, %s", f.count(), a.line)
	}
}

// Calls that wait for a user take no slot from other calls.
func TestElicitation_YieldsSlot(t *testing.T) {
	t.Parallel()
	w := newStdioClient(t, expensiveFake{newInstantFake()})
	w.write(strings.Replace(initializeRequest, `"capabilities":{}`, `"capabilities":{"elicitation":{}}`, 1))
	w.read()
	for i := range 70 {
		w.write(toolCall(fmt.Sprint(i), "send_sms", numberedSend(i)))
		if a := w.read(); a.Method != "elicitation/create" {
			t.Fatal(a.line)
		}
	}
	w.write(toolCall(`"balance"`, "get_balance", `{}`))
	if a := w.read(); string(a.ID) != `"balance"` || strings.Contains(a.line, "rate_limited") {
		t.Error(a.line)
	}
}
