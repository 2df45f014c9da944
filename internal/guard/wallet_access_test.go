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

// Who cannot read the wallet's balance learns nothing of what was sent from it,
// and leaves nothing that would stop its owner.
func TestWalletAccess_Denied(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	a, _, _ := env.newCallers()
	quotes := map[string]string{}
	for name, spend := range a.spendFuncs() {
		quotes[name+" fresh"] = env.expectOK(spend(SpendOptions{DryRun: true})).Quote.ID
		quotes[name+" asked"] = env.expectError(CodeConfirmationRequired)(spend(SpendOptions{AskLater: true})).Quote.ID
		env.expectOK(spend(SpendOptions{Elicit: elicitYes}))
	}
	before := env.dumpLedger()
	for name, c := range map[string]struct {
		who  testCaller
		code string
	}{
		"a wrong secret":             {env.newCaller("x", sandbox.APIKey, "wrong", sandbox.WalletID), "invalid_credentials"},
		"a key that was revoked":     {env.newCaller("x", "sk_test_revoked", "", sandbox.WalletID), "key_revoked"},
		"another's key":              {env.newCaller("x", keyB, secretB, sandbox.WalletID), "wallet_forbidden"},
		"the owner's id by accident": {env.newCaller("other", sandbox.APIKey, "wrong", sandbox.WalletID), "invalid_credentials"},
	} {
		for kind, spend := range c.who.spendFuncs() {
			freshID, asked := quotes[kind+" fresh"], quotes[kind+" asked"]
			for way, opts := range map[string]SpendOptions{
				"as it is": {}, "asking": {Elicit: elicitYes}, "a dry run": {DryRun: true}, "twice": {AllowDuplicate: true, Elicit: elicitYes},
				"a dry run of twice": {DryRun: true, AllowDuplicate: true}, "with a quote": {QuoteID: freshID},
				"no": {QuoteID: asked, Answer: AnswerNo, AskLater: true}, "no to both": {QuoteID: asked, PresentedQuoteID: freshID, Answer: AnswerNo, AskLater: true},
				"yes": {QuoteID: asked, Answer: AnswerYes, AskLater: true}, "an unknown quote": {QuoteID: "x"},
			} {
				failure := env.expectError(c.code)(spend(opts))
				if failure.HTTPStatus < 401 || strings.Contains(failure.Message, "UGX") {
					t.Errorf("%s, %s, %s: %+v", name, kind, way, failure.Error)
				}
			}
		}
	}
	if after := env.dumpLedger(); after != before {
		t.Errorf("the ledger was\n%s\nand is\n%s", before, after)
	}
	for name, spend := range a.spendFuncs() {
		env.advance(time.Minute)
		if _, failure := spend(SpendOptions{QuoteID: quotes[name+" asked"], Answer: AnswerYes, AskLater: true, AllowDuplicate: true}); failure == nil || failure.Code != CodeConfirmationRequired {
			t.Errorf("%s: %v", name, failure)
		}
	}
}

// Credentials may be withdrawn while a person thinks.
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
			t.Errorf("%s: %d spends are written down", kind, n)
		}
	}
}

// The one caller of a server is who the operator chose: nothing is asked twice.
func TestWalletAccess_SingleUser(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	balances := env.countGets("/balance")
	id := env.expectError(CodeConfirmationRequired)(env.topUp(500, SpendOptions{AskLater: true}, phone1)).Quote.ID
	env.expectOK(env.topUp(500, SpendOptions{QuoteID: id, Answer: AnswerYes, AskLater: true}, phone1))
	env.expectError(CodeDeclined)(env.topUp(600, SpendOptions{QuoteID: id, Answer: AnswerNo, AskLater: true}, phone1))
	if got := balances.Load(); got != 1 {
		t.Errorf("the balance was asked for %d times", got)
	}
}

