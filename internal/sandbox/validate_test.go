package sandbox

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestValidate_Limits(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, Options{Balance: 1_000_000})
	env.do("POST /groups", `{"title":"Staff"}`)
	env.do("POST /groups/grp_1/contacts", `{"contacts":[{"phone":"0700000010"}]}`)
	env.do("POST /groups", `{"title":"Empty"}`)

	const (
		topUp   = "POST /account/topup"
		send    = "POST /sms/send"
		group   = "POST /sms/group"
		create  = "POST /groups"
		add     = "POST /groups/grp_1/contacts"
		history = "GET /sms/history"
	)
	amount := func(v string) string { return `{"amount":` + v + `,"phone_number":"0700000010"}` }
	payer := func(v string) string { return `{"amount":500,"phone_number":` + v + `}` }
	to := func(v string) string { return `{"message":"Hi","recipient":` + v + `}` }
	saying := func(v string) string { return `{"recipient":"0700000010","message":"` + v + `"}` }
	titled := func(v string) string { return `{"title":"` + v + `"}` }
	contacts := func(v string) string { return `{"contacts":` + v + `}` }
	long := strings.Repeat

	for _, tc := range []struct{ name, call, body, problem string }{
		{"the least amount", topUp, amount("500"), ""},
		{"less than the least amount", topUp, amount("499"), "amount: must be from 500 to 10000000"},
		{"a fraction under the least amount", topUp, amount("499.99"), "amount: must be from 500 to 10000000"},
		{"the most amount", topUp, amount("10000000"), ""},
		{"more than the most amount", topUp, amount("10000001"), "amount: must be from 500 to 10000000"},
		{"a whole amount written as a float", topUp, amount("5e2"), ""},
		{"half a shilling", topUp, amount("500.5"), "amount: must be a whole number"},
		{"an amount in a string", topUp, amount(`"500"`), "amount: must be a number"},
		{"an amount of null", topUp, amount("null"), "amount: must be a number"},
		{"no amount", topUp, `{"phone_number":"0700000010"}`, "amount: is required"},
		{"a description of the wrong type", topUp, `{"amount":500,"phone_number":"0700000010","description":1}`,
			"description: must be a string"},
		{"a description of null", topUp, `{"amount":500,"phone_number":"0700000010","description":null}`,
			"description: must be a string"},

		{"a payer with +256", topUp, payer(`"+256700000010"`), ""},
		{"a payer with 256", topUp, payer(`"256700000010"`), ""},
		{"a payer with 0", topUp, payer(`"0700000010"`), ""},
		{"a payer with neither", topUp, payer(`"700000010"`), `phone_number: "700000010" is not a phone number`},
		{"a payer a digit short", topUp, payer(`"070000001"`), `phone_number: "070000001" is not a phone number`},
		{"a payer a digit long", topUp, payer(`"07000000100"`), `phone_number: "07000000100" is not a phone number`},
		{"a payer abroad", topUp, payer(`"+254700000001"`), `phone_number: "+254700000001" is not a phone number`},
		{"a payer with spaces", topUp, payer(`"0700 000 012"`), `phone_number: "0700 000 012" is not a phone number`},
		{"a payer as a number", topUp, payer("256700000010"), "phone_number: must be a string"},

		{"one recipient", send, to(`"0700000010"`), ""},
		{"an array of recipients", send, to(`["0700000010","+256700000011"]`), ""},
		{"a list with commas", send, to(`"0700000010,0700000011"`), ""},
		{"a list with commas and spaces", send, to(`" 0700000010 , 0700000011 0700000012\n"`), ""},
		{"a list in an array", send, to(`["0700000010 0700000011"]`), ""},
		{"a recipient abroad of 8 digits", send, to(`"+29012345"`), ""},
		{"a recipient abroad of 15 digits", send, to(`"+881234567890123"`), ""},
		{"a recipient abroad of 7 digits", send, to(`"+2901234"`), `recipient: "+2901234" is not a phone number`},
		{"a recipient abroad of 16 digits", send, to(`"+8812345678901234"`),
			`recipient: "+8812345678901234" is not a phone number`},
		{"a Ugandan number a digit short", send, to(`"+25670000001"`), `recipient: "+25670000001" is not a phone number`},
		{"a Ugandan number a digit long", send, to(`"+2567000000100"`), `recipient: "+2567000000100" is not a phone number`},
		{"a number with letters", send, to(`"07000000IO"`), `recipient: "07000000IO" is not a phone number`},
		{"digits of another script", send, to(`"٠٧٠٠٠٠٠٠١٠"`), `recipient: "٠٧٠٠٠٠٠٠١٠" is not a phone number`},
		{
			"a number with spaces is three broken ones", send, to(`"0700 000 012"`),
			`recipient: "0700" is not a phone number; recipient: "000" is not a phone number; ` +
				`recipient: "012" is not a phone number`,
		},
		{"the bad ones among the good", send, to(`["0700000010","x","0700000011","y"]`),
			`recipient: "x" is not a phone number; recipient: "y" is not a phone number`},
		{"an empty recipient", send, to(`""`), `recipient: "" is not a phone number`},
		{"a recipient of commas", send, to(`" , "`), `recipient: " , " is not a phone number`},
		{"an empty one among the recipients", send, to(`["0700000010",""]`), `recipient: "" is not a phone number`},
		{"no recipients", send, to(`[]`), "recipient: must not be empty"},
		{"no recipient", send, `{"message":"Hi"}`, "recipient: is required"},
		{"a recipient of null", send, to(`null`), "recipient: must be a string or an array of strings"},
		{"a recipient as a number", send, to(`256700000010`), "recipient: must be a string or an array of strings"},
		{"a number among the recipients", send, to(`["0700000010",256700000010]`),
			"recipient: must be a string or an array of strings"},

		{"a message of one character", send, saying("x"), ""},
		{"an empty message", send, saying(""), "message: must not be empty"},
		{"a message of 1600", send, saying(long("x", 1600)), ""},
		{"a message of 1601", send, saying(long("x", 1601)), "message: must be at most 1600 characters (got 1601)"},
		{"800 emoji are 1600", send, saying(long("😀", 800)), ""},
		{"801 emoji are 1602", send, saying(long("😀", 801)), "message: must be at most 1600 characters (got 1602)"},
		{"1600 of three bytes each", send, saying(long("€", 1600)), ""},
		{"half a surrogate pair is one", send, saying(long(`\ud83d`, 1600)), ""},
		{"a message of the wrong type", send, `{"recipient":"0700000010","message":["Hi"]}`, "message: must be a string"},
		{"a message to a group that is too long", group, `{"groupId":"grp_1","message":"` + long("x", 1601) + `"}`,
			"message: must be at most 1600 characters (got 1601)"},

		{"a known group", group, `{"groupId":"grp_1","message":"Hi"}`, ""},
		{"an unknown group", group, `{"groupId":"grp_404","message":"Hi"}`, "groupId: no such group"},
		{"an empty group", group, `{"groupId":"grp_2","message":"Hi"}`, "groupId: the group has no contacts"},
		{"no group", group, `{"message":"Hi"}`, "groupId: is required"},
		{"a group of the wrong type", group, `{"groupId":1,"message":"Hi"}`, "groupId: must be a string"},
		{"contacts for an unknown group", "POST /groups/grp_404/contacts", contacts(`[{"phone":"0700000010"}]`),
			"groupId: no such group"},
		{"the group of the path, not of the body", add, `{"groupId":"grp_404","contacts":[{"phone":"0700000010"}]}`, ""},

		{"a title of one character", create, titled("x"), ""},
		{"an empty title", create, titled(""), "title: must not be empty"},
		{"a title of 120", create, titled(long("x", 120)), ""},
		{"a title of 121", create, titled(long("x", 121)), "title: must be at most 120 characters (got 121)"},
		{"a title of 60 emoji", create, titled(long("😀", 60)), ""},
		{"a title of 61 emoji", create, titled(long("😀", 61)), "title: must be at most 120 characters (got 122)"},
		{"no title", create, `{}`, "title: is required"},
		{"a description that is an object", create, `{"title":"x","description":{}}`, "description: must be a string"},

		{"a contact without a name", add, contacts(`[{"phone":"0700000010"}]`), ""},
		{"a contact abroad", add, contacts(`[{"phone":"+254700000001"}]`), ""},
		{"no contacts", add, `{}`, "contacts: is required"},
		{"an empty array of contacts", add, contacts(`[]`), "contacts: must not be empty"},
		{"contacts that are no array", add, contacts(`{"phone":"0700000010"}`), "contacts: must be an array"},
		{
			"each bad contact by its index", add,
			contacts(`["0700000010",{"phone":"0700000010"},{},{"phone":1,"name":2},{"phone":"0700 000 010","name":null}]`),
			"contacts[0]: must be an object; contacts[2].phone: is required; contacts[3].phone: must be a string; " +
				`contacts[3].name: must be a string; contacts[4].phone: "0700 000 010" is not a phone number; ` +
				"contacts[4].name: must be a string",
		},

		{"the first page", history + "?page=1", "", ""},
		{"page zero", history + "?page=0", "", "page: must be at least 1"},
		{"a negative page", history + "?page=-1", "", "page: must be at least 1"},
		{"half a page", history + "?page=1.5", "", "page: must be a whole number"},
		{"a page that is a word", history + "?page=one", "", "page: must be a whole number"},
		{"an empty page", history + "?page=", "", "page: must be a whole number"},
		{"one a page", history + "?per_page=1", "", ""},
		{"none a page", history + "?per_page=0", "", "per_page: must be at least 1"},
		{"a hundred a page", history + "?per_page=100", "", ""},
		{"a hundred and one a page", history + "?per_page=101", "", "per_page: must be at most 100"},

		{"an empty wallet in the query", "GET /account/balance?walletId=", "", "walletId: must not be empty"},
		{"no wallet in the query", "GET /groups?x=walletId", "", "walletId: is required"},
		{"a wallet only in the query of a POST", create + "?walletId=wal_sandbox", `[]`, "body: must be a JSON object"},
		{"a wallet of the wrong type", create, `{"walletId":1,"title":"x"}`, "walletId: must be a string"},
		{"a field in another case", create, `{"walletid":"wal_sandbox","Title":"x"}`, "title: is required"},
		{"fields that nobody knows", create, `{"title":"x","colour":"red"}`, ""},

		{"an empty body", create, ``, "body: must be a JSON object"},
		{"half a body", create, `{"title":`, "body: must be a JSON object"},
		{"two bodies", create, `{"title":"x"} {}`, "body: must be a JSON object"},
		{"a body of null", create, `null`, "body: must be a JSON object"},
		{"a body that is a string", create, `"title"`, "body: must be a JSON object"},
		{"a body too large", create, `{"title":"` + long("x", maxRequestBytes) + `"}`, "body: http: request body too large"},

		{"all wrong at once in a send", send, `{"walletId":"","message":"","recipient":[]}`,
			"walletId: must not be empty; message: must not be empty; recipient: must not be empty"},
		{"all wrong at once in a top-up", topUp, `{"amount":1,"phone_number":"x","description":1}`,
			`amount: must be from 500 to 10000000; phone_number: "x" is not a phone number; description: must be a string`},
		{"all wrong at once in a group send", group, `{"groupId":"grp_404","message":""}`,
			"groupId: no such group; message: must not be empty"},
		{"all wrong at once in a new group", create, `{"walletId":null,"description":1}`,
			"walletId: must be a string; title: is required; description: must be a string"},
		{"all wrong at once in contacts", "POST /groups/grp_404/contacts", contacts(`[]`),
			"groupId: no such group; contacts: must not be empty"},
		{"all wrong at once in a history", history + "?walletId=&page=0&per_page=x", "",
			"walletId: must not be empty; page: must be at least 1; per_page: must be a whole number"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp := env.do(tc.call, tc.body)
			if tc.problem != "" {
				(&testEnv{T: t}).expectRejected(resp, tc.problem)
			} else if resp.status != http.StatusOK {
				t.Errorf("got %d %s", resp.status, resp.body)
			}
		})
	}
}

