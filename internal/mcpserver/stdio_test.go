package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
)

func TestStdio_ProtocolErrors(t *testing.T) {
	t.Parallel()
	w := newStdioClient(t, newFake())
	expect := func(line, id string, code int, says string) {
		t.Helper()
		w.write(line)
		a := w.read()
		if a.Error == nil || string(a.ID) != id || a.Error.Code != code || !strings.Contains(a.Error.Message, says) {
			t.Errorf("%.80s: %s", line, a.line)
		}
	}
	expect(toolCall("1", "get_balance", `{}`), "1", -32600, "the first request must be initialize")
	expect(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, "1", -32600, "the first request must be initialize")
	expect(`{"jsonrpc":"2.0","id":1,"method":"server/discover"}`, "1", -32602, "server/discover needs io.modelcontextprotocol/protocolVersion")
	expect(`{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":7}}}`, "1", -32602, "needs")
	w.initialize()
	expect(`{"jsonrpc":"2.0","id":1,"method":`, "null", -32700, "not valid JSON")
	expect("\xff\xfe", "null", -32700, "not valid JSON")
	expect(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"`+"\xff"+`"}}`, "null", -32700, "not valid JSON")
	// The library reads names in any case: what it would read must be what was checked.
	expect(`{"jsonrpc":"2.0","method":"tools/call","ID":7,"params":{"name":"send_sms","arguments":`+sendArguments+`}}`, "null", -32600, `"ID" must be written "id"`)
	expect(`{"jsonrpc":"2.0","id":7,"method":"ping","Method":"tools/call","params":{"name":"send_sms","arguments":`+sendArguments+`}}`, "null", -32600, `"Method"`)
	expect(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"get_balance","Name":"send_sms","arguments":`+sendArguments+`}}`, "7", -32602, "params.Name is no parameter")
	expect(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"send_sms","arguments":`+sendArguments+`,"ARGUMENTS":{}}}`, "7", -32602, "case-sensitive")
	expect(`{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"cursor":5}}`, "7", -32602, "params have a member of a kind that tools/list does not take")
	expect(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"get_balance","_meta":5}}`, "7", -32602, "params have a member of a kind")
	expect(`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, "null", -32600, "batches")
	expect(`"ping"`, "null", -32600, "object")
	expect(`null`, "null", -32600, "object")
	expect(`{"jsonrpc":"1.0","id":2,"method":"ping"}`, "2", -32600, "jsonrpc")
	expect(`{"id":2,"method":"ping"}`, "2", -32600, "jsonrpc")
	expect(`{"jsonrpc":"2.0","id":2}`, "2", -32600, "method")
	expect(`{"jsonrpc":"2.0","id":2,"method":7}`, "2", -32600, "method")
	for _, id := range []string{"null", "true", "{}", "[1]"} {
		expect(`{"jsonrpc":"2.0","id":`+id+`,"method":"ping"}`, "null", -32600, "id must be")
	}
	expect(`{"jsonrpc":"2.0","id":3,"method":"nope/nope"}`, "3", -32601, "")
	for _, params := range []string{`"x"`, `[]`, `null`, `7`} {
		expect(`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":`+params+`}`, "4", -32602, "params must be an object")
	}
	expect(`{"jsonrpc":"2.0","id":4,"method":"tools/call"}`, "4", -32602, "params.name")
	expect(`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":7}}`, "4", -32602, "params.name")
	for _, arguments := range []string{`"x"`, `[]`, `null`, `7`} {
		expect(toolCall("5", "get_balance", arguments), "5", -32602, "params.arguments must be an object")
	}
	expect(toolCall("5", "topup_wallet", `{"amount":1e999999999}`), "5", -32602, "too large")
	expect(toolCall("6", "send_sm", `{}`), "6", -32602, `unknown tool "send_sm"; did you mean "send_sms"?`)
	expect(toolCall("6", "format_disk", `{}`), "6", -32602, "the tools are get_balance")
	expect(statelessRequest("7", "tools/nope", ""), "7", -32601, "")

	// And it lives on; blank lines, CRLF and responses are no trouble.
	w.write("", "\r", `{"jsonrpc":"2.0","id":99,"result":{}}`, `{"jsonrpc":"2.0","method":"notifications/strange"}`, `{"jsonrpc":"2.0","id":8,"method":"ping"}`+"\r")
	if a := w.read(); a.Error != nil || string(a.ID) != "8" {
		t.Error(a.line)
	}
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
		if a := w.read(); !strings.Contains(a.line, `"protocolVersion":"`+version+`"`) || !strings.Contains(a.line, "never repeat it") {
			t.Errorf("%s: %s", version, a.line)
		}
	}
	w := newStdioClient(t, newFake())
	w.write(statelessRequest("1", "server/discover", ""), statelessRequest("2", "tools/list", ""))
	both := w.read().line + w.read().line
	if !strings.Contains(both, `"2026-07-28"`) || !strings.Contains(both, `"ttlMs":3600000`) || !strings.Contains(both, `"cacheScope":"private"`) {
		t.Error(both)
	}
}

