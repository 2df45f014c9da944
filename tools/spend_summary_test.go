package tools

import (
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// A result says the balance where it is known, who agreed, and that the operator's
// limit is another thing.
func TestSendSummary(t *testing.T) {
	t.Parallel()
	computed, reported := int64(98_600), int64(98_599)
	quote := guard.Quote{Units: 2, Recipients: 20, TotalUGX: 1400}
	known := quote
	known.BalanceAfterUGX = &computed
	const limit = " The operator's limit for today, which is not the balance, allows UGX 48,600 more."
	const accepted = "Accepted for 20 recipients, 2 units each: about UGX 1,400."
	for want, r := range map[string]guard.Receipt{
		accepted + " No confirmation was needed." + limit: {Quote: &quote, Confirmed: guard.ConfirmedNotDue},
		accepted + " The wallet then holds about UGX 98,600. The user was asked, and agreed." + limit: {
			Quote: &known, Confirmed: guard.ConfirmedByUser},
		accepted + " Wesendall reports a balance of UGX 98,599. It was confirmed by the id of a quote." + limit: {
			Quote: &known, Confirmed: guard.ConfirmedByQuote, ReportedBalanceUGX: &reported},
	} {
		r.BudgetRemaining = 48_600
		if got := sendSummary(&r); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

func TestFormatUGX(t *testing.T) {
	t.Parallel()
	for want, amount := range map[string]float64{
		"UGX 1,400": 1400, "UGX 35.5": 35.5, "UGX -1,234.25": -1234.25, "UGX 0": 0, "UGX -0.5": -0.5, "UGX 1e+30": 1e30,
	} {
		if got := formatUGX(amount); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// add_contacts says how many were handed in, and what Wesendall tells about them. A
// number that is listed twice is handed in once.
func TestAddContacts_Counts(t *testing.T) {
	t.Parallel()
	const arguments = `{"groupId":"g","contacts":[{"phone":"0700000010"},{"phone":"+256 700 000 010","name":"Sarah"},` +
		`{"phone":"0700000011"}]}`
	for data, says := range map[string]string{
		`{"added":1,"skipped":1}`: "2 contacts handed in. Wesendall reports 1 added and 1 skipped;",
		`{"added":2}`:             "2 contacts handed in. Wesendall reports 2 added;",
		`{"added":"many"}`:        "2 contacts handed in. Wesendall did not say how many were new;",
		`[]`:                      "2 contacts handed in. Wesendall did not say how many were new;",
	} {
		env := newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(200, `{"success":true,"data":`+data+`}`))
		got := env.call(t, "add_contacts", arguments)
		if !strings.HasPrefix(got.get("summary"), says) || got.get("handed_in") != "2" ||
			got.get("notes") != `["Numbers listed again: 1; each is counted once."]` {
			t.Error(got.text)
		}
		want := `POST /api/v1/groups/g/contacts {"contacts":[{"phone":"+256700000010","name":"Sarah"},` +
			`{"phone":"+256700000011"}],"walletId":"wal_1"}`
		if all := env.requests(); len(all) != 1 || all[0] != want {
			t.Error(all)
		}
	}
}

// A top-up's result says that it is not paid, and what to do until it is.
func TestTopUp_SaysWhatIsOpen(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(200, `{}`))
	got := env.call(t, "topup_wallet", `{"amount":5000,"phone_number":"0700000010"}`)
	for _, text := range []string{"asked for UGX 5,000", "not paid yet: the wallet held UGX 100,000 before",
		"No confirmation was needed", "within a few minutes", "tell your user", "A second request is safe only when"} {
		if !strings.Contains(got.get("summary"), text) {
			t.Errorf("%q is not in %s", text, got.text)
		}
	}
	if got.get("balance_before") != "100000" || got.get("confirmed") != "not_needed" {
		t.Error(got.text)
	}
}
