package guard

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// A caller who cannot read the wallet's balance learns nothing about its spends, and
// stores nothing that would block its owner.
func TestWalletAccess_Denied(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	a, _, _ := env.newCallers()
	quotes := map[string]string{}
	for name, spend := range a.spendFuncs() {
		quotes[name+" fresh"] = env.expectOK(spend(SpendOptions{DryRun: true})).Quote.ID
		quotes[name+" asked"] = env.expectError(CodeConfirmationRequired)(spend(SpendOptions{InputRequired: true})).Quote.ID
		env.expectOK(spend(SpendOptions{Elicit: elicitYes}))
	}
	before := env.dumpLedger()
	caller := func(id, key, secret string) testCaller { return env.newCaller(id, key, secret, sandbox.WalletID) }
	for name, c := range map[string]struct {
		caller testCaller
		code   string
	}{
		"the secret is wrong":           {caller("x", sandbox.APIKey, "wrong"), "invalid_credentials"},
		"the key was revoked":           {caller("x", "sk_test_revoked", ""), "key_revoked"},
		"the key is for another wallet": {caller("x", keyB, secretB), "wallet_forbidden"},
		"another caller, wrong secret":  {caller("other", sandbox.APIKey, "wrong"), "invalid_credentials"},
	} {
		for kind, spend := range c.caller.spendFuncs() {
			fresh, asked := quotes[kind+" fresh"], quotes[kind+" asked"]
			for _, opts := range []SpendOptions{
				{}, {DryRun: true}, {Elicit: elicitYes}, {QuoteID: fresh}, {QuoteID: "unknown"},
				{AllowDuplicate: true, Elicit: elicitYes},
				{AllowDuplicate: true, DryRun: true},
				{QuoteID: asked, InputRequired: true, Answer: AnswerYes},
				{QuoteID: asked, InputRequired: true, Answer: AnswerNo},
				{QuoteID: asked, InputRequired: true, Answer: AnswerNo, ArgumentQuoteID: fresh},
			} {
				failure := env.expectError(c.code)(spend(opts))
				if failure.HTTPStatus < 401 || strings.Contains(failure.Message, "UGX") {
					t.Errorf("%s, %s, %+v: %+v", name, kind, opts, failure.Error)
				}
			}
		}
	}
	if after := env.dumpLedger(); after != before {
		t.Errorf("the ledger was\n%s\nand is\n%s", before, after)
	}
	for name, spend := range a.spendFuncs() {
		env.advance(time.Minute)
		// The owner's quote is still there, and does not cover a duplicate.
		yes := SpendOptions{QuoteID: quotes[name+" asked"], Answer: AnswerYes, InputRequired: true, AllowDuplicate: true}
		if _, failure := spend(yes); failure == nil || failure.Code != CodeConfirmationRequired {
			t.Errorf("%s: %v", name, failure)
		}
	}
}

// The key may be revoked before the user answers.
func TestWalletAccess_Revoked(t *testing.T) {
	t.Parallel()
	for kind := range (testCaller{}).spendFuncs() {
		env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
		a, _, _ := env.newCallers()
		ask := func(context.Context, string) (Answer, error) {
			env.setFault(func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = w.Write([]byte(`{"success":false,"error":{"code":"key_revoked","message":"Revoked."}}`))
			})
			return AnswerYes, nil
		}
		env.expectError("key_revoked")(a.spendFuncs()[kind](SpendOptions{Elicit: ask}))
		if n := len(env.spends()); n != 0 {
			t.Errorf("%s: %d spends are stored", kind, n)
		}
	}
}

// The one caller of a server is who the operator chose: its access to the wallet is not
// checked. The balance is read for the question, and again before the request leaves,
// because the ledger keeps what the wallet held before.
func TestWalletAccess_SingleUser(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	balances := env.countGets("/balance")
	id := env.expectError(CodeConfirmationRequired)(env.topUp(500, SpendOptions{InputRequired: true}, phone1)).Quote.ID
	env.expectOK(env.topUp(500, SpendOptions{QuoteID: id, Answer: AnswerYes, InputRequired: true}, phone1))
	env.expectError(CodeDeclined)(env.topUp(600, SpendOptions{QuoteID: id, Answer: AnswerNo, InputRequired: true}, phone1))
	if got := balances.Load(); got != 2 {
		t.Errorf("the balance was asked for %d times", got)
	}
}

