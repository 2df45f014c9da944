package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	mcpgo "github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	mcpgotypes "github.com/mark3labs/mcp-go/mcp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

var addressPattern = regexp.MustCompile(`at=(https?://[^ ]+/mcp)`)

// startHTTPServer starts the built program as a server over HTTP and returns its URL.
func startHTTPServer(t *testing.T, env []string, args ...string) (url string, c *exec.Cmd) {
	t.Helper()
	c = program(t, env, append([]string{"--http", "127.0.0.1:0", "--metrics", "off"}, args...)...)
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if match := addressPattern.FindStringSubmatch(lines.Text()); match != nil {
			go func() { _, _ = io.Copy(io.Discard, stderr) }()
			return match[1], c
		}
	}
	t.Fatal("it does not say where it listens")
	return "", nil
}

// headerTransport adds headers to every request of a client.
type headerTransport map[string]string

func (h headerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	for name, value := range h {
		req.Header.Set(name, value)
	}
	return http.DefaultTransport.RoundTrip(req)
}

// sandboxCallerHeaders are the headers of a caller with the sandbox's credentials.
func sandboxCallerHeaders() headerTransport {
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(sandbox.APIKey, sandbox.APISecret)
	return headerTransport{"Authorization": req.Header.Get("Authorization"), "X-Wesendall-Wallet": sandbox.WalletID}
}

// connectHTTP connects the official SDK.
func connectHTTP(t *testing.T, protocolVersion, url string, h headerTransport, action string) *mcp.ClientSession {
	t.Helper()
	options := &mcp.ClientOptions{}
	if action != "" {
		options.ElicitationHandler = func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: action}, nil
		}
	}
	s, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, options).
		Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: h}},
			&mcp.ClientSessionOptions{ProtocolVersion: protocolVersion})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if got := s.InitializeResult().ProtocolVersion; got != protocolVersion {
		t.Fatalf("the client speaks %s, not %s", got, protocolVersion)
	}
	return s
}

func TestHTTP_GoSDKClient(t *testing.T) {
	t.Parallel()
	url, _ := startHTTPServer(t, nil, "--sandbox")
	for i, version := range protocolVersions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := connectHTTP(t, version, url, sandboxCallerHeaders(), "accept")
			list, err := s.ListTools(t.Context(), nil)
			if err != nil || len(list.Tools) != 8 || strings.Contains(fmt.Sprint(list.Tools[0].InputSchema), "walletId") {
				t.Fatalf("%+v %v", list, err)
			}
			r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "send_sms",
				Arguments: map[string]any{"recipient": "0700000010", "message": "Hello " + version}})
			if err != nil || r.IsError || structuredContent(t, r)["sandbox"] != true {
				t.Errorf("%+v %v", r, err)
			}
			// A top-up always needs confirmation.
			r, err = s.CallTool(t.Context(), &mcp.CallToolParams{Name: "topup_wallet",
				Arguments: map[string]any{"amount": 500 + i, "phone_number": "+256700000002"}})
			if err != nil || r.IsError {
				t.Errorf("%+v %v", r, err)
			}
			if _, err := connectHTTP(t, version, url, nil, "").CallTool(t.Context(),
				&mcp.CallToolParams{Name: "get_balance", Arguments: map[string]any{}}); err == nil {
				t.Error("a call without credentials is answered")
			}
		})
	}
}

func TestHTTP_MCPGoClient(t *testing.T) {
	t.Parallel()
	url, _ := startHTTPServer(t, []string{"WESENDALL_BASE_URL=http://127.0.0.1:1"}, "--sandbox")
	mcpClient, err := mcpgo.NewStreamableHttpClient(url, transport.WithHTTPHeaders(sandboxCallerHeaders()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mcpClient.Close() })
	if err := mcpClient.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var initReq mcpgotypes.InitializeRequest
	initReq.Params.ProtocolVersion = mcpgotypes.LATEST_PROTOCOL_VERSION
	if _, err := mcpClient.Initialize(t.Context(), initReq); err != nil {
		t.Fatal(err)
	}
	var req mcpgotypes.CallToolRequest
	req.Params.Name, req.Params.Arguments = "get_balance", map[string]any{}
	if r, err := mcpClient.CallTool(t.Context(), req); err != nil || r.IsError {
		t.Errorf("%+v %v", r, err)
	}
}

