package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/wesendall/wesendall-mcp/sandbox"
)

// eras are the two ways in which clients speak.
var eras = []string{"2025-06-18", "2026-07-28"}

// connect starts the binary under a client that is not of the same family.
func connect(t testing.TB, era string, cmd *exec.Cmd) *mcp.ClientSession {
	t.Helper()
	return connectAs(t, era, cmd, nil)
}

func connectAs(t testing.TB, era string, cmd *exec.Cmd, options *mcp.ClientOptions) *mcp.ClientSession {
	t.Helper()
	host := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, options)
	s, err := host.Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, &mcp.ClientSessionOptions{ProtocolVersion: era})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("the program did not end well: %v", err)
		}
	})
	if got := s.InitializeResult().ProtocolVersion; got != era {
		t.Fatalf("the client speaks %s, not %s", got, era)
	}
	return s
}

// structured is a result's structured content.
func structured(t testing.TB, r *mcp.CallToolResult) map[string]any {
	t.Helper()
	content, ok := r.StructuredContent.(map[string]any)
	text, isText := r.Content[0].(*mcp.TextContent)
	if !ok || !isText {
		t.Fatalf("%+v", r)
	}
	var same map[string]any
	if err := json.Unmarshal([]byte(text.Text), &same); err != nil || fmt.Sprint(same) != fmt.Sprint(content) {
		t.Errorf("the text says %v, the structure %v", same, content)
	}
	return content
}

// balance asks the sandbox itself.
func balance(t testing.TB, url string) int64 {
	t.Helper()
	var answer struct{ Data struct{ Balance int64 } }
	if err := json.Unmarshal(plainBalance(t, http.DefaultClient, url), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Data.Balance
}

// plainBalance is the balance call without any of our code.
func plainBalance(t testing.TB, c *http.Client, url string) []byte {
	t.Helper()
	q, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url+"/api/v1/account/balance?walletId="+sandbox.WalletID, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.SetBasicAuth(sandbox.APIKey, sandbox.APISecret)
	res, err := c.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

const helloLine = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`

func callLine(id int, tool, arguments string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, id, tool, arguments)
}

func TestRequestsThatArePipedInAreAllAnswered(t *testing.T) {
	t.Parallel()
	env, url := upstream(t)
	c := program(t, append(env, "WESENDALL_CONFIRM=off", "WESENDALL_RATE=0"))
	lines := []string{helloLine}
	for i := range 40 {
		lines = append(lines, callLine(i+1, "send_sms", fmt.Sprintf(`{"recipient":"+256700000010","message":"Hi %d"}`, i)))
	}
	c.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	var out, stderr bytes.Buffer
	c.Stdout, c.Stderr = &out, &stderr
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	answers := 0
	for line := range strings.Lines(out.String()) {
		if !json.Valid([]byte(line)) || strings.Contains(line, "isError") && strings.Contains(line, `"isError":true`) {
			t.Error(line)
		}
		answers++
	}
	if got := balance(t, url); answers != 41 || got != sandbox.DefaultBalance-40*sandbox.CostPerSMS {
		t.Errorf("%d answers, the wallet holds UGX %d", answers, got)
	}
}

// running is a started binary whose lines can be read one by one.
type running struct {
	*exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer
}

func start(t testing.TB, env []string, args ...string) *running {
	t.Helper()
	return follow(t, program(t, env, args...))
}

// follow starts a command whose lines can be read one by one.
func follow(t testing.TB, c *exec.Cmd) *running {
	t.Helper()
	r := &running{Cmd: c}
	r.Stderr = &r.stderr
	var err error
	if r.in, err = r.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := r.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.out = bufio.NewReader(out)
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Process.Kill() })
	return r
}

func (r *running) write(t testing.TB, lines ...string) {
	t.Helper()
	if _, err := io.WriteString(r.in, strings.Join(lines, "\n")+"\n"); err != nil {
		t.Fatal(err)
	}
}

func (r *running) read(t testing.TB) string {
	t.Helper()
	line, err := r.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%v; stderr: %s", err, r.stderr.String())
	}
	return line
}

func TestACancelAfterTheRequestLeftLetsItFinish(t *testing.T) {
	t.Parallel()
	env, arrived, release := slow(t)
	r := start(t, env)
	r.write(t, helloLine)
	r.read(t)
	r.write(t, callLine(1, "send_sms", `{"recipient":"+256700000010","message":"Hi"}`))
	<-arrived
	r.write(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, `{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	if line := r.read(t); !strings.Contains(line, `"id":2`) {
		t.Error(line)
	}
	release <- struct{}{}
	_ = r.in.Close()
	if rest, err := io.ReadAll(r.out); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
	if err := r.Wait(); err != nil || !strings.Contains(r.stderr.String(), "tool=send_sms") || !strings.Contains(r.stderr.String(), "outcome=ok") {
		t.Errorf("%v: %s", err, r.stderr.String())
	}
}

func TestWhatIsPrintedByMistakeDoesNotReachTheHost(t *testing.T) {
	t.Parallel()
	c := exec.Command(os.Args[0]) //nolint:gosec // this very test
	c.Env = append(os.Environ(), printsByMistake+"=1")
	c.Stdin = strings.NewReader(helloLine + "\n" + callLine(1, "get_balance", `{}`))
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil || strings.Count(string(out), "\n") != 2 || strings.Contains(string(out), "stray") || !strings.Contains(stderr.String(), "stray") {
		t.Errorf("%v: %s, %s", err, out, stderr.String())
	}
}

func TestAHostThatIsGoneEndsTheProgram(t *testing.T) {
	t.Parallel()
	c := program(t, nil, "--sandbox")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	_, _ = io.WriteString(in, helloLine+"\n")
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

func TestTheSandboxCommandPrintsABlockThatWorks(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "sandbox", "--addr", "127.0.0.1:0", "--balance", "700")
	var block strings.Builder
	for range 5 {
		block.WriteString(r.read(t))
	}
	file := write(t, t.TempDir(), "pasted.env", block.String())
	got := runIn(t, t.TempDir(), nil, "", "call", "get_balance", "--env-file", file)
	if got.code != 0 || !strings.Contains(got.out, `"balance":700`) {
		t.Errorf("%+v", got)
	}
	if err := r.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := r.Wait(); err != nil || r.stderr.Len() > 0 {
		t.Errorf("%v: %s", err, r.stderr.String())
	}
}

func TestAPersonInATerminalIsToldWhatItIs(t *testing.T) {
	t.Parallel()
	script, err := exec.LookPath("script")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("needs a terminal, and there is no program to make one")
	}
	c := program(t, nil)
	inner := c.Path + " --sandbox; " + c.Path + ` call --sandbox send_sms '{"recipient":"+256700000010","message":"Hi"}'`
	terminal := exec.Command(script, "-qec", inner, "/dev/null")
	terminal.Env, terminal.Dir = c.Env, c.Dir
	terminal.Stdin = strings.NewReader("\x04") // Ctrl-D
	out, err := terminal.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"MCP server", "wallet wal_sandbox", "claude mcp add", "Waiting", "Accepted for 1 recipient, 1 unit each: about UGX 35. ", "  \"summary\""} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
}
