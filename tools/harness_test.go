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
	"github.com/wesendall/wesendall-mcp/guard"
)

// rig is a set of tools in front of an HTTP server that records what it is
// asked, spoken to through a real MCP client.
type rig struct {
	set  *Set
	host *client.Client
	// spending is set while a tool that spends is called: the reads that the
	// guard then makes are answered here, and not recorded.
	spending atomic.Bool

	mu   sync.Mutex
	seen []string // method, URI and body of each request
}

func newRig(t *testing.T, o Options, answer http.HandlerFunc) *rig {
	t.Helper()
	r := &rig{}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		r.seen = append(r.seen, q.Method+" "+q.RequestURI+" "+string(body))
		r.mu.Unlock()
		answer(w, q)
	}))
	t.Cleanup(upstream.Close)
	c, err := api.New(api.Options{BaseURL: upstream.URL, Sleep: func(context.Context, time.Duration) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if o.Missing == "" {
		o.API = priced{c, &r.spending}
	}
	if o.Guard == nil {
		o.Guard = unasked()
	}
	r.connect(t, o)
	return r
}

// unasked are guard options that ask nobody, wait for nothing and allow all.
func unasked() *guard.Options {
	o := guard.Defaults()
	o.Confirm, o.Rate = guard.Off, 0
	o.Limits = guard.Limits{PerCall: 1 << 40, PerDay: 1 << 40, TopUp: 1 << 40, Recipients: 1 << 20}
	return &o
}

// priced is an API whose wallet and group are known.
type priced struct {
	guard.API
	spending *atomic.Bool
}

func (p priced) Balance(ctx context.Context, r api.BalanceRequest) (*api.Response, error) {
	if p.spending.Load() {
		return &api.Response{Data: json.RawMessage(`{"balance":100000,"cost_per_sms":35}`)}, nil
	}
	return p.API.Balance(ctx, r)
}

func (p priced) Groups(ctx context.Context, r api.GroupsRequest) (*api.Response, error) {
	if p.spending.Load() {
		return &api.Response{Data: json.RawMessage(`{"groups":[{"id":"grp_1","contact_count":3}]}`)}, nil
	}
	return p.API.Groups(ctx, r)
}

func (r *rig) connect(t *testing.T, o Options) {
	t.Helper()
	set, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.set = set
	m := server.NewMCPServer("test", "1", server.WithToolCapabilities(false))
	set.Register(m)
	if r.host, err = client.NewInProcessClient(m); err != nil {
		t.Fatal(err)
	}
	if err := r.host.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.host.Initialize(t.Context(), mcp.InitializeRequest{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.host.Close() })
}

func (r *rig) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

// reply is a tool's result as a host sees it.
type reply struct {
	isError    bool
	text       string
	structured map[string]json.RawMessage
}

func (r reply) get(name string) string {
	var text string
	if json.Unmarshal(r.structured[name], &text) == nil {
		return text
	}
	return string(r.structured[name])
}

func (r *rig) call(t *testing.T, tool, arguments string) reply {
	t.Helper()
	r.spending.Store(strings.HasPrefix(tool, "send") || tool == "topup_wallet")
	var q mcp.CallToolRequest
	q.Params.Name, q.Params.Arguments = tool, json.RawMessage(arguments)
	result, err := r.host.CallTool(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	text, ok := result.Content[0].(mcp.TextContent)
	if !ok || len(result.Content) != 1 {
		t.Fatalf("content %+v", result.Content)
	}
	out := reply{isError: result.IsError, text: text.Text}
	if err := json.Unmarshal([]byte(text.Text), &out.structured); err != nil {
		t.Fatal(err)
	}
	return out
}

// says answers with a status and a body.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "req_1")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// arguments that are right, for each tool.
var right = map[string]string{
	"get_balance":      `{}`,
	"topup_wallet":     `{"amount":500,"phone_number":"+256 700 000 010"}`,
	"send_sms":         `{"recipient":"0700 000 010","message":"Hi"}`,
	"send_group_sms":   `{"groupId":"grp_1","message":"Hi"}`,
	"list_sms_history": `{"page":"2","per_page":20.0}`,
	"list_groups":      `{}`,
	"create_group":     `{"title":"T","description":null}`,
	"add_contacts":     `{"groupId":"a/b","contacts":[{"phone":"0700-000-010","name":"S"}]}`,
}