// For other callers a quote does not exist, in whatever state it is, and they cannot
// change it.
func TestQuote_OtherCaller(t *testing.T) {
	t.Parallel()
	for kind := range (testCaller{}).spendFuncs() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove, o.Limits.DuplicateWindow = 0, 0 })
			a, b, c := env.newCallers()
			env.setResponse("/groups", mutableBody(groupsBody(2))) // B has no group of its own
			spend := a.spendFuncs()[kind]
			freshID := env.expectOK(spend(SpendOptions{DryRun: true})).Quote.ID
			asked := env.expectError(CodeConfirmationRequired)(spend(SpendOptions{InputRequired: true})).Quote.ID
			usedID := env.expectOK(spend(SpendOptions{DryRun: true})).Quote.ID
			env.expectOK(spend(SpendOptions{QuoteID: usedID}))
			env.advance(time.Second)
			before := env.dumpLedger()
			for _, caller := range []testCaller{b, c} {
				spendAsOther := caller.spendFuncs()[kind]
				unknown := env.expectError(CodeConfirmationRequired)(spendAsOther(SpendOptions{QuoteID: "none"})).Message
				for _, id := range []string{freshID, asked, usedID} {
					for _, opts := range []SpendOptions{{QuoteID: id}, {QuoteID: id, Answer: AnswerYes, InputRequired: true}} {
						got := env.expectError(CodeConfirmationRequired)(spendAsOther(opts))
						if got.Message != unknown || got.Quote != nil {
							t.Errorf("%s: %s", caller.id, got.Message)
						}
					}
					for _, opts := range []SpendOptions{
						{QuoteID: id, Answer: AnswerNo, InputRequired: true},
						{QuoteID: "none", ArgumentQuoteID: id, Answer: AnswerNo, InputRequired: true},
					} {
						env.expectError(CodeDeclined)(spendAsOther(opts))
					}
				}
			}
			if after := env.dumpLedger(); after != before {
				t.Errorf("the ledger was\n%s\nand is\n%s", before, after)
			}
			// Its own caller cannot use it for another wallet.
			a.wallet, a.api = walletB, b.api
			onOther := a.spendFuncs()[kind]
			env.expectError(CodeConfirmationRequired)(onOther(SpendOptions{QuoteID: freshID})).says("there is no such quote")
			env.expectError(CodeDeclined)(onOther(SpendOptions{QuoteID: freshID, Answer: AnswerNo, InputRequired: true}))
			env.expectOK(spend(SpendOptions{QuoteID: freshID}))
			env.advance(time.Second)
			env.expectOK(spend(SpendOptions{QuoteID: asked, Answer: AnswerYes, InputRequired: true}))
		})
	}
}

// Two keys of one wallet share one account: its duplicates and its budget.
func TestWallet_TwoKeys(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.PerDay, o.Limits.TopUp = 100, 900 })
	a, b, c := env.newCallers()
	id := env.expectOK(a.send("Hi", SpendOptions{DryRun: true}, phone1)).Quote.ID
	env.expectOK(a.send("Hi", SpendOptions{QuoteID: id}, phone1))
	got := env.expectError(CodeDuplicateSend)(c.send("Hi", SpendOptions{}, phone1))
	if got.Quote != nil || got.SpendID != "" || strings.Contains(fmt.Sprintf("%+v", *got.Error), id) {
		t.Errorf("the error reveals A's quote: %+v", got.Error)
	}
	got = env.expectError(CodeConfirmationRequired)(c.send("Hi", SpendOptions{AllowDuplicate: true}, phone1))
	if strings.Contains(fmt.Sprintf("%+v %+v", *got.Error, *got.Quote), id) {
		t.Errorf("the error reveals A's quote: %+v", got.Error)
	}
	env.expectOK(c.send("Ho", SpendOptions{}, phone1))
	env.expectError(CodeLimitExceeded)(c.send("He", SpendOptions{}, phone1))
	env.expectError(CodeLimitExceeded)(a.send("He", SpendOptions{}, phone1))
	env.expectOK(a.topUp(500, SpendOptions{Elicit: elicitYes}, phone1))
	env.expectError(CodeDuplicateSend)(c.topUp(500, SpendOptions{Elicit: elicitYes}, phone1))
	env.expectError(CodeLimitExceeded)(c.topUp(501, SpendOptions{Elicit: elicitYes}, phone1))
	env.expectOK(b.send("Hi", SpendOptions{}, phone1, phone2)) // another wallet has its own
	var callers []string
	for _, s := range env.spends() {
		callers = append(callers, s.Caller)
	}
	if !slices.Equal(callers, []string{"a", "c", "a", "b"}) {
		t.Error(callers)
	}
}

// If Wesendall accepts several spellings of a wallet's id, they do not get a budget each.
func TestWallet_Spelling(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	a, _, _ := env.newCallers()
	env.setResponse("/balance", mutableBody(fmt.Sprintf(
		`{"success":true,"data":{"wallet_id":%q,"balance":5000,"cost_per_sms":35}}`, sandbox.WalletID)))
	for _, spelling := range []string{"WAL_sandbox", sandbox.WalletID + " "} {
		a.wallet = spelling
		for _, spend := range a.spendFuncs() {
			env.expectError(CodeInvalidArguments)(spend(SpendOptions{DryRun: true})).says(sandbox.WalletID)
		}
	}
	a.wallet = "another form" // not a spelling of the id in the balance
	env.expectError(CodeBadResponse)(a.send("Hi", SpendOptions{DryRun: true}, phone1))
}
