package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"slices"
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
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// The accounts of the sandbox: A and C share a wallet with different keys, B has its
// own.
const (
	walletA, walletB = "wal_of_a", "wal_of_b"
	balanceA         = 54321
)

var accounts = []sandbox.Account{
	{Key: "key_a", Secret: "ws_secret_of_a", Wallet: walletA, Balance: balanceA},
	{Key: "key_c", Secret: "ws_secret_of_c", Wallet: walletA},
	{Key: "key_b", Secret: "ws_secret_of_b", Wallet: walletB, Balance: 9000},
}

// multiUserEnv is a toolset for many callers in front of a sandbox.
type multiUserEnv struct {
	*testing.T
	toolset       *Toolset
	sessionClient *client.Client // can ask its user
	ledger        *ledger.Ledger // for assertions
	url           string

	answer    atomic.Value // of the user: a mcp.ElicitationResponseAction
	mu        sync.Mutex
	questions []string
}

func newMultiUserEnv(t *testing.T, change func(*Options)) *multiUserEnv {
	t.Helper()
	s, err := sandbox.Open(t.Context(), sandbox.Options{Accounts: accounts, ApproveAfter: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(s)
	t.Cleanup(func() { upstream.Close(); _ = s.Close() })
	h := &multiUserEnv{T: t, url: upstream.URL}
	file := filepath.Join(t.TempDir(), "ledger.db")
	g := guard.DefaultOptions()
	g.BaseURL, g.Rate, g.Limits.ConfirmAbove = upstream.URL, 0, 0
	g.OpenLedger = func(ctx context.Context, o ledger.Options) (*ledger.Ledger, error) { return ledger.Open(ctx, file, o) }
	o := Options{MultiUser: true, GuardOptions: &g, Wallet: "wal_of_the_operator"}
	if change != nil {
		change(&o)
	}
	if h.toolset, err = New(o); err != nil {
		t.Fatal(err)
	}
	if h.ledger, err = ledger.Open(t.Context(), file, ledger.Options{}); err != nil {
		t.Fatal(err)
	}
	m := server.NewMCPServer("test", "1", server.WithToolCapabilities(false), server.WithElicitation())
	h.toolset.Register(m)
	if h.sessionClient, err = client.NewInProcessClientWithOptions(m, client.WithElicitationHandler(h)); err != nil {
		t.Fatal(err)
	}
	if err := h.sessionClient.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.sessionClient.Initialize(t.Context(), mcp.InitializeRequest{}); err != nil {
		t.Fatal(err)
	}
	h.answer.Store(mcp.ElicitationResponseActionDecline)
	t.Cleanup(func() { _ = h.sessionClient.Close(); _ = h.toolset.Close(); _ = h.ledger.Close(context.Background()) })
	return h
}

// Elicit answers as the user.
func (h *multiUserEnv) Elicit(_ context.Context, req mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.questions = append(h.questions, req.Params.Message)
	action, _ := h.answer.Load().(mcp.ElicitationResponseAction)
	return &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{Action: action}}, nil
}

// takeQuestions returns the questions since it was last called.
func (h *multiUserEnv) takeQuestions() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	questions := strings.Join(h.questions, "\n")
	h.questions = nil
	return questions
}

