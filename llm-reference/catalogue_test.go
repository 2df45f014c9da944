package reference_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	mcpclient "github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sampletest"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
	"github.com/wesendall/wesendall-mcp/tools"
)

// inputSchema is what the tests read of a tool's input schema.
type inputSchema struct {
	Required   []string
	Properties map[string]struct {
		Type                                     string
		AnyOf                                    []map[string]any
		Minimum, Maximum, Default                int64
		MinLength, MaxLength, MinItems, MaxItems int64
		Description                              string
	}
}

// listInputSchemas returns the input schemas by tool, as an MCP client gets them.
func listInputSchemas(t *testing.T) map[string]inputSchema {
	t.Helper()
	set, err := tools.New(tools.Options{Wallet: "wal_1"})
	if err != nil {
		t.Fatal(err)
	}
	m := server.NewMCPServer("test", "1", server.WithToolCapabilities(false))
	set.Register(m)
	host, err := mcpclient.NewInProcessClient(m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	if _, err := host.Initialize(t.Context(), mcp.InitializeRequest{}); err != nil {
		t.Fatal(err)
	}
	listed, err := host.ListTools(t.Context(), mcp.ListToolsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	schemas := map[string]inputSchema{}
	for _, tool := range listed.Tools {
		text, err := json.Marshal(tool.InputSchema)
		if err != nil {
			t.Fatal(err)
		}
		var schema inputSchema
		if err := json.Unmarshal(text, &schema); err != nil {
			t.Fatal(err)
		}
		schemas[tool.Name] = schema
	}
	return schemas
}

// The catalogue and the tools' input schemas agree.
func TestEndpoints_MatchTools(t *testing.T) {
	t.Parallel()
	schemas := listInputSchemas(t)
	for _, e := range client.Endpoints() {
		schema, ok := schemas[e.Name]
		if !ok {
			t.Errorf("no tool is called %s", e.Name)
			continue
		}
		for _, guardArgument := range []string{"dry_run", "quote", "allow_duplicate"} {
			if _, has := schema.Properties[guardArgument]; has != (e.Effect == client.EffectSpend) {
				t.Errorf("%s takes %s: %v", e.Name, guardArgument, has)
			}
			delete(schema.Properties, guardArgument)
		}
		for _, searchArgument := range []string{"phone_number", "status"} { // ours, too
			if _, has := schema.Properties[searchArgument]; e.Name == client.ToolListSMSHistory && !has {
				t.Errorf("%s does not take %s", e.Name, searchArgument)
			}
			if e.Name == client.ToolListSMSHistory {
				delete(schema.Properties, searchArgument)
			}
		}
		var names, required []string
		for _, p := range e.Params {
			if p.Name == "walletId" {
				continue
			}
			names = append(names, p.Name)
			if p.Required {
				required = append(required, p.Name)
			}
			s := schema.Properties[p.Name]
			minimum, maximum := s.Minimum+s.MinLength+s.MinItems, s.Maximum+s.MaxLength+s.MaxItems
			if s.AnyOf != nil { // a string or an array of them
				minimum = p.Min
			}
			if minimum != p.Min || maximum != p.Max || s.Default != p.Default || s.Description != p.Description {
				t.Errorf("%s: %s is %+v, the catalogue has %+v", e.Name, p.Name, s, p)
			}
			if want := map[string]string{"number": "integer"}[p.Type]; want != "" && s.Type != want {
				t.Errorf("%s: %s is of type %s", e.Name, p.Name, s.Type)
			}
		}
		if got := slices.Sorted(maps.Keys(schema.Properties)); !slices.Equal(got, slices.Sorted(slices.Values(names))) {
			t.Errorf("%s takes %v, the catalogue has %v", e.Name, got, names)
		}
		if !slices.Equal(slices.Sorted(slices.Values(schema.Required)), slices.Sorted(slices.Values(required))) {
			t.Errorf("%s requires %v, the catalogue %v", e.Name, schema.Required, required)
		}
	}
}

// callEndpoint calls an endpoint with these values.
func callEndpoint(
	t *testing.T, a *sampletest.Sandbox, e client.Endpoint, values map[string]any,
) (status int, body string) {
	t.Helper()
	return callEndpointWithKey(t, a, e, values, sandbox.APIKey, sandbox.APISecret)
}

func callEndpointWithKey(
	t *testing.T, a *sampletest.Sandbox, e client.Endpoint, values map[string]any, key, secret string,
) (status int, body string) {
	t.Helper()
	address, query, fields := a.URL+e.Path, url.Values{}, map[string]any{}
	for _, p := range e.Params {
		value, ok := values[p.Name]
		switch {
		case !ok:
		case p.Location == client.ParamInPath:
			address = strings.ReplaceAll(address, "{"+p.Name+"}", url.PathEscape(fmt.Sprint(value)))
		case p.Location == client.ParamInQuery:
			query.Set(p.Name, fmt.Sprint(value))
		default:
			fields[p.Name] = value
		}
	}
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), e.Method, address+"?"+query.Encode(), bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(key, secret)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// valueOfSize returns a value of a parameter's type: the number n, or a value of length n.
func valueOfSize(p client.Param, n int64) any {
	switch {
	case p.Type == "number":
		return n
	case p.Type == "array":
		return slices.Repeat([]client.Contact{{Phone: "+256700000010"}}, int(n))
	case n > 1:
		return strings.Repeat("😀", int(n/2)) + strings.Repeat("x", int(n%2)) // two UTF-16 code units each
	default:
		return strings.Repeat("x", int(n))
	}
}

// The sandbox accepts each parameter at its limits in the catalogue, and refuses it one step
// beyond.
func TestEndpoints_MatchSandbox(t *testing.T) {
	t.Parallel()
	for _, e := range client.Endpoints() {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			a := sampletest.NewSandbox(t, 1_000_000)
			try := func(name string, value any, refused bool) {
				t.Helper()
				values := map[string]any{}
				for _, p := range e.Params {
					values[p.Name] = p.Example
				}
				if values[name] = value; value == nil {
					delete(values, name)
				}
				status, body := callEndpoint(t, a, e, values)
				wasRefused := status == http.StatusUnprocessableEntity &&
					strings.Contains(body, "validation_failed") && strings.Contains(body, name)
				if refused && !wasRefused || !refused && status != http.StatusOK {
					t.Errorf("%s = %.40v: %d %s", name, value, status, body)
				}
			}
			for _, p := range e.Params {
				try(p.Name, p.Example, false)
				if p.Location == client.ParamInPath {
					continue // without it the path is another one
				}
				try(p.Name, nil, p.Required)
				if p.Default != 0 {
					_, with := callEndpoint(t, a, e, map[string]any{"walletId": sandbox.WalletID, p.Name: p.Default})
					if _, without := callEndpoint(t, a, e, map[string]any{"walletId": sandbox.WalletID}); with != without {
						t.Errorf("%s defaults to something else than %d", p.Name, p.Default)
					}
				}
				if p.Min != 0 {
					try(p.Name, valueOfSize(p, p.Min-1), true)
				}
				if p.Min != 0 && (p.Type == "number" || p.Type == "array" || p.Max != 0) {
					try(p.Name, valueOfSize(p, p.Min), false)
				}
				if p.Max != 0 {
					try(p.Name, valueOfSize(p, p.Max), false)
					try(p.Name, valueOfSize(p, p.Max+1), true)
				}
			}
			other := e
			other.Method = http.MethodPut
			if status, _ := callEndpoint(t, a, other, nil); status != http.StatusMethodNotAllowed {
				t.Errorf("another method: %d", status)
			}
		})
	}
}

