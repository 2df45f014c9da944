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
	"github.com/wesendall/wesendall-mcp/guard"
	"github.com/wesendall/wesendall-mcp/sandbox"
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

// house is one server with many callers, before the sandbox.
type house struct {
	*testing.T
	set    *Set
	legacy *client.Client // that can ask its person
	ledger *guard.Ledger  // to look at
	url    string

	answer    atomic.Value // of a person: a mcp.ElicitationResponseAction
	mu        sync.Mutex
	questions []string
}

func newHouse(t *testing.T, change func(*Options)) *house {
	t.Helper()
	s, err := sandbox.Open(t.Context(), sandbox.Options{Accounts: accounts, ApproveAfter: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	vendor := httptest.NewServer(s)
	t.Cleanup(func() { vendor.Close(); _ = s.Close() })
	h := &house{T: t, url: vendor.URL}
	file := filepath.Join(t.TempDir(), "ledger.db")
	g := guard.Defaults()
	g.Base, g.Rate, g.Limits.ConfirmAbove = vendor.URL, 0, 0
	g.Ledger = func(ctx context.Context) (*guard.Ledger, error) { return guard.OpenLedger(ctx, file) }
	o := Options{Callers: true, Guard: &g, Wallet: "wal_of_the_operator"}
	if change != nil {
		change(&o)
	}
	if h.set, err = New(o); err != nil {
		t.Fatal(err)
	}
	if h.ledger, err = guard.OpenLedger(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	m := server.NewMCPServer("test", "1", server.WithToolCapabilities(false), server.WithElicitation())
	h.set.Register(m)
	if h.legacy, err = client.NewInProcessClientWithOptions(m, client.WithElicitationHandler(h)); err != nil {
		t.Fatal(err)
	}
	if err := h.legacy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.legacy.Initialize(t.Context(), mcp.InitializeRequest{}); err != nil {
		t.Fatal(err)
	}
	h.answer.Store(mcp.ElicitationResponseActionDecline)
	t.Cleanup(func() { _ = h.legacy.Close(); _ = h.set.Close(); _ = h.ledger.Close() })
	return h
}

// Elicit is the person.
func (h *house) Elicit(_ context.Context, q mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.questions = append(h.questions, q.Params.Message)
	action, _ := h.answer.Load().(mcp.ElicitationResponseAction)
	return &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{Action: action}}, nil
}

// asked are the questions since the last time.
func (h *house) asked() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := strings.Join(h.questions, "\n")
	h.questions = nil
	return all
}

// caller is somebody whose id is made of the credentials, as the transport does.
func (h *house) caller(key, secret, wallet string) Caller {
	h.Helper()
	c, err := api.New(api.Options{
		BaseURL: h.url, Key: key, Secret: api.NewSecret(secret),
		Sleep: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		h.Fatal(err)
	}
	id, err := h.set.CallerID(h.Context(), key, secret)
	if err != nil || strings.Contains(id, secret) {
		h.Fatal(id, err)
	}
	return Caller{ID: id, API: c, Wallet: wallet}
}

func (h *house) callers() (a, b, c Caller) {
	return h.caller("key_a", "ws_secret_of_a", walletA), h.caller("key_b", "ws_secret_of_b", walletB), h.caller("key_c", "ws_secret_of_c", walletA)
}

// call makes a call of the handshake era.
func (h *house) call(ctx context.Context, tool, arguments string) reply {
	h.Helper()
	var q mcp.CallToolRequest
	q.Params.Name, q.Params.Arguments = tool, json.RawMessage(arguments)
	result, err := h.legacy.CallTool(ctx, q)
	if err != nil {
		h.Fatal(err)
	}
	return h.reply(result)
}

func (h *house) as(c Caller, tool, arguments string) reply {
	h.Helper()
	return h.call(WithCaller(h.Context(), c), tool, arguments)
}

// modern makes a call of 2026-07-28, with a person's answer where one is given.
func (h *house) modern(c Caller, asks bool, tool, arguments, state, action string) reply {
	h.Helper()
	info := &server.RequestProtocolInfo{Modern: true, ProtocolVersion: "2026-07-28", ClientCapabilities: &mcp.ClientCapabilities{}}
	if asks {
		info.ClientCapabilities.Elicitation = &mcp.ElicitationCapability{}
	}
	var q mcp.CallToolRequest
	q.Params.Name, q.Params.RawArguments, q.Params.RequestState = tool, json.RawMessage(arguments), state
	if action != "" {
		q.Params.InputResponses = mcp.InputResponses{confirm: {Elicitation: &mcp.ElicitationResult{
			ElicitationResponse: mcp.ElicitationResponse{Action: mcp.ElicitationResponseAction(action)},
		}}}
	}
	at := slices.IndexFunc(h.set.served, func(t served) bool { return t.Name == tool })
	return h.reply(h.set.answer(server.WithRequestProtocolInfo(WithCaller(h.Context(), c), info), h.set.served[at], q))
}

// reply is a result with everything that a client gets.
func (h *house) reply(r *mcp.CallToolResult) reply {
	h.Helper()
	whole, err := json.Marshal(r)
	if err != nil {
		h.Fatal(err)
	}
	out := reply{isError: r.IsError, text: string(whole)}
	if len(r.Content) == 1 {
		text, _ := r.Content[0].(mcp.TextContent)
		_ = json.Unmarshal([]byte(text.Text), &out.structured)
	}
	if r.RequestState != "" {
		out.structured = map[string]json.RawMessage{"state": json.RawMessage(`"` + r.RequestState + `"`)}
	}
	return out
}

func (r reply) quote(t *testing.T) string {
	t.Helper()
	var quote struct{ ID string }
	if err := json.Unmarshal(r.structured["quote"], &quote); err != nil || quote.ID == "" {
		t.Fatal(r.text)
	}
	return quote.ID
}

// known is all that the vendor and the ledger know of a wallet.
func (h *house) known(c Caller) string {
	h.Helper()
	var all []string
	for _, read := range []func() (*api.Response, error){
		func() (*api.Response, error) {
			return c.API.Balance(h.Context(), api.BalanceRequest{WalletID: c.Wallet})
		},
		func() (*api.Response, error) {
			return c.API.History(h.Context(), api.HistoryRequest{WalletID: c.Wallet, PerPage: 100})
		},
		func() (*api.Response, error) {
			return c.API.Groups(h.Context(), api.GroupsRequest{WalletID: c.Wallet})
		},
	} {
		r, err := read()
		if err != nil {
			h.Fatal(err)
		}
		all = append(all, string(r.Data))
	}
	spends, err := h.ledger.Spends(h.Context(), time.Time{})
	if err != nil {
		h.Fatal(err)
	}
	for _, s := range spends {
		if strings.HasSuffix(s.Account, c.Wallet) {
			all = append(all, fmt.Sprintf("%+v", s))
		}
	}
	return strings.Join(all, "\n")
}

// life is what A did: what nobody else may see, and the arguments of its calls.
type life struct {
	secrets      []string
	arguments    map[string]string   // by tool
	fresh, asked map[string]string   // quotes by tool that can still be used
	used         map[string]string   // and one that cannot
	quotes       map[string][]string // all of them
}

// lives makes A use every tool.
func (h *house) lives(a Caller) life {
	h.Helper()
	group := func(r reply) string {
		var made struct{ ID string }
		if json.Unmarshal(r.structured["data"], &made) != nil || made.ID == "" {
			h.Fatal(r.text)
		}
		return made.ID
	}(h.as(a, "create_group", `{"title":"Patients of A"}`))
	if r := h.as(a, "add_contacts", `{"groupId":"`+group+`","contacts":[{"phone":"+256700000091","name":"Okello"}]}`); r.isError {
		h.Fatal(r.text)
	}
	l := life{
		secrets: []string{group, "Patients", "test results", "Reminder", "700000092", "700000093", fmt.Sprint(balanceA), "54,", "UGX 35)", "UGX 777", "UGX 70)", "ws_secret", a.ID, walletA},
		arguments: map[string]string{
			"send_sms":       `{"recipient":["+256700000092"],"message":"Your test results"`,
			"send_group_sms": `{"groupId":"` + group + `","message":"Reminder"`,
			"topup_wallet":   `{"amount":777,"phone_number":"+256700000093"`,
		},
		fresh: map[string]string{}, asked: map[string]string{}, used: map[string]string{}, quotes: map[string][]string{},
	}
	for tool, arguments := range l.arguments {
		l.fresh[tool] = h.as(a, tool, arguments+`,"dry_run":true}`).quote(h.T)
		asked := h.modern(a, true, tool, arguments+`}`, "", "")
		if l.asked[tool] = asked.get("state"); l.asked[tool] == "" {
			h.Fatal(asked.text)
		}
		l.used[tool] = h.modern(a, false, tool, arguments+`,"dry_run":true}`, "", "").quote(h.T)
		if r := h.modern(a, false, tool, arguments+`,"quote":"`+l.used[tool]+`"}`, "", ""); r.isError {
			h.Fatal(r.text)
		}
		l.quotes[tool] = []string{l.fresh[tool], l.asked[tool], l.used[tool]}
		l.secrets = append(l.secrets, l.quotes[tool]...)
	}
	h.asked()
	return l
}

// tries is somebody else's try at everything of A's, in every way. It returns
// what each tool said.
func (h *house) tries(c Caller, l life, group string) map[string][]reply {
	h.Helper()
	said := map[string][]reply{}
	for tool, arguments := range map[string]string{
		"get_balance": `{`, "list_sms_history": `{"page":1`, "list_groups": `{`,
		"create_group": `{"title":"Mine"`, "add_contacts": `{"groupId":"` + group + `","contacts":[{"phone":"+256700000094"}]`,
	} {
		said[tool] = append(said[tool], h.as(c, tool, arguments+"}"), h.modern(c, true, tool, arguments+"}", "", ""),
			h.modern(c, true, tool, arguments+"}", l.asked["send_sms"], "accept"))
	}
	for tool, arguments := range l.arguments {
		for _, more := range []string{``, `,"dry_run":true`, `,"allow_duplicate":true`, `,"dry_run":true,"allow_duplicate":true`} {
			said[tool] = append(said[tool], h.as(c, tool, arguments+more+"}"), h.modern(c, false, tool, arguments+more+"}", "", ""), h.modern(c, true, tool, arguments+more+"}", "", ""))
		}
		for _, id := range l.quotes[tool] {
			with := arguments + `,"quote":"` + id + `"}`
			said[tool] = append(said[tool], h.as(c, tool, with), h.modern(c, false, tool, with, "", ""), h.modern(c, true, tool, with, "none", "decline"),
				h.modern(c, true, tool, arguments+"}", id, "accept"), h.modern(c, true, tool, arguments+"}", id, "decline"))
		}
		h.answer.Store(mcp.ElicitationResponseActionAccept)
		said[tool] = append(said[tool], h.as(c, tool, arguments+"}"))
		h.answer.Store(mcp.ElicitationResponseActionDecline)
	}
	return said
}

// Whatever another does, A's own life is as before: its quotes count, and what
// was used is used.
func (h *house) goesOn(a Caller, l life) {
	h.Helper()
	for tool, arguments := range l.arguments {
		again := `,"allow_duplicate":true}`
		if r := h.modern(a, false, tool, arguments+`,"quote":"`+l.used[tool]+`"}`, "", ""); r.get("code") != guard.DuplicateSend {
			h.Errorf("%s: %s", tool, r.text)
		}
		if r := h.as(a, tool, arguments+`}`); r.get("code") != guard.DuplicateSend {
			h.Errorf("%s: %s", tool, r.text)
		}
		// Only for what they say can they be used, which is burnt then.
		if r := h.modern(a, false, tool, arguments+`,"quote":"`+l.fresh[tool]+`"`+again, "", ""); !strings.Contains(r.text, "the quote was for something else") {
			h.Errorf("%s: %s", tool, r.text)
		}
		if r := h.modern(a, true, tool, arguments+again, l.asked[tool], "accept"); !strings.Contains(r.text, "the quote was for something else") {
			h.Errorf("%s: %s", tool, r.text)
		}
	}
}

func TestTwoCallersSeeNothingOfEachOther(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	a, b, _ := h.callers()
	l := h.lives(a)
	before := h.known(a)
	for tool, said := range h.tries(b, l, "grp_of_b") {
		for _, r := range said {
			for _, secret := range l.secrets {
				// What B said itself comes back, in its own quotes and questions.
				if !strings.Contains(l.arguments[tool], secret) && strings.Contains(r.text, secret) && !strings.Contains(secret, "UGX 777") {
					t.Errorf("%s tells B of %q: %s", tool, secret, r.text)
				}
			}
			if r.get("code") == guard.DuplicateSend || strings.Contains(r.text, "repeats") || strings.Contains(r.text, "earlier") {
				t.Errorf("%s: %s", tool, r.text)
			}
		}
	}
	if asked := h.asked(); strings.Contains(asked, "repeats") || strings.Contains(asked, "54,") || asked == "" {
		t.Error(asked)
	}
	if after := h.known(a); after != before {
		t.Errorf("A had\n%s\nand has\n%s", before, after)
	}
	h.goesOn(a, l)
	if strings.Contains(h.known(b), a.ID) {
		t.Error(h.known(b))
	}
}

func TestWrongCredentialsGetTheVendorsRefusalAlone(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	a, b, _ := h.callers()
	l := h.lives(a)
	before := h.known(a)
	bOnA := b
	bOnA.Wallet = walletA
	for code, who := range map[string]Caller{"invalid_credentials": h.caller("key_a", "ws_secret_of_nobody", walletA), "wallet_forbidden": bOnA} {
		for tool, said := range h.tries(who, l, "grp_1") {
			for _, r := range said {
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
	if asked := h.asked(); asked != "" {
		t.Error(asked)
	}
	if after := h.known(a); after != before {
		t.Errorf("A had\n%s\nand has\n%s", before, after)
	}
	h.goesOn(a, l)
}

// With another key to the same wallet what was sent is known, and A's quotes are
// not.
func TestAnotherKeyToTheWalletHasQuotesOfItsOwn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	a, _, c := h.callers()
	l := h.lives(a)
	for tool, arguments := range l.arguments {
		none := h.modern(c, false, tool, arguments+`,"quote":"none"}`, "", "").get("message")
		for _, id := range l.quotes[tool] {
			for _, r := range []reply{
				h.modern(c, false, tool, arguments+`,"quote":"`+id+`"}`, "", ""),
				h.modern(c, true, tool, arguments+`}`, id, "accept"),
				h.as(c, tool, arguments+`,"quote":"`+id+`"}`),
			} {
				if r.get("message") != none || !strings.Contains(none, "there is no such quote") {
					t.Errorf("%s: %s", tool, r.text)
				}
			}
			if r := h.modern(c, true, tool, arguments+`}`, id, "decline"); r.get("code") != guard.Declined {
				t.Errorf("%s: %s", tool, r.text)
			}
		}
		r := h.as(c, tool, arguments+`}`)
		if r.get("code") != guard.DuplicateSend {
			t.Errorf("%s: %s", tool, r.text)
		}
		r.text += h.modern(c, true, tool, arguments+`,"allow_duplicate":true}`, "", "").text + h.modern(c, false, tool, arguments+`,"dry_run":true,"allow_duplicate":true}`, "", "").text
		for _, id := range append(l.quotes[tool], a.ID) {
			if strings.Contains(r.text, id) {
				t.Errorf("%s hands out %s: %s", tool, id, r.text)
			}
		}
	}
	h.goesOn(a, l)
}

func TestTheWalletIsTheHeaders(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *Options) { o.Wallet = "" })
	a, _, _ := h.callers()
	none := a
	none.Wallet = ""
	nobody := a
	nobody.ID = ""
	for tool, arguments := range right {
		for _, wallet := range []string{walletA, walletB} {
			given := strings.Replace(strings.Replace(arguments, "{", `{"walletId":"`+wallet+`",`, 1), ",}", "}", 1)
			if r := h.as(a, tool, given); r.get("code") != guard.InvalidArguments || !strings.Contains(r.get("message"), `unknown argument "walletId"`) || !strings.Contains(r.text, WalletHeader) {
				t.Errorf("%s: %s", tool, r.text)
			}
		}
		for what, r := range map[string]reply{
			"no wallet": h.as(none, tool, arguments), "no caller": h.call(t.Context(), tool, arguments),
			"no id": h.as(nobody, tool, arguments), "no API": h.as(Caller{ID: "x", Wallet: walletA}, tool, arguments),
		} {
			if r.get("code") != guard.NotConfigured || !strings.Contains(r.text, WalletHeader) || strings.Contains(r.text, "WESENDALL_") {
				t.Errorf("%s, %s: %s", tool, what, r.text)
			}
		}
	}
	for _, t := range h.set.served {
		if strings.Contains(string(t.input), walletID) {
			h.Errorf("%s has the wallet in its schema", t.Name)
		}
	}
	if r := h.as(a, "get_balance", `{}`); r.isError || !strings.Contains(r.text, walletA) {
		t.Error(r.text)
	}
}

func TestATokenMayReadAlone(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	a, b, _ := h.callers()
	before := h.known(a)
	reader := a
	reader.ReadOnly = true
	for _, tool := range h.set.served {
		arguments := right[tool.Name]
		r := h.as(reader, tool.Name, arguments)
		if reads := tool.Endpoint.Effect == api.Reads; reads == r.isError || !reads && r.get("code") != guard.ReadOnly {
			t.Errorf("%s: %s", tool.Name, r.text)
		}
		if !h.set.Shows(tool.Name) {
			t.Errorf("%s is not listed", tool.Name)
		}
	}
	if h.known(a) != before {
		t.Error(h.known(a))
	}
	if r := h.as(b, "create_group", `{"title":"T"}`); r.isError {
		t.Error(r.text)
	}
}

func TestATokensNameAndLimitsAreHeld(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *Options) { o.Guard.Limits.ConfirmAbove = 1000 })
	a, _, _ := h.callers()
	own := guard.NoLimits()
	own.PerDay = 35
	a.ID, a.Limits = "clinic", &own
	if r := h.as(a, "send_sms", right["send_sms"]); r.isError || !strings.Contains(r.text, "UGX 0 are left") {
		t.Error(r.text)
	}
	if r := h.as(a, "send_sms", `{"recipient":"0700000011","message":"Ho"}`); r.get("code") != guard.LimitExceeded || !strings.Contains(r.text, "of this token") {
		t.Error(r.text)
	}
	spends, err := h.ledger.Spends(t.Context(), time.Time{})
	if err != nil || len(spends) != 1 || spends[0].Caller != "clinic" {
		t.Errorf("%+v, %v", spends, err)
	}
	text, err := json.Marshal(spends[0])
	if err != nil || !strings.Contains(string(text), `"caller":"clinic"`) {
		t.Errorf("%s, %v", text, err)
	}
}

