package mcpserver

import (
	"net/http"
	"strings"
	"testing"
)

const byteOrderMark = "\ufeff"

// Some hosts write null where a member is absent, and a byte order mark before a text.
func TestStdio_NullAndByteOrderMark(t *testing.T) {
	t.Parallel()
	w := newStdioClient(t, newFake())
	w.write(byteOrderMark + initializeRequest)
	if a := w.read(); a.Error != nil {
		t.Fatal(a.line)
	}
	w.write(`{"jsonrpc":"2.0","method":"notifications/initialized","params":null}`)
	request := func(method, params string) string {
		return `{"jsonrpc":"2.0","id":5,"method":"` + method + `","params":` + params + `}`
	}
	for name, line := range map[string]string{
		"arguments that are null":            toolCall("5", "get_balance", `null`),
		"an argument for a tool without any": toolCall("5", "get_balance", `{"random_string":"x"}`),
		"params that are null":               request("tools/list", `null`),
		"a ping with params that are null":   request("ping", `null`),
		"members of params that are null":    request("tools/list", `{"cursor":null,"_meta":null}`),
		"an error that is null":              `{"jsonrpc":"2.0","id":5,"method":"ping","error":null}`,
		"a byte order mark":                  byteOrderMark + toolCall("5", "get_balance", `{}`),
		"space before and after the mark":    " " + byteOrderMark + "\t" + toolCall("5", "get_balance", `{}`) + "\r",
		"prompt arguments that are null":     request("prompts/get", `{"name":"wallet_report","arguments":null}`),
		"members of a stateless call": statelessRequest("5", "tools/call",
			`"name":"get_balance","arguments":null,"inputResponses":null,"requestState":null`),
		"a resource list with a cursor of null": request("resources/list", `{"cursor":null}`),
	} {
		w.write(line)
		if a := w.read(); a.Error != nil || string(a.ID) != "5" || strings.Contains(a.line, `"isError":true`) {
			t.Errorf("%s: %s", name, a.line)
		}
	}
	w.write(toolCall("6", "send_sms", `null`))
	if a := w.read(); a.Error != nil || !strings.Contains(a.line, "message: is required; recipient: is required") {
		t.Error(a.line)
	}
	w.write(byteOrderMark) // a blank line
	w.expectError(byteOrderMark+`{"jsonrpc":`, "null", -32700, "not valid JSON")
}

// The answer to a question may have an error that is null beside its result.
func TestStdio_ResponseWithNullError(t *testing.T) {
	t.Parallel()
	m, rpcErr := parseMessage([]byte(`{"jsonrpc":"2.0","id":1,"error":null,"result":{"action":"accept"}}`))
	if rpcErr != nil || string(m.result) != `{"action":"accept"}` {
		t.Errorf("%+v %+v", m, rpcErr)
	}
	m, rpcErr = parseMessage([]byte(`{"jsonrpc":"2.0","id":1,"error":{"code":1},"result":{"action":"accept"}}`))
	if rpcErr != nil || m.result != nil {
		t.Errorf("%+v %+v", m, rpcErr)
	}
}

func TestHTTP_SlashNullAndByteOrderMark(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake())
	session := s.initialize(callerHeaders("alice"), "{}")
	for name, a := range map[string]httpResponse{
		"a slash at the end": s.do(http.MethodPost, "/mcp/", toolCall("2", "get_balance", "{}"), session),
		"a byte order mark":  s.post(byteOrderMark+toolCall("2", "get_balance", "{}"), session),
		"null":               s.post(toolCall("2", "get_balance", "null"), session),
		"the stateless protocol": s.postStateless(byteOrderMark+
			statelessRequest("2", "tools/call", `"name":"get_balance","arguments":null`), callerHeaders("alice").merge(
			statelessHeaders(statelessRequest("2", "tools/call", `"name":"get_balance"`)))),
	} {
		if a.status != http.StatusOK || !strings.Contains(a.body, `"balance":1000000`) {
			t.Errorf("%s: %+v", name, a)
		}
	}
	for path, status := range map[string]int{"/mcp/x": http.StatusNotFound, "/": http.StatusNotFound} {
		if a := s.do(http.MethodPost, path, toolCall("2", "get_balance", "{}"), session); a.status != status {
			t.Errorf("%s: %+v", path, a)
		}
	}
	// The checks of /mcp hold for /mcp/ too.
	evil := session.merge(headerMap{"Origin": "https://evil.example"})
	if a := s.do(http.MethodPost, "/mcp/", toolCall("2", "get_balance", "{}"), evil); a.status != http.StatusForbidden {
		t.Errorf("%+v", a)
	}
}
