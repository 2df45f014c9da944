package mcpserver

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

const readBalance = `"name":"get_balance","arguments":{}`

func TestHTTP_ProtocolVersions(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake())
	if a := s.postStateless(statelessRequest("1", "server/discover", ""), nil); a.status != 200 ||
		!strings.Contains(a.body, `"2026-07-28"`) || a.header.Get("Mcp-Session-Id") != "" {
		t.Errorf("%+v", a)
	}
	if a := s.postStateless(statelessRequest("2", "tools/list", ""), nil); a.status != 200 ||
		!strings.Contains(a.body, `"send_sms"`) {
		t.Errorf("%+v", a)
	}
	if a := s.postStateless(statelessRequest(`"three"`, "tools/call", readBalance),
		callerHeaders("alice")); a.status != 200 || !strings.Contains(a.body, `"balance":1000000`) ||
		string(a.message(t).ID) != `"three"` {
		t.Errorf("%+v", a)
	}
	session := s.initialize(callerHeaders("alice"), "{}")
	if a := s.post(`{"jsonrpc":"2.0","id":12345678901234567890,"method":"tools/list"}`, session); a.status != 200 ||
		!strings.Contains(a.body, `"send_sms"`) || string(a.message(t).ID) != "12345678901234567890" {
		t.Errorf("%+v", a)
	}
	if a := s.post(toolCall("2", "get_balance", "{}"), session); a.status != 200 ||
		!strings.Contains(a.body, `"balance":1000000`) || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%+v", a)
	}
}

func TestHTTP_Unauthenticated(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake())
	for _, message := range []string{
		statelessRequest("1", "server/discover", ""), statelessRequest("1", "tools/list", ""),
		statelessRequest("1", "prompts/list", ""), statelessRequest("1", "resources/list", ""),
		statelessRequest("1", "resources/templates/list", ""),
		statelessRequest("1", "resources/read", `"uri":"wesendall://reference"`),
		statelessRequest("1", "completion/complete",
			`"ref":{"type":"ref/prompt","name":"integrate_wesendall"},"argument":{"name":"language","value":""}`),
	} {
		if a := s.postStateless(message, nil); a.status != 200 || a.message(t).Error != nil {
			t.Errorf("%s: %+v", message, a)
		}
	}
	session := s.initialize(nil, "{}")
	if a := s.post(`{"jsonrpc":"2.0","id":2,"method":"ping"}`, session); a.status != 200 {
		t.Errorf("%+v", a)
	}
	for name, a := range map[string]httpResponse{
		"of an older client": s.post(toolCall("7", "get_balance", "{}"), session),
		"of a newer one":     s.postStateless(statelessRequest("7", "tools/call", readBalance), nil),
		"with nonsense": s.postStateless(statelessRequest("7", "tools/call", readBalance),
			callerHeaders("nonsense")),
		"with nonsense, for the list": s.postStateless(statelessRequest("7", "tools/list", ""), callerHeaders("nonsense")),
	} {
		if e := a.message(t); a.status != http.StatusUnauthorized ||
			a.header.Get("WWW-Authenticate") != `Basic realm="test"` || e.Error == nil || string(e.ID) != "7" {
			t.Errorf("a call %s: %+v", name, a)
		}
	}
	if a := s.postStateless(statelessRequest("7", "tools/call", readBalance),
		headerMap{"Authorization": "alice"}); a.status != http.StatusBadRequest || !strings.Contains(a.body, "no wallet") {
		t.Errorf("%+v", a)
	}
}

// A bad message gets the same error over HTTP and over stdio.
func TestHTTP_BadMessages(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake())
	w := newStdioClient(t, newFake())
	w.initialize()
	session := s.initialize(callerHeaders("alice"), "{}")
	for _, message := range []string{
		`{`, `[1]`, `null`, `"x"`, `{"jsonrpc":"2.0"}`, `{"jsonrpc":"1.0","id":1,"method":"ping"}`,
		`{"jsonrpc":"2.0","id":{},"method":"ping"}`,
		`{"jsonrpc":"2.0","ID":1,"method":"ping"}`, `{"jsonrpc":"2.0","id":1,"method":7}`,
		`{"jsonrpc":"2.0","id":1,"method":"nothing"}`,
		`{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}`, toolCall("1", "send_sm", "{}"), toolCall("1", "", "{}"),
		toolCall("1", "send_sms", "[]"),
		toolCall("1", "send_sms", `{"amount":1e999}`),
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"NAME":"send_sms"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"wesendall://nothing"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"nothing"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":7}}`,
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":\"\xff\"}}",
	} {
		w.write(message)
		want, a := w.read(), s.post(message, session)
		is := a.message(t)
		if want.Error == nil || is.Error == nil || *is.Error != *want.Error ||
			string(is.ID) != strings.TrimPrefix(string(want.ID), "null") {
			t.Errorf("%s: %s, and over stdio %s", message, a.body, want.line)
		}
		if slices.Contains([]int{-32700, -32600}, want.Error.Code) != (a.status == http.StatusBadRequest) {
			t.Errorf("%s: status %d", message, a.status)
		}
	}
}

