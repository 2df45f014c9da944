package sandbox

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

const (
	callTopUp       = "POST /account/topup"
	callSend        = "POST /sms/send"
	callSendGroup   = "POST /sms/group"
	callCreateGroup = "POST /groups"
	callAddContacts = "POST /groups/grp_1/contacts"
	callHistory     = "GET /sms/history"
)

func amountBody(v string) string    { return `{"amount":` + v + `,"phone_number":"0700000010"}` }
func payerBody(v string) string     { return `{"amount":500,"phone_number":` + v + `}` }
func recipientBody(v string) string { return `{"message":"Hi","recipient":` + v + `}` }
func messageBody(v string) string   { return `{"recipient":"0700000010","message":"` + v + `"}` }
func titleBody(v string) string     { return `{"title":"` + v + `"}` }
func contactsBody(v string) string  { return `{"contacts":` + v + `}` }

// validationCase is a call and the problem that the sandbox finds in it; "" is none.
type validationCase struct{ name, call, body, problem string }

// checkValidation makes the calls in a sandbox with the group grp_1, which has one contact, and
// the empty group grp_2.
func checkValidation(t *testing.T, cases []validationCase) {
	t.Helper()
	env := newTestEnv(t, Options{Balance: 1_000_000})
	env.do(callCreateGroup, `{"title":"Staff"}`)
	env.do(callAddContacts, `{"contacts":[{"phone":"0700000010"}]}`)
	env.do(callCreateGroup, `{"title":"Empty"}`)
	for _, tc := range cases {
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

func TestValidate_TopUp(t *testing.T) {
	t.Parallel()
	checkValidation(t, []validationCase{
		{"the least amount", callTopUp, amountBody("500"), ""},
		{"less than the least amount", callTopUp, amountBody("499"), "amount: must be from 500 to 10000000"},
		{"a fraction under the least amount", callTopUp, amountBody("499.99"), "amount: must be from 500 to 10000000"},
		{"the most amount", callTopUp, amountBody("10000000"), ""},
		{"more than the most amount", callTopUp, amountBody("10000001"), "amount: must be from 500 to 10000000"},
		{"a whole amount written as a float", callTopUp, amountBody("5e2"), ""},
		{"half a shilling", callTopUp, amountBody("500.5"), "amount: must be a whole number"},
		{"an amount in a string", callTopUp, amountBody(`"500"`), "amount: must be a number"},
		{"an amount of null", callTopUp, amountBody("null"), "amount: must be a number"},
		{"no amount", callTopUp, `{"phone_number":"0700000010"}`, "amount: is required"},
		{"a description of the wrong type", callTopUp, `{"amount":500,"phone_number":"0700000010","description":1}`,
			"description: must be a string"},
		{"a description of null", callTopUp, `{"amount":500,"phone_number":"0700000010","description":null}`,
			"description: must be a string"},

		{"a payer with +256", callTopUp, payerBody(`"+256700000010"`), ""},
		{"a payer with 256", callTopUp, payerBody(`"256700000010"`), ""},
		{"a payer with 0", callTopUp, payerBody(`"0700000010"`), ""},
		{"a payer with neither", callTopUp, payerBody(`"700000010"`), `phone_number: "700000010" is not a phone number`},
		{"a payer a digit short", callTopUp, payerBody(`"070000001"`), `phone_number: "070000001" is not a phone number`},
		{"a payer a digit long", callTopUp, payerBody(`"07000000100"`), `phone_number: "07000000100" is not a phone number`},
		{"a payer abroad", callTopUp, payerBody(`"+254700000001"`), `phone_number: "+254700000001" is not a phone number`},
		{"a payer with spaces", callTopUp, payerBody(`"0700 000 012"`), `phone_number: "0700 000 012" is not a phone number`},
		{"a payer as a number", callTopUp, payerBody("256700000010"), "phone_number: must be a string"},
	})
}

func TestValidate_Recipients(t *testing.T) {
	t.Parallel()
	checkValidation(t, []validationCase{
		{"one recipient", callSend, recipientBody(`"0700000010"`), ""},
		{"an array of recipients", callSend, recipientBody(`["0700000010","+256700000011"]`), ""},
		{"a list with commas", callSend, recipientBody(`"0700000010,0700000011"`), ""},
		{"a list with commas and spaces", callSend, recipientBody(`" 0700000010 , 0700000011 0700000012\n"`), ""},
		{"a list in an array", callSend, recipientBody(`["0700000010 0700000011"]`), ""},
		{"a recipient abroad of 8 digits", callSend, recipientBody(`"+29012345"`), ""},
		{"a recipient abroad of 15 digits", callSend, recipientBody(`"+881234567890123"`), ""},
		{"a recipient abroad of 7 digits", callSend, recipientBody(`"+2901234"`),
			`recipient: "+2901234" is not a phone number`},
		{"a recipient abroad of 16 digits", callSend, recipientBody(`"+8812345678901234"`),
			`recipient: "+8812345678901234" is not a phone number`},
		{"a Ugandan number a digit short", callSend, recipientBody(`"+25670000001"`),
			`recipient: "+25670000001" is not a phone number`},
		{"a Ugandan number a digit long", callSend, recipientBody(`"+2567000000100"`),
			`recipient: "+2567000000100" is not a phone number`},
		{"a number with letters", callSend, recipientBody(`"07000000IO"`), `recipient: "07000000IO" is not a phone number`},
		{"digits of another script", callSend, recipientBody(`"٠٧٠٠٠٠٠٠١٠"`),
			`recipient: "٠٧٠٠٠٠٠٠١٠" is not a phone number`},
		{
			"a number with spaces is three broken ones", callSend, recipientBody(`"0700 000 012"`),
			`recipient: "0700" is not a phone number; recipient: "000" is not a phone number; ` +
				`recipient: "012" is not a phone number`,
		},
		{"the bad ones among the good", callSend, recipientBody(`["0700000010","x","0700000011","y"]`),
			`recipient: "x" is not a phone number; recipient: "y" is not a phone number`},
		{"an empty recipient", callSend, recipientBody(`""`), `recipient: "" is not a phone number`},
		{"a recipient of commas", callSend, recipientBody(`" , "`), `recipient: " , " is not a phone number`},
		{"an empty one among the recipients", callSend, recipientBody(`["0700000010",""]`),
			`recipient: "" is not a phone number`},
		{"no recipients", callSend, recipientBody(`[]`), "recipient: must not be empty"},
		{"no recipient", callSend, `{"message":"Hi"}`, "recipient: is required"},
		{"a recipient of null", callSend, recipientBody(`null`), "recipient: must be a string or an array of strings"},
		{"a recipient as a number", callSend, recipientBody(`256700000010`),
			"recipient: must be a string or an array of strings"},
		{"a number among the recipients", callSend, recipientBody(`["0700000010",256700000010]`),
			"recipient: must be a string or an array of strings"},
	})
}

func TestValidate_Messages(t *testing.T) {
	t.Parallel()
	checkValidation(t, []validationCase{
		{"a message of one character", callSend, messageBody("x"), ""},
		{"an empty message", callSend, messageBody(""), "message: must not be empty"},
		{"a message of 1600", callSend, messageBody(strings.Repeat("x", 1600)), ""},
		{"a message of 1601", callSend, messageBody(strings.Repeat("x", 1601)),
			"message: must be at most 1600 characters (got 1601)"},
		{"800 emoji are 1600", callSend, messageBody(strings.Repeat("😀", 800)), ""},
		{"801 emoji are 1602", callSend, messageBody(strings.Repeat("😀", 801)),
			"message: must be at most 1600 characters (got 1602)"},
		{"1600 of three bytes each", callSend, messageBody(strings.Repeat("€", 1600)), ""},
		{"half a surrogate pair is one", callSend, messageBody(strings.Repeat(`\ud83d`, 1600)), ""},
		{"a message of the wrong type", callSend, `{"recipient":"0700000010","message":["Hi"]}`, "message: must be a string"},
		{"a message to a group that is too long", callSendGroup,
			`{"groupId":"grp_1","message":"` + strings.Repeat("x", 1601) + `"}`,
			"message: must be at most 1600 characters (got 1601)"},
	})
}

func TestValidate_Groups(t *testing.T) {
	t.Parallel()
	checkValidation(t, []validationCase{
		{"a known group", callSendGroup, `{"groupId":"grp_1","message":"Hi"}`, ""},
		{"an unknown group", callSendGroup, `{"groupId":"grp_404","message":"Hi"}`, "groupId: no such group"},
		{"an empty group", callSendGroup, `{"groupId":"grp_2","message":"Hi"}`, "groupId: the group has no contacts"},
		{"no group", callSendGroup, `{"message":"Hi"}`, "groupId: is required"},
		{"a group of the wrong type", callSendGroup, `{"groupId":1,"message":"Hi"}`, "groupId: must be a string"},
		{"contacts for an unknown group", "POST /groups/grp_404/contacts", contactsBody(`[{"phone":"0700000010"}]`),
			"groupId: no such group"},
		{"the group of the path, not of the body", callAddContacts,
			`{"groupId":"grp_404","contacts":[{"phone":"0700000010"}]}`, ""},

		{"a title of one character", callCreateGroup, titleBody("x"), ""},
		{"an empty title", callCreateGroup, titleBody(""), "title: must not be empty"},
		{"a title of 120", callCreateGroup, titleBody(strings.Repeat("x", 120)), ""},
		{"a title of 121", callCreateGroup, titleBody(strings.Repeat("x", 121)),
			"title: must be at most 120 characters (got 121)"},
		{"a title of 60 emoji", callCreateGroup, titleBody(strings.Repeat("😀", 60)), ""},
		{"a title of 61 emoji", callCreateGroup, titleBody(strings.Repeat("😀", 61)),
			"title: must be at most 120 characters (got 122)"},
		{"no title", callCreateGroup, `{}`, "title: is required"},
		{"a description that is an object", callCreateGroup, `{"title":"x","description":{}}`,
			"description: must be a string"},

		{"a contact without a name", callAddContacts, contactsBody(`[{"phone":"0700000010"}]`), ""},
		{"a contact abroad", callAddContacts, contactsBody(`[{"phone":"+254700000001"}]`), ""},
		{"no contacts", callAddContacts, `{}`, "contacts: is required"},
		{"an empty array of contacts", callAddContacts, contactsBody(`[]`), "contacts: must not be empty"},
		{"contacts that are no array", callAddContacts, contactsBody(`{"phone":"0700000010"}`), "contacts: must be an array"},
		{
			"each bad contact by its index", callAddContacts,
			contactsBody(`["0700000010",{"phone":"0700000010"},{},{"phone":1,"name":2},{"phone":"0700 000 010","name":null}]`),
			"contacts[0]: must be an object; contacts[2].phone: is required; contacts[3].phone: must be a string; " +
				`contacts[3].name: must be a string; contacts[4].phone: "0700 000 010" is not a phone number; ` +
				"contacts[4].name: must be a string",
		},
	})
}

func TestValidate_History(t *testing.T) {
	t.Parallel()
	checkValidation(t, []validationCase{
		{"the first page", callHistory + "?page=1", "", ""},
		{"page zero", callHistory + "?page=0", "", "page: must be at least 1"},
		{"a negative page", callHistory + "?page=-1", "", "page: must be at least 1"},
		{"half a page", callHistory + "?page=1.5", "", "page: must be a whole number"},
		{"a page that is a word", callHistory + "?page=one", "", "page: must be a whole number"},
		{"an empty page", callHistory + "?page=", "", "page: must be a whole number"},
		{"one a page", callHistory + "?per_page=1", "", ""},
		{"none a page", callHistory + "?per_page=0", "", "per_page: must be at least 1"},
		{"a hundred a page", callHistory + "?per_page=100", "", ""},
		{"a hundred and one a page", callHistory + "?per_page=101", "", "per_page: must be at most 100"},
	})
}

func TestValidate_Bodies(t *testing.T) {
	t.Parallel()
	checkValidation(t, []validationCase{
		{"an empty wallet in the query", "GET /account/balance?walletId=", "", "walletId: must not be empty"},
		{"no wallet in the query", "GET /groups?x=walletId", "", "walletId: is required"},
		{"a wallet only in the query of a POST", callCreateGroup + "?walletId=wal_sandbox", `[]`,
			"body: must be a JSON object"},
		{"a wallet of the wrong type", callCreateGroup, `{"walletId":1,"title":"x"}`, "walletId: must be a string"},
		{"a field in another case", callCreateGroup, `{"walletid":"wal_sandbox","Title":"x"}`, "title: is required"},
		{"fields that nobody knows", callCreateGroup, `{"title":"x","colour":"red"}`, ""},

		{"an empty body", callCreateGroup, ``, "body: must be a JSON object"},
		{"half a body", callCreateGroup, `{"title":`, "body: must be a JSON object"},
		{"two bodies", callCreateGroup, `{"title":"x"} {}`, "body: must be a JSON object"},
		{"a body of null", callCreateGroup, `null`, "body: must be a JSON object"},
		{"a body that is a string", callCreateGroup, `"title"`, "body: must be a JSON object"},
		{"a body too large", callCreateGroup, `{"title":"` + strings.Repeat("x", maxRequestBytes) + `"}`,
			"body: http: request body too large"},
	})
}

func TestValidate_AllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	checkValidation(t, []validationCase{
		{"all wrong at once in a send", callSend, `{"walletId":"","message":"","recipient":[]}`,
			"walletId: must not be empty; message: must not be empty; recipient: must not be empty"},
		{"all wrong at once in a top-up", callTopUp, `{"amount":1,"phone_number":"x","description":1}`,
			`amount: must be from 500 to 10000000; phone_number: "x" is not a phone number; description: must be a string`},
		{"all wrong at once in a group send", callSendGroup, `{"groupId":"grp_404","message":""}`,
			"groupId: no such group; message: must not be empty"},
		{"all wrong at once in a new group", callCreateGroup, `{"walletId":null,"description":1}`,
			"walletId: must be a string; title: is required; description: must be a string"},
		{"all wrong at once in contacts", "POST /groups/grp_404/contacts", contactsBody(`[]`),
			"groupId: no such group; contacts: must not be empty"},
		{"all wrong at once in a history", callHistory + "?walletId=&page=0&per_page=x", "",
			"walletId: must not be empty; page: must be at least 1; per_page: must be a whole number"},
	})
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
