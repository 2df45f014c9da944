package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

func TestAnnotations(t *testing.T) {
	t.Parallel()
	want := map[string]Annotations{
		"get_balance":      {ReadOnly: true, Idempotent: true},
		"topup_wallet":     {Destructive: true, OpenWorld: true},
		"send_sms":         {Destructive: true, OpenWorld: true},
		"send_group_sms":   {Destructive: true, OpenWorld: true},
		"list_sms_history": {ReadOnly: true, Idempotent: true},
		"list_groups":      {ReadOnly: true, Idempotent: true},
		"create_group":     {},
		"add_contacts":     {Idempotent: true},
	}
	for _, tool := range AllTools() {
		if got, ok := want[tool.Name]; !ok || tool.Annotations() != got {
			t.Errorf("%s: %+v", tool.Name, tool.Annotations())
		}
		delete(want, tool.Name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestTools_Endpoints(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"get_balance":      `GET /api/v1/account/balance?walletId=wal_1 `,
		"topup_wallet":     `POST /api/v1/account/topup {"amount":500,"phone_number":"+256700000010","walletId":"wal_1"}`,
		"send_sms":         `POST /api/v1/sms/send {"message":"Hi","recipient":"+256700000010","walletId":"wal_1"}`,
		"send_group_sms":   `POST /api/v1/sms/group {"groupId":"grp_1","message":"Hi","walletId":"wal_1"}`,
		"list_sms_history": `GET /api/v1/sms/history?page=2&per_page=20&walletId=wal_1 `,
		"list_groups":      `GET /api/v1/groups?walletId=wal_1 `,
		"create_group":     `POST /api/v1/groups {"title":"T","walletId":"wal_1"}`,
		"add_contacts":     `POST /api/v1/groups/a%2Fb/contacts {"contacts":[{"phone":"+256700000010","name":"S"}],"walletId":"wal_1"}`,
	}
	for tool, arguments := range validArguments {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			r := newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(200, `{"success":true,"data":{"n":12345678901234567890.10}}`))
			got := r.call(t, tool, arguments)
			if all := r.requests(); got.isError || len(all) != 1 || all[0] != want[tool] {
				t.Errorf("asked %q, answered %s", all, got.text)
			}
			if got.get("data") != `{"n":12345678901234567890.10}` || got.get("summary") == "" || got.get("request_id") != "req_1" {
				t.Errorf("answered %s", got.text)
			}
			if _, ok := got.structured["sandbox"]; ok {
				t.Error("real money is called a sandbox's")
			}
		})
	}
}

func TestResults_Derived(t *testing.T) {
	t.Parallel()
	balance := func(data string) toolResult {
		return newTestEnv(t, Options{Wallet: "wal_1", Sandbox: true}, respondWith(200, `{"success":true,"data":`+data+`}`)).call(t, "get_balance", `{}`)
	}
	if got := balance(`{"balance":5000,"cost_per_sms":35}`); got.get("affordable_units") != "142" || !strings.Contains(got.get("summary"), "UGX 5000") || got.get("sandbox") != "true" || !strings.Contains(got.get("summary"), "Sandbox") {
		t.Error(got.text)
	}
	for _, strange := range []string{`{"balance":5000}`, `{"balance":"5000","cost_per_sms":35}`, `[]`, `null`, `{"balance":1,"cost_per_sms":-1}`} {
		if got := balance(strange); got.isError || got.get("affordable_units") != "" || string(got.structured["data"]) != strange {
			t.Errorf("%s: %s", strange, got.text)
		}
	}
	r := newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(200, `{}`))
	got := r.call(t, "send_sms", `{"recipient":["0700000010","0700 000 010","0700000011"],"message":"`+strings.Repeat("a", 161)+`"}`)
	if got.get("recipients") != "2" || got.get("units") != "2" || got.get("estimated_cost") != "140" || !strings.HasPrefix(got.get("summary"), "Accepted for 2 recipients, 2 units each: about UGX 140. UGX ") {
		t.Error(got.text)
	}
}

