package mcpserver

import (
	"encoding/json"
	"strings"
	"testing"
)

// A long call sends progress if the host asked for it, in both protocols, and no more
// after its answer.
func TestProgress_WithToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ hello, line string }{
		"handshake": {initializeRequest,
			`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` +
				`"_meta":{"progressToken":"p1"},"name":"send_sms","arguments":` + sendArguments + `}}`},
		"2026-07-28": {"", strings.Replace(statelessRequest("1", "tools/call",
			`"name":"send_sms","arguments":`+sendArguments), `"_meta":{`, `"_meta":{"progressToken":"p1",`, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			w := newStdioClient(t, f)
			if c.hello != "" {
				w.initialize()
			}
			w.write(c.line)
			<-f.started
			last := 0.0
			for range 3 {
				a := w.read()
				var n struct {
					Params struct {
						ProgressToken string
						Progress      float64
						Message       string
					}
				}
				if err := json.Unmarshal([]byte(a.line), &n); err != nil || a.Method != "notifications/progress" ||
					n.Params.ProgressToken != "p1" ||
					n.Params.Progress <= last || !strings.HasPrefix(n.Params.Message, "Waiting for Wesendall's answer. ") {
					t.Fatal(a.line)
				}
				last = n.Params.Progress
			}
			close(f.release)
			a := w.read()
			for a.Method != "" { // sent before the answer
				a = w.read()
			}
			if !strings.Contains(a.line, `"sent":true`) {
				t.Error(a.line)
			}
			w.write(statelessRequest("2", "tools/list", ""))
			if a := w.read(); string(a.ID) != "2" {
				t.Errorf("something is told after the answer: %s", a.line)
			}
		})
	}
}

func TestProgress_WithoutToken(t *testing.T) {
	t.Parallel()
	f := newFake()
	w := newStdioClient(t, f)
	w.initialize()
	w.write(toolCall("1", "send_sms", sendArguments))
	<-f.started
	w.write(`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	if a := w.read(); string(a.ID) != "2" {
		t.Error(a.line)
	}
	close(f.release)
	if a := w.read(); string(a.ID) != "1" {
		t.Error(a.line)
	}
}
