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

	"github.com/wesendall/wesendall-mcp/sandbox"
)

// wireTest is the program under a client that says what no client should. Where
// the environment names a directory for that, the wire is kept there for others
// to check.
type wireTest struct {
	*testing.T
	*running
	kept io.Writer
}

func torture(t *testing.T, env []string, args ...string) *wireTest {
	t.Helper()
	w := &wireTest{t, start(t, env, args...), io.Discard}
	if dir := os.Getenv("WIRE_DIR"); dir != "" {
		file, err := os.Create(filepath.Join(dir, "torture-"+strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = file.Close() })
		w.kept = file
	}
	return w
}

func (w *wireTest) keep(from, line string) {
	text, _ := json.Marshal(map[string]string{"from": from, "line": strings.TrimSuffix(line, "\n")})
	_, _ = fmt.Fprintf(w.kept, "%s\n", text)
}

func (w *wireTest) say(line string) {
	w.Helper()
	if len(line) < 2<<20 {
		w.keep("client", line)
	}
	w.write(w.T, line)
}

// wireAnswer is what the program says.
type wireAnswer struct {
	ID     json.RawMessage
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
	}
}

func (w *wireTest) hear() wireAnswer {
	w.Helper()
	line := w.read(w.T)
	w.keep("server", line)
	var a wireAnswer
	if err := json.Unmarshal([]byte(line), &a); err != nil {
		w.Fatalf("%q: %v", line, err)
	}
	return a
}

// end ends the input, and wants an orderly end and a quiet stderr.
func (w *wireTest) end() {
	w.Helper()
	_ = w.in.Close()
	if rest, err := io.ReadAll(w.out); err != nil || len(rest) > 0 {
		w.Errorf("after the end: %q, %v", rest, err)
	}
	w.quiet()
}