func TestToolList_Size(t *testing.T) {
	t.Parallel()
	if n := len(serverInstructions); n >= 1200 {
		t.Errorf("instructions: %d bytes", n)
	}
	w := newStdioClient(t, newFake())
	w.write(statelessRequest("1", "tools/list", ""))
	a := w.read()
	if n := len(a.line); n > 9000 {
		t.Errorf("tools/list: %d bytes", n)
	}
	at := 0
	for _, name := range []string{"get_balance", "topup_wallet", "send_sms", "send_group_sms", "list_sms_history", "list_groups", "create_group", "add_contacts"} {
		next := strings.Index(a.line, `"name":"`+name+`"`)
		if next < at {
			t.Errorf("%s is not in its place", name)
		}
		at = next
	}
}

func TestStdio_AnswersAfterEOF(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*stdioClient){
		"end of input": func(w *stdioClient) { _ = w.in.Close() },
		"a signal":     func(w *stdioClient) { w.cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			w := newStdioClient(t, f)
			w.initialize()
			for i := range 40 {
				w.write(toolCall(fmt.Sprint(i), "send_sms", numberedSend(i)))
			}
			for range 40 {
				<-f.started // all at once: none has ended
			}
			end(w)
			close(f.release)
			for range 40 {
				if a := w.read(); a.Error != nil || !strings.Contains(a.line, `"sent":true`) {
					t.Error(a.line)
				}
			}
			if err := <-w.serveErr; err != nil || f.count() != 40 {
				t.Errorf("%v, %d sent", err, f.count())
			}
		})
	}
}

func TestStdio_PipedInput(t *testing.T) {
	t.Parallel()
	f := newFake()
	close(f.release)
	lines := []string{initializeRequest}
	for i := range 300 {
		lines = append(lines, toolCall(fmt.Sprint(i), "list_sms_history", `{}`))
	}
	var out bytes.Buffer
	// The last line has no newline.
	if err := newServer(t, f).ServeStdio(t.Context(), strings.NewReader(strings.Join(lines, "\n")), &out); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		a := parseWireMessage(t, line)
		if a.Error != nil {
			t.Error(a.line)
		}
		ids[string(a.ID)] = true
	}
	if len(ids) != 301 {
		t.Errorf("%d answers", len(ids))
	}
}

// unreachableAPI never gets a connection: a send ends only when it is cancelled.
type unreachableAPI struct{ guard.API }

func (unreachableAPI) Balance(context.Context, client.BalanceRequest) (*client.Response, error) {
	return &client.Response{Data: json.RawMessage(`{"balance":1000000,"cost_per_sms":1}`)}, nil
}

func (unreachableAPI) Send(ctx context.Context, _ client.SendRequest) (*client.Response, error) {
	<-ctx.Done()
	return nil, &client.Error{Endpoint: "send_sms", Message: "cancelled", Money: client.MoneyNotCharged}
}

