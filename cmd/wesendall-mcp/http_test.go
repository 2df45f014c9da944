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

	"github.com/wesendall/wesendall-mcp/sandbox"
)

var address = regexp.MustCompile(`at=(https?://[^ ]+/mcp)`)

// overHTTP starts the built program as a server over HTTP, and finds out where
// it listens.
func overHTTP(t *testing.T, env []string, args ...string) (url string, c *exec.Cmd) {
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
		if found := address.FindStringSubmatch(lines.Text()); found != nil {
			go func() { _, _ = io.Copy(io.Discard, stderr) }()
			return found[1], c
		}
	}
	t.Fatal("it does not say where it listens")
	return "", nil
}

// headers are added to every request of a client.
type headers map[string]string

func (h headers) RoundTrip(q *http.Request) (*http.Response, error) {
	q = q.Clone(q.Context())
	for name, value := range h {
		q.Header.Set(name, value)
	}
	return http.DefaultTransport.RoundTrip(q)
}

// sandboxCaller are the headers of a caller with the sandbox's credentials.
func sandboxCaller() headers {
	q := http.Request{Header: http.Header{}}
	q.SetBasicAuth(sandbox.APIKey, sandbox.APISecret)
	return headers{"Authorization": q.Header.Get("Authorization"), "X-Wesendall-Wallet": sandbox.WalletID}
}

// connectHTTP connects the official SDK.
func connectHTTP(t *testing.T, era, url string, h headers, answer string) *mcp.ClientSession {
	t.Helper()
	options := &mcp.ClientOptions{}
	if answer != "" {
		options.ElicitationHandler = func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: answer}, nil
		}
	}
	s, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, options).
		Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: h}}, &mcp.ClientSessionOptions{ProtocolVersion: era})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if got := s.InitializeResult().ProtocolVersion; got != era {
		t.Fatalf("the client speaks %s, not %s", got, era)
	}
	return s
}

func TestTheOfficialClientCallsOverHTTP(t *testing.T) {
	t.Parallel()
	url, _ := overHTTP(t, nil, "--sandbox")
	for i, era := range eras {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			s := connectHTTP(t, era, url, sandboxCaller(), "accept")
			list, err := s.ListTools(t.Context(), nil)
			if err != nil || len(list.Tools) != 8 || strings.Contains(fmt.Sprint(list.Tools[0].InputSchema), "walletId") {
				t.Fatalf("%+v %v", list, err)
			}
			r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "send_sms", Arguments: map[string]any{"recipient": "0700000010", "message": "Hello " + era}})
			if err != nil || r.IsError || structured(t, r)["sandbox"] != true {
				t.Errorf("%+v %v", r, err)
			}
			// A top-up always needs a person's word.
			r, err = s.CallTool(t.Context(), &mcp.CallToolParams{Name: "topup_wallet", Arguments: map[string]any{"amount": 500 + i, "phone_number": "+256700000002"}})
			if err != nil || r.IsError {
				t.Errorf("%+v %v", r, err)
			}
			if _, err := connectHTTP(t, era, url, nil, "").CallTool(t.Context(), &mcp.CallToolParams{Name: "get_balance", Arguments: map[string]any{}}); err == nil {
				t.Error("a call without credentials is answered")
			}
		})
	}
}

func TestTheLibrarysOwnClientCallsOverHTTP(t *testing.T) {
	t.Parallel()
	url, _ := overHTTP(t, []string{"WESENDALL_BASE_URL=http://127.0.0.1:1"}, "--sandbox")
	host, err := mcpgo.NewStreamableHttpClient(url, transport.WithHTTPHeaders(sandboxCaller()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	if err := host.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var hello mcpgotypes.InitializeRequest
	hello.Params.ProtocolVersion = mcpgotypes.LATEST_PROTOCOL_VERSION
	if _, err := host.Initialize(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	var q mcpgotypes.CallToolRequest
	q.Params.Name, q.Params.Arguments = "get_balance", map[string]any{}
	if r, err := host.CallTool(t.Context(), q); err != nil || r.IsError {
		t.Errorf("%+v %v", r, err)
	}
}

// What a caller brings goes to Wesendall, and nothing of the server's own does.
func TestACallerWithWrongCredentialsIsRefusedByWesendall(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	url, _ := overHTTP(t, env) // with good credentials of its own, which are not for callers
	h := sandboxCaller()
	s := connectHTTP(t, eras[1], url, h, "")
	if r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "get_balance", Arguments: map[string]any{}}); err != nil || r.IsError {
		t.Errorf("%+v %v", r, err)
	}
	q := http.Request{Header: http.Header{}}
	q.SetBasicAuth(sandbox.APIKey, "wrong")
	h["Authorization"] = q.Header.Get("Authorization")
	r, err := connectHTTP(t, eras[1], url, h, "").CallTool(t.Context(), &mcp.CallToolParams{Name: "get_balance", Arguments: map[string]any{}})
	if err != nil || !r.IsError || structured(t, r)["http_status"] != 401.0 {
		t.Errorf("%+v %v", r, err)
	}
}

func TestATokenUsesTheServersCredentials(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	token := strings.Repeat("t", 32)
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("anna "+token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--http-token-file", file}, {"--http-token-file", file, "--sandbox"}} {
		url, _ := overHTTP(t, env, args...)
		s := connectHTTP(t, eras[1], url, headers{"Authorization": "Bearer " + token}, "")
		if r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "get_balance", Arguments: map[string]any{}}); err != nil || r.IsError {
			t.Errorf("%q: %+v %v", args, r, err)
		}
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_balance"}}`))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer") {
			t.Error(res.Status, res.Header)
		}
	}
}