// caller returns a caller whose id is derived from the credentials, as internal/auth
// does it.
func (h *multiUserEnv) caller(key, secret, wallet string) Caller {
	h.Helper()
	c, err := api.New(api.Options{
		BaseURL: h.url, APIKey: key, APISecret: api.NewSecret(secret),
		SleepFunc: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		h.Fatal(err)
	}
	id, err := h.toolset.CallerID(h.Context(), key, secret)
	if err != nil || strings.Contains(id, secret) {
		h.Fatal(id, err)
	}
	return Caller{ID: id, Client: c, Wallet: wallet}
}

func (h *multiUserEnv) callers() (a, b, c Caller) {
	return h.caller("key_a", "ws_secret_of_a", walletA), h.caller("key_b", "ws_secret_of_b", walletB),
		h.caller("key_c", "ws_secret_of_c", walletA)
}

// call makes a call of the session protocol.
func (h *multiUserEnv) call(ctx context.Context, tool, arguments string) toolResult {
	h.Helper()
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = tool, json.RawMessage(arguments)
	result, err := h.sessionClient.CallTool(ctx, req)
	if err != nil {
		h.Fatal(err)
	}
	return h.toResult(result)
}

func (h *multiUserEnv) callAs(c Caller, tool, arguments string) toolResult {
	h.Helper()
	return h.call(WithCaller(h.Context(), c), tool, arguments)
}

// statelessClient makes calls of the stateless protocol (2026-07-28).
type statelessClient struct {
	*multiUserEnv
	caller    Caller
	canElicit bool
}

func (h *multiUserEnv) stateless(c Caller, canElicit bool) statelessClient {
	return statelessClient{h, c, canElicit}
}

// call calls a tool, with the user's answer unless action is "".
func (h statelessClient) call(tool, arguments, state, action string) toolResult {
	h.Helper()
	info := &server.RequestProtocolInfo{Modern: true, ProtocolVersion: "2026-07-28",
		ClientCapabilities: &mcp.ClientCapabilities{}}
	if h.canElicit {
		info.ClientCapabilities.Elicitation = &mcp.ElicitationCapability{}
	}
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.RawArguments, req.Params.RequestState = tool, json.RawMessage(arguments), state
	if action != "" {
		req.Params.InputResponses = mcp.InputResponses{confirmInputID: {Elicitation: &mcp.ElicitationResult{
			ElicitationResponse: mcp.ElicitationResponse{Action: mcp.ElicitationResponseAction(action)},
		}}}
	}
	i := slices.IndexFunc(h.toolset.tools, func(t registeredTool) bool { return t.Name == tool })
	return h.toResult(h.toolset.handle(server.WithRequestProtocolInfo(WithCaller(h.Context(), h.caller), info),
		h.toolset.tools[i], req))
}

// toResult converts a result to everything that a client sees.
func (h *multiUserEnv) toResult(r *mcp.CallToolResult) toolResult {
	h.Helper()
	whole, err := json.Marshal(r)
	if err != nil {
		h.Fatal(err)
	}
	out := toolResult{isError: r.IsError, text: string(whole)}
	if len(r.Content) == 1 {
		text, _ := r.Content[0].(mcp.TextContent)
		_ = json.Unmarshal([]byte(text.Text), &out.structured)
	}
	if r.RequestState != "" {
		out.structured = map[string]json.RawMessage{"state": json.RawMessage(`"` + r.RequestState + `"`)}
	}
	return out
}

func (r toolResult) quote(t *testing.T) string {
	t.Helper()
	var quote struct{ ID string }
	if err := json.Unmarshal(r.structured["quote"], &quote); err != nil || quote.ID == "" {
		t.Fatal(r.text)
	}
	return quote.ID
}

// snapshot is everything that the sandbox and the ledger know of a wallet.
func (h *multiUserEnv) snapshot(c Caller) string {
	h.Helper()
	var lines []string
	for _, read := range []func() (*api.Response, error){
		func() (*api.Response, error) {
			return c.Client.Balance(h.Context(), api.BalanceRequest{WalletID: c.Wallet})
		},
		func() (*api.Response, error) {
			return c.Client.History(h.Context(), api.HistoryRequest{WalletID: c.Wallet, PerPage: 100})
		},
		func() (*api.Response, error) {
			return c.Client.Groups(h.Context(), api.GroupsRequest{WalletID: c.Wallet})
		},
	} {
		r, err := read()
		if err != nil {
			h.Fatal(err)
		}
		lines = append(lines, string(r.Data))
	}
	spends, err := h.ledger.List(h.Context(), time.Time{})
	if err != nil {
		h.Fatal(err)
	}
	for _, s := range spends {
		if strings.HasSuffix(s.Account, c.Wallet) {
			lines = append(lines, fmt.Sprintf("%+v", s))
		}
	}
	return strings.Join(lines, "\n")
}

// callerActivity is what caller A did: the data that other callers must not see, and the
// arguments of A's calls.
type callerActivity struct {
	secrets      []string
	arguments    map[string]string   // by tool
	fresh, asked map[string]string   // usable quotes, by tool
	used         map[string]string   // used quotes, by tool
	quotes       map[string][]string // all quotes
}

// useEveryTool makes A use every tool.
func (h *multiUserEnv) useEveryTool(a Caller) callerActivity {
	h.Helper()
	group := func(r toolResult) string {
		var made struct{ ID string }
		if json.Unmarshal(r.structured["data"], &made) != nil || made.ID == "" {
			h.Fatal(r.text)
		}
		return made.ID
	}(h.callAs(a, "create_group", `{"title":"Patients of A"}`))
	if r := h.callAs(a, "add_contacts",
		`{"groupId":"`+group+`","contacts":[{"phone":"+256700000091","name":"Okello"}]}`); r.isError {
		h.Fatal(r.text)
	}
	l := callerActivity{
		secrets: []string{group, "Patients", "test results", "Reminder", "700000092", "700000093", fmt.Sprint(balanceA),
			"54,", "UGX 35)", "UGX 777", "UGX 70)", "ws_secret", a.ID, walletA},
		arguments: map[string]string{
			"send_sms":       `{"recipient":["+256700000092"],"message":"Your test results"`,
			"send_group_sms": `{"groupId":"` + group + `","message":"Reminder"`,
			"topup_wallet":   `{"amount":777,"phone_number":"+256700000093"`,
		},
		fresh: map[string]string{}, asked: map[string]string{}, used: map[string]string{}, quotes: map[string][]string{},
	}
	for tool, arguments := range l.arguments {
		l.fresh[tool] = h.callAs(a, tool, arguments+`,"dry_run":true}`).quote(h.T)
		asked := h.stateless(a, true).call(tool, arguments+`}`, "", "")
		if l.asked[tool] = asked.get("state"); l.asked[tool] == "" {
			h.Fatal(asked.text)
		}
		l.used[tool] = h.stateless(a, false).call(tool, arguments+`,"dry_run":true}`, "", "").quote(h.T)
		if r := h.stateless(a, false).call(tool, arguments+`,"quote":"`+l.used[tool]+`"}`, "", ""); r.isError {
			h.Fatal(r.text)
		}
		l.quotes[tool] = []string{l.fresh[tool], l.asked[tool], l.used[tool]}
		l.secrets = append(l.secrets, l.quotes[tool]...)
	}
	h.takeQuestions()
	return l
}

// tryAccess uses everything that belongs to A as another caller, in every way. It
// returns the results by tool.
func (h *multiUserEnv) tryAccess(c Caller, l callerActivity, group string) map[string][]toolResult {
	h.Helper()
	results := map[string][]toolResult{}
	for tool, arguments := range map[string]string{
		"get_balance": `{`, "list_sms_history": `{"page":1`, "list_groups": `{`,
		"create_group": `{"title":"Mine"`, "add_contacts": `{"groupId":"` + group +
			`","contacts":[{"phone":"+256700000094"}]`,
	} {
		results[tool] = append(results[tool], h.callAs(c, tool, arguments+"}"),
			h.stateless(c, true).call(tool, arguments+"}", "", ""),
			h.stateless(c, true).call(tool, arguments+"}", l.asked["send_sms"], "accept"))
	}
	for tool, arguments := range l.arguments {
		for _, extra := range []string{``, `,"dry_run":true`, `,"allow_duplicate":true`,
			`,"dry_run":true,"allow_duplicate":true`} {
			results[tool] = append(results[tool], h.callAs(c, tool, arguments+extra+"}"),
				h.stateless(c, false).call(tool, arguments+extra+"}", "", ""),
				h.stateless(c, true).call(tool, arguments+extra+"}", "", ""))
		}
		for _, id := range l.quotes[tool] {
			with := arguments + `,"quote":"` + id + `"}`
			results[tool] = append(results[tool], h.callAs(c, tool, with), h.stateless(c, false).call(tool, with, "", ""),
				h.stateless(c, true).call(tool, with, "none", "decline"),
				h.stateless(c, true).call(tool, arguments+"}", id, "accept"),
				h.stateless(c, true).call(tool, arguments+"}", id, "decline"))
		}
		h.answer.Store(mcp.ElicitationResponseActionAccept)
		results[tool] = append(results[tool], h.callAs(c, tool, arguments+"}"))
		h.answer.Store(mcp.ElicitationResponseActionDecline)
	}
	return results
}

// expectUnaffected checks that A's quotes still work and that used ones stay used.
func (h *multiUserEnv) expectUnaffected(a Caller, l callerActivity) {
	h.Helper()
	for tool, arguments := range l.arguments {
		again := `,"allow_duplicate":true}`
		if r := h.stateless(a, false).call(tool, arguments+`,"quote":"`+l.used[tool]+`"}`, "",
			""); r.get("code") != guard.CodeDuplicateSend {
			h.Errorf("%s: %s", tool, r.text)
		}
		if r := h.callAs(a, tool, arguments+`}`); r.get("code") != guard.CodeDuplicateSend {
			h.Errorf("%s: %s", tool, r.text)
		}
		// A quote is valid only for its own arguments; other arguments void it.
		if r := h.stateless(a, false).call(tool, arguments+`,"quote":"`+l.fresh[tool]+`"`+again, "",
			""); !strings.Contains(r.text, "the quote was for something else") {
			h.Errorf("%s: %s", tool, r.text)
		}
		if r := h.stateless(a, true).call(tool, arguments+again, l.asked[tool], "accept"); !strings.Contains(r.text,
			"the quote was for something else") {
			h.Errorf("%s: %s", tool, r.text)
		}
	}
}
