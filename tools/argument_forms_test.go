package tools

import (
	"slices"
	"testing"
)

// Hosts bend JSON in these ways; the request is the one that was meant.
func TestArgumentForms_Accepted(t *testing.T) {
	t.Parallel()
	const one = `POST /api/v1/sms/send {"walletId":"wal_1","message":"Hi","recipient":"+256700000010"}`
	const two = `POST /api/v1/sms/send {"walletId":"wal_1","message":"Hi","recipient":["+256700000010","+256700000011"]}`
	const contact = `POST /api/v1/groups/g/contacts {"contacts":[{"phone":"+256700000010"}],"walletId":"wal_1"}`
	const balance = `GET /api/v1/account/balance?walletId=wal_1 `
	const groups = `GET /api/v1/groups?walletId=wal_1 `
	for name, c := range map[string]struct{ tool, arguments, want string }{
		"an array of numbers in a string": {
			"send_sms", `{"recipient":"[\"0700000010\",\"0700000011\"]","message":"Hi"}`, two},
		"space and a byte order mark before the array": {
			"send_sms", `{"recipient":"\ufeff [\"0700000010\", \"0700000011\"] ","message":"Hi"}`, two},
		"an array of one": {"send_sms", `{"recipient":"[\"0700 000 010\"]","message":"Hi"}`, one},
		"an array without quotes in a string": {
			"send_sms", `{"recipient":"[0700000010, 0700000011]","message":"Hi"}`, two},
		"an array of JSON numbers in a string": {
			"send_sms", `{"recipient":"[256700000010,256700000011]","message":"Hi"}`, two},
		"an array in an item":  {"send_sms", `{"recipient":["[\"0700000010\",\"0700000011\"]"],"message":"Hi"}`, two},
		"contacts in a string": {"add_contacts", `{"groupId":"g","contacts":"[{\"phone\":\"0700000010\"}]"}`, contact},
		"null members of contacts in a string": {
			"add_contacts", `{"groupId":"g","contacts":"[{\"phone\":\"0700000010\",\"name\":null}]"}`, contact},
		"null members of contacts": {
			"add_contacts", `{"groupId":"g","contacts":[{"phone":"0700000010","name":null,"note":null}]}`, contact},
		"false in a string": {
			"send_sms", `{"recipient":"0700000010","message":"Hi","dry_run":"False","allow_duplicate":"FALSE"}`, one},
		"null for arguments that do not exist": {
			"send_sms", `{"recipient":"0700000010","message":"Hi","quote":null,"priority":null,"walletId":null}`, one},
		"arguments that are null":                      {"get_balance", `null`, balance},
		"an argument for a tool without any":           {"get_balance", `{"random_string":"x"}`, balance},
		"a lone surrogate for a tool without any":      {"get_balance", `{"random_string":"\ud83d"}`, balance},
		"several arguments for a tool without any":     {"list_groups", `{"a":1,"page":2}`, groups},
		"a message that looks like an array is a text": {"send_sms", `{"recipient":"0700000010","message":"[\"Hi\"]"}`, ""},
	} {
		r := newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(200, `{}`))
		if c.want == "" {
			c.want = `POST /api/v1/sms/send {"walletId":"wal_1","message":"[\"Hi\"]","recipient":"+256700000010"}`
		}
		if got := r.call(t, c.tool, c.arguments); got.isError || !slices.Equal(r.requests(), []string{c.want}) {
			t.Errorf("%s: %s\n%q", name, got.text, r.requests())
		}
	}
}

func TestArgumentForms_DryRun(t *testing.T) {
	t.Parallel()
	r := newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(200, `{}`))
	for _, written := range []string{`true`, `"true"`, `"True"`, `"TRUE"`} {
		got := r.call(t, "send_sms", `{"recipient":"0700000010","message":"Hi","dry_run":`+written+`}`)
		if got.isError || got.get("quote") == "" || len(r.requests()) != 0 {
			t.Errorf("%s: %s, sent %q", written, got.text, r.requests())
		}
	}
}

func TestArgumentForms_Refused(t *testing.T) {
	t.Parallel()
	var cases []argumentError
	for _, written := range []string{`"yes"`, `"1"`, `""`, `" true"`, `"true "`, `"null"`, `"fal\u017fe"`} {
		cases = append(cases, argumentError{
			"send_sms", `{"recipient":"0700000010","message":"Hi","dry_run":` + written + `}`,
			"dry_run: must be true or false (got a string)"})
	}
	expectArgumentErrors(t, append(cases, []argumentError{
		{"send_sms", `{"recipient":"0700000010","message":"Hi","dry_run":1}`,
			"dry_run: must be true or false (got a number)"},
		{"send_sms", `{"recipient":[256700000012],"message":"Hi"}`, "recipient/0: write it in quotes"},
		{"send_sms", `{"recipient":256700000012,"message":"Hi"}`, "recipient: write it in quotes"},
		{"send_sms", `{"recipient":["0700000012",""],"message":"Hi"}`, "recipient/1: is empty"},
		{"send_sms", `{"recipient":["0700000012"," \ufeff\t"],"message":"Hi"}`, "recipient/1: is empty"},
		{"send_sms", `{"recipient":"[\"0700000012\",\"\"]","message":"Hi"}`, "recipient/1: is empty"},
		{"send_sms", `{"recipient":["0700000012",null,{},7,""],"message":"Hi"}`,
			"recipient/1: must be a phone number in quotes (got null); " +
				"recipient/2: must be a phone number in quotes (got an object); " +
				"recipient/3: write it in quotes; recipient/4: is empty"},
		{"send_sms", `{"recipient":"[]","message":"Hi"}`,
			"recipient: must be a phone number as a string, or an array of at least one"},
		{"send_sms", `{"recipient":null,"message":null}`, "message: is required; recipient: is required"},
		{"send_sms", `{"recipient":"0700000012","message":7}`, "message: write it in quotes"},
		{"add_contacts", `{"groupId":"g","contacts":"[]"}`, "contacts: must have at least 1 item (got 0)"},
		{"add_contacts", `{"groupId":"g","contacts":"0700000012"}`, "contacts: must be an array (got a string)"},
		{"add_contacts", `{"groupId":"g","contacts":"[{\"phone\":"}`, "contacts: must be an array (got a string)"},
		{"add_contacts", `{"groupId":"g","contacts":"[{\"phone\":256700000012}]"}`, "contacts/0/phone: write it in quotes"},
		{"add_contacts", `{"groupId":"g","contacts":[{"phone":null}]}`, "contacts/0/phone: is required"},
		{"add_contacts", `{"groupId":"g","contacts":"[{\"phone\":\"0700000012\",\"name\":\"\\ud83d\"}]"}`,
			"contacts: has half of a character (a lone surrogate), which nobody could read"},
		{"topup_wallet", `{"amount":"5000","phone_number":"0700000010"}`, "amount: must be a whole number (got a string)"},
	}...))
}

// A made-up argument of a tool without arguments is ignored, but not one that seems
// to choose a wallet.
func TestArgumentForms_FixedWallet(t *testing.T) {
	t.Parallel()
	const refusal = "walletId: must not be given; the operator sets the wallet (WESENDALL_WALLET_ID)"
	expectArgumentErrors(t, []argumentError{
		{"get_balance", `{"walletId":"wal_2"}`, refusal},
		{"get_balance", `{"walletId":"wal_2","random_string":"x"}`, refusal},
		{"get_balance", `{"wallet_id":"wal_2"}`, refusal},
		{"list_groups", `{"WalletID":"wal_2"}`, refusal},
		{"list_groups", `{"wallet":"wal_2"}`, refusal},
	})
}