// Each cancel is read directly after its call. No two sends are alike, so that
// the guard lets all of them through to the API and only a cancel can end them.
func TestStdio_CancelSameBatch(t *testing.T) {
	t.Parallel()
	w := newStdioClient(t, unreachableAPI{})
	w.initialize()
	for i := range 50 {
		id := fmt.Sprint(i)
		cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + id + `}}`
		w.write(toolCall(id, "send_sms", numberedSend(i)), cancel)
	}
	w.write(`{"jsonrpc":"2.0","id":"last","method":"ping"}`)
	if a := w.read(); string(a.ID) != `"last"` {
		t.Errorf("a cancelled call is answered: %s", a.line)
	}
	// A lost cancel would keep the server waiting for its call, for stdioShutdownTimeout.
	start := time.Now()
	_ = w.in.Close()
	if rest, err := io.ReadAll(w.out); err != nil || len(rest) > 0 {
		t.Errorf("%s, %v", rest, err)
	}
	if err := <-w.serveErr; err != nil || time.Since(start) > stdioShutdownTimeout/2 {
		t.Errorf("%v, after %v", err, time.Since(start))
	}
}

func TestStdio_CancelledNoResponse(t *testing.T) {
	t.Parallel()
	f := newFake()
	w := newStdioClient(t, f)
	w.initialize()
	w.write(toolCall("1", "list_sms_history", `{}`))
	<-f.started
	w.write(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, `{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	if a := w.read(); string(a.ID) != "2" {
		t.Error(a.line)
	}
	_ = w.in.Close()
	if rest, err := io.ReadAll(w.out); err != nil || len(rest) > 0 {
		t.Errorf("%s, %v", rest, err)
	}
}

func TestStdio_DuplicateID(t *testing.T) {
	t.Parallel()
	f := newFake()
	w := newStdioClient(t, f)
	w.initialize()
	w.write(toolCall("1", "send_sms", sendArguments))
	<-f.started
	w.write(toolCall("1", "send_sms", sendArguments))
	if a := w.read(); a.Error == nil || a.Error.Code != -32600 {
		t.Error(a.line)
	}
	close(f.release)
	if a := w.read(); a.Error != nil || f.count() != 1 {
		t.Errorf("%s, %d sent", a.line, f.count())
	}
}

func TestStdio_PingUnderLoad(t *testing.T) {
	t.Parallel()
	f := newFake()
	w := newStdioClient(t, f)
	w.initialize()
	for i := range 300 {
		w.write(toolCall(fmt.Sprint(i), "list_sms_history", `{}`))
	}
	w.write(`{"jsonrpc":"2.0","id":"p","method":"ping"}`)
	if a := w.read(); string(a.ID) != `"p"` {
		t.Error(a.line)
	}
	close(f.release)
	for range 300 {
		if a := w.read(); a.Error != nil {
			t.Error(a.line)
		}
	}
}

func TestStdio_Subscription(t *testing.T) {
	t.Parallel()
	w := newStdioClient(t, newFake())
	w.write(statelessRequest("1", "subscriptions/listen", `"notifications":{"toolsListChanged":true}`))
	if a := w.read(); a.Method == "" {
		t.Fatalf("not a notification first: %s", a.line)
	}
	_ = w.in.Close()
	if a := w.read(); string(a.ID) != "1" || a.Error != nil {
		t.Error(a.line)
	}
	if err := <-w.serveErr; err != nil {
		t.Error(err)
	}
}

func TestStdio_LineLimit(t *testing.T) {
	t.Parallel()
	w := newStdioClient(t, newFake())
	w.initialize()
	go func() {
		_, _ = io.Copy(w.in, io.LimitReader(endlessReader{}, 64<<20))
		_, _ = io.WriteString(w.in, "\n"+`{"jsonrpc":"2.0","id":1,"method":"ping"}`+"\n")
	}()
	if a := w.read(); a.Error == nil || a.Error.Code != -32600 || !strings.Contains(a.Error.Message, "8 MiB") {
		t.Error(a.line)
	}
	if a := w.read(); string(a.ID) != "1" {
		t.Error(a.line)
	}
}

// endlessReader is a line without an end.
type endlessReader struct{}

func (endlessReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// It runs alone, since it measures what the whole process allocates.
func TestStdio_LineLimitMemory(t *testing.T) { //nolint:paralleltest // see above
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	l, err := newLineReader(io.LimitReader(endlessReader{}, 64<<20)).readLine()
	runtime.ReadMemStats(&after)
	if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; err != nil || !l.tooLong || allocated > 9 {
		t.Errorf("%v, %d MiB allocated for a line of 64", err, allocated)
	}
}

func TestStdio_WriterClosed(t *testing.T) {
	t.Parallel()
	in, _ := io.Pipe()
	out := brokenPipe{}
	err := newServer(t, newFake()).ServeStdio(t.Context(), io.MultiReader(strings.NewReader(initializeRequest+"\n"), in), out)
	if err != nil {
		t.Error(err)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// panickingAPI panics where the library calls us.
type panickingAPI struct{ guard.API }

func (panickingAPI) Balance(context.Context, client.BalanceRequest) (*client.Response, error) {
	panic("boom")
}

func TestStdio_Panic(t *testing.T) {
	t.Parallel()
	w := newStdioClient(t, panickingAPI{})
	w.initialize()
	w.write(toolCall("1", "get_balance", `{}`))
	if a := w.read(); a.Error != nil || !strings.Contains(a.line, `"isError":true`) {
		t.Error(a.line)
	}
	w.write(`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	if a := w.read(); string(a.ID) != "2" {
		t.Error(a.line)
	}
}

func TestLineReader(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("a", MaxLineBytes)
	for text, want := range map[string]string{
		"":                          "",
		"a":                         "a|",
		"a\nb":                      "a|b|",
		"a\n\nb\n":                  "a||b|",
		longest:                     "8388608|",
		longest + "\nb":             "8388608|b|",
		longest + "a":               "too long|",
		longest + "a\nb\n":          "too long|b|",
		longest + longest + "\n\nc": "too long||c|",
	} {
		reader, got := newLineReader(strings.NewReader(text)), ""
		for {
			l, err := reader.readLine()
			if errors.Is(err, io.EOF) {
				break
			}
			switch {
			case l.tooLong:
				got += "too long|"
			case len(l.data) > 10:
				got += fmt.Sprint(len(l.data)) + "|"
			default:
				got += string(l.data) + "|"
			}
		}
		if got != want {
			t.Errorf("%.20q of %d bytes: %s", text, len(text), got)
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, line := range []string{initializeRequest, toolCall("1", "send_sms", sendArguments), statelessRequest("1", "tools/list", ""), `[]`, `{"jsonrpc":"2.0","id":1e400,"method":"ping"}`, "\x00", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}`} {
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
		if err := srv.ServeStdio(t.Context(), bytes.NewReader(append([]byte(initializeRequest+"\n"), text...)), &out); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			parseWireMessage(t, line)
		}
	})
}

// blockedWriter is a pipe that nobody reads.
type blockedWriter struct{ started, release chan struct{} }

func (s blockedWriter) Write([]byte) (int, error) {
	close(s.started)
	<-s.release
	return 0, io.ErrClosedPipe
}

func TestStdio_SlowReader(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{"refusals": `{"jsonrpc":"2.0","id":1,"method":`, "answers": `{"jsonrpc":"2.0","id":1,"method":"ping"}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			in, w := io.Pipe()
			out := blockedWriter{make(chan struct{}), make(chan struct{})}
			defer close(out.release)
			s := newServer(t, newFake())
			s.shutdownTimeout = time.Millisecond
			ended := make(chan error, 1)
			go func() { ended <- s.ServeStdio(ctx, in, out) }()
			go func() { _, _ = io.WriteString(w, initializeRequest+"\n"+line+"\n"+line+"\n") }()
			<-out.started
			cancel()
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("it did not end")
			}
		})
	}
}
