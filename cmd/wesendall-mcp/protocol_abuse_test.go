package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// wireTest is the program under a client that breaks the protocol. If the environment names a
// directory, the messages are saved there for other checks.
type wireTest struct {
	*testing.T
	*process
	transcript io.Writer
}

func newWireTest(t *testing.T, env []string, args ...string) *wireTest {
	t.Helper()
	w := &wireTest{t, startProcess(t, env, args...), io.Discard}
	if dir := os.Getenv("WIRE_DIR"); dir != "" {
		file, err := os.Create(filepath.Join(dir, "abuse-"+strings.NewReplacer("/", "-", " ",
			"-").Replace(t.Name())+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = file.Close() })
		w.transcript = file
	}
	return w
}

func (w *wireTest) record(from, line string) {
	raw, _ := json.Marshal(map[string]string{"from": from, "line": strings.TrimSuffix(line, "\n")})
	_, _ = fmt.Fprintf(w.transcript, "%s\n", raw)
}

func (w *wireTest) send(line string) {
	w.Helper()
	if len(line) < 2<<20 {
		w.record("client", line)
	}
	w.writeLines(w.T, line)
}

// wireResponse is a message of the program.
type wireResponse struct {
	ID     json.RawMessage
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
	}
}

func (w *wireTest) receive() wireResponse {
	w.Helper()
	line := w.readLine(w.T)
	w.record("server", line)
	var resp wireResponse
	if err := json.Unmarshal([]byte(line), &resp); err != nil {
		w.Fatalf("%q: %v", line, err)
	}
	return resp
}

// closeInput ends the input and expects a clean exit and an empty stderr.
func (w *wireTest) closeInput() {
	w.Helper()
	_ = w.stdin.Close()
	if rest, err := io.ReadAll(w.stdout); err != nil || len(rest) > 0 {
		w.Errorf("after the end: %q, %v", rest, err)
	}
	w.expectCleanExit()
}

func (w *wireTest) expectCleanExit() {
	w.Helper()
	if err := w.Wait(); err != nil {
		w.Errorf("it did not end well: %v", err)
	}
	for line := range strings.Lines(w.stderr.String()) {
		if !strings.Contains(line, "level=INFO") {
			w.Errorf("on stderr: %s", line)
		}
	}
}

func TestProtocol_Versions(t *testing.T) {
	t.Parallel()
	for requested, want := range map[string]string{
		"2024-11-05": "2024-11-05", "2025-03-26": "2025-03-26", "2025-06-18": "2025-06-18", "2025-11-25": "2025-11-25",
		// The stateless protocol has no handshake, and the others are unknown: the answer is the
		// newest session protocol.
		"2026-07-28": "2025-11-25", "1999-01-01": "2025-11-25", "2099-01-01": "2025-11-25", "latest": "2025-11-25",
	} {
		t.Run(requested, func(t *testing.T) {
			t.Parallel()
			w := newWireTest(t, nil, "--sandbox")
			w.send(strings.Replace(initializeLine, "2025-06-18", requested, 1))
			var got struct{ ProtocolVersion string }
			if resp := w.receive(); resp.Error != nil || json.Unmarshal(resp.Result, &got) != nil ||
				got.ProtocolVersion != want {
				t.Errorf("%+v, %s", resp, resp.Result)
			}
			w.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
			w.send(toolCallLine(1, "get_balance", `{}`))
			if resp := w.receive(); resp.Error != nil || !strings.Contains(string(resp.Result), `"balance":5000`) {
				t.Errorf("%+v, %s", resp, resp.Result)
			}
			w.closeInput()
		})
	}
}

// malformedLine is a line and the answer to it.
type malformedLine struct {
	line, id string
	code     int // of the error; 0 for a result, noReply for no answer
}

const noReply = 1

func request(id, method, params string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":` + params + `}`
}