// One caller's calls take a quarter of the turns; the others' go on.
func TestOneCallerDoesNotStarveTheOthers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	s := h.set
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var leaves []func()
	for range ofOne {
		leave, _, err := s.enter(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leave)
	}
	var waits sync.WaitGroup
	for range ofOneInAll - ofOne {
		waits.Go(func() {
			if _, _, err := s.enter(ctx, "a"); err == nil {
				t.Error("A has more than its share")
			}
		})
	}
	calls := func() int {
		s.shares.mu.Lock()
		defer s.shares.mu.Unlock()
		return s.shares.of["a"].calls
	}
	for calls() < ofOneInAll { //nolint:revive // the calls queue up, and nothing tells when
	}
	if _, _, err := s.enter(ctx, "a"); err == nil || !strings.Contains(err.Error(), guard.RateLimited) || !strings.Contains(err.Error(), "this caller has too many calls waiting") {
		t.Error(err)
	}
	if len(s.queue) != ofOne {
		t.Errorf("A holds %d places that others wait for", len(s.queue))
	}
	for _, other := range []string{"b", "c", "d"} {
		for range ofOne {
			leave, _, err := s.enter(t.Context(), other)
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
	if len(s.queue) != 0 || len(s.slots) != 0 || len(s.shares.of) != 0 {
		t.Errorf("%d, %d and %v are still taken", len(s.queue), len(s.slots), s.shares.of)
	}
}

// Who waits too long for a turn of its own leaves nothing behind, and neither
// does who waits for one among all.
func TestWaitingForATurnOfOnesOwnEnds(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	s := h.set
	var aside func() func()
	for range ofOne {
		var err error
		if _, aside, err = s.enter(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	s.patience = 0
	a, b, _ := h.callers()
	a.ID = "a"
	if r := h.as(a, "get_balance", `{}`); r.get("code") != guard.RateLimited {
		t.Error(r.text)
	}
	if r := h.as(b, "get_balance", `{}`); r.isError {
		t.Error(r.text)
	}
	if _, _, err := s.enter(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "this caller has too many calls running") {
		t.Error(err)
	}
	s.patience = time.Minute
	back := aside() // while a person thinks
	leave, _, err := s.enter(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	leave()
	back()
	for range atOnce - ofOne {
		s.slots <- struct{}{}
	}
	s.patience = 0
	if _, _, err := s.enter(t.Context(), "b"); err == nil || !strings.Contains(err.Error(), "this server has too many calls running") {
		t.Error(err)
	}
	if s.shares.of["b"] != nil || s.shares.of["a"].calls != ofOne || len(s.slots) != atOnce || len(s.queue) != ofOne {
		t.Errorf("%v, %d, %d", s.shares.of, len(s.slots), len(s.queue))
	}
}

// A person of one caller thinks, and all its other calls go on.
func TestAQuestionTakesNoTurnOfACaller(t *testing.T) {
	t.Parallel()
	release, asked := make(chan struct{}), make(chan struct{}, 2*ofOne)
	h := newHouse(t, nil)
	a, _, _ := h.callers()
	m := server.NewMCPServer("test", "1", server.WithToolCapabilities(false), server.WithElicitation())
	h.set.Register(m)
	slow, err := client.NewInProcessClientWithOptions(m, client.WithElicitationHandler(thinks{asked, release}))
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
	for i := range ofOne + 1 {
		all.Go(func() {
			var q mcp.CallToolRequest
			q.Params.Name, q.Params.Arguments = "send_sms", json.RawMessage(fmt.Sprintf(`{"recipient":"0700000010","message":"Hi %d"}`, i))
			if r, err := slow.CallTool(WithCaller(t.Context(), a), q); err != nil || r.IsError {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	for range ofOne + 1 {
		<-asked
	}
	if r := h.as(a, "get_balance", `{}`); r.isError {
		t.Error(r.text)
	}
	close(release)
	all.Wait()
}

// thinks is a person who takes a while to say yes.
type thinks struct{ asked, release chan struct{} }

func (p thinks) Elicit(context.Context, mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	p.asked <- struct{}{}
	<-p.release
	return &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{Action: mcp.ElicitationResponseActionAccept}}, nil
}
