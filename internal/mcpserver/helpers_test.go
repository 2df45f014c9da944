package mcpserver

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/tools"
)

// fake is an API that counts sends and can hold calls back.
type fake struct {
	guard.API
	started chan struct{} // one for each send or balance that began
	release chan struct{} // closed to let them end

	mu   sync.Mutex
	sent int
}

func newFake() *fake { return &fake{started: make(chan struct{}, 1024), release: make(chan struct{})} }

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent
}

// Send can be cancelled only before it begins, as a real one before it leaves.
func (f *fake) Send(ctx context.Context, _ client.SendRequest) (*client.Response, error) {
	if ctx.Err() != nil {
		return nil, &client.Error{Endpoint: "send_sms", Message: "cancelled"}
	}
	f.mu.Lock()
	f.sent++
	f.mu.Unlock()
	f.started <- struct{}{}
	<-f.release
	return &client.Response{Data: json.RawMessage(`{"sent":true}`), Attempts: 1}, nil
}

// Balance answers the guard, which reads it before a send.
func (f *fake) Balance(context.Context, client.BalanceRequest) (*client.Response, error) {
	return &client.Response{Data: json.RawMessage(`{"balance":1000000,"cost_per_sms":1}`), Attempts: 1}, nil
}

// History waits until it is released or cancelled.
func (f *fake) History(ctx context.Context, _ client.HistoryRequest) (*client.Response, error) {
	f.started <- struct{}{}
	select {
	case <-f.release:
		return &client.Response{Data: json.RawMessage(`{"messages":[]}`), Attempts: 1}, nil
	case <-ctx.Done():
		return nil, &client.Error{Endpoint: "get_balance", Message: "cancelled"}
	}
}

// newServer returns a server whose tools call api.
func newServer(t testing.TB, api guard.API) *Server {
	t.Helper()
	o := guard.DefaultOptions()
	o.Rate = 0
	toolset, err := tools.New(tools.Options{API: api, Wallet: "wal_1", GuardOptions: &o,
		ProgressInterval: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Version: "test", Tools: toolset, Logger: slog.New(slog.DiscardHandler)})
}

// stdioClient is a client of a server over stdio.
type stdioClient struct {
	t        *testing.T
	in       *io.PipeWriter
	out      *bufio.Reader
	serveErr chan error
	cancel   context.CancelFunc
}

func newStdioClient(t *testing.T, api guard.API) *stdioClient {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	w := &stdioClient{t, inW, bufio.NewReader(outR), make(chan error, 1), cancel}
	go func() {
		w.serveErr <- newServer(t, api).ServeStdio(ctx, inR, outW)
		_ = outW.Close()
	}()
	t.Cleanup(func() { cancel(); _ = inW.Close(); _ = outR.Close() })
	return w
}

func (w *stdioClient) write(lines ...string) {
	w.t.Helper()
	if _, err := io.WriteString(w.in, strings.Join(lines, "\n")+"\n"); err != nil {
		w.t.Fatal(err)
	}
}

// wireMessage is one line from the server.
type wireMessage struct {
	ID     json.RawMessage
	Method string
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
	}
	line string
}

func (w *stdioClient) read() wireMessage {
	w.t.Helper()
	line, err := w.out.ReadString('\n')
	if err != nil {
		w.t.Fatal(err)
	}
	return parseWireMessage(w.t, line)
}

func parseWireMessage(t testing.TB, line string) wireMessage {
	t.Helper()
	var a wireMessage
	if err := json.Unmarshal([]byte(line), &a); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	a.line = strings.TrimSpace(line)
	return a
}

const initializeRequest = `{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{` +
	`"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`

// initialize makes the handshake.
func (w *stdioClient) initialize() {
	w.t.Helper()
	w.write(initializeRequest)
	if a := w.read(); a.Error != nil {
		w.t.Fatal(a.line)
	}
	w.write(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

// toolCall is a line that calls a tool.
func toolCall(id, tool, arguments string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"` + tool + `","arguments":` +
		arguments + `}}`
}

const sendArguments = `{"recipient":"0700000010","message":"Hi"}`

// numberedSend returns arguments of a send whose message contains i. It costs UGX 1.
func numberedSend(i int) string {
	return fmt.Sprintf(`{"recipient":"0700000010","message":"Hi %d"}`, i)
}

// statelessRequest is a request of the stateless protocol (2026-07-28).
func statelessRequest(id, method, params string) string {
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
		`"io.modelcontextprotocol/clientCapabilities":{},` +
		`"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}`
	if params != "" {
		meta += "," + params
	}
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":{` + meta + `}}`
}