// A quote of another is one that does not exist, whichever state it is in; and
// nothing becomes of it.
func TestQuote_OtherCaller(t *testing.T) {
	t.Parallel()
	for kind := range (testCaller{}).spendFuncs() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove, o.Limits.DuplicateWindow = 0, 0 })
			a, b, c := env.newCallers()
			groups := mutableBody(groupsBody(2)) // for B too
			env.setResponse("/groups", groups)
			spend := a.spendFuncs()[kind]
			freshID := env.expectOK(spend(SpendOptions{DryRun: true})).Quote.ID
			asked := env.expectError(CodeConfirmationRequired)(spend(SpendOptions{AskLater: true})).Quote.ID
			usedID := env.expectOK(spend(SpendOptions{DryRun: true})).Quote.ID
			env.expectOK(spend(SpendOptions{QuoteID: usedID}))
			env.advance(time.Second)
			before := env.dumpLedger()
			for _, caller := range []testCaller{b, c} {
				spendAsOther := caller.spendFuncs()[kind]
				none := env.expectError(CodeConfirmationRequired)(spendAsOther(SpendOptions{QuoteID: "none"})).Message
				for _, id := range []string{freshID, asked, usedID} {
					if got := env.expectError(CodeConfirmationRequired)(spendAsOther(SpendOptions{QuoteID: id})); got.Message != none || got.Quote != nil {
						t.Errorf("%s: %s", caller.id, got.Message)
					}
					if got := env.expectError(CodeConfirmationRequired)(spendAsOther(SpendOptions{QuoteID: id, Answer: AnswerYes, AskLater: true})); got.Message != none || got.Quote != nil {
						t.Errorf("%s: %s", caller.id, got.Message)
					}
					env.expectError(CodeDeclined)(spendAsOther(SpendOptions{QuoteID: id, Answer: AnswerNo, AskLater: true}))
					env.expectError(CodeDeclined)(spendAsOther(SpendOptions{QuoteID: "none", PresentedQuoteID: id, Answer: AnswerNo, AskLater: true}))
				}
			}
			if after := env.dumpLedger(); after != before {
				t.Errorf("the ledger was\n%s\nand is\n%s", before, after)
			}
			// Its own caller can use it on another wallet as little.
			a.wallet = walletB
			a.api = b.api
			env.expectError(CodeConfirmationRequired)(a.spendFuncs()[kind](SpendOptions{QuoteID: freshID})).says("there is no such quote")
			env.expectError(CodeDeclined)(a.spendFuncs()[kind](SpendOptions{QuoteID: freshID, Answer: AnswerNo, AskLater: true}))
			env.expectOK(spend(SpendOptions{QuoteID: freshID}))
			env.advance(time.Second)
			env.expectOK(spend(SpendOptions{QuoteID: asked, Answer: AnswerYes, AskLater: true}))
		})
	}
}

// Two keys on one wallet are one account: what the one sent is a duplicate of the
// other's, and both spend one budget.
func TestWallet_TwoKeys(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.PerDay, o.Limits.TopUp = 100, 900 })
	a, b, c := env.newCallers()
	id := env.expectOK(a.send("Hi", SpendOptions{DryRun: true}, phone1)).Quote.ID
	env.expectOK(a.send("Hi", SpendOptions{QuoteID: id}, phone1))
	got := env.expectError(CodeDuplicateSend)(c.send("Hi", SpendOptions{}, phone1))
	if got.Quote != nil || got.SpendID != "" || strings.Contains(fmt.Sprintf("%+v", *got.Error), id) {
		t.Errorf("A's quote is handed out: %+v", got.Error)
	}
	got = env.expectError(CodeConfirmationRequired)(c.send("Hi", SpendOptions{AllowDuplicate: true}, phone1))
	if strings.Contains(fmt.Sprintf("%+v %+v", *got.Error, *got.Quote), id) {
		t.Errorf("A's quote is handed out: %+v", got.Error)
	}
	env.expectOK(c.send("Ho", SpendOptions{}, phone1))
	env.expectError(CodeLimitExceeded)(c.send("He", SpendOptions{}, phone1))
	env.expectError(CodeLimitExceeded)(a.send("He", SpendOptions{}, phone1))
	env.expectOK(a.topUp(500, SpendOptions{Elicit: elicitYes}, phone1))
	env.expectError(CodeDuplicateSend)(c.topUp(500, SpendOptions{Elicit: elicitYes}, phone1))
	env.expectError(CodeLimitExceeded)(c.topUp(501, SpendOptions{Elicit: elicitYes}, phone1))
	env.expectOK(b.send("Hi", SpendOptions{}, phone1, phone2)) // another wallet, and nothing of that
	var callers []string
	for _, s := range env.spends() {
		callers = append(callers, s.Caller)
	}
	if !slices.Equal(callers, []string{"a", "c", "a", "b"}) {
		t.Error(callers)
	}
}

// A vendor that is lenient about a wallet's spelling must not give it as many
// budgets.
func TestWallet_Spelling(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	a, _, _ := env.newCallers()
	env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		if strings.HasSuffix(r.URL.Path, "/balance") {
			_, _ = fmt.Fprintf(w, `{"success":true,"data":{"wallet_id":%q,"balance":5000,"cost_per_sms":35}}`, sandbox.WalletID)
			return
		}
		pass(w)
	})
	for _, spelling := range []string{"WAL_sandbox", sandbox.WalletID + " "} {
		a.wallet = spelling
		for _, spend := range a.spendFuncs() {
			env.expectError(CodeInvalidArguments)(spend(SpendOptions{DryRun: true})).says(sandbox.WalletID)
		}
	}
	a.wallet = "another form" // of which nobody says that it is another's
	env.expectOK(a.send("Hi", SpendOptions{DryRun: true}, phone1))
}