func TestArguments_Errors(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 1601)
	r := newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(200, `{}`))
	for _, c := range []struct{ tool, arguments, want string }{
		{"topup_wallet", `{"amount":499,"phone_number":"0700000010"}`, "amount: must be at least 500 (got 499)"},
		{"topup_wallet", `{"amount":10000001,"phone_number":"0700000010"}`, "amount: must be at most 10000000 (got 10000001)"},
		{"topup_wallet", `{"amount":"5000","phone_number":"0700000010"}`, "amount: must be a whole number (got a string)"},
		{"topup_wallet", `{"amount":500.5,"phone_number":"0700000010"}`, "amount: must be a whole number (got a number)"},
		{"topup_wallet", `{"amount":null}`, "amount: must be a whole number (got null); phone_number: is required"},
		{"topup_wallet", `{"amount":500,"Amount":9000,"phone_number":"x"}`, `unknown argument "Amount"; did you mean "amount"?`},
		{"send_sms", `{"to":"0700000010","text":"Hi"}`, `message: is required; recipient: is required; unknown argument "text"; did you mean "message"?; unknown argument "to"; did you mean "recipient"?`},
		{"send_sms", `{"recipient":7,"message":"Hi"}`, "recipient: must be a phone number as a string, or an array of at least one"},
		{"send_sms", `{"recipient":[],"message":"Hi"}`, "recipient: must be a phone number as a string, or an array of at least one"},
		{"send_sms", `{"recipient":["0700000010",1],"message":"Hi"}`, "recipient: must be a phone number as a string, or an array of at least one"},
		{"send_sms", `{"recipient":" , ","message":"Hi"}`, "recipient: must name at least one phone number"},
		{"send_sms", `{"recipient":"0700000010","message":""}`, "message: must not be empty"},
		{"send_sms", `{"recipient":"0700000010","message":"` + long + `"}`, "message: must be at most 1600 UTF-16 code units (got 1601)"},
		{"send_sms", `{"recipient":"0700000010","message":"Hi","walletId":"wal_2"}`, "walletId: must not be given; the operator sets the wallet (WESENDALL_WALLET_ID)"},
		{"send_sms", `{"recipient":"","message":"Hi"}`, "recipient: must be a phone number as a string, or an array of at least one"},
		{"send_sms", `{"recipient":"0700000010","message":"Hi","dryRun":true}`, `unknown argument "dryRun"; did you mean "dry_run"?`},
		{"send_sms", `{"recipient":"0700000010","message":"Hi","colour":true}`, `unknown argument "colour"; the arguments are message, recipient, dry_run, quote, allow_duplicate`},
		{"list_sms_history", `{"page":99999999999999999999}`, "page: is a number that is too large"},
		{"get_balance", `{"x":1}`, `unknown argument "x"; this tool takes none`},
		{"list_sms_history", `{"page":0,"limit":5,"per_page":101}`, `page: must be at least 1 (got 0); per_page: must be at most 100 (got 101); unknown argument "limit"; did you mean "per_page"?`},
		{"list_sms_history", `{"page":"five"}`, "page: must be a whole number (got a string)"},
		{"create_group", `{"title":"` + long[:121] + `"}`, "title: must be at most 120 UTF-16 code units (got 121)"},
		{"topup_wallet", `{"amount":499.99999999999999999,"phone_number":"0700000010"}`, "amount: must be a whole number (got a number)"},
		{"topup_wallet", `{"amount":500.00000000000000001,"phone_number":"0700000010"}`, "amount: must be a whole number (got a number)"},
		{"send_sms", `{"recipient":"0700000010","message":"a\ud83d"}`, "message: has half of a character (a lone surrogate), which nobody could read"},
		{"send_sms", `{"recipient":"0700000010","message":"\ude00\ud83d a"}`, "message: has half of a character (a lone surrogate), which nobody could read"},
		{"send_sms", `{"recipient":"0700 000 012 7","message":"Hi"}`, `recipient: "7" is not a phone number`},
		{"add_contacts", `{"groupId":"g","contacts":[]}`, "contacts: must have at least 1 item (got 0)"},
		{"add_contacts", `{"groupId":"g","contacts":["0700000010"]}`, "contacts/0: must be an object (got a string)"},
		{"add_contacts", `{"groupId":"g","contacts":[{"number":"0700000010"}]}`, `contacts/0/phone: is required; contacts/0: unknown argument "number"; did you mean "phone"?`},
		{"add_contacts", `{"groupId":"..","contacts":[{"phone":"0700000010"}]}`, `groupId: must be an id, not ".."`},
	} {
		got := r.call(t, c.tool, c.arguments)
		if !got.isError || got.get("code") != guard.CodeInvalidArguments || got.get("money") != "not_charged" || got.get("retry") != "after_fix" {
			t.Errorf("%s %.90s: %s", c.tool, c.arguments, got.text)
		}
		message := strings.TrimPrefix(got.get("message"), "Nothing was sent. ")
		sentences, wanted := strings.Split(message, "; "), strings.Split(c.want, "; ")
		slices.Sort(sentences)
		slices.Sort(wanted)
		if !slices.Equal(sentences, wanted) {
			t.Errorf("%s %.90s:\n%s\n%s", c.tool, c.arguments, message, c.want)
		}
	}
	if all := r.requests(); len(all) != 0 {
		t.Errorf("sent %q", all)
	}
}

