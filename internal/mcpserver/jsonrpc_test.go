package mcpserver

import (
	"bytes"
	"strings"
	"testing"
)

// expectError writes a line and checks that the answer is an error.
func (w *stdioClient) expectError(line, id string, code int, says string) {
	w.t.Helper()
	w.write(line)
	a := w.read()
	if a.Error == nil || string(a.ID) != id || a.Error.Code != code || !strings.Contains(a.Error.Message, says) {
		w.t.Errorf("%.80s: %s", line, a.line)
	}
}

func TestStdio_BeforeInitialize(t *testing.T) {
	t.Parallel()
	w := newStdioClient(t, newFake())
	w.expectError(toolCall("1", "get_balance", `{}`), "1", -32600, "the first request must be initialize")
	w.expectError(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, "1", -32600, "the first request must be initialize")
	w.expectError(`{"jsonrpc":"2.0","id":1,"method":"server/discover"}`, "1", -32602,
		"server/discover needs io.modelcontextprotocol/protocolVersion")
	w.expectError(`{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{`+
		`"io.modelcontextprotocol/protocolVersion":7}}}`, "1", -32602, "needs")
}

func TestStdio_InvalidMessages(t *testing.T) {
	t.Parallel()
	w := newStdioClient(t, newFake())
	w.initialize()
	w.expectError(`{"jsonrpc":"2.0","id":1,"method":`, "null", -32700, "not valid JSON")
	w.expectError("\xff\xfe", "null", -32700, "not valid JSON")
	w.expectError(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"`+"\xff"+`"}}`, "null", -32700, "not valid JSON")
	w.expectError(`{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"cursor":5}}`, "7", -32602,
		"params have a member of a kind that tools/list does not take")
	w.expectError(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"get_balance","_meta":5}}`, "7", -32602,
		"params have a member of a kind")
	w.expectError(`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, "null", -32600, "batches")
	w.expectError(`"ping"`, "null", -32600, "object")
	w.expectError(`null`, "null", -32600, "object")
	w.expectError(`{"jsonrpc":"1.0","id":2,"method":"ping"}`, "2", -32600, "jsonrpc")
	w.expectError(`{"id":2,"method":"ping"}`, "2", -32600, "jsonrpc")
	w.expectError(`{"jsonrpc":"2.0","id":2}`, "2", -32600, "method")
	w.expectError(`{"jsonrpc":"2.0","id":2,"method":7}`, "2", -32600, "method")
	for _, id := range []string{"null", "true", "{}", "[1]"} {
		w.expectError(`{"jsonrpc":"2.0","id":`+id+`,"method":"ping"}`, "null", -32600, "id must be")
	}
	w.expectError(`{"jsonrpc":"2.0","id":3,"method":"nope/nope"}`, "3", -32601, "")
	for _, params := range []string{`"x"`, `[]`, `7`} {
		w.expectError(`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":`+params+`}`, "4", -32602,
			"params must be an object")
	}

	w.expectError(`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":null}`, "4", -32602, "params.name")

	// The connection still works; blank lines, CRLF and stray responses are ignored.
	w.write("", "\r", `{"jsonrpc":"2.0","id":99,"result":{}}`, `{"jsonrpc":"2.0","method":"notifications/strange"}`,
		`{"jsonrpc":"2.0","id":8,"method":"ping"}`+"\r")
	if a := w.read(); a.Error != nil || string(a.ID) != "8" {
		t.Error(a.line)
	}
}

// mcp-go decodes names in any case: what it would read must be what was checked.
func TestStdio_WrongCaseNames(t *testing.T) {
	t.Parallel()
	w := newStdioClient(t, newFake())
	w.initialize()
	w.expectError(`{"jsonrpc":"2.0","method":"tools/call","ID":7,"params":{`+
		`"name":"send_sms","arguments":`+sendArguments+`}}`, "null", -32600, `"ID" must be written "id"`)
	w.expectError(`{"jsonrpc":"2.0","id":7,"method":"ping","Method":"tools/call","params":{`+
		`"name":"send_sms","arguments":`+sendArguments+`}}`, "null", -32600, `"Method"`)
	w.expectError(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{`+
		`"name":"get_balance","Name":"send_sms","arguments":`+sendArguments+`}}`, "7", -32602, "params.Name is no parameter")
	w.expectError(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{`+
		`"name":"send_sms","arguments":`+sendArguments+`,"ARGUMENTS":{}}}`, "7", -32602, "case-sensitive")
}

func TestStdio_InvalidToolCalls(t *testing.T) {
	t.Parallel()
	w := newStdioClient(t, newFake())
	w.initialize()
	w.expectError(`{"jsonrpc":"2.0","id":4,"method":"tools/call"}`, "4", -32602, "params.name")
	w.expectError(`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":7}}`, "4", -32602, "params.name")
	for _, arguments := range []string{`"x"`, `[]`, `7`} {
		w.expectError(toolCall("5", "get_balance", arguments), "5", -32602, "params.arguments must be an object")
	}
	w.expectError(toolCall("5", "topup_wallet", `{"amount":1e999999999}`), "5", -32602, "too large")
	w.expectError(toolCall("6", "send_sm", `{}`), "6", -32602, `unknown tool "send_sm"; did you mean "send_sms"?`)
	w.expectError(toolCall("6", "format_disk", `{}`), "6", -32602, "the tools are get_balance")
	w.expectError(statelessRequest("7", "tools/nope", ""), "7", -32601, "")
}

func TestStdio_IDRoundTrip(t *testing.T) {
	t.Parallel()
	w := newStdioClient(t, newFake())
	w.initialize()
	for _, id := range []string{`0`, `-1`, `9007199254740993`, `1.50`, `""`, `"a\u0041"`} {
		w.write(`{"jsonrpc":"2.0","id":` + id + `,"method":"ping"}`)
		if a := w.read(); string(a.ID) != id || a.Error != nil {
			t.Errorf("%s: %s", id, a.line)
		}
	}
}

func TestStdio_Versions(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"} {
		w := newStdioClient(t, newFake())
		w.write(strings.ReplaceAll(initializeRequest, "2025-06-18", version))
		if a := w.read(); !strings.Contains(a.line, `"protocolVersion":"`+version+`"`) ||
			!strings.Contains(a.line, "never repeat it") {
			t.Errorf("%s: %s", version, a.line)
		}
	}
	w := newStdioClient(t, newFake())
	w.write(statelessRequest("1", "server/discover", ""), statelessRequest("2", "tools/list", ""))
	both := w.read().line + w.read().line
	if !strings.Contains(both, `"2026-07-28"`) || !strings.Contains(both, `"ttlMs":3600000`) ||
		!strings.Contains(both, `"cacheScope":"private"`) {
		t.Error(both)
	}
}

func FuzzLine(f *testing.F) {
	for _, line := range []string{initializeRequest, toolCall("1", "send_sms", sendArguments),
		statelessRequest("1", "tools/list", ""), `[]`, `{"jsonrpc":"2.0","id":1e400,"method":"ping"}`, "\x00",
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}`} {
		f.Add([]byte(line))
	}
	api := newFake()
	close(api.release)
	srv := newServer(f, api)
	f.Fuzz(func(t *testing.T, text []byte) {
		for len(api.started) > 0 {
			<-api.started
		}
		var out bytes.Buffer
		if err := srv.ServeStdio(t.Context(), bytes.NewReader(append([]byte(initializeRequest+"\n"), text...)),
			&out); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			parseWireMessage(t, line)
		}
	})
}