// A spend that is on the wire when the signal comes is answered, and the program
// ends well.
func TestASignalLetsASpendBeAnswered(t *testing.T) {
	t.Parallel()
	env, arrived, release := slow(t)
	url, c := overHTTP(t, env)
	s := connectHTTP(t, eras[1], url, sandboxCaller(), "")
	answered := make(chan error, 1)
	go func() {
		r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "send_sms", Arguments: map[string]any{"recipient": "0700000010", "message": "Hi"}})
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

func TestAServerThatWouldNotBeSafeDoesNotStart(t *testing.T) {
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
		"off loopback":                    {[]string{"--http", "0.0.0.0:0"}, "--tls-cert and --tls-key, or --behind-proxy"},
		"on every address":                {[]string{"--http", ":0"}, "--behind-proxy"},
		"by a name":                       {[]string{"--http", "example.com:0"}, "--behind-proxy"},
		"no port":                         {[]string{"--http", "127.0.0.1"}, "HOST:PORT"},
		"half of a certificate":           {[]string{"--http", "127.0.0.1:0", "--tls-cert", broken}, "together"},
		"a broken certificate":            {[]string{"--http", "127.0.0.1:0", "--tls-cert", broken, "--tls-key", broken}, "--tls-cert and --tls-key:"},
		"an origin with a path":           {[]string{"--http", "127.0.0.1:0", "--allowed-origin", "https://app.example.com/x"}, "--allowed-origin"},
		"any origin":                      {[]string{"--http", "127.0.0.1:0", "--allowed-origin", "*"}, "--allowed-origin"},
		"a host with a scheme":            {[]string{"--http", "127.0.0.1:0", "--allowed-host", "https://example.com"}, "--allowed-host"},
		"no requests":                     {[]string{"--http", "127.0.0.1:0", "--http-max-requests", "0"}, "--http-max-requests"},
		"a broken file of tokens":         {[]string{"--http", "127.0.0.1:0", "--sandbox", "--http-token-file", broken}, "line 1: the token must have"},
		"tokens and no credentials":       {[]string{"--http", "127.0.0.1:0", "--http-token-file", broken}, "needs credentials"},
		"an address that cannot be taken": {[]string{"--http", "127.0.0.1:99999"}, "--http"},
	} {
		o := runIn(t, dir, nil, "", append(c.args, "--metrics", "off")...)
		if o.code != exitUsage || !strings.Contains(o.stderr, c.says) || strings.Count(o.stderr, "\n") != 1 || strings.Contains(o.stderr, "short") {
			t.Errorf("%s: %d %s", name, o.code, o.stderr)
		}
	}
}

// inTurn sends each request to the next of several servers.
type inTurn struct {
	headers
	hosts []string
	count atomic.Int64
}

func (i *inTurn) RoundTrip(q *http.Request) (*http.Response, error) {
	q = q.Clone(q.Context())
	q.URL.Host = i.hosts[int(i.count.Add(1))%len(i.hosts)]
	q.Host = q.URL.Host
	return i.headers.RoundTrip(q)
}

// Replicas with one ledger are one server to a client, whichever of them a request
// reaches: a question of the one is answered at the other, and so is a quote of the
// one used there.
func TestReplicasAreOneServer(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	env = append(env, "WESENDALL_LEDGER="+database(t))
	hosts := &inTurn{headers: sandboxCaller()}
	var first string
	for range 2 {
		at, _ := overHTTP(t, env)
		u, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		hosts.hosts, first = append(hosts.hosts, u.Host), at
	}
	for i, era := range eras {
		connect := func(answer string) *mcp.ClientSession {
			options := &mcp.ClientOptions{}
			if answer != "" {
				options.ElicitationHandler = func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
					return &mcp.ElicitResult{Action: answer}, nil
				}
			}
			s, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, options).
				Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: first, HTTPClient: &http.Client{Transport: hosts}, DisableStandaloneSSE: true}, &mcp.ClientSessionOptions{ProtocolVersion: era})
			if err != nil {
				t.Fatalf("%s: %v", era, err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		}
		topUp := func(s *mcp.ClientSession, arguments map[string]any) (*mcp.CallToolResult, map[string]any) {
			t.Helper()
			arguments["amount"], arguments["phone_number"] = 500+i, "+256700000010"
			r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "topup_wallet", Arguments: arguments})
			if err != nil {
				t.Fatalf("%s: %v", era, err)
			}
			return r, structured(t, r)
		}
		// Nobody can be asked: it goes by quote.
		s := connect("")
		r, said := topUp(s, map[string]any{})
		quote, _ := said["quote"].(map[string]any)
		if !r.IsError || said["code"] != "confirmation_required" || quote == nil {
			t.Fatalf("%s: %v", era, said)
		}
		if r, said = topUp(s, map[string]any{"quote": quote["id"]}); r.IsError {
			t.Errorf("%s: %v", era, said)
		}
		for range 2 { // at either
			if r, said = topUp(s, map[string]any{"quote": quote["id"]}); !r.IsError || said["code"] != "duplicate_send" {
				t.Errorf("%s: %v", era, said)
			}
		}
		if era != "2026-07-28" {
			continue
		}
		// Somebody can: the question is of the one, the answer comes to the other.
		if r, said = topUp(connect("accept"), map[string]any{"allow_duplicate": true}); r.IsError {
			t.Errorf("%s: %v", era, said)
		}
	}
}
