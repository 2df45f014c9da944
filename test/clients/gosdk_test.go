// Package clients tests the built server with the official Go SDK, over the session
// protocol and the stateless one. The JavaScript files beside it do the same with other
// clients; see README.md.
package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

var versions = []string{"2025-06-18", "2025-11-25", "2026-07-28"}

// binary is the program: the one that the environment names, or one built here.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("WESENDALL_MCP"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "wesendall-mcp")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "wesendall-mcp")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", path, "../../cmd/wesendall-mcp")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil && os.Getenv("WESENDALL_MCP") == "" {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// program returns a command that starts the binary in an environment of its own. With
// WIRE_DIR it runs behind record-proxy.mjs.
func program(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	command := append([]string{path}, args...)
	if records := os.Getenv("WIRE_DIR"); records != "" {
		file, err := os.CreateTemp(records, "go-*.jsonl")
		if err != nil {
			t.Fatal(err)
		}
		_ = file.Close()
		command = append([]string{"node", "record-proxy.mjs", file.Name()}, command...)
	}
	c := exec.CommandContext(context.WithoutCancel(t.Context()), command[0], command[1:]...)
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	return c
}

// client is a session of the SDK.
type client struct {
	*mcp.ClientSession
	t     *testing.T
	asked []string // the messages of the elicitations
}

// connect starts a session. With an answer, the client supports elicitation and gives
// this answer each time.
func connect(t *testing.T, version, answer string, c *exec.Cmd) *client {
	t.Helper()
	s := &client{t: t}
	options := &mcp.ClientOptions{Capabilities: &mcp.ClientCapabilities{}}
	if answer != "" {
		options.ElicitationHandler = func(_ context.Context, q *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			s.asked = append(s.asked, q.Params.Message)
			return &mcp.ElicitResult{Action: answer}, nil
		}
	}
	var err error
	s.ClientSession, err = mcp.NewClient(&mcp.Implementation{Name: "go-sdk", Version: "1"}, options).
		Connect(t.Context(), &mcp.CommandTransport{Command: c}, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("the program did not end well: %v", err)
		}
	})
	if got := s.InitializeResult().ProtocolVersion; got != version {
		t.Fatalf("the client speaks %s, not %s", got, version)
	}
	return s
}

// try calls a tool, and checks that its text and its structure say the same.
func (s *client) try(tool string, arguments map[string]any) map[string]any {
	s.t.Helper()
	if arguments == nil {
		arguments = map[string]any{}
	}
	r, err := s.CallTool(s.t.Context(), &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		s.t.Fatalf("%s: %v", tool, err)
	}
	content, _ := r.StructuredContent.(map[string]any)
	var same map[string]any
	text, ok := r.Content[0].(*mcp.TextContent)
	if !ok || json.Unmarshal([]byte(text.Text), &same) != nil || !reflect.DeepEqual(same, content) {
		s.t.Errorf("%s: the text says %v, the structure %v", tool, same, content)
	}
	if _, failed := content["code"]; failed != r.IsError {
		s.t.Errorf("%s: %+v", tool, content)
	}
	return content
}

// call calls a tool that must succeed.
func (s *client) call(tool string, arguments map[string]any) map[string]any {
	s.t.Helper()
	content := s.try(tool, arguments)
	if content["code"] != nil {
		s.t.Fatalf("%s: %v", tool, content)
	}
	return content
}

func (s *client) balance() float64 {
	s.t.Helper()
	return s.call("get_balance", nil)["data"].(map[string]any)["balance"].(float64)
}

// each runs a test in every version.
func each(t *testing.T, run func(t *testing.T, version string)) {
	t.Parallel()
	for _, version := range versions {
		t.Run(version, func(t *testing.T) { t.Parallel(); run(t, version) })
	}
}

func TestGoSDK_Tools(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		s := connect(t, version, "", program(t, nil, "--sandbox", "--quiet-hours=off"))
		list, err := s.ListTools(t.Context(), nil)
		if err != nil || len(list.Tools) != 8 || list.Tools[2].Name != "send_sms" {
			t.Fatalf("%+v, %v", list, err)
		}
		sent := s.call("send_sms", map[string]any{"recipient": "0700 000 012", "message": "Hello from Kampala"})
		if sent["recipients"] != 1.0 || sent["units"] != 1.0 {
			t.Errorf("%v", sent)
		}
		group := s.call("create_group", map[string]any{"title": "Customers"})["data"].(map[string]any)["id"]
		contacts := []any{map[string]any{"phone": "0700 000 010", "name": "S"}}
		s.call("add_contacts", map[string]any{"groupId": group, "contacts": contacts})
		s.call("list_groups", nil)
		s.call("send_group_sms", map[string]any{"groupId": group, "message": "Hi"})
		payment := map[string]any{"amount": 500, "phone_number": "+256700000002"}
		asked := s.try("topup_wallet", payment)
		if asked["code"] != "confirmation_required" {
			t.Fatalf("%v", asked)
		}
		payment["quote"] = asked["quote"].(map[string]any)["id"]
		s.call("topup_wallet", payment)
		if page := s.call("list_sms_history", map[string]any{"per_page": 10}); !strings.Contains(fmt.Sprint(page), "Hello from Kampala") {
			t.Errorf("%v", page)
		}
		if left := s.balance(); left != 5000-2*35 {
			t.Errorf("the wallet holds UGX %v", left)
		}
	})
}

