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

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// protocolVersions are a session protocol and the stateless protocol.
var protocolVersions = []string{"2025-06-18", "2026-07-28"}

// connect starts the binary under a client of another library, the official SDK.
func connect(t testing.TB, protocolVersion string, cmd *exec.Cmd) *mcp.ClientSession {
	t.Helper()
	return connectWithOptions(t, protocolVersion, cmd, nil)
}

func connectWithOptions(t testing.TB, protocolVersion string, cmd *exec.Cmd,
	options *mcp.ClientOptions) *mcp.ClientSession {
	t.Helper()
	mcpClient := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, options)
	s, err := mcpClient.Connect(t.Context(), &mcp.CommandTransport{Command: cmd},
		&mcp.ClientSessionOptions{ProtocolVersion: protocolVersion})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("the program did not end well: %v", err)
		}
	})
	if got := s.InitializeResult().ProtocolVersion; got != protocolVersion {
		t.Fatalf("the client speaks %s, not %s", got, protocolVersion)
	}
	return s
}

// structuredContent decodes the structured content of a result.
func structuredContent(t testing.TB, r *mcp.CallToolResult) map[string]any {
	t.Helper()
	content, ok := r.StructuredContent.(map[string]any)
	text, isText := r.Content[0].(*mcp.TextContent)
	if !ok || !isText {
		t.Fatalf("%+v", r)
	}
	var fromText map[string]any
	if err := json.Unmarshal([]byte(text.Text), &fromText); err != nil || fmt.Sprint(fromText) != fmt.Sprint(content) {
		t.Errorf("the text says %v, the structure %v", fromText, content)
	}
	return content
}

// upstreamBalance asks the sandbox directly.
func upstreamBalance(t testing.TB, url string) int64 {
	t.Helper()
	var resp struct{ Data struct{ Balance int64 } }
	if err := json.Unmarshal(requestBalance(t, http.DefaultClient, url), &resp); err != nil {
		t.Fatal(err)
	}
	return resp.Data.Balance
}

// requestBalance makes the balance call without our client.
func requestBalance(t testing.TB, c *http.Client, url string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet,
		url+"/api/v1/account/balance?walletId="+sandbox.WalletID, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(sandbox.APIKey, sandbox.APISecret)
	res, err := c.Do(req)
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

const initializeLine = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{` +
	`"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`

func toolCallLine(id int, tool, arguments string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, id, tool,
		arguments)
}

func TestStdio_PipedRequests(t *testing.T) {
	t.Parallel()
	env, url := upstream(t)
	c := program(t, append(env, "WESENDALL_CONFIRM=off", "WESENDALL_RATE=0"))
	lines := []string{initializeLine}
	for i := range 40 {
		lines = append(lines, toolCallLine(i+1, "send_sms", fmt.Sprintf(`{"recipient":"+256700000010","message":"Hi %d"}`,
			i)))
	}
	c.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	var out, stderr bytes.Buffer
	c.Stdout, c.Stderr = &out, &stderr
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	responses := 0
	for line := range strings.Lines(out.String()) {
		if !json.Valid([]byte(line)) || strings.Contains(line, "isError") && strings.Contains(line, `"isError":true`) {
			t.Error(line)
		}
		responses++
	}
	if got := upstreamBalance(t, url); responses != 41 || got != sandbox.DefaultBalance-40*sandbox.CostPerSMS {
		t.Errorf("%d answers, the wallet holds UGX %d", responses, got)
	}
}

// process is a running command with its stdin and stdout as lines.
type process struct {
	*exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr bytes.Buffer
}

func startProcess(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	return startCommand(t, program(t, env, args...))
}

// startCommand starts a command.
func startCommand(t testing.TB, c *exec.Cmd) *process {
	t.Helper()
	p := &process{Cmd: c}
	p.Stderr = &p.stderr
	var err error
	if p.stdin, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(out)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() })
	return p
}

func (p *process) writeLines(t testing.TB, lines ...string) {
	t.Helper()
	if _, err := io.WriteString(p.stdin, strings.Join(lines, "\n")+"\n"); err != nil {
		t.Fatal(err)
	}
}

func (p *process) readLine(t testing.TB) string {
	t.Helper()
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("%v; stderr: %s", err, p.stderr.String())
	}
	return line
}

func TestStdio_CancelAfterSend(t *testing.T) {
	t.Parallel()
	env, arrived, release := slowUpstream(t)
	p := startProcess(t, env)
	p.writeLines(t, initializeLine)
	p.readLine(t)
	p.writeLines(t, toolCallLine(1, "send_sms", `{"recipient":"+256700000010","message":"Hi"}`))
	<-arrived
	p.writeLines(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`,
		`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	if line := p.readLine(t); !strings.Contains(line, `"id":2`) {
		t.Error(line)
	}
	release <- struct{}{}
	_ = p.stdin.Close()
	if rest, err := io.ReadAll(p.stdout); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
	if err := p.Wait(); err != nil || !strings.Contains(p.stderr.String(), "tool=send_sms") ||
		!strings.Contains(p.stderr.String(), "outcome=ok") {
		t.Errorf("%v: %s", err, p.stderr.String())
	}
}

func TestStdout_StrayPrints(t *testing.T) {
	t.Parallel()
	c := exec.Command(os.Args[0]) //nolint:gosec // this very test
	c.Env = append(os.Environ(), envPrintToStdout+"=1")
	c.Stdin = strings.NewReader(initializeLine + "\n" + toolCallLine(1, "get_balance", `{}`))
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil || strings.Count(string(out), "\n") != 2 || strings.Contains(string(out), "stray") ||
		!strings.Contains(stderr.String(), "stray") {
		t.Errorf("%v: %s, %s", err, out, stderr.String())
	}
}

func TestStdio_HostGone(t *testing.T) {
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
	_, _ = io.WriteString(in, initializeLine+"\n")
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

func TestSandboxCommand_EnvOutput(t *testing.T) {
	t.Parallel()
	p := startProcess(t, nil, "sandbox", "--addr", "127.0.0.1:0", "--balance", "700")
	var block strings.Builder
	for range 5 {
		block.WriteString(p.readLine(t))
	}
	file := writeFile(t, t.TempDir(), "pasted.env", block.String())
	got := runInProcess(t, t.TempDir(), nil, "", "call", "get_balance", "--env-file", file)
	if got.exitCode != 0 || !strings.Contains(got.stdout, `"balance":700`) {
		t.Errorf("%+v", got)
	}
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil || p.stderr.Len() > 0 {
		t.Errorf("%v: %s", err, p.stderr.String())
	}
}

func TestServe_TerminalHint(t *testing.T) {
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
	for _, want := range []string{"MCP server", "wallet wal_sandbox", "claude mcp add", "Waiting",
		"Accepted for 1 recipient, 1 unit each: about UGX 35. ", "  \"summary\""} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
}
