package tools

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	api "github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// testEnv is a toolset between a real MCP client and an HTTP server that records its
// requests.
type testEnv struct {
	toolset *Toolset
	host    *client.Client
	// spending is set during a call of a spending tool: the guard's reads are then
	// answered by pricedAPI and not recorded.
	spending atomic.Bool

	mu   sync.Mutex
	seen []string // method, URI and body of each request
}

func newTestEnv(t *testing.T, o Options, answer http.HandlerFunc) *testEnv {
	t.Helper()
	env := &testEnv{}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		env.mu.Lock()
		env.seen = append(env.seen, req.Method+" "+req.RequestURI+" "+string(body))
		env.mu.Unlock()
		answer(w, req)
	}))
	t.Cleanup(upstream.Close)
	c, err := api.New(api.Options{BaseURL: upstream.URL,
		SleepFunc: func(context.Context, time.Duration) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if o.NotConfiguredReason == "" {
		o.API = pricedAPI{c, &env.spending}
	}
	if o.GuardOptions == nil {
		o.GuardOptions = confirmOffOptions()
	}
	env.connect(t, o)
	return env
}

// confirmOffOptions are guard options without confirmation, waiting and limits.
func confirmOffOptions() *guard.Options {
	o := guard.DefaultOptions()
	o.Confirm, o.Rate = guard.ConfirmOff, 0
	o.Limits = guard.Limits{PerCall: 1 << 40, PerDay: 1 << 40, TopUp: 1 << 40, Recipients: 1 << 20}
	return &o
}

// pricedAPI answers the guard's reads of the price and of group sizes.
type pricedAPI struct {
	guard.API
	spending *atomic.Bool
}

func (p pricedAPI) Balance(ctx context.Context, r api.BalanceRequest) (*api.Response, error) {
	if p.spending.Load() {
		return &api.Response{Data: json.RawMessage(`{"balance":100000,"cost_per_sms":35}`)}, nil
	}
	return p.API.Balance(ctx, r)
}

func (p pricedAPI) Groups(ctx context.Context, r api.GroupsRequest) (*api.Response, error) {
	if p.spending.Load() {
		return &api.Response{Data: json.RawMessage(`{"groups":[{"id":"grp_1","contact_count":3}]}`)}, nil
	}
	return p.API.Groups(ctx, r)
}

func (env *testEnv) connect(t *testing.T, o Options) {
	t.Helper()
	toolset, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	env.toolset = toolset
	m := server.NewMCPServer("test", "1", server.WithToolCapabilities(false))
	toolset.Register(m)
	if env.host, err = client.NewInProcessClient(m); err != nil {
		t.Fatal(err)
	}
	if err := env.host.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := env.host.Initialize(t.Context(), mcp.InitializeRequest{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = env.host.Close() })
}

func (env *testEnv) requests() []string {
	env.mu.Lock()
	defer env.mu.Unlock()
	return env.seen
}

// toolResult is a tool's result as a host sees it.
type toolResult struct {
	isError    bool
	text       string
	structured map[string]json.RawMessage
}

func (r toolResult) get(name string) string {
	var text string
	if json.Unmarshal(r.structured[name], &text) == nil {
		return text
	}
	return string(r.structured[name])
}

func (env *testEnv) call(t *testing.T, tool, arguments string) toolResult {
	t.Helper()
	env.spending.Store(strings.HasPrefix(tool, "send") || tool == "topup_wallet")
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = tool, json.RawMessage(arguments)
	result, err := env.host.CallTool(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	content, ok := result.Content[0].(mcp.TextContent)
	if !ok || len(result.Content) != 1 {
		t.Fatalf("content %+v", result.Content)
	}
	out := toolResult{isError: result.IsError, text: content.Text}
	if err := json.Unmarshal([]byte(content.Text), &out.structured); err != nil {
		t.Fatal(err)
	}
	return out
}

// respondWith answers with a status and a body.
func respondWith(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "req_1")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// validArguments are valid arguments for each tool.
var validArguments = map[string]string{
	"get_balance":      `{}`,
	"topup_wallet":     `{"amount":500,"phone_number":"+256 700 000 010"}`,
	"send_sms":         `{"recipient":"0700 000 010","message":"Hi"}`,
	"send_group_sms":   `{"groupId":"grp_1","message":"Hi"}`,
	"list_sms_history": `{"page":"2","per_page":20.0}`,
	"list_groups":      `{}`,
	"create_group":     `{"title":"T","description":null}`,
	"add_contacts":     `{"groupId":"a/b","contacts":[{"phone":"0700-000-010","name":"S"}]}`,
}