func TestGoSDK_Elicitation(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		var numbers []any
		for i := range 40 {
			numbers = append(numbers, fmt.Sprintf("+2567000000%d", 10+i))
		}
		for answer, left := range map[string]float64{"accept": 5000 - 40*35, "decline": 5000, "cancel": 5000} {
			s := connect(t, version, answer, program(t, nil, "--sandbox"))
			got := s.try("send_sms", map[string]any{"recipient": numbers, "message": "Hello"})
			if len(s.asked) != 1 || !strings.Contains(s.asked[0], "40 recipients") || (got["code"] == nil) != (answer == "accept") {
				t.Errorf("%s: asked %q, answered %v", answer, s.asked, got)
			}
			if got["code"] != nil && got["code"] != "declined" {
				t.Errorf("%s: %v", answer, got)
			}
			if has := s.balance(); has != left {
				t.Errorf("%s: the wallet holds UGX %v", answer, has)
			}
		}
	})
}

func TestGoSDK_ResourcesAndPrompts(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		s := connect(t, version, "", program(t, nil, "--sandbox"))
		resources, err := s.ListResources(t.Context(), nil)
		if err != nil || len(resources.Resources) < 10 {
			t.Fatalf("%+v, %v", resources, err)
		}
		for _, r := range resources.Resources {
			read, err := s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: r.URI})
			if err != nil || int64(len(read.Contents[0].Text)) != r.Size {
				t.Errorf("%s: %v", r.URI, err)
			}
		}
		templates, err := s.ListResourceTemplates(t.Context(), nil)
		if err != nil || len(templates.ResourceTemplates) != 2 {
			t.Fatalf("%+v, %v", templates, err)
		}
		if _, err := s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "wesendall://examples/go/get_balance"}); err != nil {
			t.Error(err)
		}
		completed, err := s.Complete(t.Context(), &mcp.CompleteParams{
			Ref:      &mcp.CompleteReference{Type: "ref/prompt", Name: "integrate_wesendall"},
			Argument: mcp.CompleteParamsArgument{Name: "language", Value: "py"},
		})
		if err != nil || fmt.Sprint(completed.Completion.Values) != "[Python]" {
			t.Errorf("%+v, %v", completed, err)
		}
		prompts, err := s.ListPrompts(t.Context(), nil)
		if err != nil || len(prompts.Prompts) != 4 {
			t.Fatalf("%+v, %v", prompts, err)
		}
		for _, p := range prompts.Prompts {
			arguments := map[string]string{}
			for _, a := range p.Arguments {
				arguments[a.Name] = "$1" // as some hosts do
			}
			got, err := s.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: p.Name, Arguments: arguments})
			if err != nil || len(got.Messages) == 0 {
				t.Errorf("%s: %v", p.Name, err)
			}
		}
	})
}

func TestGoSDK_Errors(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		s := connect(t, version, "", program(t, nil, "--sandbox"))
		expect := func(err error, code int64) {
			t.Helper()
			if wire, ok := errors.AsType[*jsonrpc.Error](err); !ok || wire.Code != code {
				t.Errorf("%v, not code %d", err, code)
			}
		}
		_, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "nope"})
		expect(err, -32602)
		_, err = s.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "integrate_wesendall"})
		expect(err, -32602)
		_, err = s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "wesendall://reference/nope"})
		if version < "2026" {
			expect(err, -32002)
		} else {
			expect(err, -32602)
		}
		lost := s.try("send_sms", map[string]any{"recipient": "+256700000408", "message": "Hi"})
		if lost["code"] != "outcome_unknown" || lost["money"] != "unknown" {
			t.Errorf("%v", lost)
		}
	})
}

func TestGoSDK_CancelSend(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		var sends atomic.Int32
		arrived, release := make(chan struct{}), make(chan struct{})
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			_, _ = io.Copy(io.Discard, q.Body)
			if q.Method == http.MethodGet {
				_, _ = io.WriteString(w, `{"success":true,"data":{"balance":5000,"cost_per_sms":35}}`)
				return
			}
			sends.Add(1)
			close(arrived)
			<-release
			_, _ = io.WriteString(w, `{"success":true,"data":{"batch_id":"b"}}`)
		}))
		t.Cleanup(api.Close)
		c := program(t, []string{
			"WESENDALL_BASE_URL=" + api.URL, "WESENDALL_API_KEY=sk_test_blocked",
			"WESENDALL_API_SECRET=ws_test_blocked", "WESENDALL_WALLET_ID=wal_blocked",
		})
		s := connect(t, version, "", c)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-arrived; cancel() }()
		arguments := map[string]any{"recipient": "+256700000010", "message": "Hi"}
		r, err := s.CallTool(ctx, &mcp.CallToolParams{Name: "send_sms", Arguments: arguments})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("%+v, %v", r, err)
		}
		close(release)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		path, _ := binary()
		show := exec.CommandContext(t.Context(), path, "ledger", "--json")
		show.Env = c.Env
		if out, err := show.Output(); err != nil || sends.Load() != 1 || strings.Count(string(out), `"state":"sent"`) != 1 {
			t.Errorf("%d sends; %s, %v", sends.Load(), out, err)
		}
	})
}
