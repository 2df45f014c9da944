package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
)

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
				<-f.started // all run at once
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
	w.write(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`,
		`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
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

func TestStdio_WriterClosed(t *testing.T) {
	t.Parallel()
	in, _ := io.Pipe()
	out := brokenPipe{}
	err := newServer(t, newFake()).ServeStdio(t.Context(),
		io.MultiReader(strings.NewReader(initializeRequest+"\n"), in), out)
	if err != nil {
		t.Error(err)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// panickingAPI panics inside of a tool call.
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

// blockedWriter blocks in Write, as a pipe that is not read.
type blockedWriter struct{ started, release chan struct{} }

func (s blockedWriter) Write([]byte) (int, error) {
	close(s.started)
	<-s.release
	return 0, io.ErrClosedPipe
}

func TestStdio_SlowReader(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{"refusals": `{"jsonrpc":"2.0","id":1,"method":`,
		"answers": `{"jsonrpc":"2.0","id":1,"method":"ping"}`} {
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