func malformedLines() []malformedLine {
	const statelessMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
		`"io.modelcontextprotocol/clientCapabilities":{}}`
	return []malformedLine{
		{"", "", noReply}, {"\r", "", noReply}, {" \t ", "", noReply},
		{request("1", "ping", "{}") + "\r", "1", 0},
		{request("1", "nope", "{}"), "1", -32601}, {request(`"two"`, "tools/nope", "{}"), `"two"`, -32601},
		{request("1", "logging/setLevel", `{"level":"debug"}`), "1", -32601},
		{request("1", "resources/subscribe", `{"uri":"wesendall://reference"}`), "1", -32601},
		{request("1", "server/discover", `{`+statelessMeta+`}`), "1", 0},
		{request("1", "tools/list", `{`+strings.Replace(statelessMeta, "2026-07-28", "2026-07-29", 1)+`}`), "1", -32022},
		{request("1", "tools/call", `{"name":"nope","arguments":{}}`), "1", -32602},
		{request("1", "tools/call", `{"name":"get_balance","arguments":"x"}`), "1", -32602},
		{request("1", "tools/call", `{"arguments":{}}`), "1", -32602},
		{request("1", "resources/read", `{}`), "1", -32602},
		{request("1", "resources/read", `{"uri":"wesendall://reference/nope"}`), "1", -32002},
		{request("1", "prompts/get", `{"name":"integrate_wesendall"}`), "1", -32602},
		{request("1", "prompts/get", `{"name":"nope"}`), "1", -32602},
		{request("1", "prompts/get", `{"name":"integrate_wesendall","arguments":{"language":7}}`), "1", -32602},
		{request("1", "completion/complete",
			`{"ref":{"type":"ref/prompt","name":"nope"},"argument":{"name":"a","value":""}}`), "1", -32602},
		{request("1", "initialize", `{}`), "1", -32602},
		{request("1", "initialize", `{"protocolVersion":7,"capabilities":{},"clientInfo":{"name":"a","version":"1"}}`),
			"1", -32602},
		{`{"jsonrpc":"2.0","id":7,"result":{}}`, "", noReply},
		{`{"jsonrpc":"2.0","id":"ask-1","error":{"code":1,"message":"x"}}`, "", noReply},
		{`{"jsonrpc":"2.0","method":"notifications/nope"}`, "", noReply},
		{`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"none"}}`, "", noReply},
		{`{"jsonrpc":"2.0","method":"notifications/cancelled"}`, "", noReply},
		{`{"jsonrpc":"2.0","method":"notifications/cancelled","params":[]}`, "", noReply},
		{`[` + request("1", "ping", "{}") + `]`, "null", -32600}, {`[]`, "null", -32600},
		{`{"jsonrpc":"2.0","id":1,"method":"ping"`, "null", -32700}, {`{]`, "null", -32700}, {"\x00", "null", -32700},
		{"\xff", "null", -32700}, {"ping", "null", -32700},
		{request("1", "tools/call", `{"name":"send_sms","arguments":{"recipient":"+256700000010","message":"`+
			strings.Repeat("a", 1<<20)+`"}}`), "1", 0},
		{`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"` + strings.Repeat("a", 64<<20) + `"}}`, "null", -32600},
	}
}

// malformedParams returns requests with parameters that are not objects, and with ids of every
// type.
func malformedParams() (cases []malformedLine) {
	for _, params := range []string{`"x"`, `[]`, `null`, `7`, `true`} {
		for _, method := range []string{"tools/call", "tools/list", "prompts/get", "resources/read", "completion/complete",
			"initialize"} {
			code := -32602
			if params == "null" && method == "tools/list" { // null means absent
				code = 0
			}
			cases = append(cases, malformedLine{request("1", method, params), "1", code})
		}
	}
	for _, id := range []string{`0`, `-1`, `1.5`, `9007199254740993`, `""`, `"0"`, `"` + strings.Repeat("i", 1000) + `"`} {
		cases = append(cases, malformedLine{request(id, "ping", "{}"), id, 0})
	}
	for _, id := range []string{`null`, `true`, `{}`, `[]`} {
		cases = append(cases, malformedLine{request(id, "ping", "{}"), "null", -32600})
	}
	return cases
}

// Each malformed line gets the protocol's error, and the next line is answered normally.
func TestProtocol_MalformedLines(t *testing.T) {
	t.Parallel()
	w := newWireTest(t, nil, "--sandbox")
	w.send(initializeLine)
	w.receive()
	for i, c := range append(malformedLines(), malformedParams()...) {
		w.send(c.line)
		if c.code != noReply {
			resp := w.receive()
			code := 0
			if resp.Error != nil {
				code = resp.Error.Code
			}
			if code != c.code || string(resp.ID) != c.id {
				t.Errorf("%.120q: %s %+v %.80s", c.line, resp.ID, resp.Error, resp.Result)
			}
			if resp.Error != nil && (strings.Contains(resp.Error.Message, "Go ") ||
				strings.Contains(resp.Error.Message, "json:")) {
				t.Errorf("%.120q: %s", c.line, resp.Error.Message)
			}
		}
		alive := fmt.Sprintf(`"alive %d"`, i)
		w.send(request(alive, "ping", "{}"))
		if resp := w.receive(); string(resp.ID) != alive || resp.Error != nil {
			t.Fatalf("after %.120q: %s %+v", c.line, resp.ID, resp.Error)
		}
	}
	w.closeInput()
}