// The sandbox answers each documented code with its status.
func TestCodes_MatchSandbox(t *testing.T) {
	t.Parallel()
	a := sampletest.NewSandbox(t, 70)
	send := client.Endpoints()[2]
	base := map[string]any{"walletId": sandbox.WalletID, "message": "Hi", "recipient": "+256700000010"}
	with := func(name string, value any) map[string]any {
		values := maps.Clone(base)
		values[name] = value
		return values
	}
	got := map[string]int{}
	recordCode := func(status int, body string) {
		t.Helper()
		var answer struct{ Error struct{ Code string } }
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Error(err)
		}
		got[answer.Error.Code] = status
	}
	for _, values := range []map[string]any{
		with("walletId", "wal_other"), with("message", ""), with("message", strings.Repeat("x", 1600)),
		with("recipient", "+256700000500"), with("recipient", "+256700000502"),
	} {
		recordCode(callEndpoint(t, a, send, values))
	}
	recordCode(callEndpointWithKey(t, a, send, base, "sk_test_revoked", sandbox.APISecret))
	recordCode(callEndpointWithKey(t, a, send, base, sandbox.APIKey, "another"))
	want := map[string]int{}
	for _, c := range client.ErrorCodes() {
		want[c.Name] = c.Status
	}
	if !maps.Equal(got, want) {
		t.Errorf("the API answers %v, the catalogue has %v", got, want)
	}
}
