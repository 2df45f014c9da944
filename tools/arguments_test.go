package tools

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// argumentError is a call with wrong arguments and the sentences that it gets.
type argumentError struct{ tool, arguments, want string }

func TestArguments_NumberErrors(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 121)
	expectArgumentErrors(t, []argumentError{
		{"topup_wallet", `{"amount":499,"phone_number":"0700000010"}`, "amount: must be at least 500 (got 499)"},
		{"topup_wallet", `{"amount":10000001,"phone_number":"0700000010"}`,
			"amount: must be at most 10000000 (got 10000001)"},
		{"topup_wallet", `{"amount":"5000","phone_number":"0700000010"}`, "amount: must be a whole number (got a string)"},
		{"topup_wallet", `{"amount":500.5,"phone_number":"0700000010"}`, "amount: must be a whole number (got a number)"},
		{"topup_wallet", `{"amount":null}`, "amount: is required; phone_number: is required"},
		{"topup_wallet", `{"amount":500,"Amount":9000,"phone_number":"x"}`,
			`unknown argument "Amount"; did you mean "amount"?`},
		{"list_sms_history", `{"page":99999999999999999999}`, "page: is a number that is too large"},
		{"list_sms_history", `{"page":0,"limit":5,"per_page":101}`,
			`page: must be at least 1 (got 0); per_page: must be at most 100 (got 101); ` +
				`unknown argument "limit"; did you mean "per_page"?`},
		{"list_sms_history", `{"page":"five"}`, "page: must be a whole number (got a string)"},
		{"create_group", `{"title":"` + long + `"}`, "title: must be at most 120 UTF-16 code units (got 121)"},
		{"topup_wallet", `{"amount":499.99999999999999999,"phone_number":"0700000010"}`,
			"amount: must be a whole number (got a number)"},
		{"topup_wallet", `{"amount":500.00000000000000001,"phone_number":"0700000010"}`,
			"amount: must be a whole number (got a number)"},
	})
}

func TestArguments_SendErrors(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 1601)
	expectArgumentErrors(t, []argumentError{
		{"send_sms", `{"to":"0700000010","text":"Hi"}`,
			`message: is required; recipient: is required; unknown argument "text"; did you mean "message"?; ` +
				`unknown argument "to"; did you mean "recipient"?`},
		{"send_sms", `{"recipient":7,"message":"Hi"}`, "recipient: write it in quotes"},
		{"send_sms", `{"recipient":true,"message":"Hi"}`,
			"recipient: must be a phone number as a string, or an array of at least one"},
		{"send_sms", `{"recipient":[],"message":"Hi"}`,
			"recipient: must be a phone number as a string, or an array of at least one"},
		{"send_sms", `{"recipient":["0700000010",1],"message":"Hi"}`, "recipient/1: write it in quotes"},
		{"send_sms", `{"recipient":" , ","message":"Hi"}`, "recipient: must name at least one phone number"},
		{"send_sms", `{"recipient":"0700000010","message":""}`, "message: must not be empty"},
		{"send_sms", `{"recipient":"0700000010","message":"` + long + `"}`,
			"message: must be at most 1600 UTF-16 code units (got 1601)"},
		{"send_sms", `{"recipient":"0700000010","message":"Hi","walletId":"wal_2"}`,
			"walletId: must not be given; the operator sets the wallet (WESENDALL_WALLET_ID)"},
		{"send_sms", `{"recipient":"","message":"Hi"}`, "recipient: is empty"},
		{"send_sms", `{"recipient":"0700000010","message":"Hi","dryRun":true}`,
			`unknown argument "dryRun"; did you mean "dry_run"?`},
		{"send_sms", `{"recipient":"0700000010","message":"Hi","colour":true}`,
			`unknown argument "colour"; the arguments are message, recipient, dry_run, quote, allow_duplicate`},
		{"send_sms", `{"recipient":"0700000010","message":"a\ud83d"}`,
			"message: has half of a character (a lone surrogate), which nobody could read"},
		{"send_sms", `{"recipient":"0700000010","message":"\ude00\ud83d a"}`,
			"message: has half of a character (a lone surrogate), which nobody could read"},
		{"send_sms", `{"recipient":"0700 000 012 7","message":"Hi"}`, `recipient, item 2: "7" is not a phone number`},
	})
}

func TestArguments_ContactErrors(t *testing.T) {
	t.Parallel()
	expectArgumentErrors(t, []argumentError{
		{"add_contacts", `{"groupId":"g","contacts":[]}`, "contacts: must have at least 1 item (got 0)"},
		{"add_contacts", `{"groupId":"g","contacts":["0700000010"]}`, "contacts/0: must be an object (got a string)"},
		{"add_contacts", `{"groupId":"g","contacts":[{"number":"0700000010"}]}`,
			`contacts/0/phone: is required; contacts/0: unknown argument "number"; did you mean "phone"?`},
		{"add_contacts", `{"groupId":"..","contacts":[{"phone":"0700000010"}]}`, `groupId: must be an id, not ".."`},
	})
}

// expectArgumentErrors checks that each call is refused with exactly these
// sentences, and that nothing is sent.
func expectArgumentErrors(t *testing.T, cases []argumentError) {
	t.Helper()
	r := newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(200, `{}`))
	for _, c := range cases {
		got := r.call(t, c.tool, c.arguments)
		if !got.isError || got.get("code") != guard.CodeInvalidArguments || got.get("money") != "not_charged" ||
			got.get("retry") != "after_fix" {
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
		{"send_group_sms", `{"groupId":"grp_1","message":"` + strings.Repeat("a", 1600) + `"}`},
		{"send_sms", `{"recipient":"0700000010","message":"Hi","dry_run":null,"quote":null,"allow_duplicate":null}`},
		{"list_sms_history", `{"page":1,"per_page":1}`},
		{"list_sms_history", `{"page":" 9 ","per_page":100}`},
		{"create_group", `{"title":"` + face[:60*4] + `"}`},
	} {
		if got := r.call(t, c[0], c[1]); got.isError {
			t.Errorf("%s: %s", c[0], got.text)
		}
	}
	if got := r.call(t, "send_sms", `{"recipient":"0700000010","message":"`+face+`a"}`); !strings.Contains(got.text,
		"got 1601") {
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
	f.Add(2, []byte(`{"recipient":"[\"0700000010\",null,1e9999]","message":"Hi","dry_run":"TRUE"}`))
	f.Add(7, []byte(`{"groupId":"g","contacts":"[{\"phone\":\"0700000010\",\"name\":null}]"}`))
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