// The input ends in the middle of a message.
func TestProtocol_TruncatedLine(t *testing.T) {
	t.Parallel()
	w := newWireTest(t, nil, "--sandbox")
	w.send(initializeLine)
	w.receive()
	if _, err := io.WriteString(w.stdin, toolCallLine(1, "get_balance", `{}`)[:40]); err != nil {
		t.Fatal(err)
	}
	_ = w.stdin.Close()
	if resp := w.receive(); resp.Error == nil || resp.Error.Code != -32700 {
		t.Errorf("%+v", resp)
	}
	w.expectCleanExit()
}

func TestProtocol_300Calls(t *testing.T) {
	t.Parallel()
	w := newWireTest(t, nil, "--sandbox", "--rate", "0", "--confirm", "off")
	w.send(initializeLine)
	w.receive()
	var lines []string
	for i := range 300 {
		lines = append(lines, toolCallLine(i+1, "send_sms", fmt.Sprintf(`{"recipient":"+256700000010","message":"Hi %d"}`,
			i)))
		w.record("client", lines[i])
	}
	go func() { _, _ = io.WriteString(w.stdin, strings.Join(lines, "\n")+"\n"); _ = w.stdin.Close() }()
	seen, sent := map[string]bool{}, 0
	for range 300 {
		resp := w.receive()
		if resp.Error != nil {
			t.Fatalf("%+v", resp.Error)
		}
		seen[string(resp.ID)] = true
		if bytes.Contains(resp.Result, []byte(`Accepted for 1 recipient`)) {
			sent++
		} else if !bytes.Contains(resp.Result, []byte(`"code":"insufficient_balance"`)) {
			t.Errorf("%s", resp.Result)
		}
	}
	if len(seen) != 300 || sent != sandbox.DefaultBalance/sandbox.CostPerSMS {
		t.Errorf("%d answers, %d sent", len(seen), sent)
	}
	w.expectCleanExit()
}

// A cancel before its call, or after its answer, has no effect.
func TestProtocol_CancelUnknown(t *testing.T) {
	t.Parallel()
	w := newWireTest(t, nil, "--sandbox")
	w.send(initializeLine)
	w.receive()
	cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`
	w.send(cancel)
	w.send(toolCallLine(1, "send_sms", `{"recipient":"+256700000010","message":"Hi"}`))
	if resp := w.receive(); string(resp.ID) != "1" || !strings.Contains(string(resp.Result), "Accepted") {
		t.Errorf("%+v", resp)
	}
	w.send(cancel)
	w.send(toolCallLine(1, "get_balance", `{}`)) // an id may be used again
	if resp := w.receive(); string(resp.ID) != "1" || !strings.Contains(string(resp.Result), `"balance":4965`) {
		t.Errorf("%+v, %s", resp, resp.Result)
	}
	w.closeInput()
}

// Each way in which a host ends the program makes it exit cleanly, even during a call.
func TestProtocol_Shutdown(t *testing.T) {
	t.Parallel()
	for _, busy := range []bool{false, true} {
		for name, end := range map[string]func(*wireTest){
			"end of input": func(w *wireTest) { _ = w.stdin.Close() },
			"SIGTERM":      func(w *wireTest) { _ = w.Process.Signal(syscall.SIGTERM) },
			"SIGINT":       func(w *wireTest) { _ = w.Process.Signal(syscall.SIGINT) },
			"SIGTERM twice, and the end of input": func(w *wireTest) {
				_ = w.Process.Signal(syscall.SIGTERM)
				_ = w.Process.Signal(syscall.SIGTERM)
				_ = w.stdin.Close()
			},
		} {
			t.Run(fmt.Sprintf("%s, busy %v", name, busy), func(t *testing.T) {
				t.Parallel()
				env, arrived, release := slowUpstream(t)
				w := newWireTest(t, env)
				w.send(initializeLine)
				w.receive()
				if busy {
					w.send(toolCallLine(1, "send_sms", `{"recipient":"+256700000010","message":"Hi"}`))
					<-arrived
				}
				end(w)
				if busy {
					release <- struct{}{}
					if resp := w.receive(); !strings.Contains(string(resp.Result), `"batch_id":"b"`) {
						t.Errorf("%+v", resp)
					}
				}
				if rest, err := io.ReadAll(w.stdout); err != nil || len(rest) > 0 {
					t.Errorf("%q, %v", rest, err)
				}
				w.expectCleanExit()
			})
		}
	}
}