func TestHTTP_HeaderMismatch(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake())
	balance := statelessRequest("1", "tools/call", readBalance)
	for name, c := range map[string]struct {
		message      string
		headers      headerMap
		status, code int
	}{
		"another method":         {balance, headerMap{"Mcp-Method": "tools/list"}, 400, -32020},
		"no method":              {balance, headerMap{"Mcp-Method": ""}, 400, -32020},
		"another tool":           {balance, headerMap{"Mcp-Name": "send_sms"}, 400, -32020},
		"no tool":                {balance, headerMap{"Mcp-Name": ""}, 400, -32020},
		"an older version":       {balance, headerMap{"Mcp-Protocol-Version": "2025-11-25"}, 400, -32020},
		"no version":             {balance, headerMap{"Mcp-Protocol-Version": ""}, 400, -32020},
		"a stream to resume":     {balance, headerMap{"Last-Event-ID": "1"}, 400, -32020},
		"a version not in _meta": {toolCall("1", "get_balance", "{}"), nil, 400, -32602},
		"a version to come": {strings.Replace(balance, "2026-07-28", "2099-01-01", 1),
			headerMap{"Mcp-Protocol-Version": "2099-01-01"}, 400, -32022},
		"an unknown method": {statelessRequest("1", "nothing", ""), nil, 404, -32601},
		"a handshake":       {statelessRequest("1", "initialize", `"protocolVersion":"2026-07-28"`), nil, 404, -32601},
		"an unknown tool":   {statelessRequest("1", "tools/call", `"name":"x"`), nil, 400, -32602},
		"an answer":         {`{"jsonrpc":"2.0","id":1,"result":{}}`, nil, 400, -32600},
	} {
		a := s.post(c.message, callerHeaders("alice").merge(statelessHeaders(c.message)).merge(c.headers))
		if e := a.message(t).Error; a.status != c.status || e == nil || e.Code != c.code {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if a := s.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`,
		headerMap{"Mcp-Protocol-Version": "2026-07-28"}); a.status != http.StatusAccepted {
		t.Errorf("%+v", a)
	}
	session := s.initialize(callerHeaders("alice"), "{}")
	if a := s.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`,
		session.merge(headerMap{"Mcp-Protocol-Version": "1999-01-01"})); a.status != http.StatusBadRequest {
		t.Errorf("%+v", a)
	}
}

func TestHTTP_InvalidMessages(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake())
	list := statelessRequest("1", "tools/list", "")
	long := `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"` + strings.Repeat("x", maxRequestBytes) + `"}}`
	for name, c := range map[string]struct {
		httpResponse
		want int
	}{
		"another path":          {s.do(http.MethodPost, "/", list, nil), 404},
		"a path below":          {s.do(http.MethodPost, "/mcp/x", list, nil), 404},
		"another method":        {s.do(http.MethodPut, "/mcp", list, nil), 405},
		"another kind":          {s.post(list, headerMap{"Content-Type": "text/plain"}), 415},
		"no kind":               {s.post(list, headerMap{"Content-Type": ""}), 415},
		"an answer that is not": {s.post(list, headerMap{"Accept": "text/html"}), 406},
		"nothing":               {s.post("", nil), 400},
		"too much":              {s.post(long, nil), 413},
	} {
		if c.status != c.want || c.header.Get("Content-Type") != "application/json" || c.message(t).Error == nil {
			t.Errorf("%s: %+v", name, c.httpResponse)
		}
	}
	for _, accept := range []string{"", "*/*", "application/json", "application/json;q=1, text/event-stream;q=0.5"} {
		if a := s.postStateless(list, headerMap{"Accept": accept}); a.status != 200 ||
			a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%q: %+v", accept, a)
		}
	}
	if a := s.postStateless(list, headerMap{"Accept": "text/event-stream"}); a.status != 200 ||
		a.header.Get("Content-Type") != "text/event-stream" || !strings.HasPrefix(a.body, "event: message\ndata: {") {
		t.Errorf("%+v", a)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := s.do(http.MethodGet, path, "", headerMap{"Host": "10.0.0.1"}); a.status != 200 ||
			a.body != "{\"status\":\"ok\"}\n" {
			t.Errorf("%s: %+v", path, a)
		}
	}
}
