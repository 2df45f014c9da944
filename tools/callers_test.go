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

// The accounts of the vendor: A's with another key to its wallet, and B's.
const (
	walletA, walletB = "wal_of_a", "wal_of_b"
	balanceA         = 54321
)

var accounts = []sandbox.Account{
	{Key: "key_a", Secret: "ws_secret_of_a", Wallet: walletA, Balance: balanceA},
	{Key: "key_c", Secret: "ws_secret_of_c", Wallet: walletA},
	{Key: "key_b", Secret: "ws_secret_of_b", Wallet: walletB, Balance: 9000},
}

// multiUserEnv is one server with many callers, before the sandbox.
type multiUserEnv struct {
	*testing.T
	toolset       *Toolset
	sessionClient *client.Client // that can ask its person
	ledger        *ledger.Ledger // to look at
	url           string

	answer    atomic.Value // of a person: a mcp.ElicitationResponseAction
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

// Elicit is the person.
func (h *multiUserEnv) Elicit(_ context.Context, req mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.questions = append(h.questions, req.Params.Message)
	action, _ := h.answer.Load().(mcp.ElicitationResponseAction)
	return &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{Action: action}}, nil
}

// takeQuestions are the questions since the last time.
func (h *multiUserEnv) takeQuestions() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	questions := strings.Join(h.questions, "\n")
	h.questions = nil
	return questions
}

// caller is somebody whose id is made of the credentials, as the transport does.
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
	return h.caller("key_a", "ws_secret_of_a", walletA), h.caller("key_b", "ws_secret_of_b", walletB), h.caller("key_c", "ws_secret_of_c", walletA)
}

// call makes a call of the handshake era.
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