func (w *wireTest) quiet() {
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

func TestEveryVersionThatIsOffered(t *testing.T) {
	t.Parallel()
	for offered, want := range map[string]string{
		"2024-11-05": "2024-11-05", "2025-03-26": "2025-03-26", "2025-06-18": "2025-06-18", "2025-11-25": "2025-11-25",
		// The newest has no handshake, and nobody knows the others: the answer is the newest that has one.
		"2026-07-28": "2025-11-25", "1999-01-01": "2025-11-25", "2099-01-01": "2025-11-25", "latest": "2025-11-25",
	} {
		t.Run(offered, func(t *testing.T) {
			t.Parallel()
			w := torture(t, nil, "--sandbox")
			w.say(strings.Replace(helloLine, "2025-06-18", offered, 1))
			var got struct{ ProtocolVersion string }
			if a := w.hear(); a.Error != nil || json.Unmarshal(a.Result, &got) != nil || got.ProtocolVersion != want {
				t.Errorf("%+v, %s", a, a.Result)
			}
			w.say(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
			w.say(callLine(1, "get_balance", `{}`))
			if a := w.hear(); a.Error != nil || !strings.Contains(string(a.Result), `"balance":5000`) {
				t.Errorf("%+v, %s", a, a.Result)
			}
			w.end()
		})
	}
}

// Whatever one line says, it gets the protocol's own answer, and the next line
// gets its own.
func TestStrangeLines(t *testing.T) {
	t.Parallel()
	const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	request := func(id, method, params string) string {
		return `{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":` + params + `}`
	}
	type reply struct {
		line, id string
		code     int // 0 is a result, and silent is no answer
	}
	const silent = 1
	cases := []reply{
		{"", "", silent}, {"\r", "", silent}, {" \t ", "", silent},
		{request("1", "ping", "{}") + "\r", "1", 0},
		{request("1", "nope", "{}"), "1", -32601}, {request(`"two"`, "tools/nope", "{}"), `"two"`, -32601},
		{request("1", "logging/setLevel", `{"level":"debug"}`), "1", -32601}, {request("1", "resources/subscribe", `{"uri":"wesendall://reference"}`), "1", -32601},
		{request("1", "server/discover", `{`+modernMeta+`}`), "1", 0},
		{request("1", "tools/list", `{`+strings.Replace(modernMeta, "2026-07-28", "2026-07-29", 1)+`}`), "1", -32022},
		{request("1", "tools/call", `{"name":"nope","arguments":{}}`), "1", -32602},
		{request("1", "tools/call", `{"name":"get_balance","arguments":"x"}`), "1", -32602},
		{request("1", "tools/call", `{"arguments":{}}`), "1", -32602},
		{request("1", "resources/read", `{}`), "1", -32602}, {request("1", "resources/read", `{"uri":"wesendall://reference/nope"}`), "1", -32002},
		{request("1", "prompts/get", `{"name":"integrate_wesendall"}`), "1", -32602}, {request("1", "prompts/get", `{"name":"nope"}`), "1", -32602},
		{request("1", "prompts/get", `{"name":"integrate_wesendall","arguments":{"language":7}}`), "1", -32602},
		{request("1", "completion/complete", `{"ref":{"type":"ref/prompt","name":"nope"},"argument":{"name":"a","value":""}}`), "1", -32602},
		{request("1", "initialize", `{}`), "1", -32602}, {request("1", "initialize", `{"protocolVersion":7,"capabilities":{},"clientInfo":{"name":"a","version":"1"}}`), "1", -32602},
		{`{"jsonrpc":"2.0","id":7,"result":{}}`, "", silent}, {`{"jsonrpc":"2.0","id":"ask-1","error":{"code":1,"message":"x"}}`, "", silent},
		{`{"jsonrpc":"2.0","method":"notifications/nope"}`, "", silent}, {`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"none"}}`, "", silent},
		{`{"jsonrpc":"2.0","method":"notifications/cancelled"}`, "", silent}, {`{"jsonrpc":"2.0","method":"notifications/cancelled","params":[]}`, "", silent},
		{`[` + request("1", "ping", "{}") + `]`, "null", -32600}, {`[]`, "null", -32600},
		{`{"jsonrpc":"2.0","id":1,"method":"ping"`, "null", -32700}, {`{]`, "null", -32700}, {"\x00", "null", -32700}, {"\xff", "null", -32700}, {"ping", "null", -32700},
		{request("1", "tools/call", `{"name":"send_sms","arguments":{"recipient":"+256700000010","message":"`+strings.Repeat("a", 1<<20)+`"}}`), "1", 0},
		{`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"` + strings.Repeat("a", 64<<20) + `"}}`, "null", -32600},
	}
	for _, params := range []string{`"x"`, `[]`, `null`, `7`, `true`} {
		for _, method := range []string{"tools/call", "tools/list", "prompts/get", "resources/read", "completion/complete", "initialize"} {
			cases = append(cases, reply{request("1", method, params), "1", -32602})
		}
	}
	for _, id := range []string{`0`, `-1`, `1.5`, `9007199254740993`, `""`, `"0"`, `"` + strings.Repeat("i", 1000) + `"`} {
		cases = append(cases, reply{request(id, "ping", "{}"), id, 0})
	}
	for _, id := range []string{`null`, `true`, `{}`, `[]`} {
		cases = append(cases, reply{request(id, "ping", "{}"), "null", -32600})
	}
	w := torture(t, nil, "--sandbox")
	w.say(helloLine)
	w.hear()
	for i, c := range cases {
		w.say(c.line)
		if c.code != silent {
			a := w.hear()
			if code := 0; a.Error != nil && a.Error.Code != c.code || a.Error == nil && c.code != code || string(a.ID) != c.id {
				t.Errorf("%.120q: %s %+v %.80s", c.line, a.ID, a.Error, a.Result)
			}
			if a.Error != nil && (strings.Contains(a.Error.Message, "Go ") || strings.Contains(a.Error.Message, "json:")) {
				t.Errorf("%.120q: %s", c.line, a.Error.Message)
			}
		}
		alive := fmt.Sprintf(`"alive %d"`, i)
		w.say(request(alive, "ping", "{}"))
		if a := w.hear(); string(a.ID) != alive || a.Error != nil {
			t.Fatalf("after %.120q: %s %+v", c.line, a.ID, a.Error)
		}
	}
	w.end()
}

// The input ends in the middle of a message.
func TestATruncatedLastLine(t *testing.T) {
	t.Parallel()
	w := torture(t, nil, "--sandbox")
	w.say(helloLine)
	w.hear()
	if _, err := io.WriteString(w.in, callLine(1, "get_balance", `{}`)[:40]); err != nil {
		t.Fatal(err)
	}
	_ = w.in.Close()
	if a := w.hear(); a.Error == nil || a.Error.Code != -32700 {
		t.Errorf("%+v", a)
	}
	w.quiet()
}

func TestThreeHundredCallsAtOnce(t *testing.T) {
	t.Parallel()
	w := torture(t, nil, "--sandbox", "--rate", "0", "--confirm", "off")
	w.say(helloLine)
	w.hear()
	var lines []string
	for i := range 300 {
		lines = append(lines, callLine(i+1, "send_sms", fmt.Sprintf(`{"recipient":"+256700000010","message":"Hi %d"}`, i)))
		w.keep("client", lines[i])
	}
	go func() { _, _ = io.WriteString(w.in, strings.Join(lines, "\n")+"\n"); _ = w.in.Close() }()
	seen, sent := map[string]bool{}, 0
	for range 300 {
		a := w.hear()
		if a.Error != nil {
			t.Fatalf("%+v", a.Error)
		}
		seen[string(a.ID)] = true
		if bytes.Contains(a.Result, []byte(`Accepted for 1 recipient`)) {
			sent++
		} else if !bytes.Contains(a.Result, []byte(`"code":"insufficient_balance"`)) {
			t.Errorf("%s", a.Result)
		}
	}
	if len(seen) != 300 || sent != sandbox.DefaultBalance/sandbox.CostPerSMS {
		t.Errorf("%d answers, %d sent", len(seen), sent)
	}
	w.quiet()
}

// A cancel that comes before its call, or after its answer, is about nothing.
func TestACancelOfNothing(t *testing.T) {
	t.Parallel()
	w := torture(t, nil, "--sandbox")
	w.say(helloLine)
	w.hear()
	cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`
	w.say(cancel)
	w.say(callLine(1, "send_sms", `{"recipient":"+256700000010","message":"Hi"}`))
	if a := w.hear(); string(a.ID) != "1" || !strings.Contains(string(a.Result), "Accepted") {
		t.Errorf("%+v", a)
	}
	w.say(cancel)
	w.say(callLine(1, "get_balance", `{}`)) // an id may be used again
	if a := w.hear(); string(a.ID) != "1" || !strings.Contains(string(a.Result), `"balance":4965`) {
		t.Errorf("%+v, %s", a, a.Result)
	}
	w.end()
}

// The last words of a host: each ends the program in order, whatever it is doing.
func TestEveryEnd(t *testing.T) {
	t.Parallel()
	for _, busy := range []bool{false, true} {
		for name, end := range map[string]func(*wireTest){
			"end of input": func(w *wireTest) { _ = w.in.Close() },
			"SIGTERM":      func(w *wireTest) { _ = w.Process.Signal(syscall.SIGTERM) },
			"SIGINT":       func(w *wireTest) { _ = w.Process.Signal(syscall.SIGINT) },
			"SIGTERM twice, and the end of input": func(w *wireTest) {
				_ = w.Process.Signal(syscall.SIGTERM)
				_ = w.Process.Signal(syscall.SIGTERM)
				_ = w.in.Close()
			},
		} {
			t.Run(fmt.Sprintf("%s, busy %v", name, busy), func(t *testing.T) {
				t.Parallel()
				env, arrived, release := slow(t)
				w := torture(t, env)
				w.say(helloLine)
				w.hear()
				if busy {
					w.say(callLine(1, "send_sms", `{"recipient":"+256700000010","message":"Hi"}`))
					<-arrived
				}
				end(w)
				if busy {
					release <- struct{}{}
					if a := w.hear(); !strings.Contains(string(a.Result), `"batch_id":"b"`) {
						t.Errorf("%+v", a)
					}
				}
				if rest, err := io.ReadAll(w.out); err != nil || len(rest) > 0 {
					t.Errorf("%q, %v", rest, err)
				}
				w.quiet()
			})
		}
	}
}