// Wesendall gets the caller's credentials, never those of the server.
func TestHTTP_WrongCredentials(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	url, _ := startHTTPServer(t, env) // the server's own credentials are valid but not for callers
	h := sandboxCallerHeaders()
	s := connectHTTP(t, protocolVersions[1], url, h, "")
	if r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "get_balance",
		Arguments: map[string]any{}}); err != nil || r.IsError {
		t.Errorf("%+v %v", r, err)
	}
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(sandbox.APIKey, "wrong")
	h["Authorization"] = req.Header.Get("Authorization")
	r, err := connectHTTP(t, protocolVersions[1], url, h, "").CallTool(t.Context(),
		&mcp.CallToolParams{Name: "get_balance", Arguments: map[string]any{}})
	if err != nil || !r.IsError || structuredContent(t, r)["http_status"] != 401.0 {
		t.Errorf("%+v %v", r, err)
	}
}

func TestHTTP_Token(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	token := strings.Repeat("t", 32)
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("anna "+token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--http-token-file", file}, {"--http-token-file", file, "--sandbox"}} {
		url, _ := startHTTPServer(t, env, args...)
		s := connectHTTP(t, protocolVersions[1], url, headerTransport{"Authorization": "Bearer " + token}, "")
		if r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "get_balance",
			Arguments: map[string]any{}}); err != nil || r.IsError {
			t.Errorf("%q: %+v %v", args, r, err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url,
			strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_balance"}}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer") {
			t.Error(res.Status, res.Header)
		}
	}
}

// A spend that was sent before the signal is answered, and the program exits cleanly.
func TestHTTP_GracefulShutdown(t *testing.T) {
	t.Parallel()
	env, arrived, release := slowUpstream(t)
	url, c := startHTTPServer(t, env)
	s := connectHTTP(t, protocolVersions[1], url, sandboxCallerHeaders(), "")
	answered := make(chan error, 1)
	go func() {
		r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "send_sms",
			Arguments: map[string]any{"recipient": "0700000010", "message": "Hi"}})
		if err == nil && r.IsError {
			text, _ := json.Marshal(r)
			err = fmt.Errorf("%s", text)
		}
		answered <- err
	}()
	<-arrived
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	release <- struct{}{}
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("it ended badly: %v", err)
	}
}

func TestHTTP_UnsafeConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken")
	if err := os.WriteFile(broken, []byte("anna short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"off loopback":          {[]string{"--http", "0.0.0.0:0"}, "--tls-cert and --tls-key, or --behind-proxy"},
		"on every address":      {[]string{"--http", ":0"}, "--behind-proxy"},
		"by a name":             {[]string{"--http", "example.com:0"}, "--behind-proxy"},
		"no port":               {[]string{"--http", "127.0.0.1"}, "HOST:PORT"},
		"half of a certificate": {[]string{"--http", "127.0.0.1:0", "--tls-cert", broken}, "together"},
		"a broken certificate": {[]string{"--http", "127.0.0.1:0", "--tls-cert", broken, "--tls-key", broken},
			"--tls-cert and --tls-key:"},
		"an origin with a path": {[]string{"--http", "127.0.0.1:0", "--allowed-origin",
			"https://app.example.com/x"}, "--allowed-origin"},
		"any origin": {[]string{"--http", "127.0.0.1:0", "--allowed-origin", "*"}, "--allowed-origin"},
		"a host with a scheme": {[]string{"--http", "127.0.0.1:0", "--allowed-host", "https://example.com"},
			"--allowed-host"},
		"no requests": {[]string{"--http", "127.0.0.1:0", "--http-max-requests", "0"},
			"--http-max-requests"},
		"a broken file of tokens": {[]string{"--http", "127.0.0.1:0", "--sandbox", "--http-token-file", broken},
			"line 1: the token must have"},
		"tokens and no credentials": {[]string{"--http", "127.0.0.1:0", "--http-token-file", broken},
			"needs credentials"},
		"an address that cannot be taken": {[]string{"--http", "127.0.0.1:99999"}, "--http"},
	} {
		o := runInProcess(t, dir, nil, "", append(c.args, "--metrics", "off")...)
		if o.exitCode != exitUsage || !strings.Contains(o.stderr, c.says) || strings.Count(o.stderr, "\n") != 1 ||
			strings.Contains(o.stderr, "short") {
			t.Errorf("%s: %d %s", name, o.exitCode, o.stderr)
		}
	}
}