// callStateless makes a call of 2026-07-28, with a person's answer where one is given.
func (h *multiUserEnv) callStateless(c Caller, canElicit bool, tool, arguments, state, action string) toolResult {
	h.Helper()
	info := &server.RequestProtocolInfo{Modern: true, ProtocolVersion: "2026-07-28", ClientCapabilities: &mcp.ClientCapabilities{}}
	if canElicit {
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
	return h.toResult(h.toolset.handle(server.WithRequestProtocolInfo(WithCaller(h.Context(), c), info), h.toolset.tools[i], req))
}

// toResult is a result with everything that a client gets.
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

// snapshot is all that the vendor and the ledger know of a wallet.
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

// callerActivity is what A did: what nobody else may see, and the arguments of its calls.
type callerActivity struct {
	secrets      []string
	arguments    map[string]string   // by tool
	fresh, asked map[string]string   // quotes by tool that can still be used
	used         map[string]string   // and one that cannot
	quotes       map[string][]string // all of them
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
	if r := h.callAs(a, "add_contacts", `{"groupId":"`+group+`","contacts":[{"phone":"+256700000091","name":"Okello"}]}`); r.isError {
		h.Fatal(r.text)
	}
	l := callerActivity{
		secrets: []string{group, "Patients", "test results", "Reminder", "700000092", "700000093", fmt.Sprint(balanceA), "54,", "UGX 35)", "UGX 777", "UGX 70)", "ws_secret", a.ID, walletA},
		arguments: map[string]string{
			"send_sms":       `{"recipient":["+256700000092"],"message":"Your test results"`,
			"send_group_sms": `{"groupId":"` + group + `","message":"Reminder"`,
			"topup_wallet":   `{"amount":777,"phone_number":"+256700000093"`,
		},
		fresh: map[string]string{}, asked: map[string]string{}, used: map[string]string{}, quotes: map[string][]string{},
	}
	for tool, arguments := range l.arguments {
		l.fresh[tool] = h.callAs(a, tool, arguments+`,"dry_run":true}`).quote(h.T)
		asked := h.callStateless(a, true, tool, arguments+`}`, "", "")
		if l.asked[tool] = asked.get("state"); l.asked[tool] == "" {
			h.Fatal(asked.text)
		}
		l.used[tool] = h.callStateless(a, false, tool, arguments+`,"dry_run":true}`, "", "").quote(h.T)
		if r := h.callStateless(a, false, tool, arguments+`,"quote":"`+l.used[tool]+`"}`, "", ""); r.isError {
			h.Fatal(r.text)
		}
		l.quotes[tool] = []string{l.fresh[tool], l.asked[tool], l.used[tool]}
		l.secrets = append(l.secrets, l.quotes[tool]...)
	}
	h.takeQuestions()
	return l
}

// tryAccess is somebody else's try at everything of A's, in every way. It returns
// what each tool said.
func (h *multiUserEnv) tryAccess(c Caller, l callerActivity, group string) map[string][]toolResult {
	h.Helper()
	results := map[string][]toolResult{}
	for tool, arguments := range map[string]string{
		"get_balance": `{`, "list_sms_history": `{"page":1`, "list_groups": `{`,
		"create_group": `{"title":"Mine"`, "add_contacts": `{"groupId":"` + group + `","contacts":[{"phone":"+256700000094"}]`,
	} {
		results[tool] = append(results[tool], h.callAs(c, tool, arguments+"}"), h.callStateless(c, true, tool, arguments+"}", "", ""),
			h.callStateless(c, true, tool, arguments+"}", l.asked["send_sms"], "accept"))
	}
	for tool, arguments := range l.arguments {
		for _, extra := range []string{``, `,"dry_run":true`, `,"allow_duplicate":true`, `,"dry_run":true,"allow_duplicate":true`} {
			results[tool] = append(results[tool], h.callAs(c, tool, arguments+extra+"}"), h.callStateless(c, false, tool, arguments+extra+"}", "", ""), h.callStateless(c, true, tool, arguments+extra+"}", "", ""))
		}
		for _, id := range l.quotes[tool] {
			with := arguments + `,"quote":"` + id + `"}`
			results[tool] = append(results[tool], h.callAs(c, tool, with), h.callStateless(c, false, tool, with, "", ""), h.callStateless(c, true, tool, with, "none", "decline"),
				h.callStateless(c, true, tool, arguments+"}", id, "accept"), h.callStateless(c, true, tool, arguments+"}", id, "decline"))
		}
		h.answer.Store(mcp.ElicitationResponseActionAccept)
		results[tool] = append(results[tool], h.callAs(c, tool, arguments+"}"))
		h.answer.Store(mcp.ElicitationResponseActionDecline)
	}
	return results
}

// Whatever another does, A's own life is as before: its quotes count, and what
// was used is used.
func (h *multiUserEnv) expectUnaffected(a Caller, l callerActivity) {
	h.Helper()
	for tool, arguments := range l.arguments {
		again := `,"allow_duplicate":true}`
		if r := h.callStateless(a, false, tool, arguments+`,"quote":"`+l.used[tool]+`"}`, "", ""); r.get("code") != guard.CodeDuplicateSend {
			h.Errorf("%s: %s", tool, r.text)
		}
		if r := h.callAs(a, tool, arguments+`}`); r.get("code") != guard.CodeDuplicateSend {
			h.Errorf("%s: %s", tool, r.text)
		}
		// A quote is good only for its own arguments, and other arguments void it.
		if r := h.callStateless(a, false, tool, arguments+`,"quote":"`+l.fresh[tool]+`"`+again, "", ""); !strings.Contains(r.text, "the quote was for something else") {
			h.Errorf("%s: %s", tool, r.text)
		}
		if r := h.callStateless(a, true, tool, arguments+again, l.asked[tool], "accept"); !strings.Contains(r.text, "the quote was for something else") {
			h.Errorf("%s: %s", tool, r.text)
		}
	}
}

func TestCallers_Isolation(t *testing.T) {
	t.Parallel()
	h := newMultiUserEnv(t, nil)
	a, b, _ := h.callers()
	l := h.useEveryTool(a)
	before := h.snapshot(a)
	for tool, results := range h.tryAccess(b, l, "grp_of_b") {
		for _, r := range results {
			for _, secret := range l.secrets {
				// What B said itself comes back, in its own quotes and questions.
				if !strings.Contains(l.arguments[tool], secret) && strings.Contains(r.text, secret) && !strings.Contains(secret, "UGX 777") {
					t.Errorf("%s tells B of %q: %s", tool, secret, r.text)
				}
			}
			if r.get("code") == guard.CodeDuplicateSend || strings.Contains(r.text, "repeats") || strings.Contains(r.text, "earlier") {
				t.Errorf("%s: %s", tool, r.text)
			}
		}
	}
	if asked := h.takeQuestions(); strings.Contains(asked, "repeats") || strings.Contains(asked, "54,") || asked == "" {
		t.Error(asked)
	}
	if after := h.snapshot(a); after != before {
		t.Errorf("A had\n%s\nand has\n%s", before, after)
	}
	h.expectUnaffected(a, l)
	if strings.Contains(h.snapshot(b), a.ID) {
		t.Error(h.snapshot(b))
	}
}

func TestCallers_WrongCredentials(t *testing.T) {
	t.Parallel()
	h := newMultiUserEnv(t, nil)
	a, b, _ := h.callers()
	l := h.useEveryTool(a)
	before := h.snapshot(a)
	bOnA := b
	bOnA.Wallet = walletA
	for code, caller := range map[string]Caller{"invalid_credentials": h.caller("key_a", "ws_secret_of_nobody", walletA), "wallet_forbidden": bOnA} {
		for tool, results := range h.tryAccess(caller, l, "grp_1") {
			for _, r := range results {
				if r.get("code") != code || r.get("money") != "not_charged" {
					t.Errorf("%s, %s: %s", code, tool, r.text)
				}
				for _, secret := range l.secrets {
					if strings.Contains(r.text, secret) {
						t.Errorf("%s tells of %q: %s", tool, secret, r.text)
					}
				}
			}
		}
	}
	if asked := h.takeQuestions(); asked != "" {
		t.Error(asked)
	}
	if after := h.snapshot(a); after != before {
		t.Errorf("A had\n%s\nand has\n%s", before, after)
	}
	h.expectUnaffected(a, l)
}

// With another key to the same wallet what was sent is known, and A's quotes are
// not.
func TestCallers_QuotesPerKey(t *testing.T) {
	t.Parallel()
	h := newMultiUserEnv(t, nil)
	a, _, c := h.callers()
	l := h.useEveryTool(a)
	for tool, arguments := range l.arguments {
		none := h.callStateless(c, false, tool, arguments+`,"quote":"none"}`, "", "").get("message")
		for _, id := range l.quotes[tool] {
			for _, r := range []toolResult{
				h.callStateless(c, false, tool, arguments+`,"quote":"`+id+`"}`, "", ""),
				h.callStateless(c, true, tool, arguments+`}`, id, "accept"),
				h.callAs(c, tool, arguments+`,"quote":"`+id+`"}`),
			} {
				if r.get("message") != none || !strings.Contains(none, "there is no such quote") {
					t.Errorf("%s: %s", tool, r.text)
				}
			}
			if r := h.callStateless(c, true, tool, arguments+`}`, id, "decline"); r.get("code") != guard.CodeDeclined {
				t.Errorf("%s: %s", tool, r.text)
			}
		}
		r := h.callAs(c, tool, arguments+`}`)
		if r.get("code") != guard.CodeDuplicateSend {
			t.Errorf("%s: %s", tool, r.text)
		}
		r.text += h.callStateless(c, true, tool, arguments+`,"allow_duplicate":true}`, "", "").text + h.callStateless(c, false, tool, arguments+`,"dry_run":true,"allow_duplicate":true}`, "", "").text
		for _, id := range append(l.quotes[tool], a.ID) {
			if strings.Contains(r.text, id) {
				t.Errorf("%s hands out %s: %s", tool, id, r.text)
			}
		}
	}
	h.expectUnaffected(a, l)
}

func TestCallers_WalletHeader(t *testing.T) {
	t.Parallel()
	h := newMultiUserEnv(t, func(o *Options) { o.Wallet = "" })
	a, _, _ := h.callers()
	none := a
	none.Wallet = ""
	nobody := a
	nobody.ID = ""
	for tool, arguments := range validArguments {
		for _, wallet := range []string{walletA, walletB} {
			given := strings.Replace(strings.Replace(arguments, "{", `{"walletId":"`+wallet+`",`, 1), ",}", "}", 1)
			if r := h.callAs(a, tool, given); r.get("code") != guard.CodeInvalidArguments || !strings.Contains(r.get("message"), `unknown argument "walletId"`) || !strings.Contains(r.text, WalletHeader) {
				t.Errorf("%s: %s", tool, r.text)
			}
		}
		for what, r := range map[string]toolResult{
			"no wallet": h.callAs(none, tool, arguments), "no caller": h.call(t.Context(), tool, arguments),
			"no id": h.callAs(nobody, tool, arguments), "no API": h.callAs(Caller{ID: "x", Wallet: walletA}, tool, arguments),
		} {
			if r.get("code") != guard.CodeNotConfigured || !strings.Contains(r.text, WalletHeader) || strings.Contains(r.text, "WESENDALL_") {
				t.Errorf("%s, %s: %s", tool, what, r.text)
			}
		}
	}
	for _, t := range h.toolset.tools {
		if strings.Contains(string(t.inputSchema), walletIDParam) {
			h.Errorf("%s has the wallet in its schema", t.Name)
		}
	}
	if r := h.callAs(a, "get_balance", `{}`); r.isError || !strings.Contains(r.text, walletA) {
		t.Error(r.text)
	}
}

func TestCallers_ReadOnlyToken(t *testing.T) {
	t.Parallel()
	h := newMultiUserEnv(t, nil)
	a, b, _ := h.callers()
	before := h.snapshot(a)
	reader := a
	reader.ReadOnly = true
	for _, tool := range h.toolset.tools {
		arguments := validArguments[tool.Name]
		r := h.callAs(reader, tool.Name, arguments)
		if reads := tool.Endpoint.Effect == api.EffectRead; reads == r.isError || !reads && r.get("code") != guard.CodeReadOnly {
			t.Errorf("%s: %s", tool.Name, r.text)
		}
		if !h.toolset.IsServed(tool.Name) {
			t.Errorf("%s is not listed", tool.Name)
		}
	}
	if h.snapshot(a) != before {
		t.Error(h.snapshot(a))
	}
	if r := h.callAs(b, "create_group", `{"title":"T"}`); r.isError {
		t.Error(r.text)
	}
}

func TestCallers_TokenLimits(t *testing.T) {
	t.Parallel()
	h := newMultiUserEnv(t, func(o *Options) { o.GuardOptions.Limits.ConfirmAbove = 1000 })
	a, _, _ := h.callers()
	limits := guard.Unlimited()
	limits.PerDay = 35
	a.ID, a.Limits = "clinic", &limits
	if r := h.callAs(a, "send_sms", validArguments["send_sms"]); r.isError || !strings.Contains(r.text, "UGX 0 are left") {
		t.Error(r.text)
	}
	if r := h.callAs(a, "send_sms", `{"recipient":"0700000011","message":"Ho"}`); r.get("code") != guard.CodeLimitExceeded || !strings.Contains(r.text, "of this token") {
		t.Error(r.text)
	}
	spends, err := h.ledger.List(t.Context(), time.Time{})
	if err != nil || len(spends) != 1 || spends[0].Caller != "clinic" {
		t.Errorf("%+v, %v", spends, err)
	}
	text, err := json.Marshal(spends[0])
	if err != nil || !strings.Contains(string(text), `"caller":"clinic"`) {
		t.Errorf("%s, %v", text, err)
	}
}

// One caller's calls take a quarter of the turns; the others' go on.
func TestLimiter_Fairness(t *testing.T) {
	t.Parallel()
	h := newMultiUserEnv(t, nil)
	s := h.toolset
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var leaves []func()
	for range maxRunningPerCaller {
		leave, _, err := s.acquire(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leave)
	}
	var waits sync.WaitGroup
	for range maxPerCaller - maxRunningPerCaller {
		waits.Go(func() {
			if _, _, err := s.acquire(ctx, "a"); err == nil {
				t.Error("A has more than its share")
			}
		})
	}
	calls := func() int {
		s.callers.mu.Lock()
		defer s.callers.mu.Unlock()
		return s.callers.byCaller["a"].calls
	}
	for calls() < maxPerCaller { //nolint:revive // the calls queue up, and nothing tells when
	}
	if _, _, err := s.acquire(ctx, "a"); err == nil || !strings.Contains(err.Error(), guard.CodeRateLimited) || !strings.Contains(err.Error(), "this caller has too many calls waiting") {
		t.Error(err)
	}
	if len(s.admitted) != maxRunningPerCaller {
		t.Errorf("A holds %d places that others wait for", len(s.admitted))
	}
	for _, other := range []string{"b", "c", "d"} {
		for range maxRunningPerCaller {
			leave, _, err := s.acquire(t.Context(), other)
			if err != nil {
				t.Fatal(other, err)
			}
			leaves = append(leaves, leave)
		}
	}
	cancel()
	waits.Wait()
	for _, leave := range leaves {
		leave()
	}
	if len(s.admitted) != 0 || len(s.running) != 0 || len(s.callers.byCaller) != 0 {
		t.Errorf("%d, %d and %v are still taken", len(s.admitted), len(s.running), s.callers.byCaller)
	}
}

// Who waits too long for a turn of its own leaves nothing behind, and neither
// does who waits for one among all.
func TestLimiter_CallerTimeout(t *testing.T) {
	t.Parallel()
	h := newMultiUserEnv(t, nil)
	s := h.toolset
	var aside func() func()
	for range maxRunningPerCaller {
		var err error
		if _, aside, err = s.acquire(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	s.acquireTimeout = 0
	a, b, _ := h.callers()
	a.ID = "a"
	if r := h.callAs(a, "get_balance", `{}`); r.get("code") != guard.CodeRateLimited {
		t.Error(r.text)
	}
	if r := h.callAs(b, "get_balance", `{}`); r.isError {
		t.Error(r.text)
	}
	if _, _, err := s.acquire(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "this caller has too many calls running") {
		t.Error(err)
	}
	s.acquireTimeout = time.Minute
	back := aside() // while a person thinks
	leave, _, err := s.acquire(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	leave()
	back()
	for range maxRunning - maxRunningPerCaller {
		s.running <- struct{}{}
	}
	s.acquireTimeout = 0
	if _, _, err := s.acquire(t.Context(), "b"); err == nil || !strings.Contains(err.Error(), "this server has too many calls running") {
		t.Error(err)
	}
	if s.callers.byCaller["b"] != nil || s.callers.byCaller["a"].calls != maxRunningPerCaller || len(s.running) != maxRunning || len(s.admitted) != maxRunningPerCaller {
		t.Errorf("%v, %d, %d", s.callers.byCaller, len(s.running), len(s.admitted))
	}
}

// A person of one caller thinks, and all its other calls go on.
func TestLimiter_YieldDuringElicitation(t *testing.T) {
	t.Parallel()
	release, asked := make(chan struct{}), make(chan struct{}, 2*maxRunningPerCaller)
	h := newMultiUserEnv(t, nil)
	a, _, _ := h.callers()
	m := server.NewMCPServer("test", "1", server.WithToolCapabilities(false), server.WithElicitation())
	h.toolset.Register(m)
	slow, err := client.NewInProcessClientWithOptions(m, client.WithElicitationHandler(slowElicitor{asked, release}))
	if err != nil {
		t.Fatal(err)
	}
	if err := slow.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Initialize(t.Context(), mcp.InitializeRequest{}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range maxRunningPerCaller + 1 {
		all.Go(func() {
			var req mcp.CallToolRequest
			req.Params.Name, req.Params.Arguments = "send_sms", json.RawMessage(fmt.Sprintf(`{"recipient":"0700000010","message":"Hi %d"}`, i))
			if r, err := slow.CallTool(WithCaller(t.Context(), a), req); err != nil || r.IsError {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	for range maxRunningPerCaller + 1 {
		<-asked
	}
	if r := h.callAs(a, "get_balance", `{}`); r.isError {
		t.Error(r.text)
	}
	close(release)
	all.Wait()
}

// slowElicitor is a person who takes a while to say yes.
type slowElicitor struct{ asked, release chan struct{} }

func (p slowElicitor) Elicit(context.Context, mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	p.asked <- struct{}{}
	<-p.release
	return &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{Action: mcp.ElicitationResponseActionAccept}}, nil
}