func TestUnits_UTF16(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, Options{Balance: 10_000})
	for text, units := range map[string]int64{
		"x":                           1,
		strings.Repeat("x", 160):      1,
		strings.Repeat("x", 161):      2,
		strings.Repeat("é", 160):      1,
		strings.Repeat("😀", 80):       1,
		strings.Repeat("😀", 80) + "x": 2,
		strings.Repeat("x", 1600):     10,
	} {
		got := decodeData[batchResponse](env,
			env.do("POST /sms/send", fmt.Sprintf(`{"message":%q,"recipient":"0700000010 0700000011"}`, text)))
		if got.Units != units || got.TotalCost != units*2*35 {
			t.Errorf("%.8s…: %d units for UGX %d, want %d", text, got.Units, got.TotalCost, units)
		}
	}
}

func FuzzRecipients(f *testing.F) {
	for _, seed := range []string{"0700000010", "+256700000010,256700000011", "0700 000 012",
		"+29012345\t+881234567890123", ", ,", "\xff"} {
		f.Add(seed)
	}
	e164 := regexp.MustCompile(`^\+[0-9]{8,15}$`)
	f.Fuzz(func(t *testing.T, text string) {
		in := &requestFields{values: map[string]any{"recipient": []any{text, text}}}
		numbers := in.recipientsField("recipient")
		if len(in.problems) > 0 {
			return
		}
		if len(numbers) == 0 {
			t.Errorf("%q: neither a number nor a problem", text)
		}
		for _, number := range numbers {
			if !e164.MatchString(number) {
				t.Errorf("%q: accepted %q", text, number)
			}
		}
	})
}