func TestArguments_Limits(t *testing.T) {
	t.Parallel()
	face := strings.Repeat("\U0001F600", 800) // 1,600 UTF-16 code units
	r := newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(200, `{}`))
	for _, c := range [][2]string{
		{"topup_wallet", `{"amount":500,"phone_number":"0700000010"}`},
		{"topup_wallet", `{"amount":10000000,"phone_number":"0700000010"}`},
		{"topup_wallet", `{"amount":5e2,"phone_number":"0700000010"}`},
		{"topup_wallet", `{"amount":500.0,"phone_number":"0700000010"}`},
		{"send_sms", `{"recipient":"0700000010","message":"\ud83d\ude00 \\ud83d \u00e9"}`},
		{"send_sms", `{"recipient":"0700000010","message":"` + face + `"}`},
		{"send_group_sms", `{"groupId":"g","message":"` + strings.Repeat("a", 1600) + `"}`},
		{"send_sms", `{"recipient":"0700000010","message":"Hi","dry_run":null,"quote":null,"allow_duplicate":null}`},
		{"list_sms_history", `{"page":1,"per_page":1}`},
		{"list_sms_history", `{"page":" 9 ","per_page":100}`},
		{"create_group", `{"title":"` + face[:60*4] + `"}`},
	} {
		if got := r.call(t, c[0], c[1]); got.isError {
			t.Errorf("%s: %s", c[0], got.text)
		}
	}
	if got := r.call(t, "send_sms", `{"recipient":"0700000010","message":"`+face+`a"}`); !strings.Contains(got.text, "got 1601") {
		t.Error(got.text)
	}
}

func TestWallet_NotSet(t *testing.T) {
	t.Parallel()
	r := newTestEnv(t, Options{}, respondWith(200, `{}`))
	for tool, arguments := range validArguments {
		got := r.call(t, tool, arguments)
		if reads := r.isRead(tool); reads && !strings.Contains(got.text, "walletId: is required") || !reads && got.get("code") != guard.CodeNotConfigured {
			t.Errorf("%s: %s", tool, got.text)
		}
	}
	if got := r.call(t, "list_groups", `{"walletId":"wal_9"}`); got.isError || !slices.Equal(r.requests(), []string{"GET /api/v1/groups?walletId=wal_9 "}) {
		t.Errorf("%q, %s", r.requests(), got.text)
	}
}

func (env *testEnv) isRead(tool string) bool {
	i := slices.IndexFunc(env.toolset.tools, func(s registeredTool) bool { return s.Name == tool })
	return env.toolset.tools[i].Endpoint.Effect == client.EffectRead
}

func TestCredentials_NotSet(t *testing.T) {
	t.Parallel()
	r := newTestEnv(t, Options{NotConfiguredReason: "set THIS", Wallet: "wal_1"}, nil)
	for tool, arguments := range validArguments {
		if got := r.call(t, tool, arguments); got.get("code") != guard.CodeNotConfigured || !strings.Contains(got.text, "set THIS") {
			t.Errorf("%s: %s", tool, got.text)
		}
	}
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	r := newTestEnv(t, Options{Wallet: "wal_1", ReadOnly: true}, respondWith(200, `{}`))
	for tool, arguments := range validArguments {
		got := r.call(t, tool, arguments)
		if r.isRead(tool) == got.isError || got.isError && got.get("code") != guard.CodeReadOnly {
			t.Errorf("%s: %s", tool, got.text)
		}
	}
	for _, request := range r.requests() {
		if !strings.HasPrefix(request, "GET ") {
			t.Error(request)
		}
	}
	all, err := r.host.ListTools(t.Context(), mcp.ListToolsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range r.toolset.SortTools(all.Tools) {
		names = append(names, tool.Name)
	}
	if !slices.Equal(names, []string{"get_balance", "list_sms_history", "list_groups"}) {
		t.Error(names)
	}
}

func TestToolFilter(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Names: []string{"list_groups", "get_balance"}})
	if err != nil || !slices.Equal(s.Names(), []string{"get_balance", "list_groups"}) {
		t.Errorf("%v, %v", s, err)
	}
	if _, err := New(Options{Names: []string{"get_balanc"}}); err == nil || !strings.Contains(err.Error(), "get_balanc") {
		t.Error(err)
	}
}