// roundRobin sends each request to the next of several servers.
type roundRobin struct {
	headerTransport
	hosts []string
	count atomic.Int64
}

func (rr *roundRobin) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Host = rr.hosts[int(rr.count.Add(1))%len(rr.hosts)]
	req.Host = req.URL.Host
	return rr.headerTransport.RoundTrip(req)
}

// startReplicas starts two servers and a client transport that alternates between them.
func startReplicas(t *testing.T, env []string) (balancer *roundRobin, firstURL string) {
	t.Helper()
	balancer = &roundRobin{headerTransport: sandboxCallerHeaders()}
	for range 2 {
		serverURL, _ := startHTTPServer(t, env)
		u, err := url.Parse(serverURL)
		if err != nil {
			t.Fatal(err)
		}
		balancer.hosts, firstURL = append(balancer.hosts, u.Host), serverURL
	}
	return balancer, firstURL
}

// Replicas with one ledger are one server to a client: a confirmation that one asks for is
// answered at the other, and a quote of one is used at the other.
func TestHTTP_Replicas(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	env = append(env, "WESENDALL_LEDGER="+newPostgresSchema(t))
	balancer, firstURL := startReplicas(t, env)
	for i, version := range protocolVersions {
		connect := func(action string) *mcp.ClientSession {
			options := &mcp.ClientOptions{}
			if action != "" {
				options.ElicitationHandler = func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
					return &mcp.ElicitResult{Action: action}, nil
				}
			}
			s, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, options).
				Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: firstURL,
					HTTPClient: &http.Client{Transport: balancer}, DisableStandaloneSSE: true},
					&mcp.ClientSessionOptions{ProtocolVersion: version})
			if err != nil {
				t.Fatalf("%s: %v", version, err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		}
		topUp := func(s *mcp.ClientSession, arguments map[string]any) (*mcp.CallToolResult, map[string]any) {
			t.Helper()
			arguments["amount"], arguments["phone_number"] = 500+i, "+256700000010"
			r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "topup_wallet", Arguments: arguments})
			if err != nil {
				t.Fatalf("%s: %v", version, err)
			}
			return r, structuredContent(t, r)
		}
		// The client cannot ask the user: a quote is needed.
		s := connect("")
		r, content := topUp(s, map[string]any{})
		quote, _ := content["quote"].(map[string]any)
		if !r.IsError || content["code"] != "confirmation_required" || quote == nil {
			t.Fatalf("%s: %v", version, content)
		}
		if r, content = topUp(s, map[string]any{"quote": quote["id"]}); r.IsError {
			t.Errorf("%s: %v", version, content)
		}
		for range 2 { // once at each replica
			if r, content = topUp(s, map[string]any{"quote": quote["id"]}); !r.IsError || content["code"] != "duplicate_send" {
				t.Errorf("%s: %v", version, content)
			}
		}
		if version != "2026-07-28" {
			continue
		}
		// The client can: one replica asks, the other gets the answer.
		if r, content = topUp(connect("accept"), map[string]any{"allow_duplicate": true}); r.IsError {
			t.Errorf("%s: %v", version, content)
		}
	}
}