func TestErrors_AsResult(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"success":false,"error":{"code":"insufficient_balance","message":"Too little"}}`: "insufficient_balance",
		`<html>`: guard.CodeOutcomeUnknown,
	} {
		r := newTestEnv(t, Options{Wallet: "wal_1", Sandbox: true}, respondWith(402, body))
		got := r.call(t, "send_sms", validArguments["send_sms"])
		if !got.isError || got.get("code") != want || got.get("http_status") != "402" || got.get("request_id") != "req_1" || got.get("sandbox") != "true" {
			t.Error(got.text)
		}
	}
}

// panickingAPI is an API that fails in a way that nobody expects.
type panickingAPI struct{ guard.API }

func TestPanic_Result(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := &testEnv{}
	r.connect(t, Options{API: panickingAPI{}, Wallet: "wal_1", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if got := r.call(t, "send_sms", validArguments["send_sms"]); got.get("code") != guard.CodeOutcomeUnknown || got.get("money") != "unknown" {
		t.Error(got.text)
	}
	if got := r.call(t, "get_balance", `{}`); got.get("code") != guard.CodeBadResponse {
		t.Error(got.text)
	}
	if !strings.Contains(log.String(), "a tool failed") {
		t.Error("the panic is not in the log")
	}
}

func TestLog_NoArguments(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := newTestEnv(t, Options{Wallet: "wal_1", Logger: slog.New(slog.NewTextHandler(&log, nil))}, respondWith(402, `{"code":"insufficient_balance"}`))
	r.call(t, "send_sms", `{"recipient":"0700000010","message":"private words"}`)
	line := log.String()
	if strings.Contains(line, "0700000010") || strings.Contains(line, "private") {
		t.Error(line)
	}
	for _, want := range []string{"tool=send_sms", "duration_ms=", "outcome=insufficient_balance", "attempts=1", "request_id=req_1"} {
		if !strings.Contains(line, want) || strings.Count(line, "\n") != 1 {
			t.Errorf("no %s in %s", want, line)
		}
	}
}

func TestLimiter_QueueFull(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Wallet: "wal_1"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var waitingCalls sync.WaitGroup
	for range maxRunning {
		if _, _, err := s.acquire(ctx, ""); err != nil {
			t.Fatal(err)
		}
	}
	for range maxWaiting {
		waitingCalls.Go(func() {
			if _, _, err := s.acquire(ctx, ""); err == nil {
				t.Error("more calls run than may")
			}
		})
	}
	for len(s.admitted) < maxRunning+maxWaiting { //nolint:revive // the calls queue up, and nothing tells when
	}
	if _, _, err := s.acquire(ctx, ""); err == nil || !strings.Contains(err.Error(), guard.CodeRateLimited) {
		t.Error(err)
	}
	cancel()
	waitingCalls.Wait()
	if len(s.admitted) != maxRunning {
		t.Errorf("%d places are still taken", len(s.admitted))
	}
}

func TestLimiter_Timeout(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Wallet: "wal_1"})
	if err != nil {
		t.Fatal(err)
	}
	if s.acquireTimeout > 10*time.Second {
		t.Error("with 45 seconds for the call itself, a host would have given up")
	}
	s.acquireTimeout = 0
	for range maxRunning {
		s.running <- struct{}{}
	}
	if _, _, err := s.acquire(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "too many calls running") || len(s.admitted) != 0 {
		t.Errorf("%v, %d in the queue", err, len(s.admitted))
	}
}

func TestLimiter_Concurrency(t *testing.T) {
	t.Parallel()
	const calls = 32
	var all sync.WaitGroup
	all.Add(calls)
	r := newTestEnv(t, Options{Wallet: "wal_1"}, func(w http.ResponseWriter, _ *http.Request) {
		all.Done()
		all.Wait() // until every one of them is here
		_, _ = fmt.Fprint(w, `{}`)
	})
	var done sync.WaitGroup
	for i := range calls {
		done.Go(func() {
			if got := r.call(t, "send_sms", fmt.Sprintf(`{"recipient":"0700000010","message":"Hi %d"}`, i)); got.isError {
				t.Error(got.text)
			}
		})
	}
	done.Wait()
}

func TestSanitize_Results(t *testing.T) {
	t.Parallel()
	dirty := "a\u202eb\u200b\u00adc\u0007\u001b[31md\ufe0f\U000e0041\u2066\nnew\tline <b>&"
	literal, err := json.Marshal(dirty)
	if err != nil {
		t.Fatal(err)
	}
	r := newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(200, `{"data":{"m":`+string(literal)+`,"n":1.50,"q":"a\"\u0041"}}`))
	got := r.call(t, "list_sms_history", `{}`)
	if want := `{"data":{"m":"abc[31md\nnew\tline <b>&","n":1.50,"q":"a\"\u0041"}}`; got.get("data") != want {
		t.Errorf("%s", got.get("data"))
	}
	r = newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(404, `{"message":`+string(literal)+`}`))
	if got := r.call(t, "list_groups", `{}`); strings.ContainsAny(got.get("message"), "\u202e\u200b\u0007") || got.get("message") == "" {
		t.Error(got.text)
	}
}

func FuzzArguments(f *testing.F) {
	s, err := New(Options{Wallet: "wal_1"})
	if err != nil {
		f.Fatal(err)
	}
	for i, tool := range AllTools() {
		f.Add(i, []byte(validArguments[tool.Name]))
	}
	f.Add(4, []byte(`{"page":99999999999999999999}`))
	f.Add(2, []byte(`{"recipient":["0700000010"],"message":"\ud800","x":[[1e9999]]}`))
	f.Fuzz(func(t *testing.T, i int, raw []byte) {
		tool := s.tools[uint(i)%uint(len(s.tools))]
		args, problems := tool.decodeArguments(raw)
		if len(problems) > 0 {
			return
		}
		// Valid arguments fit the request and reach the guard.
		_, err := tool.run(t.Context(), &invocation{guard: guard.New(acceptingAPI{}, *confirmOffOptions())}, args)
		if guardErr := toError(tool, err); guardErr != nil && strings.Contains(guardErr.Message, "does not fit") {
			t.Errorf("%v of %q", err, raw)
		}
	})
}

func FuzzClean(f *testing.F) {
	f.Add("a\u200bb\"\\")
	f.Fuzz(func(t *testing.T, text string) {
		literal, err := json.Marshal(map[string]string{text: text})
		if err != nil {
			t.Skip() // not a text
		}
		got := sanitize.JSON(literal)
		var back map[string]string
		if err := json.Unmarshal(got, &back); err != nil || len(back) != 1 {
			t.Fatalf("%s of %q: %v", got, text, err)
		}
		for name, value := range back {
			if name != value || sanitize.Text(value) != value {
				t.Errorf("%q of %q", value, text)
			}
		}
	})
}

// acceptingAPI answers every call with an empty success.
type acceptingAPI struct{}

var emptyResponse = &client.Response{Data: json.RawMessage("{}")}

func (acceptingAPI) Balance(context.Context, client.BalanceRequest) (*client.Response, error) {
	return emptyResponse, nil
}
func (acceptingAPI) TopUp(context.Context, client.TopUpRequest) (*client.Response, error) {
	return emptyResponse, nil
}
func (acceptingAPI) Send(context.Context, client.SendRequest) (*client.Response, error) {
	return emptyResponse, nil
}
func (acceptingAPI) SendGroup(context.Context, client.SendGroupRequest) (*client.Response, error) {
	return emptyResponse, nil
}
func (acceptingAPI) History(context.Context, client.HistoryRequest) (*client.Response, error) {
	return emptyResponse, nil
}
func (acceptingAPI) Groups(context.Context, client.GroupsRequest) (*client.Response, error) {
	return emptyResponse, nil
}
func (acceptingAPI) CreateGroup(context.Context, client.CreateGroupRequest) (*client.Response, error) {
	return emptyResponse, nil
}
func (acceptingAPI) AddContacts(context.Context, client.AddContactsRequest) (*client.Response, error) {
	return emptyResponse, nil
}
